"""TDMS files that are cut, damaged or made to harm: what is whole is salvaged, no more."""

from __future__ import annotations

import io
import resource
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from nptdms import TdmsFile

from ishtar.store import Origin, SourceFile, SourceWriter
from runner.ingest import NotWhole, Rejected
from runner.ingest.context import Context
from runner.ingest.tdms.tdms_blocks import TdmsMetadata
from runner.ingest.tdms.tdms_converter import Tdms
from runner.simulate.tdms_files import ChannelBlock, TdmsWriter, truncate
from tests.ingest_fakes import SETTINGS
from tests.tdms_fakes import (
    AS_BEFORE,
    NO_DATA,
    TOC,
    TOC_DAQMX,
    TOC_INTERLEAVED,
    TOC_META,
    TOC_NEW,
    TOC_RAW,
    daqmx_index,
    ingested,
    noise,
    outcome_of,
    plain_index,
    segment,
    tdms_object,
)

pytestmark = pytest.mark.whole

UNFINISHED = 0xFFFFFFFFFFFFFFFF
A, B = "/'g'/'a'", "/'g'/'b'"


def converted(path: Path, *, salvage: bool) -> SourceFile:
    """Convert a file without what surrounds it, as `ishtar ingest --salvage` will."""
    target = path.with_suffix(".h5")
    origin = Origin(
        shot=7, source=path.name, size=1, sha256="", converter="", writer="", arrived=""
    )
    with SourceWriter(target, origin) as writer:
        context = Context(
            shot=7, settings=SETTINGS, writer=writer, report=lambda _: None, salvage=salvage
        )
        Tdms().convert(path, context)
        writer.properties["notes"] = context.notes
    return SourceFile(target)


def recording(path: Path, *, interleaved: bool, n_segments: int = 4, n: int = 100) -> Path:
    with path.open("wb") as f:
        writer = TdmsWriter(
            f, {"g/a": {"wf_increment": 0.1, "unit_string": "V"}}, interleaved=interleaved
        )
        for k in range(n_segments):
            a, b = noise(n + k, seed=k), noise(n + k, "float64", seed=k)
            writer.write(
                [
                    ChannelBlock(group="g", name="a", values=a),
                    ChannelBlock(group="g", name="b", values=b),
                ]
            )
    return path


# Salvage


@pytest.mark.parametrize("crashed", [False, True], ids=["cut copy", "LabVIEW crashed"])
@pytest.mark.parametrize("interleaved", [False, True], ids=["contiguous", "interleaved"])
def test_whole_segments_and_rows_of_a_cut_file_are_salvaged(
    tmp_path: Path, interleaved: bool, crashed: bool
) -> None:
    path = recording(tmp_path / "x.tdms", interleaved=interleaved)
    whole = ingested(path, tmp_path)
    size = path.stat().st_size
    left = truncate(path, segment=2, fraction=0.5, crashed=crashed)
    source = converted(path, salvage=True)
    n = 201 + (51 if interleaved else 0)
    for name in ("g/a", "g/b"):
        np.testing.assert_array_equal(source.channels[name].raw(), whole.channels[name].raw()[:n])
    assert source.channels["g/a"].dt == 0.1
    mark = source.properties["salvaged"]
    assert mark["of"] == left < size
    assert mark["segments"] == (3 if interleaved else 2)
    assert "its last segment, number 3, is incomplete" in mark["reason"]
    assert source.properties["notes"][0].startswith(f"salvaged: {mark['bytes']} of {left} bytes")
    starts = [s.next_segment_pos for s in TdmsMetadata(path, salvage=True).segments]
    assert mark["bytes"] == (left if interleaved else starts[1])


def test_whole_chunks_of_a_last_segment_are_salvaged(tmp_path: Path) -> None:
    """LabVIEW appends to a segment chunk by chunk while nothing but values changes."""
    objects = [tdms_object(A, plain_index(3, 2)), tdms_object(B, plain_index(3, 1))]
    data = np.arange(9, dtype="<i4").tobytes()
    path = tmp_path / "x.tdms"
    path.write_bytes(segment(TOC, objects, data[:-5], following=UNFINISHED))
    source = converted(path, salvage=True)
    assert source.channels["g/a"].raw().tolist() == [0, 1, 3, 4]
    assert source.channels["g/b"].raw().tolist() == [2, 5]
    assert source.properties["salvaged"]["bytes"] == path.stat().st_size - 7


def test_a_daqmx_recording_is_salvaged_row_by_row(tmp_path: Path) -> None:
    rows = np.arange(20, dtype="<i2")
    index = daqmx_index(5, [(3, 0, 0, 0)], 4)
    path = tmp_path / "x.tdms"
    toc = TOC | TOC_DAQMX
    path.write_bytes(
        segment(toc, [tdms_object(A, index)], rows.tobytes()[:-3], following=UNFINISHED)
    )
    assert converted(path, salvage=True).channels["g/a"].raw().tolist() == [*range(0, 18, 2)]


def test_every_cut_is_refused_with_the_remedy_or_salvaged_truly(tmp_path: Path) -> None:
    path = recording(tmp_path / "whole.tdms", interleaved=True, n_segments=3, n=4)
    data = path.read_bytes()
    whole = ingested(path, tmp_path)
    ends = [s.next_segment_pos for s in TdmsMetadata(path).segments]
    cut = tmp_path / "cut.tdms"
    for size in range(5, len(data), 7):
        cut.write_bytes(data[:size])
        if size in ends:  # cannot be told from a whole file
            assert "salvaged" not in converted(cut, salvage=True).properties
            continue
        with pytest.raises(NotWhole, match="ishtar ingest --salvage FILE"):
            TdmsMetadata(cut)
        if size < ends[0] - 3 * 10:  # not even a row
            with pytest.raises(NotWhole, match="nothing before that is whole: copy it again"):
                converted(cut, salvage=True)
            continue
        source = converted(cut, salvage=True)
        assert source.properties["salvaged"]["of"] == size
        for name, channel in source.channels.items():
            expected = whole.channels[name].raw()[: channel.n]
            np.testing.assert_array_equal(channel.raw(), expected)
        assert source.channels["g/a"].n >= sum(e <= size for e in ends) * 4


def test_a_whole_file_is_not_marked_as_salvaged(tmp_path: Path) -> None:
    path = recording(tmp_path / "x.tdms", interleaved=False)
    source = converted(path, salvage=True)
    assert "salvaged" not in source.properties
    assert source.properties["notes"] == []


def test_what_a_damaged_segment_says_of_channels_does_not_count(tmp_path: Path) -> None:
    """Its metadata are whole, its values are not: another unit and start, of no values at all."""
    good = segment(
        TOC,
        [tdms_object(A, plain_index(3, 2), {"unit_string": "V", "wf_increment": 0.1})],
        bytes(8),
    )
    bad = segment(
        TOC,
        [tdms_object(A, plain_index(3, 9), {"unit_string": "A", "wf_increment": 9.0})],
        bytes(20),
        following=UNFINISHED,
    )
    path = tmp_path / "x.tdms"
    path.write_bytes(good + bad)
    source = converted(path, salvage=True)
    a = source.channels["g/a"]
    assert (a.unit, a.dt, a.n) == ("V", 0.1, 2)
    assert source.properties["salvaged"]["bytes"] == len(good)


@pytest.mark.parametrize("tail", [b"garbage, and long enough for a lead-in", bytes(4096), b"TDSm"])
def test_what_is_no_segment_ends_a_salvage(tmp_path: Path, tail: bytes) -> None:
    path = recording(tmp_path / "x.tdms", interleaved=False)
    size = path.stat().st_size
    with path.open("ab") as f:
        f.write(tail)
    with pytest.raises(Rejected, match="--salvage"):
        TdmsMetadata(path)
    source = converted(path, salvage=True)
    assert source.properties["salvaged"]["bytes"] == size
    assert source.channels["g/a"].n == 406


def test_a_file_that_ends_in_zeros_may_still_be_copied(tmp_path: Path) -> None:
    path = recording(tmp_path / "x.tdms", interleaved=False)
    with path.open("ab") as f:
        f.write(bytes(1000))
    with pytest.raises(NotWhole, match="only zeros"):
        TdmsMetadata(path)


# Files made to harm


def crafted() -> dict[str, tuple[bytes, str]]:
    """Return files by what is wrong with them, and a part of the reason."""
    one = tdms_object(A, plain_index(3, 2))
    good = segment(TOC, [one], bytes(8))
    huge = 2**40
    text_index = struct.pack("<IIIQQ", 28, 0x20, 1, huge, 8)
    big_text = struct.pack("<I", 0xFFFFFFFF) + b"name"
    return {
        "2^32 objects": (segment(TOC, [one], bytes(8), n_objects=2**32 - 1), "longer than stated"),
        "2^32 properties": (
            segment(TOC, [tdms_object(A, plain_index(3, 2))[:-4] + b"\xff" * 4], bytes(8)),
            "longer than stated",
        ),
        "a name of 4 GB": (segment(TOC, [big_text], b""), "longer than stated"),
        "2^40 values": (
            segment(TOC, [tdms_object(A, plain_index(3, huge))], bytes(8)),
            "do not make chunks of 4398046511104 bytes",
        ),
        "2^64 values": (
            segment(TOC, [tdms_object(A, plain_index(3, 2**64 - 1))], bytes(8)),
            "do not make chunks",
        ),
        "2^40 texts": (segment(TOC, [tdms_object(A, text_index)], bytes(8)), "texts of"),
        "2^31 scalers": (
            segment(
                TOC, [tdms_object(A, struct.pack("<IIIQI", 0x1269, 0xFFFFFFFF, 1, 2, 2**31))], b""
            ),
            "scalers",
        ),
        "2^32 widths": (
            segment(
                TOC,
                [tdms_object(A, daqmx_index(2, [(3, 0, 0, 0)], 2)[:-8] + b"\xff" * 8)],
                bytes(4),
            ),
            "longer than stated",
        ),
        "no width": (
            segment(TOC, [tdms_object(A, daqmx_index(2, [(3, 0, 0, 0)], 0))], bytes(8)),
            "no channel for them",
        ),
        "rows shared a thousandfold": (
            segment(
                TOC,
                [
                    tdms_object(f"/'g'/'{k}'", daqmx_index(100, [(3, 0, 0, 0)], 2))
                    for k in range(1000)
                ],
                bytes(200),
            ),
            "share rows of 2 bytes",
        ),
        "values before the metadata end": (segment(TOC, [one], bytes(8), raw=4), "longer than"),
        "values behind the end": (
            segment(TOC, [one], bytes(8), raw=10_000, following=60),
            "its values begin after its end",
        ),
        "values that are not there": (segment(TOC_META | TOC_NEW, [one], bytes(8)), "states none"),
        "values of nobody": (
            segment(TOC, [tdms_object(A, NO_DATA)], bytes(8)),
            "no channel for them",
        ),
        "as before, but nothing was": (
            segment(TOC, [tdms_object(A, AS_BEFORE)], bytes(8)),
            "repeat the previous layout",
        ),
        "no metadata at all": (segment(TOC_RAW, [], bytes(8)), "no channel for them"),
        "listed twice": (segment(TOC, [one, one], bytes(16)), "lists /'g'/'a' twice"),
        "a lying index": (
            segment(TOC, [tdms_object(A, struct.pack("<IIIQ", 24, 3, 1, 2))], bytes(8)),
            "states 24 bytes of itself",
        ),
        "two dimensions": (
            segment(TOC, [tdms_object(A, struct.pack("<IIIQ", 20, 3, 2, 2))], bytes(8)),
            "2 dimensions",
        ),
        "half a row": (
            segment(TOC | TOC_INTERLEAVED, [one, tdms_object(B, plain_index(3, 2))], bytes(20)),
            "do not make rows of 8 bytes",
        ),
        "half a value": (segment(TOC, [one], bytes(11)), "do not make chunks of 8 bytes"),
        "an end of 2^63": (good + segment(TOC, [one], bytes(8), following=2**63), "truncated"),
        "a property of no kind": (
            segment(
                TOC,
                [tdms_object(A, plain_index(3, 2), {"p": (0x0B, bytes(range(1, 12)))})],
                bytes(8),
            ),
            "its property p is of a kind that is not read (extended float), and its size is not",
        ),
    }


CRAFTED = crafted()


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_files_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    data, why = CRAFTED[name]
    path = tmp_path / "x.tdms"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(Rejected, match=r"x\.tdms is (damaged|truncated): ") as raised:
            TdmsMetadata(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert why in str(raised.value)
    assert "\n" not in str(raised.value)
    assert peak < 4 << 20
    assert outcome_of(path, tmp_path).status == "quarantined"


def test_a_segment_of_nothing_does_not_go_on_for_ever(tmp_path: Path) -> None:
    """Its next segment begins at its end: 28 bytes further, even where it states 0."""
    path = tmp_path / "x.tdms"
    empty = segment(0, [], b"")
    path.write_bytes(empty * 1000 + segment(TOC, [tdms_object(A, plain_index(3, 2))], bytes(8)))
    assert ingested(path, tmp_path).channels["g/a"].n == 2


def test_memory_follows_the_size_of_a_file_whose_list_of_objects_grows(tmp_path: Path) -> None:
    """Each segment adds an object to the list: kept for each, they would be a million."""
    parts = [
        segment(TOC_META, [tdms_object(f"/'g'/'{k}'", plain_index(3, 1))], b"") for k in range(2000)
    ]
    path = tmp_path / "x.tdms"
    path.write_bytes(b"".join(parts))
    tracemalloc.start()
    metadata = TdmsMetadata(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(metadata.objects) == 2000
    assert peak < 20 * path.stat().st_size


@pytest.mark.long
def test_a_long_recording_needs_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.tdms"
    first = segment(
        TOC, [tdms_object(A, plain_index(2, 4)), tdms_object(B, plain_index(2, 4))], bytes(16)
    )
    path.write_bytes(first + segment(TOC_RAW, [], bytes(16)) * 20_000)
    tracemalloc.start()
    metadata = TdmsMetadata(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert metadata.n_values == {A: 80_004, B: 80_004}
    assert peak < 10 * path.stat().st_size


@pytest.mark.parametrize("ends", [(9, 2), (2, 9), (0xFFFFFFFF, 2)])
def test_texts_that_do_not_lie_where_they_say_are_left_out(
    tmp_path: Path, ends: tuple[int, int]
) -> None:
    texts = [tdms_object(A, struct.pack("<IIIQQ", 28, 0x20, 1, 2, 10))]
    path = tmp_path / "x.tdms"
    path.write_bytes(
        segment(TOC, texts, struct.pack("<2I", *ends) + b"ab")
        + segment(TOC, [tdms_object(B, plain_index(3, 2))], struct.pack("<2i", 3, 4))
    )
    source = ingested(path, tmp_path)
    assert source.channels["g/b"].raw().tolist() == [3, 4]
    assert "texts" not in source.properties
    assert "g/a: its texts are not at the stated positions" in source.properties["notes"][0]


@pytest.mark.parametrize("n", [1, 600_000], ids=["short", "too long to be kept"])
@pytest.mark.parametrize("error", [-1, 1])
def test_what_lies_behind_texts_of_another_length_is_not_guessed(
    tmp_path: Path, error: int, n: int
) -> None:
    body = struct.pack("<2I", n, 2 * n + error) + b"x" * 2 * n
    texts = tdms_object(A, struct.pack("<IIIQQ", 28, 0x20, 1, 2, len(body)))
    path = tmp_path / "x.tdms"
    path.write_bytes(segment(TOC, [texts, tdms_object(B, plain_index(3, 2))], body + bytes(8)))
    outcome = outcome_of(path, tmp_path)
    assert outcome.status == "quarantined"
    assert f"2 texts of /'g'/'a' have {len(body) + error} bytes in a place of" in outcome.reason


def test_a_short_last_chunk_is_the_same_share_of_each_channel(tmp_path: Path) -> None:
    objects = [tdms_object(A, plain_index(3, 4)), tdms_object(B, plain_index(2, 2))]
    chunk = np.arange(4, dtype="<i4").tobytes() + np.arange(2, dtype="<i2").tobytes()
    short = np.arange(4, 6, dtype="<i4").tobytes() + np.arange(2, 3, dtype="<i2").tobytes()
    path = tmp_path / "x.tdms"
    path.write_bytes(segment(TOC, objects, 2 * chunk + short))
    source = ingested(path, tmp_path)
    assert source.channels["g/a"].raw().tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 4, 5]
    assert source.channels["g/b"].raw().tolist() == [0, 1, 0, 1, 2]
    with TdmsFile.open(path) as peer:
        assert peer["g"]["a"][:].tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 4, 5]


def _read_by_nptdms(data: bytes) -> dict[str, np.ndarray] | None:
    try:
        peer = TdmsFile(io.BytesIO(data))
        return {c.path: c.read_data(scaled=False) for g in peer.groups() for c in g.channels()}
    except Exception:  # what npTDMS cannot read says nothing of what was read
        return None


@pytest.mark.parametrize("seed", range(4))
def test_flipped_files_are_refused_or_read_as_nptdms_reads_them(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = recording(tmp_path / "w.tdms", interleaved=bool(seed % 2), n=20).read_bytes()
    path = tmp_path / "x.tdms"
    n_equal = 0
    for _ in range(60):
        flipped = bytearray(data)
        for at in rng.integers(4, 250, int(rng.integers(1, 3))):
            flipped[at] ^= 1 << int(rng.integers(0, 8))
        path.write_bytes(flipped)
        try:
            metadata = TdmsMetadata(path)
        except Rejected:
            continue
        found: dict[str, list[np.ndarray]] = {}
        for block in metadata.blocks():
            found.setdefault(block.key.channel, []).append(block.values)
        expected = _read_by_nptdms(bytes(flipped))
        if expected is None:
            continue
        for name, parts in found.items():
            np.testing.assert_array_equal(np.concatenate(parts), expected[name])
        n_equal += 1
    assert n_equal > 5


def test_no_process_memory_is_taken_for_a_claim(tmp_path: Path) -> None:
    """A contiguous chunk of 2^40 values, with a file that has room for all of them: holes."""
    path = tmp_path / "x.tdms"
    n = 1 << 26
    head = segment(TOC, [tdms_object(A, plain_index(2, n))], b"")
    head = head[:12] + struct.pack("<Q", len(head) - 28 + 2 * n) + head[20:]
    path.write_bytes(head)
    with path.open("r+b") as f:
        f.truncate(len(head) + 2 * n)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    total = sum(len(b.values) for b in TdmsMetadata(path).blocks())
    assert total == n
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # kB


def test_a_segment_with_fewer_rows_than_it_says_is_told(tmp_path: Path) -> None:
    objects = [tdms_object(A, plain_index(3, 4)), tdms_object(B, plain_index(3, 4))]
    path = tmp_path / "x.tdms"
    path.write_bytes(segment(TOC | TOC_INTERLEAVED, objects, bytes(24)))
    source = ingested(path, tmp_path)
    assert source.channels["g/a"].n == 3
    assert source.properties["notes"] == [
        "segment 1: a last chunk that is shorter than it says: written so, or damaged"
    ]


@pytest.mark.parametrize(("gap", "told"), [(bytes(100), False), (b"\0" * 90 + b"x" * 10, True)])
def test_a_gap_before_values_is_empty_or_told(tmp_path: Path, gap: bytes, told: bool) -> None:
    """LabVIEW fills up to a sector of the disk; an offset with a flipped bit hides values."""
    whole = segment(TOC, [tdms_object(A, plain_index(3, 2))], b"")
    n = len(whole) - 28 + len(gap)
    path = tmp_path / "x.tdms"
    path.write_bytes(
        whole[:12] + struct.pack("<QQ", n + 8, n) + whole[28:] + gap + struct.pack("<2i", 5, 6)
    )
    source = ingested(path, tmp_path)
    assert source.channels["g/a"].raw().tolist() == [5, 6]
    assert ("notes" in source.properties) == told
