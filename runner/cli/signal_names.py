"""The list of `ishtar signal SHOT`: signals and channels of a shot, and missing signals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ishtar.shots.shot import Shot


def name_rows(shot: Shot) -> Iterator[dict[str, Any]]:
    """Yield a row for each signal and channel of a shot, and for each missing signal."""
    for name in shot.signals():
        signal = shot[name]
        provenance = signal.explain()
        origin = provenance.derived or provenance.channel
        yield _row(name, "signal", signal.unit or "1", signal.n, origin)
    for name, why in shot.missing().items():
        yield _row(name, "missing", None, None, why)
    for path in shot.channels():
        channel = shot.find_channel(path)
        yield _row(path, "channel", channel.unit or None, channel.n, channel.file.stem)


def _row(name: str, kind: str, unit: str | None, n: int | None, origin: str) -> dict[str, Any]:
    return {"name": name, "is": kind, "unit": unit, "samples": n, "from": origin}
