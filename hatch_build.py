"""What building a wheel checks first: the scripts of others are in the theme."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NEEDED = ("uplot.js", "uplot.css", "uplot.LICENSE.txt")


class VendorHook(BuildHookInterface[Any]):
    """Refuses a wheel whose trace viewer could not draw."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Check the theme; an editable installation reads it from the checkout at any time."""
        if version == "editable":
            return
        vendor = Path(self.root, "site", "theme", "vendor")
        missing = [name for name in NEEDED if not (vendor / name).is_file()]
        if missing:
            raise SystemExit(
                f"{vendor} lacks {', '.join(missing)}, which the site needs: run 'make vendor'"
            )
