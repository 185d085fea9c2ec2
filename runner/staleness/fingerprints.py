"""Digests of everything outside shots and reports that a report may depend on.

Those that differ from the last plan's determine which reports to compare with their receipts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from ishtar.calibration import Declarations
from ishtar.calibration.spans import Span
from ishtar.inputs import identity
from ishtar.lineage.record import digest
from runner.staleness.current_state import CurrentState
from runner.templates.template import Template, Templates

Fingerprints = Mapping[tuple[str, str], str]


class _Row(Protocol):
    @property
    def digest(self) -> str: ...
    @property
    def span(self) -> Span: ...


def _rows(rows: Iterable[_Row]) -> str:
    return digest([[row.digest, row.span.first, row.span.until] for row in rows])


def fingerprints_of(
    declarations: Declarations, templates: Templates, current_state: CurrentState
) -> dict[tuple[str, str], str]:
    """Return (kind, name) → digest of declarations, templates and the code that reports ran.

    A kind that ends with ``*`` matches inputs by the beginning of their names: queries of all
    machine components, or of everything that has changed.
    """
    d = declarations
    found = {("signal", name): declared.digest for name, declared in d.signals.items()}
    found |= {("wiring", name): _rows(rows) for name, rows in d.wiring.items()}
    calibrations = [c for device in d.devices.values() for c in device.calibrations]
    for name in {c.name for c in calibrations}:
        found["calibration", name] = _rows(c for c in calibrations if c.name == name)
    machine = {name: _rows(rows) for name, rows in d.components.items()}
    found |= {("machine", name): identity for name, identity in machine.items()}
    found["machine*", "all "] = digest(machine)
    found["machine*", identity.SINCE] = digest(
        sorted([*key, value] for key, value in found.items())
    )
    found["signal", identity.ALL_SIGNALS] = digest(sorted(d.signals))
    found["signal", identity.IMAS_PATHS] = digest(sorted(d.imas_paths.items()))
    found |= {("code", name): identity for name, identity in current_state.codes().items()}
    for template in templates.values():
        found["template", template.name] = template_identity(template)
    return found


def template_identity(template: Template) -> str:
    """Return the digest of a template's code and its parameters' defaults."""
    return digest([template.code_digest, [[p.name, repr(p.default)] for p in template.parameters]])
