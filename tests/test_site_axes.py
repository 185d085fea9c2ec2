"""What the site, a far reader and the command line say of samples without seconds and of shots
without a date, from stored files to pages."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat

import ishtar
from ishtar.errors import TimeBaseError
from ishtar.store import SourceWriter
from ishtar.workspace import Workspace
from runner.publish import publish_workspace
from runner.publish.data.traces import is_current, traces_folder
from runner.publish.data.traces_and_downloads import CoarseSignal, _groups, depth_of
from runner.publish.source import WorkspaceSource
from runner.receipts import Subject
from runner.scheduling.coordinator import Coordinator
from runner.settings.publishing import PublishSettings
from tests.axis_fakes import (
    BARE,
    COUNTED,
    DF,
    F0,
    N_LINES,
    NOTES,
    SOURCE,
    TIMED,
    WHY,
    lines,
    write_axes,
)
from tests.command_fakes import caller
from tests.library_fakes import FIRST, N, origin
from tests.test_remote import Quiet

pytestmark = pytest.mark.whole

DAY_ALONE = 1262  # a shot of which only the day is known


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    """The shots of `axis_fakes`, one whose day alone is known, and the site of all."""
    workspace = write_axes(tmp_path_factory.mktemp("site") / "ws")
    name = f"{DAY_ALONE:05d}.lvm"
    with SourceWriter(
        workspace.shot_folder(DAY_ALONE) / f"{name}.h5", origin(DAY_ALONE, name)
    ) as w:
        w.attributes["date"] = "2026-11-24"
        w.channel("lvm/U", dtype=np.float64, unit="V", dt=0.1).append(np.arange(5.0))
    with Coordinator(workspace) as coordinator:
        coordinator.sync_shots()
        publish_workspace(coordinator)
    return workspace


def page(workspace: Workspace, path: str) -> str:
    """Return a page of the site as text on one line."""
    return " ".join((workspace.site / path).read_text().split())


def traces(workspace: Workspace, shot: int) -> dict[str, Any]:
    """Return the index of a shot's traces by signal."""
    path = workspace.site / f"shots/{shot:05d}/traces/index.json"
    return {s["name"]: s for s in json.loads(path.read_text())["signals"]}


# --- traces and downloads ------------------------------------------------------------------------


def test_traces_say_what_they_lie_along_and_have_no_seconds_where_there_are_none(workspace):
    found = traces(workspace, COUNTED)
    axis = {k: [found[k].get(f) for f in ("x_unit", "t0", "dt", "x0", "dx")] for k in found}
    assert axis["Probe_U"] == ["", None, None, None, None]
    assert axis["Inj_P"] == ["", None, None, None, None]
    assert axis["Spectrum"] == ["Hz", None, None, F0, DF]
    assert axis["Uneven"] == ["Hz", None, None, pytest.approx(1e3), None]
    timed = traces(workspace, TIMED)["Probe_U"]
    assert (timed["x_unit"], timed["t0"], timed["dt"]) == ("s", -0.5, 1e-3)
    assert found["Uneven"]["irregular"]
    assert not found["Spectrum"]["irregular"]
    assert "needs a quiet time" in found["Coil_I"]["problem"]
    assert f"({WHY})" in found["Probe_I"]["problem"]


def test_traces_that_were_made_as_seconds_are_made_anew_and_others_are_not(workspace):
    with Coordinator(workspace) as coordinator:
        source = WorkspaceSource(workspace, coordinator.catalogue)
        for shot, name, made_again in ((COUNTED, "Probe_U", True), (TIMED, "Probe_U", False)):
            record = source.shot(shot)
            depth = depth_of(record, PublishSettings())
            assert is_current(record, workspace.site, depth)
            left = workspace.site / traces_folder(record.shot) / ".tmp-1-killed"
            left.mkdir()
            assert is_current(record, workspace.site, depth)  # another process may be at work
            two_hours_ago = time.time() - 7200
            os.utime(left, (two_hours_ago, two_hours_ago))
            assert not is_current(record, workspace.site, depth)  # it goes with the next ones
            left.rmdir()
            (row,) = [r for r in record.wiring if r.signal == name]
            object.__setattr__(row, "x_unit", "s")  # as an older one took it
            assert is_current(record, workspace.site, depth) is not made_again


def test_tables_have_a_column_of_numbers_or_frequencies_for_what_has_no_times(workspace):
    path = workspace.site / f"shots/{COUNTED:05d}/data.csv"
    text = path.read_text()
    table = pd.read_csv(path, comment="#")
    firsts = [c for c in table.columns if re.match(r"(time|sample|frequency|x)( \d+)?( \[|$)", c)]
    assert firsts == ["sample", "time 2 [s]", "sample 3", "frequency 4 [Hz]", "frequency 5 [Hz]"]
    after = list(table.columns)
    assert after.index("Probe_U min [V]") == after.index("sample") + 1
    assert after.index("Spectrum [V]") == after.index("frequency 4 [Hz]") + 1
    np.testing.assert_allclose(table["frequency 4 [Hz]"].dropna(), lines())
    assert table["sample"][0] == 1.5  # the middle of the first four
    assert "samples that are only counted have sample numbers instead of times" in text
    found = loadmat(path.with_suffix(".mat"), simplify_cells=True)
    assert "time" not in found["Probe_U"]
    assert found["Probe_U"]["x_unit"].size == 0  # an empty text
    np.testing.assert_allclose(found["Spectrum"]["frequency"], lines())
    assert "time" in found["Gas_P"]


def test_samples_and_seconds_that_are_the_same_numbers_have_a_column_each():
    one, other = (
        CoarseSignal(
            name="a", unit="V", x_unit=unit, positions=np.arange(3.0), low=np.zeros(3), high=None,
            stride=1,
        )
        for unit in ("s", "")
    )  # fmt: skip
    assert _groups([one, other, one]) == [[one, one], [other]]


# --- the page of the shot ------------------------------------------------------------------------


def test_the_page_of_a_shot_says_it_all(workspace):
    text = page(workspace, f"shots/{COUNTED:05d}/index.html")
    section = text[text.index("Notes on the raw files") :]
    for note in NOTES:
        escaped = note.replace("'", "&#39;")
        assert f"<b>{SOURCE}</b>: {escaped}</li>" in section
    problems = text[text.index('class="problems"') : text.index('class="columns"')]
    cut = f"{SOURCE} was salvaged: the recording was cut, 4096 of 10000 bytes were kept"
    assert f"{cut} (its last segment is not whole)" in problems
    assert "Fwd_P has no time base: its samples are only counted" in problems
    assert f"without the scale that its file states ({WHY})" in problems
    wiring = text[text.index('class="wiring"') :]
    assert "no time base: samples are only counted, nothing says when they were taken" in wiring
    assert "no time base: samples lie along frequency in Hz" in wiring
    other = page(workspace, f"shots/{FIRST:05d}/index.html")
    assert "Notes on the raw files" not in other
    assert "no time base" not in other
    assert "salvaged" not in other


def test_the_data_of_a_shot_have_its_notes(workspace):
    facts = json.loads((workspace.site / f"shots/{COUNTED:05d}/shot.json").read_text())
    (source,) = [s for s in facts["sources"] if s["name"] == SOURCE]
    assert source["notes"] == NOTES
    assert source["salvaged"].startswith("the recording was cut, 4096 of 10000")
    rows = {row["signal"]: row for row in facts["wiring"]}
    assert [rows[n]["x_unit"] for n in ("Probe_U", "Gas_P", "Spectrum")] == ["", "s", "Hz"]
    assert rows["Probe_U"]["salvaged"]
    assert not rows["Spectrum"]["salvaged"]


# --- shots without a date ------------------------------------------------------------------------


def test_shots_without_a_date_are_counted_and_have_a_page(workspace):
    home, days = page(workspace, "index.html"), page(workspace, "days/index.html")
    for text in (home, days):
        assert "6 shots on 2 days, " in text
        assert '<a href="undated.html">2 without a date</a>' in text.replace(
            "days/undated", "undated"
        )
    undated = page(workspace, "days/undated.html")
    assert "2 shots without a date from any source" in undated
    for shot in (COUNTED, BARE):
        assert f'href="../shots/{shot:05d}/index.html"' in undated
        own = page(workspace, f"shots/{shot:05d}/index.html")
        assert '<a href="../../days/undated.html">Without a date</a>' in own
        assert "00:00:00" not in own
    assert f"shots/{TIMED:05d}" not in undated
    assert "1249-1251,1260-1262" in home  # the field that jumps to a shot


def test_home_shows_shots_without_a_date_where_the_newest_is_one(tmp_path):
    workspace = write_axes(tmp_path / "ws")
    with Coordinator(workspace) as coordinator:
        coordinator.sync_shots()
        publish_workspace(coordinator)
        home = page(workspace, "index.html")
        assert 'id="undated"' in home
        assert "The last shots without a date" in home
        # its date comes later: nothing of it is left on that page, which goes with the last one
        for shot in (COUNTED, BARE):
            name = f"{shot:05d}.csv"
            path = workspace.shot_folder(shot) / f"{name}.h5"
            with SourceWriter(path, origin(shot, name, "datecsv 1")) as w:
                w.attributes["date"] = "2026-11-23T11:00:00"
            coordinator.note_shot(shot)
            publish_workspace(coordinator, only=[Subject.shot(shot)])
            there = (workspace.site / "days/undated.html").exists()
            assert there is (shot == COUNTED)
            if there:
                assert f"shots/{COUNTED:05d}" not in page(workspace, "days/undated.html")
        home = page(workspace, "index.html")
        assert "without a date" not in home
        assert "5 shots on 2 days" in home


def test_a_site_of_shots_without_a_date_has_them_on_its_front_page(tmp_path):
    workspace = write_axes(tmp_path / "ws")
    for shot in (1249, 1250, 1251):
        for path in workspace.shot_folder(shot).iterdir():
            path.unlink()
        workspace.shot_folder(shot).rmdir()
    with Coordinator(workspace) as coordinator:
        coordinator.sync_shots()
        publish_workspace(coordinator)
    home = page(workspace, "index.html")
    assert '2 shots, <a href="days/undated.html">all without a date</a>' in home
    assert "on 0 days" not in home
    for shot in (COUNTED, BARE):
        assert f'<a href="shots/{shot:05d}/index.html">{shot}</a>' in home


def test_a_day_alone_is_shown_without_a_time_of_day(workspace):
    own = page(workspace, f"shots/{DAY_ALONE:05d}/index.html")
    assert '<time datetime="2026-11-24">2026-11-24</time>' in own
    assert '<a href="../../days/2026-11-24.html">2026-11-24</a>' in own
    day = page(workspace, "days/2026-11-24.html")
    assert f'href="../shots/{DAY_ALONE:05d}/index.html"' in day
    assert '<time datetime="2026-11-24">–</time>' in day
    for path in workspace.site.rglob("*.html"):
        assert "00:00:00" not in path.read_text(), path
    facts = json.loads((workspace.site / f"shots/{DAY_ALONE:05d}/shot.json").read_text())
    assert facts["date"] == "2026-11-24"


def test_the_library_knows_shots_without_a_date_and_days_alone(workspace):
    tb = ishtar.open(workspace.root)
    assert tb[BARE].date is None
    assert str(tb[DAY_ALONE].date) == "2026-11-24"
    assert not hasattr(tb[DAY_ALONE].date, "hour")
    assert tb[TIMED].date.isoformat() == "2026-11-22T10:50:00"
    assert tb.shots().numbers == [1249, 1250, 1251, COUNTED, BARE, DAY_ALONE]
    assert tb.shots("missing(date)").numbers == [COUNTED, BARE]
    assert tb.shots("date == '2026-11-24'").numbers == [DAY_ALONE]
    assert tb.shots("gas == 'Ar'").numbers == [1249, 1250, 1251, COUNTED]
    assert tb.day("2026-11-24").numbers == [DAY_ALONE]


# --- far away ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def there(workspace) -> Iterator[Any]:
    """The site, opened by its address."""
    handler = partial(Quiet, directory=str(workspace.site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield ishtar.open(f"http://127.0.0.1:{server.server_address[1]}/")
        server.shutdown()
        thread.join()


def test_a_far_reader_is_told_the_same(there, workspace):
    shot = there[COUNTED]
    counted, along, uneven = shot["Probe_U"], shot["Spectrum"], shot["Uneven"]
    for signal, reason in ((counted, "only counted"), (along, "along frequency in Hz")):
        for ask in (lambda s=signal: s.dt, lambda s=signal: s[0.0:1.0], lambda s=signal: s.times()):
            with pytest.raises(TimeBaseError, match=reason):
                ask()
        assert reason in shot.problem(signal.name, in_time=True)
    assert counted[10:12].places().tolist() == [10, 11]
    assert along.load().dims == ("frequency",)
    np.testing.assert_allclose(along.load().frequency, lines())
    near = ishtar.open(workspace.root)[COUNTED]
    np.testing.assert_allclose(uneven.load().frequency, near["Uneven"].load().frequency)
    assert "only counted" in repr(counted)
    assert "only counted" in counted.explain().time_base
    assert "4096 of 10000" in counted.explain().salvaged
    assert f"salvaged: the recording was cut ({SOURCE})" in repr(shot)
    assert "salvaged" not in repr(there[TIMED])
    assert shot["Gas_P"].t0 == near["Gas_P"].t0
    assert (along.n, along.x0, along.dx) == (N_LINES, F0, DF)


def test_a_far_reader_knows_a_day_alone(there):
    assert str(there[DAY_ALONE].date) == "2026-11-24"
    assert there[BARE].date is None
    assert there.shots("missing(date)").numbers == [COUNTED, BARE]


# --- the command line ----------------------------------------------------------------------------


@pytest.fixture
def call(workspace, monkeypatch, capsys):
    monkeypatch.chdir(workspace.root)
    return caller(capsys)


@pytest.mark.parametrize(
    ("name", "axis"),
    [
        ("Probe_U", ["", None, None, None, None]),
        ("DAQ/Probe_U", ["", None, None, None, None]),
        ("Spectrum", ["Hz", None, None, F0, DF]),
    ],
)
def test_a_signal_as_json_has_no_seconds(call, name, axis):
    code, out, _ = call("signal", COUNTED, name, "--json")
    found = json.loads(out)
    assert code == 0
    assert [found[k] for k in ("x_unit", "t0", "dt", "x0", "dx")] == axis
    assert found["n"] == (N_LINES if axis[0] else N)


def test_values_at_times_are_refused_with_the_reason(call):
    for name, reason in (("Probe_U", "only counted"), ("Spectrum", "along frequency in Hz")):
        code, out, err = call("signal", COUNTED, name, "--json", "--at", "1", "2")
        assert code == 2
        assert out == ""
        assert reason in err
        assert len(err.strip().splitlines()) == 1


def test_a_signal_in_words_names_no_second(call):
    _, out, _ = call("signal", COUNTED, "Probe_U")
    assert "6000, only counted, no time base" in out
    assert "every" not in out
    _, out, _ = call("signal", COUNTED, "Spectrum")
    assert "400, first at 1e+06 Hz, along frequency in Hz, every 2500 Hz" in out
    _, out, _ = call("signal", TIMED, "Probe_U")
    assert "6000, first at -0.5 s, every 0.001 s" in out
    _, out, _ = call("signal", COUNTED, "Probe_I", "--json")
    assert json.loads(out)["scale_missing"] == WHY


def test_the_list_of_shots_has_those_without_a_date(call):
    _, out, _ = call("shots", "--json")
    rows = {row["shot"]: row for row in json.loads(out)}
    assert set(rows) == {1249, 1250, 1251, COUNTED, BARE, DAY_ALONE}
    assert rows[BARE].get("date") is None
    assert rows[DAY_ALONE]["date"] == "2026-11-24"
    _, out, _ = call("shots")
    (line,) = [line for line in out.splitlines() if line.startswith(str(BARE))]
    assert line.split()[1] == "–"
    _, out, _ = call("shots", "missing(date)", "--json")
    assert [row["shot"] for row in json.loads(out)] == [COUNTED, BARE]


def test_no_page_links_to_what_is_not_there(workspace):
    for path in (Path("days/undated.html"), Path(f"shots/{COUNTED:05d}/index.html")):
        for href in re.findall(r'href="([^"#]+)', (workspace.site / path).read_text()):
            if not re.match(r"[a-z]+:", href):
                assert (workspace.site / path.parent / href).exists(), href
