"""The trace viewer's page, scripts of a page, and where the scripts of others come from."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from runner.publish.build import CSP
from runner.publish.page_models import Page
from runner.publish.pages.across_shots import TracesPage, traces_page
from runner.publish.records import Facility
from runner.publish.view_models import Site
from runner.publish.writer import Writer
from runner.render.theme import Theme, theme_folder

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, kw_only=True)
class _Plain(Page):
    template: ClassVar[str] = "pages/plain.html"


@dataclass(frozen=True, kw_only=True)
class _Plotted(_Plain):
    styles: ClassVar[tuple[str, ...]] = ("traces.css",)
    scripts: ClassVar[tuple[str, ...]] = ("data.js", "curves.js")


@pytest.fixture
def theme(tmp_path: Path) -> Theme:
    """The packaged theme, with two assets of a workspace and a page without content."""
    own = tmp_path / "theme"
    (own / "pages").mkdir(parents=True)
    (own / "pages" / "plain.html").write_text("{% extends 'pages/base.html' %}")
    (own / "assets").mkdir()
    (own / "assets" / "a-logger.js").write_text("'use strict';")
    (own / "assets" / "branding.css").write_text("body { color: red }")
    return Theme.load(own)


def linked(theme: Theme, page: Page, out: Path) -> list[str]:
    """Return the assets that a page links, in order, without what says their content."""
    writer = Writer(out, theme, Site.of(theme, Facility(name="Lab"), CSP))
    writer.page(page, rank=0)
    writer.switch()
    html = (out / page.path).read_text()
    found = re.findall(r'(?:<script defer src|rel="stylesheet" href)="([^"]+)"', html)
    return [re.sub(r"\.[0-9a-f]{10}\.", ".", address) for address in found]


def test_a_page_links_the_scripts_it_names_between_those_of_all_and_those_of_a_workspace(
    theme, tmp_path
):
    plain = linked(theme, _Plain(path="plain.html", title="p"), tmp_path / "out")
    assert plain == [
        "assets/ishtar.css",
        "assets/branding.css",
        "assets/ishtar.js",
        "assets/a-logger.js",
    ]
    plotted = linked(theme, _Plotted(path="a/b/plotted.html", title="p"), tmp_path / "out")
    assert plotted == [
        "../../assets/ishtar.css",
        "../../assets/traces.css",
        "../../assets/branding.css",
        "../../assets/ishtar.js",
        "../../assets/data.js",
        "../../assets/curves.js",
        "../../assets/a-logger.js",
    ]


def test_a_page_knows_the_way_to_the_root_where_its_data_is(theme, tmp_path):
    out = tmp_path / "out"
    linked(theme, _Plotted(path="a/b/plotted.html", title="p"), out)
    linked(theme, _Plotted(path="plotted.html", title="p"), out)
    assert 'data-root="../../"' in (out / "a/b/plotted.html").read_text()
    assert 'data-root="./"' in (out / "plotted.html").read_text()


def test_a_viewer_without_scripts_of_others_says_how_to_get_them(tmp_path):
    packaged = tmp_path / "packaged"
    shutil.copytree(theme_folder(), packaged, ignore=shutil.ignore_patterns("vendor"))
    bare = Theme((packaged,))
    page = traces_page(bare.assets)
    assert page.missing == ["uplot.css", "uplot.js"]
    names = linked(bare, page, tmp_path / "out")
    assert not any("uplot" in name for name in names)
    html = (tmp_path / "out" / "traces.html").read_text()
    assert "published without uplot.css, uplot.js" in html
    assert "make vendor" in html
    assert 'id="viewer"' not in html


def test_every_script_that_the_viewer_names_is_ours_or_is_vendored():
    ours = {p.name for p in (theme_folder() / "assets").iterdir()}
    assert {*TracesPage.scripts, *TracesPage.styles} - ours == {"uplot.js", "uplot.css"}


def test_scripts_of_others_are_locked_by_hash_and_name_no_host():
    lock = json.loads((ROOT / "package-lock.json").read_text())
    packages = {k: v for k, v in lock["packages"].items() if k}
    assert set(packages) == {f"node_modules/{n}" for n in ("uplot", "axe-core", "typescript")}
    assert all(p["integrity"].startswith("sha512-") for p in packages.values())
    assert "resolved" not in str(lock)
    for name in ("package.json", "package-lock.json", ".npmrc", "requirements/node.lock"):
        assert "://" not in (ROOT / name).read_text(), name
    assert all("--hash=sha256:" in block for block in _requirements())


def _requirements() -> list[str]:
    text = (ROOT / "requirements" / "node.lock").read_text()
    return [block for block in re.split(r"\n(?=\w)", text) if block.strip()]


def test_a_wheel_is_not_built_without_them_and_an_editable_one_is(tmp_path):
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert hatch["targets"]["wheel"]["hooks"]["custom"]["path"] == "hatch_build.py"
    space: dict[str, object] = {}
    exec(compile((ROOT / "hatch_build.py").read_text(), "hatch_build.py", "exec"), space)
    hook = space["VendorHook"]
    made = hook(str(tmp_path), {}, None, None, str(tmp_path), "wheel")  # type: ignore[operator]
    made.initialize("editable", {})
    with pytest.raises(SystemExit, match=r"lacks uplot\.js, .*: run 'make vendor'"):
        made.initialize("standard", {})
    vendor = tmp_path / "site" / "theme" / "vendor"
    vendor.mkdir(parents=True)
    for name in ("uplot.js", "uplot.css", "uplot.LICENSE.txt"):
        (vendor / name).write_text("x")
    made.initialize("standard", {})
