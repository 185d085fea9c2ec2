"""The scenarios of `bench/langmuir_scenarios.py`, and their records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir import floating_potential as own_floating_potential
from ishtar.langmuir import probe_current as own_current
from runner.simulate.probe import (
    Physics,
    Plasma,
    Probe,
    debye_length,
    floating_potential,
    ion_current,
    probe_current,
    recorder,
)

Floats = NDArray[np.float64]
Rng = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class Record:
    """A recorded signal, and the truth of each of its sweeps."""

    bias: Floats
    current: Floats
    dt: float
    t0: float
    samples: int
    sweeps: int
    probe: dict[str, float | str]
    truth: dict[str, Floats]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Deviations from a quiet Maxwellian plasma and an ideal recorder.

    Parameters
    ----------
    name : str
        As printed.
    inside : bool
        Whether the truth is in the analysis' family of models.
    physics : Physics
        For the current; its `rf_amplitude` is in T_e here.
    own : bool
        Use the analysis' own forward model instead, as a control.
    reduction : (float, float)
        Range of the factor on the electron current, the same for all energies.
    rho : (float, float)
        Range of probe radius over Debye length.
    noise : (float, float)
        Range of the noise over the largest current.
    disc : bool
        A planar probe; the analysis only knows its area.
    drift, broad, slow : float
        Density, relative: change along a sweep, rms white and 1/f fluctuations.
    spikes : int
        Spiked samples a sweep; the sweeps then have 400.
    offset : float
        Of the current, over the ion current at the floating potential.
    lag : float
        Time constant of the current's amplifier, samples.
    bits : int
        Of the current's converter, with a fifth of its range used; 0: 16 bits, full range.
    bias_alias, current_alias : (float, float)
        Range of the amplitude of slow pick-up: V; over the largest current.
    periods : (float, float)
        Of the pick-up in a sweep.
    field_known : bool
        Whether the analysis knows the field at the tip, as from the coils of a machine: none, or
        the field for the psi0 of the `physics` by the usual formula, within a factor 1.5.
    """

    name: str
    inside: bool = False
    physics: Physics = field(default_factory=Physics)
    own: bool = False
    reduction: tuple[float, float] = (1.0, 1.0)
    rho: tuple[float, float] = (1.0, 50.0)
    noise: tuple[float, float] = (2e-3, 1e-2)
    disc: bool = False
    drift: float = 0.0
    broad: float = 0.0
    slow: float = 0.0
    spikes: int = 0
    offset: float = 0.0
    lag: float = 0.0
    bits: int = 0
    bias_alias: tuple[float, float] = (0.0, 0.0)
    current_alias: tuple[float, float] = (0.0, 0.0)
    periods: tuple[float, float] = (2.5, 8.3)
    field_known: bool = True


def _scenarios() -> list[Scenario]:
    """Return all scenarios; names of related ones start alike."""
    chen, orbital = Physics(ions="chen"), Physics(electrons="orbital", ions="orbital")
    sheath = Physics(electrons="sheath", ions="sheath")
    volts, amperes = (0.1, 0.3), (2e-3, 1e-2)
    found = [
        Scenario(name="own model", inside=True, own=True),
        Scenario(
            name="own model, R 0.2 to 1",
            inside=True,
            own=True,
            reduction=(0.2, 1.0),
            field_known=False,
        ),
        Scenario(name="tables, noise 1 %", inside=True, noise=(1e-2, 1e-2)),
        Scenario(name="tables, field unknown", inside=True, field_known=False),
        Scenario(name="tables, noise 0.2 %", inside=True, noise=(2e-3, 2e-3)),
        Scenario(name="tables, Chen's ions", inside=True, physics=chen),
        Scenario(name="orbital limit", inside=True, physics=orbital, rho=(0.2, 1.0)),
        Scenario(name="r/λ_D 50 to 100", rho=(50.0, 100.0)),
        Scenario(name="thin sheath, radius given", physics=sheath, rho=(20.0, 80.0)),
        Scenario(name="thin sheath, disc", physics=sheath, rho=(20.0, 100.0), disc=True),
        Scenario(name="hot electrons, 2 % at 4 Te", physics=Physics(hot_share=0.02, hot_ratio=4.0)),
        Scenario(name="hot electrons, 10 % at 3 Te", physics=Physics(hot_share=0.1, hot_ratio=3.0)),
    ]
    found += [
        Scenario(name=f"RF amplitude {a:g} Te", physics=Physics(rf_amplitude=a))
        for a in (0.3, 1.0, 2.0)
    ]
    found += [
        Scenario(name=f"magnetised, psi0 {p:g}", physics=Physics(psi0=p)) for p in (1.0, 5.0, 20.0)
    ]
    found += [
        Scenario(
            name=f"magnetised, psi0 {p:g}, field unknown",
            physics=Physics(psi0=p),
            field_known=False,
        )
        for p in (1.0, 5.0, 20.0)
    ]
    found += [
        Scenario(name=f"ion flow, M = {m:g}", physics=Physics(mach_across=m), rho=(0.5, 3.0))
        for m in (0.3, 1.0)
    ]
    found += [
        Scenario(
            name="ion flow, M = 1, thin sheath",
            physics=Physics(ions="sheath", mach_across=1.0),
            rho=(20.0, 80.0),
        ),
        Scenario(name="ion flow along, M = 1", physics=Physics(mach_along=1.0)),
        Scenario(
            name="ion flow, M = 1, thin sheath, field unknown",
            physics=Physics(ions="sheath", mach_across=1.0),
            rho=(20.0, 80.0),
            field_known=False,
        ),
        Scenario(name="secondaries 0.3", physics=Physics(secondaries=0.3)),
        Scenario(
            name="secondaries 0.3, field unknown",
            physics=Physics(secondaries=0.3),
            field_known=False,
        ),
        Scenario(name="density drift 5 % a sweep", drift=0.05),
        Scenario(name="fluctuations 1 %, broad", broad=0.01),
        Scenario(name="fluctuations 5 %, broad", broad=0.05),
        Scenario(name="fluctuations 3 %, 1/f", slow=0.03),
        *(Scenario(name=f"spikes, {k} of 400", spikes=k, inside=True) for k in (1, 2, 4)),
        Scenario(name="offset 5 % of Isat", offset=0.05),
        Scenario(name="lag 2 samples", lag=2.0),
        Scenario(name="lag 5 samples", lag=5.0),
    ]
    found += [
        Scenario(name=f"{b} bits, a fifth used", bits=b, noise=(2e-4, 2e-4), inside=True)
        for b in (10, 12, 14, 16)
    ]
    found += [
        Scenario(name="slow alias on bias", bias_alias=volts, inside=True),
        Scenario(name="slow alias on current", current_alias=amperes, inside=True),
        Scenario(name="slow alias on both", bias_alias=volts, current_alias=amperes, inside=True),
        Scenario(
            name="slower alias, both",
            bias_alias=volts,
            current_alias=amperes,
            periods=(0.3, 2.5),
            inside=True,
        ),
        Scenario(
            name="several at once",
            slow=0.01,
            spikes=1,
            bits=12,
            bias_alias=volts,
            current_alias=(1e-3, 3e-3),
        ),
    ]
    return found


SCENARIOS = _scenarios()


def draw_probe(scenario: Scenario, rng: Rng) -> tuple[Probe, float, float]:
    """Return a probe, a density and a temperature with r/λ_D in the scenario's range."""
    low, high = scenario.rho
    while True:
        gas = str(rng.choice(["Ar", "He"]))
        if scenario.disc:
            probe = Probe(radius=10 ** rng.uniform(-3.3, -2.5), length=0.0, gas=gas)
        else:
            radius = 1e-3 * 10 ** rng.uniform(np.log10(0.1), np.log10(0.8))
            probe = Probe(radius=radius, length=rng.uniform(3e-3, 10e-3), gas=gas)
        if low < 0.5:  # a wire
            probe = replace(probe, radius=0.5 * probe.radius)
        ne, te = 10 ** rng.uniform(16.0, 18.0), rng.uniform(2.0, 8.0)
        # changes during a record stay in the range, too
        if 1.15 * low < probe.radius / debye_length(ne, te) < high / 1.25:
            return probe, ne, te


def record(scenario: Scenario, rng: Rng, sweeps: int) -> Record:
    """Return a record of a scenario.

    The plasma changes slowly and smoothly from sweep to sweep and, without `drift`, not during
    one, so that the truth of a sweep is one number.
    """
    probe, ne0, te0 = draw_probe(scenario, rng)
    samples = 400 if scenario.spikes else int(rng.integers(400, 1000))
    n, dt = samples * sweeps, 1e-5
    each = np.repeat(np.arange(sweeps), samples)

    def slow(size: float) -> Floats:
        turn = rng.uniform(0.5, 1.5) * np.arange(sweeps) / sweeps + rng.uniform()
        return np.asarray(1.0 + size * np.sin(2.0 * np.pi * turn))

    truth = {"ne": ne0 * slow(0.15), "Te": te0 * slow(0.05)}
    truth["Vp"] = rng.uniform(0.0, 20.0) + 0.3 * te0 * (slow(1.0) - 1.0)
    middle = float(truth["Vp"].mean())
    low, high = middle - rng.uniform(12.0, 16.0) * te0, middle + rng.uniform(3.0, 6.0) * te0
    bias = recorder.triangle(low, high, samples, sweeps)

    relative = 1.0 + scenario.drift * rng.choice([-1.0, 1.0]) * recorder.drift(samples, sweeps)
    if scenario.broad:
        relative = relative + scenario.broad * recorder.broad_band(rng, n)
    if scenario.slow:
        relative = relative + scenario.slow * recorder.one_over_f(rng, n)
    plasma = Plasma(ne=truth["ne"][each] * relative, te=truth["Te"][each], vp=truth["Vp"][each])
    still = Plasma(ne=truth["ne"], te=truth["Te"], vp=truth["Vp"])
    make = _own if scenario.own else _independent
    current, truth["Vf"] = make(bias, plasma, still, probe, scenario.physics, each)
    if scenario.reduction != (1.0, 1.0):
        r = float(rng.uniform(*scenario.reduction))
        current, truth["Vf"] = _own(bias, plasma, still, probe, scenario.physics, each, r)

    if scenario.offset:
        isat = ion_current(truth["Vf"], still, probe, scenario.physics).mean()
        current = current + rng.choice([-1.0, 1.0]) * scenario.offset * isat
    bias, current = _recorded(scenario, rng, bias, current, samples)
    known: dict[str, float | str] = {"area": probe.area, "gas": probe.gas}
    if not scenario.disc:
        known |= {"radius": probe.radius, "length": probe.length}
    if scenario.field_known:
        known["field"] = _field(probe, te0, scenario.physics.psi0 * 1.5 ** rng.uniform(-1.0, 1.0))
    return Record(
        bias=bias,
        current=current,
        dt=dt,
        t0=float(rng.uniform(0.0, 1.0)),
        samples=samples,
        sweeps=sweeps,
        probe=known,
        truth=truth,
    )


def _field(probe: Probe, te: float, psi0: float) -> float:
    """Return the field, T, that gives a cylinder across it this psi0."""
    turn = np.sqrt(2.0 * 9.1093837139e-31 * te / 1.602176634e-19)  # gyroradius times field
    return (
        float(psi0 * turn / (probe.radius * np.log(np.pi * probe.length / (4.0 * probe.radius))))
        if psi0
        else 0.0
    )


def _recorded(
    scenario: Scenario, rng: Rng, bias: Floats, current: Floats, samples: int
) -> tuple[Floats, Floats]:
    """Return bias and current as recorded."""
    n, largest = bias.size, float(np.abs(current).max())
    periods, phase = rng.uniform(*scenario.periods), rng.uniform(0.0, 2.0 * np.pi)
    current = recorder.lagged(current, scenario.lag)
    current = current + largest * rng.uniform(*scenario.noise) * rng.normal(size=n)
    wave = recorder.alias(n, samples, periods, phase + 1.0)
    current = current + largest * rng.uniform(*scenario.current_alias) * wave
    if scenario.spikes:
        current = recorder.with_spikes(rng, current, samples, scenario.spikes, (0.2, 1.0))
    current = recorder.quantised(current, scenario.bits or 16, 0.2 if scenario.bits else 0.9)
    bias = bias + rng.normal(0.0, 0.02, n)
    bias = bias + rng.uniform(*scenario.bias_alias) * recorder.alias(n, samples, periods, phase)
    return recorder.quantised(bias, 16, 0.5), current


Maker = Callable[[Floats, Plasma, Plasma, Probe, Physics, NDArray[np.intp]], tuple[Floats, Floats]]


def _independent(
    bias: Floats,
    plasma: Plasma,
    still: Plasma,
    probe: Probe,
    physics: Physics,
    each: NDArray[np.intp],
) -> tuple[Floats, Floats]:
    """Return the current, and each sweep's floating potential, by the independent model."""
    relative = np.asarray(physics.rf_amplitude)
    te = np.asarray(still.te)
    at_samples = replace(physics, rf_amplitude=relative * te[each] if relative else 0.0)
    at_sweeps = replace(physics, rf_amplitude=relative * te if relative else 0.0)
    return (
        probe_current(bias, plasma, probe, at_samples),
        floating_potential(still, probe, at_sweeps),
    )


def _own(
    bias: Floats,
    plasma: Plasma,
    still: Plasma,
    probe: Probe,
    physics: Physics,
    each: NDArray[np.intp],
    r: float = 1.0,
) -> tuple[Floats, Floats]:
    """Return the same by the analysis' model, with the electron current multiplied by r."""
    tip = {"radius": probe.radius, "length": probe.length, "gas": probe.gas, "reduction": r}
    current = own_current(bias, ne=plasma.ne, te=plasma.te, vp=plasma.vp, **tip)
    vf = own_floating_potential(
        ne=still.ne, te=still.te, vp=still.vp, gas=probe.gas, radius=probe.radius, reduction=r
    )
    return current, vf
