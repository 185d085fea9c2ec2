"""Export of signals to files for other programs, and to datasets."""

from __future__ import annotations

from ishtar.export.writing import Exported, ExportError, choose, export

__all__ = ["ExportError", "Exported", "choose", "data_tree", "dataset", "export", "matlab"]
