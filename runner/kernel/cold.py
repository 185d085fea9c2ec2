"""What a cold kernel does first, so that it is like a warm one: its figures, and its sandbox."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

TEMPORARY = "ISHTAR_TEMPORARY"  # folder for its temporary files
START = "from runner.kernel.cold import begin as _; _(get_ipython()); del _"


def begin(shell: Any) -> None:
    """Get this kernel ready; where it cannot be held to its folder, it ends."""
    from runner.kernel import sandbox
    from runner.kernel.figures import prepare

    prepare(shell)
    if temporary := os.environ.pop(TEMPORARY, ""):
        try:
            sandbox.enter(os.environ, Path(temporary))
        except OSError as error:  # IPython would tell, and go on
            print(f"ishtar: no sandbox: {error}", file=sys.__stderr__)
            os._exit(1)
