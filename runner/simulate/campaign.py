"""Campaigns: a day of shots, and the settings of each.

The settings of a shot depend on the campaign's seed and date, the shot's number and its position in
the day, but not on which other shots are written.
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np

from ishtar.errors import IshtarError, did_you_mean

FLAWS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "probe_unplugged": "the probe's current channel is not recorded",
        "current_saturated": "range switch of the current amplifier left at 10 µA/V",
        "wrong_calibration": "the current amplifier passes 5 % less than its calibration says",
        "spiky_record": "single samples of the probe's current are off by the swing of the current",
        "hot_electrons": "3 % of the electrons are hot, at four times the others' temperature",
        "no_plasma": "the helicon generator trips before the gas ignites",
        "icrf_arc": "the antenna arcs in the flat top: power reflected, generator off",
        "dead_channel": "the B-dot detector has no supply: its channel reads nothing",
        "dropped_samples": "the DAQ loses a buffer of samples in the flat top",
        "noisy_channel": "the shield of the big coils' current signal is open",
        "stuck_bit": "a bit of the converter of the small coils' current is stuck",
        "late_trigger": "the DAQ starts 20 ms late without recording it",
        "truncated": "LabVIEW crashed while it wrote the file",
        "date_missing": "the PLC wrote no CSV",
    }
)
"""Names of flaws and their meaning."""

PROBES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "analysis": "the model that the analysis fits, `ishtar.langmuir`",
        "independent": "a model that shares no code with it, `runner.simulate.probe`",
    }
)
"""Names of the models of the Langmuir probe's current, and descriptions."""

T_START_S: Final = -0.5
T_END_S: Final = 5.0
SHOTS_A_DAY: Final = 100
_FIRST_TRIGGER: Final = dt.time(9, 4, 0)
_BETWEEN_SHOTS_S: Final = 410.0


class SimulationError(IshtarError, ValueError):
    """The campaign cannot be simulated."""


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """A day at the synthetic testbed.

    Parameters
    ----------
    first : int
        Number of the first shot.
    shots : int
        Number of shots, at most 100.
    seed : int
        Seed of all random numbers.
    date : datetime.date
        The day (local time).
    gas : str, optional
        ``"Ar"`` or ``"He"`` for all shots; by default as in the day's programme.
    line : int
        Line of the programme that the first shot runs, counted from 0.
    pressure : float
        Gas pressure relative to the programme.
    size_mb : float
        Size of a shot's TDMS file in MB (1e6 bytes), from 1 to 15000. Up to about 12 MB the DAQ
        samples faster, beyond it the scope records longer.
    interleaved : bool
        Write the samples of a segment interleaved rather than channel after channel.
    flaws : mapping of int to str
        Shot number → one of `FLAWS`.
    clock_offset_s : float
        Offset of the generator's clock to the PLC's; positive if it is ahead.
    out_of_turn : mapping of int to int
        Shot number → line of the programme that it runs instead of the regular one.
    probe : str
        One of `PROBES`: the model of the Langmuir probe's current.
    magnetised : bool
        Whether the magnetic field reduces the electron current; the independent model only.
    """

    first: int = 1
    shots: int = 12
    seed: int = 20261122
    date: dt.date = dt.date(2026, 11, 22)
    gas: str | None = None
    line: int = 0
    pressure: float = 1.0
    size_mb: float = 5.0
    interleaved: bool = False
    flaws: Mapping[int, str] = field(default_factory=dict)
    clock_offset_s: float = 37.4
    out_of_turn: Mapping[int, int] = field(default_factory=dict)
    probe: str = "analysis"
    magnetised: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.shots <= SHOTS_A_DAY:
            raise SimulationError(
                f"{self.shots} shots in a day are not possible: choose 1 to {SHOTS_A_DAY}"
            )
        if self.first < 0 or self.first + self.shots - 1 > 99999:
            raise SimulationError(
                f"shots {self.first}..{self.first + self.shots - 1} are out of range: "
                "choose numbers in 0..99999"
            )
        if not 1.0 <= self.size_mb <= 15000.0:
            raise SimulationError(
                f"{self.size_mb} MB per shot are not possible: choose 1 to 15000 MB"
            )
        if self.seed < 0:
            raise SimulationError(f"seed {self.seed} is negative: choose a number from 0 up")
        for line in (self.line, *self.out_of_turn.values()):
            if not 0 <= line < len(_DAY):
                raise SimulationError(
                    f"the programme has no line {line}: choose from 0..{len(_DAY) - 1}"
                )
        if not 0.3 <= self.pressure <= 3.0:
            raise SimulationError(
                f"{self.pressure} times the programme's pressure is not possible: choose 0.3 to 3"
            )
        if self.gas not in (None, "Ar", "He"):
            raise SimulationError(f"gas {self.gas!r} is unknown: choose 'Ar' or 'He'")
        for number, flaw in self.flaws.items():
            if flaw not in FLAWS:
                hint = did_you_mean(flaw, FLAWS) or f"; choose from {', '.join(FLAWS)}"
                raise SimulationError(f"flaw {flaw!r} is unknown{hint}")
            self._check_shot(f"flaw {flaw!r}", number)
        for number, line in self.out_of_turn.items():
            self._check_shot(f"line {line} of the programme", number)
        if self.probe not in PROBES:
            hint = did_you_mean(self.probe, PROBES) or f"; choose from {', '.join(PROBES)}"
            raise SimulationError(f"probe model {self.probe!r} is unknown{hint}")
        if self.magnetised and self.probe != "independent":
            raise SimulationError(
                f"probe model {self.probe!r} has no magnetised electrons: choose 'independent'"
            )

    def _check_shot(self, what: str, number: int) -> None:
        if number not in self.numbers:
            raise SimulationError(
                f"{what} is for shot {number}, which is not in "
                f"{self.first}..{self.first + self.shots - 1}: correct its number"
            )

    @property
    def numbers(self) -> range:
        """The numbers of the shots."""
        return range(self.first, self.first + self.shots)

    def random(self, number: int, purpose: str) -> np.random.Generator:
        """Return an independent generator for one purpose in one shot."""
        key = [self.seed, number, zlib.crc32(purpose.encode())]
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


def demo_campaign(
    *,
    seed: int = 20261122,
    date: dt.date = dt.date(2026, 11, 22),
    size_mb: float = 5.0,
    probe: str = "analysis",
    magnetised: bool = False,
) -> Campaign:
    """Return the demo's day: 15 shots, the probe unplugged in 5, its amplifier overrun in 9.

    The last three repeat shot 6 with plasmas and instruments that violate assumptions of the
    analysis: hot electrons in 13, spikes in 14, a wrong calibration in 15.
    """
    again = {13: "hot_electrons", 14: "spiky_record", 15: "wrong_calibration"}
    return Campaign(
        first=1,
        shots=15,
        seed=seed,
        date=date,
        size_mb=size_mb,
        flaws={5: "probe_unplugged", 9: "current_saturated"} | again,
        out_of_turn=dict.fromkeys(again, 5),
        probe=probe,
        magnetised=magnetised,
    )


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The settings of one shot; powers in W at flat top, currents in A, pressure in Pa."""

    number: int
    trigger: dt.datetime
    gas: str
    program: str
    operator: str
    comment: str
    helicon_w: float
    helicon_triangle: bool
    helicon_hz: float
    icrf_w: float
    icrf_hz: float
    pressure_pa: float
    big_coil_a: float
    small_coil_a: float
    probe_cm: float
    flaw: str | None


# (program, gas, helicon W, triangle, ICRF W): the power scan crosses E → H near 700 W and
# H → W near 1750 W; the triangle shows the hysteresis of both; helium ends the day.
_DAY: Final = (
    ("power scan", "Ar", 350.0, False, 0.0),
    ("power scan", "Ar", 550.0, False, 300.0),
    ("power scan", "Ar", 850.0, False, 0.0),
    ("power scan", "Ar", 1100.0, False, 450.0),
    ("power scan", "Ar", 1300.0, False, 600.0),
    ("power scan", "Ar", 1600.0, False, 0.0),
    ("power scan", "Ar", 1900.0, False, 600.0),
    ("power scan", "Ar", 2200.0, False, 750.0),
    ("power scan", "Ar", 2500.0, False, 0.0),
    ("hysteresis", "Ar", 2700.0, True, 0.0),
    ("helium", "He", 1600.0, False, 500.0),
    ("helium", "He", 2700.0, False, 900.0),
)


def setup_of(campaign: Campaign, number: int) -> Setup:
    """Return the settings of one shot of a campaign.

    Raises
    ------
    SimulationError
        The campaign has no such shot.
    """
    if number not in campaign.numbers:
        raise SimulationError(
            f"shot {number} is not in this campaign: choose from "
            f"{campaign.numbers.start}..{campaign.numbers.stop - 1}"
        )
    place = number - campaign.first
    line = campaign.out_of_turn.get(number, (campaign.line + place) % len(_DAY))
    program, gas, helicon_w, triangle, icrf_w = _DAY[line]
    gas = campaign.gas or gas
    rng = campaign.random(number, "setup")
    start = dt.datetime.combine(campaign.date, _FIRST_TRIGGER)
    after_s = place * _BETWEEN_SHOTS_S + float(rng.uniform(0.0, 40.0))
    after = dt.timedelta(milliseconds=round(1e3 * after_s))
    return Setup(
        number=number,
        trigger=start + after,
        gas=gas,
        program=program,
        operator=("kovacs", "lindner", "moreau")[place // 4 % 3],
        comment=f"{helicon_w:.0f} W helicon, {icrf_w:.0f} W ICRF",
        helicon_w=helicon_w * float(rng.normal(1.0, 0.006)),
        helicon_triangle=triangle,
        # The crystals are some ppm off, which determines the aliased frequency of the pick-up.
        helicon_hz=11.76e6 * (1.0 + 1e-6 * float(rng.uniform(20.0, 80.0))),
        icrf_w=icrf_w * float(rng.normal(1.0, 0.006)),
        icrf_hz=5.86e6 * (1.0 + 1e-6 * float(rng.uniform(20.0, 80.0))),
        pressure_pa=(0.15 if gas == "Ar" else 1.0)
        * campaign.pressure
        * float(rng.normal(1.0, 0.02)),
        big_coil_a=400.0 * float(rng.normal(1.0, 0.002)),
        small_coil_a=200.0 * float(rng.normal(1.0, 0.002)),
        probe_cm=30.0,
        flaw=campaign.flaws.get(number),
    )
