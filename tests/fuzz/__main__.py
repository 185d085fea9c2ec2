"""Damaged and crafted raw files, one after the other, until the time is over.

    python -m tests.fuzz [--seconds 120] [--seed 1] [--kinds tdms,lvm,…] [--keep FOLDER]

Each is ingested as the service would; what was stored is compared with what an independent reader
finds in the same damaged file. Exit 1 if anything crashed, hung or was stored otherwise.
"""

from __future__ import annotations

import argparse
import itertools
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from ishtar.errors import IshtarError
from ishtar.store import SourceFile
from runner.ingest import IngestSettings, Layout, Outcome, ingest_file
from tests.fuzz import bases, readers
from tests.fuzz.mutate import damaged

SETTINGS = IngestSettings(timeout_s=30.0, memory_mb=1000, generator_tolerance_s=30.0)
READERS: dict[str, Callable[[Path], Any]] = {
    "tdms": readers.tdms,
    "lvm": readers.lvm,
    "hdf5": readers.hdf5,
    "csv": readers.datecsv,
    "log": readers.log,
}
COLUMNS = ("inputs", "equal", "no peer", "left out", "quarantined", "crashed", "hung", "silent")


@dataclass
class Input:
    """A file to try: what was done to it, and what must not come of it."""

    kind: str
    name: str
    content: bytes
    how: str
    refused: bool = False
    secrets: dict[str, bytes] = field(default_factory=dict)


def main() -> int:
    """Try, and print what became of all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", default="tdms,lvm,hdf5,crafted,csv,log")
    parser.add_argument("--keep", type=Path, help="keep what went wrong there")
    options = parser.parse_args()
    counts: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        work = Path(folder)
        sources = [inputs(kind, work, options.seed) for kind in options.kinds.split(",")]
        end = time.monotonic() + options.seconds
        for source in itertools.cycle(sources):
            if time.monotonic() > end:
                break
            one = next(source)
            what, why = try_one(one, work / "workspace")
            counts.setdefault(one.kind, Counter()).update(["inputs", what])
            if what in ("crashed", "hung", "silent"):
                print(f"{what}: {one.name}, {one.how}: {why}", flush=True)
                if options.keep:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    number = sum(c["inputs"] for c in counts.values())
                    (options.keep / f"{what}-{number}-{one.name}").write_bytes(one.content)
    total: Counter[str] = sum(counts.values(), Counter())
    print(f"{'':10}" + "".join(f"{c:>13}" for c in COLUMNS))
    for kind, found in [*counts.items(), ("all", total)]:
        print(f"{kind:10}" + "".join(f"{found[c]:13}" for c in COLUMNS))
    return int(any(total[c] for c in ("crashed", "hung", "silent")))


def inputs(kind: str, work: Path, seed: int) -> Iterator[Input]:
    """Yield files of a kind without end."""
    random = Random(f"{seed} {kind}")
    if kind == "crafted":
        for name, content, secrets in bases.hdf5_crafted(work, random):
            yield Input(kind, name, content, "crafted", refused=True, secrets=secrets)
    good = list(getattr(bases, kind)())
    text = kind in ("lvm", "csv", "log")
    streams = [(name, damaged(content, random, text)) for name, content in good]
    for name, content in good:
        yield Input(kind, name, content, "as it is")
    for name, stream in itertools.cycle(streams):
        how, content = next(stream)
        yield Input(kind, name, content, how)


def try_one(one: Input, root: Path) -> tuple[str, str]:
    """Ingest a file into an empty workspace; return what became of it, and why."""
    shutil.rmtree(root, ignore_errors=True)
    layout = Layout.of(root)
    layout.incoming.mkdir(parents=True)
    if one.kind == "log":  # a shot that its pulse belongs to
        date = layout.incoming / "00001_Date.csv"
        date.write_text("Date;2026-11-22 10:00:00.000\n")
        ingest_file(date, layout=layout, settings=SETTINGS, incoming=True)
    path = layout.incoming / one.name
    path.write_bytes(one.content)
    try:
        outcome = ingest_file(
            path, layout=layout, settings=SETTINGS, incoming=True, unchanged_for_s=1e6
        )
    except IshtarError as error:  # not a word about the file: it would be tried for ever
        return "crashed", str(error)
    except Exception as error:
        return "crashed", repr(error)
    if outcome.status == "quarantined":
        if "conversion crashed" in outcome.reason or "ended from outside" in outcome.reason:
            return "crashed", outcome.reason
        if "made no progress" in outcome.reason:
            return "hung", outcome.reason
        kept = (layout.quarantine / one.name).read_bytes() == one.content and not path.exists()
        good = kept and "\n" not in outcome.reason and "Traceback" not in outcome.reason
        return ("quarantined", "") if good else ("silent", f"lost in quarantine: {outcome.reason}")
    return _compared(one, outcome, path)


def _compared(one: Input, outcome: Outcome, path: Path) -> tuple[str, str]:
    stored = [SourceFile(p) for p in outcome.stored]
    channels = {c.path: c for s in stored for c in s.channels.values()}
    path.write_bytes(one.content)  # it has been taken away
    for channel in channels.values():
        raw = channel.raw().tobytes()
        for what, secret in one.secrets.items():
            if len(raw) > 16 and raw[:16] in secret:
                return "silent", f"{channel.path} holds {what}"
        if one.refused and channel.n:
            return "silent", f"{channel.path} has {channel.n} samples that nobody measured"
    if one.refused:
        return "left out", ""
    peer = readers.apart(READERS[one.kind], path)
    if peer is None:
        return "no peer", ""
    if one.kind == "csv":
        date = stored[0].attributes.get("date", "")
        if not date and outcome.reason:
            return "left out", ""
        return _date(date, peer["date"])
    said = outcome.reason.split("; ")
    # a log always says what became of its pulses
    noted = len(said) > 1 if one.kind == "log" else outcome.reason != ""
    ours = {c.path.removeprefix("box/"): c for c in channels.values()}
    # npTDMS puts one sign for all letters that are no UTF-8, which we read as Windows does
    for name in [name for name in peer if "\ufffd" in name]:
        pattern = re.escape(name).replace("\ufffd", ".")
        alike = [own for own in ours if re.fullmatch(pattern, own)]
        if len(alike) == 1:
            peer[alike[0]] = peer.pop(name)
    times = peer.pop("time", None)
    for name, values in peer.items():
        if name not in ours:
            if len(values) and not noted and one.kind != "log":
                return "silent", f"{name} is not stored, and no note says so"
            continue
        channel = ours[name]
        if not _equal(channel.scaled(), values):
            told = any(name in note or "fewer Samples" in note for note in said)
            if noted and (one.kind == "log" or told):
                continue
            return "silent", f"{name}: {channel.scaled()[:5]} … for {values[:5]} …"
        if times is not None and not np.allclose(channel.time(), times, atol=1e-6):
            return "silent", f"times of {name}: {channel.time()[:5]} … for {times[:5]} …"
    return ("left out", "") if noted else ("equal", "")


def _date(ours: str, peer: str) -> tuple[str, str]:
    same = ours.rstrip("0").rstrip(".:") == peer.rstrip("0").rstrip(".:")
    return ("equal", "") if same else ("silent", f"date {ours} for {peer}")


def _equal(a: Any, b: Any) -> bool:
    with np.errstate(all="ignore"):
        return a.shape == b.shape and bool(
            np.all((a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= 1e-12 * np.abs(b)))
        )


if __name__ == "__main__":
    sys.exit(main())
