"""Send what a kernel prints before it fills the memory, and before its cell ends."""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import sys
import threading
from typing import Any

from ipykernel.iostream import OutStream

MAX_UNSENT = 1_000_000  # characters
READ_SIZE = 1 << 16  # bytes
MAX_PIPE = 1 << 20  # bytes; no pipe holds more, so this much includes all that was written before


class PromptStream(OutStream):
    """A stream of a kernel that blocks until its text is sent, once there is much of it.

    Jupyter's own stream sends five times a second and buffers everything in between. A cell that
    prints a lot may leave no memory for sending, and the text is lost.

    Output that bypasses Python (of a program that a cell starts, of a C library) goes through a
    pipe that a thread reads. At the end of a cell, Jupyter's own stream does not check whether that
    thread has emptied the pipe: the rest goes to the next cell, or is lost.
    """

    unsent = 0  # characters printed since the last time it blocked

    def __init__(self, *args: Any, **kw: Any) -> None:
        self._pipe_lock = threading.RLock()  # keeps the chunks of the pipe in order
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        super().__init__(*args, **kw)  # type: ignore[no-untyped-call]

    def write(self, string: str) -> int | None:  # type: ignore[override]
        """Write a text and return its length."""
        written = super().write(string)
        self.unsent += len(string)
        if self.unsent > MAX_UNSENT and self._is_master_process():  # type: ignore[no-untyped-call]
            self.unsent = 0
            self._send()
        return written

    def flush(self) -> None:
        """Send what was printed, also by other programs; called at the end of each cell."""
        if self._fid is not None and self._is_master_process():  # type: ignore[no-untyped-call]
            with self._pipe_lock:
                for _ in range(MAX_PIPE // READ_SIZE):  # bounded: a program may go on writing
                    if not self._forward():
                        break
        self._send()

    def _send(self) -> None:
        super().flush()  # type: ignore[no-untyped-call]

    def _watch_pipe_fd(self) -> None:
        """Forward the output that arrives in the pipe; runs in a thread of its own."""
        if self._fid is None:
            return
        os.set_blocking(self._fid, False)
        try:
            while self._should_watch:
                select.select([self._fid], [], [])
                with self._pipe_lock:
                    self._forward()
        except Exception:
            self._exc = sys.exc_info()  # the base class reports it when the stream is closed

    def _forward(self) -> bool:
        """Forward one chunk from the pipe; return whether there was any."""
        assert self._fid is not None
        try:
            data = os.read(self._fid, READ_SIZE)
        except BlockingIOError:
            return False
        if not data or not self._should_watch:
            return False
        self.write(self._decoder.decode(data))
        with contextlib.suppress(OSError):  # the terminal was closed
            os.write(self._original_stdstream_copy, data)
        return True
