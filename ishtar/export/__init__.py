"""Signals of a shot as files for other programs, and as data sets."""

from __future__ import annotations

from ishtar.export.writing import Exported, ExportError, choose, export

__all__ = ["ExportError", "Exported", "choose", "export"]
