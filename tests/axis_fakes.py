"""The small workspace of `tests.library_fakes`, and shots whose samples do not all lie in time.

At shot `COUNTED` the acquisition stated no sampling interval, one channel lost its scale, a
spectrum lies along frequency, and the recording was cut; at `TIMED` only the spectrum is new.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.store import SourceFile, SourceWriter
from ishtar.workspace import Workspace
from tests.library_fakes import MOVED, SCALE, origin, raw_of, slow_times, write_workspace

TIMED, COUNTED, BARE = MOVED, 1260, 1261
F0, DF, N_LINES = 1.0e6, 2.5e3, 400
SOURCE, SPECTRA = f"{COUNTED:05d}_Data.tdms", f"{COUNTED:05d}_Spectra.lvm"
NOTES = [
    "channel 'DAQ/Thermo' has a scale of a kind that is not known: stored as recorded",
    "12 samples of 'DAQ/Extra' were left out",
]
WHY = "scale RTD is not known"
SALVAGED = {"bytes": 4096, "of": 10_000, "reason": "its last segment is not whole"}
SPECTRUM = """
[Spectrum]
unit = "V"
[Uneven]
unit = "V"
"""
WIRING = """
[[wiring]]
signal = "Spectrum"
channel = "Scope/Spectrum"
device = "scope"
from = 1

[[wiring]]
signal = "Uneven"
channel = "Scope/Uneven"
device = "scope"
from = 1
"""
SCOPE = """
[[calibration]]
version = 1
from = 1
input = "V"
unit = "V"
transforms = [{ kind = "gain", gain = 2.0 }]
"""


def write_axes(root: Path) -> Workspace:
    """Write the workspace with its own shots, and `COUNTED` and `BARE`, neither with a date."""
    workspace = write_workspace(root)
    with (root / "calibrations/signals.toml").open("a") as f:
        f.write(SPECTRUM)
    (root / "calibrations/wiring/scope.toml").write_text(WIRING)
    (root / "calibrations/devices/scope.toml").write_text(SCOPE)
    write_spectra(workspace, TIMED)
    write_counted(workspace)
    with SourceWriter(
        workspace.shot_folder(BARE) / f"{BARE:05d}.lvm.h5", origin(BARE, f"{BARE:05d}.lvm")
    ) as w:
        w.channel("lvm/U", dtype=np.float64, unit="V", t0=0.0, dt=0.1).append(np.arange(5.0))
    return workspace


def lines() -> NDArray[np.float64]:
    """Return the frequencies of the spectrum, Hz."""
    return F0 + DF * np.arange(N_LINES)


def uneven_lines() -> NDArray[np.float64]:
    """Return the frequencies of the uneven spectrum, Hz."""
    return np.asarray(np.geomspace(1e3, 1e6, 60))


def spectrum() -> NDArray[np.float64]:
    """Return the spectrum as recorded, V: one line at bin 100."""
    return np.asarray(0.01 + np.exp(-0.5 * (np.arange(N_LINES) - 100.0) ** 2 / 9.0))


def write_spectra(workspace: Workspace, shot: int) -> None:
    """Store two spectra as a source of their own."""
    name = f"{shot:05d}_Spectra.lvm"
    with SourceWriter(workspace.shot_folder(shot) / f"{name}.h5", origin(shot, name, "lvm 1")) as w:
        w.channel("Scope/Spectrum", dtype=np.float64, unit="V", t0=F0, dt=DF, x_unit="Hz").append(
            spectrum()
        )
        w.channel("Scope/Uneven", dtype=np.float64, unit="V", irregular=True, x_unit="Hz").append(
            np.arange(60.0), uneven_lines()
        )


def write_counted(workspace: Workspace) -> None:
    """Store what an acquisition recorded that stated no sampling interval and was cut."""
    write_spectra(workspace, COUNTED)
    raw: dict[str, NDArray[Any]] = raw_of(COUNTED)
    path = workspace.shot_folder(COUNTED) / f"{SOURCE}.h5"
    with SourceWriter(path, origin(COUNTED, SOURCE)) as w:
        w.attributes.update(gas="Ar", program="scan")
        groups = {"DAQ": {"SampleTime": 1e-3, "Tstart": -0.5, "Nchannel": 7}}
        w.properties.update(notes=NOTES, salvaged=SALVAGED, groups=groups)
        scale = {"kind": "linear", "slope": SCALE, "intercept": 0.0}
        for channel in ("Probe_U", "Coil", "Fwd", "Ref", "trigger"):
            in_mv = channel in ("Fwd", "Ref")
            values = raw[channel] if channel in raw else 100 * (abs(np.arange(6000) - 2750) < 2250)
            w.channel(
                f"DAQ/{channel}",
                dtype=np.int16,
                unit="mV" if in_mv else "V",
                dt=1.0,
                x_unit="",
                scale=[scale | {"slope": SCALE * 1e3}] if in_mv else [scale],
                properties={"time_base": "samples"},
            ).append(np.asarray(values, dtype=np.int16))
        w.channel(
            "DAQ/Spare",
            dtype=np.int16,
            t0=-0.5,
            dt=1e-3,
            properties={"scale_missing": WHY},
        ).append(raw["Spare"])
        w.channel("PLC/Gas", dtype=np.float64, unit="V", irregular=True).append(
            raw["Gas"], slow_times(COUNTED)
        )
        w.channel("DAQ/Noise", dtype=np.float64, unit="V", dt=DF, x_unit="Hz").append(spectrum())
        w.channel("PLC/Position", dtype=np.int32, dt=1.0, x_unit="").append(raw["Position"])


def store_again(path: Path, x_units: dict[str, str]) -> None:
    """Store a file anew with channels that lie in no time: by path, what they lie along.

    ``""`` makes their samples counted; ``"Hz"`` takes their seconds for frequencies.
    """
    source = SourceFile(path)
    temporary = path.with_name(f"again-{path.name}")
    with SourceWriter(temporary, source.origin) as w:
        w.attributes.update(source.attributes)
        w.properties.update(source.properties)
        for channel in source.channels.values():
            unit = x_units.get(channel.path, channel.x_unit)
            where: dict[str, Any] = {"t0": channel.t0, "dt": channel.dt}
            if unit == "":
                where = {"t0": 0.0, "dt": 1.0}
            elif channel.dt is None:
                where = {"irregular": True}
            written = w.channel(
                channel.path,
                dtype=channel.dtype,
                unit=channel.unit,
                x_unit=unit,
                scale=channel.scale,
                properties=channel.properties,
                **where,
            )
            written.append(channel.raw(), *([channel.time()] if "irregular" in where else []))
    temporary.replace(path)
