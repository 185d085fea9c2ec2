"""Parts of files: what is asked for together, and what is made of an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ishtar.remote.byte_ranges import GAP_SHARE, Span, cut, joined, parts_of, place_of

SPANS = st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 300)), min_size=1, max_size=30)
FILE = bytes(k * k % 251 for k in range(6000))


@given(SPANS)
def test_what_is_asked_for_together_holds_every_part_and_little_more(spans: list[Span]) -> None:
    """Parts do not overlap; what lies between them is at most a fifth of what is wanted."""
    together = joined(spans)
    wanted = set().union(*(range(at, at + length) for at, length in spans))
    asked = [k for at, length in together for k in range(at, at + length)]
    assert wanted <= set(asked)
    assert len(asked) == len(set(asked)) <= (1 + GAP_SHARE) * len(wanted)
    found = {at: FILE[at : at + length] for at, length in together}
    for at, length in spans:
        assert cut(found, (at, length)) == FILE[at : at + length]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(0, 10), (10, 10)], [(0, 20)]),
        ([(0, 100), (110, 100)], [(0, 210)]),
        ([(0, 10), (110, 10)], [(0, 10), (110, 10)]),
        ([(50, 10), (0, 100)], [(0, 100)]),
        ([(0, 100), (120, 100), (225, 100)], [(0, 325)]),
    ],
)
def test_small_gaps_are_bridged(spans: list[Span], expected: list[Span]) -> None:
    assert joined(spans) == expected


def body(parts: list[Span], boundary: str) -> bytes:
    """Return an answer of several parts, as servers write it."""
    text = b""
    for at, length in parts:
        text += f"\r\n--{boundary}\r\nContent-Type: application/x-hdf5\r\n".encode()
        text += f"Content-Range: bytes {at}-{at + length - 1}/{len(FILE)}\r\n\r\n".encode()
        text += FILE[at : at + length]
    return text + f"\r\n--{boundary}--\r\n".encode()


@given(SPANS)
def test_an_answer_of_several_parts_is_taken_apart(spans: list[Span]) -> None:
    """Also where the bytes of a part look like a boundary."""
    for boundary in ("x1y2", "00000000000000000042"):
        content = body(spans, boundary)
        found = list(parts_of(f'multipart/byteranges; boundary="{boundary}"', content))
        assert [(place_of(d, p, len(FILE)), len(p)) for d, p in found] == spans
        for _, part in found:
            assert part in FILE


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("multipart/byteranges", b"--x\r\n"),
        ("multipart/byteranges; boundary=x", b"--x\r\nno range\r\n\r\nabc--x--"),
        ("multipart/byteranges; boundary=x", b"--x\r\nContent-Range: bytes 0-3/9"),
    ],
)
def test_an_answer_that_is_cut_or_says_no_place_is_an_error(kind: str, content: bytes) -> None:
    with pytest.raises(ValueError, match=r"boundary|range"):
        list(parts_of(kind, content))


@pytest.mark.parametrize("described", ["", "bytes", "bytes 0-9/11", "bytes 0-8/10", "items 0-9/10"])
def test_a_part_that_is_not_what_it_says_is_an_error(described: str) -> None:
    with pytest.raises(ValueError, match=r"part|bytes"):
        place_of(described, bytes(10), 10)
    assert place_of("bytes 0-9/10", bytes(10), 10) == 0
    assert place_of("bytes 0-9/*", bytes(10), 10) == 0
