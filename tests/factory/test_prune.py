"""What is removed after some time, what never is, and raw data on another disk."""

from __future__ import annotations

import json
import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import ishtar
from ishtar.errors import DamagedFile
from ishtar.workspace import Workspace
from runner.errors import SettingsError
from runner.publish import publish_workspace
from runner.scheduling.batch import run_batch
from runner.scheduling.coordinator import Coordinator
from runner.settings.file import read_settings

pytestmark = pytest.mark.whole


def settings(factory, text: str) -> None:
    """Add a section ``[retention]``."""
    path = factory.workspace.root / "ishtar.toml"
    head = path.read_text().partition("[retention]")[0]
    path.write_text(f"{head}\n[retention]\n{text}\n")


def cycle(factory) -> None:
    """Make what is to be made, and publish."""
    with Coordinator(Workspace.at(factory.workspace.root)) as coordinator:
        coordinator.sync_shots()
        run_batch(coordinator, workers=0)
        publish_workspace(coordinator)


def pruned(call, *options: str) -> dict:
    """Return what `ishtar prune` says."""
    code, out, error = call("prune", "--json", *options)
    assert code == 0, error
    return json.loads(out)


def test_nothing_expires_by_default(factory, call):
    factory.template("probe", "shot")
    cycle(factory)
    assert pruned(call) == {"expired": [], "freed": 0, "problems": [], "dry_run": False}
    assert call("prune")[1] == "nothing has expired\n"


def test_a_report_that_was_replaced_goes_and_the_current_one_stays(factory, call):
    factory.template("probe", "shot")
    cycle(factory)
    (first,) = factory.workspace.reports.glob("00001/probe/*/receipt.json")
    factory.template("probe", "shot + 1")
    cycle(factory)
    (second,) = {*factory.workspace.reports.glob("00001/probe/*/receipt.json")} - {first}
    settings(factory, "keep_superseded_days = 1")
    assert pruned(call)["expired"] == []  # it was replaced a moment ago
    receipt = json.loads(second.read_text())
    receipt["started"] = (datetime.now().astimezone() - timedelta(days=2)).isoformat()
    second.write_text(json.dumps(receipt))
    old = json.loads(first.read_text())
    old["started"] = (datetime.now().astimezone() - timedelta(days=3)).isoformat()
    first.write_text(json.dumps(old))
    assert call("rebuild")[0] == 0
    dry = pruned(call, "--dry-run")
    assert [row["kind"] for row in dry["expired"]] == ["superseded report"]
    assert first.exists()
    assert pruned(call)["freed"] == dry["freed"] > 0
    assert not first.exists()
    assert second.exists()
    assert pruned(call)["expired"] == []
    cycle(factory)
    assert second.exists()


def test_a_file_in_quarantine_goes_with_its_reason(factory, call):
    folder = factory.workspace.quarantine
    folder.mkdir(parents=True)
    for name, days in (("old.tdms", 10), ("new.tdms", 1)):
        (folder / name).write_bytes(bytes(1000))
        reason = folder / f"{name}.reason.json"
        reason.write_text(json.dumps({"reason": "odd", "when": "", "source": "", "size": 1000}))
        when = datetime.now().timestamp() - days * 86400
        os.utime(reason, (when, when))
    settings(factory, "keep_quarantine_days = 5")
    assert [row["where"] for row in pruned(call)["expired"]] == ["data/quarantine/old.tdms"]
    assert sorted(p.name for p in folder.iterdir()) == ["new.tdms", "new.tdms.reason.json"]


def test_raw_data_move_to_another_disk_and_are_found_there(factory, call, tmp_path):
    factory.calibrate("langmuir_1", "A", 2.0)
    factory.template("probe", 'import ishtar\nishtar.open()[shot]["Lang_I"].values()')
    factory.shot(2, date=datetime.now().isoformat(timespec="seconds"))
    cycle(factory)
    stored = next(factory.workspace.shot_folder(1).glob("*.h5"))
    before = ishtar.open(factory.workspace.root)[1]["Lang_I"].values()
    other = tmp_path / "other disk"
    other.mkdir()
    settings(factory, f'move_raw_days = 3\nraw_folder = "{other}"')
    dry = pruned(call, "--dry-run")
    assert [row["where"] for row in dry["expired"]] == [f"data/shots/00001/{stored.name}"]
    assert not stored.is_symlink()
    assert pruned(call)["freed"] == dry["freed"]
    assert stored.is_symlink()
    assert not next(factory.workspace.shot_folder(2).glob("*.h5")).is_symlink()
    published = factory.workspace.site / "raw" / "00001" / stored.name
    assert published.is_symlink()  # the first disk is free of it
    for root in (factory.workspace.root, factory.workspace.site):
        np.testing.assert_array_equal(ishtar.open(root)[1]["Lang_I"].values(), before)
    assert call("verify")[0] == 0
    with Coordinator(Workspace.at(factory.workspace.root)) as coordinator:
        coordinator.sync_shots()
        assert not coordinator.plan()
    assert pruned(call)["expired"] == []

    shutil.move(other, tmp_path / "unplugged")
    with pytest.raises(DamagedFile, match=r"another disk.*mount it"):
        ishtar.open(factory.workspace.root)[1]["Lang_I"]
    cycle(factory)  # the other shot is published all the same
    assert (factory.workspace.site / "shots" / "00002" / "index.html").is_file()


def test_a_disk_that_is_not_there_leaves_the_file_where_it_is(factory, call, tmp_path):
    factory.template("probe", "shot")
    cycle(factory)
    settings(factory, f'move_raw_days = 3\nraw_folder = "{tmp_path / "nowhere"}"')
    code, out, error = call("prune")
    assert code == 1
    assert "mount its disk" in error
    assert not next(factory.workspace.shot_folder(1).glob("*.h5")).is_symlink()
    assert "freed 0.0 MB" in out


@pytest.mark.parametrize(
    "text", ["keep_superseded_days = -1", "move_raw_days = 3", 'raw_folder = "/x"', "raw = 3"]
)
def test_settings_that_say_nothing_useful_are_refused(factory, text):
    settings(factory, text)
    with pytest.raises(SettingsError, match=r"\[retention\]"):
        read_settings(Workspace.at(Path(factory.workspace.root)))
