"""A workspace with a machine whose truth is known: probe, coils, powers, gauge, manipulator.

Shot `WHOLE` has everything; at `CHANGED` the probe has another tip and amplifier, the manipulator's
potentiometer is out of its table and nobody noted the gas; at `BARE` only the probe was recorded,
and its bias stood still.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ishtar.langmuir import probe_current
from ishtar.store import SourceWriter
from ishtar.workspace import Workspace
from tests.library_fakes import origin

WHOLE, CHANGED, BARE = 10, 11, 12
T0, DT, N = -0.2, 2e-5, 60_000  # until 1.0 s
TIP = {"radius": 2e-4, "length": 5e-3}
PLASMA = {"ne": 2e17, "te": 4.0, "vp": 15.0, "gas": "Ar"}
ON_S = 0.1  # plasma from here
BIAS_GAIN, BIAS_SIGMA = 20.0, 0.1
CURRENT_GAIN, CURRENT_SIGMA = -0.01, 1e-4
OFFSET_A = 3e-5
BIG_A, SMALL_A, GAS_PA, PLACE_M = 400.0, 150.0, 0.3, 0.25
FORWARD_W, REFLECTED_W = 600.0, 54.0

SIGNALS = """
[U]
unit = "V"
[I]
unit = "mA"
[Big_I]
unit = "A"
[Small_I]
unit = "A"
[Fwd]
unit = "kW"
[Ref]
unit = "W"
[Gas_P]
unit = "Pa"
[Place]
unit = "cm"
[Idle]
unit = "A"
"""
WIRES = {
    "U": "probe.U",
    "I": "probe.I",
    "Big_I": "big",
    "Small_I": "small",
    "Fwd": "coupler.fwd",
    "Ref": "coupler.ref",
    "Gas_P": "gauge",
    "Place": "pot",
    "Idle": "uncalibrated",
}


def _ports(unit: str, **gains: str) -> str:
    return "".join(
        f'[calibration.ports.{port}]\ninput = "V"\nunit = "{unit.split()[k]}"\n'
        f'transforms = [{{ kind = "gain", {gain} }}]\n'
        for k, (port, gain) in enumerate(gains.items())
    )


def _whole(unit: str, transform: str) -> str:
    return f'input = "V"\nunit = "{unit}"\ntransforms = [{{ {transform} }}]\n'


_HEAD = "[[calibration]]\nversion = 1\nfrom = 1\n"
_GAIN_U, _GAIN_I = f"gain = {BIAS_GAIN}, sigma = {BIAS_SIGMA}", f"sigma = {CURRENT_SIGMA}"
DEVICES = {
    "probe": _HEAD
    + f"until = {CHANGED}\n"
    + _ports("V A", U=_GAIN_U, I=f"gain = {CURRENT_GAIN}, {_GAIN_I}")
    + f"[[calibration]]\nversion = 2\nfrom = {CHANGED}\n"
    + _ports("V A", U=_GAIN_U, I=f"gain = {2 * CURRENT_GAIN}, {_GAIN_I}"),
    "big": _HEAD + _whole("A", 'kind = "gain", gain = 100.0, sigma = 1.0'),
    "small": _HEAD + _whole("A", 'kind = "gain", gain = 100.0'),
    "coupler": _HEAD
    + _ports("W W", fwd="gain = 1000.0, sigma = 50.0", ref="gain = 100.0, sigma = 5.0"),
    "gauge": _HEAD + _whole("Pa", 'kind = "gain", gain = 0.1, sigma = 0.001'),
    "pot": _HEAD + _whole("m", 'kind = "table", x = [1.0, 6.0], y = [0.0, 0.5]'),
    "uncalibrated": 'serial = "none"\n',
}
MACHINE = f"""
[[component]]
name = "vessel"
kind = "vessel"
from = 1
parameters = {{ diameter = "1.0 m", paint = "blue" }}

[[component]]
name = "tube"
kind = "vessel"
part_of = "vessel"
from = 1
parameters = {{ diameter = "0.4 m" }}

[[component]]
name = "arm"
kind = "manipulator"
part_of = "vessel"
from = 1
parameters = {{ signal = "Place", position = "30 cm", position_sigma = "2 cm" }}

[[component]]
name = "tip_1"
kind = "langmuir_probe"
part_of = "arm"
from = 1
until = {CHANGED}
[component.parameters]
bias = "U"
current = "I"
tip_radius = "0.2 mm"
tip_radius_sigma = "0.004 mm"
tip_length = "5 mm"
tip_length_sigma = "0.1 mm"

[[component]]
name = "tip_1"
kind = "langmuir_probe"
part_of = "arm"
from = {CHANGED}
parameters = {{ bias = "U", current = "I", tip_radius = "0.2 mm", tip_length = "4 mm" }}

[[component]]
name = "big"
kind = "coils"
part_of = "vessel"
from = 1
[component.parameters]
current = "Big_I"
radius = "60 cm"
radius_sigma = "2 mm"
positions = ["-0.4 m", "0.4 m"]
positions_sigma = "3 mm"
turns = 100
width = "0.1 m"
depth = "8 cm"

[[component]]
name = "small"
kind = "coils"
part_of = "tube"
from = 1
parameters = {{ current = "Small_I", radius = "0.3 m", positions = ["1 m"], turns = -50 }}

[[component]]
name = "gas"
kind = "gas"
part_of = "vessel"
from = 1
parameters = {{ pressure = "Gas_P", temperature = "300 K", temperature_sigma = "30 K" }}

[[component]]
name = "helicon"
kind = "antenna"
part_of = "tube"
from = 1
parameters = {{ wave = "helicon", frequency = "11.76 MHz", length = "25 cm" }}

[[component]]
name = "icrf"
kind = "antenna"
part_of = "vessel"
from = 1
parameters = {{ forward = "Fwd", reflected = "Ref", frequency = "6 MHz", power_floor = "20 W" }}

[[component]]
name = "amplifier"
kind = "generator"
from = 1
parameters = {{ forward = "Idle", reflected = "Ref", max_power = "1 kW" }}

[[component]]
name = "stray"
kind = "langmuir_probe"
from = 1
parameters = {{ current = "I", tip_radius = "0.2 mm", tip_length = "5 mm" }}
"""


def write_machine_workspace(root: Path) -> Workspace:
    """Write the workspace with its three shots."""
    wiring = "".join(
        f'[[wiring]]\nsignal = "{name}"\nchannel = "DAQ/{name}"\ndevice = "{to.split(".")[0]}"\n'
        + (f'port = "{to.split(".")[1]}"\n' if "." in to else "")
        + "from = 1\n"
        for name, to in WIRES.items()
    )
    texts = {
        "ishtar.toml": '[facility]\nname = "Test"\n',
        "calibrations/signals.toml": SIGNALS,
        "calibrations/wiring/all.toml": wiring,
        "calibrations/machine/all.toml": MACHINE,
        **{f"calibrations/devices/{name}.toml": text for name, text in DEVICES.items()},
    }
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    workspace = Workspace.at(root)
    for shot in (WHOLE, CHANGED, BARE):
        _write_shot(workspace, shot)
    return workspace


def bias_and_current(shot: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what the probe really saw, V and A, before the plasma too."""
    t = T0 + DT * np.arange(N)
    if shot == BARE:
        return np.zeros(N), np.zeros(N)
    phase = (t * 50.0) % 1.0
    bias = np.where(phase < 0.5, -60.0 + 200.0 * phase, 140.0 - 200.0 * phase)
    current = np.where(t >= ON_S, probe_current(bias, **PLASMA, **TIP), 0.0)
    return bias, current + np.random.default_rng(shot).normal(0.0, 5e-6, N) + OFFSET_A


def _write_shot(workspace: Workspace, shot: int) -> None:
    bias, current = bias_and_current(shot)
    gain = CURRENT_GAIN * (2 if shot >= CHANGED else 1)
    rng = np.random.default_rng(100 + shot)
    steady = {
        "Big_I": BIG_A / 100.0,
        "Small_I": SMALL_A / 100.0,
        "Fwd": FORWARD_W / 1000.0,
        "Ref": REFLECTED_W / 100.0,
        "Idle": 1.0,
    }
    volts = {"U": bias / BIAS_GAIN, "I": current / gain}
    if shot != BARE:
        volts |= {name: v + rng.normal(0.0, 1e-3, N) for name, v in steady.items()}
    name = f"{shot:05d}_Data.tdms"
    with SourceWriter(workspace.shot_folder(shot) / f"{name}.h5", origin(shot, name)) as w:
        w.attributes.update({"gas": "Ar"} if shot == WHOLE else {"program": "scan"})
        for signal, values in volts.items():
            taken = w.channel(f"DAQ/{signal}", dtype=np.float64, unit="V", t0=T0, dt=DT)
            taken.append(values)
        if shot != BARE:
            times = T0 + 0.1 * np.arange(12)
            for signal, value in (("Gas_P", GAS_PA / 0.1), ("Place", 1.0 + 10.0 * PLACE_M)):
                slow = w.channel(f"DAQ/{signal}", dtype=np.float64, unit="V", irregular=True)
                out = 9.0 if signal == "Place" and shot == CHANGED else value
                slow.append(out + 1e-3 * (np.arange(12) % 2 - 0.5), times)
