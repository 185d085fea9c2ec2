"""The entries of the search besides shots: ``data/search``, names with a text and an address.

The search takes shots from the shards, which grow with the archive; this list does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from runner.publish.addresses import DAYS, device_page, signal_page, subject_page, template_page
from runner.publish.pages.bibliography import read_bibliography
from runner.publish.pages.calendar_pages import Kind, keys_of, period_link, period_name
from runner.publish.records import CalibrationRecord, DeviceRecord, SignalRecord
from runner.publish.view import View
from runner.receipts import Subject
from runner.render.format import day_text, unit_text

LONGEST_TEXT = 400  # of an entry; a description may be a page of its own
PAGES = {
    "latest.html": ("The newest shot", "latest wall screen control room"),
    DAYS: ("All days", "calendar"),
    "table.html": ("All shots as a table", "table filter sort plot scraps results CSV"),
    "traces.html": ("Traces", "signals zoom overlay samples"),
    "compare.html": ("Compare shots", "side by side differences"),
    "templates/index.html": ("Templates", "reports notebooks"),
    "signals/index.html": ("Signals", "wiring channels units"),
    "devices/index.html": ("Devices", "calibrations"),
    "bibliography.html": ("Bibliography", "references literature"),
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Something that the search can find.

    ``kind`` is ``result``, ``attribute``, ``template``, ``signal``, ``device``, ``calibration``,
    ``day``, ``reference`` or ``page``; the search matches ``title`` and ``text``.
    """

    kind: str
    title: str
    text: str = ""
    href: str = ""


def search_entries(
    view: View,
    units: Mapping[tuple[str, str], str] | None = None,
    attributes: Iterable[str] = (),
) -> Iterator[Entry]:
    """Yield everything except shots that has a page or a heading of its own.

    Parameters
    ----------
    units
        Units of all results, by template and name.
    attributes
        Names of all attributes of shots.
    """
    yield from (_result(view, key, unit) for key, unit in sorted((units or {}).items()))
    for name in sorted(attributes):
        text = "attribute of shots: shots that have it, in the table"
        href = f"table.html#query={quote(_quoted(name))}%20%21%3D%20none"
        yield Entry(kind="attribute", title=name, text=text, href=href)
    for t in view.templates.values():
        text = _joined(t.name, t.description)
        yield Entry(kind="template", title=t.title or t.name, text=text, href=template_page(t.name))
    yield from (_signal(s) for s in view.source.signals())
    for device in view.source.devices():
        yield from _device(device)
    for day in view.days:
        yield Entry(kind="day", title=day, text=day_text(day), href=subject_page(Subject.day(day)))
    for r in read_bibliography(view.references).references.values():
        yield Entry(
            kind="reference",
            title=r.short or r.key,
            text=_joined(r.key, r.authors, r.title, r.where, r.year),
            href=f"bibliography.html#{r.anchor}",
        )
    kinds: tuple[Kind, ...] = ("month", "week")
    for kind in kinds:
        for key in keys_of(kind, view.days):
            yield Entry(kind="page", title=period_name(key), text=key, href=period_link(key).href)
    for href, (title, text) in PAGES.items():
        yield Entry(kind="page", title=title, text=text, href=href)


def _result(view: View, key: tuple[str, str], unit: str) -> Entry:
    """Return the entry of a result; it opens the table of shots with a plot of the result."""
    template, name = key
    known, of = view.results.record(template, name), view.templates.get(template)
    symbol = known.symbol.replace("{", "").replace("}", "")
    title = f"{known.label}, {symbol}" if known.label and symbol else known.label or symbol or name
    text = _joined(".".join(key), unit_text(unit), (of.title if of else "") or template)
    column = quote(".".join(key), safe="")
    href = f"table.html#columns={column},reports,date,gas,program&x=shot&y={column}"
    return Entry(kind="result", title=title, text=text, href=href)


def _quoted(name: str) -> str:
    """Return a name in query syntax: in backquotes unless it is an identifier."""
    return name if name.isidentifier() else f"`{name}`"


def _signal(signal: SignalRecord) -> Entry:
    wired = (f"{s.channel} {s.device} {s.comment}" for s in reversed(signal.spans))
    text = _joined(unit_text(signal.unit), signal.description, signal.derived, *_once(wired))
    return Entry(kind="signal", title=signal.name, text=text, href=signal_page(signal.name))


def _device(device: DeviceRecord) -> Iterator[Entry]:
    href = device_page(device.name)
    served = _once(s.signal for s in reversed(device.spans))
    text = _joined(device.kind, device.serial, device.description, *served)
    yield Entry(kind="device", title=device.name, text=text, href=href)
    for c in device.calibrations:
        title = f"{device.name} v{c.version}" + (f", {c.port}" if c.port else "")
        yield Entry(kind="calibration", title=title, text=_calibration(c), href=href)


def _calibration(c: CalibrationRecord) -> str:
    last = "…" if c.until is None else str(c.until - 1)
    shots = f"shots {c.first} to {last}"
    return _joined(shots, f"{c.input_unit} → {c.unit}", *c.equation, c.reference)


def _once(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(" ".join(t.split()) for t in texts))


def _joined(*texts: str) -> str:
    text = " · ".join(t for t in texts if t)
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
