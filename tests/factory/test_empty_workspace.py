"""`ishtar init --empty`: nothing of the reference testbed, and everything works all the same."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from ishtar.calibration import load_declarations, read_declarations
from ishtar.store import Origin, SourceWriter
from ishtar.workspace import Workspace
from runner.ingest.settings import IngestSettings
from runner.scheduling.coordinator import Coordinator
from runner.settings.file import read_settings
from runner.workspaces.new_workspace import make_workspace
from tests.command_fakes import Call, caller

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parents[2]
REFERENCE = load_declarations(ROOT / "calibrations")
NAMES = {*REFERENCE.signals, *REFERENCE.devices, *REFERENCE.components, "PXI M6251", "IShTAR"}


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """An empty workspace, which is the current folder."""
    made = make_workspace(tmp_path / "ws", facility="New", empty=True)
    monkeypatch.chdir(made.root)
    monkeypatch.delenv("ISHTAR_WORKSPACE", raising=False)
    return made


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Give a function that runs a command: exit code, output, errors."""
    return caller(capsys)


def store(workspace: Workspace, number: int) -> None:
    """Store a shot as foreign as can be: odd names, no unit, no date, an empty channel."""
    path = workspace.shot_folder(number) / f"{number}_box.lvm.h5"
    origin = Origin(
        shot=number,
        source=f"{number}_box.lvm",
        size=1,
        sha256="0" * 64,
        converter="lvm 1",
        writer="a test",
        arrived="2026-11-22T11:00:00+01:00",
    )
    with SourceWriter(path, origin) as w:
        plain = w.channel("box/U $1$ <b>", dtype=np.float64, unit="Volts", dt=1e-3)
        plain.append(np.linspace(0.0, 2.0, 500))
        w.channel("box/constant", dtype=np.int16, unit="", dt=1e-3).append(np.full(9, 7, np.int16))
        w.channel("box/empty", dtype=np.float64, unit="V", dt=1e-3)
        w.channel("box/nothing", dtype=np.float64, unit="V", dt=1e-3).append([np.nan, np.nan])
        late = w.channel("slow/p", dtype=np.float64, unit="Pa", irregular=True)
        late.append([1.0, 2.0, 4.0], time_s=[0.0, 5.0, 7.0])


# --- what is in it


def test_nothing_in_it_names_anything_of_the_reference_testbed(empty):
    texts = {p: p.read_text(encoding="utf-8") for p in empty.root.rglob("*") if p.is_file()}
    assert len(texts) >= 8
    words = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in sorted(NAMES)))
    found = {p.name: words.findall(t) for p, t in texts.items() if words.search(t)}
    assert found == {}


def test_it_declares_nothing_and_is_sound(empty, call):
    declared, problems = read_declarations(empty.calibrations)
    assert problems == []
    assert (declared.signals, declared.wiring, declared.devices, declared.components) == (
        *({}, {}, {}, {}),
    )
    assert call("calib", "check")[0] == 0
    assert call("template", "check")[0] == 0


def test_the_examples_in_its_comments_are_sound_too(empty):
    for path in empty.calibrations.rglob("*.toml"):
        lines = path.read_text(encoding="utf-8").splitlines()
        start = next(k for k, line in enumerate(lines) if line == "#")
        example = [line.removeprefix("#").removeprefix(" ") for line in lines[start:]]
        path.write_text("\n".join(example), encoding="utf-8")
    example = empty.calibrations / "devices" / "example.toml.txt"
    example.rename(example.with_name("powerbox_1.toml"))
    declared, problems = read_declarations(empty.calibrations)
    assert problems == []
    assert set(declared.signals) == {"RF_P", "RF_E"}
    assert declared.wiring["RF_P"][0].device == "powerbox_1"
    assert set(declared.components) == {"antenna_1"}


@pytest.mark.parametrize("name", ["New", "O'Brien's \"lab\"", 'back\\slash "', "Müller\nKöln", ""])
@pytest.mark.parametrize("is_empty", [True, False])
def test_any_name_of_a_facility_comes_back_as_it_was_given(tmp_path, name, is_empty):
    made = make_workspace(tmp_path / "ws", facility=name, empty=is_empty)
    assert read_settings(made).facility.name == name


def test_the_settings_that_are_commented_out_show_what_holds(empty):
    text = (empty.root / "ishtar.toml").read_text(encoding="utf-8")
    section = text.split("[ingest]")[1].split("\n[")[0]
    shown = tomllib.loads(re.sub(r"^# ", "", section, flags=re.M))
    defaults = IngestSettings()
    known = {name: value for name, value in shown.items() if hasattr(defaults, name)}
    assert len(known) >= 3
    assert known == {name: getattr(defaults, name) for name in known}


def test_files_that_are_there_already_stay(tmp_path):
    (tmp_path / "calibrations").mkdir(parents=True)
    (tmp_path / "calibrations/signals.toml").write_text('[Mine]\nunit = "V"\n')
    made = make_workspace(tmp_path, facility="X", empty=True)
    assert set(load_declarations(made.calibrations).signals) == {"Mine"}


# --- the whole chain


@pytest.mark.parametrize(
    "command",
    ["shots", "plan --why", "run", "publish", "reports", "template list", "calib show", "rebuild"],
)
def test_every_command_works_without_a_shot_and_a_signal(empty, call, command):
    code, _, err = call(*command.split())
    assert code == 0
    assert "Traceback" not in err


def test_the_home_page_of_nothing_is_there(empty, call):
    assert call("publish")[0] == 0
    assert "New" in (empty.site / "index.html").read_text(encoding="utf-8")


def test_its_one_template_reports_any_shot(empty, call):
    store(empty, 3)
    assert call("run", "--workers", "1")[0] == 0
    assert call("publish")[0] == 0
    with Coordinator(empty) as coordinator:
        (row,) = coordinator.catalogue.reports()
        scraps = {s.name: s.value for s in coordinator.catalogue.scraps(["00003"])}
    assert (row.template, row.state) == ("channels", "ok"), row.reason
    assert scraps["n_channels"] == 5
    assert (scraps["n_signals"], scraps["n_missing"]) == (0, 0)
    page = (empty.site / "shots/00003/channels.html").read_text(encoding="utf-8")
    for told in ("U $1$ &lt;b&gt;", "slow/p", "irregular", "0.001 s", "Volts", "not stated"):
        assert told in page
    assert "<b>" not in page.split("<h1>")[1].split("Where this comes from")[0]
    assert call("plan", "--json")[1].strip() == "[]"


# --- a template of its own


def test_the_first_notebook_draws_a_channel_where_no_signal_is_declared(empty, call):
    assert call("template", "new", "first")[0] == 0  # no shot yet
    store(empty, 3)
    assert call("template", "check")[0] == 0
    code, out, err = call("template", "test", "first", "--shot", "latest")
    assert code == 0, err
    assert "highest" in out
    assert not (NAMES & set(re.findall(r"\w+", (empty.templates / "first.ipynb").read_text())))


def test_the_first_notebook_draws_a_signal_that_the_newest_shot_has(empty, call):
    store(empty, 3)
    (empty.calibrations / "signals.toml").write_text(
        '[Unwired]\nunit = "V"\n[Away]\nunit = "Pa"\n[P]\nunit = "Pa"\n'
    )
    (empty.calibrations / "devices/gauge.toml").write_text(
        '[[calibration]]\nversion = 1\nfrom = 1\ninput = "Pa"\nunit = "Pa"\n'
        'transforms = [{ kind = "gain", gain = 2.0 }]\n'
    )
    wires = ('signal = "Away"\nchannel = "no/such"', 'signal = "P"\nchannel = "slow/p"')
    (empty.calibrations / "wiring/wiring.toml").write_text(
        "".join(f'[[wiring]]\n{wire}\ndevice = "gauge"\nfrom = 1\n' for wire in wires)
    )
    assert call("template", "new", "first")[0] == 0
    assert (empty.templates / "first.toml").read_text() == 'needs = ["P"]\n'
    code, out, _ = call("template", "test", "first", "--shot", "latest")
    assert code == 0
    assert "8\xa0Pa" in out


def test_a_standard_template_is_added_on_demand_and_says_what_it_lacks(empty, call):
    code, _, err = call("template", "add", "profile")
    assert code == 0
    assert "no template 'langmuir'" in err
    assert call("template", "add", "plasma_detection")[::2] == (0, "")
    code, _, err = call("template", "add", "langmuir")
    assert code == 0
    assert "needs 'Lang_U'" in err
    assert (empty.templates / "langmuir.toml").is_file()
    before = (empty.templates / "langmuir.ipynb").read_bytes()
    code, _, err = call("template", "add", "langmuir")
    assert code == 1
    assert "exists already" in err
    assert (empty.templates / "langmuir.ipynb").read_bytes() == before
    code, _, err = call("template", "add", "langmiur")
    assert code == 2
    assert "did you mean 'langmuir'" in err


# --- names at a prompt


def test_the_names_of_a_shot_are_listed(empty, call):
    store(empty, 3)
    (empty.calibrations / "signals.toml").write_text('[P]\nunit = "Pa"\n')
    code, out, _ = call("signal", 3, "--json")
    assert code == 0
    rows = {r["name"]: r for r in json.loads(out)}
    assert rows["slow/p"] == {
        **{"name": "slow/p", "is": "channel", "unit": "Pa", "samples": 3},
        "from": "3_box.lvm",
    }
    assert rows["P"]["is"] == "missing"
    assert "not wired" in rows["P"]["from"]
    code, _, err = call("signal", 3, "--at", 0, 1)
    assert code == 2
    assert "needs a NAME" in err


def test_wiring_to_a_channel_that_no_shot_has_is_doubted(empty, call):
    store(empty, 3)
    (empty.calibrations / "signals.toml").write_text('[P]\nunit = "Pa"\n')
    (empty.calibrations / "devices/gauge.toml").write_text('serial = "G"\n')
    wire = ("calib", "wire", "P", "--device", "gauge", "--from")
    code, out, _ = call(*wire, 1, "--channel", "slow/pp", "--dry-run")
    assert code == 0
    code, out, _ = call(*wire, 1, "--channel", "slow/p")
    assert code == 0
    assert "no channel" not in out
    code, out, _ = call(*wire, 3, "--channel", "slw/p", "--rewrite-history", "to see")
    assert code == 0
    assert "shot 3 has no channel 'slw/p'; did you mean 'slow/p'?" in out
