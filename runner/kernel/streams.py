"""What a kernel prints, handed on before it is too much to hold, and before its cell has ended."""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import sys
import threading
from typing import Any

from ipykernel.iostream import OutStream

MOST_HELD = 1_000_000  # characters
AT_ONCE = 1 << 16  # bytes
FULL_PIPE = 1 << 20  # bytes: no pipe holds more, so what was written before is within


class PromptStream(OutStream):
    """A stream of a kernel that waits until what was printed is sent, when that becomes much.

    Jupyter's own sends five times a second, and holds meanwhile whatever a cell can print: so much
    of it may come together that there is no memory left to send it, and it is lost.

    What is written past Python (by a program that a cell starts, by a C library) goes through a
    pipe that a thread reads. At the end of a cell Jupyter's own does not look whether that thread
    has come to the end of it: what it has not is given to the next cell, or to nobody.
    """

    held = 0  # printed since it waited last

    def __init__(self, *args: Any, **kw: Any) -> None:
        self._moving = threading.RLock()  # one of them reads the pipe and writes what it has read
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        super().__init__(*args, **kw)  # type: ignore[no-untyped-call]

    def write(self, string: str) -> int | None:  # type: ignore[override]
        """Write a text; return its length."""
        written = super().write(string)
        self.held += len(string)
        if self.held > MOST_HELD and self._is_master_process():  # type: ignore[no-untyped-call]
            self.held = 0
            self._send()
        return written

    def flush(self) -> None:
        """Send what was printed, also past Python; the kernel does so at the end of each cell."""
        if self._fid is not None and self._is_master_process():  # type: ignore[no-untyped-call]
            with self._moving:
                for _ in range(FULL_PIPE // AT_ONCE):  # not for ever: something may go on writing
                    if not self._move():
                        break
        self._send()

    def _send(self) -> None:
        super().flush()  # type: ignore[no-untyped-call]

    def _watch_pipe_fd(self) -> None:
        """Hand on what comes through the pipe, in a thread of its own."""
        if self._fid is None:
            return
        os.set_blocking(self._fid, False)
        try:
            while self._should_watch:
                select.select([self._fid], [], [])
                with self._moving:
                    self._move()
        except Exception:
            self._exc = sys.exc_info()  # told by the base class when the stream is closed

    def _move(self) -> bool:
        """Hand on what is in the pipe; tell whether there was anything."""
        assert self._fid is not None
        try:
            data = os.read(self._fid, AT_ONCE)
        except BlockingIOError:
            return False
        if not data or not self._should_watch:
            return False
        self.write(self._decoder.decode(data))
        with contextlib.suppress(OSError):  # nobody reads the terminal any more
            os.write(self._original_stdstream_copy, data)
        return True
