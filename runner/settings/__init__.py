"""The settings of a workspace, from ``ishtar.toml``, and the files bundled with the package."""

__all__ = ["bundled", "facility", "file", "publishing", "serving"]
