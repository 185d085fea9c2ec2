"""`ishtar calib` as its users meet it: exit codes, JSON, one-line errors."""

from __future__ import annotations

import json
import subprocess
from functools import partial

import pytest

pytestmark = pytest.mark.whole


@pytest.fixture
def calib(call):
    """Give a function that runs `ishtar calib`: exit code, output, errors."""
    return partial(call, "calib")


@pytest.fixture
def tagged(factory):
    """Give the workspace a repository with a tag v1."""
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for words in ["init", "-q"], ["add", "calibrations"], ["commit", "-qm", "x"], ["tag", "v1"]:
        subprocess.run(["git", *who, *words], cwd=factory.workspace.root, check=True)
    return factory


GAIN = ["--gain", "-0.6", "--sigma", "0.01", "--reference", "source meter"]


def test_check_tells_problems_with_file_and_line_and_warnings_apart(factory, calib):
    code, out, err = calib("check")
    assert (code, out, err) == (0, "2 signals, 2 devices, 0 components, no problem\n", "")
    folder = factory.workspace.calibrations
    wiring = folder / "wiring" / "all.toml"
    wiring.write_text(wiring.read_text().replace("S7/Ngas_P", "PXI M6251/Lang_I"))
    code, out, err = calib("check")
    assert code == 0
    assert err.startswith("warning: calibrations/wiring/all.toml:7 wiring 2: Ngas_P uses")
    gauge = folder / "devices" / "gauge_1.toml"
    gauge.write_text(gauge.read_text().replace("from = 1", "from = 2"))
    code, out, err = calib("check")
    assert code == 1
    assert "gauge_1 has no calibration at stored shot 1" in err
    code, out, err = calib("check", "--json")
    assert (code, err) == (1, "")
    assert [(r["severity"], r["file"], r["line"]) for r in json.loads(out)] == [
        ("problem", "calibrations/devices/gauge_1.toml", None),
        ("warning", "calibrations/wiring/all.toml", 7),
    ]


def test_show_tells_where_a_signal_comes_from(factory, calib):
    code, out, _ = calib("show", "Lang_I", "--shot", "latest")
    assert code == 0
    assert "signal Lang_I at shot 1 [A]" in out
    assert "y = gain · x (gain = -0.5)" in out
    assert "(calibrations/devices/langmuir_1.toml:2 calibration 1)" in out
    code, out, _ = calib("show", "Lang_I", "--json")
    (span,) = json.loads(out)["signal"]["spans"]
    assert span["wiring"]["channel"] == "PXI M6251/Lang_I"
    assert span["calibration"]["transforms"] == ["y = gain · x (gain = -0.5)"]
    assert (span["from"], span["until"]) == (1, None)


def test_show_lists_all_names(factory, calib):
    code, out, _ = calib("show", "--json")
    assert code == 0
    assert {(r["name"], r["is"]) for r in json.loads(out)} == {
        ("Lang_I", "signal"),
        ("Ngas_P", "signal"),
        ("langmuir_1", "device"),
        ("gauge_1", "device"),
    }


def test_certify_shows_what_it_would_do_then_does_it(factory, calib):
    before = (factory.workspace.calibrations / "devices" / "langmuir_1.toml").read_text()
    code, out, err = calib("certify", "langmuir_1", "--from", 2, *GAIN, "--dry-run")
    assert code == 0
    assert "+until = 2" in out.splitlines()
    assert "version 1 ends with shot 1" in err
    assert (factory.workspace.calibrations / "devices" / "langmuir_1.toml").read_text() == before
    code, out, err = calib("certify", "langmuir_1", "--from", 2, *GAIN)
    assert (code, err) == (0, "")
    assert "langmuir_1 version 2 is valid for shots 2…" in out
    assert "commit it" in out
    code, out, _ = calib("diff", 1, 2, "--json")
    (row,) = json.loads(out)
    assert (row["kind"], row["name"]) == ("calibration", "langmuir_1")
    assert row["after"] == "v2: y = gain · x (gain = -0.6 ± 0.01)"


def test_certify_refuses_to_rewrite_history_unless_told(factory, calib):
    code, _, err = calib("certify", "langmuir_1", "--from", 1, *GAIN)
    assert code == 1
    assert "would change stored shots 1:" in err
    assert err.count("\n") == 1
    code, out, _ = calib("certify", "langmuir_1", "--from", 1, *GAIN, "--rewrite-history", "typo")
    assert code == 0
    assert "version 1 is withdrawn" in out
    assert calib("check")[0] == 0


def test_wire_and_back(factory, calib):
    assert calib("wire", "Ngas_P", "--from", 5, "--unplugged", "gauge in repair")[0] == 0
    code, out, _ = calib("wire", "Ngas_P", "--from", 9, "--channel", "S7/2", "--device", "gauge_1")
    assert code == 0
    assert "Ngas_P is wired to S7/2 at shots 9…" in out
    code, out, _ = calib("show", "Ngas_P")
    assert "unplugged    gauge in repair" in out
    assert "not wired" in calib("diff", 1, 6)[1]


def test_a_tag_shows_what_was_known_then(tagged, calib):
    assert calib("certify", "langmuir_1", "--from", 2, *GAIN)[0] == 0
    assert "v2" not in calib("show", "langmuir_1", "--calib", "v1")[1]
    assert "as of " in calib("show", "langmuir_1", "--calib", "v1")[1]
    code, out, _ = calib("diff", "v1")
    assert code == 0
    assert out.startswith("calibration langmuir_1, shots 2…: v1: y = gain · x (gain = -0.5) → v2")
    assert calib("diff", "v1", "HEAD")[1].startswith("no difference")
    assert calib("diff", 1, 2, "--calib", "v1")[1].startswith("no difference")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "Lang_J"], "did you mean 'Lang_I'"),
        (["show", "Lang_I", "--shot", "one"], "write 1234 or latest"),
        (["show", "--shot", "1"], "--shot needs a NAME"),
        (["show", "Lang_I", "--calib", "v2"], "newest tags are v1"),
        (["diff", "1", "v1"], "a shot and a revision"),
        (["diff", "v1", "now", "--calib", "v1"], "needs two shots"),
        (["diff", "--", "--output=x"], "no tag or commit '--output=x'"),
        (["certify", "langmuir_1", "--from", "2", "--gain", "1"], "--reference"),
        (["certify", "langmuir_1", "--from", "2", "--reference", "x"], "give the numbers once"),
        (["certify", "langmuir_1", "--from", "2", "--reference", "x", "--gain", "1"], "--sigma go"),
        (["certify", "langmuir_2", "--from", "2", *GAIN], "did you mean 'langmuir_1'"),
        (["certify", "langmuir_1", "--from", "x", *GAIN], "not a valid integer"),
        (
            ["certify", "gauge_1", "--from", "2", "--reference", "x", "--transform", "gain 3"],
            "is not a TOML table",
        ),
        (["wire", "Lang_J", "--from", "2"], "did you mean 'Lang_I'"),
    ],
)
def test_a_mistake_gets_one_line_that_says_what_to_do(tagged, calib, arguments, words):
    code, out, err = calib(*arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert words in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["certify", "gauge_1", "--from", "2", "--reference", "x", "--transform", 'kind = "a"'],
            "unknown transform 'a'",
        ),
        (["wire", "Lang_I", "--from", "2"], "already has this wiring"),
        (["wire", "Lang_I", "--from", "1", "--channel", "x"], "--rewrite-history"),
    ],
)
def test_a_change_that_cannot_be_is_refused(factory, calib, arguments, words):
    code, out, err = calib(*arguments)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert words in err


def test_every_calib_command_is_documented_and_has_help(calib):
    from pathlib import Path

    from runner.cli.calib import calib as group

    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    for name in group.commands:
        assert calib(name, "--help")[0] == 0
        assert f"`ishtar calib {name}" in page
