"""What people put under the name of a file may be none: it is told, and nobody waits for it."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from ishtar.calibration.facility import facility_transforms
from ishtar.calibration.load import read_declarations
from ishtar.errors import WorkspaceError
from ishtar.plain_files import read_plain
from ishtar.workspace import Workspace
from runner.templates.sidecar import read_sidecar
from runner.templates.template import read_templates


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        os.chdir(path.parent)  # the name of a socket may be 100 characters long at most
        end.bind(path.name)


def folder(path: Path) -> None:
    path.mkdir()


def link_to_nothing(path: Path) -> None:
    path.symlink_to(path.parent / "nothing")


def circle(path: Path) -> None:
    path.symlink_to(path)


ODD = {
    pipe: "not a regular file",
    device: "not a regular file",
    a_socket: "not a regular file",
    folder: "Is a directory",
    link_to_nothing: "it is a dangling link",
    circle: "Too many levels",
}


@pytest.fixture(params=ODD.items(), ids=lambda item: item[0].__name__)
def odd(request, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return request.param


def test_it_is_told_what_it_is(tmp_path, odd):
    put, why = odd
    put(tmp_path / "x")
    with pytest.raises(OSError, match=why) as told:
        read_plain(tmp_path / "x")
    assert not isinstance(told.value, FileNotFoundError)


def test_what_is_none_leaves_nothing_open(tmp_path, odd):
    put, why = odd
    put(tmp_path / "x")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with pytest.raises(OSError, match=why):
            read_plain(tmp_path / "x")
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_too_large_is_told_and_what_is_not_there_is_not_there(tmp_path):
    (tmp_path / "x").write_bytes(b"12345")
    assert read_plain(tmp_path / "x", 5) == b"12345"
    with pytest.raises(OSError, match="it is larger than 0 MB"):
        read_plain(tmp_path / "x", 4)
    with pytest.raises(FileNotFoundError):
        read_plain(tmp_path / "y")


def test_a_template_that_is_none_is_out_of_order_alone(tmp_path, odd):
    put, why = odd
    cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "shot = 1"}
    (tmp_path / "good.ipynb").write_text(json.dumps({"nbformat": 4, "cells": [cell]}))
    put(tmp_path / "bad.ipynb")
    templates = read_templates(tmp_path)
    assert list(templates) == ["good"]
    assert why in templates.problems["bad"]


def test_a_sidecar_that_is_none_is_never_taken_for_one_that_is_not_there(tmp_path, odd):
    put, why = odd
    put(tmp_path / "x.toml")
    found, problems = read_sidecar(tmp_path / "x.toml")
    assert (found, [why in problem for problem in problems]) == ({}, [True])


def test_settings_and_declarations_that_are_none_are_told(tmp_path, odd):
    put, why = odd
    put(tmp_path / "ishtar.toml")
    with pytest.raises(WorkspaceError, match=why):
        Workspace.at(tmp_path)
    (tmp_path / "calibrations" / "devices").mkdir(parents=True)
    put(tmp_path / "calibrations" / "devices" / "x.toml")
    assert [why in p for p in read_declarations(tmp_path / "calibrations")[1]] == [True]
    put(tmp_path / "calibrations" / "transforms.py")
    assert [why in p for p in facility_transforms(tmp_path / "calibrations")[1]] == [True]
