"""What TDMS values mean: every scale, changes of unit, and odd channels beside good ones."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nptdms import ChannelObject, GroupObject, TdmsFile, TdmsWriter

from tests.tdms_fakes import (
    NO_DATA,
    TOC,
    TOC_DAQMX,
    TOC_INTERLEAVED,
    daqmx_index,
    ingested,
    noise,
    notes,
    outcome_of,
    plain_index,
    segment,
    tdms_object,
)

RAW = np.uint32(0xFFFFFFFF)
GOOD = np.arange(6.0)


def scale(kind: str, number: int = 0, source: Any = RAW, **numbers: Any) -> dict[str, Any]:
    prefix = f"NI_Scale[{number}]_"
    properties = {f"{prefix}{kind}_{name}": value for name, value in numbers.items()}
    if kind not in ("Add", "Subtract"):
        properties[f"{prefix}{kind}_Input_Source"] = source
    return {f"{prefix}Scale_Type": kind, **properties}


def linear(number: int, slope: float, intercept: float, source: Any = RAW) -> dict[str, Any]:
    return scale("Linear", number, source, Slope=slope, Y_Intercept=intercept)


def scales(*each: dict[str, Any], **more: Any) -> dict[str, Any]:
    count = {"NI_Scaling_Status": "unscaled", "NI_Number_Of_Scales": len(each)}
    return count | {k: v for one in each for k, v in one.items()} | more


PT100 = {"A": 3.9083e-3, "B": -5.775e-7, "C": -4.183e-12, "R0_Nominal_Resistance": 100.0}
RTD = scale(
    "RTD",
    Current_Excitation=1e-3,
    Lead_Wire_Resistance=0.1,
    Resistance_Configuration=2,
    **PT100,
)
BRIDGE = {
    "Poisson_Ratio": 0.3,
    "Gage_Resistance": 350.0,
    "Lead_Wire_Resistance": 0.5,
    "Initial_Bridge_Voltage": 1e-4,
    "Gage_Factor": 2.1,
    "Bridge_Shunt_Calibration_Gain_Adjustment": 1.02,
    "Voltage_Excitation": 2.5,
}
THERMISTOR = scale(
    "Thermistor",
    Excitation_Type=10322,
    Excitation_Value=2.5,
    Resistance_Configuration=4,
    R1_Reference_Resistance=5000.0,
    Lead_Wire_Resistance=0.0,
    A=1.2873851e-3,
    B=2.3575235e-4,
    C=9.4978060e-8,
    Temperature_Offset=273.15,
)
ADDED = scale("Add", 2, Left_Operand_Input_Source=0, Right_Operand_Input_Source=1)
SUBTRACTED = scale("Subtract", 2, Left_Operand_Input_Source=0, Right_Operand_Input_Source=1)
TWO = (linear(0, 2.0, 1.0), linear(1, 0.5, -3.0))

COMPUTED = {
    "RTD": (scales(RTD), np.linspace(0.02, 0.14, 400)),  # 20 to 140 ohm: -196 to 100 °C
    "Thermocouple": (
        scales(scale("Thermocouple", Thermocouple_Type=10073, Scaling_Direction=0)),
        np.linspace(-5000.0, 50000.0, 400),
    ),
    "Thermocouple, to volts": (
        scales(scale("Thermocouple", Thermocouple_Type=10072, Scaling_Direction=1)),
        np.linspace(-100.0, 700.0, 400),
    ),
    "Thermistor": (scales(THERMISTOR), np.linspace(0.2, 2.2, 400)),
    **{
        f"Strain {configuration}": (
            scales(scale("Strain", Configuration=configuration, **BRIDGE)),
            np.linspace(-1e-3, 1e-3, 100),
        )
        for configuration in (10183, 10184, 10185, 10188, 10189, 10271, 10272)
    },
    "Add": (scales(*TWO, ADDED), np.linspace(-3, 3, 50)),
    "Subtract": (scales(*TWO, SUBTRACTED), np.linspace(-3, 3, 50)),
    "a scale behind a sensor": (scales(RTD, linear(1, 1.0, 273.15, 0)), np.linspace(0.05, 0.1, 50)),
}


def written(tmp_path: Path, *segments: list[tuple[str, Any, dict[str, Any]]]) -> Path:
    path = tmp_path / "x.tdms"
    with TdmsWriter(path) as w:
        for channels in segments:
            w.write_segment([ChannelObject("g", c, v, p) for c, v, p in channels])
    return path


# Scales that are computed


@pytest.mark.parametrize("name", COMPUTED)
def test_scales_that_the_store_cannot_say_are_computed(tmp_path: Path, name: str) -> None:
    properties, raw = COMPUTED[name]
    path = written(tmp_path, [("a", raw, properties | {"unit_string": "degC"}), ("b", GOOD, {})])
    source = ingested(path, tmp_path)
    a = source.channels["g/a"]
    with TdmsFile.open(path) as peer, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # npTDMS leaves room for roots that it looks for later
        expected = peer["g"]["a"][:]
    np.testing.assert_allclose(a.raw(), expected, rtol=1e-9, atol=1e-9)
    assert np.isfinite(expected).all()
    assert (a.dtype, a.unit, a.scale) == (np.float64, "degC", [])
    assert a.properties["computed"]
    assert a.properties["NI_Scale[0]_Scale_Type"]
    np.testing.assert_array_equal(source.channels["g/b"].raw(), GOOD)
    assert not notes(source)


def test_a_resistance_thermometer_gives_the_temperatures_of_its_norm(tmp_path: Path) -> None:
    """IEC 60751: 18.52 ohm at -200 °C, 60.26 at -100, 100 at 0, 138.51 at 100."""
    lead = 2 * 0.1
    volts = 1e-3 * (np.array([18.52, 60.26, 100.0, 138.51]) + lead)
    a = ingested(written(tmp_path, [("a", volts, scales(RTD))]), tmp_path).channels["g/a"]
    np.testing.assert_allclose(a.raw(), [-200.0, -100.0, 0.0, 100.0], atol=0.02)


def test_sums_of_integers_do_not_wrap_around(tmp_path: Path) -> None:
    raw = np.array([30000, -30000, 1], dtype=np.int16)
    both = scale("Add", 0, Left_Operand_Input_Source=RAW, Right_Operand_Input_Source=RAW)
    a = ingested(written(tmp_path, [("a", raw, scales(both))]), tmp_path).channels["g/a"]
    assert a.raw().tolist() == [60000.0, -60000.0, 2.0]


def test_values_outside_of_a_sensor_are_nan_and_counted(tmp_path: Path) -> None:
    raw = np.array([0.1, -5.0, np.nan, 0.1])
    source = ingested(written(tmp_path, [("a", raw, scales(RTD))]), tmp_path)
    assert np.isnan(source.channels["g/a"].raw()).tolist() == [False, True, True, False]
    assert "1 of its values are outside the range of its scale (RTD): they are NaN" in notes(source)


def test_many_sums_of_sums_are_computed_once_each(tmp_path: Path) -> None:
    """Each scale doubles the one before: computed anew for each use, they would take for ever."""
    first = linear(0, 1.0, 0.0)
    more = [
        scale("Add", k, Left_Operand_Input_Source=k - 1, Right_Operand_Input_Source=k - 1)
        for k in range(1, 60)
    ]
    path = written(tmp_path, [("a", np.ones(3), scales(first, *more))])
    assert ingested(path, tmp_path).channels["g/a"].raw().tolist() == [2.0**59] * 3


def test_numbers_of_a_scale_may_be_text(tmp_path: Path) -> None:
    own = scales(scale("Linear", Slope="0,5", Y_Intercept="1E1"))
    a = ingested(written(tmp_path, [("a", noise(9), own)]), tmp_path).channels["g/a"]
    assert a.dtype == np.int16
    np.testing.assert_array_equal(a.scaled(), 0.5 * noise(9) + 10.0)


# Complex values


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_the_offset_of_complex_values_is_real(tmp_path: Path, dtype: Any) -> None:
    raw = np.array([1 + 2j, 3 + 4j], dtype=dtype)
    source = ingested(written(tmp_path, [("c", raw, scales(linear(0, 2.0, 10.0)))]), tmp_path)
    real, imaginary = source.channels["g/c.re"], source.channels["g/c.im"]
    assert real.scaled().tolist() == [12.0, 16.0]
    assert imaginary.scaled().tolist() == [4.0, 8.0]
    assert imaginary.raw().tolist() == [2.0, 4.0]


def test_a_square_of_complex_values_is_computed(tmp_path: Path) -> None:
    numbers = {"Coefficients_Size": 3} | {
        f"Coefficients[{i}]": c for i, c in enumerate((1.0, 0.0, 2.0))
    }
    raw = np.array([1 + 2j, 3 - 4j])
    path = written(tmp_path, [("c", raw, scales(scale("Polynomial", **numbers)))])
    source = ingested(path, tmp_path)
    expected = 1.0 + 2.0 * raw**2
    np.testing.assert_allclose(source.channels["g/c.re"].raw(), expected.real)
    np.testing.assert_allclose(source.channels["g/c.im"].raw(), expected.imag)


def test_complex_values_with_a_scale_of_real_ones_stay_raw(tmp_path: Path) -> None:
    own = scales(RTD, unit_string="degC")
    source = ingested(written(tmp_path, [("c", np.array([1 + 2j]), own)]), tmp_path)
    real = source.channels["g/c.re"]
    assert (real.raw().tolist(), real.unit, real.scale) == ([1.0], "", [])
    assert "scale of real ones (RTD): stored raw, without a unit" in notes(source)


# Scales that cannot be used


BAD = {
    "unknown type": (scales(scale("Magic")), "a scale of type 'Magic'; known are Add"),
    "no slope": (
        scales({"NI_Scale[0]_Scale_Type": "Linear"}),
        "has no property 'NI_Scale[0]_Linear_Slope'",
    ),
    "slope in words": (scales(linear(0, "steep", 0.0)), "is 'steep', which is not a number"),  # type: ignore[arg-type]
    "slope is NaN": (scales(linear(0, float("nan"), 0.0)), "which is not a number"),
    "feeds itself": (scales(linear(0, 1.0, 0.0, 0)), "feed each other"),
    "sums feed each other": (
        scales(
            scale("Add", 0, Left_Operand_Input_Source=1, Right_Operand_Input_Source=RAW),
            scale("Add", 1, Left_Operand_Input_Source=RAW, Right_Operand_Input_Source=0),
        ),
        "feed each other",
    ),
    "a scaler of no card": (scales({}, linear(1, 1.0, 0.0, 0)), "the DAQmx scaler 0, which it"),
    "half a sensor": (scales(scale("RTD", A=1.0)), "its RTD scale has no valid"),
    "a strange bridge": (scales(scale("Strain", Configuration=1, **BRIDGE)), "cannot be used"),
    "no excitation": (
        scales(scale("Strain", Configuration=10183, **BRIDGE | {"Voltage_Excitation": 0.0})),
        "cannot be used",
    ),
    "count in words": ({"NI_Number_Of_Scales": "many"}, "has 'many' scales"),
    "too many": ({"NI_Number_Of_Scales": 4_000_000_000.0}, "DAQmx scaler 3999999999"),
    "a long table": (
        scales(scale("Table", Pre_Scaled_Values_Size=2**31 - 1, Scaled_Values_Size=2**31 - 1)),
        "has no property",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_scale_that_cannot_be_used_leaves_raw_values_without_a_unit(
    tmp_path: Path, name: str
) -> None:
    properties, why = BAD[name]
    odd = ("odd", noise(6), properties | {"unit_string": "V", "wf_increment": 0.1})
    good = ("good", noise(6, seed=1), scales(linear(0, 0.5, 0.0)) | {"unit_string": "V"})
    source = ingested(written(tmp_path, [odd, good]), tmp_path)
    a = source.channels["g/odd"]
    np.testing.assert_array_equal(a.raw(), noise(6))
    assert (a.unit, a.scale, a.dt, a.dtype) == ("", [], 0.1, np.int16)
    assert why in a.properties["scale_missing"]
    assert why in notes(source)
    assert "stored raw, without a unit" in notes(source)
    np.testing.assert_array_equal(source.channels["g/good"].scaled(), 0.5 * noise(6, seed=1))


def test_time_stamps_have_no_scale_of_their_group(tmp_path: Path) -> None:
    stamps = np.array(["2026-11-22T09:00", "2026-11-22T09:01"], "datetime64[us]")
    path = tmp_path / "x.tdms"
    with TdmsWriter(path) as w:
        g = GroupObject("g", scales(linear(0, 2.0, 1.0)))
        w.write_segment([g, ChannelObject("g", "when", stamps, {"unit_string": "V"})])
    when = ingested(path, tmp_path).channels["g/when"]
    assert (when.unit, when.scale) == ("ns", [])


# Units and scales that change between segments


def test_another_unit_of_the_same_kind_is_converted(tmp_path: Path) -> None:
    first = [("a", noise(5), {"unit_string": "V"})]
    path = written(tmp_path, first, [("a", noise(5, seed=1), {"unit_string": "mV"})], first)
    source = ingested(path, tmp_path)
    a = source.channels["g/a"]
    assert a.unit == "V"
    expected = np.concatenate([noise(5), noise(5, seed=1) * 1e-3, noise(5)])
    np.testing.assert_allclose(a.scaled(), expected, rtol=1e-12)
    assert "its unit or scale changes at value 5: stored as computed values" in notes(source)


@pytest.mark.parametrize("block", [1 << 22, 16])
def test_another_scale_counts_from_where_it_is_stated(
    tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.ingest.tdms import tdms_blocks

    monkeypatch.setattr(tdms_blocks, "BLOCK_BYTES", block)
    path = written(
        tmp_path,
        [("a", noise(50), scales(linear(0, 2.0, 1.0)))],
        [("a", noise(50, seed=1), scales(linear(0, 4.0, 0.0)))],
    )
    a = ingested(path, tmp_path).channels["g/a"]
    expected = np.concatenate([2.0 * noise(50) + 1.0, 4.0 * noise(50, seed=1)])
    np.testing.assert_allclose(a.scaled(), expected, rtol=1e-12)


@pytest.mark.parametrize("other", ["A", "furlongs of nothing", "", "degC"])
def test_another_unit_that_does_not_convert_leaves_raw_values(tmp_path: Path, other: str) -> None:
    path = written(
        tmp_path,
        [("a", noise(5), {"unit_string": "V"}), ("b", noise(5), {"unit_string": "V"})],
        [("a", noise(5), {"unit_string": other})],
    )
    source = ingested(path, tmp_path)
    a = source.channels["g/a"]
    assert (a.unit, a.dtype) == ("", np.int16)
    assert f"goes from 'V' to {other!r} between segments" in notes(source)
    assert source.channels["g/b"].unit == "V"


# Types that are not read


@pytest.mark.parametrize("size", [10, 16])
@pytest.mark.parametrize("code", [0x0B, 0x1B])
@pytest.mark.parametrize("interleaved", [False, True])
def test_extended_floats_leave_the_other_channels_whole(
    tmp_path: Path, code: int, size: int, interleaved: bool
) -> None:
    n = 50
    table = np.zeros(n, dtype=[("a", "<i2"), ("x", f"V{size}"), ("y", f"V{size}"), ("b", "<f8")])
    table["a"], table["b"] = noise(n), noise(n, "float64")
    columns = [("a", 2), ("x", code), ("y", code), ("b", 10)]
    objects = [tdms_object(f"/'g'/'{c}'", plain_index(t, n)) for c, t in columns]
    if interleaved:
        data = table.tobytes()
    else:
        data = b"".join(np.ascontiguousarray(table[c]).tobytes() for c, _ in columns)
    path = tmp_path / "x.tdms"
    path.write_bytes(segment(TOC | (TOC_INTERLEAVED if interleaved else 0), objects, 3 * data))
    source = ingested(path, tmp_path)
    assert set(source.channels) == {"g/a", "g/b"}
    np.testing.assert_array_equal(source.channels["g/a"].raw(), np.tile(noise(n), 3))
    np.testing.assert_array_equal(source.channels["g/b"].raw(), np.tile(noise(n, "float64"), 3))
    assert (
        "g/x, g/y: its values are of a kind that is not read (extended float): it is not stored"
    ) in notes(source)


@pytest.mark.parametrize("size", [10, 12, 16])
@pytest.mark.parametrize("code", [0x0B, 0x1B])
def test_a_property_of_extended_float_costs_no_more_than_itself(
    tmp_path: Path, code: int, size: int
) -> None:
    """How many bytes it takes is found from what follows: only one size makes sense of it."""
    odd = (code, struct.pack("<d", 0.1) + bytes(range(1, size - 7)))
    data = noise(6, "float64").tobytes()
    a, b = (plain_index(10, 3),) * 2
    path = tmp_path / "x.tdms"
    path.write_bytes(
        segment(
            TOC,
            [
                tdms_object("/", NO_DATA, {"gain": odd, "operator": "M. Curie"}),
                tdms_object("/'g'/'a'", a, {"wf_increment": odd, "unit_string": "V"}),
                tdms_object("/'g'/'b'", b, {"wf_increment": 0.5, "odd": odd}),
            ],
            data,
        )
        + segment(
            TOC, [tdms_object("/'g'/'a'", a, {"gain": odd}), tdms_object("/'g'/'b'", b)], data
        )
    )
    source = ingested(path, tmp_path)
    a, b = source.channels["g/a"], source.channels["g/b"]
    assert (a.unit, a.x_unit, b.dt, b.x_unit) == ("V", "", 0.5, "s")
    np.testing.assert_array_equal(b.raw(), np.tile(noise(6, "float64")[3:], 2))
    assert source.properties["gain"] == "(extended float: not read)"
    told = notes(source)
    for name, whose in (("gain", "the file, g/a"), ("wf_increment", "g/a"), ("odd", "g/b")):
        assert f"{whose}: the value of its property {name} is unknown (extended float: " in told


def test_two_odd_kinds_of_property_leave_no_certain_size(tmp_path: Path) -> None:
    one = tdms_object(
        "/'g'/'a'", plain_index(10, 1), {"p": (0x0B, bytes(10)), "q": (0x4F, bytes(8))}
    )
    path = tmp_path / "x.tdms"
    path.write_bytes(segment(TOC, [one], bytes(8)))
    assert "property p is of a kind that is not read" in outcome_of(path, tmp_path).reason


def odd_index(code: int, count: int, *, n_bytes: int | None = None, more: bytes = b"") -> bytes:
    stated = b"" if n_bytes is None else struct.pack("<Q", n_bytes)
    head = struct.pack("<IIIQ", 20 + len(stated) + len(more), code, 1, count)
    return head + stated + more


@pytest.mark.parametrize(
    ("index", "n_bytes"),
    [
        (odd_index(0x4F, 6), 48),
        (odd_index(0x4F, 6, more=bytes(20)), 48),
        (odd_index(0x77, 6, n_bytes=33), 33),
        (odd_index(0x77, 6), 24),
    ],
)
def test_other_types_that_are_not_known_leave_the_others(
    tmp_path: Path, index: bytes, n_bytes: int
) -> None:
    objects = [
        tdms_object("/'g'/'odd'", index),
        tdms_object("/'g'/'a'", plain_index(3, 7), {"unit_string": "V"}),
    ]
    data = bytes(n_bytes) + np.arange(7, dtype="<i4").tobytes()
    path = tmp_path / "x.tdms"
    path.write_bytes(segment(TOC, objects, data))
    source = ingested(path, tmp_path)
    assert source.channels["g/a"].raw().tolist() == list(range(7))
    assert "g/odd: its values are of a kind that is not read" in notes(source)


def test_values_among_others_of_unknown_size_are_not_guessed(tmp_path: Path) -> None:
    """Six values of 4 bytes beside 4 bytes each: one chunk with 4, or two with fewer?"""
    objects = [
        tdms_object("/'g'/'odd'", odd_index(0x77, 6)),
        tdms_object("/'g'/'a'", plain_index(3, 6)),
    ]
    later = [tdms_object("/'g'/'b'", plain_index(3, 3))]
    path = tmp_path / "x.tdms"
    path.write_bytes(segment(TOC, objects, bytes(72)) + segment(TOC, later, bytes(12)))
    source = ingested(path, tmp_path)
    assert set(source.channels) == {"g/b"}
    assert "g/odd, g/a: values of type 0x77, of unknown size, lie among its own" in notes(source)
    assert set(source.properties["left_out"]) == {"g/odd", "g/a"}


def test_interleaved_channels_of_different_lengths_are_left_out(tmp_path: Path) -> None:
    objects = [tdms_object(f"/'g'/'{c}'", plain_index(3, n)) for c, n in (("a", 6), ("b", 5))]
    good = [tdms_object("/'g'/'c'", plain_index(3, 3))]
    path = tmp_path / "x.tdms"
    path.write_bytes(
        segment(TOC | TOC_INTERLEAVED, objects, bytes(44)) + segment(TOC, good, bytes(12))
    )
    source = ingested(path, tmp_path)
    assert set(source.channels) == {"g/c"}
    assert "interleaved channels have different lengths: it is not stored" in notes(source)


def test_a_channel_that_changes_its_type_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "x.tdms"
    good = tdms_object("/'g'/'b'", plain_index(3, 2))
    path.write_bytes(
        segment(TOC, [tdms_object("/'g'/'a'", plain_index(2, 2)), good], bytes(12))
        + segment(TOC, [tdms_object("/'g'/'a'", plain_index(10, 2)), good], bytes(24))
    )
    source = ingested(path, tmp_path)
    assert set(source.channels) == {"g/b"}
    assert source.channels["g/b"].n == 4
    assert "g/a: the type of its values changes" in notes(source)


def test_values_of_a_group_are_no_channel(tmp_path: Path) -> None:
    path = tmp_path / "x.tdms"
    objects = [
        tdms_object("/'g'", plain_index(3, 2), {"Tstart": 1.0, "SampleTime": 0.5}),
        tdms_object("/'g'/'a'", plain_index(3, 2)),
    ]
    path.write_bytes(segment(TOC, objects, struct.pack("<4i", 1, 2, 3, 4)))
    source = ingested(path, tmp_path)
    a = source.channels["g/a"]
    assert (a.raw().tolist(), a.t0, a.dt) == ([3, 4], 1.0, 0.5)
    assert "g: it is no channel of a group: it is not stored" in notes(source)


def test_a_file_of_which_nothing_can_be_read_says_why(tmp_path: Path) -> None:
    path = tmp_path / "x.tdms"
    path.write_bytes(segment(TOC, [tdms_object("/'g'/'a'", plain_index(0x0B, 5))], bytes(50)))
    outcome = outcome_of(path, tmp_path)
    assert outcome.status == "quarantined"
    assert "no channel of x.tdms can be read: g/a: its values are of a kind" in outcome.reason


# DAQmx


def test_a_sum_of_two_scalers_of_a_card_is_computed(tmp_path: Path) -> None:
    rows = np.zeros(300, dtype=[("a", "<i2"), ("b", "<i2")])
    rows["a"], rows["b"] = noise(300), noise(300, seed=1)
    added = scale("Add", 2, Left_Operand_Input_Source=0, Right_Operand_Input_Source=1)
    own = {"NI_Number_Of_Scales": 3, "unit_string": "V"} | added
    index = daqmx_index(100, [(3, 0, 0, 0), (3, 2, 1, 0)], 4)
    path = tmp_path / "x.tdms"
    toc = TOC | TOC_DAQMX
    path.write_bytes(segment(toc, [tdms_object("/'card'/'a'", index, own)], rows.tobytes()))
    a = ingested(path, tmp_path).channels["card/a"]
    expected = rows["a"].astype(float) + rows["b"]
    np.testing.assert_array_equal(a.raw(), expected)
    assert a.unit == "V"


def test_counts_of_a_card_with_a_unit_but_no_scale_have_none(tmp_path: Path) -> None:
    index = daqmx_index(3, [(3, 0, 0, 0)], 2)
    path = tmp_path / "x.tdms"
    data = np.arange(3, dtype="<i2").tobytes()
    path.write_bytes(
        segment(TOC | TOC_DAQMX, [tdms_object("/'card'/'a'", index, {"unit_string": "V"})], data)
    )
    source = ingested(path, tmp_path)
    assert source.channels["card/a"].unit == ""
    assert "holds raw DAQmx values in 'V', unscaled" in notes(source)


@pytest.mark.parametrize(
    ("index", "why"),
    [
        (daqmx_index(3, [(3, 7, 0, 0)], 8), "its scaler 0 lies outside of the card's rows"),
        (daqmx_index(3, [(3, 2, 0, 5)], 8), "its scaler 0 lies outside of the card's rows"),
        (daqmx_index(3, [(99, 2, 0, 0)], 8), "its scaler 0 has the unknown type 99"),
        (daqmx_index(3, [(3, 0, 1, 0), (3, 2, 1, 0)], 8), "it has two scalers 1"),
        (daqmx_index(2, [(3, 2, 0, 0)], 8), "it has 2 values in a buffer of 3 rows"),
        (daqmx_index(3, [], 8), "it has no scalers"),
    ],
)
def test_a_card_s_odd_channel_leaves_the_others(tmp_path: Path, index: bytes, why: str) -> None:
    rows = np.zeros(3, dtype=[("a", "<i2"), ("", "V6")])
    rows["a"] = [5, 6, 7]
    objects = [
        tdms_object("/'card'/'a'", daqmx_index(3, [(3, 0, 0, 0)], 8)),
        tdms_object("/'card'/'odd'", index),
    ]
    path = tmp_path / "x.tdms"
    path.write_bytes(segment(TOC | TOC_DAQMX, objects, rows.tobytes()))
    source = ingested(path, tmp_path)
    assert source.channels["card/a"].raw().tolist() == [5, 6, 7]
    assert f"card/odd: {why}" in notes(source)


def test_scalers_of_a_card_each_have_their_times(tmp_path: Path) -> None:
    rows = np.arange(12, dtype="<i2").tobytes()
    index = daqmx_index(3, [(3, 0, 0, 0), (3, 2, 1, 0)], 4)
    first, second = ({"wf_increment": 0.1, "wf_start_offset": t} for t in (0.0, 5.0))
    path = tmp_path / "x.tdms"
    toc = TOC | TOC_DAQMX
    path.write_bytes(
        segment(toc, [tdms_object("/'c'/'a'", index, first)], rows[:12])
        + segment(toc, [tdms_object("/'c'/'a'", index, second)], rows[12:])
    )
    source = ingested(path, tmp_path)
    for name in ("c/a", "c/a [scaler 1]"):
        np.testing.assert_allclose(source.channels[name].time(), [0, 0.1, 0.2, 5.0, 5.1, 5.2])
    assert source.channels["c/a [scaler 1]"].raw().tolist() == [1, 3, 5, 7, 9, 11]


def test_a_truth_is_one_whatever_its_byte_says(tmp_path: Path) -> None:
    path = tmp_path / "x.tdms"
    path.write_bytes(segment(TOC, [tdms_object("/'g'/'a'", plain_index(0x21, 4))], b"\0\1\2\xff"))
    assert ingested(path, tmp_path).channels["g/a"].raw().tolist() == [0, 1, 1, 1]


# Texts and names


def test_texts_of_windows_are_read(tmp_path: Path) -> None:
    own = {"unit_string": "µs".encode("cp1252"), "wf_increment": 1.0}
    texts = ["größer".encode("cp1252"), "grün".encode()]
    body = struct.pack("<2I", len(texts[0]), sum(map(len, texts))) + b"".join(texts)
    objects = [
        tdms_object("/'Größe'/'a'".encode("cp1252"), plain_index(3, 2), own),
        tdms_object("/'g'/'t'", struct.pack("<IIIQQ", 28, 0x20, 1, 2, len(body))),
    ]
    path = tmp_path / "x.tdms"
    path.write_bytes(segment(TOC, objects, bytes(8) + body))
    source = ingested(path, tmp_path)
    assert source.channels["Größe/a"].unit == "µs"
    assert source.properties["texts"]["g/t"] == ["größer", "grün"]


def test_names_that_come_to_the_same_are_kept_apart(tmp_path: Path) -> None:
    names = [("a", "b/c"), ("a/b", "c"), ("a", "B/C"), ("it's", "a''b"), ("a", "z"), ("a", "z.re")]
    values = [np.full(2, float(k)) for k in range(6)]
    values[4] = values[4] + 0.5j
    path = tmp_path / "x.tdms"
    with TdmsWriter(path) as w:
        w.write_segment([ChannelObject(g, c, v) for (g, c), v in zip(names, values, strict=True)])
    source = ingested(path, tmp_path)
    found = {p: c.raw()[0] for p, c in source.channels.items()}
    assert found == {
        "a/b/c": 0.0,
        "a/b/c (2)": 1.0,
        "a/B/C": 2.0,
        "it's/a''b": 3.0,
        "a/z.re (2)": 4.0,
        "a/z.im": 0.5,
        "a/z.re": 5.0,
    }
    assert "a/b/c (2): its name is taken" in notes(source)


def test_what_hdf5_cannot_keep_is_no_reason_to_lose_a_file(tmp_path: Path) -> None:
    objects = [
        tdms_object("/'g'/'a\0b'", plain_index(3, 1), {"unit_string": "V\0"}),
        tdms_object("/'g'/'" + "x" * 70_000 + "'", plain_index(3, 1)),
        tdms_object("/'g'/'c'", plain_index(3, 1), {"unit_string": "y" * 70_000}),
        tdms_object("/", NO_DATA, {"WriterName": "z" * 70_000, "notes": "mine", "salvaged": "no"}),
    ]
    path = tmp_path / "x.tdms"
    path.write_bytes(segment(TOC, objects, struct.pack("<3i", 1, 2, 3)))
    source = ingested(path, tmp_path)
    assert {p: c.raw().tolist() for p, c in source.channels.items()} == {"g/a�b": [1], "g/c": [3]}
    assert source.channels["g/a�b"].unit == "V�"
    assert source.channels["g/c"].unit == ""
    assert source.properties["notes (of the file)"] == "mine"
    assert "salvaged" not in source.properties
    assert "its name has 70007 characters: it is not stored" in notes(source)
