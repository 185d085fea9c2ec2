"""The coordinator: hands jobs to workers and is the only one that writes the catalogue."""

from __future__ import annotations

import datetime
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ishtar.catalogue import Catalogue, ReportRow, SourceRow
from ishtar.catalogue.names import Called
from ishtar.errors import IshtarError
from ishtar.store import SourceFile
from ishtar.store.atomic import TEMPORARY_PREFIX
from ishtar.testbed import Testbed, is_stored, shot_folders, stored_shots
from ishtar.workspace import Workspace
from runner.errors import WorkersLost
from runner.execute import (
    RERUN_PREFIX,
    Done,
    Job,
    execute,
    library_environment,
    rerender,
)
from runner.ingest import follow_shots, index_days, match_days, remove_leftovers
from runner.plan import Planned, make_plan
from runner.pool import open_pool
from runner.receipts import NOTEBOOK, DamagedReceipt, Receipt, Subject, read_receipts
from runner.settings import Settings, read_settings
from runner.soundness import damage_within
from runner.templates import Template, Templates, read_templates

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened to a job, for whoever shows progress."""

    kind: str  # planned, done
    job: Job
    done: Done | None = None
    index: int = 0
    total: int = 0


Listener = Callable[[Event], None]


def _may_write(catalogue: Path) -> bool:
    return os.access(catalogue, os.W_OK) and os.access(catalogue.parent, os.W_OK)


class Coordinator:
    """Plans and runs reports of one workspace, and keeps its catalogue.

    Who may only read the workspace works with a copy of the catalogue, which ends with this.
    """

    def __init__(self, workspace: Workspace, catalogue: Path | None = None) -> None:
        self.workspace = workspace
        self.settings: Settings = read_settings(workspace)
        self._open = ExitStack()
        path = catalogue or workspace.catalogue
        if path.exists() and not _may_write(path):
            path = self._copy_of(path)
        self.catalogue = Catalogue(path, write=True, shared=self.settings.pool.many_machines)
        self._open.callback(self.catalogue.close)

    def _copy_of(self, path: Path) -> Path:
        folder = self._open.enter_context(tempfile.TemporaryDirectory(prefix="ishtar-copy-"))
        with Catalogue(path) as catalogue:
            catalogue.copy_to(Path(folder) / path.name)
        return Path(folder) / path.name

    def close(self) -> None:
        """Close the catalogue."""
        self._open.close()

    def __enter__(self) -> Coordinator:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def templates(self) -> Templates:
        """Read the templates as they are now."""
        return read_templates(self.workspace.templates)

    # --- the catalogue -------------------------------------------------------------------------

    def note_shot(self, number: int) -> None:
        """Write a stored shot into the catalogue."""
        seen = self.workspace.shot_folder(number).stat().st_mtime_ns  # before it is read
        shot = Testbed(self.workspace)[number]
        found = {path: shot.find_channel(path) for path in shot.channels()}
        self.catalogue.put_shot(
            number,
            shot.attributes.plain(),
            [source_row(number, s) for s in shot.sources],
            {path: (c.file.stem, c.digest) for path, c in found.items()},
            seen,
        )

    def note_report(self, done: Done) -> None:
        """Write a report into the catalogue."""
        r = done.receipt
        row = ReportRow(
            folder=done.folder,
            scope=r.scope,
            subject=r.subject,
            template=r.template,
            digest=r.digest,
            state=r.state,
            reason=r.reason,
            rerun=r.rerun,
            current=not r.rerun,
            started=r.started,
            duration_s=r.duration_s,
            template_digest=r.template_digest,
            prose_digest=r.prose_digest,
            parameters=r.parameters,
        )
        self.catalogue.put_report(
            row,
            r.inputs,
            [(s.name, s.value, s.sigma, s.unit) for s in r.scraps],
            [Called(s.name, s.label, s.symbol) for s in r.scraps],
        )

    def sync_shots(self) -> list[int]:
        """Bring shots into the catalogue whose folder is new or has changed; return them."""
        seen = self.catalogue.seen()
        changed = [
            number
            for number, when in shot_folders(self.workspace).items()
            if seen.get(number) != when
        ]
        wanted = [n for n in sorted(changed) if n in seen or is_stored(self.workspace, n)]
        wanted += self.follow_clocks(wanted)
        for number in wanted:
            self.note_shot(number)
        return wanted

    def follow_clocks(self, numbers: Iterable[int]) -> list[int]:
        """Let what is matched by clock follow the dates of shots that may have changed.

        Return the other shots whose files are others now; they are to be noted, too.
        """
        before = {n: self.catalogue.attributes(n) or {} for n in numbers}
        days = {n: _day(attributes.get("date")) for n, attributes in before.items()}
        found = follow_shots(self.workspace, self.settings.ingest, days)
        for note in found.notes:
            logger.info("%s", note)
        return [n for n in found.shots if n not in days]

    def clear_leftovers(self) -> int:
        """Remove what runs and ingests that were killed left behind; return how much it was.

        Only for the holder of the coordinator's lock: nobody else makes reports then.
        """
        return self.clear_unfinished() + len(remove_leftovers(self.workspace))

    def clear_unfinished(self) -> int:
        """Remove reports that were never finished, while no worker makes one; return how many.

        What people make for themselves needs no lock and may be at work; it goes after a day.
        """
        long_ago = time.time() - 86_400
        unfinished = [
            folder
            for folder in self.workspace.reports.glob(f"{TEMPORARY_PREFIX}*")
            if not folder.name.startswith(RERUN_PREFIX) or folder.stat().st_mtime < long_ago
        ]
        for folder in unfinished:
            shutil.rmtree(folder, ignore_errors=True)
        return len(unfinished)

    # --- work ----------------------------------------------------------------------------------

    def plan(
        self,
        *,
        shots: Sequence[int] | None = None,
        names: Collection[str] | None = None,
        ranges: Sequence[Subject] = (),
        force: bool = False,
    ) -> list[Planned]:
        """Return what is missing or stale; parameters are those of `make_plan`."""
        return make_plan(
            Testbed(self.workspace),
            self.catalogue,
            self.templates(),
            shots=shots,
            names=names,
            ranges=ranges,
            force=force,
        )

    def due(
        self,
        *,
        shots: Sequence[int] | None = None,
        names: Collection[str] | None = None,
        ranges: Sequence[Subject] = (),
        force: bool = False,
    ) -> list[Planned]:
        """Return what is to be run: the plan, without what is there already and was never noted.

        A coordinator that is killed leaves reports that its workers had just finished; they are
        noted now, so that the catalogue says what a rebuilt one would say.
        """
        ask = partial(self.plan, shots=shots, names=names, ranges=ranges, force=force)
        plan = ask()
        return ask() if self._note_unnoted(plan) else plan

    def _note_unnoted(self, plan: Iterable[Planned]) -> int:
        """Note whole reports of planned subjects that the catalogue does not know."""
        n_noted = 0
        for p in plan:
            place = self.workspace.reports / p.subject.key / p.template
            if not place.is_dir():
                continue
            rows = self.catalogue.reports(subject=p.subject.key, template=p.template)
            noted = {row.folder for row in rows}
            for path in sorted(place.iterdir()):
                folder = path.relative_to(self.workspace.reports).as_posix()
                if folder not in noted and not damage_within(path):
                    self.note_report(Done(folder=folder, receipt=Receipt.read(path)))
                    n_noted += 1
        return n_noted

    def job(self, planned: Planned, template: Template) -> Job:
        """Return the work order of a planned report."""
        return Job(
            root=str(self.workspace.root),
            subject=planned.subject,
            template=planned.template,
            parameters=template.subject_values(planned.subject),
            timeout_s=template.timeout_s or self.settings.run.timeout_s,
            output_mb=self.settings.run.output_mb,
            memory_mb=template.memory_mb or self.settings.memory_limit_mb,
            kernels=self.settings.run.kernels,
            sandbox=self.settings.run.sandbox,
            reasons=planned.reasons,
        )

    def open_pool(self, workers: int) -> AbstractContextManager[Executor]:
        """Give workers of the kind that the settings ask for."""
        return open_pool(
            workers,
            kernels=self.settings.run.kernels,
            environment=library_environment(self.workspace.root),
            settings=self.settings.pool,
            root=self.workspace.root,
        )

    def run(
        self,
        *,
        shots: Sequence[int] | None = None,
        names: Collection[str] | None = None,
        ranges: Sequence[Subject] = (),
        force: bool = False,
        workers: int | None = None,
        scopes: Collection[str] = ("shot", "day", "range"),
        listener: Listener | None = None,
        pool: Executor | None = None,
    ) -> list[Done]:
        """Make every report that is missing or stale; return those that were made.

        Templates that read scraps of others run after them, on what those have just given.

        Parameters
        ----------
        shots, names, ranges, force
            As in `make_plan`.
        workers : int, optional
            Processes, 0 for this one; those of the settings by default.
        scopes : collection of {"shot", "day", "range"}
            Only reports of these.
        listener : callable, optional
            Is told of each `Event`.
        pool : Executor, optional
            Workers that are there already.
        """
        from runner.batch import run_batch  # which works for a coordinator

        return run_batch(
            self,
            shots=shots,
            names=names,
            ranges=ranges,
            force=force,
            workers=workers,
            scopes=scopes,
            listener=listener,
            pool=pool,
        )

    def submit(self, pool: Executor, planned: Planned, job: Job) -> Future[Done]:
        """Hand a job to a pool: to be run, or to be rendered where only its words changed."""
        executed = self.workspace.reports / planned.folder / NOTEBOOK
        if (
            planned.action == "render"
            and executed.is_file()
            and (old := self._receipt(planned.folder))
        ):
            return pool.submit(rerender, job, self.workspace.reports / planned.folder, old)
        return pool.submit(execute, job)

    def _receipt(self, folder: str) -> Receipt | None:
        try:
            return Receipt.read(self.workspace.reports / folder)
        except (DamagedReceipt, FileNotFoundError):
            return None

    def run_one(self, job: Job, *, inline: bool = False) -> Done:
        """Run one job that a person waits for, and note it."""
        with self.open_pool(0 if inline else 1) as pool:
            try:
                done = pool.submit(execute, job).result()
            except WorkersLost as error:
                done = given_up(job, error)
        self.note_report(done)
        return done


def _day(date: object) -> list[datetime.date]:
    """Return the day of a date that the catalogue has, as a list; none of what is no date."""
    try:
        return [datetime.datetime.fromisoformat(str(date)).date()]
    except ValueError:
        return []


def given_up(job: Job, error: Exception) -> Done:
    """Make the failed report of a job that no worker survives; it is not run for that."""
    logger.error("%s: %s", job, error)
    return execute(replace(job, given_up=str(error)))


def source_row(shot: int, source: SourceFile) -> SourceRow:
    """Return what the catalogue keeps of a stored source."""
    o = source.origin
    return SourceRow(
        shot=shot,
        file=source.path.name,
        source=o.source,
        sha256=o.sha256,
        size=o.size,
        converter=o.converter,
        writer=o.writer,
        arrived=o.arrived,
        n_channels=len(source.channels),
    )


def rebuild(workspace: Workspace) -> tuple[int, int, list[str]]:
    """Make the catalogue anew from files; return shots, reports and what could not be read."""
    problems: list[str] = []
    path = workspace.catalogue
    fresh = path.with_name(f".tmp-{path.name}")
    fresh.unlink(missing_ok=True)
    n_reports = 0
    index_days(workspace)
    with Coordinator(workspace, catalogue=fresh) as coordinator:
        problems += match_days(workspace, coordinator.settings.ingest).problems
        numbers = stored_shots(workspace)
        for number in numbers:
            try:
                coordinator.note_shot(number)
            except IshtarError as error:
                problems.append(str(error))
        for folder, receipt in read_receipts(workspace.reports):
            if isinstance(receipt, DamagedReceipt):
                problems.append(str(receipt))
                continue
            relative = folder.relative_to(workspace.reports).as_posix()
            coordinator.note_report(Done(folder=relative, receipt=receipt))
            n_reports += 1
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    fresh.replace(path)
    return len(numbers), n_reports, problems
