"""Signals on a time base that somebody asked for: the public address of `ishtar.signals.align`."""

from __future__ import annotations

from ishtar.signals.align import METHODS, Method, align, resample

__all__ = ["METHODS", "Method", "align", "resample"]
