"""Damage: cuts at every length, flipped bits, lengths that lie, parts that moved."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

LENGTHS = (0, 1, 2, 3, 7, 255, 1 << 15, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
LONG_LENGTHS = (*LENGTHS, 1 << 32, 1 << 40, (1 << 62) - 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
TEXTS = (
    *(b"\t", b"\r", b"\n", b",", b";", b".", b"-", b"e", b"E", b"NaN", b"inf", b"1e999", b"\0"),
    *(b'"', b"'", b" ", b"\xff", b"\xb5", b"0", b"9", b":", b"PM", b"1904", b"***End_of_Header***"),
)


def damaged(content: bytes, random: Random, text: bool) -> Iterator[tuple[str, bytes]]:
    """Yield (how, content) without end: first every cut, then everything else at random."""
    cuts = list(range(len(content)))
    random.shuffle(cuts)
    others = _others(content, random, text)
    while True:
        if cuts:
            at = cuts.pop()
            yield f"cut at {at}", content[:at]
        for _ in range(3):
            yield next(others)


def _others(content: bytes, random: Random, text: bool) -> Iterator[tuple[str, bytes]]:
    kinds = [_flip, _byte, _swap, _double, _drop, *([_text] * 3 if text else [_length] * 3)]
    while True:
        changed, hows = bytearray(content), []
        for _ in range(random.choice((1, 1, 1, 2, 5))):
            how = random.choice(kinds)(changed, random)
            hows.append(how)
        if bytes(changed) != content:
            yield ", ".join(hows), bytes(changed)


def _flip(data: bytearray, random: Random) -> str:
    at, bit = random.randrange(len(data)), random.randrange(8)
    data[at] ^= 1 << bit
    return f"bit {bit} of byte {at}"


def _byte(data: bytearray, random: Random) -> str:
    at = random.randrange(len(data))
    data[at] = random.randrange(256)
    return f"byte {at} = {data[at]}"


def _length(data: bytearray, random: Random) -> str:
    size = random.choice((4, 8))
    value = random.choice(LENGTHS if size == 4 else LONG_LENGTHS)
    at = random.randrange(max(1, len(data) - size))
    order = random.choice(("little", "little", "little", "big"))
    data[at : at + size] = value.to_bytes(size, order)  # type: ignore[arg-type]
    return f"{value} in {size} bytes at {at}"


def _text(data: bytearray, random: Random) -> str:
    at, what = random.randrange(len(data)), random.choice(TEXTS)
    stop = at + random.choice((0, 0, 1, len(what)))
    data[at:stop] = what
    return f"{what!r} at {at}"


def _span(data: bytearray, random: Random) -> tuple[int, int]:
    at = random.randrange(len(data))
    return at, min(len(data), at + random.choice((1, 2, 4, 8, 16, 64)))


def _swap(data: bytearray, random: Random) -> str:
    (a, b), c = _span(data, random), random.randrange(len(data))
    part = data[a:b]
    data[c : c + len(part)] = part
    return f"{a}…{b} copied to {c}"


def _double(data: bytearray, random: Random) -> str:
    a, b = _span(data, random)
    data[b:b] = data[a:b]
    return f"{a}…{b} doubled"


def _drop(data: bytearray, random: Random) -> str:
    if len(data) < 100:
        return "nothing"
    a, b = _span(data, random)
    del data[a:b]
    return f"{a}…{b} dropped"
