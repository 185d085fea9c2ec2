"""TDMS files built byte by byte, as cards and crashes write them, and what becomes of them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from ishtar.store import SourceFile
from runner.ingest import Outcome
from tests.ingest_fakes import ingest_into, source_of

TOC_META, TOC_NEW, TOC_RAW, TOC_INTERLEAVED, TOC_BIG, TOC_DAQMX = 2, 4, 8, 32, 64, 128
TOC = TOC_META | TOC_NEW | TOC_RAW
NO_DATA = struct.pack("<I", 0xFFFFFFFF)
AS_BEFORE = struct.pack("<I", 0)


def noise(n: int, dtype: str = "int16", seed: int = 0) -> np.ndarray:
    return (1000 * np.random.default_rng(seed).standard_normal(n)).astype(dtype)


def outcome_of(path: Path, tmp_path: Path, **options: Any) -> Outcome:
    return ingest_into(tmp_path / "workspace", path, **options)


def ingested(path: Path, tmp_path: Path, **options: Any) -> SourceFile:
    return source_of(outcome_of(path, tmp_path, **options))


def notes(source: SourceFile) -> str:
    return "; ".join(source.properties.get("notes", []))


def segment(
    toc: int,
    objects: list[bytes],
    data: bytes,
    order: str = "<",
    *,
    following: int | None = None,
    raw: int | None = None,
    n_objects: int | None = None,
) -> bytes:
    """Return a segment; ``following``, ``raw`` and ``n_objects`` are what it states falsely."""
    metadata = struct.pack(order + "I", len(objects) if n_objects is None else n_objects)
    metadata += b"".join(objects)
    if not toc & TOC_META:
        metadata = b""
    sizes = struct.pack(
        order + "iQQ",
        4713,
        len(metadata) + len(data) if following is None else following,
        len(metadata) if raw is None else raw,
    )
    return b"TDSm" + struct.pack("<i", toc) + sizes + metadata + data


def text(value: str | bytes, order: str = "<") -> bytes:
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack(order + "I", len(data)) + data


def plain_index(code: int, count: int, order: str = "<") -> bytes:
    return struct.pack(order + "IIIQ", 20, code, 1, count)


def tdms_object(
    path: str | bytes, index: bytes, properties: dict[Any, Any] | None = None, order: str = "<"
) -> bytes:
    """Return an object; values of properties: text, bytes of a text, numbers, stamps, raw ones.

    A ``datetime64`` is a time stamp, and ``(code, bytes)`` a value as it lies in the file.
    """
    properties = properties or {}
    out = text(path, order) + index + struct.pack(order + "I", len(properties))
    for name, value in properties.items():
        out += text(name, order) + _value(value, order)
    return out


def _value(value: Any, order: str) -> bytes:
    if isinstance(value, str | bytes):
        return struct.pack(order + "I", 0x20) + text(value, order)
    if isinstance(value, np.datetime64):
        us = int((value - np.datetime64("1904-01-01", "us")).astype("timedelta64[us]").astype(int))
        parts = ((us % 10**6 << 64) // 10**6, us // 10**6)
        code = struct.pack(order + "I", 0x44)
        return code + (
            struct.pack("<Qq", *parts) if order == "<" else struct.pack(">qQ", *parts[::-1])
        )
    if isinstance(value, tuple):
        return struct.pack(order + "I", value[0]) + value[1]
    if isinstance(value, int):
        return struct.pack(order + "II", 7, value)
    return struct.pack(order + "Id", 10, value)


def daqmx_index(n: int, scalers: list[tuple[int, int, int, int]], *widths: int) -> bytes:
    """Index of raw DAQmx data; scalers are (type, byte offset, number, buffer)."""
    head = struct.pack("<IIIQI", 0x1269, 0xFFFFFFFF, 1, n, len(scalers))
    body = b"".join(struct.pack("<IIIII", t, b, at, 0, i) for t, at, i, b in scalers)
    return head + body + struct.pack(f"<I{len(widths)}I", len(widths), *widths)
