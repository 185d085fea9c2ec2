"""Traces of the site: tiles against known samples, when they are made anew, what is let go."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat

from ishtar.signals.time_base import Regular
from ishtar.workspace import Workspace
from runner.publish import publish
from runner.publish.data.tiles import NO_VALUE, STEPS, TILE, cut_tiles, encode, levels_of
from runner.publish.data.traces import read_index
from runner.publish.retention import is_old, without_figures
from runner.publish.source import WorkspaceSource
from runner.receipts import Subject
from runner.render.fragment import Fragment
from runner.render.images import Picture
from runner.scheduling.coordinator import Coordinator
from runner.settings.publishing import PublishSettings
from tests.library_fakes import FIRST, LAMED, MOVED, truth
from tests.site_fakes import YearsAhead

pytestmark = pytest.mark.whole

SHALLOW = PublishSettings(tile_samples=2000)
DERIVED = ("Inj_P", "Share")


class Walk:
    """Samples of a random walk, which notes how many were read at once at most."""

    n_clipped = 0
    itemsize = 8

    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(n)
        self.x = np.cumsum(rng.normal(size=n))
        self.x[n // 2 : n // 2 + 3] = np.nan
        self.base = Regular(0.0, 1e-6, n)
        self.most = 0

    def read(self, start: int, stop: int) -> np.ndarray:
        self.most = max(self.most, stop - start)
        return self.x[start:stop]

    def minmax(self, start: int, stop: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        """A source that cannot give the stretches asked for: they are walked then."""
        return np.array([start, stop]), np.zeros((1, 2))


def decoded(tile: dict[str, Any]) -> np.ndarray:
    codes = np.frombuffer(base64.b64decode(tile["v"]), "<u2").reshape(-1, tile["n"])
    values = tile["lo"] + (tile["hi"] - tile["lo"]) * codes / STEPS
    return np.where(codes == NO_VALUE, np.nan, values)


def read_tile(out: Path, shot: int, slug: str, level: int, k: int) -> dict[str, Any]:
    path = f"shots/{shot:05d}/traces/{slug}/{level}-{k}"
    text = (out / f"{path}.js").read_text()
    head = f'ishtar.data("{path}", '
    assert text.startswith(head)
    return json.loads(text[len(head) : -3])


# --- cutting -------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 5, TILE, TILE + 1, 100_003, 2_000_000])
@pytest.mark.parametrize("most", [0, 1, 5000])
def test_levels_begin_with_one_tile_and_go_down_in_quarters(n, most):
    levels = levels_of(n, most)
    assert levels[0].bins <= TILE
    assert levels[0].tiles == 1
    assert all(a.stride == 4 * b.stride for a, b in pairwise(levels))
    assert all(k.bins == -(-n // k.stride) for k in levels)
    if most == 0 or n <= most:
        assert levels[-1].stride == 1
    assert most == 0 or len(levels) == 1 or levels[-1].bins <= most


def test_a_record_without_samples_has_no_level():
    assert levels_of(0, 0) == []


@pytest.mark.parametrize("n", [3, 2049, 100_003, 1_500_001])
@pytest.mark.parametrize("most", [0, 5000])
def test_every_stretch_of_every_level_has_the_extremes_of_its_samples(n, most):
    samples = Walk(n)
    levels = levels_of(n, most)
    found = {(tile.level, tile.k): tile.rows for tile in cut_tiles(samples, levels)}
    assert samples.most <= 1 << 20
    for i, level in enumerate(levels):
        rows = np.concatenate([found.pop((i, k)) for k in range(level.tiles)])
        starts = np.arange(0, n, level.stride)
        np.testing.assert_array_equal(rows[:, 0], np.fmin.reduceat(samples.x, starts))
        np.testing.assert_array_equal(rows[:, 1], np.fmax.reduceat(samples.x, starts))
    assert not found


def test_what_is_drawn_holds_what_was_reached():
    rng = np.random.default_rng(1)
    rows = np.sort(rng.normal(size=(500, 2)) * 1e6, axis=1)
    found = decoded(encode(rows, single=False)).T
    step = (rows.max() - rows.min()) / STEPS
    assert (found[:, 0] <= rows[:, 0] + 1e-9).all()
    assert (found[:, 1] >= rows[:, 1] - 1e-9).all()
    assert np.abs(found - rows).max() <= step * 1.0001


def test_no_value_stays_no_value_and_a_constant_is_exact():
    rows = np.array([[np.nan, np.nan], [3.25, 3.25], [np.inf, np.inf]])
    found = decoded(encode(rows, single=True))[0]
    np.testing.assert_array_equal(found, [np.nan, 3.25, np.nan])
    assert encode(rows[:1], single=True)["lo"] == 0.0


def test_numbers_near_the_largest_have_a_range():
    tile = encode(np.array([[-1.7e308, 1.7e308]]), single=False)
    assert np.isfinite(tile["hi"] - tile["lo"])


# --- of a workspace ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published(stored_workspace, tmp_path_factory) -> tuple[Workspace, Path]:
    """The workspace of known truth, published: once down to single samples."""
    folder = tmp_path_factory.mktemp("traces")
    out = folder / "public"
    workspace = Workspace.at(shutil.copytree(stored_workspace.root, folder / "ws"))
    with Coordinator(workspace) as coordinator:
        coordinator.sync_shots()
        publish(WorkspaceSource(coordinator.workspace, coordinator.catalogue), out)
    return workspace, out


@pytest.mark.parametrize("shot", [FIRST, MOVED])
def test_tiles_hold_the_calibrated_samples(published, shot):
    _, out = published
    known = truth(shot)
    index = read_index(out, shot)
    assert set(known.values) <= index.keys()
    for name, x in known.values.items():
        entry = index[name]
        assert (entry["n"], entry["levels"][-1]["stride"]) == (len(x), 1), name
        assert entry["problem"] == ""
        deepest = len(entry["levels"]) - 1
        for k in range(entry["levels"][-1]["tiles"]):
            tile = read_tile(out, shot, entry["slug"], deepest, k)
            part = x[k * TILE : (k + 1) * TILE]
            step = np.nanmax(part) - np.nanmin(part)
            np.testing.assert_allclose(decoded(tile)[0], part, atol=step / STEPS, rtol=1e-9)


def test_an_irregular_signal_has_its_times(published):
    _, out = published
    entry = read_index(out, FIRST)["Gas_P"]
    assert entry["dt"] is None
    assert entry["levels"][0]["starts"] == [0.0]
    tile = read_tile(out, FIRST, entry["slug"], 0, 0)
    times = np.frombuffer(base64.b64decode(tile["t"]), "<f8") + entry["t0"]
    np.testing.assert_allclose(times, truth(FIRST).slow_time, atol=1e-12)


def test_what_cannot_be_drawn_says_why(published):
    _, out = published
    index = read_index(out, LAMED)
    assert "no calibration" in index["Bare_U"]["problem"]
    assert "not wired" in index["Nowhere_U"]["problem"]
    assert "has no channel 'DAQ/Probe_U'" in index["Probe_U"]["problem"]
    assert "different time bases" in read_index(out, FIRST)["Mixed"]["problem"]
    assert all(index[n]["levels"] == [] for n in ("Bare_U", "Nowhere_U", "Probe_U", "Mixed"))


def test_index_and_tiles_say_where_they_are(published):
    _, out = published
    folder = out / f"shots/{FIRST:05d}/traces"
    text = (folder / "index.js").read_text()
    assert text.startswith(f'ishtar.data("shots/{FIRST:05d}/traces/index", {{')
    assert json.loads((folder / "index.json").read_text())["tile"] == TILE
    assert not [p for p in folder.rglob("*") if p.name.startswith(".")]


def test_the_tables_hold_what_the_coarsest_tiles_do(published):
    _, out = published
    text = (out / f"shots/{FIRST:05d}/data.csv").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    head, *rows = csv.reader(io.StringIO("\n".join(lines)))
    column = head.index("Probe_U min [V]")
    x = truth(FIRST).values["Probe_U"]
    low = np.array([float(r[column]) for r in rows])
    step = np.ptp(x) / STEPS
    np.testing.assert_allclose(low, x.reshape(-1, 4).min(axis=1), atol=2 * step + 1e-4 * np.ptp(x))
    assert head[0] == "time [s]"
    assert "time 2 [s]" in head
    mat = loadmat(out / f"shots/{FIRST:05d}/data.mat", squeeze_me=True)
    np.testing.assert_allclose(
        mat["Probe_U"]["max"].item(), x.reshape(-1, 4).max(axis=1), atol=2 * step
    )
    assert mat["Gas_P"]["unit"].item() == "Pa"
    assert mat["Gas_P"]["value"].item().shape == (50,)


# --- made anew, let go ---------------------------------------------------------------------------


class Publishing:
    """A copy of the workspace, published as often as asked for."""

    def __init__(self, workspace: Workspace, out: Path) -> None:
        self.workspace, self.out = workspace, out

    def __call__(self, settings: PublishSettings = SHALLOW, **how: Any) -> Any:
        with Coordinator(self.workspace) as coordinator:
            coordinator.sync_shots()
            source = WorkspaceSource(coordinator.workspace, coordinator.catalogue)
            return publish(source, self.out, settings=settings, **how)

    def slugs(self, shot: int = FIRST) -> dict[str, str]:
        return {name: e["slug"] for name, e in read_index(self.out, shot).items() if e["slug"]}

    def levels(self, shot: int = FIRST, name: str = "Coil_I") -> int:
        return len(read_index(self.out, shot)[name]["levels"])


@pytest.fixture
def publishing(workspace, tmp_path) -> Publishing:
    return Publishing(workspace, tmp_path / "public")


def stamps(out: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in out.rglob("traces/**/*.js")}


def test_tiles_are_made_once(publishing):
    publishing()
    before = stamps(publishing.out)
    assert before
    assert publishing().written == ()
    assert publishing(only=[Subject.shot(FIRST)]).written == ()
    assert stamps(publishing.out) == before


def test_a_new_calibration_makes_its_signals_anew_and_no_others(publishing):
    publishing()
    before = publishing.slugs()
    device = publishing.workspace.calibrations / "devices/transducer.toml"
    device.write_text(device.read_text().replace("gain = 100.0", "gain = 200.0"))
    publishing(only=[Subject.shot(FIRST)])
    after = publishing.slugs()
    assert {name for name in before if after[name] != before[name]} == {"Coil_I"}
    folder = publishing.out / f"shots/{FIRST:05d}/traces"
    assert {p.name for p in folder.iterdir() if p.is_dir()} == set(after.values())
    tile = read_tile(publishing.out, FIRST, after["Coil_I"], 0, 0)
    assert tile["hi"] == pytest.approx(2 * truth(FIRST).values["Coil_I"].max())


def test_how_deep_is_a_setting(publishing):
    publishing()
    assert publishing.levels() == 1  # 1500 stretches of 4 samples
    publishing(PublishSettings(tile_samples=0))
    assert publishing.levels() == 2
    publishing()
    assert publishing.levels() == 1


def test_traces_that_wait_are_named_and_those_there_are_kept(publishing):
    done = publishing(traces=False)
    assert done.without_traces == (FIRST, MOVED, LAMED)
    publishing()
    assert publishing(traces=False).without_traces == ()
    assert publishing.levels() == 1


def test_a_torn_index_is_made_anew(publishing):
    publishing()
    (publishing.out / f"shots/{FIRST:05d}/traces/index.json").write_text('{"signals": [')
    publishing()
    assert publishing.levels() == 1


def test_a_vanished_shot_takes_its_traces_along(publishing):
    publishing()
    shutil.rmtree(publishing.workspace.shot_folder(LAMED))
    (publishing.workspace.catalogue).unlink()
    publishing()
    assert not (publishing.out / f"shots/{LAMED:05d}").exists()
    assert (publishing.out / f"shots/{FIRST:05d}/traces").is_dir()


def test_old_traces_keep_their_coarse_levels(publishing, monkeypatch):
    long = PublishSettings(tile_samples=0)
    publishing(long)
    monkeypatch.setattr("runner.publish.data.traces.LEVELS_KEPT", 1)
    days = (datetime.now() - datetime(2026, 11, 22, 10, 49)).days
    publishing(replace(long, keep_tiles_days=max(days, 1) + 400))
    assert publishing.levels() == 2
    monkeypatch.setattr("runner.publish.retention.datetime", YearsAhead)
    publishing(replace(long, keep_tiles_days=1))
    entry = read_index(publishing.out, FIRST)["Coil_I"]
    assert len(entry["levels"]) == 1
    folder = publishing.out / f"shots/{FIRST:05d}/traces/{entry['slug']}"
    assert os.listdir(folder) == ["0-0.js"]
    assert (publishing.out / f"shots/{FIRST:05d}/data.csv").is_file()


def test_figures_that_were_let_go_are_told_where_they_were():
    image = '<img src="figures/a-1.png" alt="I > 0 & \'x\'" width="1" height="1" loading="lazy">'
    body = f'<p>Before</p><figure>\n<a href="figures/a-1.png">{image}</a></figure>'
    body += '<p><img src="figures/b.png" alt=""> <img src="data:image/png;base64,AA" alt=""></p>'
    picture = Picture(file="a-1.png", width=1, height=1)
    fragment = Fragment(renderer="r", body=body, figures=(picture,), alts=("x",))
    found = without_figures(fragment)
    assert "figures/" not in found.body
    assert found.figures == ()
    assert found.body.count("the notebook still has it") == 2
    assert "Figure: I > 0 & 'x'. Removed" in found.body
    assert "data:image/png" in found.body


def test_an_unknown_date_is_never_old():
    assert not is_old(None, 1)
    assert not is_old(datetime.now() - timedelta(days=5000), 0)
    assert is_old(datetime.now() - timedelta(days=3), 2)
