"""From an executed notebook to the body of a page."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runner.render.fragment import read_fragment
from runner.render.images import Gallery
from runner.render.mathml import to_mathml
from runner.render.notebook import render_report, renderer_version
from runner.render.outputs import terminal_html
from runner.render.parameter_table import parameter_rows
from runner.render.sanitise import MAX_TABLE_ROWS, Document, clean_output
from runner.render.styles import StyleSheet
from runner.render.svg import UnusableImage
from runner.render.theme import Theme
from tests.notebook_fakes import (
    HOSTILE_SVG,
    TRACEBACK,
    code,
    glued,
    hostile_cells,
    langmuir_cells,
    notebook,
    prints,
    raises,
    shows,
    tiny_png,
    words,
)

pytestmark = pytest.mark.whole

FORBIDDEN_TAGS = {"script", "style", "iframe", "form", "input", "base", "meta", "object", "embed"}
PNG = tiny_png()


class Tags(HTMLParser):
    """Collects elements with their attributes, as a browser would see them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, {k: v or "" for k, v in attrs}))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for t, attrs in self.found if t == tag]


def assert_harmless(html: str) -> None:
    """Fail for anything in markup that could act, or ask for something elsewhere."""
    for tag, attrs in Tags(html).found:
        assert tag not in FORBIDDEN_TAGS
        for name, value in attrs.items():
            assert not name.startswith("on"), (tag, name)
            assert name != "style", (tag, value)
            assert "javascript:" not in value.lower() or name in {"alt", "title"}
            if name == "src":
                assert value.startswith("figures/"), value
            if name == "href":
                assert value.startswith(("https://", "http://", "mailto:", "#", "figures/"))


def body_of(cells, folder: Path) -> str:
    """Render a notebook of these cells."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.ipynb").write_text(notebook(cells), encoding="utf-8")
    render_report(folder / "report.ipynb", folder)
    fragment = read_fragment(folder, renderer_version(Theme.load()))
    assert fragment is not None
    return fragment.body


# the whole report ----------------------------------------------------------------------------


def test_a_report_has_its_figures_in_files_with_their_size(tmp_path):
    figures = {"langmuir": tiny_png(80, 50), "sweep": tiny_png(60, 36, seed=1)}
    (tmp_path / "report.ipynb").write_text(notebook(langmuir_cells(7, figures)), encoding="utf-8")
    rendered = render_report(tmp_path / "report.ipynb", tmp_path)
    assert len(rendered.figures) == 2
    for name, png in zip(rendered.figures, (figures["sweep"], figures["langmuir"]), strict=True):
        assert (tmp_path / "figures" / name).read_bytes() == base64.b64decode(png)
    fragment = read_fragment(tmp_path, renderer_version(Theme.load()))
    images = Tags(fragment.body).all("img")
    assert [(i["width"], i["height"]) for i in images] == [("60", "36"), ("80", "50")]
    assert images[0]["alt"] == "One sweep at t = 2.0 s: current against bias."
    assert images[1]["alt"] == "Figure 2: Temperature and density"
    assert fragment.title == "Langmuir probe"
    assert [h.text for h in fragment.contents] == ["The sweeps", "Temperature and density"]
    assert fragment.thumbnail is not None
    assert (tmp_path / "thumbnail.png").is_file()


def test_a_figure_is_described_by_the_text_above_it(tmp_path):
    body = body_of(
        [
            words("## Sweeps\n\nFigure 1: current $I$ against *bias*."),
            code("plot()", shows({"image/png": PNG})),
            words("More."),
            code("plot()", shows({"image/png": tiny_png(seed=2)})),
        ],
        tmp_path,
    )
    alts = [i["alt"] for i in Tags(body).all("img")]
    assert alts == ["Figure 1: current I against bias.", "Figure 2: Sweeps"]


def test_the_title_is_left_to_the_page_and_ids_are_the_reports_own(tmp_path):
    body = body_of(
        [words("# Title"), words("## Main\n\n## Main\n\n# Late\n\n[go](#Main)")], tmp_path
    )
    assert "Title" not in body
    assert "<h1" not in body
    ids = re.findall(r'id="([^"]+)"', body)
    assert ids == ["r-main", "r-main-2", "r-late"]
    assert '<a href="#r-main">' in body


def test_rendering_again_gives_the_same_bytes_and_drops_old_figures(tmp_path):
    body_of([words("$x$"), code("a", shows({"image/png": tiny_png(seed=3)}))], tmp_path)
    body_of([words("$x$"), code("a", shows({"image/png": PNG}))], tmp_path)
    first = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert len(list((tmp_path / "figures").iterdir())) == 1
    body_of([words("$x$"), code("a", shows({"image/png": PNG}))], tmp_path)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == first


def test_parameters_are_a_table_with_what_was_given(tmp_path):
    rows = parameter_rows(
        't0: float = 0.0  # [s] start <b>\ngas = "Ar"\nn: int = 3  # sweeps', "t0 = 0.5\nn = 3"
    )
    assert [(r.name, r.value, r.unit, r.default) for r in rows] == [
        ("t0", "0.5", "s", "0.0"),
        ("gas", "'Ar'", "", ""),
        ("n", "3", "", ""),
    ]
    assert parameter_rows("this is = no python") == ()
    body = body_of(langmuir_cells(7, {"langmuir": PNG, "sweep": PNG}), tmp_path)
    assert body.count("<caption>Parameters</caption>") == 1
    assert "shot = 7" not in body  # the injected cell is in the table
    assert "instead of" in body


def test_code_is_folded_but_there_and_tags_are_respected(tmp_path):
    body = body_of(
        [
            code("# Fit the sweep\nfit()", prints("out")),
            code("secret()", prints("x"), tags=["hide"]),
            code("no_source()", prints("kept"), tags=["hide-input"]),
            code("no_output()", prints("gone"), tags=["remove-output"]),
        ],
        tmp_path,
    )
    assert body.count('<details class="code">') == 2
    assert "Fit the sweep" in body
    assert "secret" not in body
    assert "no_source" not in body
    assert "kept" in body
    assert "no_output" in body
    assert "gone" not in body


def test_a_line_of_millions_of_characters_is_cut_as_any_long_text(tmp_path):
    body = body_of([code("run", prints("xy" * 5_000_000))], tmp_path)
    assert len(body) < 1_000_000
    assert "more characters are in the notebook." in body


def test_a_glued_value_is_no_output_and_a_progress_bar_only_its_end(tmp_path):
    body = body_of(
        [
            code("glue", glued("Te", 4.1)),
            code("run", prints("10%\r", "stderr"), prints("99%\n", "stderr")),
        ],
        tmp_path,
    )
    assert "4.1" not in body
    assert "scrapbook" not in body
    assert "99%" in body
    assert "10%" not in body


def test_an_exception_shows_its_message_and_folds_its_traceback(tmp_path):
    (tmp_path / "report.ipynb").write_text(
        notebook([code("x", raises("MissingCalibration", "det_3 has none", TRACEBACK))])
    )
    render_report(tmp_path / "report.ipynb", tmp_path)
    fragment = read_fragment(tmp_path, renderer_version(Theme.load()))
    assert fragment.failed_cell == "r-cell-1"
    assert "<strong>MissingCalibration</strong>: det_3 has none" in fragment.body
    assert '<span class="ansi-red-fg">' in fragment.body
    assert "\x1b" not in fragment.body


def test_a_skip_is_no_failure(tmp_path):
    body = body_of([code("skip(...)", raises("ReportSkipped", "no plasma", ["x"]))], tmp_path)
    assert "The report ends here: no plasma" in body
    assert "failed" not in body


def test_papermills_words_about_a_failure_are_left_out(tmp_path):
    cell = words('<span style="color:red">An Exception was encountered</span>')
    cell["metadata"] = {"tags": ["papermill-error-cell-tag"]}
    assert "Exception" not in body_of([cell, words("text")], tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[]",
        b'{"cells": 5}',
        b'{"cells": [5, {"cell_type": "code", "outputs": 3, "source": 4, "metadata": []}]}',
        b'{"cells": [{"cell_type": "markdown", "source": ["# a", 3], "attachments": "x"}]}',
        b'{"cells": [{"cell_type": "code", "outputs": [{"output_type": "error"}]}]}',
        b'{"cells": [{"cell_type": "code", "outputs": [{"output_type": "stream", "name": 3}]}]}',
    ],
)
def test_a_damaged_notebook_still_gets_a_page(tmp_path, content):
    (tmp_path / "report.ipynb").write_bytes(content)
    render_report(tmp_path / "report.ipynb", tmp_path)
    assert read_fragment(tmp_path, renderer_version(Theme.load())) is not None


def test_a_body_of_another_renderer_or_without_its_figures_counts_as_missing(tmp_path):
    body_of([code("a", shows({"image/png": PNG}))], tmp_path)
    assert read_fragment(tmp_path, "another") is None
    next((tmp_path / "figures").iterdir()).unlink()
    assert read_fragment(tmp_path, renderer_version(Theme.load())) is None


# formulas ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tex",
    [
        r"\frac{a}{b}",
        r"\sqrt{\frac{m_i}{k T_e}}",
        r"n_{e,\mathrm{sat}} \propto T_e^{-1/2}",
        r"\begin{aligned}a &= b \\ c &= d\end{aligned}",
        r"\begin{align}a &= b\label{eq:a} \\ c &= d\end{align}",
        r"\begin{split}a &= b\end{split}",
        r"\int_0^\infty e^{-x^2}\,\mathrm{d}x",
        r"\left(\frac{\partial \ln I}{\partial U}\right)^{-1}",
        r"\bm{B}\cdot\nabla\times\vec{E}",
        r"10^{17}\ \mathrm{m}^{-3}",
        r"\color{red} x",
    ],
)
def test_formulas_become_mathml_without_styles(tex):
    root = ElementTree.fromstring(to_mathml(tex, display=True))
    assert root.tag == "math"
    assert root.get("display") == "block"
    assert not any("style" in e.attrib for e in root.iter())


def test_a_formula_that_cannot_be_read_stays_as_its_source():
    html = to_mathml(r"\unknown{x} <b>", display=False)
    assert html == '<code class="tex">\\unknown{x} &lt;b&gt;</code>'


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=r"\{}$&^_<>'\"abcefnrtx012+=-/ ", max_size=40))
def test_no_tex_breaks_out_of_its_formula(tex):
    assert_harmless(to_mathml(tex, display=False))
    ElementTree.fromstring(to_mathml(tex, display=True))


def test_formulas_of_a_text_cell_are_set_in_place(tmp_path):
    body = body_of(
        [words("Code `$x$`.\n\n$$\\frac{a}{b}$$ and $T_e$\n\n| $a$ |\n|---|\n| $b$ |")],
        tmp_path,
    )
    assert body.count("<math") == 4
    assert "<code>$x$</code>" in body


# untrusted -----------------------------------------------------------------------------------


def test_a_hostile_notebook_reaches_nothing_around_it(tmp_path):
    body = body_of(hostile_cells(), tmp_path)
    assert_harmless(body)
    tags = Tags(body)
    assert not any("id" in a and not a["id"].startswith("r-") for _, a in tags.found)
    assert {"href": "https://good.example/", "rel": "noopener noreferrer"} in tags.all("a")
    assert "T_e &lt;eV&gt;" in body  # the table itself is kept
    assert "evil.example" not in body.replace("print", "")
    assert "more characters are in the notebook" in body
    assert len(body) < 60_000
    svg = "".join(p.read_text() for p in (tmp_path / "figures").glob("*.svg"))
    assert "safe text" in svg
    assert "sly text" in svg
    for word in ("script", "onload", "foreignObject", "evil", "javascript"):
        assert word not in svg


DEEP = 5000


@pytest.mark.parametrize(
    "cell",
    [
        code("", prints(f"\x1b[{'1' * DEEP}mpast it")),
        code("", raises("Error", "past it", [f"\x1b[{'9' * DEEP}m"])),
        code("", prints("x" * 3_000_000), prints("past it", "stderr")),
        code("", shows({"image/svg+xml": "<g>" * DEEP + "</g>" * DEEP})),
        words("$" + r"\sqrt{" * 500 + "}" * 500 + "$ past it"),
        words("$" + "{" * DEEP + "}" * DEEP + "$ past it"),
        words("$" + r"\bigl(" * 40 + "$ past it"),
    ],
    ids=["colour", "traceback", "line", "svg", "formula", "braces", "brackets"],
)
def test_what_is_made_to_choke_on_is_no_more_than_badly_shown(cell, tmp_path):
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9">{}</svg>'
    for output in cell.get("outputs", []):
        if drawing := output.get("data", {}).get("image/svg+xml"):
            output["data"]["image/svg+xml"] = svg.format(drawing)
            cell["outputs"].append(prints("past it"))
            break
    assert "past it" in body_of([cell], tmp_path)


@pytest.mark.parametrize(
    "size",
    ['width="1.2.3" height="4"', 'viewBox="0 0 nan nan"', 'viewBox="0 0 -inf inf"', 'width="9"'],
)
def test_a_drawing_whose_size_is_none_gets_the_usual_one(size):
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size}></svg>'
    picture = Gallery().add("image/svg+xml", svg)
    assert (picture.width, picture.height) == (640, 480)


def test_a_line_that_was_written_over_shows_what_a_terminal_would(tmp_path):
    bar = "".join(f"{i} %\r" for i in range(100)) + "done\r\nnext"
    body = body_of([code("", prints(bar))], tmp_path)
    assert ">done\nnext<" in body


PIECES = st.sampled_from(
    str.split(
        """<script> </script> <b> </b> <table> <tr> <td> </table> <img src=x onerror=a()> <svg>
        <math> <a href="javascript:x()"> href='data:text/html,x' <style> </style> <!-- --> "> '>
        <iframe <p id=main style=x onclick=y <h2> </h2> $x$ $$ \\( ` ``` &lt; &#x6a; ![c](d)
        [a](javascript:b) <details open> <noscript> <title> <textarea> <div title=" <br/> ]]>
        <![CDATA[ \x00 é text"""
    )
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=12), st.sampled_from(["", " ", "\n", "\n\n"]))
def test_no_mixture_of_markup_gets_through(pieces, between):
    from runner.render.markdown import markdown_to_html

    source = between.join(pieces)
    assert_harmless(clean_output(source, Document()).html)
    assert_harmless(markdown_to_html(source, Document(), {}).html)


def test_a_huge_table_is_cut_and_says_so():
    rows = "".join(f"<tr><td>{i}</td></tr>" for i in range(5000))
    clean = clean_output(f"<table>{rows}</table><p>after</p>", Document())
    assert clean.html.count("<tr>") == MAX_TABLE_ROWS
    assert "after" in clean.html
    assert "4600 more rows are in the notebook" in clean.note


def test_a_table_scrolls_in_its_own_box():
    html = clean_output("<table><tr><td>1</td></tr></table>", Document()).html
    assert html.startswith('<div class="scroll" tabindex="0" role="region"')
    assert html.endswith("</table></div>")


def test_interactive_output_falls_back_to_its_text(tmp_path):
    body = body_of(
        [
            code(
                "ds",
                shows(
                    {
                        "text/html": "<div><style>.xr-wrap{}</style><input></div>",
                        "text/plain": "<xarray.Dataset>",
                    }
                ),
            )
        ],
        tmp_path,
    )
    assert "&lt;xarray.Dataset&gt;" in body


def test_pictures_in_text_come_from_the_notebook_itself(tmp_path):
    cell = words(
        "![probe](attachment:probe.png) ![data](data:image/png;base64,"
        + PNG
        + ") ![no](probe.png)",
        attachments={"probe.png": {"image/png": tiny_png(seed=5)}},
    )
    body = body_of([cell], tmp_path)
    assert [i["alt"] for i in Tags(body).all("img")] == ["probe", "data"]
    assert "[picture not shown: no]" in body
    assert len(list((tmp_path / "figures").iterdir())) == 2


@pytest.mark.parametrize(
    ("mime", "content"),
    [
        ("image/png", "bm90IGEgcGljdHVyZQ=="),
        ("image/png", "%%%"),
        ("image/png", ""),
        ("image/svg+xml", "<svg"),
        ("image/svg+xml", "<html/>"),
        (
            "image/svg+xml",
            '<!DOCTYPE x [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg"/>',
        ),
    ],
)
def test_what_is_no_picture_is_not_published(mime, content):
    with pytest.raises(UnusableImage):
        Gallery().add(mime, content)


def test_an_svg_keeps_its_drawing_and_loses_what_acts():
    gallery = Gallery()
    picture = gallery.add("image/svg+xml", HOSTILE_SVG)
    assert (picture.width, picture.height) == (90, 60)
    root = ElementTree.fromstring(gallery.files[picture.file])
    assert [e.tag.rpartition("}")[2] for e in root] == ["g", "image", "rect", "text"]
    assert root[1].attrib == {"width": "9", "height": "9"}
    assert "style" not in root[2].attrib
    assert picture.lost


def test_terminal_colours_become_classes_and_other_escapes_vanish():
    styles = StyleSheet()
    html = terminal_html(
        "\x1b[1;31mred <b>\x1b[0m \x1b[38;5;28mgreen\x1b[39m \x1b[2K\x1b]0;title\x07end", styles
    )
    (green,) = re.findall(r"(o-\w+)\.", styles.css.splitlines()[0])
    assert html == (
        '<span class="ansi-red-intense-fg ansi-bold">red &lt;b&gt;</span> '
        f'<span class="{green}">green</span> end'
    )
    assert re.search(r"color: #00[78]\w00 }", styles.css)


def test_an_exception_has_neither_escapes_nor_control_characters(tmp_path):
    body = body_of(
        [code("", raises("\x1b[31mValueError", "\x1b[1mx\x1b[0m\x00y\x1b]0;t\x07"))], tmp_path
    )
    assert "<strong>ValueError</strong>" in body
    assert "xy" in body


@given(st.text(alphabet='\x1b[]0123;:m48 <&"\x07', max_size=60))
@example("\x1b[38m<i>")
@example("\x1b]a\x1b[31mb\x07c")
def test_no_escape_sequence_reaches_the_page(text):
    html = terminal_html(text, StyleSheet())
    assert "\x1b" not in html
    found = Tags(html).found
    assert {tag for tag, _ in found} <= {"span"}
    assert {name for _, attrs in found for name in attrs} <= {"class"}
    assert html.count("<span") == html.count("</span>")


def test_the_head_of_a_fragment_cannot_end_early(tmp_path):
    body_of([words("# --> <script>alert(1)</script> --!>")], tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert text.index("-->") == text.index("-->\n")
    head = json.loads(text.split("-->\n", 1)[0].removeprefix("<!--ishtar "))
    assert head["title"].startswith("-->")
