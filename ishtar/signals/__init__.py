"""Signals: lazy handles, the samples behind them, and where they lie in time."""
