"""What was known then: calibrations as a commit holds them, without touching anything."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from ishtar.calibration import load_declarations
from ishtar.calibration.changes import changes
from ishtar.calibration.equations import equation
from ishtar.calibration.pinned import NoHistory, NoSuchRevision, declarations_at
from ishtar.errors import CalibrationFileError, NotFoundError

DEVICE = """\
[[calibration]]
version = 1
from = 1
input = "V"
unit = "V"
transforms = [{{ kind = "gain", gain = {gain} }}]
"""


def git(root: Path, *arguments: str) -> str:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=root, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give calibrations below a repository: gain 1 at v2026.1, gain 2 at HEAD, 3 not committed."""
    folder = tmp_path / "rig" / "calibrations"
    (folder / "devices").mkdir(parents=True)
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "README").write_text("x")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "before there were calibrations")
    git(tmp_path, "tag", "v2025.9")
    for gain, tag in (1, "v2026.1"), (2, None), (3, None):
        (folder / "devices" / "d.toml").write_text(DEVICE.format(gain=gain))
        if gain < 3:
            git(tmp_path, "add", ".")
            git(tmp_path, "commit", "-qm", f"gain {gain}")
        if tag:
            git(tmp_path, "tag", "-a", tag, "-m", "campaign 1")
    return folder


def gain_of(declared) -> float:
    return declared.devices["d"].calibrations[0].transforms[0].gain


def test_a_tag_gives_what_was_known_then(folder):
    declared = declarations_at(folder, "v2026.1")
    assert gain_of(declared) == 1
    assert gain_of(declarations_at(folder, "HEAD")) == 2
    assert gain_of(load_declarations(folder)) == 3
    assert declared.revision == git(folder, "rev-parse", "v2026.1^{commit}")[:10]
    assert load_declarations(folder).revision == ""
    assert declared.devices["d"].calibrations[0].where == "devices/d.toml:1 calibration 1"


def test_one_commit_is_read_once_by_whatever_name(folder):
    assert declarations_at(folder, "v2026.1") is declarations_at(folder, "main~1")


def test_nothing_of_the_repository_is_touched(folder):
    root = folder.parents[1]
    before = {p: p.stat().st_mtime_ns for p in root.rglob("*") if p.is_file()}
    declarations_at(folder, "v2026.1")
    assert {p: p.stat().st_mtime_ns for p in root.rglob("*") if p.is_file()} == before


def test_a_folder_that_is_gone_today_can_still_be_read(folder):
    (folder / "devices" / "d.toml").unlink()
    (folder / "devices").rmdir()
    folder.rmdir()
    assert gain_of(declarations_at(folder, "v2026.1")) == 1


def test_the_repository_of_the_folder_is_asked_even_inside_a_hook_of_another(
    folder, monkeypatch, tmp_path
):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))
    assert gain_of(declarations_at(folder, "v2026.1")) == 1


@pytest.mark.parametrize(
    ("revision", "told"),
    [
        ("v2026.2", "did you mean 'v2026.1'"),
        ("v2026.1:rig", "no tag or commit"),
        ("quite another", "the newest tags are"),
        ("", "no tag or commit ''"),
        ("a\nb", "no tag or commit"),
        ("a\0b", "no tag or commit"),
        ("--output=stolen", "no tag or commit '--output=stolen'"),
        ("-h", "no tag or commit"),
        ("--git-dir=/", "no tag or commit"),
    ],
)
def test_what_is_no_revision_is_refused_with_the_tags_there_are(folder, revision, told):
    with pytest.raises(NoSuchRevision) as error:
        declarations_at(folder, revision)
    assert told in str(error.value)
    assert "`git tag` lists them" in str(error.value)
    assert isinstance(error.value, NotFoundError)
    assert error.value.name == revision
    assert not (folder.parents[1] / "stolen").exists()


def test_a_commit_before_there_were_calibrations_says_so(folder):
    with pytest.raises(NoSuchRevision, match="has no folder rig/calibrations"):
        declarations_at(folder, "v2025.9")


def test_texts_that_had_problems_then_are_told_with_all_of_them(folder):
    root = folder.parents[1]
    (folder / "devices" / "d.toml").write_text(DEVICE.format(gain=0))
    (folder / "signals.toml").write_text("[U\n")
    git(root, "add", ".")
    git(root, "commit", "-qm", "not checked")
    with pytest.raises(CalibrationFileError, match=r"and 1 more.*pin another commit") as error:
        declarations_at(folder, "HEAD")
    assert len(error.value.problems) == 2


def test_a_link_among_the_texts_is_refused(folder):
    root = folder.parents[1]
    (folder / "devices" / "e.toml").symlink_to("d.toml")
    git(root, "add", ".")
    git(root, "commit", "-qm", "a link")
    with pytest.raises(CalibrationFileError, match=r"e\.toml is a link"):
        declarations_at(folder, "HEAD")


def test_the_facilitys_own_transforms_are_those_of_the_commit(folder):
    root = folder.parents[1]
    code = (
        "from ishtar.calibration.facility import transform\n"
        "@transform('mine')\n"
        "class Mine:\n"
        "    gain: float\n"
        "    def apply(self, x, quiet):\n"
        "        return {times} * self.gain * x\n"
    )
    text = DEVICE.format(gain=5).replace('"gain"', '"mine"')
    (folder / "devices" / "d.toml").write_text(text)
    for times, tag in (1, "one"), (2, "two"):
        (folder / "transforms.py").write_text(code.format(times=times))
        git(root, "add", ".")
        git(root, "commit", "-qm", tag)
        git(root, "tag", tag)
    one, two = (declarations_at(folder, tag) for tag in ("one", "two"))
    (change,) = changes(one, 1, two, 1)
    assert (change.before, change.after) == (
        "v1: the same numbers",
        "v1: the same numbers, different code",
    )
    step = one.devices["d"].calibrations[0].transforms[0]
    assert step.apply(np.ones(2), None).tolist() == [5.0, 5.0]
    assert equation(step) == "mine (gain = 5)"


def test_without_a_repository_there_is_no_history(tmp_path):
    folder = tmp_path / "calibrations"
    folder.mkdir()
    with pytest.raises(NoHistory, match=r"no git repository.*commit it to a git repository"):
        declarations_at(folder, "v1")


def test_without_git_that_is_what_is_told(folder, monkeypatch):
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(NoHistory, match="needs the git command"):
        declarations_at(folder, "HEAD")
