"""The archive of a site: what is read from far is what is near, to the last digit."""

from __future__ import annotations

import errno
import json
import re
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray

import ishtar
from ishtar.errors import MissingCalibration
from ishtar.remote.archive import _Tables
from ishtar.remote.byte_ranges import Span
from ishtar.remote.cache import Cache
from ishtar.remote.fetch import NotThere, RemoteError, Site
from ishtar.remote.http import Connection
from ishtar.remote.remote_testbed import ArchiveTestbed
from ishtar.shots.testbed import Testbed
from ishtar.workspace import Workspace
from runner.publish import publish
from runner.publish.source import WorkspaceSource
from runner.receipts import Subject
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.rebuild import rebuild
from runner.settings.publishing import PublishSettings
from tests.library_fakes import FIRST, LAMED, MOVED
from tests.remote_fakes import Quiet, serving, serving_by

pytestmark = pytest.mark.whole

SHOTS = (FIRST, MOVED, LAMED)


@pytest.fixture
def near(published) -> Testbed:
    """The workspace."""
    found = ishtar.open(published.root)
    assert isinstance(found, Testbed)
    return found


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """A cache of one test alone, empty."""
    monkeypatch.setenv("ISHTAR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def site(published) -> Path:
    """The folder of the site."""
    return Path(published.root / "www" / "sub" / "path")


# --- far is near ---------------------------------------------------------------------------------


LOOKS: Mapping[str, Callable[[Any], Any]] = {
    "values": lambda s: s.values(),
    "times": lambda s: s.times(),
    "sigma": lambda s: s.sigma(),
    "values with sigma": lambda s: s.load(sigma=True),
    "flags": lambda s: s.quality(),
    "as recorded": lambda s: s.raw() if s.explain().channel else s.values(),
    "mean": lambda s: [s.mean().value, s.mean().sigma],
    "envelope": lambda s: s.envelope(17, quality=True),
    "envelope of a part": lambda s: s[1.003:2.7].envelope(300),
    "a part": lambda s: s[1.0:1.05].load(),
    "nothing": lambda s: s[1.0:1.0].load(),
    "in another unit": lambda s: s.to("mV").values() if s.unit == "V" else s.values(),
    "number clipped": lambda s: [s.n_clipped],
    "how it was made": lambda s: [str(s.explain())],
}


@pytest.mark.parametrize("look", LOOKS)
def test_what_is_far_is_what_is_near_to_the_last_bit(near, site_address, look):
    far = ishtar.open(f"{site_address}/sub/path")
    for number in SHOTS:
        assert far[number].signals() == near[number].signals()
        for name in near[number].signals():
            here, there = (LOOKS[look](tb[number][name]) for tb in (near, far))
            if isinstance(here, xarray.Dataset | xarray.DataArray):
                xarray.testing.assert_identical(here, there)
            else:
                np.testing.assert_array_equal(here, there)


def test_a_shot_is_the_same(near, site_address):
    far = ishtar.open(f"{site_address}/sub/path")
    for number in SHOTS:
        here, there = near[number], far[number]
        assert there.attributes.plain() == here.attributes.plain()
        assert there.missing() == here.missing()
        assert there.date == here.date
        assert there.channels() == here.channels()
        assert [s.origin for s in there.sources] == [s.origin for s in here.sources]
        for path in here.channels():
            np.testing.assert_array_equal(there.channel(path).values(), here.channel(path).values())
        assert str(there.machine.tree()) == str(here.machine.tree())
        assert str(there.machine.diff(far[FIRST])) == str(here.machine.diff(near[FIRST]))
    with pytest.raises(MissingCalibration):
        far[FIRST]["Bare_U"].load()
    np.testing.assert_array_equal(far[FIRST]["Bare_U"].raw(), near[FIRST]["Bare_U"].raw())


def test_a_corrected_attribute_is_corrected_from_far(published, tmp_path):
    root = shutil.copytree(published.root, tmp_path / "ws")
    edit = {"when": "2026-11-23T10:00:00+01:00", "who": "Ada", "why": "a slip"}
    edit["changes"] = {"gas": {"before": "Ar", "after": "He"}}  # type: ignore[assignment]
    log = root / "data" / "shots" / f"{FIRST:05d}" / "attributes.jsonl"
    log.write_text(json.dumps(edit) + "\n")
    with Coordinator(Workspace.at(root)) as coordinator:
        publish(WorkspaceSource(coordinator.workspace, coordinator.catalogue), tmp_path / "site")
    shot = ishtar.open(tmp_path / "site")[FIRST]
    assert shot.attributes["gas"] == "He"
    assert [e.who for e in shot.edits] == ["Ada"]


def test_exports_are_the_same_files(near, site_address, tmp_path):
    far = ishtar.open(f"{site_address}/sub/path")
    for tb, name in ((near, "near.csv"), (far, "far.csv")):
        tb[FIRST].export(tmp_path / name, ["Probe_*", "Inj_P"], t=(1.0, 1.2))
    assert (tmp_path / "far.csv").read_text() == (tmp_path / "near.csv").read_text()


def test_all_shots_are_mapped_and_tabled_in_the_same_way(near, site_address):
    far = ishtar.open(f"{site_address}/sub/path")
    means = [
        dict(tb.shots("Te > 0").map(lambda s: float(s["Coil_I"][1.0:2.0].load().mean())))
        for tb in (near, far)
    ]
    assert means[0] == means[1]
    assert len(means[0]) == 2


def test_a_slice_that_is_too_long_for_the_memory_is_read_in_parts(
    near, site_address, cache, monkeypatch
):
    monkeypatch.setattr("ishtar.store.chunk_decode.WINDOW_BYTES", 1)
    monkeypatch.setattr("ishtar.store.reader.MIN_LENGTH", 10)  # of reading in blocks
    far = ishtar.open(f"{site_address}/sub/path")
    for name in ("Probe_U", "Coil_I", "Gas_P"):
        np.testing.assert_array_equal(far[FIRST][name].values(), near[FIRST][name].values())
        np.testing.assert_array_equal(far[FIRST][name].raw(), near[FIRST][name].raw())


# --- how much is fetched -------------------------------------------------------------------------


def test_a_slice_takes_four_requests_and_the_second_look_none(site_address, cache):
    far = ishtar.open(f"{site_address}/sub/path")
    far[FIRST]["Probe_U"][1.0:1.1].load()
    assert far.site.requests == 4  # index, declarations, index of the shot, samples
    assert far.site.received < 100_000
    far[FIRST]["Probe_U"][1.0:1.1].load()
    assert far.site.requests <= 5  # a shot that is taken again may be asked for its index
    again = ishtar.open(f"{site_address}/sub/path")
    again[FIRST]["Probe_U"][1.0:1.1].load()
    assert (again.site.requests, again.site.received) == (1, 0)  # it has not changed


def test_a_table_is_fetched_once_until_a_shot_of_its_shard_changes(published, cache, tmp_path):
    root = shutil.copytree(published.root, tmp_path / "ws")
    with Coordinator(Workspace.at(root)) as coordinator:
        source = WorkspaceSource(coordinator.workspace, coordinator.catalogue)
        publish(source, tmp_path / "site")
    with serving(tmp_path / "site") as address:
        first = ishtar.open(address)
        before = first.shots().table(["Te", "max_P"])
        assert first.site.requests == 4  # index, shots, scraps of two templates
        again = ishtar.open(address)
        assert again.shots().table(["Te", "max_P"]).equals(before)
        assert again.site.requests == 1
        shutil.rmtree(root / "reports" / f"{MOVED:05d}" / "langmuir")
        rebuild(Workspace.at(root))
        with Coordinator(Workspace.at(root)) as coordinator:
            source = WorkspaceSource(coordinator.workspace, coordinator.catalogue)
            publish(source, tmp_path / "site", only=[Subject.shot(MOVED)])
        changed = ishtar.open(address).shots().table(["Te", "max_P"])
    assert list(changed["Te"].isna()) == [False, True, True]
    assert list(changed["max_P"].isna()) == [False, False, True]


def test_without_network_what_was_read_is_read_again(published, cache, caplog):
    with serving(published.root / "www" / "sub") as address:
        expected = ishtar.open(f"{address}/path")[FIRST]["Probe_U"][1.0:1.1].values()
    far = ishtar.open(f"{address}/path")
    np.testing.assert_array_equal(far[FIRST]["Probe_U"][1.0:1.1].values(), expected)
    assert len([r for r in caplog.records if "what was read on" in r.message]) == 1
    with pytest.raises(RemoteError, match="does not answer"):
        far[MOVED]["Probe_U"].values()


def test_a_cache_that_cannot_be_written_is_left_out(site_address, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ISHTAR_CACHE", str(tmp_path / "file"))
    far = ishtar.open(f"{site_address}/sub/path")
    assert len(far[FIRST]["Probe_U"].values())
    assert len([r for r in caplog.records if "without a cache" in r.message]) == 1


def test_a_cache_is_bounded_and_forgets_what_was_not_used(tmp_path):
    import os

    cache = Cache(tmp_path, limit=10_000)
    for k in range(9):
        cache.put_piece(f"{k}", bytes(1000))
        path = next(p for p in tmp_path.rglob("*") if p.is_file() and p.stat().st_mtime > 1e8)
        os.utime(path, (k, k))
    assert cache.piece("0") == bytes(1000)  # now it was used last
    for k in range(9, 12):
        cache.put_piece(f"{k}", bytes(1000))
    assert cache.size() <= 10_000
    assert cache.piece("0") is not None
    assert cache.piece("1") is None


def test_two_readers_share_a_cache(site_address, cache):
    errors: list[BaseException] = []

    def look() -> None:
        try:
            far = ishtar.open(f"{site_address}/sub/path")
            far[FIRST]["Coil_I"].values()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert not list(cache.rglob(".tmp-*"))


# --- pins and code -------------------------------------------------------------------------------


OWN_CODE = """
from pathlib import Path
from ishtar.calibration.facility import transform
Path({proof!r}).write_text("it ran")
@transform("doubled")
class Doubled:
    by: float
    def apply(self, x, quiet):
        return self.by * x
"""


@pytest.fixture
def site_with_code(published, tmp_path) -> Iterator[tuple[str, Path, Path]]:
    """A site whose probe is calibrated by code of its facility, and a tag without it."""
    root = shutil.copytree(published.root, tmp_path / "ws")
    shutil.rmtree(root / "www")
    git = ["git", "-C", str(root / "calibrations"), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "1"], ["tag", "v2026.1"]):
        subprocess.run([*git, *words], check=True)
    proof = tmp_path / "proof"
    (root / "calibrations" / "transforms.py").write_text(OWN_CODE.format(proof=str(proof)))
    device = root / "calibrations" / "devices" / "probe.toml"
    text = device.read_text()
    assert "transforms = [" in text
    changed = re.sub(r"transforms = \[", 'transforms = [{ kind = "doubled", by = 2.0 }, ', text)
    device.write_text(changed)
    with Coordinator(Workspace.at(root)) as coordinator:
        publish(WorkspaceSource(coordinator.workspace, coordinator.catalogue), root / "www")
    proof.unlink()
    ishtar.calibration.facility._load.cache_clear()
    with serving(root / "www") as address:
        yield address, root, proof


def test_code_of_a_facility_runs_only_if_the_reader_says_so(site_with_code):
    address, root, proof = site_with_code
    shot = ishtar.open(address)[FIRST]
    with pytest.raises(MissingCalibration, match=r"'doubled'.*run_facility_code=True"):
        shot["Probe_U"].load()
    assert "doubled" in shot.missing()["Probe_U"]
    assert len(shot["Probe_U"].raw())
    assert len(shot["Coil_I"].values())
    assert not proof.exists()
    trusted = ishtar.open(address, run_facility_code=True)[FIRST]
    near = ishtar.open(root)[FIRST]
    np.testing.assert_array_equal(trusted["Probe_U"].values(), near["Probe_U"].values())
    assert proof.exists()


def test_a_tag_pins_the_calibrations_from_far(site_with_code):
    address, root, _ = site_with_code
    pinned = ishtar.open(address, calib="v2026.1")
    near = ishtar.open(root, calib="v2026.1")
    assert pinned.declarations.revision == near.declarations.revision
    np.testing.assert_array_equal(
        pinned[FIRST]["Probe_U"].values(), near[FIRST]["Probe_U"].values()
    )
    assert ishtar.open(address, calib=near.declarations.revision).declarations.signals
    with pytest.raises(LookupError, match=r"'v2026.2'.*did you mean 'v2026.1'"):
        ishtar.open(address, calib="v2026.2")


# --- bad servers ---------------------------------------------------------------------------------


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


def test_a_server_of_single_ranges_is_enough(site, near, cache):
    with serving_oddly(site, first_range) as (address, _):
        np.testing.assert_array_equal(read_from(address), near[FIRST]["Probe_U"].values())


def test_small_files_are_read_whole_where_there_are_no_ranges(site, near, cache):
    with serving_oddly(site, whole) as (address, _):
        np.testing.assert_array_equal(read_from(address), near[FIRST]["Probe_U"].values())


def test_large_files_are_not_read_whole(site, cache, monkeypatch):
    monkeypatch.setattr("ishtar.remote.http.WHOLE_FILE", 20_000)
    data = max(site.glob(f"raw/{FIRST:05d}/*.h5"), key=lambda p: p.stat().st_size)
    assert data.stat().st_size > 20_000
    with (
        serving_oddly(site, whole) as (address, _),
        pytest.raises(RemoteError, match=r"whole files only \(no HTTP ranges\)"),
    ):
        read_from(address)


def cut(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
    """Say how long the answer is, and send half of it."""
    if not path.endswith(".h5"):
        first_range(handler, content, path)
        return
    match = re.fullmatch(r"bytes=(\d+)-(\d+)", handler.headers["Range"].partition(",")[0])
    assert match
    start, stop = int(match[1]), int(match[2]) + 1
    handler.send_response(206)
    handler.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
    handler.send_header("Content-Length", str(stop - start))
    handler.end_headers()
    handler.wfile.write(content[start : (start + stop) // 2])
    handler.close_connection = True


def test_a_connection_that_is_cut_is_tried_again_then_told(site, cache, monkeypatch):
    monkeypatch.setattr("ishtar.remote.http.WAIT_S", 0.01)
    with serving_oddly(site, cut) as (address, server):
        with pytest.raises(RemoteError, match=rf"{address}.*does not answer"):
            read_from(address)
        assert sum(path.endswith(".h5") for path, _ in server.asked) == 4


def test_a_connection_that_is_cut_once_is_no_trouble(site, near, cache, monkeypatch):
    monkeypatch.setattr("ishtar.remote.http.WAIT_S", 0.01)
    failed: list[str] = []

    def cut_once(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
        if path not in failed and path.endswith(".h5"):
            failed.append(path)
            cut(handler, content, path)
        else:
            first_range(handler, content, path)

    with serving_oddly(site, cut_once) as (address, _):
        np.testing.assert_array_equal(read_from(address), near[FIRST]["Probe_U"].values())
    assert failed


LIES: Mapping[str, Callable[[int, int, int, bytes], tuple[bytes, str]]] = {
    "another length": lambda a, b, n, c: (c[a:b], f"bytes {a}-{b - 1}/{n + 1}"),
    "another place": lambda a, b, n, c: (c[a:b], f"bytes {a + 9}-{b + 8}/{n}"),
    "less than said": lambda a, b, n, c: (c[a : b - 9], f"bytes {a}-{b - 1}/{n}"),
    "no place": lambda a, b, n, c: (c[a:b], "bytes"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_server_that_lies_about_parts_is_refused(site, cache, lie, monkeypatch):
    monkeypatch.setattr("ishtar.remote.http.WAIT_S", 0.01)

    def lying(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
        match = re.match(r"bytes=(\d+)-(\d+)", handler.headers.get("Range", ""))
        if match is None or not path.endswith(".h5"):
            first_range(handler, content, path)
            return
        part, described = LIES[lie](int(match[1]), int(match[2]) + 1, len(content), content)
        send(handler, 206, part, Content_Range=described)

    with serving_oddly(site, lying) as (address, _), pytest.raises(RemoteError):
        read_from(address)


def test_damaged_samples_are_an_error(site, cache):
    def flipped(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
        if path.endswith(".h5"):
            content = bytes(b ^ 255 for b in content)
        first_range(handler, content, path)

    with (
        serving_oddly(site, flipped) as (address, _),
        pytest.raises(RemoteError, match=r"Probe_U .* cannot be read"),
    ):
        read_from(address)


def test_a_file_that_changes_while_it_is_read_is_told(site, cache):
    tags = iter(f'"{k}"' for k in range(100))

    def changing(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
        first_range(handler, content, path, ETag=next(tags))

    with serving_oddly(site, changing) as (address, _):
        shot = ishtar.open(address)[FIRST]
        shot["Probe_U"][1.0:1.1].load()
        with pytest.raises(RemoteError, match="changed while it was read"):
            shot["Coil_I"][1.0:1.1].load()


def test_an_index_that_changes_between_its_parts_is_told(site, cache, monkeypatch):
    monkeypatch.setattr("ishtar.remote.archive.FIRST_BYTES", 4000)  # the rest comes later
    versions = {"index.bin": '"1"'}

    def tagged(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
        name = path.rpartition("/")[2]
        first_range(handler, content, path, ETag=versions.get(name, '"0"'))

    with serving_oddly(site, tagged) as (address, _):
        connection = ishtar.open(address).site
        path = f"raw/{FIRST:05d}/index.bin"
        size = (site / path).stat().st_size
        assert len(connection.beginning(path, 100, "stamp")) == 100
        assert connection.parts(path, [(100, 10)], size)
        again = ishtar.open(address).site
        assert len(again.beginning(path, 100, "stamp")) == 100  # as it was kept
        versions["index.bin"] = '"2"'
        with pytest.raises(RemoteError, match="changed while it was read"):
            again.parts(path, [(100, 10)], size)


def test_declarations_that_are_not_what_the_index_says_are_refused(site, cache):
    def other(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
        if "/declarations/" in path:
            content = content.replace(b"probe", b"probf")
        first_range(handler, content, path)

    with (
        serving_oddly(site, other) as (address, _),
        pytest.raises(RemoteError, match="it has changed"),
    ):
        read_from(address)


def test_an_archive_of_a_newer_version_says_which_is_needed(site, cache):
    def newer(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
        if path == "/data/index.json":
            index = json.loads(content)
            index["archive"] |= {"format": 99, "needs": "7.1"}
            content = json.dumps(index).encode()
        first_range(handler, content, path)

    with (
        serving_oddly(site, newer) as (address, _),
        pytest.raises(RemoteError, match=r"needs ishtar 7\.1 or newer: pip install"),
    ):
        read_from(address)


# --- credentials and other hosts -----------------------------------------------------------------


def guarded(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
    """Answer only those who have the token."""
    if handler.headers.get("Authorization") != "Bearer s3cret":
        send(handler, 401, b"no")
        return
    first_range(handler, content, path)


def test_those_who_sign_in_may_read(site, cache, monkeypatch):
    with serving_oddly(site, guarded) as (address, _):
        with pytest.raises(RemoteError, match=r"only for those who sign in \(401\).*ISHTAR_TOKEN"):
            ishtar.open(address)
        given = {"Authorization": "Bearer s3cret"}
        assert len(ishtar.open(address, headers=given)[FIRST]["Probe_U"].values())
        monkeypatch.setenv("ISHTAR_TOKEN", "s3cret")
        assert len(read_from(address))


def test_a_name_and_password_of_netrc_are_used(site, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ada password pw\n")
    (tmp_path / ".netrc").chmod(0o600)
    with serving_oddly(site, first_range) as (address, server):
        ishtar.open(address)
    assert server.asked[0][1]["Authorization"] == "Basic YWRhOnB3"


def test_a_token_never_goes_to_another_host_or_in_the_open(site, cache, monkeypatch):
    monkeypatch.setenv("ISHTAR_TOKEN", "s3cret")
    with (
        serving_oddly(site, first_range) as (raw, elsewhere),
        serving_oddly(site, whole) as (
            address,
            _,
        ),
    ):
        connection = Connection(address)
        connection.document(f"{raw}/data/index.json")
        assert "Authorization" not in elsewhere.asked[0][1]
        connection.document(f"{address}/data/index.json")
    with pytest.raises(RemoteError, match="everybody on the way could read it"):
        Connection("http://example.org/").document("http://example.org/x")


def test_a_redirect_to_another_host_is_refused(site, cache):
    def moved(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
        send(handler, 302, b"", Location=f"http://localhost:1{path}")

    with (
        serving_oddly(site, moved) as (address, _),
        pytest.raises(RemoteError, match="sends on to another host"),
    ):
        ishtar.open(address)


def test_a_redirect_on_the_same_host_is_followed(site, cache):
    def moved(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
        if "?" in path:
            first_range(handler, content, path)
        else:
            send(handler, 301, b"", Location=f"{path}?moved")

    with serving_oddly(site, moved) as (address, _):
        assert len(read_from(address))


def test_a_certificate_that_does_not_fit_is_refused_at_once(site, cache, tmp_path, monkeypatch):
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    made += ["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost"]
    made += ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(made, cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    asked: list[str] = []

    def noted(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
        asked.append(path)
        first_range(handler, content, path)

    with serving_oddly(site, noted, context) as (address, _):
        port = address.rpartition(":")[2]
        for host in ("localhost", "127.0.0.1"):
            with pytest.raises(RemoteError, match=r"cannot be trusted.*SSL_CERT_FILE"):
                ishtar.open(f"https://{host}:{port}")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        assert ishtar.open(f"https://localhost:{port}").numbers()
        with pytest.raises(RemoteError, match="cannot be trusted"):
            ishtar.open(f"https://127.0.0.1:{port}")  # it is of another name
    assert asked == ["/data/index.json"]


def test_raw_data_on_another_host_are_found(published, near, tmp_path, cache):
    with (
        serving(published.root / "data" / "shots") as raw,
        Coordinator(published) as coordinator,
    ):
        source = WorkspaceSource(published, coordinator.catalogue)
        publish(source, tmp_path / "site", settings=PublishSettings(raw_url=raw))
        assert not list(tmp_path.rglob("*.h5"))
        with serving(tmp_path / "site") as address:
            np.testing.assert_array_equal(read_from(address), near[FIRST]["Probe_U"].values())


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


def test_what_was_read_is_for_the_user_alone(site_address, cache):
    ishtar.open(f"{site_address}/sub/path")
    assert cache.stat().st_mode & 0o077 == 0


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


def test_a_name_that_addresses_cannot_have_is_read(tmp_path, published, cache):
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


def test_a_damaged_file_costs_its_shot_alone(tmp_path, published, cache):
    root = shutil.copytree(published.root, tmp_path / "ws")
    damaged = next((root / "data" / "shots" / f"{FIRST:05d}").glob("*Data*.h5"))
    damaged.write_bytes(damaged.read_bytes()[:3000])
    with Coordinator(Workspace.at(root)) as coordinator:
        publish(WorkspaceSource(coordinator.workspace, coordinator.catalogue), tmp_path / "site")
    far = ishtar.open(tmp_path / "site")
    assert len(far[MOVED]["Probe_U"].values())
    with pytest.raises(OSError, match="cannot be read"):
        far[FIRST].signals()


def test_a_server_without_the_index_of_a_shot_says_so(site, cache, tmp_path):
    copy = shutil.copytree(site, tmp_path / "site")
    (copy / "raw" / f"{FIRST:05d}" / "index.bin").unlink()
    with serving_by(lambda *a: Quiet(*a, directory=str(copy))) as address:
        far = ishtar.open(address)
        with pytest.raises(NotThere, match="publish the site again"):
            far[FIRST]["Probe_U"]
        assert isinstance(far.site, Site)


def test_the_workspace_of_the_environment_may_be_an_address(site_address, monkeypatch):
    monkeypatch.setenv("ISHTAR_WORKSPACE", f"{site_address}/sub/path")
    assert isinstance(ishtar.open(), ArchiveTestbed)


def test_the_data_of_all_shots_are_fetched_side_by_side(site, cache):
    both = threading.Barrier(2, timeout=30)

    def together(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
        if path.startswith("/data/scraps/"):
            both.wait()  # of one that is alone only a timeout would be heard
        first_range(handler, content, path)

    with serving_oddly(site, together) as (address, _):
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
