"""Write the files of a campaign as the testbed's computers do, in constant memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runner.simulate import daq, plc, scope
from runner.simulate import instruments as ins
from runner.simulate.campaign import (
    T_END_S,
    T_START_S,
    Campaign,
    Setup,
    setup_of,
)
from runner.simulate.discharge import Discharge, discharge
from runner.simulate.tdms_files import (
    ChannelBlock,
    Properties,
    TdmsWriter,
    truncate,
    volts_properties,
)
from runner.simulate.truth import write_truth

Progress = Callable[[int, int], None]
"""Called with bytes written and total bytes (an estimate within a few per cent)."""

_RATES_HZ: Final = (1e3, 2e3, 4e3, 5e3, 8e3, 10e3, 16e3, 20e3, 25e3, 40e3, 50e3, 80e3, 100e3)
"""Rates that the board's clock divides to; 100 kHz on ten channels is its maximum."""
_DAQ_SHARE: Final = 0.92
_CRASH_SEGMENT: Final = 18
"""For `truncated`: the DAQ's sixteenth, 3.3 s after the trigger; no scope record follows."""
_SCOPE_BYTES: Final = 2 * len(scope.CHANNELS)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The DAQ rate and scope record that make up the size of a shot."""

    daq_hz: float
    record: scope.Record


def layout_of(size_mb: float) -> Layout:
    """Return DAQ rate and scope record of a shot of `size_mb` (1e6 bytes)."""
    size = 1e6 * size_mb
    bytes_per_hz = 2 * len(daq.CHANNELS) * (T_END_S - T_START_S)
    daq_hz = max(r for r in _RATES_HZ if r * bytes_per_hz <= _DAQ_SHARE * size)
    n = round((size - daq_hz * bytes_per_hz) / _SCOPE_BYTES)
    record = scope.record_of(n)
    return Layout(daq_hz=daq_hz, record=record)


def simulate(campaign: Campaign, out: Path, progress: Progress | None = None) -> list[Path]:
    """Write all files of a campaign into a folder.

    Parameters
    ----------
    campaign : Campaign
        What to simulate.
    out : Path
        Folder for ``NNNNN_Data.tdms``, ``NNNNN_Date.csv``, ``GENERATOR_YYYY-MM-DD.txt`` and
        ``truth/NNNNN_truth.h5``; created if missing. Files appear atomically.
    progress : callable, optional
        See `Progress`.

    Returns
    -------
    list of Path
        The files that the testbed delivers, without the truth.
    """
    total = round(1e6 * campaign.size_mb) * campaign.shots
    rows = list(plc.other_rows(campaign))
    paths: list[Path] = []
    for place, number in enumerate(campaign.numbers):
        setup = setup_of(campaign, number)
        plasma = discharge(campaign, setup)
        before = place * (total // campaign.shots)

        def shot_progress(done: int, _: int, before: int = before) -> None:
            if progress is not None:
                progress(before + done, total)

        paths += _write_shot(campaign, setup, plasma, out, shot_progress)
        rows += plc.pulse_rows(campaign, setup, plasma)
    log = out / f"GENERATOR_{campaign.date.isoformat()}.txt"
    _write_text(log, plc.generator_log(campaign, rows))
    if progress is not None:
        progress(total, total)
    return [*paths, log]


def simulate_shot(
    campaign: Campaign, number: int, out: Path, progress: Progress | None = None
) -> list[Path]:
    """Write the files of one shot of a campaign, the same bytes as `simulate` writes.

    The generator's log is the day's and is not written. Parameters and result as for `simulate`.

    Raises
    ------
    SimulationError
        The campaign has no such shot.
    """
    setup = setup_of(campaign, number)
    return _write_shot(campaign, setup, discharge(campaign, setup), out, progress)


def _write_shot(
    campaign: Campaign, setup: Setup, plasma: Discharge, out: Path, progress: Progress | None
) -> list[Path]:
    (out / "truth").mkdir(parents=True, exist_ok=True)
    stem = f"{setup.number:05d}"
    tdms, csv, truth = out / f"{stem}_Data.tdms", out / f"{stem}_Date.csv", f"{stem}_truth.h5"
    with _atomic(out / "truth" / truth) as part:
        write_truth(part, campaign, setup, plasma)
    with _atomic(tdms) as part:
        _write_tdms(part, campaign, setup, plasma, progress)
        if setup.flaw == "truncated":
            truncate(part, segment=_CRASH_SEGMENT, fraction=0.37, crashed=True)
    if setup.flaw == "date_missing":
        return [tdms]
    _write_text(csv, plc.date_csv(setup))
    return [tdms, csv]


def _write_tdms(
    path: Path, campaign: Campaign, setup: Setup, plasma: Discharge, progress: Progress | None
) -> None:
    """Write the segments in the order of acquisition.

    A DAQ segment four times per second, the PLC's samples of a second after every fourth, the
    scope's record after the shot.
    """
    layout = layout_of(campaign.size_mb)
    total = round(1e6 * campaign.size_mb)
    slow = plc.slow_channels(campaign, setup, plasma)
    with path.open("wb") as f:
        writer = TdmsWriter(f, _properties(setup, layout), interleaved=campaign.interleaved)
        done, until_s, written = 0, T_START_S, 0
        for k, block in enumerate(daq.daq_blocks(campaign, setup, plasma, layout.daq_hz)):
            if block:
                done += writer.write(_blocks(daq.GROUP, block))
            until_s += daq.SEGMENT_S
            if k % 4 == 3 or until_s >= T_END_S - 1e-9:
                end = int((slow["Time"] < 1e3 * until_s).sum())
                part = {c: v[written:end] for c, v in slow.items()}
                done += writer.write(_blocks(plc.GROUP, part))
                written = end
            if progress is not None:
                progress(min(done, total), total)
        for block in scope.scope_blocks(campaign, setup, plasma, layout.record):
            done += writer.write(_blocks(scope.GROUP, block))
            if progress is not None:
                progress(min(done, total), total)


def _blocks(group: str, values: dict[str, daq.Counts] | dict[str, daq.Array]) -> list[ChannelBlock]:
    return [ChannelBlock(group=group, name=c, values=v) for c, v in values.items()]


def _properties(setup: Setup, layout: Layout) -> dict[str, Properties]:
    """Return the properties that LabVIEW writes for the file, its groups and channels."""
    record = layout.record
    daq_dt_s, scope_dt_s = 1.0 / layout.daq_hz, 1.0 / record.rate_hz
    names = daq.channel_names(setup)
    properties: dict[str, Properties] = {
        "/": {
            "name": f"{setup.number:05d}_Data",
            "DateTime": setup.trigger.strftime("%d.%m.%Y %H:%M:%S"),
            "WriterName": "LabVIEW 2016",
            "WriterVersion": "16.0",
        },
        daq.GROUP: {
            "Nchannel": len(names),
            "Tstart": T_START_S,
            "SampleTime": daq_dt_s,
        },
        scope.GROUP: {
            "Nchannel": len(scope.CHANNELS),
            "Tstart": record.t0_s,
            "SampleTime": scope_dt_s,
            "Model": "MSO64",
        },
        plc.GROUP: {"Nchannel": len(plc.CHANNELS), "Device": "S7-1500"},
    }
    for i, channel in enumerate(names):
        properties[f"{daq.GROUP}/{channel}"] = volts_properties(
            volts_per_count=ins.ADC_V_PER_COUNT,
            t0_s=T_START_S,
            dt_s=daq_dt_s,
            NI_ChannelName=f"PXI1Slot4/ai{i}",
        )
    for channel in scope.CHANNELS:
        properties[f"{scope.GROUP}/{channel}"] = volts_properties(
            volts_per_count=ins.SCOPE_V_PER_COUNT, t0_s=record.t0_s, dt_s=scope_dt_s
        )
    for channel in plc.CHANNELS:
        properties[f"{plc.GROUP}/{channel}"] = {"unit_string": plc.UNITS[channel]}
    return properties


@contextmanager
def _atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; rename it at the end."""
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _write_text(path: Path, text: str) -> None:
    with _atomic(path) as part:
        part.write_text(text, encoding="utf-8", newline="")
