"""HDF5 files from elsewhere: what is not theirs is not read, what is odd does not lose the rest."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from h5py import h5a, h5f, h5o, h5s, h5t

from ishtar.store import SourceFile
from runner.ingest.hdf5 import h5_attributes, h5_structure, h5archive
from runner.ingest.ingest_errors import IngestStopped
from tests.hdf5_fakes import GOOD, Written, good, ingest

# What lies in other files


def test_external_storage_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"root:x:0:0" * 10)

    def fill(f: h5py.File) -> None:
        good(f)
        f.create_dataset("g/U", (100,), "u1", external=[(str(secret), 0, 100)])

    os.utime(secret, (0, 0))
    written = Written(tmp_path, fill)
    assert "external storage: the values of g/U lie in 1 other file" in written.refused
    assert not list((tmp_path / "workspace").rglob("*.h5.h5"))
    assert secret.stat().st_atime == 0  # never read


@pytest.mark.parametrize("n_sources", [0, 1])
def test_a_virtual_dataset_is_left_out_whether_its_source_is_there_or_not(
    tmp_path: Path, n_sources: int
) -> None:
    if n_sources:
        with h5py.File(tmp_path / "source.h5", "w") as f:
            f["x"] = np.arange(9.0)

    def fill(f: h5py.File) -> None:
        good(f)
        layout = h5py.VirtualLayout((9,), "f8")
        layout[:] = h5py.VirtualSource(str(tmp_path / "source.h5"), "x", (9,))
        f.create_virtual_dataset("g/U", layout)

    written = Written(tmp_path, fill)
    assert written.paths == ["good/U"]
    assert "g/U is left out: it is a virtual dataset" in written.reason


def test_the_other_files_of_a_virtual_dataset_are_not_even_opened(tmp_path: Path) -> None:
    source = tmp_path / "source.h5"
    with h5py.File(source, "w") as f:
        f.create_dataset("x", data=np.arange(3.0), maxshape=(None,), chunks=(10,))

    def fill(f: h5py.File) -> None:
        good(f)
        layout = h5py.VirtualLayout((3,), "f8", maxshape=(None,))
        values = h5py.VirtualSource(str(source), "x", (3,), maxshape=(None,))
        layout[: h5s.UNLIMITED] = values[: h5s.UNLIMITED]
        f.create_virtual_dataset("U", layout)
        f.flush()
        os.utime(source, (0, source.stat().st_mtime))

    Written(tmp_path, fill, libver="latest")
    assert source.stat().st_atime == 0
    source.read_bytes()
    if source.stat().st_atime == 0:
        pytest.skip("this file system does not tell who read a file")


def test_a_file_of_which_nothing_can_be_stored_is_refused(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((9,), "f8")
    layout[:] = h5py.VirtualSource(str(tmp_path / "none.h5"), "x", (9,))
    written = Written(tmp_path, lambda f: f.create_virtual_dataset("U", layout))
    assert "nothing in it can be stored: U is left out" in written.refused


def test_links_into_other_files_are_never_followed(tmp_path: Path) -> None:
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as f:
        f["g/U"] = np.arange(5.0)

    def fill(f: h5py.File) -> None:
        good(f)
        f["U"] = h5py.ExternalLink(str(other), "/g/U")
        f["group"] = h5py.ExternalLink(str(other), "/g")
        f["round"] = h5py.SoftLink("/group/U")  # HDF5 itself would go there

    os.utime(other, (0, 0))
    written = Written(tmp_path, fill)
    assert written.paths == ["good/U"]
    assert other.stat().st_atime == 0
    for link in ("U", "group"):
        assert f"{link} is a link into another file and is not followed" in written.reason
    assert "the link round → /group/U is left out: it leads into another file" in written.reason


# Links within the file


def test_a_dataset_with_many_names_is_stored_once_and_the_names_are_kept(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        f["a/U"] = np.arange(5.0)
        f["b/hard"] = f["a/U"]
        f["b/soft"] = h5py.SoftLink("/a/U")
        f["b/relative"] = h5py.SoftLink("./soft")
        f["b/all"] = h5py.SoftLink("/a")
        f["a/loop"] = f["/"]
        f["b/dangling"] = h5py.SoftLink("/nowhere/U")
        f["b/through"] = h5py.SoftLink("/a/U/deeper")
        f["b/ping"] = h5py.SoftLink("/b/pong")
        f["b/pong"] = h5py.SoftLink("/b/ping")

    written = Written(tmp_path, fill)
    assert written.paths == ["a/U"]
    assert written.source.properties["links"] == {
        "a/loop": "",
        "b/all": "a",
        "b/hard": "a/U",
        "b/relative": "a/U",
        "b/soft": "a/U",
    }
    assert "stored once under the first name: a/loop → /, b/hard → a/U" in written.reason
    for link in ("dangling → /nowhere/U", "through → /a/U/deeper"):
        assert f"the link b/{link} is left out: its target is missing" in written.reason
    assert "the link b/ping → /b/pong is left out: links lead to each other" in written.reason


def test_links_that_double_at_every_step_end(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        good(f)
        for i in range(14):
            f[f"l{i}"] = h5py.SoftLink("/".join([f"l{i + 1}"] * 8))
        f["l14"] = h5py.SoftLink("/")

    written = Written(tmp_path, fill)
    assert written.paths == ["good/U"]
    assert "the file has too many links" in written.reason


def test_groups_without_end_are_cut_off(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        good(f)
        group = f.create_group("deep")
        for _ in range(60):
            group = group.create_group("g")
        group["U"] = GOOD

    written = Written(tmp_path, fill)
    assert written.paths == ["good/U"]
    assert "groups deeper than 50 levels are left out" in written.reason


def test_more_objects_than_any_shot_has_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(h5_structure, "MAX_LINKS", 50)
    written = Written(tmp_path, lambda f: [f.create_group(f"{i}") for i in range(60)])
    assert "more than 50 groups and datasets" in written.refused


def test_more_channels_than_any_shot_has_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(h5archive, "MAX_CHANNELS", 5)
    written = Written(tmp_path, lambda f: f.create_dataset("g/U", data=np.ones((80, 6))))
    assert "more than 5 channels" in written.refused


def test_notes_do_not_grow_with_what_is_odd(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        good(f)
        for i in range(100):
            f[f"links/{i:03d}"] = h5py.ExternalLink("x.h5", "/")

    source = Written(tmp_path, fill).source
    assert len(source.properties["notes"]) == 41
    assert source.properties["notes"][-1].startswith("and 60 more notes")


# Attributes


def test_attributes_of_any_kind_and_encoding_do_not_lose_the_samples(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        good(f)
        attrs = f["good"].attrs
        attrs[b"Gr\xf6\xdfe"] = 1.5
        attrs["Dicke"] = np.bytes_(b"d\xfcnn")
        attrs["ende"] = np.bytes_(b"bis hier\0nicht")
        attrs["leer"] = h5py.Empty("f8")
        attrs["nan"] = [np.nan, np.inf, 1.0]
        attrs["komplex"] = 1 + 2j
        attrs["ja"] = True
        attrs["lang"] = np.longdouble(0.5)
        attrs["gross"] = 2**63 + 1
        attrs["texte"] = ["a", "ö"]
        attrs["ref"] = f["good/U"].ref
        attrs["record"] = np.array((1, 2.0), dtype=[("a", "i4"), ("b", "f8")])
        attrs["void"] = np.void(b"abc\x01")
        lists = np.empty(2, dtype=object)
        lists[:] = np.arange(2, dtype="i4"), np.arange(3, dtype="i4")
        attrs.create("lists", lists, dtype=h5py.vlen_dtype("i4"))
        attrs["enum"] = np.array(3, dtype=h5py.enum_dtype({"x": 3}))

    written = Written(tmp_path, fill)
    np.testing.assert_array_equal(written["good/U"].raw(), GOOD)
    assert written.source.properties["groups"]["good"] == {
        "Dicke": "dünn",
        "Größe": 1.5,
        "ende": "bis hier",
        "enum": 3,
        "gross": 2**63 + 1,
        "ja": True,
        "komplex": "(1+2j)",
        "lang": 0.5,
        "leer": None,
        "nan": ["nan", "inf", 1.0],
        "texte": ["a", "ö"],
    }
    for name, what in {
        "ref": "references",
        "record": "records",
        "void": "bytes of an unknown kind",
        "lists": "lists of any length",
    }.items():
        assert f"attribute '{name}' of good is left out: it holds {what}" in written.reason


def test_a_text_that_claims_to_be_utf8_and_is_not_is_read_as_windows_has_it(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        good(f)
        kind = h5t.TypeID.copy(h5t.C_S1)
        kind.set_size(h5t.VARIABLE)
        kind.set_cset(h5t.CSET_UTF8)
        attribute = h5a.create(f["good"].id, b"text", kind, h5s.create(h5s.SCALAR))
        attribute.write(np.array(b"Gr\xf6\xdfe", dtype=h5py.string_dtype()))

    assert Written(tmp_path, fill).source.properties["groups"]["good"] == {"text": "Größe"}


def test_names_of_groups_and_datasets_may_have_any_encoding(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        f.create_group(b"Gr\xf6\xdfe")[b"\xb5A"] = GOOD
        f["Größe/µA"] = GOOD + 1  # the same text in another encoding

    written = Written(tmp_path, fill)
    assert sorted(written.paths) == ["Größe/µA", "Größe/µA 2"]
    first = {int(written[path].raw()[0]) for path in written.paths}
    assert first == {0, 1}


def test_what_nobody_can_see_in_a_name_is_written_out(tmp_path: Path) -> None:
    names = {
        "line\nend": "line\\nend",
        "\x1b[31mred": "\\x1b[31mred",
        "a\u202eb": "a\\u202eb",
        "Größe\xa0[V]": "Größe\xa0[V]",
        "Strom\xadstärke": "Strom\xadstärke",
    }

    def fill(f: h5py.File) -> None:
        for name in names:
            f[f"g/{name}"] = np.arange(5.0)

    assert sorted(Written(tmp_path, fill).paths) == sorted(f"g/{shown}" for shown in names.values())


def test_attributes_without_measure_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(h5_attributes, "MAX_ATTRIBUTES", 30)
    monkeypatch.setattr(h5_attributes, "ALL_OF_A_FILE", 3000)

    def fill(f: h5py.File) -> None:
        good(f)
        f["good"].attrs["table"] = np.zeros(9000)
        for i in range(40):
            f["good/U"].attrs[f"a{i:02d}"] = np.zeros(20)

    written = Written(tmp_path, fill, libver="latest")
    assert written["good/U"].n == 20
    assert "attribute 'table' of good is left out: it holds 9000 values" in written.reason
    assert "good/U has more than 30 attributes" in written.reason
    assert "the file has too many of them" in written.reason
    assert len(written["good/U"].properties) < 25


def test_attributes_named_like_ours_do_not_mix_with_them(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        good(f)
        for name in ("texts", "notes", "groups", "scalars", "links"):
            f.attrs[name] = "theirs"
        f["good/text"] = "hello"
        f["good/number"] = 2.5
        f["good/U"].attrs["time_base"] = "S7/Time"

    source = Written(tmp_path, fill).source
    assert source.properties["texts"] == {"good/text": "hello"}
    assert source.properties["scalars"] == {"good/number": 2.5}
    assert source.properties["texts (attribute)"] == "theirs"
    assert source.channels["good/U"].properties["time_base"] == "samples"


# Whose fault it is


def damaged_chunk(path: Path) -> None:
    """Write a file with one gzip chunk of which some bytes were lost."""
    with h5py.File(path, "w") as f:
        good(f)
        data = np.random.default_rng(1).normal(size=4000)
        dataset = f.create_dataset("g/U", data=data, chunks=(1000,), compression="gzip")
        place = dataset.id.get_chunk_info_by_coord((2000,)).byte_offset
    with path.open("r+b") as file:
        file.seek(place + 40)
        file.write(b"\xff" * 40)


def test_a_damaged_chunk_is_named_and_the_file_refused(tmp_path: Path) -> None:
    path = tmp_path / "00007_Data.h5"
    damaged_chunk(path)
    outcome = ingest(path)
    assert outcome.status == "quarantined"
    assert "is damaged: g/U: its chunk at 2000: it cannot be decompressed" in outcome.reason
    assert outcome.reason.endswith("copy it again from its source")


@pytest.mark.parametrize("code", [2, 13, 22, 27, None])
def test_what_hdf5_says_of_the_disk_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int | None
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OSError(code, "Can't synchronously read data (no such thing)")

    monkeypatch.setattr(h5o, "get_info", fails)
    assert "no such thing" in Written(tmp_path, good).refused


@pytest.mark.parametrize("code", [5, 116])
def test_a_disk_or_share_that_fails_is_not_the_fault_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(h5f, "open", fails)
    with pytest.raises(IngestStopped):
        Written(tmp_path, good)


def test_a_file_that_the_system_cannot_read_either_stops_the_ingest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: Any, **__: Any) -> None:
        raise OSError("Unable to synchronously open file (read failed)")

    def refuses(self: Path, mode: str = "r", **options: Any) -> Any:
        if options.get("buffering") == 0 and self.name == "00007_Data.h5":
            raise OSError(5, "Input/output error")
        return opened(self, mode, **options)

    opened = Path.open
    monkeypatch.setattr(h5f, "open", unreadable)
    monkeypatch.setattr(Path, "open", refuses)
    with pytest.raises(IngestStopped):
        Written(tmp_path, good)


def test_a_file_that_its_writer_has_not_closed_waits(tmp_path: Path) -> None:
    path, copy = tmp_path / "open.h5", tmp_path / "00007_Data.h5"
    with h5py.File(path, "w", libver="latest") as f:
        good(f)
        f.flush()
        copy.write_bytes(path.read_bytes())
    outcome = ingest(copy, incoming=True, unchanged_for_s=1.0)
    assert outcome.status == "waiting"
    outcome = ingest(copy)
    assert outcome.status == "quarantined"
    assert "was not closed by the program that writes it" in outcome.reason


def test_every_cut_of_a_file_waits_and_no_cut_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "00007_Data.h5"
    with h5py.File(path, "w") as f:
        good(f)
        f.create_dataset("g/U", data=np.arange(400.0), chunks=(100,), compression="gzip")
    whole = path.read_bytes()
    for size in [*range(96, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:size])
        outcome = ingest(path, incoming=True, unchanged_for_s=1.0)
        assert outcome.status == "waiting", (size, outcome.reason)


def test_a_lock_that_somebody_holds_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "00007_Data.h5"
    with h5py.File(path, "w") as f:
        good(f)
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert ingest(path).status == "stored"


# Kinds of files


@pytest.mark.parametrize("size", [512, 2048])
def test_a_block_of_others_may_stand_before_it(tmp_path: Path, size: int) -> None:
    def fill(f: h5py.File) -> None:
        good(f)
        f.create_dataset("good/I", data=GOOD + 1, chunks=(7,), compression="gzip")

    path = tmp_path / "00007_Data.h5"
    with h5py.File(path, "w", userblock_size=size) as f:
        fill(f)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file")
    channels = SourceFile(ingest(path).stored[0]).channels
    np.testing.assert_array_equal(channels["good/I"].raw(), GOOD + 1)


def test_a_file_of_matlab_gives_its_numbers_and_texts(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        f["U"] = np.arange(5.0).reshape(1, 5)
        f["U"].attrs["MATLAB_class"] = np.bytes_("double")
        f["name"] = np.frombuffer("Größe".encode("utf-16-le"), "<u2").reshape(-1, 1)
        f["name"].attrs["MATLAB_class"] = np.bytes_("char")
        f["#refs#/a"] = np.arange(3.0)
        f["cell"] = np.array([f["#refs#/a"].ref], dtype=h5py.ref_dtype)

    written = Written(tmp_path, fill, userblock_size=512)
    assert written.paths == ["U"]
    assert written["U"].raw().tolist() == [0, 1, 2, 3, 4]
    assert written.source.properties["texts"] == {"name": "Größe"}
    assert "cell is left out: it holds references" in written.reason
    assert "#refs# has cells or objects of MATLAB" in written.reason


def test_the_header_of_another_format_in_a_text_makes_no_other_file_of_it(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        good(f)
        f.attrs["header"] = "LabVIEW Measurement\n***End_of_Header***\n"

    assert "good/U" in Written(tmp_path, fill).paths
