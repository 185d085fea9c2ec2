"""The page on a new facility does what it says: from an empty folder to its page.

It is followed twice: with the commands of `ishtar` run in this process, which is quick, and (among
the long tests) with all of it typed into a shell.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

import pytest

from ishtar.shots.testbed import Testbed
from ishtar.workspace import Workspace
from runner.cli import main
from runner.ingest import IngestSettings, shot_in
from runner.scheduling.coordinator import Coordinator
from tests.factory.page_fakes import DOCS, blocks, cell, replace_cells

pytestmark = pytest.mark.whole

PAGE = "new-facility.md"
ROOT = Path(__file__).parents[2]
NAMING = re.compile(r"^\| (`.+`)(?:,[^`|]*)? \| (?:`'(.+)'`|none[^|]*) \| (\d+) \|$", re.M)
COMMAND = """\
#!/bin/sh
exec "{python}" -c "from runner.cli import main; main()" "$@"
"""


class Newcomer:
    """Somebody with a terminal, a home of their own, and the page in front of them."""

    own_commands = re.compile("(?!)")  # none: all is typed into the shell

    def __init__(self, folder: Path) -> None:
        self.here = folder / "work"
        self.here.mkdir()
        self._place = folder / "place"  # where the last commands have led to
        (folder / "bin").mkdir()
        (folder / "home").mkdir()
        command = folder / "bin" / "ishtar"
        command.write_text(COMMAND.format(python=sys.executable))
        command.chmod(0o755)
        kept = {k: v for k, v in os.environ.items() if not k.startswith("ISHTAR")}
        self._environment = kept | {
            "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder / "home"),
            "PYTHONPATH": str(ROOT),
        }
        self.said = ""
        self._cells: list[Any] = []

    def does(self, kind: str, text: str) -> None:
        """Follow one block of the page."""
        match kind:
            case "sh":
                self._saves()
                self._types(text)
            case "text":
                self._reads(text)
            case "toml ingest":
                path = self.here / "ishtar.toml"
                settings = path.read_text(encoding="utf-8")
                assert settings.count("[ingest]\n") == 1
                path.write_text(settings.replace("[ingest]\n", f"[ingest]\n{text}"))
            case "toml":
                (self.here / "templates_nb/power.toml").write_text(text, encoding="utf-8")
            case _:
                self._cells.append(cell(kind, text))

    def _saves(self) -> None:
        if self._cells:
            replace_cells(self.here / "templates_nb/power.ipynb", self._cells)

    def _types(self, text: str) -> None:
        """Type commands; one that fails is a page that is wrong."""
        said = []
        for k, part in enumerate(self.own_commands.split(text)):
            if part.strip():
                self._runs(part) if k % 2 else self._tells_shell(part)
                said.append(self.said)
        self.said = "".join(said)

    def _tells_shell(self, text: str) -> None:
        done = subprocess.run(
            ["bash", "-e", "-c", f"{text}\npwd > '{self._place}'"],
            cwd=self.here,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}"
        self.here = Path(self._place.read_text().strip())
        self.said = done.stdout

    def _runs(self, command: str) -> None:
        """Run a command of our own."""
        raise NotImplementedError

    def _reads(self, text: str) -> None:
        """Find each line of the page among what was said, in this order; blanks do not count."""
        said = iter([" ".join(line.split()) for line in self.said.splitlines()])
        for line in filter(None, (" ".join(line.split()) for line in text.splitlines())):
            assert any(line in other for other in said), f"{line}\n\n{self.said}"


class Hasty(Newcomer):
    """Does the same, but for a process for each command of ours."""

    own_commands = re.compile(r"^(ishtar .*\n)", re.M)

    def _runs(self, command: str) -> None:
        said = io.StringIO()
        with (
            contextlib.chdir(self.here),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
            pytest.raises(SystemExit) as ended,
        ):
            main(shlex.split(command)[1:])
        self.said = said.getvalue()
        assert ended.value.code == 0, f"{command}\n{self.said}"


@pytest.fixture(scope="module", params=[Hasty, pytest.param(Newcomer, marks=pytest.mark.long)])
def powerlab(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workspace]:
    """The workspace of somebody who followed the page from its beginning to its end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ISHTAR_WORKSPACE", raising=False)
        newcomer = request.param(tmp_path_factory.mktemp("facility"))
        for kind, text in blocks(PAGE):
            newcomer.does(kind, text)
        yield Workspace.at(newcomer.here)


def test_the_page_leads_to_reports_with_the_right_numbers(powerlab):
    with Coordinator(powerlab) as coordinator:
        rows = {(r.subject, r.template): r for r in coordinator.catalogue.reports(current=True)}
        assert coordinator.plan() == []
        scraps = coordinator.catalogue.scraps(["00042", "00043"])
    assert {key: row.state for key, row in rows.items()} == {
        (subject, template): "ok"
        for subject in ("00042", "00043")
        for template in ("channels", "power")
    }
    found = {(s.subject, s.name): s for s in scraps if s.template == "power"}
    for subject in ("00042", "00043"):
        power, pressure = found[subject, "power"], found[subject, "pressure"]
        # the mean of 1.96, 2.04, 2.00, 1.98, 2.02 V times 250 W/V
        assert power.value == pytest.approx(500.0)
        assert (power.unit, pressure.unit) == ("W", "Pa")
        assert 10.0 < power.sigma < 11.0  # of the gain, 2 V times 5 W/V, and a little scatter
        assert pressure.value == pytest.approx(0.3)
        assert pressure.sigma == pytest.approx(1.5 * 0.004, rel=0.02)


def test_the_samples_are_those_of_the_file_calibrated(powerlab):
    for number, when in ((42, "2026-11-22T14:05:00"), (43, "2026-11-22T14:20:00")):
        shot = Testbed(powerlab)[number]
        assert shot["RF_P"].unit == "W"
        assert shot["RF_P"].values() == pytest.approx(
            [0.0, 0.0, 490.0, 510.0, 500.0, 495.0, 505.0, 0.0, 0.25, 0.0]
        )
        for name in ("RF_P", "Gas_p"):
            assert shot[name].times() == pytest.approx([0.1 * k for k in range(10)])
        assert shot.attributes["operator"] == "M. Muster"
        assert shot.attributes["date"] == when


def test_the_site_shows_them(powerlab):
    page = (powerlab.site / "shots/00042/power.html").read_text(encoding="utf-8")
    for told in ("<h1>RF power</h1>", "Power lab", "500", "powerbox_1", "W"):
        assert told in page
    assert "[Text(" not in page  # what a figure's last line gives is no output
    assert list((powerlab.site / "shots/00042/power").glob("*.png"))
    for name in re.findall(r"^\| `([^`]+\.html)` \|", (DOCS / PAGE).read_text("utf-8"), re.M):
        assert (powerlab.site / name).is_file(), name
    home = (powerlab.site / "index.html").read_text(encoding="utf-8")
    assert "2 shots on 1 day" in home
    assert "shots/00043/power.html" in home


def test_what_arrived_was_taken_and_nothing_needed_a_reason(powerlab):
    assert list(powerlab.incoming.iterdir()) == []
    assert not powerlab.quarantine.exists() or list(powerlab.quarantine.iterdir()) == []
    texts = [p.read_text(encoding="utf-8") for p in powerlab.calibrations.rglob("*.toml")]
    assert not any("history" in text for text in texts)


def test_the_table_of_names_is_true():
    rows = NAMING.findall((DOCS / PAGE).read_text(encoding="utf-8"))
    assert len(rows) == 4
    for names, pattern, shot in rows:
        for name in re.findall(r"`([^`]+\.\w+)`", names):
            if not name.startswith("data/"):
                assert shot_in(PurePath(name), IngestSettings(shot_pattern=pattern)) == int(shot)


def test_the_page_is_short_and_named_where_people_begin():
    commands = [line for kind, text in blocks(PAGE) if kind == "sh" for line in text.splitlines()]
    assert sum(line.startswith("ishtar ") for line in commands) <= 22
    assert f"docs/{PAGE}" in (ROOT / "README.md").read_text(encoding="utf-8")
