"""A testbed over a published site: what is read of it, how much, and what it says if it cannot."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

import ishtar
from ishtar.errors import (
    IshtarError,
    MissingCalibration,
    NoSuchShot,
    NoSuchSignal,
    WorkspaceError,
)
from ishtar.query.query_tree import QueryError
from ishtar.remote.fetch import RemoteError
from ishtar.remote.not_kept import NotKept
from ishtar.remote.testbed import RemoteTestbed
from ishtar.shots.testbed import Testbed
from ishtar.workspace import Workspace
from runner.publish import publish
from runner.publish.source import WorkspaceSource
from runner.receipts import Receipt, Scrap, Subject, report_folder
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.rebuild import rebuild
from runner.settings.publishing import PublishSettings
from tests.library_fakes import FIRST, LAMED, MOVED, truth

pytestmark = pytest.mark.whole

STEPS = 65534


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and keeps no log."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def here(stored_workspace, tmp_path_factory) -> Workspace:
    """The workspace of known truth, with scraps of two reports."""
    folder = tmp_path_factory.mktemp("remote") / "ws"
    workspace = Workspace.at(shutil.copytree(stored_workspace.root, folder))
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
            where = report_folder(workspace.reports, receipt.of, template, receipt.digest)
            where.mkdir(parents=True)
            (where / "receipt.json").write_text(receipt.to_json())
    return workspace


@pytest.fixture(scope="module")
def address(here) -> Iterator[str]:
    """A web server with the site below a path, and a shallow one beside it."""
    public = here.root / "www"
    rebuild(here)
    with Coordinator(here) as coordinator:
        source = WorkspaceSource(here, coordinator.catalogue)
        publish(source, public / "sub" / "path")
        publish(source, public / "shallow", settings=PublishSettings(tile_samples=2000))
    (public / "other").mkdir()
    (public / "other" / "data").mkdir()
    (public / "other" / "data" / "index.json").write_text("[1, 2]")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(public)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def there(address) -> RemoteTestbed:
    """The site, opened as a user does."""
    found = ishtar.open(f"{address}/sub/path/")
    assert isinstance(found, RemoteTestbed)
    return found


@pytest.mark.parametrize("ending", ["", "/", "/index.html"])
def test_the_address_of_the_front_page_or_its_folder_opens_a_site(address, ending):
    there = ishtar.open(f"{address}/sub/path{ending}")
    assert there.numbers() == [FIRST, MOVED, LAMED]
    assert "3 shots, read only" in repr(there)


def test_a_shot_says_what_its_page_does(there, here):
    shot, same = there[FIRST], Testbed(here)[FIRST]
    assert dict(shot.attributes) == dict(same.attributes)
    assert shot.date == same.date
    assert shot.signals() == same.signals()
    assert shot.missing().keys() == same.missing().keys()
    assert [(s.name, s.value, s.sigma, s.unit) for s in shot.scraps] == [
        ("Te", 4.0, 0.2, "eV"),
        ("gas_seen", "Ar", None, ""),
        ("max_P", 500, None, "W"),
    ]
    assert "2026-11-22T10:49:00, Ar, scan" in repr(shot)


@pytest.mark.parametrize("name", ["Probe_U", "Coil_I", "Gas_P", "Share"])
def test_samples_are_those_of_the_workspace_within_their_precision(there, here, name):
    far, near = there[FIRST][name], Testbed(here)[FIRST][name]
    assert (far.unit, far.shape, far.dt) == (near.unit, near.shape, near.dt)
    assert far.t0 == pytest.approx(near.t0)
    for stretch in (slice(1.0, 1.5), slice(10, 20), slice(None)):
        a, b = far[stretch].load(), near[stretch].load()
        np.testing.assert_allclose(a["time"], b["time"], atol=1e-12)
        np.testing.assert_allclose(a, b, atol=2 * np.ptp(truth(FIRST).values[name]) / STEPS)
        assert "65534" in a.attrs["precision"]


def test_an_envelope_holds_what_the_samples_reach(there):
    x = truth(FIRST).values["Coil_I"]
    found = there[FIRST]["Coil_I"].envelope(100)
    edges = np.linspace(0, len(x), len(found["time"]) + 1).astype(int)
    assert 40 <= len(found["time"]) <= 100
    step = 2 * np.ptp(x) / STEPS
    np.testing.assert_allclose(found["max"].max(), x.max(), atol=step)
    middle = found["time"].size // 2
    part = x[edges[middle] : edges[middle + 1]]
    assert found["max"][middle] >= part.max() - step
    assert found["min"][middle] <= part.min() + step


def test_other_units_and_stretches_stay_remote(there):
    signal = there[FIRST]["Probe_U"].to("mV")[1.0:1.1]
    np.testing.assert_allclose(
        signal.values(), 1e3 * there[FIRST]["Probe_U"][1.0:1.1].values(), rtol=1e-12
    )
    assert signal.stride == 1
    assert "from a site" in repr(signal)


def test_a_signal_tells_its_story(there):
    story = there[FIRST]["Probe_U"].explain()
    assert (story.channel, story.device) == ("DAQ/Probe_U", "probe")
    assert there[FIRST]["Share"].explain().derived == "Inj_P / Fwd_P"


def test_a_first_look_costs_less_than_100_kb(address):
    there = ishtar.open(f"{address}/sub/path")
    there[FIRST]["Probe_U"].envelope()
    assert 0 < there.site.received < 100_000
    before = there.site.received
    there[FIRST]["Probe_U"][1.0:1.1].load()
    assert there.site.received - before < 30_000


def test_tiles_are_fetched_once(there):
    signal = there[FIRST]["Probe_U"]
    signal[1.0:1.1].load()
    before = there.site.received
    signal[1.0:1.1].load()
    assert there.site.received == before


def test_a_table_is_that_of_the_workspace(there, here):
    query, columns = "gas == 'Ar' and Te > 4.5", ["Te", "Te.sigma", "max_P", "gas", "date"]
    far, near = there.shots(query).table(columns), Testbed(here).shots(query).table(columns)
    assert list(far.index) == [MOVED]
    assert far.to_dict() == near.to_dict()
    assert far.attrs == near.attrs
    everything = there.shots().table("langmuir.Te")
    assert list(everything.index) == [FIRST, MOVED, LAMED]
    assert there.day("2026-11-22").numbers == [FIRST, MOVED, LAMED]
    assert there.range(FIRST, MOVED).numbers == [FIRST, MOVED]
    assert [s.number for s in there.shots("Te > 0")] == [FIRST, MOVED]


def test_only_the_scraps_that_are_asked_for_are_fetched(address):
    there = ishtar.open(f"{address}/sub/path")
    there.shots("max_P > 0")
    before = there.site.received
    there.shots("max_P > 1 and gas == 'Ar'")
    assert there.site.received == before
    there.shots("Te > 0")
    assert there.site.received > before


def test_a_shallow_site_says_what_it_keeps(address):
    signal = ishtar.open(f"{address}/shallow")[FIRST]["Coil_I"]
    assert signal.stride == 4
    with pytest.raises(NotKept, match=r"maximum of every 4 samples \(0.004 s\).*envelope"):
        signal.load()
    found = signal[1.0:1.1].envelope()
    assert len(found["time"]) == 25
    assert found.attrs["samples_per_stretch_kept"] == 4


@pytest.mark.parametrize("question", ["raw", "sigma", "quality", "mean"])
def test_what_only_the_raw_files_know_is_refused(there, question):
    with pytest.raises(NotKept, match="open the workspace"):
        getattr(there[FIRST]["Coil_I"], question)()


def test_what_is_not_there_is_told_in_one_line(there, address):
    cases = {
        NoSuchShot: lambda: there[99],
        QueryError: lambda: there.shots("Tee > 3"),
        MissingCalibration: lambda: there[FIRST]["Bare_U"],
        WorkspaceError: lambda: ishtar.open(f"{address}/sub/path", calib="v1"),
        NotKept: lambda: there.declarations,
        TypeError: lambda: there["7"],
    }
    for kind, ask in cases.items():
        with pytest.raises(kind) as error:
            ask()
        assert "\n" not in str(error.value)
    for name in ("Coil", "Nowhere_U"):
        with pytest.raises(NoSuchSignal):
            there[FIRST][name]
    with pytest.raises(NoSuchShot, match="no shots on"):
        there.day("2020-01-01")


@pytest.mark.parametrize("where", ["nothing/here", "other"])
def test_an_address_without_a_site_is_told(address, where):
    with pytest.raises(RemoteError, match="front page"):
        ishtar.open(f"{address}/{where}")


def test_a_server_that_does_not_answer_is_told(address):
    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        port = server.server_address[1]
    with pytest.raises(RemoteError, match=r"does not answer .*try again"):
        ishtar.open(f"http://127.0.0.1:{port}/")


def test_a_site_that_lost_a_file_says_which(there, address, here):
    tiles = list((here.root / "www/sub/path/shots" / f"{MOVED:05d}/traces").glob("Fwd_P*/*.js"))
    for tile in tiles:
        tile.rename(tile.with_suffix(".gone"))
    try:
        with pytest.raises(RemoteError, match=r"Fwd_P of shot 1250: .* is not there"):
            there[MOVED]["Fwd_P"].envelope()
    finally:
        for tile in tiles:
            tile.with_suffix(".gone").rename(tile)


def test_other_kinds_of_address_are_refused():
    with pytest.raises(IshtarError, match="published site"):
        ishtar.open("ftp://example.org/")
