"""The archive of a site: what is read from far is what is near, to the last digit."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray

import ishtar
from ishtar.errors import MissingCalibration
from ishtar.remote.cache import Cache
from ishtar.remote.fetch import RemoteError
from ishtar.workspace import Workspace
from runner.publish import publish
from runner.publish.source import WorkspaceSource
from runner.receipts import Subject
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.rebuild import rebuild
from tests.library_fakes import FIRST, LAMED, MOVED
from tests.remote_fakes import serving

pytestmark = pytest.mark.whole

SHOTS = (FIRST, MOVED, LAMED)


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
def test_what_is_far_is_what_is_near_to_the_last_bit(near_tb, site_address, look):
    far = ishtar.open(f"{site_address}/sub/path")
    for number in SHOTS:
        assert far[number].signals() == near_tb[number].signals()
        for name in near_tb[number].signals():
            here, there = (LOOKS[look](tb[number][name]) for tb in (near_tb, far))
            if isinstance(here, xarray.Dataset | xarray.DataArray):
                xarray.testing.assert_identical(here, there)
            else:
                np.testing.assert_array_equal(here, there)


def test_a_shot_is_the_same(near_tb, site_address):
    far = ishtar.open(f"{site_address}/sub/path")
    for number in SHOTS:
        here, there = near_tb[number], far[number]
        assert there.attributes.plain() == here.attributes.plain()
        assert there.missing() == here.missing()
        assert there.date == here.date
        assert there.channels() == here.channels()
        assert [s.origin for s in there.sources] == [s.origin for s in here.sources]
        for path in here.channels():
            np.testing.assert_array_equal(there.channel(path).values(), here.channel(path).values())
        assert str(there.machine.tree()) == str(here.machine.tree())
        assert str(there.machine.diff(far[FIRST])) == str(here.machine.diff(near_tb[FIRST]))
    with pytest.raises(MissingCalibration):
        far[FIRST]["Bare_U"].load()
    np.testing.assert_array_equal(far[FIRST]["Bare_U"].raw(), near_tb[FIRST]["Bare_U"].raw())


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


def test_exports_are_the_same_files(near_tb, site_address, tmp_path):
    far = ishtar.open(f"{site_address}/sub/path")
    for tb, name in ((near_tb, "near.csv"), (far, "far.csv")):
        tb[FIRST].export(tmp_path / name, ["Probe_*", "Inj_P"], t=(1.0, 1.2))
    assert (tmp_path / "far.csv").read_text() == (tmp_path / "near.csv").read_text()


def test_all_shots_are_mapped_and_tabled_in_the_same_way(near_tb, site_address):
    far = ishtar.open(f"{site_address}/sub/path")
    means = [
        dict(tb.shots("Te > 0").map(lambda s: float(s["Coil_I"][1.0:2.0].load().mean())))
        for tb in (near_tb, far)
    ]
    assert means[0] == means[1]
    assert len(means[0]) == 2


def test_a_slice_that_is_too_long_for_the_memory_is_read_in_parts(
    near_tb, site_address, own_cache, monkeypatch
):
    monkeypatch.setattr("ishtar.store.chunk_decode.WINDOW_BYTES", 1)
    monkeypatch.setattr("ishtar.store.reader.MIN_LENGTH", 10)  # of reading in blocks
    far = ishtar.open(f"{site_address}/sub/path")
    for name in ("Probe_U", "Coil_I", "Gas_P"):
        np.testing.assert_array_equal(far[FIRST][name].values(), near_tb[FIRST][name].values())
        np.testing.assert_array_equal(far[FIRST][name].raw(), near_tb[FIRST][name].raw())


# --- how much is fetched -------------------------------------------------------------------------


def test_a_slice_takes_four_requests_and_the_second_look_none(site_address, own_cache):
    far = ishtar.open(f"{site_address}/sub/path")
    far[FIRST]["Probe_U"][1.0:1.1].load()
    assert far.site.requests == 4  # index, declarations, index of the shot, samples
    assert far.site.received < 100_000
    far[FIRST]["Probe_U"][1.0:1.1].load()
    assert far.site.requests <= 5  # a shot that is taken again may be asked for its index
    again = ishtar.open(f"{site_address}/sub/path")
    again[FIRST]["Probe_U"][1.0:1.1].load()
    assert (again.site.requests, again.site.received) == (1, 0)  # it has not changed


def test_a_table_is_fetched_once_until_a_shot_of_its_shard_changes(published, own_cache, tmp_path):
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


def test_without_network_what_was_read_is_read_again(published, own_cache, caplog):
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


def test_two_readers_share_a_cache(site_address, own_cache):
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
    assert not list(own_cache.rglob(".tmp-*"))


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
    near = ishtar.open(root)[FIRST]["Probe_U"].values()
    np.testing.assert_array_equal(trusted["Probe_U"].values(), near)
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
