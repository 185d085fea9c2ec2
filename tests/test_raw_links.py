"""The table of sources on the page of a shot: links to raw files, never to what is not there."""

from __future__ import annotations

import html
import re
import shutil
from urllib.parse import unquote

import pytest

from ishtar.workspace import Workspace
from runner.publish import publish
from runner.publish.pages.shots import shot_page
from runner.publish.source import WorkspaceSource
from runner.publish.view import View
from runner.receipts import Subject
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.rebuild import rebuild
from runner.settings.publishing import PublishSettings
from tests.library_fakes import FIRST, MOVED

pytestmark = pytest.mark.whole

NAMES = [f"{FIRST:05d}.csv", f"{FIRST:05d}_Data.tdms"]
ROW = re.compile(r'<tr><th scope="row">(?:<a href="([^"]*)" download>)?([^<]*)(?:</a>)?</th>')


@pytest.fixture
def copied(published, tmp_path):
    """A workspace that a test may change, without its sites."""
    here = shutil.ignore_patterns("www")
    return Workspace.at(shutil.copytree(published.root, tmp_path / "ws", ignore=here))


@pytest.fixture
def source(copied):
    with Coordinator(copied) as coordinator:
        yield WorkspaceSource(copied, coordinator.catalogue)


def page_of(site, shot=FIRST):
    return site / "shots" / f"{shot:05d}" / "index.html"


def links(site, shot=FIRST):
    """Return the address of each source of a shot; None if it is no link."""
    table = page_of(site, shot).read_text().partition('<table class="sources">')[2]
    rows = ROW.findall(table.partition("</table>")[0])
    return {html.unescape(name): html.unescape(href) or None for href, name in rows}


@pytest.mark.parametrize("how", ["link", "copy"])
def test_each_source_links_to_its_raw_file(source, tmp_path, how):
    site, settings = tmp_path / "site", PublishSettings(raw=how)
    for only in (None, [Subject.shot(FIRST)], [Subject.shot(MOVED)]):
        publish(source, site, only=only, settings=settings)
        assert links(site) == {name: f"../../raw/{FIRST:05d}/{name}.h5" for name in NAMES}
        for href in links(site).values():
            assert (page_of(site).parent / href).is_file()


def test_links_lead_to_the_host_of_the_raw_data(source, tmp_path):
    publish(source, tmp_path / "site", settings=PublishSettings(raw_url="https://host/data/"))
    assert links(tmp_path / "site") == {
        name: f"https://host/data/{FIRST:05d}/{name}.h5" for name in NAMES
    }
    assert not list((tmp_path / "site/raw").rglob("*.h5"))


def test_without_raw_data_there_are_no_links_and_the_page_is_as_it_was(source, tmp_path):
    site = tmp_path / "site"
    publish(source, site, settings=PublishSettings(raw="off"))
    bare = page_of(site).read_text()
    assert links(site) == dict.fromkeys(NAMES)
    publish(source, site)
    linked = page_of(site).read_text()
    assert re.sub(r'<a href="../../raw/[^"]*" download>([^<]*)</a>', r"\1", linked) == bare
    publish(source, site, settings=PublishSettings(raw="off"))
    assert page_of(site).read_text() == bare


def test_what_a_name_may_have_does_not_break_its_address(copied, tmp_path):
    first = next(copied.shot_folder(FIRST).glob("*Data*.h5"))
    odd = first.rename(first.with_name('50 % #1 & "é"?<b>.tdms.h5'))
    rebuild(copied)
    with Coordinator(copied) as coordinator:
        found = WorkspaceSource(copied, coordinator.catalogue)
        publish(found, tmp_path / "site")
        publish(found, tmp_path / "far", settings=PublishSettings(raw_url="https://host/x"))
    escaped = "50%20%25%20%231%20%26%20%22%C3%A9%22%3F%3Cb%3E.tdms.h5"
    href = links(tmp_path / "site")[NAMES[1]]
    assert href == f"../../raw/{FIRST:05d}/{escaped}"
    assert (page_of(tmp_path / "site").parent / unquote(href)).samefile(odd)
    assert links(tmp_path / "far")[NAMES[1]] == f"https://host/x/{FIRST:05d}/{escaped}"


@pytest.mark.parametrize("raw_url", ["", "https://host/x"])
def test_a_source_whose_file_is_gone_is_named_without_a_link(copied, source, tmp_path, raw_url):
    (copied.shot_folder(FIRST) / f"{NAMES[0]}.h5").unlink()
    publish(source, tmp_path / "site", settings=PublishSettings(raw_url=raw_url))
    found = links(tmp_path / "site")
    assert found[NAMES[0]] is None
    assert found[NAMES[1]] is not None


def test_the_page_of_a_shot_that_is_not_published_now_links_to_what_was(source, tmp_path):
    view = View(source, "any", tmp_path, changing=frozenset(), settings=PublishSettings())
    assert shot_page(view, FIRST).raw == {}
    publish(source, tmp_path / "site")
    view.out = tmp_path / "site"
    assert len(shot_page(view, FIRST).raw) == 2
