"""The whole site, from a fake workspace: links, states, what is rewritten, what is untrusted."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pytest

from runner.publish import NotASite, publish
from runner.publish.addresses import relative_url, safe_name
from runner.receipts import Scrap, Subject
from tests.notebook_fakes import plain_cells, tiny_png
from tests.site_fakes import DAYS, FIRST, FakeSource, campaign, receipt

pytestmark = pytest.mark.whole

ADDRESSES = ("href", "src")


class Page(HTMLParser):
    """What a page links to, the ids it has, and all its elements."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.ids: list[str] = []
        self.feed(self.text)
        self.close()

    def handle_starttag(self, tag, attrs):
        found = {k: v or "" for k, v in attrs}
        self.tags.append((tag, found))
        if "id" in found:
            self.ids.append(found["id"])

    def links(self) -> Iterator[tuple[str, str]]:
        for tag, attrs in self.tags:
            for name in ADDRESSES:
                if name in attrs:
                    yield tag, attrs[name]

    def first(self, tag: str, **wanted: str) -> dict[str, str]:
        return next(
            a for t, a in self.tags if t == tag and all(a.get(k) == v for k, v in wanted.items())
        )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[FakeSource, Path]:
    folder = tmp_path_factory.mktemp("campaign")
    source = campaign(folder)
    publish(source, folder / "public")
    return source, folder / "public"


@pytest.fixture
def site(built, tmp_path) -> tuple[FakeSource, Path]:
    """A copy that a test may change."""
    source, _ = built
    folder = source.reports_dir.parent
    shutil.copytree(folder, tmp_path / "copy")
    copied = FakeSource(
        tmp_path / "copy" / "reports",
        records=dict(source.records),
        stale=dict(source.stale),
        shown_templates=list(source.shown_templates),
        trouble_texts=list(source.trouble_texts),
        all_reports={
            subject: [
                replace(r, folder=tmp_path / "copy" / r.folder.relative_to(folder)) for r in reports
            ]
            for subject, reports in source.all_reports.items()
        },
    )
    return copied, tmp_path / "copy" / "public"


def pages(out: Path) -> list[Page]:
    return [Page(p) for p in sorted(out.rglob("*.html"))]


def snapshot(out: Path) -> dict[str, bytes]:
    # the file of all scraps is made now and then, not with every shot
    files = (p for p in out.rglob("*") if p.is_file() and p.suffix != ".parquet")
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in files}


def page(out: Path, path: str) -> Page:
    return Page(out / path)


# addresses and links -------------------------------------------------------------------------


def test_the_stable_addresses_are_there(built):
    _, out = built
    for path in (
        "index.html",
        "latest.html",
        "404.html",
        "days/index.html",
        "days/2026-11-22.html",
        "days/2026-11-22/day_summary.html",
        "days/2026-11-22/day_summary.ipynb",
        "shots/01230/index.html",
        "shots/01230/langmuir.html",
        "shots/01230/langmuir.ipynb",
        "shots/01230/shot.json",
        "ranges/01230..01235/profile.html",
    ):
        assert (out / path).is_file(), path
    assert list((out / "shots/01230/langmuir").glob("figure-*.png"))
    assert list((out / "shots/01244/reruns").glob("langmuir-c0ffee*.html"))


def test_every_link_leads_somewhere_and_every_figure_is_used(built):
    _, out = built
    all_pages = {p.path: p for p in pages(out)}
    linked: set[Path] = set()
    for current in all_pages.values():
        for _, address in current.links():
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = current.path
            if parts.path:
                target = (current.path.parent / unquote(parts.path)).resolve()
            assert target.is_file(), f"{current.path}: {address}"
            linked.add(target)
            # a fragment with "=" is the state of a page that draws, not a place in it
            if parts.fragment and "=" not in parts.fragment and target.suffix == ".html":
                assert parts.fragment in all_pages[target].ids, f"{current.path}: {address}"
    files = {p.resolve() for p in out.rglob("*") if p.is_file()}
    # data are asked for by scripts, and assets linked where a page needs them
    read = {".html", ".png", ".ipynb", ".xml", ".css"}
    assert {p.name for p in files - linked if p.suffix in read} == {"404.html"}


def test_nothing_is_asked_of_anywhere_else(built):
    source, out = built
    allowed = {*source.facility.links.values(), "https://good.example/"}
    for current in pages(out):
        for tag, address in current.links():
            scheme = urlsplit(address).scheme
            if tag == "a" and scheme in {"http", "https"}:
                assert address in allowed or address.startswith("https://hub.example.org/")
            else:
                assert scheme == "" or address == "data:,", (current.path, address)
            assert not address.startswith("/"), (current.path, address)


def test_every_page_has_what_a_page_needs(built):
    _, out = built
    for current in pages(out):
        csp = current.first("meta", **{"http-equiv": "Content-Security-Policy"})["content"]
        assert csp.startswith("default-src 'none'")
        assert "unsafe" not in csp
        assert current.first("html")["lang"] == "en"
        assert [t for t, _ in current.tags].count("h1") == 1, current.path
        assert len(current.ids) == len(set(current.ids)), current.path
        assert [t for t, _ in current.tags].count("main") == 1
        for tag, attrs in current.tags:
            assert "style" not in attrs, (current.path, tag)
            assert not any(name.startswith("on") for name in attrs), (current.path, attrs)
            if tag == "img":
                assert {"alt", "width", "height"} <= attrs.keys(), (current.path, attrs)
            if attrs.get("type") == "application/ld+json":
                continue  # data, which a browser does not run
            if tag == "script" and current.path.name != "404.html":
                # one keeps the place of a plot free, before anything is drawn
                assert "defer" in attrs or "plotplace" in str(attrs["src"])
                assert attrs.get("type", "") != "module"  # does not load from file://


def test_the_policy_of_the_page_for_lost_readers_allows_what_is_in_it(built):
    import base64
    import hashlib

    _, out = built
    text = (out / "404.html").read_text()
    csp = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    for tag in ("style", "script"):
        inner = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inner[1].encode()).digest()).decode()
        assert f"'sha256-{digest}'" in csp[1].replace("&#39;", "'")


@pytest.mark.parametrize(
    ("here", "target", "address"),
    [
        ("index.html", "shots/01234/index.html", "shots/01234/index.html"),
        ("shots/01234/langmuir.html", "assets/a.css", "../../assets/a.css"),
        ("shots/01234/reruns/a.html", "shots/01234/index.html", "../index.html"),
        ("a.html", "ranges/01200..01250/p q.html#r-x", "ranges/01200..01250/p%20q.html#r-x"),
        ("a.html", "https://elsewhere.example/x", "https://elsewhere.example/x"),
        ("a.html", "#main", "#main"),
    ],
)
def test_addresses_are_relative_to_their_page(here, target, address):
    assert relative_url(here, target) == address


def test_no_template_name_leaves_its_folder():
    assert safe_name("../../etc") == "~x2e.~x2f..~x2fetc"
    assert safe_name("index") == "index~"
    assert "/" not in safe_name("a/b")


# what pages say ------------------------------------------------------------------------------


def test_states_are_said_in_words_with_their_reasons(built):
    _, out = built
    for path, words in {
        f"shots/0{FIRST + 11}/rf_power.html": ["failed", "det_3 has no calibration", "#r-cell-2"],
        f"shots/0{FIRST + 5}/langmuir.html": ["was skipped", "no probe in the plasma"],
        f"shots/0{FIRST + 12}/langmuir.html": ["ran out of time", "over 120 s"],
        f"shots/0{FIRST + 7}/langmuir.html": ["out of date", "calibration shunt_1 (v2 → v3)"],
        f"shots/0{FIRST + 4}/rf_power.html": ["the kernel died", "left no notebook"],
        f"shots/0{FIRST + 10}/index.html": ["not made yet"],
        f"shots/0{FIRST + 11}/index.html": ["2 things are wrong", "clipped for 3.2 %"],
        f"shots/0{FIRST + 6}/index.html": ["shunt_2", "<del>shunt_1</del>", "no calibration of"],
        "index.html": ["What failed, and why", "the kernel died", "in quarantine", "usually"],
    }.items():
        text = (out / path).read_text().replace("\n", " ")
        for word in words:
            assert word in text, (path, word)


def test_a_rerun_has_an_address_of_its_own_and_says_what_it_is(built):
    _, out = built
    rerun = next((out / "shots/01244/reruns").glob("*.html"))
    current = Page(rerun)
    assert "This is a re-run" in current.text
    assert "../langmuir.html" in [address for _, address in current.links()]
    for path in ("shots/01244/index.html", "shots/01244/langmuir.html"):
        assert any(a.endswith(rerun.name) for _, a in page(out, path).links())
    assert "re-run" not in (out / "shots/01243/langmuir.html").read_text()


def test_the_same_report_of_the_neighbours_is_one_step_away(built):
    _, out = built
    current = page(out, f"shots/0{FIRST + 1}/rf_power.html")
    assert current.first("a", rel="prev")["href"] == f"../0{FIRST}/rf_power.html"
    # the next shot has no such report yet: its own page stands in
    assert current.first("a", rel="next")["href"] == f"../0{FIRST + 2}/index.html"


def test_a_report_says_how_to_fork_and_rerun_it(built):
    _, out = built
    text = (out / "shots/01244/langmuir.html").read_text()
    assert 'data-copy="ishtar fork 1244 langmuir -o mine.ipynb"' in text
    assert 'data-copy="ishtar rerun 1244 langmuir -p t_start=0.5"' in text
    assert "https://hub.example.org/hub/user-redirect/lab/tree/reports/01244/langmuir/" in text


def test_markup_in_names_and_comments_is_shown_as_text(built):
    _, out = built
    for current in pages(out):
        assert "<script>alert" not in current.text
        assert "onclick=x()>bold" not in current.text, current.path
    escaped = "&lt;script&gt;alert(&#34;shot&#34;)&lt;/script&gt;"
    for path in ("index.html", "days/2026-11-22.html", f"shots/0{FIRST + 8}/index.html"):
        assert escaped in (out / path).read_text(), path


def test_formulas_are_mathml_and_numbers_have_units(built):
    _, out = built
    text = (out / "shots/01230/langmuir.html").read_text()
    assert text.count("<math") == 6
    assert "m⁻³" in text
    day = (out / "days/2026-11-22.html").read_text()
    assert "10¹⁷\N{NO-BREAK SPACE}m⁻³" in day  # the head of a column takes the power of ten


def test_the_latest_page_follows_the_newest_shot_and_loads_itself_again(site):
    source, out = site
    assert page(out, "latest.html").first("meta", **{"http-equiv": "refresh"})["content"] == "15"
    assert "1244" in (out / "latest.html").read_text()
    source.records[1245] = replace(source.records[1244], shot=1245)
    publish(source, out, only={Subject.shot(1245)})
    assert ">1245</a>" in (out / "latest.html").read_text()


def test_the_json_of_a_shot_has_its_results(built):
    _, out = built
    data = json.loads((out / "shots/01244/shot.json").read_text())
    by_template = {r["template"]: r for r in data["reports"]}
    te = next(s for s in by_template["langmuir"]["scraps"] if s["name"] == "Te")
    assert te["unit"] == "eV"
    assert te["sigma"] == 0.2
    assert (out / by_template["langmuir"]["html"]).is_file()


def test_the_drawings_are_well_formed_and_described(built):
    _, out = built
    text = (out / "days/2026-11-22.html").read_text()
    drawings = re.findall(r"<svg viewBox.*?</svg>", text, re.DOTALL)
    assert len(drawings) >= 4
    for drawing in drawings:
        root = ElementTree.fromstring(drawing)
        assert root.get("role") == "img"
        assert "1236 to 1244" in root.get("aria-label")


def test_an_empty_workspace_has_a_site(tmp_path):
    done = publish(FakeSource(tmp_path / "reports"), tmp_path / "public")
    assert "Nothing here yet" in (tmp_path / "public" / "index.html").read_text()
    assert "No shots yet" in (tmp_path / "public" / "latest.html").read_text()
    assert done.removed == ()


def test_two_hundred_reports_on_one_shot_stay_readable(site):
    source, out = site
    for i in range(200):
        name = f"extra_{i:03d}"
        source.add_report(receipt(Subject.shot(1236), name, f"Extra {i}"), None)
    publish(source, out, only={Subject.shot(1236)})
    day = page(out, "days/2026-11-22.html")
    assert "203 of 203" in day.text  # all of them count, and take one cell
    assert day.text.count('<td class="reports">') == 9
    assert page(out, "shots/01236/index.html").text.count("<article") == 203


# publishing ----------------------------------------------------------------------------------


def test_the_same_input_gives_the_same_bytes(built, tmp_path):
    source, out = built
    publish(source, tmp_path / "again")
    assert snapshot(tmp_path / "again") == snapshot(out)


def test_publishing_again_writes_nothing(site):
    source, out = site
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
    done = publish(source, out)
    assert done.written == ()
    assert done.removed == ()
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()} == before


def with_another_result(source: FakeSource) -> Subject:
    """Let a report of a shot in the middle have another result and figure; return the shot."""
    subject = Subject.shot(1238)
    old = next(r for r in source.reports(subject) if r.receipt.template == "rf_power")
    scraps = (Scrap(name="max_IC_Pinj", value=1234.0, sigma=10.0, unit="W"),)
    new = replace(old.receipt, digest="f" * 16, scraps=scraps)
    source.add_report(new, plain_cells("RF power", tiny_png(seed=77), "Now with another figure."))
    return subject


def test_a_changed_report_touches_only_the_pages_that_mention_it(site):
    source, out = site
    subject = with_another_result(source)
    before = snapshot(out)
    done = publish(source, out, only={subject})
    figure = next((out / "shots/01238/rf_power").glob("figure-*")).name
    assert {p for p in done.written if not p.startswith("data/") and not p.endswith(".js")} == {
        "shots/01238/rf_power.html",
        "shots/01238/rf_power.ipynb",
        f"shots/01238/rf_power/{figure}",
        "shots/01238/rf_power/thumbnail.png",
        "shots/01238/index.html",
        "shots/01238/scraps.json",
        "shots/01238/shot.json",
        # the courses of their results hold this shot's
        *(f"shots/{n:05d}/index.html" for n in (1239, 1242, 1243, 1244)),
        "days/2026-11-22.html",
        "days/2026-11-22/day.json",
        "weeks/2026-W47.html",
        "months/2026-11.html",
        "templates/rf_power.html",
        "index.html",
        "latest.html",  # the usual range of its results
        "table.html",  # its newest shots
        "shots.xml",
    }
    assert len(done.removed) == 1  # the old figure
    after = snapshot(out)
    assert {p for p in before if after.get(p) != before[p]} == {
        *(set(done.written) & before.keys()),
        *done.removed,
    }


def test_the_courses_of_later_shots_may_follow_when_there_is_time(site):
    source, out = site
    subject = with_another_result(source)
    done = publish(source, out, only={subject}, traces=False)
    assert "shots/01243/index.html" not in done.written
    assert 1243 in done.outdated
    assert subject.number not in done.outdated
    again = publish(source, out, only={Subject.shot(n) for n in done.outdated}, traces=False)
    assert "shots/01243/index.html" in again.written
    publish(source, out, only={Subject.shot(n) for n in again.outdated}, traces=False)
    assert snapshot(out) == snapshot_of_full_build(source, out)
    assert publish(source, out, only={subject}, traces=False).outdated == ()


def test_a_new_shot_touches_its_own_pages_and_those_that_lead_to_it(site):
    source, out = site
    date = datetime(2026, 11, 23, 9, 0, 0)
    source.records[1250] = replace(source.records[1244], shot=1250, date=date)
    source.add_report(
        receipt(Subject.shot(1250), "overview", "Overview"),
        plain_cells("Overview", tiny_png(seed=9), "New."),
    )
    done = publish(source, out, only={Subject.shot(1250)})
    touched = {
        re.sub(r"^(shots/\d+|\w+(?=/)).*", r"\1", p) for p in done.written if p.endswith(".html")
    }
    across = {"compare.html", "search.html", "table.html"}
    lists = {"days", "weeks", "months", "templates", "index.html", "latest.html"}
    assert touched == {"shots/01250", "shots/01244"} | lists | across
    assert {p for p in done.written if p.startswith("weeks/")} == {
        "weeks/2026-W47.html",
        "weeks/2026-W48.html",
    }
    assert "days/2026-11-23.html" in done.written
    assert "days/2026-11-22.html" in done.written  # its link to the next day
    assert snapshot(out) == snapshot_of_full_build(source, out)


def snapshot_of_full_build(source: FakeSource, out: Path) -> dict[str, bytes]:
    fresh = out.parent / "fresh"
    publish(source, fresh)
    return snapshot(fresh)


def test_what_is_gone_is_removed_and_nothing_else(site):
    source, out = site
    del source.records[1244]
    for key in (Subject.shot(1244),):
        source.all_reports.pop(key)
    (out / "robots.txt").write_text("kept")
    (out / "shots/01230/.tmp-leftover").write_text("half a page")
    done = publish(source, out)
    assert not (out / "shots/01244").exists()
    assert (out / "robots.txt").read_text() == "kept"
    assert "shots/01230/.tmp-leftover" in done.removed
    (out / "robots.txt").unlink()
    assert snapshot(out) == snapshot_of_full_build(source, out)


def test_a_removed_shot_goes_in_a_partial_publication_too(site):
    source, out = site
    del source.records[1244]
    source.all_reports.pop(Subject.shot(1244))
    publish(source, out, only={Subject.shot(1244), Subject.day(DAYS[2])})
    assert not (out / "shots/01244").exists()
    assert snapshot(out) == snapshot_of_full_build(source, out)


def test_no_page_points_at_what_is_not_written_yet(site, monkeypatch):
    """At the moment of every write, what the new file links to is there already."""
    source, out = site
    source.records[1245] = replace(source.records[1244], shot=1245)
    source.add_report(
        receipt(Subject.shot(1245), "overview", "Overview"),
        plain_cells("Overview", tiny_png(seed=9), "New."),
    )
    from runner.publish import writer as module

    broken: list[str] = []
    real = module.os.replace

    def checked(temporary, target):
        real(temporary, target)
        target = Path(target)
        if target.suffix == ".html" and target.is_relative_to(out):
            for _, address in Page(target).links():
                parts = urlsplit(address)
                linked = target.parent / unquote(parts.path)
                if not parts.scheme and parts.path and not linked.resolve().is_file():
                    broken.append(f"{target}: {address}")

    monkeypatch.setattr(module.os, "replace", checked)
    publish(source, out, only={Subject.shot(1245)})
    # new pages may point at each other while nothing points at them
    assert [b for b in broken if "01245" not in b.split(":")[0]] == []


def test_an_error_on_the_way_leaves_the_site_as_it_was(site, monkeypatch):
    source, out = site
    source.records[1244] = replace(source.records[1244], problems=["Something new is wrong"])
    before = snapshot(out)

    def fails() -> list[str]:
        raise OSError("no space left on device")

    monkeypatch.setattr(source, "troubles", fails)
    with pytest.raises(OSError, match="no space"):
        publish(source, out)
    assert snapshot(out) == before


def test_a_folder_of_others_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(NotASite, match="empty folder"):
        publish(FakeSource(tmp_path / "reports"), tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["thesis.tex"]


def test_a_body_is_rendered_anew_when_it_is_missing(site):
    source, out = site
    report = source.reports(Subject.shot(1230))[0]
    text = (report.folder / "report.html").read_bytes()
    (report.folder / "report.html").unlink()
    assert publish(source, out, only={Subject.shot(1230)}).written == ()
    assert (report.folder / "report.html").read_bytes() == text


def test_several_processes_render_the_same(site, tmp_path):
    source, out = site
    for fragment in list(source.reports_dir.rglob("report.html"))[:8]:
        fragment.unlink()
    publish(source, tmp_path / "public", workers=2)
    assert snapshot(tmp_path / "public") == snapshot(out)


def test_a_workspace_overrides_a_template(site, tmp_path):
    source, out = site
    (tmp_path / "theme" / "pages").mkdir(parents=True)
    (tmp_path / "theme" / "pages" / "days.html").write_text(
        "{% extends 'pages/base.html' %}{% block main %}<h1>Our days</h1>{% endblock %}"
    )
    done = publish(source, out, theme=tmp_path / "theme")
    assert done.written == ("days/index.html",)
    assert "<h1>Our days</h1>" in (out / "days/index.html").read_text()


def test_a_report_page_is_light(built):
    import gzip

    _, out = built
    text = (out / "shots/01244/langmuir.html").read_bytes()
    linked = re.findall(rb'(?:src|href)="../../(assets/[^"]+)"', text)
    assets = b"".join((out / name.decode()).read_bytes() for name in linked)
    assert len(gzip.compress(text)) + len(gzip.compress(assets)) < 30_000
