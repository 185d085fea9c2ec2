"""What of an archive is published, and when again."""

from __future__ import annotations

import errno
import shutil
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler

import pytest

import ishtar
from ishtar.remote.archive import _Tables
from ishtar.remote.byte_ranges import Span
from ishtar.remote.fetch import NotThere, Site
from ishtar.remote.remote_testbed import ArchiveTestbed
from ishtar.workspace import Workspace
from runner.publish import publish
from runner.publish.source import WorkspaceSource
from runner.scheduling.coordinator import Coordinator
from runner.settings.publishing import PublishSettings
from tests.library_fakes import FIRST, LAMED, MOVED
from tests.odd_servers import first_range, serving_oddly
from tests.remote_fakes import Quiet, serving, serving_by

pytestmark = pytest.mark.whole

SHOTS = (FIRST, MOVED, LAMED)


# --- what is published ---------------------------------------------------------------------------


def test_raw_files_are_linked_where_the_disk_allows_and_copied_where_told(published, tmp_path):
    with Coordinator(published) as coordinator:
        source = WorkspaceSource(published, coordinator.catalogue)
        for how in ("link", "copy"):
            publish(source, tmp_path / how, settings=PublishSettings(raw=how))
            again = publish(source, tmp_path / how, settings=PublishSettings(raw=how))
            assert not [path for path in again.written if path.startswith("raw/")]
    for stored in published.shot_folder(FIRST).glob("*.h5"):
        linked, copied = (
            tmp_path / how / f"raw/{FIRST:05d}/{stored.name}" for how in ("link", "copy")
        )
        assert linked.samefile(stored)
        assert not copied.samefile(stored)
        assert copied.read_bytes() == stored.read_bytes()


def test_where_the_disk_allows_no_links_raw_data_are_copied_and_that_is_said(
    published, tmp_path, monkeypatch, caplog
):
    def refuse(*args: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    with Coordinator(published) as coordinator:
        publish(WorkspaceSource(published, coordinator.catalogue), tmp_path / "site")
    stored = next(published.shot_folder(FIRST).glob("*.h5"))
    copied = tmp_path / "site" / "raw" / f"{FIRST:05d}" / stored.name
    assert copied.read_bytes() == stored.read_bytes()
    assert len([r for r in caplog.records if "raw data are copied" in r.message]) == 1


def test_what_was_read_is_for_the_user_alone(site_address, own_cache):
    ishtar.open(f"{site_address}/sub/path")
    assert own_cache.stat().st_mode & 0o077 == 0


def test_an_index_is_made_again_when_it_is_damaged_or_its_shot_changed(published, tmp_path):
    root = shutil.copytree(published.root, tmp_path / "ws")
    log = root / "data" / "shots" / f"{FIRST:05d}" / "attributes.jsonl"

    def published_index() -> tuple[bytes, list[str]]:
        with Coordinator(Workspace.at(root)) as coordinator:
            done = publish(WorkspaceSource(coordinator.workspace, coordinator.catalogue), out)
        index = out / "raw" / f"{FIRST:05d}" / "index.bin"
        return index.read_bytes(), [path for path in done.written if path.endswith("index.bin")]

    out = tmp_path / "site"
    first, written = published_index()
    assert len(written) == len(SHOTS)
    assert published_index() == (first, [])
    for damaged in (b"", first[:100], first[:-5], b"x" + first[1:]):
        (out / "raw" / f"{FIRST:05d}" / "index.bin").write_bytes(damaged)
        assert published_index()[0] == first
    log.write_text("{}")
    changed, written = published_index()
    assert changed != first
    assert written == [f"raw/{FIRST:05d}/index.bin"]


def test_a_name_that_addresses_cannot_have_is_read(tmp_path, published, own_cache):
    root = shutil.copytree(published.root, tmp_path / "ws")
    folder = root / "data" / "shots" / f"{FIRST:05d}"
    first = next(folder.glob("*Data*.h5"))
    first.rename(first.with_name("odd % name # é?.tdms.h5"))
    with Coordinator(Workspace.at(root)) as coordinator:
        publish(WorkspaceSource(coordinator.workspace, coordinator.catalogue), tmp_path / "site")
    with serving(tmp_path / "site") as address:
        far = ishtar.open(address)
        assert isinstance(far, ArchiveTestbed)
        assert len(far[FIRST]["Probe_U"].values())


def test_a_damaged_file_costs_its_shot_alone(tmp_path, published, own_cache):
    root = shutil.copytree(published.root, tmp_path / "ws")
    damaged = next((root / "data" / "shots" / f"{FIRST:05d}").glob("*Data*.h5"))
    damaged.write_bytes(damaged.read_bytes()[:3000])
    with Coordinator(Workspace.at(root)) as coordinator:
        publish(WorkspaceSource(coordinator.workspace, coordinator.catalogue), tmp_path / "site")
    far = ishtar.open(tmp_path / "site")
    assert len(far[MOVED]["Probe_U"].values())
    with pytest.raises(OSError, match="cannot be read"):
        far[FIRST].signals()


def test_a_server_without_the_index_of_a_shot_says_so(site_folder, own_cache, tmp_path):
    copy = shutil.copytree(site_folder, tmp_path / "site")
    (copy / "raw" / f"{FIRST:05d}" / "index.bin").unlink()
    with serving_by(lambda *a: Quiet(*a, directory=str(copy))) as address:
        far = ishtar.open(address)
        with pytest.raises(NotThere, match="publish the site again"):
            far[FIRST]["Probe_U"]
        assert isinstance(far.site, Site)


def test_the_workspace_of_the_environment_may_be_an_address(site_address, monkeypatch):
    monkeypatch.setenv("ISHTAR_WORKSPACE", f"{site_address}/sub/path")
    assert isinstance(ishtar.open(), ArchiveTestbed)


def test_the_data_of_all_shots_are_fetched_side_by_side(site_folder, own_cache):
    both = threading.Barrier(2, timeout=30)

    def together(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
        if path.startswith("/data/scraps/"):
            both.wait()  # of one that is alone only a timeout would be heard
        first_range(handler, content, path)

    with serving_oddly(site_folder, together) as (address, _):
        far = ishtar.open(address)
        assert len(far.shots("Te > 0 and max_P > 0")) == 2
        assert far.site.requests == 4


def test_a_table_that_came_with_the_description_is_not_fetched_again():
    fetched: list[Span] = []
    beginning, rest = bytes(range(100)), bytes(range(100, 200))

    def pieces(spans: Sequence[Span]) -> Sequence[bytes]:
        fetched.extend(spans)
        return [(beginning + rest)[at : at + length] for at, length in spans]

    tables = _Tables(pieces, 40, beginning)
    assert tables((10, 50)) == bytes(range(50, 100))
    assert not fetched
    assert tables((10, 51)) == bytes(range(50, 101))
    assert fetched == [(50, 51)]
