"""Signals: lazy handles, the samples behind them, and where they lie in time."""

__all__ = [
    "align",
    "min_max",
    "protocols",
    "provenance",
    "resolve",
    "samples",
    "signal",
    "source_notes",
    "time_base",
    "windows",
]
