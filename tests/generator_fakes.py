"""A workspace with a generator's log: shots whose sources state dates, pulses at known times."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np

from ishtar.store import Origin, SourceFile, SourceWriter
from runner.ingest import IngestSettings, Layout, Outcome, ingest_file
from runner.ingest.days.day_logs import rematch_shot
from runner.ingest.days.matching import MatchResult
from runner.ingest.generatorlog.generatorlog_converter import Pulse

DAY = dt.date(2026, 11, 22)
NAME = "GENERATOR_2026-11-22.txt"
HEADER = "Time\tForwardPower[W]\tReflectedPower[W]"
AHEAD_S = 37.4  # so far is the generator's clock ahead
SETTINGS = IngestSettings(generator_clock_offset_s=-AHEAD_S, generator_tolerance_s=10.0)


def clock(text: str, seconds: float = 0.0) -> str:
    """Return a time of day so many seconds later, as the generator writes it."""
    moment = dt.datetime.fromisoformat(f"2026-11-22T{text}") + dt.timedelta(seconds=seconds)
    return moment.time().isoformat(timespec="milliseconds")


def pulse(start: str, n: int = 20, power: float = 500.0) -> list[str]:
    """Return the rows of a pulse that begins at a time of the PLC's clock, 0.1 s apart."""
    return [f"{clock(start, AHEAD_S + 0.1 * i)}\t{power + i:.1f}\t{i:.1f}" for i in range(n)]


def idle(start: str, n: int = 3) -> list[str]:
    """Return rows without power."""
    return [f"{clock(start, AHEAD_S + i)}\t0.4\t0.1" for i in range(n)]


def powers(rows: list[str]) -> list[float]:
    """Return the forward power of rows."""
    return [float(row.split("\t")[1]) for row in rows]


def some_pulse(start: str, seconds: float = 2.0, first_row: int = 0, n: int = 3) -> Pulse:
    """Return a pulse of ``n`` rows of a log; their values are their row numbers."""
    begin = np.datetime64(f"2026-11-22T{start}", "us")
    steps = np.round(np.linspace(0.0, seconds * 1e6, n)).astype("timedelta64[us]")
    rows = np.arange(first_row, first_row + n, dtype=np.float64)
    return Pulse(first_row=first_row, time=begin + steps, values={"ForwardPower": rows})


class Place:
    """A workspace whose shots get their times from date CSVs, or whatever states a date."""

    def __init__(self, root: Path, settings: IngestSettings = SETTINGS) -> None:
        self.root, self.settings = root, settings
        self.layout = Layout.of(root / "workspace")

    # --- what arrives ------------------------------------------------------------------------

    def ingest(self, path: Path, **options: object) -> Outcome:
        """Let a file arrive."""
        options = {"isolated": False} | options
        return ingest_file(path, layout=self.layout, settings=self.settings, **options)  # type: ignore[arg-type]

    def shot(self, number: int, time: str, day: str = "2026-11-22") -> Outcome:
        """Let the PLC's date file of a shot arrive."""
        path = self.root / f"{number:05d}_Date.csv"
        path.write_text(f"Shot;{number}\nDate;{day} {time}\n")
        return self.ingest(path)

    def log(self, rows: list[str], name: str = NAME, end: str = "\r\n") -> Outcome:
        """Let a log arrive."""
        path = self.root / name
        path.write_bytes("\r\n".join([HEADER, *rows]).encode() + end.encode())
        return self.ingest(path)

    def source(
        self,
        shot: int,
        date: str | None,
        name: str = "Data.tdms",
        *,
        converter: str = "tdms 1",
        arrived: str = "2026-11-22T12:00:00+01:00",
    ) -> Path:
        """Store a source that states a date, as ingest would have; nobody is told of it."""
        name = f"{shot:05d}_{name}"
        path = self.layout.shots / f"{shot:05d}" / f"{name}.h5"
        origin = Origin(
            shot=shot,
            source=name,
            size=1,
            sha256="0" * 64,
            converter=converter,
            writer="a test",
            arrived=arrived,
        )
        with SourceWriter(path, origin, verify=False) as writer:
            if date is not None:
                writer.attributes["date"] = date
        return path

    def dated(self, shot: int, date: str, name: str = "Data.tdms", **facts: str) -> MatchResult:
        """Store a source that states a date, and let the logs follow it."""
        path = self.source(shot, date, name, **facts)
        return rematch_shot(self.layout, self.settings, shot, path)

    def csv(self, shot: int, date: str, **facts: str) -> MatchResult:
        """Store the PLC's date file, and let the logs follow it."""
        return self.dated(shot, date, "Date.csv", converter="datecsv 1", **facts)

    # --- what is there -----------------------------------------------------------------------

    def files(self, shot: int) -> list[str]:
        """Return the names of the files that a shot has of logs."""
        folder = self.layout.shots / f"{shot:05d}"
        return sorted(p.name for p in folder.glob("[!.]*.h5") if "GENERATOR" in p.name)

    def stored(self, shot: int, number: int = 1, name: str = NAME) -> SourceFile:
        """Return a file with pulses of a shot."""
        suffix = f" {number}" if number > 1 else ""
        return SourceFile(self.layout.shots / f"{shot:05d}" / f"{name}{suffix}.h5")

    def forward(self, shot: int, number: int = 1) -> list[float]:
        """Return the forward power that a file of a shot holds."""
        suffix = f" {number}" if number > 1 else ""
        channel = self.stored(shot, number).channels[f"Generator{suffix}/ForwardPower"]
        return channel.raw().tolist()

    def times(self, shot: int, number: int = 1) -> list[float]:
        """Return the times of its rows on the shot's clock, to the millisecond."""
        suffix = f" {number}" if number > 1 else ""
        channel = self.stored(shot, number).channels[f"Generator{suffix}/ForwardPower"]
        return np.round(channel.time(), 3).tolist()

    def rows(self) -> dict[int, list[tuple[int, int]]]:
        """Return which rows of the log each shot holds, by what its files say."""
        found: dict[int, list[tuple[int, int]]] = {}
        for path in sorted(self.layout.shots.glob(f"[0-9]*/{NAME}*.h5")):
            for facts in SourceFile(path).properties["pulses"]:
                found.setdefault(int(path.parent.name), []).append(tuple(facts["rows"]))
        return found

    @property
    def kept(self) -> Path:
        """The kept log."""
        return self.layout.days / str(DAY) / NAME

    def state(self) -> dict[str, list]:
        """Return what was noted of the log when it was matched last."""
        return json.loads((self.layout.days / str(DAY) / f"{NAME}.json").read_text())

    def notes(self) -> dict[str, list[str]]:
        """Return the notes of shots' times by day."""
        found: dict[str, list[str]] = {}
        for path in sorted(self.layout.days.glob("*/shots/*")):
            found.setdefault(path.parents[1].name, []).append(path.name)
        return found
