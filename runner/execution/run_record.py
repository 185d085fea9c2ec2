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


# The code of earlier reports, by what ran and the library's files; a template's reports mostly run
# the same. Following the names of a thousand functions takes 12 ms.
_Code = tuple[dict[str, list[str]], dict[str, str]]
_known: dict[tuple[frozenset[Input], frozenset[tuple[str, tuple[int, int]]]], _Code] = {}
_MAX_KNOWN = 32


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
        ran, code = self._code(records) if it_ran else self._code_of({ALL: [ALL]})
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

    def _code(self, records: Collection[Input]) -> _Code:
        """Return the units that ran, and their digests, by module."""
        key = frozenset(r for r in records if r.kind == RAN), frozenset(self._sources.items())
        found = _known.pop(key, None) or self._code_of(library().dependencies(records))
        if library().stamps() != self._sources:  # while it ran, or since
            return self._code_of(library().dependencies(records))
        if len(_known) >= _MAX_KNOWN:
            del _known[next(iter(_known))]  # the least recently used
        _known[key] = found
        return found

    def _code_of(self, ran: dict[str, list[str]]) -> _Code:
        current = library()
        code, sources = current.digests(ran), current.stamps()
        return ran, code | {m: CHANGING for m in code if self._sources.get(m) != sources.get(m)}
