"""The site as a web application: plain files, compressed where that helps, and parts of them."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from ishtar.workspace import Workspace
from runner.publish.addresses import RAW
from runner.serve.access import Access
from runner.serve.guards import ForReaders, Limited
from runner.settings.serving import ServeSettings

TEXT = (".css", ".csv", ".html", ".ipynb", ".js", ".json", ".svg", ".xml")
NOT_FOUND = "404.html"
LEAST_COMPRESSED = 1000  # bytes


class SiteFiles(StaticFiles):
    """The files of a site; what does not exist is answered with the site's own page.

    Links lead nowhere but to files of the site, and from ``raw/`` to the stored files of ``shots``,
    the folder of a workspace's shots: these may have moved to another disk.
    """

    def __init__(self, folder: Path, shots: Path | None = None) -> None:
        super().__init__(directory=folder, html=True)
        self._folder, self._shots = folder, shots

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Return the file of a path with its status, None if there is none."""
        full_path, status = super().lookup_path(path)
        parts = PurePosixPath(path).parts
        if status is None and self._shots and len(parts) == 3 and parts[0] == RAW:
            stored = os.path.realpath(self._shots.joinpath(*parts[1:]))
            if ".." not in parts and os.path.realpath(self._folder.joinpath(*parts)) == stored:
                with suppress(OSError):  # a disk that is not there
                    return stored, os.stat(stored)
        return full_path, status

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Return a file; a browser asks each time whether it is still the same."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        if isinstance(response, FileResponse | NotModifiedResponse):
            response.headers["Cache-Control"] = "no-cache"
        return response


def site_app(folder: Path) -> Starlette:
    """Return the application that serves the folder of a site."""
    return Starlette(routes=[Mount("/", _Compressed(SiteFiles(folder)))])


def workspace_app(workspace: Workspace, settings: ServeSettings) -> Starlette:
    """Return the application that serves the site of a workspace, and the API if it can.

    The API needs FastAPI, the extra ``serve``.
    """
    access = Access(workspace=workspace, settings=settings)
    site: ASGIApp = _Compressed(SiteFiles(workspace.site, workspace.shots))
    has_api = find_spec("fastapi") is not None
    routes = [Mount("/", ForReaders(site, access, api=has_api))]
    if has_api:
        from runner.serve.api import api_app  # heavy

        routes.insert(0, Mount("/api/v1", Limited(api_app(workspace, access), access)))
    return Starlette(routes=routes)


class _Compressed:
    """Compress texts that are sent whole: a part of a compressed file would be of no use."""

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._compressed = GZipMiddleware(app, minimum_size=LEAST_COMPRESSED, compresslevel=6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_text = scope["type"] == "http" and (
            scope["path"].endswith((*TEXT, "/"))
            and not any(name == b"range" for name, _ in scope["headers"])
        )
        await (self._compressed if is_text else self._plain)(scope, receive, send)
