"""A server that forks one process for each conversion.

    python -m runner.ingest.process_server SOCKET

It has one thread, which only forks, kills on demand and reports how processes ended. Its owner has
the other end of its standard input: when that closes, the server ends with all its children.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import selectors
import signal
import socket
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

from runner.ingest.conversion import Request, Verdict, convert
from runner.ingest.limits import die_with, limit_memory, limit_written
from runner.ingest.registry import converters

OWNER = 0  # standard input
REPORT_EVERY_S = 0.2


def serve(orders: socket.socket) -> None:
    """Fork processes until the owner ends."""
    wake, wakeup = os.pipe()
    for number in (wake, wakeup):
        os.set_blocking(number, False)
    signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    endings: dict[int, Connection] = {}
    with selectors.DefaultSelector() as selector:
        for source in (OWNER, wake, orders):
            selector.register(source, selectors.EVENT_READ)
        ended = False
        while not ended:
            for key, _ in selector.select():
                if key.fileobj == OWNER:
                    ended = not os.read(OWNER, 4096)
                elif key.fileobj == wake:
                    with contextlib.suppress(BlockingIOError):
                        os.read(wake, 4096)
                else:
                    ended |= not _take(orders, endings, (wake, wakeup))
            _bury(endings)
    for pid in endings:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _take(orders: socket.socket, endings: dict[int, Connection], own: tuple[int, int]) -> bool:
    """Carry out one order; return False at the end of the orders."""
    order, numbers, _, _ = socket.recv_fds(orders, 64, 2)
    if order.startswith(b"kill "):
        pid = int(order[5:])
        if pid in endings:  # else it has ended, and another process may have its number
            os.kill(pid, signal.SIGKILL)
        return True
    if len(numbers) != 2:
        return False
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for ending in endings.values():
                ending.close()
            for number in (*own, orders.detach(), numbers[1]):
                os.close(number)
            _work(Connection(numbers[0]))
            code = 0
        finally:
            os._exit(code)  # the child must never continue as a second server
    os.close(numbers[0])
    endings[pid] = Connection(numbers[1], readable=False)
    with contextlib.suppress(OSError):
        endings[pid].send(("pid", pid))
    return True


def _bury(endings: dict[int, Connection]) -> None:
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            pid, status = found
            if ending := endings.pop(pid, None):
                with contextlib.suppress(OSError):  # the owner has closed its end
                    ending.send(("exit", os.waitstatus_to_exitcode(status)))
                ending.close()


def _work(connection: Connection) -> None:
    """Convert one file in the child."""
    die_with(os.getppid())
    request: Request = connection.recv()
    limit_memory(request.settings.memory_mb)
    limit_written(request.identity.size)
    _send_logs(connection)
    try:
        verdict = convert(request, _Reports(connection))
    except BaseException as error:  # any exception of a converter ends this process only
        verdict = Verdict(status="rejected", reason=f"its conversion failed: {error!r}")
    connection.send(("progress", request.identity.size))
    connection.send(("verdict", verdict))


class _Reports:
    """Reports the progress of a conversion to the owner, every `REPORT_EVERY_S` at most."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._said = 0.0

    def progress(self, done: int) -> None:
        """Send the number of bytes read, unless a report was sent just now."""
        if time.monotonic() - self._said >= REPORT_EVERY_S:
            self._said = time.monotonic()
            self._connection.send(("progress", done))

    def writes(self, path: Path) -> None:
        """Send the temporary file to remove if this process dies."""
        self._connection.send(("writes", path))


class _ToOwner(logging.Handler):
    """Passes log records to the owner, whose handlers are configured."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(logging.INFO)
        self._connection = connection

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record as text."""
        text = self.format(record)
        with contextlib.suppress(OSError):
            self._connection.send(("log", record.levelno, record.name, text))


def _send_logs(connection: Connection) -> None:
    for name in ("ishtar", "runner"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.addHandler(_ToOwner(connection))


def _preload() -> None:
    """Import what the built-in converters import lazily."""
    import hdf5plugin  # noqa: F401
    import nptdms.reader  # noqa: F401

    for _ in converters():
        pass
    gc.collect()
    gc.freeze()  # so that a collection in a child does not copy shared pages


def main(number: str) -> None:
    """Serve on a socket created by the owner."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _preload()
    serve(socket.socket(fileno=int(number)))


if __name__ == "__main__":
    main(sys.argv[1])
