"""Prepare a cold kernel so that it behaves like a warm one: its figures and its sandbox."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

TEMPORARY = "ISHTAR_TEMPORARY"  # environment variable: folder for the kernel's temporary files
START = "from runner.kernel.cold import begin as _; _(get_ipython()); del _"


def begin(shell: Any) -> None:
    """Prepare this kernel; end it if its sandbox cannot be entered."""
    from runner.kernel import sandbox
    from runner.kernel.figures import prepare

    prepare(shell)
    if temporary := os.environ.pop(TEMPORARY, ""):
        try:
            sandbox.enter(os.environ, Path(temporary))
        except OSError as error:  # IPython would print it and run the notebook anyway
            print(f"ishtar: no sandbox: {error}", file=sys.__stderr__)
            os._exit(1)
