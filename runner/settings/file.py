"""Read and check the settings of a workspace, from ``ishtar.toml``, with their defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, get_type_hints

import psutil

from ishtar.attributes.moments import time_of_day
from ishtar.errors import did_you_mean
from ishtar.workspace import MARKER, Workspace
from runner.errors import SettingsError
from runner.ingest import IngestSettings
from runner.kernel.sandbox import CHOICES
from runner.monitoring.logs import FORMS
from runner.settings.expiry import RetentionSettings
from runner.settings.facility import Facility
from runner.settings.publishing import PublishSettings
from runner.settings.serving import ServeSettings

KERNELS = ("warm", "cold")
METRICS_FILE = "file"
POOL_KINDS = ("local", "inline", "dask")


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """``[run]``: how reports are executed.

    Attributes
    ----------
    workers : number of processes; 0 means one for each core.
    timeout_s : time limit of a report, unless its sidecar has one.
    output_mb : limit of a report's output.
    memory_mb : memory limit of a report with all its processes, unless its sidecar has one; 0
        means an equal share of three quarters of this machine's memory.
    kernels : ``"warm"`` or ``"cold"``, how a report gets its kernel (`runner.kernel.warm`).
    sandbox : ``"auto"`` or ``"off"``: whether a report can write only in its own folder, if the
        system supports it (`runner.kernel.sandbox`).
    """

    workers: int = 0
    timeout_s: float = 300.0
    output_mb: float = 50.0
    memory_mb: float = 0.0
    kernels: str = "warm"
    sandbox: str = "auto"

    def __post_init__(self) -> None:
        if self.kernels not in KERNELS:
            raise ValueError(f"kernels = {self.kernels!r} must be one of {', '.join(KERNELS)}")
        if self.sandbox not in CHOICES:
            raise ValueError(f"sandbox = {self.sandbox!r} must be one of {', '.join(CHOICES)}")

    @property
    def processes(self) -> int:
        """The number of worker processes."""
        return self.workers or os.cpu_count() or 1

    @property
    def memory_limit_mb(self) -> float:
        """The memory limit of a report."""
        if self.memory_mb:
            return self.memory_mb
        return 0.75 * float(psutil.virtual_memory().total) / 1e6 / self.processes


@dataclass(frozen=True, kw_only=True)
class PoolSettings:
    """``[pool]``: where reports are executed.

    Attributes
    ----------
    kind : ``"local"``, processes of this machine; ``"inline"``, this process; ``"dask"``, workers
        of a dask cluster (`runner.scheduling.cluster`).
    scheduler : address of a running scheduler, ``"tcp://host:8786"``, or its scheduler file;
        empty: a cluster of ``[run] workers`` processes on this machine.
    workers : reports at once on that scheduler's workers; 0 means one for each worker.
    root_on_workers : path of the workspace on the workers; empty: the same as here.
    """

    kind: str = "local"
    scheduler: str = ""
    workers: int = 0
    root_on_workers: str = ""

    def __post_init__(self) -> None:
        if self.kind not in POOL_KINDS:
            raise ValueError(f"kind = {self.kind!r} must be one of {', '.join(POOL_KINDS)}")
        if self.scheduler and self.kind != "dask":
            raise ValueError(f"a scheduler needs kind = 'dask', not {self.kind!r}")
        if self.workers < 0:
            raise ValueError(f"workers = {self.workers} must not be negative")
        if not self.scheduler and (self.workers or self.root_on_workers):
            raise ValueError(
                "workers and root_on_workers need a scheduler; without one, set [run] workers"
            )
        if self.root_on_workers and not self.root_on_workers.startswith("/"):
            raise ValueError(f"root_on_workers = {self.root_on_workers!r} must begin with /")

    @property
    def many_machines(self) -> bool:
        """Whether reports are executed on other machines, too."""
        return bool(self.scheduler)


def address_of(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``; ValueError if it is not of this form."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")  # [::1]:9464
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"metrics = {text!r} must be like '127.0.0.1:9464', or 'file'")
    return host, int(port)


@dataclass(frozen=True, kw_only=True)
class WatchSettings:
    """``[watch]``: what the service watches, and when.

    Attributes
    ----------
    folders : folders to watch in addition to ``data/incoming``; they are only read.
    poll_s : time between two polls.
    day_summary_at : when the reports of the day are made, local time, ``HH:MM``.
    changes_every_s : time between two checks for external changes.
    remake_changed : whether to make reports again that became stale by these, last of all.
    metrics : where to serve metrics for Prometheus: ``HOST:PORT``, or ``"file"`` for
        ``data/metrics.prom``; empty: nowhere.
    log : ``"text"`` or ``"json"``, one object per line.
    """

    folders: tuple[str, ...] = ()
    poll_s: float = 1.0
    day_summary_at: str = "21:00"
    changes_every_s: float = 10.0
    remake_changed: bool = True
    metrics: str = ""
    log: str = "text"

    def __post_init__(self) -> None:
        try:
            time_of_day(self.day_summary_at)
        except ValueError:
            raise ValueError(
                f"day_summary_at = {self.day_summary_at!r} is not a time: write it as 21:00"
            ) from None
        if self.log not in FORMS:
            raise ValueError(f"log = {self.log!r} must be one of {', '.join(FORMS)}")
        if self.metrics not in ("", METRICS_FILE):
            address_of(self.metrics)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of a workspace."""

    facility: Facility = field(default_factory=Facility)
    ingest: IngestSettings = field(default_factory=IngestSettings)
    run: RunSettings = field(default_factory=RunSettings)
    pool: PoolSettings = field(default_factory=PoolSettings)
    watch: WatchSettings = field(default_factory=WatchSettings)
    publish: PublishSettings = field(default_factory=PublishSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    serve: ServeSettings = field(default_factory=ServeSettings)

    @property
    def memory_limit_mb(self) -> float:
        """The memory limit of a report; 0 if its worker decides."""
        return self.run.memory_mb if self.pool.kind == "dask" else self.run.memory_limit_mb


SECTIONS: dict[str, type[Any]] = {
    "facility": Facility,
    "ingest": IngestSettings,
    "run": RunSettings,
    "pool": PoolSettings,
    "watch": WatchSettings,
    "publish": PublishSettings,
    "retention": RetentionSettings,
    "serve": ServeSettings,
}
T = TypeVar("T")


def read_settings(workspace: Workspace) -> Settings:
    """Return the settings of a workspace; `SettingsError` names an invalid one."""
    for name in workspace.settings:
        if name not in SECTIONS:
            hint = did_you_mean(name, SECTIONS)
            raise SettingsError(f"{MARKER}: unknown section [{name}]{hint}: correct it")
    sections = {name: _section(cls, name, workspace) for name, cls in SECTIONS.items()}
    return Settings(**sections)


def _section(cls: type[T], section: str, workspace: Workspace) -> T:
    given = workspace.section(section)
    known = {f.name for f in fields(cls)}  # type: ignore[arg-type]
    hints = get_type_hints(cls)
    values: dict[str, Any] = {}
    for name, value in given.items():
        where = f"{MARKER} [{section}] {name}"
        if name not in known:
            raise SettingsError(f"{where}: unknown setting{did_you_mean(name, known)}: correct it")
        values[name] = _checked(value, hints[name], where)
    try:
        return cls(**values)
    except ValueError as error:
        raise SettingsError(f"{MARKER} [{section}]: {error}: correct it") from error


def _checked(value: Any, hint: Any, where: str) -> Any:
    text = str(hint)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if hint is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if hint in (str, bool) and isinstance(value, hint):
        return value
    if "tuple" in text and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    if "Mapping" in text and isinstance(value, Mapping):
        return dict(value)
    raise SettingsError(f"{where} = {value!r} has the wrong type; {text} is needed: correct it")
