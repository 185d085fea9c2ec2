"""The documentation is a contract: every command, setting and error is in it."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
from pathlib import Path

import ishtar
import runner
from ishtar.calibration.transforms import TRANSFORMS
from ishtar.errors import IshtarError
from runner.cli import COMMANDS
from runner.settings.file import SECTIONS
from runner.templates.sidecar import KEYS

ROOT = Path(__file__).parents[2]


def text(name: str) -> str:
    """Return a page of the documentation."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_every_command_is_documented():
    found = set(re.findall(r"`ishtar (\w+)", text("commands.md")))
    assert found == set(COMMANDS) | {"COMMAND"}


def test_every_setting_is_documented_with_its_section():
    page = text("settings.md")
    for section, cls in SECTIONS.items():
        part = page.split(f"## `[{section}]`")[1].split("\n## ")[0]
        documented = set(re.findall(r"^\| `(\w+)` \|", part, flags=re.MULTILINE))
        assert documented == {f.name for f in dataclasses.fields(cls)}, section


def test_every_transform_is_documented():
    page = text("calibrations.md")
    assert [k for k in TRANSFORMS if f"| `{k}` |" not in page] == []


def test_every_key_of_a_sidecar_is_documented():
    page = text("templates.md")
    assert [k for k in KEYS if f"`{k}`" not in page] == []


def test_every_error_is_documented():
    for package in (ishtar, runner):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name != "runner.execution.engine":  # only papermill imports it
                importlib.import_module(module.name)

    def below(cls: type) -> set[str]:
        return {c.__name__ for sub in cls.__subclasses__() for c in [sub]} | {
            name for sub in cls.__subclasses__() for name in below(sub)
        }

    page = text("errors.md")
    ours = {n for n in below(IshtarError)}
    assert sorted(n for n in ours if f"`{n}`" not in page) == []


def test_links_between_pages_lead_somewhere():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} → {target}"


def test_no_page_or_source_names_a_machine():
    here = [f"{p}/" for p in (Path.home(), ROOT.parent, ROOT) if len(p.parts) > 1]
    machine = re.compile("|".join([*map(re.escape, here), r"/home/\w+/", r"/Users/\w+/"]))
    for path in [*ROOT.glob("docs/*.md"), *ROOT.glob("*/**/*.py"), ROOT / "README.md"]:
        if path.name != "test_docs.py" and not path.relative_to(ROOT).parts[0].startswith("."):
            assert not machine.search(path.read_text(encoding="utf-8")), path
