"""What stands before the site and the API: who may read, and which requests are taken at all."""

from __future__ import annotations

import asyncio

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runner.serve.access import PASSWORD, Access
from runner.serve.problems import Problem

MOST_BODY = 1 << 20  # bytes of a request to the API
SLOWEST_BODY_S = 30
API_THERE = (b"server-timing", b"ishtar-api")
"""A header that the scripts of a page can read without asking for anything"""


class ForReaders:
    """Serve files to those who may read them, and let pages know whether there is the API."""

    def __init__(self, app: ASGIApp, access: Access, *, api: bool) -> None:
        self._app, self._access, self._api = app, access, api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and self._access.settings.read != "public":
            try:
                await run_in_threadpool(self._access.reader, HTTPConnection(scope))
            except Problem as problem:
                if problem.status == 401:
                    problem.headers |= PASSWORD
                app = problem.response()

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start" and self._api:
                message["headers"] = [*message.get("headers", ()), API_THERE]
            await send(message)

        await app(scope, receive, sent)


class Limited:
    """Refuse requests that another site forged, and bodies that are too long or too slow."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            self._access.check_origin(HTTPConnection(scope), scope["method"])
            async with asyncio.timeout(SLOWEST_BODY_S):
                body = await _body(receive)
        except Problem as problem:
            await problem.response()(scope, receive, send)
            return
        except TimeoutError:
            slow = Problem(408, f"a request takes at most {SLOWEST_BODY_S} s: send it again")
            await slow.response()(scope, receive, send)
            return
        sent = False

        async def again() -> Message:
            nonlocal sent
            if sent:
                return await receive()  # that the client has gone
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, again, send)


async def _body(receive: Receive) -> bytes:
    """Return the whole body of a request; raise `Problem` if it is too long."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if sum(map(len, parts)) > MOST_BODY:
            raise Problem(413, f"a request has at most {MOST_BODY} bytes")
        if not message.get("more_body", False):
            return b"".join(parts)
