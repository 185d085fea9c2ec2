"""Signals: lazy handles, the samples behind them, and where they lie in time."""

__all__ = [
    "alignment",
    "imas_signals",
    "lazy_signal",
    "min_max",
    "protocols",
    "provenance",
    "resolve",
    "samples",
    "source_notes",
    "time_base",
    "windows",
]
