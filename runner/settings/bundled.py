"""Find the templates, theme and reference calibrations bundled with the package."""

from __future__ import annotations

from pathlib import Path

FOLDERS = {
    "templates_nb": "templates_nb",
    "calibrations": "calibrations",
    "theme": "site/theme",
    "empty": "runner/workspaces/empty",  # inside the package, in a wheel too
}


def bundled(name: str) -> Path:
    """Return a bundled folder, one of `FOLDERS`.

    In a wheel they are inside the package, in a checkout at its root.
    """
    package = Path(__file__).parents[1]  # runner
    installed = package / "_bundled" / name
    return installed if installed.is_dir() else package.parent / FOLDERS[name]
