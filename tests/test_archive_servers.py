"""Servers of an archive that cut, lie, redirect or ask to sign in: told, never a wrong number."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler

import numpy as np
import pytest

import ishtar
from ishtar.remote.connection import Connection
from ishtar.remote.fetch import RemoteError
from runner.publish import publish
from runner.publish.source import WorkspaceSource
from runner.scheduling.coordinator import Coordinator
from runner.settings.publishing import PublishSettings
from tests.library_fakes import FIRST
from tests.odd_servers import first_range, read_from, send, serving_oddly, whole
from tests.remote_fakes import serving

pytestmark = pytest.mark.whole


def test_a_server_of_single_ranges_is_enough(site_folder, near_tb, own_cache):
    with serving_oddly(site_folder, first_range) as (address, _):
        np.testing.assert_array_equal(read_from(address), near_tb[FIRST]["Probe_U"].values())


def test_small_files_are_read_whole_where_there_are_no_ranges(site_folder, near_tb, own_cache):
    with serving_oddly(site_folder, whole) as (address, _):
        np.testing.assert_array_equal(read_from(address), near_tb[FIRST]["Probe_U"].values())


def test_large_files_are_not_read_whole(site_folder, own_cache, monkeypatch):
    monkeypatch.setattr("ishtar.remote.connection.WHOLE_FILE", 20_000)
    data = max(site_folder.glob(f"raw/{FIRST:05d}/*.h5"), key=lambda p: p.stat().st_size)
    assert data.stat().st_size > 20_000
    with (
        serving_oddly(site_folder, whole) as (address, _),
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


def test_a_connection_that_is_cut_is_tried_again_then_told(site_folder, own_cache, monkeypatch):
    monkeypatch.setattr("ishtar.remote.connection.WAIT_S", 0.01)
    with serving_oddly(site_folder, cut) as (address, server):
        with pytest.raises(RemoteError, match=rf"{address}.*does not answer"):
            read_from(address)
        assert sum(path.endswith(".h5") for path, _ in server.asked) == 4


def test_a_connection_that_is_cut_once_is_no_trouble(site_folder, near_tb, own_cache, monkeypatch):
    monkeypatch.setattr("ishtar.remote.connection.WAIT_S", 0.01)
    failed: list[str] = []

    def cut_once(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
        if path not in failed and path.endswith(".h5"):
            failed.append(path)
            cut(handler, content, path)
        else:
            first_range(handler, content, path)

    with serving_oddly(site_folder, cut_once) as (address, _):
        np.testing.assert_array_equal(read_from(address), near_tb[FIRST]["Probe_U"].values())
    assert failed


LIES: Mapping[str, Callable[[int, int, int, bytes], tuple[bytes, str]]] = {
    "another length": lambda a, b, n, c: (c[a:b], f"bytes {a}-{b - 1}/{n + 1}"),
    "another place": lambda a, b, n, c: (c[a:b], f"bytes {a + 9}-{b + 8}/{n}"),
    "less than said": lambda a, b, n, c: (c[a : b - 9], f"bytes {a}-{b - 1}/{n}"),
    "no place": lambda a, b, n, c: (c[a:b], "bytes"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_server_that_lies_about_parts_is_refused(site_folder, own_cache, lie, monkeypatch):
    monkeypatch.setattr("ishtar.remote.connection.WAIT_S", 0.01)

    def lying(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
        match = re.match(r"bytes=(\d+)-(\d+)", handler.headers.get("Range", ""))
        if match is None or not path.endswith(".h5"):
            first_range(handler, content, path)
            return
        part, described = LIES[lie](int(match[1]), int(match[2]) + 1, len(content), content)
        send(handler, 206, part, Content_Range=described)

    with serving_oddly(site_folder, lying) as (address, _), pytest.raises(RemoteError):
        read_from(address)


def test_damaged_samples_are_an_error(site_folder, own_cache):
    def flipped(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
        if path.endswith(".h5"):
            content = bytes(b ^ 255 for b in content)
        first_range(handler, content, path)

    with (
        serving_oddly(site_folder, flipped) as (address, _),
        pytest.raises(RemoteError, match=r"Probe_U .* cannot be read"),
    ):
        read_from(address)


def test_a_file_that_changes_while_it_is_read_is_told(site_folder, own_cache):
    tags = iter(f'"{k}"' for k in range(100))

    def changing(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
        first_range(handler, content, path, ETag=next(tags))

    with serving_oddly(site_folder, changing) as (address, _):
        shot = ishtar.open(address)[FIRST]
        shot["Probe_U"][1.0:1.1].load()
        with pytest.raises(RemoteError, match="changed while it was read"):
            shot["Coil_I"][1.0:1.1].load()


def test_an_index_that_changes_between_its_parts_is_told(site_folder, own_cache, monkeypatch):
    monkeypatch.setattr("ishtar.remote.archive.FIRST_BYTES", 4000)  # the rest comes later
    versions = {"index.bin": '"1"'}

    def tagged(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
        name = path.rpartition("/")[2]
        first_range(handler, content, path, ETag=versions.get(name, '"0"'))

    with serving_oddly(site_folder, tagged) as (address, _):
        connection = ishtar.open(address).site
        path = f"raw/{FIRST:05d}/index.bin"
        size = (site_folder / path).stat().st_size
        assert len(connection.beginning(path, 100, "stamp")) == 100
        assert connection.parts(path, [(100, 10)], size)
        again = ishtar.open(address).site
        assert len(again.beginning(path, 100, "stamp")) == 100  # as it was kept
        versions["index.bin"] = '"2"'
        with pytest.raises(RemoteError, match="changed while it was read"):
            again.parts(path, [(100, 10)], size)


def test_declarations_that_are_not_what_the_index_says_are_refused(site_folder, own_cache):
    def other(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
        if "/declarations/" in path:
            content = content.replace(b"probe", b"probf")
        first_range(handler, content, path)

    with (
        serving_oddly(site_folder, other) as (address, _),
        pytest.raises(RemoteError, match="it has changed"),
    ):
        read_from(address)


def test_an_archive_of_a_newer_version_says_which_is_needed(site_folder, own_cache):
    def newer(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
        if path == "/data/index.json":
            index = json.loads(content)
            index["archive"] |= {"format": 99, "needs": "7.1"}
            content = json.dumps(index).encode()
        first_range(handler, content, path)

    with (
        serving_oddly(site_folder, newer) as (address, _),
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


def test_those_who_sign_in_may_read(site_folder, own_cache, monkeypatch):
    with serving_oddly(site_folder, guarded) as (address, _):
        with pytest.raises(RemoteError, match=r"only for those who sign in \(401\).*ISHTAR_TOKEN"):
            ishtar.open(address)
        given = {"Authorization": "Bearer s3cret"}
        assert len(ishtar.open(address, headers=given)[FIRST]["Probe_U"].values())
        monkeypatch.setenv("ISHTAR_TOKEN", "s3cret")
        assert len(read_from(address))


def test_a_name_and_password_of_netrc_are_used(site_folder, own_cache, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ada password pw\n")
    (tmp_path / ".netrc").chmod(0o600)
    with serving_oddly(site_folder, first_range) as (address, server):
        ishtar.open(address)
    assert server.asked[0][1]["Authorization"] == "Basic YWRhOnB3"


def test_a_token_never_goes_to_another_host_or_in_the_open(site_folder, own_cache, monkeypatch):
    monkeypatch.setenv("ISHTAR_TOKEN", "s3cret")
    with (
        serving_oddly(site_folder, first_range) as (raw, elsewhere),
        serving_oddly(site_folder, whole) as (
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


def test_a_redirect_to_another_host_is_refused(site_folder, own_cache):
    def moved(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
        send(handler, 302, b"", Location=f"http://localhost:1{path}")

    with (
        serving_oddly(site_folder, moved) as (address, _),
        pytest.raises(RemoteError, match="sends on to another host"),
    ):
        ishtar.open(address)


def test_a_redirect_on_the_same_host_is_followed(site_folder, own_cache):
    def moved(handler: BaseHTTPRequestHandler, content: bytes, path: str) -> None:
        if "?" in path:
            first_range(handler, content, path)
        else:
            send(handler, 301, b"", Location=f"{path}?moved")

    with serving_oddly(site_folder, moved) as (address, _):
        assert len(read_from(address))


def test_a_certificate_that_does_not_fit_is_refused_at_once(
    site_folder, own_cache, tmp_path, monkeypatch
):
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

    with serving_oddly(site_folder, noted, context) as (address, _):
        port = address.rpartition(":")[2]
        for host in ("localhost", "127.0.0.1"):
            with pytest.raises(RemoteError, match=r"cannot be trusted.*SSL_CERT_FILE"):
                ishtar.open(f"https://{host}:{port}")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        assert ishtar.open(f"https://localhost:{port}").numbers()
        with pytest.raises(RemoteError, match="cannot be trusted"):
            ishtar.open(f"https://127.0.0.1:{port}")  # it is of another name
    assert asked == ["/data/index.json"]


def test_raw_data_on_another_host_are_found(published, near_tb, tmp_path, own_cache):
    with (
        serving(published.root / "data" / "shots") as raw,
        Coordinator(published) as coordinator,
    ):
        source = WorkspaceSource(published, coordinator.catalogue)
        publish(source, tmp_path / "site", settings=PublishSettings(raw_url=raw))
        assert not list(tmp_path.rglob("*.h5"))
        with serving(tmp_path / "site") as address:
            np.testing.assert_array_equal(read_from(address), near_tb[FIRST]["Probe_U"].values())
