"""Every output leaves itself, made harmless, or one line that says what is missing."""

from __future__ import annotations

import contextlib
import json
import re
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest
from markupsafe import Markup
from PIL import ImageColor

from runner.render.fragment import read_fragment
from runner.render.images import Gallery
from runner.render.notebook import renderer_version
from runner.render.sanitise import Document, clean_output
from runner.render.styles import StyleSheet, read_color, read_declarations
from runner.render.svg import UnusableImage
from runner.render.theme import Theme
from tests.notebook_fakes import code, notebook, raises, shows, words
from tests.output_fakes import ALTAIR, SHOWN_KINDS, STYLER, html
from tests.test_publish_notebook import Tags, assert_harmless, body_of

PICTURES = {
    "html with a drawing": 1,
    "a drawing without a namespace": 1,
    "attachment with a space": 2,
    "attachment with an umlaut": 2,
    "attachment in html": 1,
    "attached drawing": 2,
}


def text_of(body: str) -> str:
    """Return the words that a reader sees, code left out."""
    return unescape(re.sub(r"<details.*?</details>|<[^>]*>", "", body, flags=re.DOTALL))


@pytest.mark.parametrize("name", SHOWN_KINDS)
def test_an_output_leaves_itself_or_a_line(name, tmp_path):
    kind = SHOWN_KINDS[name]
    body = body_of([kind.cell], tmp_path)
    assert_harmless(body)
    seen = text_of(body)
    for text in kind.says:
        assert text in seen, seen
    for text in kind.lacks:
        assert text not in seen, seen
    assert len(Tags(body).all("img")) == PICTURES.get(name, 0)
    assert seen.strip() or PICTURES.get(name), "nothing is left"


@pytest.mark.filterwarnings("ignore:Your element with mimetype")
def test_what_nbconvert_shows_of_all_of_them_has_its_place_or_a_line(tmp_path):
    """Words that nbconvert's page has, which shows everything but is not safe."""
    from nbconvert import HTMLExporter

    unknown = {"an output of no known kind", "a cell of an unknown kind"}
    refused = unknown | {name for name in SHOWN_KINDS if "attach" in name}
    cells = [kind.cell for name, kind in SHOWN_KINDS.items() if name not in refused]
    body = body_of(cells, tmp_path)
    for number, cell in enumerate(cells):
        cell["id"] = f"c{number}"
    book = nbformat.reads(notebook(cells), as_version=4)
    theirs, _ = HTMLExporter(template_name="basic").from_notebook_node(book)
    without = r"<(script|style|video|audio|canvas|button|svg)\b.*?</\1>|<!--.*?-->|<[^>]*>"
    seen = unescape(re.sub(without, " ", theirs, flags=re.DOTALL))
    missing = set(re.findall(r"\w{2,}", seen))
    missing -= set(re.findall(r"\w{2,}", unescape(re.sub(r"<[^>]*>", " ", body))))
    assert missing <= BY_LINES, sorted(missing - BY_LINES)


# Names of objects, loaders and numbers of cells: our lines say what they are.
BY_LINES = {
    *("In", "IPython", "core", "display", "object", "Loading", "BokehJS", "frac", "T_e"),
    *re.findall(r"\w{2,}", ALTAIR),
}


# styles ----------------------------------------------------------------------------------------


def css_of(folder: Path) -> str:
    fragment = read_fragment(folder, renderer_version(Theme.load()))
    return (folder / "figures" / fragment.styles).read_text() if fragment.styles else ""


def looks(body: str, css: str, text: str) -> str:
    """Return the declarations of the element that holds a text."""
    (name,) = re.findall(rf'class="(?:[\w ]* )?(o-\w+)">(?:<[^>]*>)*{re.escape(text)}<', body)
    (found,) = re.findall(rf"^\.body \.{name}\.{name} {{ (.*?) }}$", css, re.M)
    return found


def test_a_styler_keeps_its_colours_in_classes(tmp_path):
    body = body_of([code("df.style", html(STYLER))], tmp_path)
    css = css_of(tmp_path)
    assert looks(body, css, "1.5") == "background-color: #ffff00; color: #000000"
    assert looks(body, css, "-2.0") == "color: #8b0000; font-weight: bold"
    assert "linear-gradient(90deg, #d65f5f 50.0%, transparent 50.0%)" in looks(body, css, "5.2")
    assert looks(body, css, "Te") == "background: #eeeeee; text-align: left; color: #000000"
    assert "border-left: 2px solid #000000" in css
    assert "#ffffaa" not in css  # hover
    assert not re.search(r"url|evil|position|@import", css)
    link = Tags(body).all("link")
    assert [x["rel"] for x in link] == ["stylesheet"]
    assert (tmp_path / link[0]["href"]).is_file()


def test_a_real_styler_has_the_colours_that_pandas_gives_it(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"Te": [4.1, 5.25], "ne": [1.5, -2.75]})
    style = frame.style.highlight_max(color="#abcdef").format(precision=2)
    body = body_of([code("df.style", html(style.to_html()))], tmp_path)
    css = css_of(tmp_path)
    assert looks(body, css, "5.25") == looks(body, css, "1.50")
    assert looks(body, css, "5.25") == "background-color: #abcdef; color: #000000"


def test_colours_without_number_are_cut_with_a_line():
    cells = "".join(
        f'<td style="color: #{k:06x}; background: #{k:06x}">{k}</td>' for k in range(250)
    )
    clean = clean_output(f"<table><tr>{cells}</tr></table>", Document(styles=StyleSheet(200)))
    assert clean.html.count("o-") == 200
    assert "Not all colours of this output are shown" in clean.note


def test_an_inline_style_is_kept_where_it_is_harmless(tmp_path):
    span = '<span style="color: #c00; position: fixed">red</span>'
    body = body_of([words(f"A {span} word"), code("HTML", html(f"<p>{span}</p>"))], tmp_path)
    assert looks(body.partition("cell")[0], css_of(tmp_path), "red") == "color: #cc0000"
    assert "position" not in css_of(tmp_path)
    assert_harmless(body)


@pytest.mark.parametrize(
    "style",
    [
        "background: url(https://evil.example/x)",
        "background-image: url(x)",
        "background: linear-gradient(90deg, url(x) 50%, red)",
        "background: image-set('x' 1x)",
        "position: fixed; inset: 0; z-index: 9",
        "color: expression(alert(1))",
        "color: red} body {display: none",
        "color: var(--x)",
        r"c\6flor: red",
        "width: 9999px",
        "width: calc(100vw)",
        "font-size: 300px",
        "border: 900px solid red",
        "content: 'x'",
        "margin: -500px",
        "transform: scale(90)",
        "color: red /* */ url(x)",
        "font-family: x",
        "behavior: url(x)",
    ],
)
def test_no_style_leaves_its_box(style):
    assert read_declarations(style) == {}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("red", "#ff0000"),
        ("#AbC", "#aabbcc"),
        ("#aabbcc80", "#aabbcc80"),
        ("rgb(1, 2, 3)", "#010203"),
        ("rgba(255 0 0 / 50%)", "#ff000080"),
        ("hsl(120deg, 100%, 25%)", "#008000"),
        ("hsl(120, 100%, 25%)", "#008000"),
    ],
)
def test_colours_are_read_as_css_means_them(text, shown):
    assert read_color(text).css == shown


def test_a_colour_by_name_is_the_same_after_somebody_else_looked_it_up():
    ImageColor.getrgb("teal")
    assert read_color("teal").css == "#008080"


@pytest.mark.parametrize("text", ["", "rgb(1,2)", "rgb(a,b,c)", "#12", "reddish", "rgb(1,2,3"])
def test_what_is_no_colour_is_none(text):
    assert read_color(text) is None


# what a page survives --------------------------------------------------------------------------


def test_an_alert_its_kind_and_struck_out_words_are_marked(tmp_path):
    body = body_of(
        [words('<div class="alert alert-danger" id="main">x</div>\n\n~~4.1~~')], tmp_path
    )
    assert '<div class="alert alert-danger">' in body
    assert "<del>4.1</del>" in body


def test_boxes_to_tick_are_told_apart(tmp_path):
    body = body_of([words("- [x] a\n- [ ] b")], tmp_path)
    assert [s.get("aria-label") for s in Tags(body).all("span")] == ["done", "to do"]


def test_one_output_that_cannot_be_shown_leaves_a_line_and_all_others(tmp_path, monkeypatch):
    def refuses(html, document):
        raise RuntimeError("of a library")

    monkeypatch.setattr("runner.render.outputs.clean_output", refuses)
    body = body_of([code("x", html("<p>a</p>"), shows({"text/plain": "after"}))], tmp_path)
    assert "An output cannot be shown here (RuntimeError)" in body
    assert "after" in body


def test_one_text_that_cannot_be_read_is_shown_as_written(tmp_path):
    body = body_of([words("> " * 3000 + "deep"), words("after")], tmp_path)
    assert "deep" in body
    assert "after" in body


def test_code_that_no_parser_takes_is_shown_as_it_is(tmp_path):
    source = "x = " + "-" * 200_000 + "1"
    body = body_of([code(source, tags=["parameters"]), words("after")], tmp_path)
    assert source in body
    assert "after" in body


@pytest.mark.parametrize("tag", ["div", "b", "span", "table"])
def test_elements_without_end_take_no_time(tag):
    clean = clean_output(f"<{tag}>" * 300_000, Document())
    assert clean.html == ""
    assert "only in the notebook" in clean.note


@pytest.mark.parametrize(
    "piece",
    ["<svg", "<svg>", "</svg>", "<style>", "<script ", "<!--", "<input ", "<a href=", "@x{"],
)
def test_markup_that_never_closes_takes_no_time(piece):
    clean_output(piece * 60_000, Document())
    clean_output(f"<style>{piece * 60_000}</style><p style='{piece * 1000}'>x</p>", Document())


def test_an_id_or_class_of_an_output_never_reaches_the_page():
    clean = clean_output(
        '<p id="main" class="skip o-12345678 hl"><a href="#main">x</a></p>', Document()
    )
    assert clean.html == '<p><a rel="noopener noreferrer">x</a></p>'


def test_a_displayed_formula_can_be_reached_by_keyboard(tmp_path):
    body = body_of([words("$$a$$ and $b$"), code("L", shows({"text/latex": "$$c$$"}))], tmp_path)
    reached = [a.get("tabindex") for a in Tags(body).all("math")]
    assert reached == ["0", None, "0"]


def test_cells_have_the_numbers_that_their_author_sees(tmp_path):
    cells = [
        words("# Title"),
        code("shot = 1", tags=["parameters"]),
        code("shot = 7", tags=["injected-parameters"]),
        code("1 / 0", raises("ZeroDivisionError", "division by zero")),
    ]
    assert 'id="r-cell-2"' in body_of(cells, tmp_path)


def test_a_scrap_that_is_none_leaves_a_line(tmp_path):
    odd = shows({"application/scrapbook.scrap.json+json": json.loads("[4.75]")})
    assert "4.75" in Markup(body_of([code("x", odd)], tmp_path)).striptags()


# Drawings

LINKED = (
    '<a xlink:href="https://wiki.example/shot"><path d="M0 0L9 9"/></a>',
    ["g", "path"],
    (),
)
LINK, STYLES = ["external pictures and parts"], ["some of its styles"]
LABELLED = (
    "<switch><foreignObject><p>T_e</p></foreignObject><text>T_e</text></switch>",
    ["switch", "text"],
    (),
)


@pytest.mark.parametrize(
    ("inside", "kept", "lost"),
    [
        LINKED,
        LABELLED,
        ("<path id='p' d='M0 0'/><text><textPath href='#p'>along</textPath></text>", 3, ()),
        ("<filter id='f'><feGaussianBlur/></filter><rect filter='url(#f)'/>", 3, ()),
        ("<metadata>x</metadata><!-- y --><rect/>", ["rect"], ()),
        ("<foreignObject><p>T_e</p></foreignObject>", [], ["text boxes in HTML"]),
        ("<script>draw()</script>", [], ["drawings by scripts"]),
        ("<rect><animate attributeName='x'/></rect>", ["rect"], ["animations"]),
        ("<hatch/>", [], ["parts of unknown type"]),
        ("<image href='p.png'/>", ["image"], ["external pictures and parts"]),
        ("<use href='other.svg#x'/>", ["use"], ["external pictures and parts"]),
        ("<image href='data:image/gif;base64,R0'/>", ["image"], ()),
        ("<style onload='draw()' href='http://e.example/x'>a{}</style>", ["style"], LINK),
        ("<a onclick='draw()' style='fill:red;x:url(http://e.example)'><path/></a>", 2, STYLES),
        ("<text>x<a href='https://e.example'>y</a>z</text>", ["text", "tspan"], ()),
        ("<g id='g'/><rect style='fill:url( #g )'/>", ["g", "rect"], ()),
        ("<g id='image (2)'/><use href='#image (2)'/>", ["g", "use"], ()),
        ("<style>.a{fill:url(//e.example/x)}.b{fill:red}</style>", 1, ["some of its styles"]),
    ],
)
def test_a_drawing_keeps_what_is_drawn_and_names_what_it_has_lost(inside, kept, lost):
    gallery = Gallery()
    space = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    picture = gallery.add("image/svg+xml", f"<svg {space}>{inside}</svg>")
    root = ElementTree.fromstring(gallery.files[picture.file])
    names = [e.tag.rpartition("}")[2] for e in root.iter()][1:]
    assert (len(names) if isinstance(kept, int) else names) == kept
    assert list(picture.lost) == list(lost)
    text = gallery.files[picture.file].decode()
    assert not any(word in text for word in ("example", "p.png", "other.svg", "draw()"))
    if "url( #g )" in inside or "image (2)" in inside:
        assert "#g )" in text or 'id="image (2)"' in text


@pytest.mark.parametrize(
    ("style", "kept"),
    [
        ("@font-face{font-family:x;src:url(a.woff)} .r{fill:red}", ".r{fill:red}"),
        ("@import 'http://e.example/a.css'; .r{fill:red}", ".r{fill:red}"),
        ("@namespace svg url(http://www.w3.org/2000/svg);.r{fill:red}", ".r{fill:red}"),
        (
            "/* see http://e.example/ */ .r{fill:red} .s{stroke:blue}",
            ".r{fill:red} .s{stroke:blue}",
        ),
        ("*{stroke-linejoin:round}", "*{stroke-linejoin:round}"),
        (".a{fill:red", ".a{fill:red}"),
        ("@import 'a;b.css'; .a{fill:red}", ".a{fill:red}"),
    ],
)
def test_a_drawing_keeps_the_styles_that_lead_nowhere(style, kept):
    gallery = Gallery()
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><style>{style}</style></svg>'
    picture = gallery.add("image/svg+xml", svg)
    root = ElementTree.fromstring(gallery.files[picture.file])
    assert (root[0].text or "").strip() == kept
    assert picture.lost == ()


@pytest.mark.parametrize("piece", ["image-", "src", "url(", "/*", "@", "{", "<g a='"])
def test_a_drawing_takes_no_time_whatever_it_repeats(piece):
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><g style="b:{piece * 40_000}"/><style>'
    with contextlib.suppress(UnusableImage):
        Gallery().add("image/svg+xml", f"{svg}{piece * 40_000}</style></svg>")


def test_what_a_drawing_has_lost_stands_below_it(tmp_path):
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><foreignObject/><rect/></svg>'
    body = body_of([code("", shows({"image/svg+xml": svg}))], tmp_path)
    line = "Not all of this drawing is shown here (text boxes in HTML)"
    assert line in body
    assert line in body_of([code("", shows({"text/html": f"<p>a</p>{svg}"}))], tmp_path)


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ('<p>done</p><progress value=3 max="10">3</progress>', "[3 of 10]"),
        ("<meter value='.7'></meter>", "[.7 of 1]"),
        ("<progress>", "[… of 1]"),
        ("<p><progress value=3 max=10></p><p>Te = 4.1 eV</p>", "Te = 4.1 eV"),
    ],
)
def test_bars_are_shown_as_numbers(html, shown):
    assert shown in clean_output(html, Document()).html


@pytest.mark.parametrize("address", ["o.csv", "data:text/csv;base64,QQ==", "files/o.csv", "./o"])
def test_a_link_to_a_file_beside_the_notebook_is_told(tmp_path, address):
    told = "A link to a file next to the notebook, or in it, is not shown here"
    assert told in body_of([code("", shows({"text/html": f"<a href='{address}'>o</a>"}))], tmp_path)
    for good in ("https://x.example/", "mailto:a@x.example", "#end"):
        html = f"<a href='{good}'>o</a>"
        assert told not in body_of([code("", shows({"text/html": html}))], tmp_path)


def test_a_link_to_an_attachment_of_a_text_is_told(tmp_path):
    body = body_of([words("[data](attachment:x.csv)")], tmp_path)
    assert "A link to a file next to the notebook, or in it, is not shown here" in body
