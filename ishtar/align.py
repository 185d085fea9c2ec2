"""Put signals on a common time base: the public address of `ishtar.signals.alignment`."""

from __future__ import annotations

from ishtar.signals.alignment import METHODS, Method, align, resample

__all__ = ["METHODS", "Method", "align", "resample"]
