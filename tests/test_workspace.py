"""Workspaces: found upwards, by name, or not at all with a word on what to do."""

from __future__ import annotations

import pytest

from ishtar.errors import WorkspaceError
from ishtar.workspace import MARKER, VARIABLE, Workspace


@pytest.fixture(autouse=True)
def nowhere(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "ws" / "a" / "b").mkdir(parents=True)
    (tmp_path / "ws" / MARKER).write_text('[facility]\nname = "X"\n')
    return tmp_path / "ws"


def test_it_is_found_from_any_folder_below_it(root, monkeypatch):
    assert Workspace.find(root / "a" / "b").root == root
    monkeypatch.chdir(root / "a")
    assert Workspace.find().root == root


def test_the_variable_goes_before_the_folder_but_not_before_a_path(root, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    (other / MARKER).write_text("")
    monkeypatch.chdir(root)
    monkeypatch.setenv(VARIABLE, str(other))
    assert Workspace.find().root == other
    assert Workspace.find(root).root == root


def test_where_there_is_none_the_error_says_how_to_make_one(root, tmp_path, monkeypatch):
    for make in (lambda: Workspace.find(tmp_path), lambda: Workspace.at(tmp_path / "nothing")):
        with pytest.raises(WorkspaceError, match="`ishtar init"):
            make()
    with pytest.raises(WorkspaceError, match=r"has no ishtar\.toml"):
        Workspace.at(root / MARKER)  # a file
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(WorkspaceError, match=f"^{VARIABLE}: .* has no {MARKER}"):
        Workspace.find()


@pytest.mark.parametrize(
    "content", [b"[facility", b"\xff\xfe", b"a = " + b"9" * 5000, b"a = " + b"[" * 5000]
)
def test_settings_that_cannot_be_read_are_named_in_one_line(root, content):
    (root / MARKER).write_bytes(content)
    with pytest.raises(WorkspaceError, match=f"{MARKER}: .*: correct it") as error:
        Workspace.at(root)
    assert "\n" not in str(error.value)


def test_a_settings_file_that_is_a_folder_is_told(root):
    (root / MARKER).unlink()
    (root / MARKER).mkdir()
    with pytest.raises(WorkspaceError, match="cannot be read"):
        Workspace.at(root)


def test_sections_are_tables_or_empty(root):
    workspace = Workspace.at(root)
    assert workspace.section("facility") == {"name": "X"}
    assert workspace.section("nothing") == {}
    (root / MARKER).write_text("facility = 3")
    with pytest.raises(WorkspaceError, match=r"\[facility\] must be a table"):
        Workspace.at(root).section("facility")


def test_everything_lies_below_its_root(root):
    workspace = Workspace.at(root)
    assert workspace.shot_folder(7) == root / "data" / "shots" / "00007"
    assert workspace.shot_folder(123456) == root / "data" / "shots" / "123456"
    assert workspace.catalogue == root / "data" / "catalogue.sqlite"
    assert workspace.calibrations == root / "calibrations"
    assert workspace.site == root / "site" / "public"


def test_workspaces_of_the_same_folder_are_equal(root):
    assert Workspace.at(root) == Workspace.find(root / "a")
    assert len({Workspace.at(root), Workspace.at(root)}) == 1


def test_commands_say_that_they_need_a_folder_where_an_address_is_set(monkeypatch):
    monkeypatch.setenv(VARIABLE, "https://host/path")
    with pytest.raises(WorkspaceError, match="commands need the folder"):
        Workspace.find()
