"""A few lines at the bottom of a terminal that are updated continuously."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TextIO

EVERY_S = 0.25
CLEAR = "\x1b[J"  # from here to the end of the screen


class LiveLines:
    """Show lines below everything else that is printed, until the block ends.

    Other output to standard error in the meantime (logs, warnings) appears above them. The end of
    the block, for whatever reason, erases the lines; the rest of the terminal remains as it is.

    Parameters
    ----------
    lines : callable
        Returns the current lines; called by a thread several times a second.
    """

    def __init__(self, lines: Callable[[], Sequence[str]], *, every_s: float = EVERY_S) -> None:
        self._lines = lines
        self._every_s = every_s
        self._lock = threading.RLock()
        self._shown = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="live lines")

    def __enter__(self) -> LiveLines:
        self._terminal: TextIO = sys.stderr
        sys.stderr = _StderrAbove(self)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        sys.stderr = self._terminal
        self._thread.join()
        with self._lock:
            self._erase()

    def write(self, text: str) -> None:
        """Print above the lines, which reappear at the next update."""
        with self._lock:
            self._erase()
            self._terminal.write(text)
            self._terminal.flush()

    def _beat(self) -> None:
        while not self._stop.wait(self._every_s):
            self._show()

    def _show(self) -> None:
        width, height = shutil.get_terminal_size()
        lines = list(self._lines())
        if len(lines) > height - 1:  # always keep the last: it has the totals
            lines = [*lines[: height - 3], f"  … {len(lines) - height + 2} more", lines[-1]]
        with self._lock:
            if self._stop.is_set():
                return
            text = "".join(f"{_cut(line, width - 1)}\n" for line in lines)
            self._erase(text)
            self._shown = len(lines)

    def _erase(self, instead: str = "") -> None:
        up = f"\x1b[{self._shown}A\r" if self._shown else ""
        if up or instead:
            self._terminal.write(f"{up}{CLEAR if up else ''}{instead}")
            self._terminal.flush()
        self._shown = 0


class _StderrAbove:
    """Replace standard error while lines are shown; print above them, line by line."""

    def __init__(self, live: LiveLines) -> None:
        self._live = live
        self._begun = ""

    def write(self, text: str) -> int:
        self._begun += text
        whole, newline, self._begun = self._begun.rpartition("\n")
        if newline:
            self._live.write(whole + newline)
        return len(text)

    def flush(self) -> None:
        """Do nothing: only an incomplete line is buffered."""

    def __getattr__(self, name: str) -> object:
        return getattr(self._live._terminal, name)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"
