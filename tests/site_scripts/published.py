"""Write the scripts of the site as published: python -m tests.site_scripts.published FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

from runner.render.theme import Theme

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in Theme.load().contents.items():
        (folder / name).write_bytes(content)
