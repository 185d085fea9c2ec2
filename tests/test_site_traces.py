"""Traces of the site: packs against known samples, when they are made anew, what is let go."""

from __future__ import annotations

import base64
import csv
import errno
import io
import json
import os
import shutil
from collections import deque
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat

from ishtar.errors import DamagedFile
from ishtar.packs.block_bytes import unpack
from ishtar.packs.codes import STEPS, values_of
from ishtar.packs.part import FORMAT
from ishtar.workspace import Workspace
from runner.attempts import Attempts
from runner.publish import publish
from runner.publish.data import traces
from runner.publish.data.traces import published_part, read_index, write_traces
from runner.publish.retention import is_old, without_figures
from runner.publish.source import WorkspaceSource
from runner.publish.writer import Writer
from runner.receipts import Subject
from runner.render.fragment import Fragment
from runner.render.images import Picture
from runner.scheduling.coordinator import Coordinator
from runner.service.deferred_work import DeferredWork
from runner.settings.publishing import PublishSettings
from tests.library_fakes import FIRST, LAMED, MOVED, truth
from tests.site_fakes import YearsAhead

pytestmark = pytest.mark.whole

SHALLOW = PublishSettings(tile_samples=2000)
DERIVED = ("Inj_P", "Share")


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


def reach(x: np.ndarray) -> float:
    return float(np.ptp(x[np.isfinite(x)]))


def rows_of(out: Path, shot: int, name: str, level: int = -1) -> np.ndarray:
    """Return the bins of a level of a published signal, (m, 2)."""
    part = published_part(out, shot, read_index(out, shot)[name])
    number = level % len(part.levels)
    return part.rows(number, 0, part.levels[number].bins)[0]


@pytest.mark.parametrize("shot", [FIRST, MOVED])
def test_packs_hold_the_calibrated_samples(published, shot):
    _, out = published
    known = truth(shot)
    index = read_index(out, shot)
    assert set(known.values) <= index.keys()
    for name, x in known.values.items():
        entry = index[name]
        assert (entry["n"], entry["levels"][-1]["stride"]) == (len(x), 1), name
        assert entry["problem"] == ""
        found = rows_of(out, shot, name)
        np.testing.assert_array_equal(found[:, 0], found[:, 1])
        np.testing.assert_allclose(found[:, 0], x, atol=reach(x) / STEPS, rtol=1e-9)


def test_an_irregular_signal_has_its_times(published):
    _, out = published
    entry = read_index(out, FIRST)["Gas_P"]
    assert entry["dx"] is None
    part = published_part(out, FIRST, entry)
    _, places = part.rows(0, 0, 50)
    np.testing.assert_allclose(places + entry["x0"], truth(FIRST).slow_time, atol=1e-12)
    assert part.head.starts[0].tolist() == [0.0]


def test_what_cannot_be_drawn_says_why(published):
    _, out = published
    index = read_index(out, LAMED)
    assert "no calibration" in index["Bare_U"]["problem"]
    assert "not wired" in index["Nowhere_U"]["problem"]
    assert "has no channel 'DAQ/Probe_U'" in index["Probe_U"]["problem"]
    assert "different time bases" in read_index(out, FIRST)["Mixed"]["problem"]
    assert all(index[n]["levels"] == [] for n in ("Bare_U", "Nowhere_U", "Probe_U", "Mixed"))


def test_files_of_a_shot_are_few_and_say_where_they_are(published):
    _, out = published
    folder = out / f"shots/{FIRST:05d}/traces"
    for name in ("index", "coarse"):
        text = (folder / f"{name}.js").read_text()
        assert text.startswith(f'ishtar.data("shots/{FIRST:05d}/traces/{name}", {{')
    assert json.loads((folder / "index.json").read_text())["format"] == FORMAT
    entries = [e for e in read_index(out, FIRST).values() if e["levels"]]
    names = {path.name for path in folder.iterdir()}
    assert names == {"index.js", "index.json", "coarse.js", *(e["pack"] for e in entries)}
    assert all((folder / e["pack"]).stat().st_size == e["size"] for e in entries)


def test_of_many_signals_several_are_in_one_file(workspace, tmp_path, monkeypatch):
    monkeypatch.setattr("runner.publish.data.traces.MOST_PACKS", 3)
    publishing = Publishing(workspace, tmp_path / "public")
    publishing(PublishSettings(tile_samples=0))
    folder = publishing.out / f"shots/{FIRST:05d}/traces"
    before = publishing.packs()
    assert len(set(before.values())) == len(list(folder.glob("*.pack"))) == 3
    for name, x in truth(FIRST).values.items():
        found = rows_of(publishing.out, FIRST, name)[:, 0]
        np.testing.assert_allclose(found, x, atol=reach(x) / STEPS, rtol=1e-9)
    device = workspace.calibrations / "devices/transducer.toml"
    device.write_text(device.read_text().replace("gain = 100.0", "gain = 200.0"))
    assert publishing(PublishSettings(tile_samples=0), traces=False).without_traces
    publishing(PublishSettings(tile_samples=0))
    after = publishing.packs()
    changed = {name for name in before if after[name] != before[name]}
    assert "Coil_I" in changed
    assert len({after[name] for name in changed}) == 1
    for name, x in truth(FIRST).values.items():
        factor = 2.0 if name == "Coil_I" else 1.0
        found = rows_of(publishing.out, FIRST, name)[:, 0]
        np.testing.assert_allclose(found, factor * x, atol=factor * reach(x) / STEPS, rtol=1e-9)


def test_the_coarse_file_has_the_first_levels(published):
    _, out = published
    text = (out / f"shots/{FIRST:05d}/traces/coarse.js").read_text()
    signals = json.loads(text[text.index(", {") + 2 : text.rindex(")")])["signals"]
    for name, x in truth(FIRST).values.items():
        level = read_index(out, FIRST)[name]["levels"][0]
        bins = unpack(
            base64.b64decode(signals[name][0][0]),
            level["bins"],
            columns=1 if level["stride"] == 1 else 2,
            has_ladder=False,
            irregular=read_index(out, FIRST)[name]["irregular"],
        )
        low, high = (values_of(bins.codes[i], *bins.rounding) for i in (0, -1))
        starts = np.arange(0, len(x), level["stride"])
        slack = 2 * reach(x) / STEPS
        least, most = np.fmin.reduceat(x, starts), np.fmax.reduceat(x, starts)
        np.testing.assert_allclose(low, least, atol=slack)
        np.testing.assert_allclose(high, most, atol=slack)
        if level["stride"] > 1:
            assert (low <= least + 1e-9 * slack).all()
            assert (high >= most - 1e-9 * slack).all()


def test_the_tables_hold_what_the_coarsest_level_does(published):
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

    def packs(self, shot: int = FIRST) -> dict[str, str]:
        return {name: e["pack"] for name, e in read_index(self.out, shot).items() if e["pack"]}

    def levels(self, shot: int = FIRST, name: str = "Coil_I") -> int:
        return len(read_index(self.out, shot)[name]["levels"])


@pytest.fixture
def publishing(workspace, tmp_path) -> Publishing:
    return Publishing(workspace, tmp_path / "public")


def stamps(out: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in out.rglob("traces/*")}


def test_packs_are_made_once(publishing):
    publishing()
    before = stamps(publishing.out)
    assert before
    assert publishing().written == ()
    assert publishing(only=[Subject.shot(FIRST)]).written == ()
    assert stamps(publishing.out) == before


def test_a_new_calibration_makes_its_signals_anew_and_no_others(publishing):
    publishing()
    before = publishing.packs()
    device = publishing.workspace.calibrations / "devices/transducer.toml"
    device.write_text(device.read_text().replace("gain = 100.0", "gain = 200.0"))
    publishing(only=[Subject.shot(FIRST)])
    after = publishing.packs()
    assert {name for name in before if after[name] != before[name]} == {"Coil_I"}
    folder = publishing.out / f"shots/{FIRST:05d}/traces"
    assert {p.name for p in folder.glob("*.pack")} == set(after.values())
    found = rows_of(publishing.out, FIRST, "Coil_I", 0)
    assert found[:, 1].max() == pytest.approx(2 * truth(FIRST).values["Coil_I"].max())


def test_how_deep_is_a_setting(publishing):
    publishing()
    assert publishing.levels() == 1  # 1500 bins of 4 samples
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
    folder = publishing.out / f"shots/{FIRST:05d}/traces"
    kept = entry["head"] + entry["levels"][0]["bytes"]
    assert (folder / entry["pack"]).stat().st_size == entry["size"] == kept
    assert {p.name for p in folder.glob("*.pack")} == set(publishing.packs().values())
    x = truth(FIRST).values["Coil_I"]
    found = rows_of(publishing.out, FIRST, "Coil_I")
    np.testing.assert_allclose(found[:, 1], x.reshape(-1, 4).max(axis=1), rtol=1e-9)
    assert (publishing.out / f"shots/{FIRST:05d}/data.csv").is_file()


def test_packs_of_an_older_version_are_made_anew(publishing):
    publishing()
    folder = publishing.out / f"shots/{FIRST:05d}/traces"
    index = json.loads((folder / "index.json").read_text())
    old = {key: value for key, value in index.items() if key != "format"} | {"tile": 2048}
    (folder / "index.json").write_text(json.dumps(old))
    (folder / "Coil_I").mkdir()
    (folder / "Coil_I" / "0-0.js").write_text("")
    assert publishing(traces=False).without_traces == (FIRST,)
    publishing()
    assert json.loads((folder / "index.json").read_text()) == index
    assert not [path for path in folder.iterdir() if path.is_dir()]


# --- what goes wrong -----------------------------------------------------------------------------


def failing(monkeypatch, name: str, error: Exception) -> None:
    """Let the samples of a signal end with an error after some blocks."""
    original = traces.write_part

    def write(samples, levels, out, scratch):
        if getattr(samples, "calibration", None) is None or name not in samples.calibration.label:
            return (yield from original(samples, levels, out, scratch))
        out.write(b"half a pack")
        yield
        raise error

    monkeypatch.setattr(traces, "write_part", write)


def remains(out: Path) -> list[Path]:
    return list(out.rglob("traces/.tmp-*"))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DamagedFile("daq.h5 cannot be read"), "daq.h5 cannot be read"),
        (FileNotFoundError(2, "No such file", "daq.h5"), "daq.h5"),
        (ValueError("a chunk is damaged"), "ValueError: a chunk is damaged"),
        (ZeroDivisionError("by zero"), "cannot be read"),
    ],
)
@pytest.mark.parametrize("most", [32, 2])
def test_a_signal_that_cannot_be_read_is_named_and_the_others_are_there(
    publishing, monkeypatch, error, reason, most
):
    monkeypatch.setattr(traces, "MOST_PACKS", most)
    with monkeypatch.context() as patch:
        failing(patch, "transducer", error)
        publishing()
    index = read_index(publishing.out, FIRST)
    assert reason in index["Coil_I"]["problem"]
    assert index["Coil_I"]["levels"] == []
    known = truth(FIRST).values
    assert {name for name, e in index.items() if e["levels"]} >= known.keys() - {"Coil_I"}
    for name, x in known.items():
        if name != "Coil_I":
            found = rows_of(publishing.out, FIRST, name)
            assert np.nanmax(found) == pytest.approx(np.nanmax(x), abs=reach(x) / 1000)
    assert not remains(publishing.out)
    assert FIRST in publishing(traces=False).without_traces  # the next try may succeed
    publishing()
    assert publishing.levels() == 1


def test_an_error_of_the_machine_is_no_problem_of_a_signal(publishing, monkeypatch):
    failing(monkeypatch, "transducer", OSError(errno.ENOSPC, "No space left"))
    with pytest.raises(OSError, match="No space left"):
        publishing()
    assert not remains(publishing.out)


@pytest.mark.parametrize("how", ["deleted", "truncated", "folder", "empty"])
def test_a_pack_that_was_changed_by_hand_is_made_again(publishing, how):
    publishing()
    index = read_index(publishing.out, FIRST)
    path = publishing.out / f"shots/{FIRST:05d}/traces/{index['Coil_I']['pack']}"
    content = path.read_bytes()
    path.unlink()
    if how == "folder":
        path.mkdir()
        (path / "x").write_text("")
    elif how != "deleted":
        path.write_bytes(content[: 0 if how == "empty" else len(content) // 2])
    assert publishing(traces=False).without_traces == (FIRST,)
    publishing()
    assert path.read_bytes() == content
    assert read_index(publishing.out, FIRST) == index


def test_a_damaged_pack_does_not_stop_the_others(publishing):
    publishing(PublishSettings(tile_samples=0))
    index = read_index(publishing.out, FIRST)
    path = publishing.out / f"shots/{FIRST:05d}/traces/{index['Coil_I']['pack']}"
    path.write_bytes(bytes(path.stat().st_size))
    publishing()  # thinned out, from packs that are there
    x = truth(FIRST).values["Coil_I"]
    assert rows_of(publishing.out, FIRST, "Coil_I").max() == pytest.approx(x.max())


def test_an_index_without_what_is_needed_is_made_anew(publishing):
    publishing()
    path = publishing.out / f"shots/{FIRST:05d}/traces/index.json"
    before = path.read_text()
    index = json.loads(before)
    for key, signal in zip(("pack", "made", "size", "at"), index["signals"], strict=False):
        signal.pop(key)
    path.write_text(json.dumps(index))
    publishing()
    assert path.read_text() == before


def steps_in(workspace: Workspace, out: Path, stack: ExitStack) -> Any:
    coordinator = stack.enter_context(Coordinator(workspace))
    coordinator.sync_shots()
    source = WorkspaceSource(coordinator.workspace, coordinator.catalogue)
    writer = Writer.plain(out)
    return write_traces(source, source.shot(FIRST), writer, traces.Depth(tile_samples=0))


@pytest.mark.parametrize("n_steps", [0, 1, 2, 5, 9])
def test_traces_that_are_given_up_leave_nothing(workspace, tmp_path, n_steps):
    with ExitStack() as stack:
        steps = steps_in(workspace, tmp_path, stack)
        for _ in range(n_steps):
            next(steps)
        steps.close()
    assert not remains(tmp_path)
    assert not list(tmp_path.rglob("index.*"))


def test_of_two_publications_at_once_neither_disturbs_the_other(workspace, tmp_path):
    with ExitStack() as stack:
        one, two = (steps_in(workspace, tmp_path, stack) for _ in range(2))
        next(one)
        deque(two, maxlen=0)
        index = read_index(tmp_path, FIRST)
        deque(one, maxlen=0)
        assert read_index(tmp_path, FIRST) == index
    for name, x in truth(FIRST).values.items():
        np.testing.assert_allclose(
            rows_of(tmp_path, FIRST, name)[:, 0], x, atol=reach(x) / STEPS, rtol=1e-9
        )
    assert not remains(tmp_path)


def test_remains_of_a_killed_process_go_after_a_while(publishing):
    publishing()
    path = publishing.out / f"shots/{FIRST:05d}/traces/.tmp-0123456789ab-.pack"
    path.write_bytes(b"half")
    assert publishing(traces=False).without_traces == ()
    os.utime(path, (1e9, 1e9))
    assert publishing(traces=False).without_traces == (FIRST,)
    publishing()
    assert not path.exists()


class Slices:
    """Deferred work on the traces of a workspace, in slices of one step."""

    def __init__(self, workspace: Workspace, out: Path, coordinator: Coordinator) -> None:
        self.out, self.coordinator = out, coordinator
        self.attempts = Attempts()
        self.deferred = DeferredWork(PublishSettings(tile_samples=0), self.attempts)
        coordinator.sync_shots()

    def __call__(self) -> list[int]:
        source = WorkspaceSource(self.coordinator.workspace, self.coordinator.catalogue)
        return self.deferred.work(source, Writer.plain(self.out))


@pytest.fixture
def slices(workspace, tmp_path, monkeypatch):
    monkeypatch.setattr("runner.service.deferred_work.SLICE_S", -1.0)
    with Coordinator(workspace) as coordinator:
        yield Slices(workspace, tmp_path / "site", coordinator)


def test_a_shot_that_is_removed_while_its_traces_are_cut_is_forgotten(slices, monkeypatch):
    slices.deferred.add([FIRST])
    assert slices() == slices() == []
    assert len(slices.deferred) == 1
    shutil.rmtree(slices.out)
    monkeypatch.setattr(WorkspaceSource, "shots", lambda _: [MOVED])
    assert slices() == []
    assert len(slices.deferred) == 0
    assert slices.attempts.troubles == ()
    assert not slices.out.exists()


def test_a_shot_that_is_published_again_begins_anew(slices):
    slices.deferred.add([FIRST])
    slices()
    device = slices.coordinator.workspace.calibrations / "devices/transducer.toml"
    device.write_text(device.read_text().replace("gain = 100.0", "gain = 200.0"))
    slices.coordinator.sync_shots()
    slices.deferred.add([FIRST])
    done: list[int] = []
    for _ in range(1000):
        done = done or slices()
    assert done == [FIRST]
    x = truth(FIRST).values["Coil_I"]
    assert rows_of(slices.out, FIRST, "Coil_I").max() == pytest.approx(2 * x.max(), rel=1e-4)
    assert not remains(slices.out)


def test_a_shot_of_which_a_signal_cannot_be_read_waits_before_it_is_tried_again(
    slices, monkeypatch
):
    monkeypatch.setattr("runner.service.deferred_work.SLICE_S", 100.0)
    failing(monkeypatch, "transducer", DamagedFile("daq.h5 cannot be read"))
    slices.deferred.add([FIRST])
    assert slices() == [FIRST]  # its page names the others
    slices.deferred.add([FIRST])  # as its publication does
    assert (slices(), slices.deferred.n_traces, len(slices.deferred)) == ([], 0, 1)
    [trouble] = slices.attempts.troubles
    assert trouble.error == f"shot {FIRST} has no traces of Coil_I: daq.h5 cannot be read"
    monkeypatch.undo()
    slices.attempts.end_pauses()
    while not slices():
        pass
    assert (slices.attempts.troubles, len(slices.deferred)) == ((), 0)


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
