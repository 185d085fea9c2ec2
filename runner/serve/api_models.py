"""What the API takes and gives, as models that its OpenAPI document is made from."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

MOST_SHOTS = 10_000  # in one answer
MOST_CHANGES = 100  # attributes in one act, parameters of one report

Scalar = str | int | float | bool | None


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Me(_Model):
    """Who you are to this service."""

    name: str
    role: str


class Shots(_Model):
    """Numbers of shots, ascending."""

    shots: list[int]
    more: bool = Field(description="whether there are more than were asked for")


class Edit(_Model):
    """One correction: who changed which attributes, when and why."""

    who: str
    when: str
    why: str
    changes: dict[str, dict[str, Scalar]] = Field(description="by attribute: before and after")


class Shot(_Model):
    """The attributes of a shot, and their corrections, oldest first."""

    shot: int
    attributes: dict[str, Any]
    edits: list[Edit]
    version: str = Field(description="changes with every correction")


class Correction(_Model):
    """What to change: null removes an attribute."""

    changes: dict[str, Scalar] = Field(min_length=1, max_length=MOST_CHANGES)
    why: str = Field(default="", max_length=1000)
    new: bool = Field(default=False, description="allow names that the shot does not have yet")
    version: str | None = Field(
        default=None, description="of the shot as you saw it; refused if somebody changed it since"
    )


class ParameterOf(_Model):
    """A parameter of a template."""

    name: str
    type: str = Field(description="as the template writes it: `float`, `Literal['up', 'down']`")
    kinds: list[str]
    choices: list[Scalar]
    default: Any
    unit: str
    meaning: str
    low: float | None = Field(description="the smallest value that is allowed")
    high: float | None
    less_than: str = Field(description="a parameter that it must not reach, or empty")


class TemplateOf(_Model):
    """A template: what reports are made of."""

    name: str
    title: str
    scope: str = Field(description="shot, day or range")
    parameters: list[ParameterOf]


class Rerun(_Model):
    """A report with parameters of your own, beside the official one."""

    template: str = Field(max_length=200)
    subject: str = Field(max_length=100, description="a shot `7`, a day `2026-11-22`, `7..9`")
    parameters: dict[str, Any] = Field(default_factory=dict, max_length=MOST_CHANGES)


class Service(_Model):
    """The service that takes acts: `ishtar watch`."""

    state: str = Field(description="working, or why it takes nothing")
    since: str | None = Field(description="when it was last seen")


class ActState(_Model):
    """An act: what a person asked for, and what became of it."""

    id: str
    kind: str
    who: str
    when: str
    wanted: dict[str, Any]
    state: str = Field(description="waiting, done or refused")
    detail: str
    result: dict[str, Any]
    published: bool = Field(description="whether the page of a report is there")
    service: Service | None = Field(description="who will do it, while it waits")
