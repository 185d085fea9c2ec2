"""What the numbers of an HDF5 dataset become: types, tables, and the CF conventions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from h5py import h5d, h5s, h5t

from tests.hdf5_fakes import Written, good

CHUNKED = [{}, {"chunks": (2,), "compression": "gzip"}]


def write(f: h5py.File, data: Any, options: dict[str, Any], dtype: Any = None) -> h5py.Dataset:
    return f.create_dataset("U", data=np.asarray(data), dtype=dtype, **options)


# Types


@pytest.mark.parametrize("options", CHUNKED)
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (np.array([1, -2, 300], ">i2"), np.array([1, -2, 300], np.int16)),
        (np.array([1, 2**64 - 1], ">u8"), np.array([1, 2**64 - 1], np.uint64)),
        (np.array([1.5, np.nan, -np.inf], ">f4"), np.array([1.5, np.nan, -np.inf], np.float32)),
        (np.array([1.5, 65504, 6e-8], "<f2"), np.array([1.5, 65504, 6e-8], "f2").astype("f4")),
        (np.array([True, False, True]), np.array([1, 0, 1], np.uint8)),
    ],
)
def test_numbers_keep_their_values_and_where_it_can_be_their_type(
    tmp_path: Path, options: dict[str, Any], data: Any, expected: Any
) -> None:
    channel = Written(tmp_path, lambda f: write(f, data, options))["U"]
    assert channel.dtype == expected.dtype
    np.testing.assert_array_equal(channel.raw(), expected)


@pytest.mark.parametrize("options", CHUNKED)
def test_names_for_numbers_leave_the_numbers(tmp_path: Path, options: dict[str, Any]) -> None:
    names = h5py.enum_dtype({"off": 0, "on": 300}, basetype=">i2")
    channel = Written(tmp_path, lambda f: write(f, [0, 300, 7], options, names))["U"]
    assert channel.dtype == np.int16
    assert channel.raw().tolist() == [0, 300, 7]


@pytest.mark.parametrize("options", CHUNKED)
def test_complex_numbers_become_two_channels(tmp_path: Path, options: dict[str, Any]) -> None:
    data = np.array([1 + 2j, -3.5 - 4j, 0], ">c8")
    written = Written(tmp_path, lambda f: write(f, data, options))
    assert written.paths == ["U.im", "U.re"]
    assert written["U.im"].dtype == np.float32
    assert written["U.re"].raw().tolist() == [1, -3.5, 0]
    assert written["U.im"].raw().tolist() == [2, -4, 0]


@pytest.mark.parametrize("options", CHUNKED)
def test_wide_numbers_are_rounded_and_that_is_said(tmp_path: Path, options: dict[str, Any]) -> None:
    data = np.array([1.25, 1 / np.longdouble(3)], np.longdouble)
    written = Written(tmp_path, lambda f: write(f, data, options))
    assert written["U"].raw().tolist() == [1.25, 1 / 3]
    assert "U has numbers wider than 64 bits: rounded to 64" in written.reason


@pytest.mark.parametrize("options", CHUNKED)
def test_stamps_of_numpy_become_ns_since_1970(tmp_path: Path, options: dict[str, Any]) -> None:
    stamps = np.array(["2026-11-22T15:00:00", "2026-11-22T15:00:01"], "M8[ms]")
    kind = h5py.opaque_dtype(stamps.dtype)
    written = Written(tmp_path, lambda f: write(f, stamps.astype(kind), options, kind))
    assert written["U"].raw().tolist() == stamps.astype("M8[ns]").astype(int).tolist()


def test_integers_of_an_odd_number_of_bits_keep_their_values(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        kind = h5t.STD_I32LE.copy()
        kind.set_precision(24)
        kind.set_offset(4)
        dataset = h5d.create(f.id, b"U", kind, h5s.create_simple((3,)))
        dataset.write(h5s.ALL, h5s.ALL, np.array([5, -3, 2**22], np.int32))

    assert Written(tmp_path, fill)["U"].raw().tolist() == [5, -3, 2**22]


@pytest.mark.parametrize("options", CHUNKED)
def test_the_columns_of_a_record_become_channels(tmp_path: Path, options: dict[str, Any]) -> None:
    kind = [("U", ">f8"), ("I", "<i2"), ("on", "?"), ("name", "S3"), ("v", "f4", (2,))]
    data = np.array([(1.5, 2, True, b"abc", (1, 2)), (-2.5, 3, False, b"d", (3, 4))], kind)
    written = Written(tmp_path, lambda f: f.create_dataset("table", data=data, **options))
    assert written.paths == ["table.I", "table.U", "table.on"]
    assert written["table.U"].raw().tolist() == [1.5, -2.5]
    assert written["table.I"].raw().tolist() == [2, 3]
    assert written["table.on"].raw().tolist() == [1, 0]
    assert "table.name is left out: it holds no numbers" in written.reason
    assert "table.v is left out: it holds an array (2,) in each value" in written.reason


def test_what_holds_no_numbers_is_left_out_and_named(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        good(f)
        f["ref"] = np.array([f["good"].ref], dtype=h5py.ref_dtype)
        f["region"] = np.array([f["good/U"].regionref[:3]], dtype=h5py.regionref_dtype)
        lists = f.create_dataset("lists", (2,), dtype=h5py.vlen_dtype("i4"))
        lists[0] = [1, 2]
        f["void"] = np.array([b"ab", b"cd"], dtype="V2")
        f["array"] = np.zeros(3, dtype=np.dtype(("f4", (3,))))
        f.create_dataset("blocks", (2,), dtype=np.dtype(("f4", (3,))))[:] = np.zeros((2, 3))
        f["kind"] = np.dtype("i4")
        f["cube"] = np.zeros((2, 3, 4))
        f["texts"] = np.array([b"x" * 100] * 1000)
        records = np.array([(1, "x")], dtype=[("a", "i4"), ("b", h5py.string_dtype())])
        f["records"] = records

    written = Written(tmp_path, fill)
    assert written.paths == ["good/U"]
    for left_out in (
        "ref is left out: it holds references",
        "region is left out: it holds references",
        "lists is left out: it holds lists of any length",
        "void is left out: it holds no numbers",
        "blocks is left out: it holds an array (3,) in each value",
        "cube has the shape (2, 3, 4) and is not stored",
        "texts is left out: it holds 1000 texts",
        "records is left out: it holds records with texts or references (a, b)",
    ):
        assert left_out in written.reason


def test_texts_are_kept_whatever_they_are_written_as(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        f["vlen"] = "Größe"
        f["fixed"] = np.bytes_(b"Gr\xf6\xdfe\0\0")
        f["list"] = ["a", "ö"]
        f.create_dataset("packed", data=np.array([b"a", b"bc"]), chunks=(2,), compression="gzip")
        f.create_dataset("more", data=["x", "yz"], chunks=(2,), compression="gzip")

    assert Written(tmp_path, fill).source.properties["texts"] == {
        "fixed": "Größe",
        "list": ["a", "ö"],
        "more": ["x", "yz"],
        "packed": ["a", "bc"],
        "vlen": "Größe",
    }


def test_texts_of_a_damaged_chunk_are_not_read(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        texts = f.create_dataset("t", data=np.array([b"abcd"] * 50), chunks=(50,), fletcher32=True)
        texts.id.write_direct_chunk((0,), b"short")

    assert "is damaged: t: its chunk at 0" in Written(tmp_path, fill).refused


# Tables


@pytest.mark.parametrize("shape", [(40, 3), (3, 40)])
@pytest.mark.parametrize(
    "options", [{}, {"chunks": True}, {"chunks": (3, 2), "compression": "gzip"}]
)
def test_the_longer_axis_is_that_of_the_samples_where_it_is_clearly_longer(
    tmp_path: Path, shape: tuple[int, int], options: dict[str, Any]
) -> None:
    data = np.arange(120.0).reshape(40, 3)
    table = data if shape == data.shape else data.T

    def fill(f: h5py.File) -> None:
        f.create_dataset("g/U", data=table, **options)
        f["g"].attrs["sampling"] = 10.0

    written = Written(tmp_path, fill)
    assert written.paths == ["g/U.0", "g/U.1", "g/U.2"]
    for i in range(3):
        np.testing.assert_array_equal(written[f"g/U.{i}"].raw(), data[:, i])
    assert written["g/U.1"].dt == 0.1
    assert f"g/U has the shape {shape}: its 40 samples are stored as 3 channels" in written.reason


@pytest.mark.parametrize("shape", [(4, 5), (5, 4)])
def test_a_time_of_its_length_says_which_axis_is_that_of_the_samples(
    tmp_path: Path, shape: tuple[int, int]
) -> None:
    data = np.arange(20.0).reshape(5, 4)

    def fill(f: h5py.File) -> None:
        f["S7/U"] = data if shape == data.shape else data.T
        f["S7/Time"] = np.arange(5.0)

    written = Written(tmp_path, fill)
    np.testing.assert_array_equal(written["S7/U.3"].raw(), data[:, 3])
    np.testing.assert_allclose(written["S7/U.3"].time(), np.arange(5) / 1000)


def test_a_picture_is_no_set_of_channels(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        good(f)
        f["picture"] = np.zeros((480, 640), np.uint8)
        f["strip"] = np.zeros((300, 3000), np.uint8)

    written = Written(tmp_path, fill)
    assert written.paths == ["good/U"]
    assert "picture has the shape (480, 640) and is not stored" in written.reason
    assert "strip has the shape (300, 3000) and is not stored" in written.reason


# Climate and forecast conventions


def packed(tmp_path: Path, data: Any, **attributes: Any) -> Written:
    def fill(f: h5py.File) -> None:
        f["U"] = data
        f["U"].attrs.update(attributes)

    return Written(tmp_path, fill)


def test_scale_factor_and_add_offset_are_a_scale_of_the_raw_numbers(tmp_path: Path) -> None:
    written = packed(
        tmp_path, np.array([0, 100], np.int16), scale_factor=0.5, add_offset=-3.0, units="V"
    )
    channel = written["U"]
    assert channel.raw().tolist() == [0, 100]
    assert channel.dtype == np.int16
    assert channel.scale == [{"kind": "linear", "slope": 0.5, "intercept": -3.0}]
    assert channel.unit == "V"


@pytest.mark.parametrize("attributes", [{"scale_factor": "0,5"}, {"scale_factor": [0.5]}])
def test_a_factor_may_be_text_or_a_list_of_one(tmp_path: Path, attributes: dict[str, Any]) -> None:
    channel = packed(tmp_path, np.arange(3), **attributes)["U"]
    assert channel.scale == [{"kind": "linear", "slope": 0.5, "intercept": 0.0}]


@pytest.mark.parametrize(
    "attributes",
    [
        {"scale_factor": "half"},
        {"scale_factor": np.nan},
        {"scale_factor": 0.0},
        {"add_offset": [1.0, 2.0]},
        {"_Unsigned": "true"},
    ],
)
def test_a_scale_that_is_not_understood_leaves_raw_numbers_without_a_unit(
    tmp_path: Path, attributes: dict[str, Any]
) -> None:
    written = packed(tmp_path, np.arange(3), units="V", **attributes)
    channel = written["U"]
    assert (channel.scale, channel.unit) == ([], "")
    assert "which is not supported" in channel.properties["scale_missing"]
    assert "which is not supported: stored raw, without a unit" in written.reason


def test_a_scale_of_complex_numbers_is_not_guessed(tmp_path: Path) -> None:
    written = packed(tmp_path, np.array([1 + 1j]), scale_factor=2.0, units="V")
    assert (written["U.re"].scale, written["U.re"].unit) == ([], "")
    assert "which is not supported" in written.reason


@pytest.mark.parametrize(
    ("attributes", "n"),
    [
        ({"_FillValue": np.int16(-999)}, 1),
        ({"missing_value": [-999, 5]}, 2),
        ({"valid_range": [0, 4]}, 2),
        ({"valid_min": 0}, 1),
        ({"valid_max": "4"}, 1),
    ],
)
def test_what_is_called_missing_is_no_number(
    tmp_path: Path, attributes: dict[str, Any], n: int
) -> None:
    data = np.array([1, -999, 2, 5], np.int16)
    written = packed(tmp_path, data, scale_factor=2.0, **attributes)
    channel = written["U"]
    raw = channel.raw()
    assert channel.dtype == np.float32
    assert int(np.isnan(raw).sum()) == n
    np.testing.assert_array_equal(raw[~np.isnan(raw)], data[~np.isnan(raw)])
    assert f"{n} values of U are missing" in written.reason


def test_missing_numbers_among_floats_and_wide_integers(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        f["f"] = np.array([1, -999.9, np.nan], np.float32)
        f["f"].attrs["_FillValue"] = np.float32(-999.9)
        f["wider"] = np.array([1, -999.9, 3], dtype="f4")
        f["wider"].attrs["missing_value"] = -999.9  # 64 bits, as most programs write it
        f["nan"] = np.array([1.0, np.nan])
        f["nan"].attrs["_FillValue"] = np.nan
        f["i"] = np.array([1, 2**53 + 1, -1])
        f["i"].attrs["_FillValue"] = -1
        f["i32"] = np.array([2**31 - 1, -1], np.int32)
        f["i32"].attrs["_FillValue"] = np.int32(-1)

    written = Written(tmp_path, fill)
    np.testing.assert_array_equal(written["f"].raw(), np.array([1, np.nan, np.nan], np.float32))
    np.testing.assert_array_equal(written["wider"].raw(), [1, np.nan, 3])
    np.testing.assert_array_equal(written["nan"].raw(), [1.0, np.nan])
    np.testing.assert_array_equal(written["i32"].raw(), [2**31 - 1, np.nan])
    assert written["i"].raw().tolist() == [1, 2**53 + 1, -1]  # no float holds them all
    assert (
        "i has 64-bit numbers: those that it calls missing are stored as they are" in written.reason
    )


def test_what_netcdf_has_not_written_is_no_number(tmp_path: Path) -> None:
    fill_value = np.float64(9.969209968386869e36)

    def fill(f: h5py.File) -> None:
        dataset = f.create_dataset("U", (30,), "f8", chunks=(10,), fillvalue=fill_value)
        dataset[:5] = np.arange(5.0)

    written = Written(tmp_path, fill)
    expected = np.full(30, np.nan)
    expected[:5] = np.arange(5.0)
    np.testing.assert_array_equal(written["U"].raw(), expected)
    assert "25 values of U are missing" in written.reason


@pytest.mark.parametrize(
    ("attributes", "unit"),
    [
        ({"unit": "V"}, "V"),
        ({"units": np.bytes_("mV")}, "mV"),
        ({"Units": ["A"]}, "A"),
        ({"unit_string": "Pa"}, "Pa"),
        ({"unit": np.bytes_(b"V\0garbage")}, "V"),
        ({"units": "1"}, ""),
        ({"unit": 3.0}, ""),
        ({"unit": "x" * 200}, ""),
        ({"unit": h5py.Empty("f4")}, ""),
        ({}, ""),
    ],
)
def test_the_unit_is_read_as_people_write_it(
    tmp_path: Path, attributes: dict[str, Any], unit: str
) -> None:
    assert packed(tmp_path, np.arange(3.0), **attributes)["U"].unit == unit


@pytest.mark.parametrize("chunks", [None, (2,)])
@pytest.mark.parametrize(
    ("kind", "fill"),
    [("f4", 9.969209968386869e36), ("f8", 9.969209968386869e36), ("i2", -32767), ("u4", 2**32 - 1)],
)
def test_the_fill_values_of_netcdf_are_no_numbers(
    tmp_path: Path, chunks: Any, kind: str, fill: float
) -> None:
    def write(f: h5py.File) -> None:
        f.create_dataset("U", data=np.array([1, fill, 3], kind), chunks=chunks, fillvalue=fill)
        f.create_dataset("own", data=np.array([1, fill, 3], kind), chunks=chunks)

    written = Written(tmp_path, write)
    np.testing.assert_array_equal(written["U"].raw(), [1, np.nan, 3])
    assert "1 values of U are missing" in written.reason
    assert written["own"].raw().tolist() == np.array([1, fill, 3], kind).tolist()
