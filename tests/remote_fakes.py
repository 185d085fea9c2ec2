"""A published site of the small workspace, on a disk and over HTTP."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ishtar.workspace import Workspace
from runner.publish import publish
from runner.publish.data.shards import SHARD, SHARDS
from runner.publish.source import WorkspaceSource
from runner.receipts import Receipt, Scrap, Subject, report_folder
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.rebuild import rebuild
from runner.settings.publishing import PublishSettings
from tests.library_fakes import FIRST, MOVED


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and keeps no log."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def write_published(stored: Workspace, folder: Path) -> Workspace:
    """Copy a workspace, with scraps of two reports, and its site below ``www``.

    There is one below ``sub/path``, a shallow one beside it, and a folder that is none.
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
        publish(source, public / "shallow", settings=PublishSettings(tile_samples=2000))
    (public / "other" / "data").mkdir(parents=True)
    (public / "other" / "data" / "index.json").write_text("[1, 2]")
    return workspace


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder; give the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
