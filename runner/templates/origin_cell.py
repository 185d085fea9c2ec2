"""The cell by which a notebook finds its workspace: in its folder, or elsewhere at its address."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ishtar.workspace import MARKER, VARIABLE

CELL = "ishtar-workspace"
FIRST_CODE = re.compile(rb'\n  \{\n   "cell_type": "code",')  # as nbformat writes notebooks


def origin_source(root: Path, url: str) -> str:
    """Return the code: it uses the folder where it is, and the address of the site elsewhere."""
    if not url:
        return (
            "import os\n\n"
            f'os.environ.setdefault("{VARIABLE}", {str(root)!r})  # made from this workspace'
        )
    return (
        "import os\nfrom pathlib import Path\n\n"
        f"folder, address = {str(root)!r}, {url!r}\n"
        f'near = Path(folder, "{MARKER}").is_file()\n'
        f'os.environ.setdefault("{VARIABLE}", folder if near else address)'
    )


def with_origin(notebook: bytes, root: Path, url: str) -> bytes:
    """Return an executed notebook with the cell before its first code cell.

    Without an address, or with such a cell already, it stays as it is.
    """
    cell: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": None,
        "id": CELL,
        "metadata": {"tags": [CELL]},
        "outputs": [],
        "source": origin_source(root, url).splitlines(keepends=True),
    }
    first = FIRST_CODE.search(notebook)
    if not url or first is None or f'"id": "{CELL}"'.encode() in notebook:
        return notebook
    text = json.dumps(cell, indent=1, ensure_ascii=False).replace("\n", "\n  ")
    at = first.start() + 1
    return notebook[:at] + b"  " + text.encode() + b",\n" + notebook[at:]
