"""One process with limits for each conversion, so that a bad file harms no other.

A server with the imports of the converters (:mod:`runner.ingest.process_server`) forks them, so one
costs a few milliseconds. A file whose process crashes or hangs is rejected. A process killed from
outside is tried once more, because the file may not be to blame.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from runner.ingest.conversion import Request, Verdict
from runner.ingest.ingest_errors import IngestStopped

logger = logging.getLogger(__name__)

BYTES_PER_S = 5e6  # a file may take longer by its size over this
_KILLED = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP)
_TRIES = 2
LOOK_EVERY_S = 0.5


class ConversionDied(Exception):
    """The process of a file crashed or was ended; the text is the reason."""


class _ServerGone(Exception):
    """The server ended, with all its processes."""


class _Server:
    """The fork server of this process; started with the first file."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "runner.ingest.process_server", str(theirs.fileno())],
                stdin=subprocess.PIPE,  # closes when this process ends, which ends the server
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
                start_new_session=True,  # Ctrl-C in the terminal is only for this process
            )
        self._orders = ours
        self._sending = threading.Lock()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def begin(self) -> tuple[Connection, Connection]:
        """Fork a process; return its connection, and one that reports its end."""
        ours, theirs = socket.socketpair()
        told, tells = os.pipe()
        try:
            with self._sending, theirs:
                socket.send_fds(self._orders, [b"fork"], [theirs.fileno(), tells])
        except OSError as error:
            ours.close()
            os.close(told)
            raise _ServerGone from error
        finally:
            os.close(tells)
        return Connection(ours.detach()), Connection(told, writable=False)

    def kill(self, pid: int) -> None:
        """Let the server kill one of its processes: only it knows that the pid is still valid."""
        with self._sending, contextlib.suppress(OSError):
            self._orders.send(b"kill %d" % pid)

    def close(self) -> None:
        """End the server and all its processes."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._orders.close()
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


_server: _Server | None = None
_owner = 0
_lock = threading.Lock()


def _running_server() -> _Server:
    global _server, _owner
    with _lock:
        if _server is None or _owner != os.getpid() or not _server.alive:
            if _server is not None and _owner == os.getpid():
                _server.close()
            _server, _owner = _Server(), os.getpid()
            atexit.register(close_processes)
        return _server


def close_processes() -> None:
    """End the server and all its conversions; the next file starts a new server."""
    global _server
    with _lock:
        if _server is not None and _owner == os.getpid():
            atexit.unregister(close_processes)
            _server.close()
        _server = None


def convert_apart(
    request: Request,
    progress: Callable[[int], None],
    cancelled: threading.Event | None = None,
) -> Verdict:
    """Convert a file in a separate process.

    Raises
    ------
    ConversionDied
        The process crashed, hung or needed too much: the file is to blame.
    IngestStopped
        It was cancelled, or processes cannot be started or are killed repeatedly.
    """
    cancelled = cancelled or threading.Event()
    why = ""
    for _ in range(_TRIES):
        try:
            return _once(_running_server(), request, progress, cancelled)
        except _ServerGone:
            why = "the conversion server ended"
        except _Killed as killed:
            why = str(killed)
        if cancelled.is_set():
            why = "it was cancelled"
            break
    if "SIGKILL" in why:  # twice: then this file exhausts the memory
        raise ConversionDied(f"{why}: check that there is enough memory for it")
    raise IngestStopped(
        f"ingest of {request.path.name} stopped: {why}; nothing was lost: start again",
        source=str(request.path),
    )


class _Killed(Exception):
    """The process of a file was killed from outside."""


def _once(
    server: _Server,
    request: Request,
    progress: Callable[[int], None],
    cancelled: threading.Event,
) -> Verdict:
    connection, ending = server.begin()
    patience = request.settings.timeout_s + request.identity.size / BYTES_PER_S
    with connection, ending:
        pid: int | None = None
        verdict: Verdict | None = None
        furthest, last = 0, time.monotonic()
        hung = killed = False
        exit_code: int | None = None
        temporary: Path | None = None
        with contextlib.suppress(OSError):  # it ended at once: the loop below learns how
            connection.send(request)
        sources = [connection, ending]
        while True:
            hung = hung or time.monotonic() - last > patience
            if pid is not None and not killed and (hung or cancelled.is_set()):
                killed = True
                server.kill(pid)
            ready = wait(sources, timeout=LOOK_EVERY_S)
            for source in [s for s in sources if s in ready]:
                match _receive(source):
                    case ("pid", int(pid)):
                        pass
                    case ("progress", int(done)):
                        if done > furthest:
                            furthest, last = done, time.monotonic()
                        progress(done)
                    case ("writes", Path() as temporary):
                        pass
                    case ("log", int(level), str(name), str(text)):
                        logging.getLogger(name).log(level, "%s", text)
                    case ("verdict", Verdict() as verdict):
                        pass
                    case ("exit", int(code)):
                        exit_code = code
                        sources.remove(ending)
                    case _:
                        sources.remove(source)  # closed
            if exit_code is not None and connection in sources and not connection.poll():
                sources.remove(connection)  # a child of the process keeps it open
            if not sources:
                if verdict is not None:
                    return verdict
                if temporary is not None:
                    _remove(temporary)
                if exit_code is None:
                    raise _ServerGone
                raise _death(exit_code, hung, patience)


def _receive(connection: Connection) -> Any:
    try:
        return connection.recv()
    except (EOFError, OSError):
        return None


def _remove(temporary: Path) -> None:
    """Remove the temporary file of a dead process, and the shot's folder if it is empty."""
    temporary.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        temporary.parent.rmdir()


def _death(code: int, hung: bool, patience: float) -> Exception:
    if hung:
        return ConversionDied(
            f"its conversion made no progress for {patience:.3g} s and was ended: check the file "
            "for damage, or raise [ingest] timeout_s in ishtar.toml"
        )
    if code in _KILLED:
        return _Killed(f"its conversion was ended from outside ({signal.Signals(-code).name})")
    how = signal.Signals(-code).name if code < 0 else f"code {code}"
    return ConversionDied(f"its conversion crashed ({how}): the file is damaged or crafted")
