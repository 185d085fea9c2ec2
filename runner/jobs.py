"""Jobs as plain records: what is to be made, what was made, what happened on the way."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ishtar.store.atomic import TEMPORARY_PREFIX
from runner.receipts import Receipt, Subject

RERUN_PREFIX = f"{TEMPORARY_PREFIX}rerun-"  # of what a person makes, beside a service at work


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which reports are asked for.

    Attributes
    ----------
    shots : sequence of int, optional
        Only these; all by default.
    names : collection of str, optional
        Only these templates.
    ranges : sequence of Subject
        Ranges of shots that reports are asked of; without, those are kept up to date that exist.
    force : bool
        Everything asked for, stale or not.
    scopes : collection of {"shot", "day", "range"}
        Only reports of these.
    """

    shots: Sequence[int] | None = None
    names: Collection[str] | None = None
    ranges: Sequence[Subject] = ()
    force: bool = False
    scopes: Collection[str] = ("shot", "day", "range")

    def takes(self, template: str, scope: str) -> bool:
        """Tell whether reports of a template, of its scope, are asked for."""
        return scope in self.scopes and (self.names is None or template in self.names)


EVERYTHING = Selection()


@dataclass(frozen=True, kw_only=True)
class Job:
    """A work order: which template for what, with which limits. Everything in it is plain data."""

    root: str
    subject: Subject
    template: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    rerun: bool = False
    timeout_s: float = 300.0
    output_mb: float = 50.0
    memory_mb: float = 0.0  # no limit
    kernels: str = "warm"
    sandbox: str = "auto"
    reasons: tuple[str, ...] = ()
    staged: bool = False  # leave it under its temporary name, for `place`
    given_up: str = ""  # why it is not run any more; its report says so
    patient: bool = False  # what is killed, or lacks disk, is no failed report: it comes again
    reports: str = ""  # folder to put the report below; empty for that of the workspace

    def __str__(self) -> str:
        return f"{self.subject} {self.template}"


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a worker hands back: where the report lies, and its receipt."""

    folder: str
    receipt: Receipt
    staged: str = ""  # its temporary name, until `place` gives it that of ``folder``


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened to a job, for whoever shows progress."""

    kind: str  # planned, done
    job: Job
    done: Done | None = None
    index: int = 0
    total: int = 0


Listener = Callable[[Event], None]


class Observer(Protocol):
    """Counts for those who watch the service."""

    def reported(self, done: Done) -> None:
        """Note that a report is made."""

    def gave_up(self, job: Job) -> None:
        """Note that a report is not tried any more."""
