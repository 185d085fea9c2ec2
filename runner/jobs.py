"""Plain records of jobs: selections, work orders, results and events."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ishtar.store.atomic import TEMPORARY_PREFIX
from runner.receipts import Receipt, Subject

RERUN_PREFIX = f"{TEMPORARY_PREFIX}rerun-"  # reruns may run at the same time as a service


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which reports to make.

    Attributes
    ----------
    shots : sequence of int, optional
        Only these shots; all by default.
    names : collection of str, optional
        Only these templates.
    ranges : sequence of Subject
        The ranges of shots to make reports of; without any, keep existing ones up to date.
    force : bool
        Whether to make reports that are up to date, too.
    scopes : collection of {"shot", "day", "range"}
        Only reports of these.
    """

    shots: Sequence[int] | None = None
    names: Collection[str] | None = None
    ranges: Sequence[Subject] = ()
    force: bool = False
    scopes: Collection[str] = ("shot", "day", "range")

    def includes(self, template: str, scope: str) -> bool:
        """Return whether reports of a template with this scope are selected."""
        return scope in self.scopes and (self.names is None or template in self.names)


EVERYTHING = Selection()


@dataclass(frozen=True, kw_only=True)
class Job:
    """A work order in plain data: a template, a subject, parameters and limits."""

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
    staged: bool = False  # leave the report under its temporary name, for `place`
    given_up: str = ""  # why it is no longer run; becomes the reason of its failed report
    may_retry: bool = False  # if killed or the disk is full: raise, make no failed report
    reports: str = ""  # folder for the report; empty for that of the workspace

    def __str__(self) -> str:
        return f"{self.subject} {self.template}"


@dataclass(frozen=True, kw_only=True)
class Done:
    """The result of a job: the folder of the report and its receipt."""

    folder: str
    receipt: Receipt
    staged: str = ""  # its temporary name, until `place` gives it that of ``folder``


@dataclass(frozen=True, kw_only=True)
class Event:
    """A change of a job's state, for progress displays."""

    kind: str  # planned, done
    job: Job
    done: Done | None = None
    index: int = 0
    total: int = 0


Listener = Callable[[Event], None]


class Observer(Protocol):
    """Count reports for the status and the metrics."""

    def report_made(self, done: Done) -> None:
        """Count a report that was made."""

    def report_not_made(self, job: Job) -> None:
        """Count a failed attempt to make a report."""
