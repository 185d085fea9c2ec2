"""Servers that answer as a test says, to requests for the files of a site."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import ishtar
from tests.library_fakes import FIRST
from tests.remote_fakes import serving_by


@dataclass
class Server:
    """How a server misbehaves, and what it was sent."""

    answer: Callable[[BaseHTTPRequestHandler, bytes, str], None]
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@contextmanager
def serving_oddly(
    folder: Path,
    answer: Callable[[BaseHTTPRequestHandler, bytes, str], None],
    context: ssl.SSLContext | None = None,
) -> Iterator[tuple[str, Server]]:
    """Serve a folder by what a test says; give the address, and what was asked."""
    server = Server(answer)

    class Odd(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.asked.append((self.path, dict(self.headers)))
            path = folder / self.path.lstrip("/").partition("?")[0]
            if not path.is_file():
                self.send_error(404)
                return
            server.answer(self, path.read_bytes(), self.path)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with serving_by(Odd, context) as address:
        yield address, server


def send(handler: BaseHTTPRequestHandler, status: int, content: bytes, **headers: str) -> None:
    """Send an answer."""
    handler.send_response(status)
    given = {"Content-Length": str(len(content))}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    for name, value in given.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(content)


def whole(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
    """Send whole files only."""
    send(handler, 200, content)


def first_range(handler: BaseHTTPRequestHandler, content: bytes, path: str, **headers: str) -> None:
    """Send one range; whole files if several are asked for, as some stores do."""
    match = re.fullmatch(r"bytes=(\d+)-(\d+)", handler.headers.get("Range", ""))
    if match is None:
        send(handler, 200, content, **headers)
        return
    start, stop = int(match[1]), min(int(match[2]) + 1, len(content))
    described = f"bytes {start}-{stop - 1}/{len(content)}"
    send(handler, 206, content[start:stop], Content_Range=described, **headers)


def read_from(address: str) -> Any:
    """Read a signal from far."""
    return ishtar.open(address)[FIRST]["Probe_U"].values()
