"""A small workspace whose truth is known, and a channel that counts what is read of it.

The truth is computed here in plain numpy from the raw numbers, beside the texts that declare the
same to the library; neither knows of the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.signals.lazy_signal import Signal
from ishtar.signals.provenance import Provenance
from ishtar.store import Channel, Origin, SourceWriter
from ishtar.store.envelope import block_minmax
from ishtar.workspace import Workspace

FIRST, MOVED, LAMED = 1249, 1250, 1251  # shots: before, after a re-wiring, and one without probe
N, T0, DT = 6000, -0.5, 1e-3
SCALE = 10.0 / 32768

SIGNALS = """
[Probe_U]
unit = "V"
description = "bias of the probe"
imas = "langmuir_probes/embedded[0]/v_floating/data"
[Probe_I]
unit = "mA"
[Coil_I]
unit = "A"
[Fwd_P]
unit = "W"
[Ref_P]
unit = "W"
[Gas_P]
unit = "Pa"
[Position]
unit = "cm"
[Bare_U]
unit = "V"
imas = "langmuir_probes/embedded[1]/v_floating/data"
[Nowhere_U]
unit = "V"
[Inj_P]
unit = "kW"
imas = "ic_antennas/antenna[0]/power_launched/data"
derived = "Fwd_P - Ref_P"
[Share]
unit = ""
derived = "Inj_P / Fwd_P"
[Mixed]
unit = "V*Pa"
derived = "Probe_U * Gas_P"
"""
WIRING = """
[[wiring]]
signal = "Probe_U"
channel = "DAQ/Probe_U"
device = "probe"
port = "U"
from = 1

[[wiring]]
signal = "Probe_I"
channel = "DAQ/Probe_I"
device = "probe"
port = "I"
from = 1240
until = 1250

[[wiring]]
signal = "Probe_I"
channel = "DAQ/Spare"
device = "probe_b"
from = 1250

[[wiring]]
signal = "Coil_I"
channel = "DAQ/Coil"
device = "transducer"
from = 1

[[wiring]]
signal = "Fwd_P"
channel = "DAQ/Fwd"
device = "detector"
port = "fwd"
from = 1

[[wiring]]
signal = "Ref_P"
channel = "DAQ/Ref"
device = "detector"
port = "ref"
from = 1

[[wiring]]
signal = "Gas_P"
channel = "PLC/Gas"
device = "gauge"
from = 1

[[wiring]]
signal = "Position"
channel = "PLC/Position"
device = "manipulator"
from = 1

[[wiring]]
signal = "Bare_U"
channel = "DAQ/Spare"
device = "bare"
from = 1
"""
DEVICES = {
    "probe": """
serial = "LP-1"
[[calibration]]
version = 1
from = 1
until = 1250
[calibration.ports.U]
input = "V"
unit = "V"
transforms = [{ kind = "gain", gain = 20.0 }]
[calibration.ports.I]
input = "V"
unit = "A"
transforms = [{ kind = "gain", gain = -0.01, sigma = 1e-4 }]

[[calibration]]
version = 2
from = 1250
reference = "again, after the repair"
[calibration.ports.U]
input = "V"
unit = "V"
transforms = [{ kind = "gain", gain = 21.0 }]
""",
    "probe_b": """
[[calibration]]
version = 7
from = 1
input = "V"
unit = "A"
transforms = [{ kind = "offset", offset = 0.5 }, { kind = "gain", gain = 0.002 }]
""",
    "transducer": """
[[calibration]]
version = 1
from = 1
input = "V"
unit = "A"
transforms = [
    { kind = "quiet_offset", t_start_s = -0.5, t_end_s = -0.1 },
    { kind = "gain", gain = 100.0 },
]
""",
    "detector": """
[[calibration]]
version = 1
from = 1
[calibration.ports.fwd]
input = "V"
unit = "W"
transforms = [{ kind = "log_detector", zero = 0.02, intercept = 2.2503, slope = 0.0520 }]
[calibration.ports.ref]
input = "V"
unit = "W"
transforms = [{ kind = "log_detector", zero = 0.02, intercept = 2.2503, slope = 0.0520 }]
""",
    "gauge": """
[[calibration]]
version = 1
from = 1
input = "V"
unit = "Pa"
transforms = [{ kind = "polynomial", coefficients = [0.5, -0.3, 0.1] }]
""",
    "manipulator": """
[[calibration]]
version = 1
from = 1
input = "count"
unit = "m"
transforms = [{ kind = "table", x = [1444.0, 900.0, 446.0], y = [0.553, 0.25, 0.022] }]
""",
    "bare": 'serial = "never calibrated"\n',
}
MACHINE = """
[[component]]
name = "vessel"
kind = "vessel"
from = 1
parameters = { diameter = "1.0 m", material = "steel", ports = 12 }

[[component]]
name = "langmuir_1"
kind = "langmuir_probe"
part_of = "vessel"
from = 1
until = 1250
parameters = { tip_radius = "0.1 mm", tip_length = "2.5 mm" }

[[component]]
name = "langmuir_1"
kind = "langmuir_probe"
part_of = "vessel"
from = 1250
parameters = { tip_radius = "0.2 mm", tip_length = "2.5 mm" }
"""


@dataclass(frozen=True)
class Truth:
    """What the library must give for a shot, in the signals' units."""

    time: NDArray[np.float64]
    slow_time: NDArray[np.float64]
    values: dict[str, NDArray[np.float64]]


def write_workspace(root: Path) -> Workspace:
    """Write the workspace with shots `FIRST`, `MOVED` and `LAMED`."""
    texts = {
        "ishtar.toml": '[facility]\nname = "Test"\n',
        "calibrations/signals.toml": SIGNALS,
        "calibrations/wiring/all.toml": WIRING,
        "calibrations/machine/all.toml": MACHINE,
        **{f"calibrations/devices/{name}.toml": text for name, text in DEVICES.items()},
    }
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    workspace = Workspace.at(root)
    for shot in (FIRST, MOVED, LAMED):
        write_shot(workspace, shot)
    return workspace


def raw_of(shot: int) -> dict[str, NDArray[Any]]:
    """Return what was recorded, by channel."""
    rng = np.random.default_rng(shot)
    t = T0 + DT * np.arange(N)
    after = t >= 0
    counts = {
        "Probe_U": 16000 * np.sin(2 * np.pi * 5 * t),
        "Probe_I": 9000 * np.cos(2 * np.pi * 5 * t) + rng.normal(0, 500, N),
        "Spare": 3000 * np.sin(2 * np.pi * 3 * t) + 4000,
        "Coil": 1200 + rng.normal(0, 20, N) + 15000 * after,
        "Fwd": 8000 + 400 * np.sin(40 * t),
        "Ref": 7600 + 300 * np.sin(40 * t),
    }
    found: dict[str, NDArray[Any]] = {
        name: np.round(x).astype(np.int16) for name, x in counts.items()
    }
    found["Gas"] = rng.uniform(0.0, 5.0, 50)  # on both sides of the parabola's vertex at 1.5 V
    found["Position"] = np.linspace(1500, 440, 50).astype(np.int32)  # begins outside the table
    return found


def slow_times(shot: int) -> NDArray[np.float64]:
    """Return the times of the slow channels, s."""
    return np.cumsum(np.random.default_rng(shot + 1).uniform(0.05, 0.15, 50)) - 0.5


def origin(shot: int, source: str, converter: str = "tdms 1") -> Origin:
    """Return where a stored file of the tests says that it came from."""
    return Origin(
        shot=shot,
        source=source,
        size=17,
        sha256="ab" * 32,
        converter=converter,
        writer="a test",
        arrived="2026-11-22T10:00:00+01:00",
    )


def write_shot(workspace: Workspace, shot: int) -> None:
    """Store a shot as two sources: the acquisition with its slow channels, and the PLC's date."""
    name = f"{shot:05d}_Data.tdms"
    scale = [{"kind": "linear", "slope": SCALE, "intercept": 0.0}]
    raw, times = raw_of(shot), slow_times(shot)
    with SourceWriter(workspace.shot_folder(shot) / f"{name}.h5", origin(shot, name)) as w:
        w.attributes.update(gas="Ar", program="scan", date="2026-11-22T09:00:00", comment=None)
        for channel in ("Probe_U", "Probe_I", "Spare", "Coil", "Fwd", "Ref"):
            if shot == LAMED and channel.startswith("Probe"):
                continue
            in_mv = channel in ("Fwd", "Ref")
            taken = w.channel(
                f"DAQ/{channel}",
                dtype=np.int16,
                unit="mV" if in_mv else "Volts" if channel == "Coil" else "V",
                t0=T0,
                dt=DT,
                scale=[scale[0] | {"slope": SCALE * 1e3}] if in_mv else scale,
            )
            taken.append(raw[channel])
        slow = w.channel("PLC/Gas", dtype=np.float64, unit="V", irregular=True)
        slow.append(raw["Gas"], times)
        slow = w.channel("PLC/Position", dtype=np.int32, irregular=True)  # states no unit
        slow.append(raw["Position"], times)
    name = f"{shot:05d}.csv"
    with SourceWriter(
        workspace.shot_folder(shot) / f"{name}.h5", origin(shot, name, "datecsv 1")
    ) as w:
        w.attributes["date"] = f"2026-11-22T10:{shot % 100:02d}:00"


def truth(shot: int) -> Truth:
    """Work out what the signals of a shot are, from the raw numbers."""
    raw = raw_of(shot)
    t = T0 + DT * np.arange(N)
    volts = {k: SCALE * v.astype(float) for k, v in raw.items() if k not in ("Gas", "Position")}
    quiet = (t >= -0.5) & (t < -0.1 - DT / 2)
    power = {k: 10 ** (((volts[k] - 0.02 - 2.2503) / 0.0520 + 10) / 10) for k in ("Fwd", "Ref")}
    counts = raw["Position"].astype(float)
    metres = np.interp(counts, [446.0, 900.0, 1444.0], [0.022, 0.25, 0.553])
    gas = raw["Gas"]
    values = {
        "Probe_U": (20.0 if shot < 1250 else 21.0) * volts["Probe_U"],
        "Probe_I": -10.0 * volts["Probe_I"] if shot < 1250 else 2.0 * (volts["Spare"] - 0.5),
        "Coil_I": 100.0 * (volts["Coil"] - volts["Coil"][quiet].mean()),
        "Fwd_P": power["Fwd"],
        "Ref_P": power["Ref"],
        "Gas_P": 0.5 - 0.3 * gas + 0.1 * gas**2,
        "Position": 100 * np.where((counts < 446) | (counts > 1444), np.nan, metres),
        "Inj_P": (power["Fwd"] - power["Ref"]) / 1000,
        "Share": 1 - power["Ref"] / power["Fwd"],
    }
    return Truth(time=t, slow_time=slow_times(shot), values=values)


@dataclass(frozen=True, kw_only=True)
class MemoryChannel(Channel):
    """A channel in memory, with a pyramid, that counts how many numbers are taken from it."""

    values: NDArray[Any] = field(repr=False)
    times: NDArray[np.float64] | None = field(default=None, repr=False)
    taken: dict[str, int] = field(default_factory=lambda: {"raw": 0, "time": 0, "level": 0})

    def raw(self, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Give samples and count them."""
        part = self.values[start:stop]
        self.taken["raw"] += len(part)
        return part

    def time(self, start: int = 0, stop: int | None = None) -> NDArray[np.float64]:
        """Give times and count them."""
        assert self.times is not None
        part = self.times[start:stop]
        self.taken["time"] += len(part)
        return part

    def level(self, factor: int, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Give blocks of the pyramid and count them."""
        part = block_minmax(self.values, factor)[start:stop]
        self.taken["level"] += len(part)
        return part


def memory_channel(
    values: Any,
    *,
    dt: float | None = 1e-3,
    t0: float = 0.0,
    times: Any = None,
    unit: str = "V",
    scale: list[Any] | None = None,
    levels: tuple[int, ...] = (4, 16, 64),
    path: str = "DAQ/x",
    x_unit: str = "s",
) -> MemoryChannel:
    """Return a channel of these raw values; with ``times``, an irregular one."""
    x = np.asarray(values)
    t = None if times is None else np.asarray(times, dtype=float)
    return MemoryChannel(
        file=Path("memory.h5"),
        path=path,
        unit=unit,
        n=len(x),
        dtype=x.dtype,
        t0=t0 if t is None or not len(t) else float(t[0]),
        dt=None if t is not None else dt,
        x_unit=x_unit,
        scale=scale or [],
        properties={},
        n_clipped=0,
        raw_min=float(x.min()) if len(x) else float("nan"),
        raw_max=float(x.max()) if len(x) else float("nan"),
        digest="0" * 40,
        levels=levels,
        values=x,
        times=t,
    )


def signal_of(samples: Any) -> Signal:
    """Return a signal of these samples whose story is short."""
    return Signal(samples, Provenance(signal="x", shot=1, unit="V"), on_read=lambda: None)
