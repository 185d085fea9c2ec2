"""Parts of files as HTTP has them: which to ask for together, and what an answer holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

GAP_SHARE = 0.2  # of the bytes asked for: so much between them may be fetched, too

Span = tuple[int, int]
"""Place and length in a file, bytes."""


def joined(spans: Sequence[Span]) -> list[Span]:
    """Join spans that are close to one another, the smallest gaps first."""
    ordered = sorted({(at, at + length) for at, length in spans})
    merged: list[list[int]] = []
    for start, stop in ordered:
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], stop)
        else:
            merged.append([start, stop])
    budget = GAP_SHARE * sum(stop - start for start, stop in merged)
    gaps = sorted((b[0] - a[1], a[1]) for a, b in pairwise(merged))
    bridged = set()
    for gap, place in gaps:
        budget -= gap
        if budget < 0:
            break
        bridged.add(place)
    found: list[Span] = []
    for start, stop in merged:
        if found and sum(found[-1]) in bridged:
            found[-1] = (found[-1][0], stop - found[-1][0])
        else:
            found.append((start, stop - start))
    return found


def cut(found: Mapping[int, bytes], span: Span) -> bytes:
    """Return the part of a span from parts by their places."""
    at, length = span
    start = max(place for place in found if place <= at)
    return found[start][at - start : at - start + length]


def place_of(described: str, part: bytes, size: int) -> int:
    """Return the place of a part by its ``Content-Range``; ValueError if they contradict."""
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", described.strip())
    if match is None:
        raise ValueError(f"a part is described as {described[:60]!r}")
    start, stop, total = int(match[1]), int(match[2]) + 1, match[3]
    if total not in ("*", str(size)):
        raise ValueError(f"it has {total} bytes, not {size}")
    if stop - start != len(part):
        raise ValueError(f"a part of {stop - start} bytes came with {len(part)}")
    return start


def parts_of(kind: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield ``Content-Range`` and bytes of each part of a ``multipart/byteranges`` body."""
    match = re.search(r'boundary="?([^";]+)"?', kind)
    if match is None:
        raise ValueError("an answer in parts has no boundary")
    mark = b"--" + match[1].encode("latin-1")
    at = content.find(mark)
    while at >= 0 and not content.startswith(b"--", at + len(mark)):
        end = content.find(b"\r\n\r\n", at)
        lines = content[at:end].decode("latin-1").split("\r\n")
        described = next(
            (x.partition(":")[2] for x in lines if x.lower().startswith("content-range:")), ""
        )
        bounds = re.search(r"(\d+)-(\d+)", described)
        if end < 0 or bounds is None:
            raise ValueError("a part of an answer has no range")
        start = end + 4
        stop = start + int(bounds[2]) - int(bounds[1]) + 1
        if stop <= start:
            raise ValueError("a part of an answer ends before it begins")
        yield described, content[start:stop]
        at = content.find(mark, stop)
