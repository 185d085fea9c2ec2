"""The section ``[retention]`` of ``ishtar.toml``."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class RetentionSettings:
    """``[retention]``: what goes after some days, and where raw data go; 0: never.

    Attributes
    ----------
    keep_superseded_days : reports that a newer one replaced.
    keep_quarantine_days : files in quarantine, with their reasons.
    move_raw_days : raw data of shots of this age move to ``raw_folder``.
    raw_folder : a folder on another disk; a link stays in ``data/shots/``.
    """

    keep_superseded_days: int = 0
    keep_quarantine_days: int = 0
    move_raw_days: int = 0
    raw_folder: str = ""

    def __post_init__(self) -> None:
        for name in (f.name for f in fields(self) if f.name.endswith("_days")):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} = {getattr(self, name)} must not be negative")
        if self.raw_folder and not self.raw_folder.startswith("/"):
            raise ValueError(f"raw_folder = {self.raw_folder!r} must begin with /")
        if bool(self.move_raw_days) != bool(self.raw_folder):
            raise ValueError("move_raw_days and raw_folder need each other: set both or none")
