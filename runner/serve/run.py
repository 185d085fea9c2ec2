"""Run a web application until it is stopped."""

from __future__ import annotations

import socket
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

GRACE_S = 2  # for answers that are being sent when it is stopped


def run_app(app: ASGIApp, listening: socket.socket) -> None:
    """Serve an application on an open socket, until SIGTERM or Ctrl-C."""
    config = uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        lifespan="off",
        server_header=False,
        proxy_headers=False,  # who asks is decided by whose header is believed
        timeout_graceful_shutdown=GRACE_S,
    )
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listening])
