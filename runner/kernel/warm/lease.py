"""One warm kernel, tied to a connection to the server that forked it.

The kernel ends when the connection closes, so it also ends when its user is killed.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Mapping
from typing import Any

from ishtar.errors import IshtarError

ANSWER_TIMEOUT_S = 60.0  # for the server's answer to a request


class WarmKernelError(IshtarError, RuntimeError):
    """The kernel server provided no kernel; a cold kernel does the same, more slowly."""


class Lease:
    """A kernel for one notebook; ``pid`` is its process, ``exit_code`` is set when it has ended."""

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
                f"no kernel server answers at its socket ({error}): use cold kernels, "
                '`kernels = "cold"` under [run]'
            ) from error
        self._socket.setblocking(False)

    async def order(
        self, *, cwd: str, env: Mapping[str, str], earlier: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Order a kernel with a working folder and an environment; return its connection info.

        ``earlier`` is the connection info of a kernel that has ended and that this one replaces.
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
            info = await asyncio.wait_for(self._receive(), ANSWER_TIMEOUT_S)
        except TimeoutError as error:
            raise WarmKernelError(_SILENT) from error
        if info is None or "pid" not in info:
            raise WarmKernelError(_ENDED)
        self.pid = info.pop("pid")
        info["key"] = info["key"].encode()
        return info

    async def ended(self) -> int:
        """Wait until the kernel and all its descendants have ended; return its exit code."""
        while self.exit_code is None:
            self._note(await self._receive())
        return self.exit_code

    def poll(self) -> int | None:
        """Return the exit code; None while the kernel runs."""
        if self.exit_code is None:
            try:
                data = self._socket.recv(4096)
            except BlockingIOError:
                return None
            except OSError:
                data = b""
            self._received += data
            if b"\n" in self._received or not data:
                self._note(self._take_line())
        return self.exit_code

    def send_signal(self, number: int) -> None:
        """Ask the server to send a signal to the kernel."""
        try:
            self._socket.sendall(json.dumps({"signal": number}).encode() + b"\n")
        except OSError:
            self._note(None)

    def close(self) -> None:
        """Close the connection; the server then ends the kernel and all its descendants."""
        self._socket.close()
        if self.exit_code is None:
            self.exit_code = -signal.SIGKILL

    def _note(self, message: dict[str, Any] | None) -> None:
        # No message: the server has ended, and its kernels with it.
        self.exit_code = -signal.SIGKILL if message is None else message.get("exit", self.exit_code)

    def _take_line(self) -> dict[str, Any] | None:
        line, found, self._received = self._received.partition(b"\n")
        return json.loads(line) if found else None

    async def _receive(self) -> dict[str, Any] | None:
        """Wait for a message; return None when the connection has closed."""
        loop = asyncio.get_running_loop()
        while b"\n" not in self._received:
            try:
                data = await loop.sock_recv(self._socket, 1 << 16)
            except OSError:
                return None
            if not data:
                return None
            self._received += data
        return self._take_line()


_ENDED = (
    "the kernel server ended before it provided a kernel: try again, "
    'or use cold kernels, `kernels = "cold"` under [run]'
)
_SILENT = (
    f"the kernel server has not answered for {ANSWER_TIMEOUT_S:g} s: find out what it waits for, "
    'or use cold kernels, `kernels = "cold"` under [run]'
)
