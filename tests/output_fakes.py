"""A notebook with every kind of output that a page has to answer for: each with a word to find."""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

from tests.notebook_fakes import code, prints, shows, tiny_png, words

SVG = '<svg width="40" height="20"><rect width="40" height="20" fill="#cde"/><text>{}</text></svg>'
WAV = base64.b64encode(b"RIFF0000WAVE").decode()
ALTAIR = (
    "<VegaLite 5 object>\n\nIf you see this message, it means the renderer has not been properly "
    "enabled for the frontend that you are using."
)
BARE = "<IPython.core.display.HTML object>"
STYLER = """<style type="text/css">
#T_a1b2c th { background: #eee; text-align: left; }
#T_a1b2c tr:hover { background: #ffa; }
#T_a1b2c tr:nth-child(even) td.col0 { border-left: 2px solid #000; }
#T_a1b2c_row0_col1, #T_a1b2c_row1_col0 { background-color: yellow; }
#T_a1b2c_row1_col1 { color: darkred; font-weight: bold; background: url(https://evil.example/); }
#T_a1b2c_row1_col0 { width: 10em; background:
 linear-gradient(90deg, #d65f5f 50.0%, transparent 50.0%); }
</style><table id="T_a1b2c"><thead><tr><th class="blank level0">&nbsp;</th>
<th id="T_a1b2c_level0_col0" class="col_heading level0 col0">Te</th>
<th id="T_a1b2c_level0_col1" class="col_heading level0 col1">ne</th></tr></thead><tbody>
<tr><th id="T_a1b2c_level0_row0" class="row_heading">0</th>
<td id="T_a1b2c_row0_col0" class="data row0 col0">4.1</td>
<td id="T_a1b2c_row0_col1" class="data row0 col1">1.5</td></tr>
<tr><th id="T_a1b2c_level0_row1" class="row_heading">1</th>
<td id="T_a1b2c_row1_col0" class="data row1 col0">5.2</td>
<td id="T_a1b2c_row1_col1" class="data row1 col1">-2.0</td></tr></tbody></table>"""


class Kind(NamedTuple):
    """A cell, and what its part of the page must hold, each as plain text."""

    cell: dict[str, Any]
    says: tuple[str, ...]
    lacks: tuple[str, ...] = ()


def html(source: str, plain: str = BARE, **more: Any) -> dict[str, Any]:
    """Return an output of markup."""
    return shows({"text/html": source, "text/plain": plain, **more})


def raw(source: str, kind: str = "") -> dict[str, Any]:
    """Return a raw cell."""
    metadata = {"raw_mimetype": kind} if kind else {}
    return {"cell_type": "raw", "id": "r", "metadata": metadata, "source": source}


def interactive(name: str) -> str:
    """Return the line that stands for an interactive output."""
    end = " and run it" if name.endswith("widget") else ""
    return f"{name} is not shown here: download the notebook and open it in Jupyter{end}."


SHOWN_KINDS: dict[str, Kind] = {
    "html with a script": Kind(
        code("HTML(…)", html("<p>Te = 4.1 eV</p><script>draw()</script>")),
        ("Te = 4.1 eV", interactive("An interactive part")),
        (BARE, "draw()"),
    ),
    "html with a style": Kind(
        code("HTML(…)", html("<style>p {color: red}</style><p>ne = 2e17</p>")),
        ("ne = 2e17",),
        ("not shown",),
    ),
    "html with a drawing": Kind(
        code("HTML(…)", html("<p>drawn:</p>" + SVG.format("inline &nbsp; words"))),
        ("drawn:",),
        ("not shown",),
    ),
    "html with a form": Kind(
        code("HTML(…)", html("<form><p>Vp = 12 V</p><input type=text><button>go</button></form>")),
        ("Vp = 12 V", "Controls (buttons, fields, sliders) are not shown here"),
    ),
    "html with a frame": Kind(
        code("IFrame(…)", html('<p>see</p><iframe src="https://evil.example/"></iframe>')),
        ("see", "An embedded page is not shown here"),
    ),
    "html with a video": Kind(
        code("Video(…)", html('<video controls src="x.mp4">no video</video>', "<Video object>")),
        ("A video is not shown here",),
    ),
    "html with a canvas": Kind(
        code("HTML(…)", html("<canvas id=c></canvas><script>paint()</script>")),
        ("A drawing by a script is not shown here",),
    ),
    "html of nothing": Kind(
        code("HTML(…)", html("<div id='plot'></div>")),
        (interactive("An output in HTML that is empty without scripts"),),
    ),
    "sound": Kind(
        code("Audio(…)", html(f'<audio src="data:audio/wav;base64,{WAV}"></audio>', "<Audio>")),
        ("A sound is not shown here",),
    ),
    "plotly": Kind(
        code(
            "fig.show()",
            html(
                '<div id="p1"></div><script>Plotly.newPlot("p1")</script>',
                "",
                **{"application/vnd.plotly.v1+json": {"data": [], "layout": {}}},
            ),
        ),
        (interactive("An interactive plotly figure"),),
    ),
    "bokeh, its loader": Kind(
        code(
            "output_notebook()",
            html("<span id='b1'>Loading BokehJS ...</span>"),
            shows({"application/javascript": "…", "application/vnd.bokehjs_load.v0+json": ""}),
        ),
        (interactive("The loader of bokeh"),),
        ("Loading BokehJS",),
    ),
    "bokeh": Kind(
        code(
            "show(p)",
            html('<div id="p1"></div>'),
            shows({"application/javascript": "…", "application/vnd.bokehjs_exec.v0+json": ""}),
        ),
        (interactive("An interactive bokeh figure"),),
    ),
    "holoviews": Kind(
        code(
            "hv.Curve(…)",
            html(
                "<div id='p2'></div><script>bokeh()</script>",
                ":Curve   [x]   (y)",
                **{"application/vnd.holoviews_exec.v0+json": ""},
            ),
        ),
        (":Curve", interactive("An interactive holoviews figure")),
    ),
    "altair": Kind(
        code(
            "chart",
            shows(
                {
                    "application/vnd.vegalite.v5+json": {"mark": "bar"},
                    "text/plain": ALTAIR,
                }
            ),
        ),
        (interactive("An interactive altair (Vega) figure"),),
        ("renderer has not been",),
    ),
    "vega-embed": Kind(
        code("chart", html('<div id="v"></div><script>vegaEmbed("#v")</script>', "alt.Chart(…)")),
        ("alt.Chart(…)", interactive("An interactive altair (Vega) figure")),
    ),
    "matplotlib notebook": Kind(
        code(
            "%matplotlib notebook",
            shows({"application/javascript": "window.mpl = {};", "text/plain": "<Javascript>"}),
        ),
        (interactive("An interactive matplotlib figure"),),
    ),
    "a script": Kind(
        code(
            "Javascript(…)",
            shows({"application/javascript": "f()", "text/plain": "<Javascript object>"}),
        ),
        (interactive("A script (JavaScript)"),),
        ("<Javascript object>",),
    ),
    "widget": Kind(
        code(
            "slider",
            shows(
                {
                    "application/vnd.jupyter.widget-view+json": {"model_id": "x"},
                    "text/plain": "FloatSlider(value=4.1)",
                }
            ),
        ),
        ("FloatSlider(value=4.1)", interactive("An interactive widget")),
    ),
    "no text": Kind(
        code("display(…)", shows({"application/vnd.x.json": '{"Te": 4.25}'})),
        ('{"Te": 4.25}',),
    ),
    "styler": Kind(code("df.style", html(STYLER)), ("4.1", "-2.0"), ("not shown", "url")),
    "json": Kind(
        code("JSON(…)", shows({"application/json": {"gas": "Ar"}, "text/plain": "<JSON object>"})),
        ('"gas": "Ar"',),
        ("<JSON object>",),
    ),
    "latex": Kind(
        code("Latex(…)", shows({"text/latex": "Here $T_e$ is 5 \\% and\n$$\\frac{a}{b}$$"})),
        ("Here", "is 5 % and"),
        ("$",),
    ),
    "latex of a table": Kind(
        code("Latex(…)", shows({"text/latex": "\\begin{tabular}{l}4.1\\\\\\end{tabular}"})),
        ("\\begin{tabular}", "LaTeX other than formulas is shown as source."),
    ),
    "latex of a command": Kind(
        raw("\\LaTeX\n% raw", "text/latex"),
        ("\\LaTeX", "LaTeX other than formulas is shown as source."),
    ),
    "latex without delimiters": Kind(
        code("Latex(…)", shows({"text/latex": "\\frac{a}{b}"})), ("ab",), ("frac", "source")
    ),
    "a cell of an unknown kind": Kind(
        {"cell_type": "hologram", "metadata": {}, "key": 1},
        (interactive("A cell of an unknown kind"),),
    ),
    "a drawing without a namespace": Kind(
        code("SVG(…)", shows({"image/svg+xml": SVG.format("&eacute; free")})), (), ("not shown",)
    ),
    "a PDF": Kind(
        code("pdf", shows({"application/pdf": "JVBERi0=", "text/plain": "<PDF>"})),
        ("A PDF document is not shown here",),
    ),
    "an unknown text": Kind(code("csv", shows({"text/csv": "t,Te\n0,4.1"})), ("t,Te\n0,4.1",)),
    "an output of no known kind": Kind(
        code("?", {"output_type": "hologram"}), ("An output of unknown type is not shown here",)
    ),
    "printed": Kind(code("print()", prints("printed words")), ("printed words",)),
    "alert": Kind(words('<div class="alert alert-warning">Mind the gap</div>'), ("Mind the gap",)),
    "tasks": Kind(words("- [x] calibrated\n- [ ] checked"), ("☑calibrated", "☐checked")),
    "struck out": Kind(words("~~4.1~~ 3.7"), ("4.1 3.7",)),
    "raw": Kind(raw("raw <b>words</b>"), ("raw <b>words</b>",)),
    "raw html": Kind(
        raw("<em>marked</em><script>x()</script>", "text/html"), ("marked",), ("x()",)
    ),
    "attachment with a space": Kind(
        words(
            "![one](attachment:a%20b.png) ![two](attachment:c d.png)",
            attachments={
                "a b.png": {"image/png": tiny_png(seed=11)},
                "c d.png": {"image/png": tiny_png(seed=12)},
            },
        ),
        (),
        ("not shown",),
    ),
    "attachment with an umlaut": Kind(
        words(
            "![x](attachment:Gr%C3%B6%C3%9Fe.png) ![y](attachment:Höhe.png)",
            attachments={
                "Größe.png": {"image/png": tiny_png(seed=13)},
                "Ho\u0308he.png": {"image/png": tiny_png(seed=14)},
            },
        ),
        (),
        ("not shown",),
    ),
    "attachment in html": Kind(
        words(
            '<img src="attachment:image.png" width="300px"/>',
            attachments={"image.png": {"image/png": tiny_png(seed=15)}},
        ),
        (),
        ("not shown",),
    ),
    "attached drawing": Kind(
        words(
            "![s](attachment:s.svg) ![t](attachment:t.svg)",
            attachments={
                "s.svg": {"image/svg+xml": SVG.format("plain")},
                "t.svg": {"image/svg+xml": base64.b64encode(SVG.format("b64").encode()).decode()},
            },
        ),
        (),
        ("not shown",),
    ),
}
