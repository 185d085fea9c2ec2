"""The table of staleness: each kind of change beside each kind of report, exactly.

Reports are made without kernels: what a notebook would read is read here, and recorded.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ishtar.attributes.edits import edit
from ishtar.errors import NotFoundError
from ishtar.inputs import identity
from ishtar.inputs.kinds import KINDS
from ishtar.lineage.record import ABSENT, Input
from ishtar.quality.dating import date_findings
from ishtar.shots.testbed import Testbed
from runner.execution import library_code as code
from runner.jobs import Selection
from runner.receipts import Scrap
from runner.staleness.current_state import CurrentState
from tests.factory.test_plan import make, planned

pytestmark = pytest.mark.whole

MACHINE = """
[[component]]
name = "tip"
kind = "langmuir_probe"
from = 1
parameters = { tip_radius = "0.1 mm" }

[[component]]
name = "tank"
kind = "vessel"
from = 1
parameters = { diameter = "1.0 m" }
"""
READERS: dict[str, Callable[[Any, Any], object]] = {
    "probe": lambda tb, s: tb[s.number]["Lang_I"].load(),
    "gauge": lambda tb, s: tb[s.number]["Ngas_P"].load(),
    "raw": lambda tb, s: tb[s.number].channel("PXI M6251/Lang_I").raw(),
    "declared": lambda tb, s: tb[s.number].missing(),
    "paths": lambda tb, s: list(tb[s.number].imas()),
    "listed": lambda tb, s: tb[s.number].channels(),
    "files": lambda tb, s: date_findings(tb[s.number]),
    "tip": lambda tb, s: tb[s.number].machine["tip"].value("tip_radius", "mm"),
    "gas": lambda tb, s: tb[s.number].attributes["gas"],
    "nothing": lambda tb, s: None,
    "follows": lambda tb, s: tb.range(s.number, s.number).table(["probe.Te"]),
    "day": lambda tb, s: tb.day(s.key).table(["probe.Te"]),
    "asks": lambda tb, s: tb.shots("gas == 'Ar'"),
}
OF_DAYS = ("day", "asks")
LIBRARY = {
    "__init__": "from ishtar.used import used",
    "used": "def used():\n    return 1\ndef unused():\n    return 1",
}


def tolerant(template):
    """Return a template's reader, as a report that is skipped for want of what it reads."""

    def read(tb, subject):
        with contextlib.suppress(NotFoundError):
            READERS[template](tb, subject)

    return read


class Fingerprints:
    """A workspace with all kinds of reports up to date, and ways to change it."""

    def __init__(self, factory, coordinator, monkeypatch):
        self.factory, self.coordinator, self._patch = factory, coordinator, monkeypatch
        self.calibrations = factory.workspace.calibrations
        root = factory.workspace.root / "library" / "ishtar"
        root.mkdir(parents=True)
        self._patch.setattr(code, "library_folder", lambda: root)
        for module, source in LIBRARY.items():
            (root / f"{module}.py").write_text(source)
        self._library = root / "used.py"
        (self.calibrations / "machine" / "m.toml").write_text(MACHINE)
        factory.shot(2)
        for name in READERS:
            self.template(name)
        coordinator.sync_shots()
        self.make()

    def template(self, name, *, body="x = 1", default="1.0", words="Some words."):
        scope = "scope = 'day'\n" if name in OF_DAYS else ""
        after = "after = ['probe']" if name in ("follows", "day") else ""
        subject = 'day: str = "2026-11-22"' if name in OF_DAYS else "shot: int = 1"
        uses = "import ishtar\nishtar.used()\n" if name == "probe" else ""
        path = self.factory.template(
            name,
            uses + body,
            parameters=f"{subject}\nlevel: float = {default}",
            sidecar=scope + after,
        )
        path.write_text(path.read_text().replace("Some words.", words))

    def library(self, source):
        self._library.write_text(source)

    def make(self, te=4.0):
        for _ in range(3):
            for p in self.coordinator.plan():
                scraps = [Scrap(name="Te", value=te, unit="eV")] if p.template == "probe" else []
                make(self.factory, self.coordinator, p, tolerant(p.template), scraps=scraps)
        assert planned(self.coordinator) == {}

    def text(self, name, before, after, last=None):
        path = self.calibrations / name
        *rest, end = path.read_text().split(before)
        assert rest
        path.write_text(after.join(rest) + (after if last is None else last) + end)

    def remake(self, shot, te, sigma=None):
        (p,) = self.coordinator.plan(Selection(shots=[shot], names=["probe"], force=True))
        make(
            self.factory,
            self.coordinator,
            p,
            READERS["probe"],
            scraps=[Scrap(name="Te", value=te, sigma=sigma, unit="eV")],
        )

    def edit(self, shot=2, **changes):
        edit(self.factory.workspace.shot_folder(shot), changes, who="Ada")
        self.coordinator.sync_shots()

    def file_without_channels(self):
        """Let a file come that changes nothing but the list of the shot's files."""
        self.factory.shot(2, name="00002_More", channels=False)
        self.coordinator.sync_shots()

    def late_file(self):
        self.factory.shot(2, probe=False)
        self.coordinator.sync_shots()


@pytest.fixture
def world(factory, coordinator, monkeypatch):
    return Fingerprints(factory, coordinator, monkeypatch)


DAY = "2026-11-22"
DEVICE = "devices/langmuir_1.toml"
SAME = 'input = "V"\nunit = "A"\ntransforms = [{ kind = "gain", gain = -0.5 }]\n'
SAME = 'input = "V"\nunit = "A"\ntransforms = [{ kind = "gain", gain = -0.5 }]\n'
LATER = "[[calibration]]\nversion = 2\nfrom = 2\n"
TABLE: dict[str, tuple[Callable[[Fingerprints], object], dict[str, str]]] = {
    "nothing at all": (lambda w: None, {}),
    "numbers of a calibration": (
        lambda w: w.text(DEVICE, "gain = -0.5", "gain = -0.6"),
        {"00001 probe": "calibration langmuir_1", "00002 probe": "calibration langmuir_1"},
    ),
    "a calibration from shot 2 on": (
        lambda w: (
            w.text(DEVICE, "from = 1\n", f"from = 1\nuntil = 2\n{SAME}{LATER}"),
            w.text(DEVICE, SAME, SAME, last=SAME.replace("0.5", "0.7")),
        ),
        {"00002 probe": "calibration langmuir_1"},
    ),
    "a new version with the same numbers": (
        lambda w: w.text(DEVICE, "version = 1", "version = 2"),
        {},
    ),
    "a remark in a calibration": (lambda w: w.text(DEVICE, "version", "# hm\nversion"), {}),
    "the wiring of a signal": (
        lambda w: w.text("wiring/all.toml", "S7/Ngas_P", "PXI M6251/Lang_I"),
        {
            f"{shot} {name}": "wiring Ngas_P"
            for shot in ("00001", "00002")
            for name in ("gauge", "declared")
        },
    ),
    "the unit of a signal": (
        lambda w: w.text("signals.toml", '"Pa"', '"mbar"'),
        {
            f"{shot} {name}": "signal Ngas_P"
            for shot in ("00001", "00002")
            for name in ("gauge", "declared")
        },
    ),
    "a signal that nobody had heard of": (
        lambda w: w.text("signals.toml", "[Ngas_P]", '[New]\nunit = "V"\n[Ngas_P]'),
        {
            "00001 declared": "signal all signals (2 signals → 3 signals)",
            "00002 declared": "signal all signals (2 signals → 3 signals)",
        },
    ),
    "the IMAS path of a signal": (
        lambda w: w.text("signals.toml", '"Pa"', '"Pa"\nimas = "barometry/gauge[0]/pressure/data"'),
        {
            "00001 paths": "signal all IMAS paths (0 paths → 1 paths)",
            "00002 paths": "signal all IMAS paths (0 paths → 1 paths)",
        },
    ),
    "the geometry of a probe": (
        lambda w: w.text("machine/m.toml", "0.1 mm", "0.2 mm"),
        {"00001 tip": "machine tip", "00002 tip": "machine tip"},
    ),
    "a component that nobody asks for": (
        lambda w: w.text("machine/m.toml", "1.0 m", "1.1 m"),
        {},
    ),
    "the gas of a shot": (
        lambda w: w.edit(gas="He"),
        {"00002 gas": "attribute gas", f"{DAY} asks": "shots where gas == 'Ar'"},
    ),
    "a comment on a shot": (lambda w: w.edit(comment="hm"), {}),
    "a file without channels": (
        lambda w: w.file_without_channels(),
        {"00002 files": "the list of files of shot 2 (1 files → 2 files)"},
    ),
    "a source without the probe": (
        lambda w: w.late_file(),
        {
            "00002 probe": "channel PXI M6251/Lang_I",
            "00002 raw": "channel PXI M6251/Lang_I",
            "00002 listed": "channel all channels (2 channels → 1 channels)",
        },
    ),
    "a new shot of the day": (
        lambda w: (w.factory.shot(3), w.coordinator.sync_shots()),
        {f"{DAY} day": "shots of 2026-11-22", f"{DAY} asks": "shots where gas == 'Ar'"}
        | {f"00003 {name}": "never made" for name in READERS if name not in OF_DAYS},
    ),
    "a result of another report": (
        lambda w: w.remake(1, te=5.0),
        {"00001 follows": "scrap probe.Te of shot 1", f"{DAY} day": "scrap probe.Te of shot 1"},
    ),
    "the same result, less certain": (
        lambda w: w.remake(1, te=4.0, sigma=0.5),
        {"00001 follows": "scrap probe.Te of shot 1", f"{DAY} day": "scrap probe.Te of shot 1"},
    ),
    "as many shots of a query, but others": (
        lambda w: (w.edit(gas="He"), w.make(), w.edit(gas="Ar"), w.edit(shot=1, gas="He")),
        {"00001 gas": "attribute gas", "00002 gas": "attribute gas", f"{DAY} asks": "shots where"},
    ),
    "the same result again": (lambda w: w.remake(1, te=4.0), {}),
    "code of a template": (
        lambda w: w.template("nothing", body="x = 2"),
        {"00001 nothing": "template code", "00002 nothing": "template code"},
    ),
    "a default of a template": (
        lambda w: w.template("nothing", default="2.0"),
        {"00001 nothing": "template code", "00002 nothing": "template code"},
    ),
    "words of a template": (
        lambda w: w.template("nothing", words="Other words."),
        {"00001 nothing": "prose changed", "00002 nothing": "prose changed"},
    ),
    "a function of the library that is used": (
        lambda w: w.library("def used():\n    return 2\ndef unused():\n    return 1"),
        {"00001 probe": "code ishtar.used", "00002 probe": "code ishtar.used"},
    ),
    "a function of the library that is not": (
        lambda w: w.library("def used():\n    return 1\ndef unused():\n    return 2"),
        {},
    ),
    "a docstring of the library": (
        lambda w: w.library('def used():\n    """D."""\n    return 1\ndef unused():\n    return 1'),
        {},
    ),
}


@pytest.mark.parametrize("change", TABLE)
def test_each_change_makes_exactly_its_readers_stale_and_names_itself(world, change):
    act, expected = TABLE[change]
    act(world)
    found = {f"{s} {t}": reasons for (s, t), reasons in planned(world.coordinator).items()}
    assert found.keys() == expected.keys()
    for key, words in expected.items():
        assert words in " ".join(found[key]), found[key]
    world.make()  # and a second plan is empty


KIND_OF_REASON = {
    "scrap": "scraps",
    "template": None,
    "prose": None,
    "never": None,
    "the": "sources",
}


def test_every_kind_of_input_is_in_the_table_and_is_what_the_library_records():
    """A kind that is forgotten anywhere is recorded and never compared."""
    said = [text for _, expected in TABLE.values() for text in expected.values()]
    of_table = {KIND_OF_REASON.get(word, word) for word in (text.split()[0] for text in said)}
    assert of_table - {None} == KINDS.keys() - {"pinned"}  # which test_calibration_pinned holds
    root = Path(identity.__file__).parent
    recorded = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Input", "replace"):
                recorded |= {
                    k.value.value
                    for k in node.keywords
                    if k.arg == "kind" and isinstance(k.value, ast.Constant)
                }
    assert recorded == KINDS.keys() - {"code"}  # which the runner adds


def test_an_input_of_a_kind_that_nobody_knows_is_gone(world):
    present = CurrentState(Testbed(world.factory.workspace), world.coordinator.catalogue)
    assert present.now(Input(kind="weather", name="rain", digest="d")).digest == ABSENT
