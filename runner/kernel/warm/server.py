"""The server of warm kernels: a process with one thread that forks kernels and hands them out.

    python -m runner.kernel.warm.server STATE

Its owner made the socket that it listens at, and holds the other end of its standard input: when
that closes, the server ends with all its kernels, however the owner came to its end. Each lease is
one connection, spoken in lines of JSON::

    → {"cwd": "…", "env": {…}}      the order; with "connection", that of an earlier kernel whose
                                    place this one takes
    ← {"pid": 123, "transport": "ipc", "ip": "…", "shell_port": 1, …}
    → {"signal": 2}
    ← {"exit": -9}                  the kernel and all that it had started are gone

When the connection closes, the kernel is ended. When a file that the server has imported changed,
it replaces itself (``execv``) and keeps its children and connections: no lease is lost.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import select
import selectors
import shutil
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from runner.kernel.warm import kernel as forked
from runner.kernel.warm.folders import remove_files_of
from runner.kernel.warm.preload import Sources, preload_first, preload_later
from runner.kernel.warm.processes import adopt_orphans, children, comes_from_below, kill, kill_tree

logger = logging.getLogger(__name__)
OWNER = 0  # standard input
LAST_S = 3.0  # for the end of kernels when the server ends
MOST_FAILURES = 3  # kernels one after the other that could not start


@dataclass(eq=False)
class Lease:
    """A connection, what came in over it, and the kernel that it holds."""

    connection: socket.socket
    received: bytes = b""
    order: bytes = b""
    kernel: Kernel | None = None


@dataclass(eq=False)
class Kernel:
    """A forked process; ``info`` is there as soon as it can be reached."""

    pid: int
    prefix: str
    channel: socket.socket | None = None
    info: dict[str, Any] = field(default_factory=dict)
    lease: Lease | None = None
    exit: int | None = None
    retired: bool = False


class Server:
    """Keeps ``spare`` kernels ready, and gives one to each connection that orders one."""

    def __init__(self, listener: socket.socket, folder: Path, spare: int) -> None:
        self._listener, self._folder, self._spare = listener, folder, spare
        self._selector = selectors.PollSelector()  # unlike epoll it needs no file of its own
        self._kernels: dict[int, Kernel] = {}
        self._idle: list[Kernel] = []
        self._waiting: list[Lease] = []
        self._leases: dict[Lease, None] = {}  # in the order in which they came
        self._dead: list[Kernel] = []
        self._forked = self._failures = 0
        self._ended = self._orphaned = self._complete = False
        self._failed: list[str] = []

    def run(self) -> None:
        """Serve until the owner is gone."""
        self._failed = preload_first()
        self._settle()
        self._wake, wakeup = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wakeup, False)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "_ended", True))
        self._own = (self._listener.fileno(), OWNER, self._wake, wakeup)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(OWNER, selectors.EVENT_READ, self._owner_spoke)
        self._selector.register(self._wake, selectors.EVENT_READ, self._bury)
        self._bury()  # who ended while the server replaced itself
        try:
            while not self._left_alone():
                self._hand_out()
                if not self._complete and self._idle and not self._waiting:
                    self._complete_imports()
                    continue
                for key, _ in self._selector.select():
                    if self._selector.get_map().get(key.fd) is key:  # still, after those before it
                        key.data()
        finally:
            self._end_all()
            if self._orphaned:  # else the owner starts another one, with the same socket
                shutil.rmtree(self._folder, ignore_errors=True)

    def _end_all(self) -> None:
        """End all that is below; one that still started could put back what is then removed."""
        for kernel in self._kernels.values():
            kill_tree(kernel.pid)
        deadline = time.monotonic() + LAST_S
        with contextlib.suppress(ChildProcessError):
            while time.monotonic() < deadline:
                for pid in children(os.getpid()):
                    kill(pid)
                if not os.waitpid(-1, os.WNOHANG)[0]:
                    time.sleep(0.002)

    def _settle(self) -> None:
        """Make what was imported the ground that kernels are forked from."""
        self._sources = Sources(self._failed)
        gc.collect()
        gc.freeze()  # a collection in a kernel need not touch, and so copy, what is shared

    def _complete_imports(self) -> None:
        """Import the rest while nobody waits; kernels that were forked without it are replaced."""
        self._complete = True
        self._failed += preload_later()
        self._settle()
        for kernel in self._idle:
            kill_tree(kernel.pid)
            kernel.retired = True
        self._idle.clear()

    def _left_alone(self) -> bool:
        """Tell whether it is time to end; the owner may have gone while this imported.

        A kernel that began then would find its folder removed, and leave one of its own.
        """
        if not self._ended and select.select([OWNER], [], [], 0)[0]:
            self._owner_spoke()
        return self._ended

    def _owner_spoke(self) -> None:
        self._ended = self._orphaned = not os.read(OWNER, 4096)

    # --- leases --------------------------------------------------------------------------------

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            connection, _ = self._listener.accept()
            if comes_from_below(connection):  # from a notebook, which would be rid of its sandbox
                logger.warning("a program of a notebook asked for a kernel: refused")
                connection.close()
            else:
                self._hold(Lease(connection))

    def _hold(self, lease: Lease) -> None:
        lease.connection.setblocking(False)
        self._leases[lease] = None
        self._selector.register(
            lease.connection, selectors.EVENT_READ, partial(self._listen_to, lease)
        )

    def _listen_to(self, lease: Lease) -> None:
        try:
            got = lease.connection.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            got = b""
        if not got:
            self._let_go(lease)
            return
        *lines, lease.received = (lease.received + got).split(b"\n")
        for line in lines:
            try:
                said = json.loads(line)
                if not lease.order:
                    str(said["cwd"]), dict(said["env"])
                    lease.order = line
                    self._waiting.append(lease)
                elif lease.kernel and lease.kernel.exit is None:
                    os.kill(lease.kernel.pid, int(said["signal"]))
            except (ValueError, TypeError, KeyError, OSError) as error:
                logger.warning("an order was not understood (%r)", error)
                self._let_go(lease)
                return

    def _let_go(self, lease: Lease) -> None:
        """Close the connection; its kernel ends."""
        if lease not in self._leases:
            return
        del self._leases[lease]
        if lease in self._waiting:
            self._waiting.remove(lease)
        self._selector.unregister(lease.connection)
        lease.connection.close()
        if kernel := lease.kernel:
            kernel.lease, kernel.retired = None, True
            if kernel.exit is None:
                kill_tree(kernel.pid)

    def _tell(self, lease: Lease, what: dict[str, Any]) -> None:
        try:
            lease.connection.sendall(json.dumps(what).encode() + b"\n")
        except OSError:  # gone, or it does not listen; nobody may hold up the others
            self._let_go(lease)

    def _hand_out(self) -> None:
        """Give ready kernels to those who wait, and see that there are more."""
        if self._waiting and not self._dead and (changed := self._sources.changed()):
            logger.info("starting again: %s changed", ", ".join(changed[:5]))
            self._replace()
        while self._waiting and self._idle:
            lease, kernel = self._waiting.pop(0), self._idle.pop(0)
            lease.kernel, kernel.lease = kernel, lease
            channel, kernel.channel = kernel.channel, None
            assert channel is not None
            if earlier := json.loads(lease.order).get("connection"):
                self._take_place(kernel, earlier)
            with channel, contextlib.suppress(OSError):  # it has died: its end will be told
                channel.setblocking(True)
                channel.sendall(lease.order + b"\n")
            self._tell(lease, {"pid": kernel.pid, **kernel.info})
        coming = sum(not k.lease and not k.retired for k in self._kernels.values())
        for _ in range(max(self._spare, len(self._waiting)) - coming):
            self._fork()

    def _take_place(self, kernel: Kernel, earlier: dict[str, Any]) -> None:
        """Let a kernel be reached as an earlier one was: clients of a restarted kernel stay."""
        if Path(earlier["ip"]).parent != self._folder:
            return
        for name in (n for n in kernel.info if n.endswith("_port")):
            Path(f"{kernel.prefix}-{kernel.info[name]}").replace(f"{earlier['ip']}-{earlier[name]}")
        remove_files_of(kernel.prefix)
        kernel.prefix, kernel.info = earlier["ip"], earlier

    # --- kernels -------------------------------------------------------------------------------

    def _fork(self) -> None:
        ours, theirs = socket.socketpair()
        self._forked += 1
        prefix = str(self._folder / f"{os.getpid()}.{self._forked}")
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                signal.set_wakeup_fd(-1)
                self._close_all()
                ours.close()
                forked.run(theirs, prefix, server)
            finally:
                os._exit(1)  # it must never go on as a second server
        theirs.close()
        kernel = Kernel(pid, prefix, ours)
        self._kernels[pid] = kernel
        self._selector.register(ours, selectors.EVENT_READ, partial(self._ready, kernel))

    def _close_all(self) -> None:
        """Close, in the child, what belongs to the server; kernels hold nothing of each other."""
        for lease in self._leases:
            lease.connection.close()
        for kernel in self._kernels.values():
            if kernel.channel:
                kernel.channel.close()
        self._listener.close()
        for number in self._own[1:]:
            os.close(number)

    def _ready(self, kernel: Kernel) -> None:
        assert kernel.channel is not None
        self._selector.unregister(kernel.channel)
        kernel.channel.setblocking(True)
        with kernel.channel.makefile("rb") as lines:
            info = json.loads(lines.readline() or "{}")
        if "ip" in info:
            kernel.info, self._failures = info, 0
            self._idle.append(kernel)
            return
        logger.error("a kernel could not start: %s", info.get("failed", "it was killed"))
        kernel.channel.close()
        kernel.channel = None
        self._failures += 1
        self._ended |= self._failures >= MOST_FAILURES

    def _bury(self) -> None:
        """Take note of processes that have ended, and end what kernels have left behind."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake, 4096):
                pass
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if kernel := self._kernels.pop(ended[0], None):
                    kernel.exit = os.waitstatus_to_exitcode(ended[1])
                    self._dead.append(kernel)
        if not self._dead:
            return
        # Orphans of living kernels are adopted by those, so whoever else is here belonged to a
        # dead one. Its own children come here in turn, with a signal.
        strays = children(os.getpid()) - self._kernels.keys()
        if any([kill(pid) for pid in strays]):
            return
        for kernel in self._dead:
            self._remove(kernel)
        self._dead.clear()

    def _remove(self, kernel: Kernel) -> None:
        if kernel in self._idle:
            self._idle.remove(kernel)
        if kernel.channel:
            with contextlib.suppress(KeyError):
                self._selector.unregister(kernel.channel)
            kernel.channel.close()
        remove_files_of(kernel.prefix)
        if kernel.lease:
            self._tell(kernel.lease, {"exit": kernel.exit})

    # --- replacing itself ----------------------------------------------------------------------

    def _replace(self) -> None:
        """Become a new server with the code as it is now; connections and children stay."""
        for kernel in self._kernels.values():
            if kernel.lease is None:
                kill_tree(kernel.pid)
                remove_files_of(kernel.prefix)
        state = {
            "forked": self._forked,
            "listener": self._listener.fileno(),
            "folder": str(self._folder),
            "spare": self._spare,
            "leases": [
                {
                    "connection": lease.connection.fileno(),
                    "received": lease.received.decode("latin-1"),
                    "order": lease.order.decode("latin-1"),
                    "kernel": lease.kernel
                    and [lease.kernel.pid, lease.kernel.prefix, lease.kernel.exit],
                }
                for lease in self._leases
            ],
        }
        for number in (state["listener"], *(s["connection"] for s in state["leases"])):  # type: ignore[attr-defined]
            os.set_inheritable(number, True)
        # Orders hold environments, which may be too long for an argument, and secret.
        path = self._folder / "state.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(state), encoding="ascii")
        os.execv(sys.executable, [sys.executable, "-P", "-m", __spec__.name, str(path)])

    def take_over(self, forked: int, leases: list[dict[str, Any]]) -> None:
        """Go on with the connections and kernels of the server that this process was."""
        self._forked = forked
        for state in leases:
            lease = Lease(
                socket.socket(fileno=state["connection"]),
                state["received"].encode("latin-1"),
                state["order"].encode("latin-1"),
            )
            lease.connection.set_inheritable(False)
            self._hold(lease)
            if state["kernel"]:
                pid, prefix, code = state["kernel"]
                lease.kernel = Kernel(pid, prefix, lease=lease, exit=code)
                if code is None:
                    self._kernels[pid] = lease.kernel
            elif lease.order:
                self._waiting.append(lease)


def main(state_file: str) -> None:
    """Serve, from a state that the owner or an earlier self has left."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    adopt_orphans()
    state = json.loads(Path(state_file).read_text(encoding="ascii"))
    Path(state_file).unlink()
    listener = socket.socket(fileno=state["listener"])
    listener.set_inheritable(False)
    listener.setblocking(False)
    server = Server(listener, Path(state["folder"]), state["spare"])
    server.take_over(state.get("forked", 0), state.get("leases", []))
    server.run()


if __name__ == "__main__":
    main(sys.argv[1])
