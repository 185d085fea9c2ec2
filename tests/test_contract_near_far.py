"""What every testbed, shot and signal does, wherever it comes from.

The numbers are compared with a truth that the library has no part in; what is no number, with what
the fakes declare. A new implementation is one more row of `TESTBEDS`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ishtar
from ishtar.errors import MissingCalibration, NoSuchShot, NoSuchSignal, TimeBaseError, UnitError
from ishtar.lineage.record import recording
from ishtar.query.query_tree import QueryError
from ishtar.remote.archive_shot import ArchiveShot
from ishtar.remote.not_kept import NotKept
from ishtar.remote.pack_samples import PackSamples
from ishtar.remote.remote_shot import RemoteShot
from ishtar.remote.remote_testbed import ArchiveTestbed, RemoteTestbed
from ishtar.shots.any_testbed import AnyTestbed
from ishtar.shots.shot import Shot
from ishtar.shots.testbed import Testbed
from ishtar.signals.alignment import align
from ishtar.signals.calibrated import CalibratedSamples, UncalibratedSamples
from ishtar.signals.derived import DerivedSamples
from ishtar.signals.lazy_signal import Signal
from ishtar.signals.protocols import (
    AnyShot,
    AnySignal,
    HasChannels,
    RecordedShot,
    RecordedSignal,
)
from ishtar.signals.samples import ChannelSamples, RecordedSamples, Samples
from tests.library_fakes import DT, FIRST, LAMED, MOVED, T0, N, truth

pytestmark = pytest.mark.whole

TESTBEDS = {
    "workspace": lambda published, address: published.root,
    "folder of a site": lambda published, address: published.root / "www" / "sub" / "path",
    "site over http": lambda published, address: f"{address}/sub/path",
    "folder without raw data": lambda published, address: published.root / "www" / "tiles",
    "site without raw data": lambda published, address: f"{address}/tiles",
}
STEP = 1 / 65534  # of the range of a block: how exact a site is


@pytest.fixture(scope="module", params=TESTBEDS)
def tb(request, published, site_address) -> Any:
    return ishtar.open(TESTBEDS[request.param](published, site_address))


# --- who implements what -------------------------------------------------------------------------


IMPLEMENTATIONS = [
    (Testbed, AnyTestbed),
    (RemoteTestbed, AnyTestbed),
    (ArchiveTestbed, AnyTestbed),
    (Shot, RecordedShot),
    (ArchiveShot, RecordedShot),
    (RemoteShot, AnyShot),
    (Signal, RecordedSignal),
    (ChannelSamples, RecordedSamples),
    (CalibratedSamples, RecordedSamples),
    (UncalibratedSamples, RecordedSamples),
    (DerivedSamples, RecordedSamples),
    (PackSamples, Samples),
]
BY_INSTANCE = {"number", "base", "itemsize", "n_clipped"}  # set in __init__: mypy sees those


def members(protocol: type) -> dict[str, Any]:
    """Return what a protocol asks for, by name."""
    found: dict[str, Any] = {}
    for kind in protocol.__mro__:
        if getattr(kind, "_is_protocol", False):
            found = vars(kind) | found
    wanted = {"__len__", "__getitem__", "__contains__"}
    return {k: v for k, v in found.items() if not k.startswith("_") or k in wanted}


@pytest.mark.parametrize(("kind", "protocol"), IMPLEMENTATIONS)
def test_an_implementation_has_each_member_and_takes_its_arguments(kind, protocol):
    assert members(protocol)
    for name, asked in members(protocol).items():
        if name in BY_INSTANCE and not hasattr(kind, name):
            continue
        own = inspect.getattr_static(kind, name)
        assert not getattr(own, "__isabstractmethod__", False), name
        if inspect.isfunction(asked):
            here = inspect.signature(own).parameters
            for k, parameter in enumerate(inspect.signature(asked).parameters.values()):
                if parameter.kind is parameter.POSITIONAL_ONLY:
                    assert len(here) > k, name
                elif parameter.kind is not parameter.VAR_POSITIONAL:  # an overload has none
                    assert parameter.name in {*here, "kwds"}, name


def test_a_recorded_one_has_more_and_what_is_abstract_must_be_there():
    assert members(Samples).keys() < members(RecordedSamples).keys()
    assert members(AnySignal).keys() < members(RecordedSignal).keys()
    assert members(AnyShot).keys() < members(RecordedShot).keys()
    with pytest.raises(TypeError, match="abstract"):
        type("Lacking", (AnyTestbed,), {})()


def test_what_a_copy_has_is_told_by_its_names(tb):
    has_raw = not isinstance(tb, RemoteTestbed)
    assert isinstance(tb[FIRST], HasChannels) is has_raw
    for name in ("machine", "channels", "channel", "find_channel", "sources", "edits"):
        assert hasattr(tb[FIRST], name) is has_raw
    assert hasattr(tb, "declarations") is has_raw
    assert hasattr(tb, "workspace") is isinstance(tb, Testbed)


def test_what_a_copy_lacks_is_told_in_one_line(tb):
    if not isinstance(tb, RemoteTestbed):
        return
    signal = tb[FIRST]["Coil_I"].to("mA")[1.0:2.0]
    asked: list[Callable[[], Any]] = [
        *(getattr(signal, name) for name in ("raw", "sigma", "quality", "mean")),
        lambda: signal.n_clipped,
        lambda: signal.load(sigma=True),
        lambda: signal.envelope(quality=True),
        lambda: tb[FIRST].machine,
        lambda: tb[FIRST].channels(),
        lambda: tb.declarations,
    ]
    for ask in asked:
        with pytest.raises(NotKept, match=r"^.*: a published site does not keep .*workspace$"):
            ask()


# --- testbeds ------------------------------------------------------------------------------------


def test_shots_are_found_by_number_day_and_range(tb):
    every = [FIRST, MOVED, LAMED]
    assert tb.numbers() == tb.shots().numbers == every
    assert tb.days() == ["2026-11-22"]
    assert tb.day("2026-11-22").numbers == every
    assert tb.range(FIRST, MOVED).numbers == [FIRST, MOVED]
    assert [shot.number for shot in tb.range(1, FIRST)] == [FIRST]
    assert len(tb.shots()) == 3
    assert (FIRST in tb, np.int64(MOVED) in tb, 99 in tb) == (True, True, False)
    assert ("1249" in tb, 1249.0 in tb, None in tb) == (False, False, False)
    assert tb[np.int64(MOVED)].number == MOVED
    assert repr(tb.shots()) == f"<Shots: 3, {FIRST} … {LAMED}>"


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("gas == 'Ar'", [FIRST, MOVED, LAMED]),
        ("Te > 4.5", [MOVED]),
        ("langmuir.Te > 0 and max_P < 550", [FIRST]),
        ("Te.sigma > 0", [FIRST, MOVED]),
        (f"shot > {FIRST} and date >= '2026-11-22'", [MOVED, LAMED]),
        ("gas == 'He'", []),
    ],
)
def test_a_query_finds_the_same_everywhere(tb, query, numbers):
    assert tb.shots(query).numbers == numbers


def test_a_table_is_the_same_everywhere(tb):
    columns = ["Te", "langmuir.Te", "Te.sigma", "max_P", "gas_seen", "gas", "day", "Tee"]
    found = tb.shots().table(columns)
    expected = pd.DataFrame(
        {
            "Te": [4.0, 5.0, np.nan],
            "langmuir.Te": [4.0, 5.0, np.nan],
            "Te.sigma": [0.2, 0.2, np.nan],
            "max_P": [500.0, 600.0, np.nan],
            "gas_seen": ["Ar", "Ar", None],
            "gas": ["Ar"] * 3,
            "day": ["2026-11-22"] * 3,
            "Tee": [np.nan] * 3,
        },
        index=pd.Index([FIRST, MOVED, LAMED], name="shot"),
    )
    pd.testing.assert_frame_equal(found, expected)
    assert found.attrs["units"] == {
        "Te": "eV",
        "langmuir.Te": "eV",
        "Te.sigma": "eV",
        "max_P": "W",
        "gas_seen": "",
    }
    assert found.attrs["unknown"] == ["Tee"]


def test_a_map_keeps_values_and_errors(tb):
    found = tb.shots().map(lambda shot: shot["Probe_U"].unit)
    assert dict(found) == {FIRST: "V", MOVED: "V"}
    assert isinstance(found.errors[LAMED], NoSuchSignal | LookupError)


def test_scraps_of_a_shot_are_those_of_its_reports(tb):
    rows = [(r.template, r.name, r.value, r.sigma, r.unit) for r in tb.scraps(FIRST)]
    assert sorted(rows, key=str) == [
        ("langmuir", "Te", 4.0, 0.2, "eV"),
        ("langmuir", "gas_seen", "Ar", None, ""),
        ("power", "max_P", 500, None, "W"),
    ]


@pytest.mark.parametrize(
    ("error", "ask"),
    [
        (NoSuchShot, lambda tb: tb[99]),
        (TypeError, lambda tb: tb["7"]),
        (TypeError, lambda tb: tb.range("a", 3)),
        (TypeError, lambda tb: tb.day(20261122)),
        (NoSuchShot, lambda tb: tb.day("2020-01-01")),
        (TypeError, lambda tb: tb.shots(7)),
        (QueryError, lambda tb: tb.shots("Tee > 3")),
        (QueryError, lambda tb: tb.shots("Te >")),
        (TypeError, lambda tb: tb.shots().table([3])),
    ],
)
def test_what_is_no_shot_and_no_query_is_told_in_the_same_way(tb, error, ask):
    with pytest.raises(error) as caught:
        ask(tb)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("query", "shots"),
    [
        ("langmuir = out of date", [FIRST, MOVED]),  # their template was removed
        ("langmuir = ok", []),
        ("langmuir = not made", [LAMED]),
        ("langmuir != out of date", [LAMED]),
        ("problems > 2", [FIRST, MOVED, LAMED]),
        ("problems > 3", [LAMED]),
        ("problems ~ probe_u is missing", [LAMED]),
        ("'not recorded'; gas = Ar", [LAMED]),
        ("shot > 0; not problems ~ probe_u", [FIRST, MOVED]),
    ],
)
def test_what_pages_show_is_found_wherever_it_is_asked(tb, query, shots):
    assert tb.shots(query).numbers == shots


def test_only_what_is_near_is_an_input_of_a_report(tb):
    with recording() as recorder:
        tb.shots("gas == 'Ar'").table(["Te"])
        tb.range(FIRST, LAMED)
        shot = tb[FIRST]
        shot["Share"].load()
        shot.attributes.get("gas")
        shot.missing()
        list(shot.imas())
        if not isinstance(tb, RemoteTestbed):
            shot.channels()
            shot["Coil_I"].sigma()
            shot.machine.tree()
            shot.machine.diff(tb[MOVED])
    assert bool(recorder.inputs) is isinstance(tb, Testbed)


# --- shots ---------------------------------------------------------------------------------------


READABLE = [
    *("Probe_U", "Probe_I", "Coil_I", "Fwd_P", "Ref_P"),
    *("Gas_P", "Position", "Inj_P", "Share"),
]


def test_a_shot_says_what_can_be_read_of_it(tb):
    shot = tb[FIRST]
    assert shot.signals() == READABLE
    assert list(shot.missing()) == ["Bare_U", "Nowhere_U", "Mixed"]
    for name, why in shot.missing().items():
        assert shot.problem(name) == why
        assert name not in shot
    for name in READABLE:
        assert shot.problem(name) is None
        assert name in shot
    assert 7 not in shot
    assert dict(shot.attributes)["gas"] == "Ar"
    assert shot.date.isoformat() == "2026-11-22T10:49:00"
    assert repr(shot).startswith(f"<Shot {FIRST}: 2026-11-22T10:49:00, Ar, scan")


@pytest.mark.parametrize(
    ("error", "ask"),
    [
        (NoSuchSignal, lambda shot: shot["Coil"]),
        (NoSuchSignal, lambda shot: shot["Nowhere_U"]),
        (NoSuchSignal, lambda shot: "Coil" in shot),
        (MissingCalibration, lambda shot: shot["Bare_U"].load()),
        (TypeError, lambda shot: shot[7]),
        (TypeError, lambda shot: shot[["Probe_U"]]),
        (NoSuchSignal, lambda shot: shot.load("Coil*x")),
        (TimeBaseError, lambda shot: shot.load(["Probe_U", "Gas_P"])),
        (KeyError, lambda shot: shot.attributes["pressure"]),
    ],
)
def test_what_a_shot_has_not_is_told_in_the_same_way(tb, error, ask):
    with pytest.raises(error):
        ask(tb[FIRST])


def test_signals_are_read_and_written_together(tb, tmp_path):
    shot = tb[FIRST]
    found = shot.load(["Probe_*", "Fwd_P"], t=(1.0, 1.1))
    assert list(found) == ["Probe_U", "Probe_I", "Fwd_P"]
    written = shot.export(tmp_path / "x.csv", ["Probe_U", "Bare_*", "Inj_P"], t=(1.0, 1.1))
    assert written.signals == (("Probe_U", "Inj_P"),)
    assert list(written.left_out) == ["Bare_U"]
    table = pd.read_csv(tmp_path / "x.csv", comment="#")
    np.testing.assert_allclose(table.iloc[:, 1], found["Probe_U"], rtol=1e-6)
    assert len(table) == 100


def test_a_shot_is_a_tree_with_a_node_for_each_time_base(tb):
    shot = tb[FIRST]
    tree = shot.dataset(["Probe_*", "Gas_P", "Bare_*"])
    assert tree.attrs["title"] == f"Shot {FIRST} of Test"
    assert "left out: Bare_U" in tree.attrs["comment"]
    current = tree["time/Probe_I"]
    assert (current.attrs["units"], current.attrs["calibration"]) == ("mA", "probe.I v1")
    np.testing.assert_allclose(current[1000:1100], shot["Probe_I"][1000:1100].values())
    np.testing.assert_allclose(tree["time_2/Gas_P"], truth(FIRST).values["Gas_P"], atol=1e-3)


FLOATING = "langmuir_probes/embedded[{}]/v_floating/data"
INJECTED = "ic_antennas/antenna[0]/power_launched/data"


def test_a_shot_has_its_signals_by_their_imas_paths(tb):
    found = tb[FIRST].imas()
    assert list(found) == [INJECTED, FLOATING.format(0)]  # the one of Bare_U cannot be read
    assert {path: signal.name for path, signal in found.items()} == {
        FLOATING.format(0): "Probe_U",
        INJECTED: "Inj_P",
    }
    assert (FLOATING.format(0) in found, FLOATING.format(1) in found, 7 in found) == (1, 0, 0)
    assert len(found) == 2
    assert len(tb[LAMED].imas()) == 1
    with pytest.raises(NoSuchSignal, match=r"\[0\]/v_floating/dat'; did you mean '.*data'"):
        found[FLOATING.format(0)[:-1]]
    with pytest.raises(MissingCalibration):
        found[FLOATING.format(1)].load()


def test_an_imas_path_goes_with_what_is_loaded(tb):
    shot = tb[FIRST]
    assert shot["Probe_U"][0:2].load().attrs["imas"] == FLOATING.format(0)
    assert "imas" not in shot["Probe_I"][0:2].load().attrs
    tree = shot.dataset(["Probe_*"])
    assert tree["time/Probe_U"].attrs["imas"] == FLOATING.format(0)
    assert "imas" not in tree["time/Probe_I"].attrs
    assert f"IMAS path       {INJECTED}" in str(shot["Inj_P"].explain())


# --- signals -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Case:
    """A signal, and what it is known to be."""

    name: str
    unit: str
    regular: bool = True
    make: Callable[[Any], Any] = lambda signal: signal
    factor: float = 1.0
    part: tuple[int | None, int | None] = (None, None)


CASES = {
    "stored": Case(name="Probe_U", unit="V"),
    "of a filter of the quiet time": Case(name="Coil_I", unit="A"),
    "derived": Case(name="Inj_P", unit="kW"),
    "derived of derived": Case(name="Share", unit=""),
    "irregular": Case(name="Gas_P", unit="Pa", regular=False),
    "partly no number": Case(name="Position", unit="cm", regular=False),
    "in another unit": Case(
        name="Probe_U", unit="mV", make=lambda s: s.to("V").to("mV"), factor=1e3
    ),
    "a stretch": Case(name="Probe_U", unit="V", make=lambda s: s[1.0:1.5], part=(1500, 2000)),
    "a stretch of one": Case(
        name="Coil_I", unit="A", make=lambda s: s[1000:3000][10:-20], part=(1010, 2980)
    ),
    "nothing": Case(name="Probe_U", unit="V", make=lambda s: s[5:5], part=(5, 5)),
}


@pytest.fixture(params=CASES)
def case(request) -> Case:
    return CASES[request.param]


@pytest.fixture
def signal(tb, case) -> AnySignal:
    return case.make(tb[FIRST][case.name])


def known(case: Case) -> tuple[Any, Any, float]:
    """Return times and values of a case, and how far off a copy may be."""
    made = truth(FIRST)
    part = slice(*case.part)
    times = (made.time if case.regular else made.slow_time)[part]
    whole = made.values[case.name] * case.factor
    return times, whole[part], 2 * float(np.ptp(whole[np.isfinite(whole)])) * STEP


def test_a_signal_is_known_before_it_is_read(signal, case):
    times, values, _ = known(case)
    assert (signal.name, signal.unit) == (case.name, case.unit)
    assert (signal.n, len(signal), signal.shape) == (len(times), len(times), (len(times),))
    assert (signal.x_unit, signal.x_name, signal.time_problem) == ("s", "time", None)
    assert (signal.dt, signal.dx) == ((DT, DT) if case.regular else (None, None))
    if len(times):
        assert signal.t0 == signal.x0 == pytest.approx(times[0])
    else:
        assert np.isnan(signal.t0)
    assert signal.stride == 1
    assert signal.nbytes >= 2 * len(values)
    assert signal.provenance.shot == signal.explain().shot == FIRST
    assert signal.explain().unit == case.unit
    assert f"<Signal {case.name} [{case.unit or 1}] of shot {FIRST}: {len(times)} " in repr(signal)


def test_a_signals_numbers_are_the_truth(signal, case):
    times, values, near = known(case)
    signal.check()
    np.testing.assert_allclose(signal.times(), times, atol=1e-12)
    np.testing.assert_allclose(signal.places(), times, atol=1e-12)
    np.testing.assert_allclose(signal.values(), values, rtol=1e-9, atol=near)
    found = signal.load()
    np.testing.assert_allclose(found, values, rtol=1e-9, atol=near)
    np.testing.assert_allclose(found["time"], times, atol=1e-12)
    assert (found.name, found.dims) == (case.name, ("time",))
    assert (found.attrs["units"], found.attrs["shot"]) == (case.unit, FIRST)
    assert ("precision" in found.attrs) is not ("n_clipped" in found.attrs)


def test_an_envelope_holds_each_sample(signal, case):
    _, values, near = known(case)
    found = signal.envelope(10)
    assert found["min"].attrs["units"] == case.unit
    assert len(found["time"]) <= 10
    finite = values[np.isfinite(values)]
    if not len(finite):
        assert not len(found["time"])
        return
    beyond = 1e-9 * np.abs(finite).max() + near
    assert found["max"].max() >= finite.max() - beyond
    assert found["min"].min() <= finite.min() + beyond
    whole = truth(FIRST).values[case.name] * case.factor
    assert found["max"].max() <= np.nanmax(whole) + beyond
    assert found["min"].min() >= np.nanmin(whole) - beyond


def test_other_time_bases_are_made_in_the_same_way(tb):
    shot = tb[FIRST]
    made = truth(FIRST)
    found = align([shot["Probe_U"], shot["Gas_P"][1.0:3.0]], t=[1.2, 1.2005, 2.0])
    expected = np.interp([1.2, 1.2005, 2.0], made.time, made.values["Probe_U"])
    np.testing.assert_allclose(found["Probe_U"], expected, atol=1e-3 * np.abs(expected).max())
    assert found["Gas_P"].attrs["units"] == "Pa"
    means = shot["Probe_U"][0.0:1.0].resample(0.1)
    assert len(means) == 9
    np.testing.assert_allclose(means.values, 0.0, atol=20.0)


@pytest.mark.parametrize(
    ("error", "ask"),
    [
        (TypeError, lambda s: s[5]),
        (TypeError, lambda s: s[::2]),
        (TypeError, lambda s: s["1":"2"]),
        (TimeBaseError, lambda s: s[float("nan") : 2.0]),
        (TypeError, lambda s: np.asarray(s)),
        (UnitError, lambda s: s.to("Pa")),
        (UnitError, lambda s: s.to("no unit")),
        (TypeError, lambda s: s.envelope(2.5)),
        (ValueError, lambda s: s.envelope(0)),
        (TimeBaseError, lambda s: s.resample(0)),
        (TimeBaseError, lambda s: s[5:5].resample(0.1)),
    ],
)
def test_what_is_asked_wrongly_of_a_signal_is_told_in_the_same_way(tb, error, ask):
    with pytest.raises(error):
        ask(tb[FIRST]["Probe_U"])


def test_a_slice_outside_of_the_record_is_empty(tb):
    signal = tb[FIRST]["Probe_U"]
    assert signal[100.0:200.0].n == signal[-9.0:T0].n == signal[N:].n == 0
    assert signal[2.0:1.0].n == signal[20:10].n == 0
    assert signal[1:2].n == 1
    assert signal[1:2.0].n == 1000
