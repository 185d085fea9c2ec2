"""The server that forks a process for each file that is converted.

    python -m runner.ingest.process_server SOCKET

It has one thread and does nothing but fork, kill on demand and tell how processes ended. Its owner
holds the other end of its standard input: when that closes, it ends with all that it has started.
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
    """Fork processes until the owner is gone."""
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
    """Do what the owner orders; say no when nothing will come any more."""
    order, numbers, _, _ = socket.recv_fds(orders, 64, 2)
    if order.startswith(b"kill "):
        pid = int(order[5:])
        if pid in endings:  # else it has ended, and the number may be another's
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
            os._exit(code)  # it must never go on as a second server
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
                with contextlib.suppress(OSError):  # nobody asks any more
                    ending.send(("exit", os.waitstatus_to_exitcode(status)))
                ending.close()


def _work(connection: Connection) -> None:
    """Convert one file, in the child."""
    die_with(os.getppid())
    request: Request = connection.recv()
    limit_memory(request.settings.memory_mb)
    limit_written(request.identity.size)
    _send_logs(connection)
    try:
        verdict = convert(request, _Reports(connection))
    except BaseException as error:  # whatever a converter raises ends this process only
        verdict = Verdict(status="rejected", reason=f"its conversion failed: {error!r}")
    connection.send(("progress", request.identity.size))
    connection.send(("verdict", verdict))


class _Reports:
    """Tells the owner how far a conversion is, now and then."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._said = 0.0

    def progress(self, done: int) -> None:
        """Send the bytes that were read, if that was not done just now."""
        if time.monotonic() - self._said >= REPORT_EVERY_S:
            self._said = time.monotonic()
            self._connection.send(("progress", done))

    def writes(self, path: Path) -> None:
        """Send what to remove if this process dies."""
        self._connection.send(("writes", path))


class _ToOwner(logging.Handler):
    """Hands what is logged to the owner, which knows where it belongs."""

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
    """Import what the built-in converters import late."""
    import hdf5plugin  # noqa: F401
    import nptdms.reader  # noqa: F401

    for _ in converters():
        pass
    gc.collect()
    gc.freeze()  # a collection in a child need not touch, and so copy, what is shared


def main(number: str) -> None:
    """Serve at a socket that the owner has made."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _preload()
    serve(socket.socket(fileno=int(number)))


if __name__ == "__main__":
    main(sys.argv[1])
