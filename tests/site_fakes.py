"""A shipped fake of a workspace for tests of the site: 15 shots on three days, with faults.

`FakeSource` is a `SiteSource` over plain records; `campaign` fills one, with executed notebooks and
receipts on disk as a run leaves them. Among the shots are reports of every state, outputs that try
to break out of the page, comments with markup, a shot without reports and a day without any.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ishtar.errors import NoSuchSignal
from ishtar.signals.lazy_signal import Signal
from runner.publish.records import (
    CalibrationRecord,
    ComponentRecord,
    DeviceRecord,
    Facility,
    ReportRecord,
    ReportSummary,
    ShotRecord,
    SignalRecord,
    SourceRecord,
    TemplateRecord,
    WiringRow,
    WiringSpan,
)
from runner.receipts import (
    NOTEBOOK,
    RECEIPT,
    Input,
    Receipt,
    Scope,
    Scrap,
    Subject,
    report_folder,
)
from tests.notebook_fakes import (
    MARKUP,
    TRACEBACK,
    code,
    hostile_cells,
    langmuir_cells,
    notebook,
    plain_cells,
    plotted_figures,
    raises,
    tiny_png,
    words,
)

FIRST = 1230
DAYS = ("2026-11-19", "2026-11-20", "2026-11-22")


class YearsAhead(datetime):
    """A clock that is years ahead."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime(2036, 1, 1, tzinfo=tz)


@dataclass
class FakeSource:
    """A `SiteSource` over records in memory; the reports lie on disk below ``reports_dir``."""

    reports_dir: Path
    facility: Facility = field(
        default_factory=lambda: Facility(
            name="Helicon testbed",
            tagline="shots, calibrated and traceable",
            links={"Group wiki": "https://wiki.example.org/testbed"},
            jupyterhub="https://hub.example.org/hub/user-redirect/lab/tree/{notebook}",
        )
    )
    records: dict[int, ShotRecord] = field(default_factory=dict)
    stale: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    shown_templates: list[TemplateRecord] = field(default_factory=list)
    trouble_texts: list[str] = field(default_factory=list)
    references: str = ""
    damaged: dict[str, str] = field(default_factory=dict)
    all_reports: dict[Subject, list[ReportRecord]] = field(default_factory=dict)

    def shots(self) -> Sequence[int]:
        return sorted(self.records)

    def days(self) -> Sequence[str]:
        return sorted({f"{r.date:%Y-%m-%d}" for r in self.records.values() if r.date})

    def counts(self) -> Mapping[str, int]:
        return {day: len(self.shots_of(day)) for day in self.days()}

    def shots_of(self, day: str) -> Sequence[int]:
        return [n for n in self.shots() if (d := self.records[n].date) and f"{d:%Y-%m-%d}" == day]

    def shot(self, number: int) -> ShotRecord:
        return self.records[number]

    def _reports(self, subject: Subject, rerun: bool) -> Sequence[ReportRecord]:
        return [
            replace(r, stale=self.stale.get((subject.key, r.receipt.template), ()))
            for r in self.all_reports.get(subject, [])
            if r.receipt.rerun == rerun
        ]

    def signal(self, number: int, name: str) -> Signal:
        raise NoSuchSignal(f"shot {number} of a fake source has no samples of {name}", name=name)

    def reports(self, subject: Subject) -> Sequence[ReportRecord]:
        return self._reports(subject, rerun=False)

    def reruns(self, subject: Subject) -> Sequence[ReportRecord]:
        return self._reports(subject, rerun=True)

    def summaries(self, subjects: Sequence[Subject]) -> Mapping[Subject, Sequence[ReportSummary]]:
        return {s: [_summary(r) for r in self.reports(s)] for s in subjects}

    def failures(
        self, limit: int, *, scope: Scope = "shot", template: str = ""
    ) -> Sequence[ReportSummary]:
        found = [
            _summary(r)
            for subject in sorted(self.all_reports, key=lambda s: s.key, reverse=True)
            for r in self.reports(subject)
            if r.receipt.state in {"failed", "timeout"}
            and (r.receipt.template == template if template else subject.scope == scope)
        ]
        return found[:limit]

    def failures_between(self, first: int, last: int) -> Sequence[ReportSummary]:
        return [f for f in self.failures(10**6) if first <= f.subject.number <= last]

    def scrap_history(self, template: str, name: str, first: int, last: int) -> Mapping[int, Scrap]:
        return {
            n: s
            for n in self.shots()
            if first <= n <= last
            for r in self.reports(Subject.shot(n))
            if r.receipt.template == template
            for s in r.receipt.scraps
            if s.name == name
        }

    def signals(self) -> Sequence[SignalRecord]:
        names = dict.fromkeys(w.signal for r in self.records.values() for w in r.wiring)
        return [self._signal(name) for name in names]

    def _signal(self, name: str) -> SignalRecord:
        rows = {
            (w.channel, w.device, w.calibration): (n, w)
            for n in reversed(self.shots())
            for w in self.records[n].wiring
            if w.signal == name
        }
        begins = sorted(rows.values(), key=lambda row: row[0])
        ends = [*(n for n, _ in begins[1:]), None]
        return SignalRecord(
            name=name,
            unit=begins[0][1].unit,
            description=f"about {MARKUP}",
            imas="langmuir_probes/embedded[0]/ion_saturation_current/data"
            if name == "Lang_I"
            else "",
            spans=[
                WiringSpan(
                    first=n,
                    until=until,
                    signal=name,
                    channel=w.channel,
                    device=w.device,
                    calibration=w.calibration,
                )
                for (n, w), until in zip(begins, ends, strict=True)
                if w.channel
            ],
        )

    def devices(self) -> Sequence[DeviceRecord]:
        spans = [span for signal in self.signals() for span in signal.spans]
        return [
            DeviceRecord(
                name=name,
                serial=MARKUP,
                kind="amplifier",
                calibrations=[
                    CalibrationRecord(
                        port="",
                        version=2,
                        first=1180,
                        until=None,
                        input_unit="V",
                        unit="A",
                        equation=["y = gain · x (gain = -0.01 ± 5e-05)"],
                        reference=MARKUP,
                        file=f"calibrations/devices/{name}.toml",
                    )
                ],
                spans=[s for s in spans if s.device == name],
            )
            for name in sorted({s.device for s in spans})
        ]

    def folder(self) -> Path:
        return self.reports_dir.parent

    def calibrations(self) -> Path:
        return self.reports_dir.parent / "calibrations"

    def raw_files(self, number: int) -> list[Path]:
        return []

    def edits(self, number: int) -> str:
        return ""

    def logo(self) -> Path:
        return self.reports_dir.parent / self.facility.logo

    def bibliography(self) -> str:
        return self.references

    def ranges(self) -> Sequence[Subject]:
        return sorted(s for s in self.all_reports if s.scope == "range")

    def templates(self) -> Sequence[TemplateRecord]:
        return self.shown_templates

    def troubles(self) -> Sequence[str]:
        return self.trouble_texts

    # filling it ------------------------------------------------------------------------------

    def add_report(
        self, receipt: Receipt, cells: Sequence[Mapping[str, Any]] | None
    ) -> ReportRecord:
        """Put a report on disk; ``cells=None`` for one that left no notebook."""
        folder = report_folder(self.reports_dir, receipt.about, receipt.template, receipt.digest)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RECEIPT).write_text(receipt.to_json(), encoding="utf-8")
        if cells is not None:
            (folder / NOTEBOOK).write_text(notebook(cells), encoding="utf-8")
        record = ReportRecord(receipt=receipt, folder=folder)
        others = [
            r
            for r in self.all_reports.get(receipt.about, [])
            if receipt.rerun or r.receipt.rerun or r.receipt.template != receipt.template
        ]
        self.all_reports[receipt.about] = [*others, record]
        return record


def _summary(report: ReportRecord) -> ReportSummary:
    receipt = report.receipt
    return ReportSummary(
        subject=receipt.about,
        template=receipt.template,
        state=receipt.state,
        reason=receipt.reason,
        stale=report.stale,
        started=receipt.started,
        scraps=receipt.scraps,
    )


# the campaign --------------------------------------------------------------------------------


def campaign(folder: Path, *, plots: bool = False) -> FakeSource:
    """Fill a fake workspace with 15 shots on three days.

    Parameters
    ----------
    folder
        Gets the reports.
    plots
        Real figures (slow) instead of tiny pictures.
    """
    names = ("overview", "langmuir", "sweep", "rf_power")
    figures = plotted_figures() if plots else {n: tiny_png(seed=i) for i, n in enumerate(names)}
    source = FakeSource(folder / "reports")
    source.shown_templates = [
        TemplateRecord(name="overview", title="Overview", scope="shot"),
        TemplateRecord(
            name="langmuir", title="Langmuir probe", scope="shot", key=("Te", "ne", "Vp")
        ),
        TemplateRecord(name="rf_power", title="RF power", scope="shot"),
        TemplateRecord(name="day_summary", title="Day summary", scope="day"),
    ]
    source.trouble_texts = [
        "01299_Data.tdms: in quarantine since 2026-11-22 11:40, the file ends inside a segment",
        f"{MARKUP}.tdms: in quarantine, the name holds no shot number",
    ]
    sizes = {DAYS[0]: 4, DAYS[1]: 2, DAYS[2]: 9}
    number = FIRST
    for day, n in sizes.items():
        for i in range(n):
            source.records[number] = _shot(
                number, datetime.fromisoformat(f"{day}T10:01:02") + timedelta(minutes=7 * i)
            )
            number += 1
    for n in source.shots():
        _shot_reports(source, n, figures)
    for day in (DAYS[0], DAYS[2]):  # the day between has no report of its own
        _day_report(source, day, figures)
    _range_report(source, figures)
    return source


def _shot(number: int, date: datetime) -> ShotRecord:
    new_wiring = number >= FIRST + 6
    attributes: dict[str, Any] = {
        "date": date.isoformat(),
        "gas": "He" if number < FIRST + 4 else "Ar",
        "program": f"helicon_{'ramp' if number % 3 else 'flat'}",
        "operator": "M. Usoltceva",
        "useful": number % 5 != 0,
        "comment": "",
    }
    problems: list[str] = []
    if number == FIRST + 8:
        attributes["comment"] = MARKUP
    if number == FIRST + 14:
        attributes["comment"] = "Second antenna strap back in; density jumps at 1.8 kW."
    if number == FIRST + 11:
        problems = [
            "Lang_I is clipped for 3.2 % of the samples",
            f"The channel {MARKUP} is missing from PXI M6251",
        ]
    if number == FIRST + 12:
        attributes = {"date": date.isoformat()}
    wiring = [
        WiringRow(
            signal="Lang_U",
            unit="V",
            channel="PXI M6251/Lang_U",
            device="divider_20",
            calibration="v1",
            span="1180 …",
        ),
        WiringRow(
            signal="Lang_I",
            unit="A",
            channel="PXI M6251/Lang_I",
            device="shunt_2" if new_wiring else "shunt_1",
            calibration="v3" if new_wiring else "v2",
            span="1236 …" if new_wiring else "1180 … 1235",
        ),
        WiringRow(
            signal="IC_Pfwd",
            unit="W",
            channel="PXI M6251/IC_Pfwd",
            device="det_3",
            calibration="v2",
            span="1200 …",
        ),
        WiringRow(
            signal="n_line", unit="1/m^2", problem="no calibration of interferometer_1 at this shot"
        ),
    ]
    components = [
        ComponentRecord(
            name="langmuir_1",
            kind="swept Langmuir probe",
            parameters={"area": "1.2e-6 m²", "position": f"{20 + number % 2} cm"},
            span="1180 …",
        ),
        ComponentRecord(
            name="ic_antenna",
            kind="ICRF antenna",
            parameters={"straps": "2", "frequency": "5.85 MHz"},
            span="1200 …",
        ),
    ]
    sources = [
        SourceRecord(
            name=f"{number:05d}_Data.tdms",
            size=52_428_800 + number,
            sha256=f"{number:064x}",
            converter="tdms 1",
            writer="LabVIEW 2023",
            arrived=(date + timedelta(seconds=20)).isoformat(),
            n_channels=14,
        ),
        SourceRecord(
            name=f"{number:05d}_date.csv",
            size=41,
            sha256=f"{number + 9:064x}",
            converter="date_csv 1",
            writer="",
            arrived=(date + timedelta(seconds=21)).isoformat(),
            n_channels=0,
        ),
    ]
    return ShotRecord(
        shot=number,
        date=date,
        attributes=attributes,
        sources=sources,
        wiring=wiring,
        components=components,
        problems=problems,
    )


def receipt(subject: Subject, template: str, title: str, **more: Any) -> Receipt:
    """Return a receipt with what every one has."""
    scope_parameters: dict[str, Any] = (
        {"shot": subject.number} if subject.scope == "shot" else {"day": subject.key}
    )
    values: dict[str, Any] = {
        "scope": subject.scope,
        "subject": subject.key,
        "template": template,
        "title": title,
        "template_digest": "5b1c7a90e2d44f1b",
        "parameters": scope_parameters,
        "state": "ok",
        "digest": f"{abs(hash_text(subject.key + template)):016x}",
        "inputs": (
            Input(
                kind="calibration",
                name="shunt_1",
                subject=subject.key,
                version="v2",
                digest="77aa01b2c3d4e5f6",
            ),
            Input(
                kind="channel",
                name="PXI M6251/Lang_I",
                subject=subject.key,
                digest="0f1e2d3c4b5a6978",
            ),
            Input(kind="code", name="ishtar", version="0.1.0", digest="aa55aa55aa55aa55"),
        ),
        "started": "2026-11-22T10:02:11+01:00",
        "duration_s": 3.41,
        "phases": {"start": 0.82, "execute": 2.31, "render": 0.28},
        "environment": {
            "python": "3.11.7",
            "ishtar": "0.1.0",
            "numpy": "2.4.6",
            "host": "lab-pc-3",
        },
    }
    return Receipt(**(values | more))


def hash_text(text: str) -> int:
    """Return a number for a text, the same in every run."""
    return zlib.crc32(text.encode()) * 2654435761 % 2**63


def _shot_reports(source: FakeSource, n: int, figures: Mapping[str, str]) -> None:
    subject = Subject.shot(n)
    if n == FIRST + 10:
        return  # a shot without reports
    wave = math.sin(n)
    source.add_report(
        receipt(
            subject,
            "overview",
            "Overview",
            scraps=(Scrap(name="duration", value=4.5 + wave / 5, unit="s"),),
        ),
        plain_cells("Overview", figures["overview"], "The signals of a shot on one page."),
    )
    te = Scrap(name="Te", value=4.1 + 0.4 * wave, sigma=0.2, unit="eV")
    ne = Scrap(name="ne", value=1.2e17 * (1 + 0.2 * wave), sigma=1.1e16, unit="1/m^3")
    vp = Scrap(name="Vp", value=14.2 + wave, sigma=0.6, unit="V")
    extra = (Scrap(name="n_sweeps", value=350, unit=""), Scrap(name=f"note {MARKUP}", value=MARKUP))
    langmuir = receipt(
        subject,
        "langmuir",
        "Langmuir probe",
        parameters={"shot": n, "t_start": 0.5, "t_stop": 10.0, "gas": "Ar"},
        scraps=(te, ne, vp, *extra),
    )
    cells = langmuir_cells(n, figures)
    if n == FIRST + 5:
        source.add_report(
            replace(langmuir, state="skipped", reason="no probe in the plasma", scraps=()),
            [
                *cells[:3],
                code(
                    "skip('no probe in the plasma')",
                    raises("ReportSkipped", "no probe in the plasma"),
                ),
            ],
        )
    elif n == FIRST + 12:
        source.add_report(
            replace(langmuir, state="timeout", reason="the report took over 120 s", scraps=()),
            cells[:4],
        )
    elif n == FIRST + 13:
        source.add_report(replace(langmuir, scraps=()), hostile_cells())
    elif n == FIRST + 9:
        # a figure that went missing, and no scraps
        source.add_report(replace(langmuir, scraps=()), cells[:2])
    else:
        source.add_report(langmuir, cells)
    if n == FIRST + 7:
        source.stale[subject.key, "langmuir"] = [
            "calibration shunt_1 (v2 → v3)",
            f"signal {MARKUP}",
        ]
    if n in (FIRST + 14, FIRST + 3):
        source.add_report(
            replace(
                langmuir,
                rerun=True,
                digest="c0ffee" + langmuir.digest,
                parameters={"shot": n, "t_start": 1.5, "t_stop": 3.0, "gas": "Ar"},
            ),
            cells,
        )
    power = receipt(
        subject,
        "rf_power",
        "RF power",
        scraps=(
            Scrap(name="max_IC_Pinj", value=940.0 + 30 * wave, sigma=25.0, unit="W"),
            Scrap(name="reflection", value=0.041 + 0.01 * wave, sigma=0.004, unit="1"),
        ),
    )
    if n == FIRST + 11:
        reason = "MissingCalibration: IC_Pfwd: det_3 has no calibration at shot 1241"
        source.add_report(
            replace(power, state="failed", reason=reason, scraps=()),
            [
                words("# RF power\n\nForward and reflected power."),
                code("shot: int = 1", tags=["parameters"]),
                code(
                    "# power from the log detector\npower = shot['IC_Pfwd'].load()",
                    raises("MissingCalibration", reason[20:], TRACEBACK),
                ),
                code("power.plot()"),
            ],
        )
    elif n == FIRST + 4:
        source.add_report(replace(power, state="failed", reason="the kernel died", scraps=()), None)
    elif n != FIRST + 2:  # there it is not made yet
        source.add_report(
            power, plain_cells("RF power", figures["rf_power"], "Forward and reflected power.")
        )


def _day_report(source: FakeSource, day: str, figures: Mapping[str, str]) -> None:
    source.add_report(
        receipt(
            Subject.day(day),
            "day_summary",
            "Day summary",
            scraps=(Scrap(name="n_shots", value=len(source.shots_of(day))),),
        ),
        plain_cells("Day summary", figures["langmuir"], "Trends of the day."),
    )


def _range_report(source: FakeSource, figures: Mapping[str, str]) -> None:
    subject = Subject.range(FIRST, FIRST + 5)
    parameters = {"first": FIRST, "last": FIRST + 5}
    source.add_report(
        receipt(subject, "profile", "Radial profile", parameters=parameters, digest="ab12" * 4),
        plain_cells("Radial profile", figures["langmuir"], "Density against radius."),
    )
