"""One warm kernel, held by a connection to the server that forked it.

The kernel ends with the connection, so it ends with whoever holds it, however that happens.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Mapping
from typing import Any

from ishtar.errors import IshtarError

LONGEST_S = 60.0  # that a server may be silent when it is asked for something


class WarmKernelError(IshtarError, RuntimeError):
    """The server of warm kernels gave none; an ordinary kernel does the same, later."""


class Lease:
    """A kernel for one notebook. ``pid`` is its process, ``exit_code`` is set when it is gone."""

    def __init__(self, address: str) -> None:
        self.pid = 0
        self.exit_code: int | None = None
        self._received = b""
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.settimeout(10.0)
            self._socket.connect(address)
        except OSError as error:
            self._socket.close()
            raise WarmKernelError(
                f"no server of kernels answers at its socket ({error}): use ordinary kernels, "
                '`kernels = "cold"` under [run]'
            ) from error
        self._socket.setblocking(False)

    async def order(
        self, *, cwd: str, env: Mapping[str, str], earlier: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Get a kernel that works in a folder with an environment; return how it is reached.

        ``earlier`` is what this returned for a kernel that has ended and whose place it takes.
        """
        loop = asyncio.get_running_loop()
        order: dict[str, Any] = {"cwd": cwd, "env": dict(env)}
        if earlier:
            order["connection"] = {**earlier, "key": earlier["key"].decode()}
        text = json.dumps(order)
        try:
            await loop.sock_sendall(self._socket, text.encode() + b"\n")
        except OSError as error:
            raise WarmKernelError(_ENDED) from error
        try:
            info = await asyncio.wait_for(self._next(), LONGEST_S)
        except TimeoutError as error:
            raise WarmKernelError(_SILENT) from error
        if info is None or "pid" not in info:
            raise WarmKernelError(_ENDED)
        self.pid = info.pop("pid")
        info["key"] = info["key"].encode()
        return info

    async def ended(self) -> int:
        """Wait until the kernel and all that it has started are gone; return its exit code."""
        while self.exit_code is None:
            self._note(await self._next())
        return self.exit_code

    def poll(self) -> int | None:
        """Return the exit code; None while the kernel runs."""
        if self.exit_code is None:
            try:
                got = self._socket.recv(4096)
            except BlockingIOError:
                return None
            except OSError:
                got = b""
            self._received += got
            if b"\n" in self._received or not got:
                self._note(self._line())
        return self.exit_code

    def send_signal(self, number: int) -> None:
        """Have a signal sent to the kernel."""
        try:
            self._socket.sendall(json.dumps({"signal": number}).encode() + b"\n")
        except OSError:
            self._note(None)

    def close(self) -> None:
        """Give the kernel up; it is ended with all that it has started."""
        self._socket.close()
        if self.exit_code is None:
            self.exit_code = -signal.SIGKILL

    def _note(self, message: dict[str, Any] | None) -> None:
        # Without its server no kernel lives on.
        self.exit_code = -signal.SIGKILL if message is None else message.get("exit", self.exit_code)

    def _line(self) -> dict[str, Any] | None:
        line, found, self._received = self._received.partition(b"\n")
        return json.loads(line) if found else None

    async def _next(self) -> dict[str, Any] | None:
        """Wait for a line; None when the connection has closed."""
        loop = asyncio.get_running_loop()
        while b"\n" not in self._received:
            try:
                got = await loop.sock_recv(self._socket, 1 << 16)
            except OSError:
                return None
            if not got:
                return None
            self._received += got
        return self._line()


_ENDED = (
    "the server of kernels ended before it gave one: try again, "
    'or use ordinary kernels, `kernels = "cold"` under [run]'
)
_SILENT = (
    f"the server of kernels has not answered for {LONGEST_S:g} s: look what it waits for, "
    'or use ordinary kernels, `kernels = "cold"` under [run]'
)
