"""A slow line to a local server: 50 ms there and back, 10 Mbit/s each way.

A proxy in a process of its own. Each direction has one queue, which all connections share; what has
left it arrives 25 ms later. A connection costs a round trip before its first byte, and begins with
the window of TCP's slow start, which what has been acknowledged widens. Headers of Ethernet, IP and
TCP count. Nothing is lost, as if `tc netem` had delayed the packets of an idle line; `netem` itself
needs a kernel with it, and the right to change the network.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from typing import Any

ONE_WAY_S = 0.025
BITS_PER_S = 10e6
SEGMENT = 1448  # bytes of a packet's content …
PACKET = 1514  # … and those that the line carries for them
FIRST_WINDOW = 10 * SEGMENT  # Linux's
METHODS = (b"GET ", b"HEAD ", b"POST ")


@dataclass(frozen=True)
class Line:
    """The near end of a slow line."""

    port: int
    _requests: Synchronized[int]
    _bytes: Synchronized[int]

    def counted(self) -> tuple[int, int]:
        """Return how many requests have gone, and how many bytes have come, headers included."""
        return self._requests.value, self._bytes.value


@contextmanager
def slow_line(server_port: int) -> Iterator[Line]:
    """Give the near end of a slow line to a port of this machine."""
    context = multiprocessing.get_context("spawn")
    port, requests, received = (context.Value("q", 0) for _ in range(3))
    ready = context.Event()
    process = context.Process(
        target=_serve, args=(server_port, port, requests, received, ready), daemon=True
    )
    process.start()
    try:
        assert ready.wait(30), "the slow line has not begun"
        yield Line(port.value, requests, received)
    finally:
        process.terminate()
        process.join()


def _serve(
    server_port: int,
    port: Synchronized[int],
    requests: Synchronized[int],
    received: Synchronized[int],
    ready: Any,
) -> None:
    asyncio.run(_Proxy(server_port, requests, received).run(port, ready))


class _Proxy:
    """Both directions of the line."""

    def __init__(
        self, server_port: int, requests: Synchronized[int], received: Synchronized[int]
    ) -> None:
        self._server_port = server_port
        self._requests, self._received = requests, received
        self._up, self._down = _Queue(), _Queue()

    async def run(self, port: Synchronized[int], ready: Any) -> None:
        """Serve until the process ends."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port.value = server.sockets[0].getsockname()[1]
        ready.set()
        await server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2 * ONE_WAY_S)  # SYN and its answer
        far = await asyncio.open_connection("127.0.0.1", self._server_port)
        await asyncio.gather(
            self._carry(reader, far[1], self._up, up=True),
            self._carry(far[0], writer, self._down, up=False),
        )

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        queue: _Queue,
        *,
        up: bool,
    ) -> None:
        window = _Window()
        arrivals: set[asyncio.Task[None]] = set()
        last = asyncio.get_running_loop().create_future()
        last.set_result(None)
        try:
            while content := await reader.read(4 * SEGMENT):
                if up:
                    self._requests.value += content.startswith(METHODS)
                else:
                    self._received.value += len(content)
                await window.room(len(content))
                leaves = await queue.sent(len(content))
                task = asyncio.create_task(
                    _arrive(content, writer, leaves + ONE_WAY_S, window, last)
                )
                last = task  # type: ignore[assignment]
                arrivals.add(task)
                task.add_done_callback(arrivals.discard)
        except ConnectionError:
            pass
        await asyncio.gather(*arrivals, return_exceptions=True)
        writer.close()


async def _arrive(
    content: bytes,
    writer: asyncio.StreamWriter,
    when: float,
    window: _Window,
    before: asyncio.Future[None],
) -> None:
    await asyncio.sleep(when - time.monotonic())
    await asyncio.wait([before])
    writer.write(content)
    asyncio.get_running_loop().call_later(ONE_WAY_S, window.acknowledge, len(content))


class _Queue:
    """What leaves the line's end, one packet after the other."""

    def __init__(self) -> None:
        self._free_at = 0.0

    async def sent(self, length: int) -> float:
        """Wait until the content may be put into the queue; return when it will have left."""
        packets = -(-length // SEGMENT)
        bits = 8 * (length + packets * (PACKET - SEGMENT))
        self._free_at = max(self._free_at, time.monotonic()) + bits / BITS_PER_S
        leaves = self._free_at
        await asyncio.sleep(leaves - time.monotonic())
        return leaves


class _Window:
    """How much of a connection may be on its way: what was acknowledged, and a first window."""

    def __init__(self) -> None:
        self._open = FIRST_WINDOW
        self._changed = asyncio.Event()

    async def room(self, length: int) -> None:
        """Wait until ``length`` more bytes may go."""
        while self._open < length:
            self._changed.clear()
            await self._changed.wait()
        self._open -= length

    def acknowledge(self, length: int) -> None:
        """Widen the window by what has arrived: slow start doubles it each round trip."""
        self._open += 2 * length
        self._changed.set()
