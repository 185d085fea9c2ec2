"""The kernel server: a single-threaded process that forks warm kernels and leases them.

    python -m runner.kernel.warm.server STATE

Its owner creates the socket on which it listens, and holds the other end of its standard input.
When that closes, the server ends with all its kernels, even if the owner was killed. Each lease is
one connection, which carries lines of JSON::

    → {"cwd": "…", "env": {…}}      the order; "connection" is the info of an ended kernel that
                                    this one replaces
    ← {"pid": 123, "transport": "ipc", "ip": "…", "shell_port": 1, …}
    → {"signal": 2}
    ← {"exit": -9}                  the kernel and all its descendants have ended

When the connection closes, the server kills the kernel. When a file that it has imported changes,
the server replaces itself (``execv``) and keeps its children and connections: no lease is lost.
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
from runner.kernel.warm.preload import Sources, preload_optional, preload_required
from runner.kernel.warm.processes import (
    adopt_orphans,
    children,
    is_from_descendant,
    kill,
    kill_tree,
)

logger = logging.getLogger(__name__)
OWNER = 0  # standard input
END_TIMEOUT_S = 3.0  # to wait for the kernels when the server ends
MAX_FAILURES = 3  # consecutive kernels that could not start


@dataclass(eq=False)
class Lease:
    """A connection, the data received over it, and its kernel."""

    connection: socket.socket
    received: bytes = b""
    order: bytes = b""
    kernel: Kernel | None = None


@dataclass(eq=False)
class Kernel:
    """A forked process; ``info`` is its connection info, set once it is ready."""

    pid: int
    prefix: str
    channel: socket.socket | None = None
    info: dict[str, Any] = field(default_factory=dict)
    lease: Lease | None = None
    exit: int | None = None
    retired: bool = False


class Server:
    """Keep ``spare`` kernels ready, and lease one to each connection that orders one."""

    def __init__(self, listener: socket.socket, folder: Path, spare: int) -> None:
        self._listener, self._folder, self._spare = listener, folder, spare
        self._selector = selectors.PollSelector()  # unlike epoll, it opens no file
        self._kernels: dict[int, Kernel] = {}
        self._idle: list[Kernel] = []
        self._waiting: list[Lease] = []
        self._leases: dict[Lease, None] = {}  # in order of arrival
        self._dead: list[Kernel] = []
        self._forked = self._failures = 0
        self._ended = self._owner_gone = self._imports_complete = False
        self._failed: list[str] = []

    def run(self) -> None:
        """Serve until the owner has ended."""
        self._failed = preload_required()
        self._freeze_imports()
        self._wake, wakeup = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wakeup, False)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "_ended", True))
        self._own = (self._listener.fileno(), OWNER, self._wake, wakeup)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(OWNER, selectors.EVENT_READ, self._read_owner)
        self._selector.register(self._wake, selectors.EVENT_READ, self._reap)
        self._reap()  # kernels may have ended while the server replaced itself
        try:
            while not self._should_end():
                self._assign_kernels()
                if not self._imports_complete and self._idle and not self._waiting:
                    self._import_optional()
                    continue
                for key, _ in self._selector.select():
                    if self._selector.get_map().get(key.fd) is key:  # an earlier callback may have
                        key.data()  # unregistered it
        finally:
            self._end_all()
            if self._owner_gone:  # otherwise the owner restarts the server with the same socket
                shutil.rmtree(self._folder, ignore_errors=True)

    def _end_all(self) -> None:
        """End all descendants; a kernel that still starts could recreate the removed folder."""
        for kernel in self._kernels.values():
            kill_tree(kernel.pid)
        deadline = time.monotonic() + END_TIMEOUT_S
        with contextlib.suppress(ChildProcessError):
            while time.monotonic() < deadline:
                for pid in children(os.getpid()):
                    kill(pid)
                if not os.waitpid(-1, os.WNOHANG)[0]:
                    time.sleep(0.002)

    def _freeze_imports(self) -> None:
        """Record the files of the imported modules, and exempt their objects from collection."""
        self._sources = Sources(self._failed)
        gc.collect()
        gc.freeze()  # a collection in a kernel would touch, and so copy, the shared memory

    def _import_optional(self) -> None:
        """Import the optional modules while no lease waits; replace the kernels forked before."""
        self._imports_complete = True
        self._failed += preload_optional()
        self._freeze_imports()
        for kernel in self._idle:
            kill_tree(kernel.pid)
            kernel.retired = True
        self._idle.clear()

    def _should_end(self) -> bool:
        """Return whether to end; the owner may have ended while the server imported modules.

        A kernel that started then would find its folder removed, and leave a new one behind.
        """
        if not self._ended and select.select([OWNER], [], [], 0)[0]:
            self._read_owner()
        return self._ended

    def _read_owner(self) -> None:
        self._ended = self._owner_gone = not os.read(OWNER, 4096)

    # --- leases --------------------------------------------------------------------------------

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            connection, _ = self._listener.accept()
            if is_from_descendant(connection):  # a notebook that would get a kernel without sandbox
                logger.warning("refused a kernel: the order came from a program of a notebook")
                connection.close()
            else:
                self._add_lease(Lease(connection))

    def _add_lease(self, lease: Lease) -> None:
        lease.connection.setblocking(False)
        self._leases[lease] = None
        self._selector.register(
            lease.connection, selectors.EVENT_READ, partial(self._read_lease, lease)
        )

    def _read_lease(self, lease: Lease) -> None:
        try:
            data = lease.connection.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end_lease(lease)
            return
        *lines, lease.received = (lease.received + data).split(b"\n")
        for line in lines:
            try:
                message = json.loads(line)
                if not lease.order:
                    str(message["cwd"]), dict(message["env"])
                    lease.order = line
                    self._waiting.append(lease)
                elif lease.kernel and lease.kernel.exit is None:
                    os.kill(lease.kernel.pid, int(message["signal"]))
            except (ValueError, TypeError, KeyError, OSError) as error:
                logger.warning("invalid order (%r): its connection is closed", error)
                self._end_lease(lease)
                return

    def _end_lease(self, lease: Lease) -> None:
        """Close the connection and kill its kernel."""
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

    def _send(self, lease: Lease, message: dict[str, Any]) -> None:
        try:
            lease.connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError:  # closed, or its buffer is full; it must not block the others
            self._end_lease(lease)

    def _assign_kernels(self) -> None:
        """Assign ready kernels to waiting leases, and fork new ones."""
        if self._waiting and not self._dead and (changed := self._sources.changed()):
            logger.info("restarting: %s changed", ", ".join(changed[:5]))
            self._replace_self()
        while self._waiting and self._idle:
            lease, kernel = self._waiting.pop(0), self._idle.pop(0)
            lease.kernel, kernel.lease = kernel, lease
            channel, kernel.channel = kernel.channel, None
            assert channel is not None
            if earlier := json.loads(lease.order).get("connection"):
                self._keep_address(kernel, earlier)
            with channel, contextlib.suppress(OSError):  # it has died: its exit code will be sent
                channel.setblocking(True)
                channel.sendall(lease.order + b"\n")
            self._send(lease, {"pid": kernel.pid, **kernel.info})
        unleased = sum(not k.lease and not k.retired for k in self._kernels.values())
        for _ in range(max(self._spare, len(self._waiting)) - unleased):
            self._fork()

    def _keep_address(self, kernel: Kernel, earlier: dict[str, Any]) -> None:
        """Move a kernel to the sockets of an earlier one, so that its clients stay connected."""
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
                os._exit(1)  # it must never continue as a second server
        theirs.close()
        kernel = Kernel(pid, prefix, ours)
        self._kernels[pid] = kernel
        self._selector.register(ours, selectors.EVENT_READ, partial(self._ready, kernel))

    def _close_all(self) -> None:
        """Close the server's sockets and pipes in the child; kernels share none with each other."""
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
        self._ended |= self._failures >= MAX_FAILURES

    def _reap(self) -> None:
        """Collect ended processes, and kill the processes that kernels left behind."""
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
        # Living kernels adopt their own orphans, so any other child belonged to a dead kernel.
        # When it dies, its children come here in turn, with another signal.
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
            self._send(kernel.lease, {"exit": kernel.exit})

    # --- replacing itself ----------------------------------------------------------------------

    def _replace_self(self) -> None:
        """Restart with the current code in the same process; connections and children stay."""
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

    def restore(self, forked: int, leases: list[dict[str, Any]]) -> None:
        """Restore the connections and kernels from before the server replaced itself."""
        self._forked = forked
        for state in leases:
            lease = Lease(
                socket.socket(fileno=state["connection"]),
                state["received"].encode("latin-1"),
                state["order"].encode("latin-1"),
            )
            lease.connection.set_inheritable(False)
            self._add_lease(lease)
            if state["kernel"]:
                pid, prefix, code = state["kernel"]
                lease.kernel = Kernel(pid, prefix, lease=lease, exit=code)
                if code is None:
                    self._kernels[pid] = lease.kernel
            elif lease.order:
                self._waiting.append(lease)


def main(state_file: str) -> None:
    """Serve from a state file, written by the owner or by the server before it replaced itself."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    adopt_orphans()
    state = json.loads(Path(state_file).read_text(encoding="ascii"))
    Path(state_file).unlink()
    listener = socket.socket(fileno=state["listener"])
    listener.set_inheritable(False)
    listener.setblocking(False)
    server = Server(listener, Path(state["folder"]), state["spare"])
    server.restore(state.get("forked", 0), state.get("leases", []))
    server.run()


if __name__ == "__main__":
    main(sys.argv[1])
