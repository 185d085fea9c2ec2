"""A site that keeps no raw data: what is read of it, how much, and what it says if it cannot."""

from __future__ import annotations

import shutil
from http.server import ThreadingHTTPServer
from typing import Any

import pytest

import ishtar
from ishtar.errors import IshtarError, MissingCalibration, NoSuchShot, WorkspaceError
from ishtar.remote.cache import Cache
from ishtar.remote.fetch import RemoteError
from ishtar.remote.not_kept import NotKept
from ishtar.remote.remote_testbed import RemoteTestbed
from tests.library_fakes import FIRST, LAMED, MOVED
from tests.remote_fakes import Quiet

pytestmark = pytest.mark.whole


@pytest.fixture
def there(site_address) -> RemoteTestbed:
    """The site, opened as a user does."""
    found = ishtar.open(f"{site_address}/tiles/")
    assert isinstance(found, RemoteTestbed)
    return found


@pytest.mark.parametrize("ending", ["", "/", "/index.html"])
def test_the_address_of_the_front_page_or_its_folder_opens_a_site(site_address, ending):
    there = ishtar.open(f"{site_address}/tiles{ending}")
    assert there.numbers() == [FIRST, MOVED, LAMED]
    assert "3 shots, read only" in repr(there)


def test_a_shot_says_what_its_page_does(there):
    shot = there[FIRST]
    assert [why for why in shot.problems if "Nowhere_U is not wired" in why]
    assert [(s.name, s.value, s.sigma, s.unit) for s in shot.scraps] == [
        ("Te", 4.0, 0.2, "eV"),
        ("gas_seen", "Ar", None, ""),
        ("max_P", 500, None, "W"),
    ]
    assert repr(shot).endswith(f", Ar, scan; from {there.site.address}>")


def test_a_copy_says_that_it_is_one(there):
    signal = there[FIRST]["Probe_U"].to("mV")[1.0:1.1]
    assert repr(signal).endswith(", from a site>")
    assert "65534" in signal.load().attrs["precision"]
    assert signal.load().attrs["samples_per_stretch_kept"] == 1
    assert "65534" in str(signal.explain())
    assert "no unit stated" not in repr(there[FIRST]["Share"])


def test_a_signal_tells_its_story(there):
    provenance = there[FIRST]["Probe_U"].explain()
    assert (provenance.channel, provenance.device) == ("DAQ/Probe_U", "probe")
    assert there[FIRST]["Share"].explain().derived == "Inj_P / Fwd_P"


def test_a_first_look_costs_less_than_100_kb(site_address, monkeypatch, tmp_path):
    monkeypatch.setenv("ISHTAR_CACHE", str(tmp_path))  # nothing is kept of other tests
    there = ishtar.open(f"{site_address}/tiles")
    there[FIRST]["Probe_U"].envelope()
    assert 0 < there.site.received < 100_000
    before = there.site.received
    there[FIRST]["Probe_U"][1.0:1.1].load()
    assert there.site.received - before < 30_000


def test_blocks_are_fetched_once(there):
    signal = there[FIRST]["Probe_U"]
    signal[1.0:1.1].load()
    before = there.site.received
    signal[1.0:1.1].load()
    assert there.site.received == before


def test_only_the_scraps_that_are_asked_for_are_fetched(site_address):
    there = ishtar.open(f"{site_address}/tiles")
    there.shots("max_P > 0")
    before = there.site.requests
    there.shots("max_P > 1 and gas == 'Ar'")
    assert there.site.requests == before
    there.shots("Te > 0")
    assert there.site.requests > before


def test_a_shallow_site_says_what_it_keeps(site_address):
    signal = ishtar.open(f"{site_address}/shallow")[FIRST]["Coil_I"]
    assert signal.stride == 4
    with pytest.raises(NotKept, match=r"maximum of every 4 samples \(0.004 s\).*envelope"):
        signal.load()
    found = signal[1.0:1.1].envelope()
    assert len(found["time"]) == 25
    assert found.attrs["samples_per_stretch_kept"] == 4


def test_what_is_not_there_is_told_in_one_line(there, site_address):
    cases = {
        NoSuchShot: lambda: there[99],
        MissingCalibration: lambda: there[FIRST]["Bare_U"],
        WorkspaceError: lambda: ishtar.open(f"{site_address}/tiles", calib="v1"),
        NotKept: lambda: there.declarations,
    }
    for kind, ask in cases.items():
        with pytest.raises(kind) as error:
            ask()
        assert "\n" not in str(error.value)


def test_a_folder_that_lost_a_file_says_which(published, tmp_path):
    site = shutil.copytree(published.root / "www" / "tiles", tmp_path / "site")
    there = ishtar.open(str(site))
    assert repr(there) == f"<Testbed 'Test' at {site}/: 3 shots, read only>"
    (site / "shots" / f"{MOVED:05d}" / "shot.json").unlink()
    with pytest.raises(NoSuchShot, match="has no shot 1250"):
        there[MOVED].attributes  # noqa: B018


@pytest.mark.parametrize("where", ["nothing/here", "other"])
def test_an_address_without_a_site_is_told(site_address, where):
    with pytest.raises(RemoteError, match="front page"):
        ishtar.open(f"{site_address}/{where}")


def test_a_server_that_does_not_answer_is_told():
    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        port = server.server_address[1]
    with pytest.raises(RemoteError, match=r"does not answer .*try again"):
        ishtar.open(f"http://127.0.0.1:{port}/")


def test_a_site_that_lost_a_file_says_which(there, published):
    folder = published.root / "www/tiles/shots" / f"{MOVED:05d}/traces"
    [pack] = folder.glob("Fwd_P*.pack")
    pack.rename(pack.with_suffix(".gone"))
    try:
        with pytest.raises(RemoteError, match=r"Fwd_P of shot 1250: .* does not exist"):
            there[MOVED]["Fwd_P"].envelope()
    finally:
        pack.with_suffix(".gone").rename(pack)


def test_a_pack_that_is_damaged_is_told_and_not_kept(site_address, published):
    folder = published.root / "www/tiles/shots" / f"{MOVED:05d}/traces"
    [pack] = folder.glob("Fwd_P*.pack")
    content = pack.read_bytes()

    def signal() -> Any:
        return ishtar.open(f"{site_address}/tiles")[MOVED]["Fwd_P"]

    signal().envelope()
    Cache().clear()
    try:
        pack.write_bytes(content[:40] + bytes(60) + content[100:])
        with pytest.raises(RemoteError, match=r"Fwd_P of shot 1250 is damaged on .*administrator"):
            signal().envelope()
        pack.write_bytes(content[:-7])
        with pytest.raises(RemoteError, match=r"Fwd_P of shot 1250: .* not \d+"):
            signal().load()
    finally:
        pack.write_bytes(content)
    assert len(signal().load()) == signal().n


def test_traces_of_another_format_are_told(site_address, published):
    index = published.root / "www/tiles/shots" / f"{MOVED:05d}/traces/index.json"
    text = index.read_text()
    index.write_text(text.replace('"format":2', '"format":3'))
    try:
        with pytest.raises(
            RemoteError, match=r"another version of the package: install the newest"
        ):
            ishtar.open(f"{site_address}/tiles")[MOVED].signals()
    finally:
        index.write_text(text)


def test_other_kinds_of_address_are_refused():
    with pytest.raises(IshtarError, match="published site"):
        ishtar.open("ftp://example.org/")
