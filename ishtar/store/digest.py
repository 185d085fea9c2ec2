"""The identity of a channel: a digest of its raw values, their times and their meaning.

SHA-256 is the fastest cryptographic hash of the standard library on processors that support it in
hardware, which most do. Values and times are hashed separately, so that the digest does not depend
on how many samples were appended at a time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from ishtar.store.scale import Step

DIGITS = 40
SECONDS = "s"
COUNTED = ""  # the unit of x if it is only the number of a sample


class ChannelDigest:
    """A digest of one channel, updated as its samples arrive."""

    def __init__(self) -> None:
        self.values = hashlib.sha256()
        self.times = hashlib.sha256()

    def hexdigest(
        self,
        *,
        dtype: str,
        unit: str,
        t0: float,
        dt: float | None,
        x_unit: str,
        scale: Sequence[Step],
    ) -> str:
        """Return the digest of the samples so far together with their meaning."""
        fields: list[Any] = [dtype, unit, t0, dt, list(scale)]
        if x_unit not in (SECONDS, COUNTED):  # older files were digested without a unit of x
            fields.append(x_unit)
        meaning = json.dumps(fields, sort_keys=True)
        whole = hashlib.sha256(self.values.digest() + self.times.digest() + meaning.encode())
        return whole.hexdigest()[:DIGITS]


def dtype_name(dtype: Any) -> str:
    """Return the name of a dtype without the byte order of this computer: ``int16``."""
    return str(dtype.name)
