"""A published site of the small workspace, on a disk and over HTTP."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from ishtar.workspace import Workspace
from runner.publish import publish
from runner.publish.data.shards import SHARD, SHARDS
from runner.publish.source import WorkspaceSource
from runner.receipts import Receipt, Scrap, Subject, report_folder
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.rebuild import rebuild
from runner.serve.site_app import site_app
from runner.settings.publishing import PublishSettings
from tests.library_fakes import FIRST, MOVED


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and keeps no log."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def write_published(stored: Workspace, folder: Path) -> Workspace:
    """Copy a workspace, with scraps of two reports, and its site below ``www``.

    There is one with an archive below ``sub/path``; ``tiles`` and ``shallow`` have no raw data, and
    ``other`` is no site.
    """
    workspace = Workspace.at(shutil.copytree(stored.root, folder))
    for k, number in enumerate((FIRST, MOVED)):
        for template, scraps in {
            "langmuir": (
                Scrap(name="Te", value=4.0 + k, sigma=0.2, unit="eV"),
                Scrap(name="gas_seen", value="Ar"),
            ),
            "power": (Scrap(name="max_P", value=500 + 100 * k, unit="W"),),
        }.items():
            receipt = Receipt(
                scope="shot",
                subject=Subject.shot(number).key,
                template=template,
                title=template,
                template_digest="t",
                parameters={"shot": number},
                state="ok",
                digest=f"{k}" * 16,
                scraps=scraps,
                started="2026-11-22T11:00:00+01:00",
                duration_s=1.0,
            )
            where = report_folder(workspace.reports, receipt.about, template, receipt.digest)
            where.mkdir(parents=True)
            (where / "receipt.json").write_text(receipt.to_json())
    public = workspace.root / "www"
    rebuild(workspace)
    with Coordinator(workspace) as coordinator:
        source = WorkspaceSource(workspace, coordinator.catalogue)
        publish(source, public / "sub" / "path")
        coordinator.catalogue.put_shown(public / "sub" / "path" / SHARDS, SHARD, {})
        publish(source, public / "tiles", settings=PublishSettings(raw="off"))
        shallow = PublishSettings(tile_samples=2000, raw="off")
        publish(source, public / "shallow", settings=shallow)
    (public / "other" / "data").mkdir(parents=True)
    (public / "other" / "data" / "index.json").write_text("[1, 2]")
    return workspace


@contextmanager
def serving(folder: Path, below: str = "") -> Iterator[str]:
    """Serve a folder as `ishtar serve` does, perhaps below a path; give the address."""
    with serving_app(site_app(folder), below) as address:
        yield address


@contextmanager
def serving_app(app: ASGIApp, below: str = "") -> Iterator[str]:
    """Serve an application, perhaps below a path; give the address."""
    whole = Starlette(routes=[Mount(below, app=app)]) if below else app
    config = uvicorn.Config(whole, log_level="error", lifespan="off", proxy_headers=False)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}{quote(below)}"
        finally:
            server.should_exit = True
            thread.join()


NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  types {{ text/html html; application/json json; application/javascript js; }}
  default_type application/octet-stream;
  gzip on; gzip_types application/json application/javascript;
  server {{ listen 127.0.0.1:{port}; root "{root}"; }}
}}
"""


@contextmanager
def serving_by_nginx(folder: Path) -> Iterator[str]:
    """Serve a folder by nginx, which must be on the path; give the address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "nginx.conf"
        config.write_text(NGINX.format(folder=scratch, port=port, root=folder))
        owner = ["-g", f"user {folder.owner()};"] if os.geteuid() == 0 else []
        server = subprocess.Popen(["nginx", "-c", str(config), *owner])
        try:
            for _ in range(100):
                try:
                    socket.create_connection(("127.0.0.1", port), 1.0).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


@contextmanager
def serving_by(
    handler: Callable[..., BaseHTTPRequestHandler], context: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Serve by a handler of the standard library, which sends no parts; give the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
