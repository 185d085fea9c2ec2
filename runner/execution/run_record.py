"""Record what a report was made from: inputs, code and packages, and their changes meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ishtar.lineage.record import RAN, Input
from runner.execution.environment import package_versions
from runner.execution.library_code import ALL, CHANGING, code_input, library
from runner.kernel import sandbox


@dataclass(frozen=True, kw_only=True)
class MadeFrom:
    """What a report was made from, as its receipt has it."""

    inputs: tuple[Input, ...]
    ran: Mapping[str, Collection[str]]
    code: Mapping[str, str]
    environment: Mapping[str, str]


class RunRecord:
    """Compares packages and library code at the beginning of a run with those at its end."""

    def __init__(self) -> None:
        self._packages = sandbox.installed()
        self._sources = library().stamps()

    def made_from(
        self, records: Collection[Input], checked: Collection[Input], *, it_ran: bool
    ) -> MadeFrom:
        """Return what the report was made from, at the end of its run.

        Parameters
        ----------
        records : collection of Input
            Written by the library in the kernel: what was read, and what ran.
        checked : collection of Input
            Read by the worker, to check what the template needs.
        it_ran : bool
            Whether the notebook ran; otherwise any of the library's code may decide its outcome.
        """
        current = library()
        ran = current.dependencies(records) if it_ran else {ALL: [ALL]}
        code, sources = current.digests(ran), current.stamps()
        code |= {m: CHANGING for m in code if self._sources.get(m) != sources.get(m)}
        read = {record for record in records if record.kind != RAN}
        environment = dict(package_versions())
        if sandbox.installed() != self._packages:
            environment["changed"] = "packages were installed or removed while it ran"
        return MadeFrom(
            inputs=tuple(sorted({*read, *checked, code_input(ran, code)})),
            ran=ran,
            code=code,
            environment=environment,
        )
