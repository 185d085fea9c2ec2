"""Executed notebooks for tests of the site: cells, outputs, pictures, and hostile ones of all."""

from __future__ import annotations

import base64
import json
import random
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

MARKUP = '<script>alert("shot")</script><b onclick=x()>bold</b> & "quotes"'


def notebook(cells: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of a notebook."""
    data = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(data, ensure_ascii=False, indent=1)


def words(source: str, **more: Any) -> dict[str, Any]:
    """Return a text cell."""
    return {"cell_type": "markdown", "id": "w", "metadata": {}, "source": source, **more}


def code(
    source: str, *outputs: Mapping[str, Any], tags: Sequence[str] = (), **metadata: Any
) -> dict[str, Any]:
    """Return a code cell."""
    return {
        "cell_type": "code",
        "id": "c",
        "metadata": {"tags": list(tags), **metadata},
        "source": source,
        "outputs": list(outputs),
        "execution_count": 1,
    }


def shows(data: Mapping[str, Any], **metadata: Any) -> dict[str, Any]:
    """Return an output that was displayed."""
    return {"output_type": "display_data", "data": dict(data), "metadata": metadata}


def prints(text: str, stream: str = "stdout") -> dict[str, Any]:
    """Return printed text."""
    return {"output_type": "stream", "name": stream, "text": text}


def raises(name: str, message: str, traceback: Sequence[str] = ()) -> dict[str, Any]:
    """Return an exception."""
    return {
        "output_type": "error",
        "ename": name,
        "evalue": message,
        "traceback": list(traceback),
    }


def glued(name: str, value: object) -> dict[str, Any]:
    """Return what `ishtar.report.glue` leaves in a notebook."""
    scrap = {"name": name, "data": value, "encoder": "json", "version": 1}
    return shows(
        {"application/scrapbook.scrap.json+json": scrap},
        scrapbook={"name": name, "data": True, "display": False},
    )


def tiny_png(width: int = 64, height: int = 36, seed: int = 0) -> str:
    """Return a small picture as base64, another one for another seed."""
    rng = random.Random(seed)
    color = bytes(rng.randrange(256) for _ in range(3))
    raw = b"".join(b"\0" + color * width for _ in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + data).decode()


def plotted_figures() -> dict[str, str]:
    """Return figures as a template would draw them, by template, as base64."""
    import io

    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    t = np.linspace(0, 6, 900)
    on = (t > 1) & (t < 4.5)
    rng = np.random.default_rng(7)
    drawings: dict[str, Callable[[], Any]] = {}

    def overview() -> Any:
        figure, axes = plt.subplots(4, 1, figsize=(8.6, 6.2), sharex=True, layout="constrained")
        for ax, (name, y) in zip(
            axes,
            {
                "$P_{fwd}$ (kW)": 2.6 * on * (1 - np.exp(-(t - 1) * 6)),
                "$I_{coil}$ (A)": 400 * np.clip(t, 0, 1) * (t < 5),
                "p (Pa)": 0.3 + 0.02 * np.sin(t),
                "$I_{probe}$ (mA)": on * 20 * np.sin(60 * t) + rng.normal(0, 0.6, t.size),
            }.items(),
            strict=True,
        ):
            ax.plot(t, y, lw=1.1)
            ax.set_ylabel(name)
            ax.grid(alpha=0.3)
        axes[-1].set_xlabel("t (s)")
        return figure

    def langmuir() -> Any:
        figure, axes = plt.subplots(2, 1, figsize=(8, 5), sharex=True, layout="constrained")
        axes[0].plot(t[on], 4.1 + rng.normal(0, 0.15, on.sum()), ".", ms=3)
        axes[0].set_ylabel("$T_e$ (eV)")
        axes[1].plot(t[on], 1.2e17 + rng.normal(0, 5e15, on.sum()), ".", ms=3, color="C1")
        axes[1].set_ylabel("$n_e$ (m$^{-3}$)")
        axes[1].set_xlabel("t (s)")
        return figure

    def sweep() -> Any:
        figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
        u = np.linspace(-60, 40, 400)
        ax.plot(u, -2 + np.minimum(np.exp((u - 5) / 4.1), 40), lw=1.3)
        ax.set_xlabel("U (V)")
        ax.set_ylabel("I (mA)")
        return figure

    def rf_power() -> Any:
        figure, ax = plt.subplots(figsize=(8, 3.4), layout="constrained")
        ax.plot(t, on * 980.0, label="forward")
        ax.plot(t, on * 40.0, label="reflected")
        ax.set_xlabel("t (s)")
        ax.set_ylabel("P (W)")
        ax.legend()
        return figure

    drawings = {"overview": overview, "langmuir": langmuir, "sweep": sweep, "rf_power": rf_power}
    found = {}
    for name, draw in drawings.items():
        buffer = io.BytesIO()
        figure = draw()
        figure.savefig(buffer, dpi=110)
        plt.close(figure)
        found[name] = base64.b64encode(buffer.getvalue()).decode()
    return found


HOSTILE_HTML = """
<style>body { display: none }</style>
<script>document.title = "pwned"</script>
<img src=x onerror="document.title='pwned'"><img src="https://evil.example/pixel.png" alt="tracker">
<a href="javascript:alert(1)">click</a><a href="https://good.example/" onclick="x()">fine</a>
<iframe src="https://evil.example/"></iframe><form action="https://evil.example/"><input></form>
<table class="dataframe top" id="main" style="position: fixed" onmouseover="x()">
<tr><th>shot</th><th>T_e &lt;eV&gt;</th></tr>
<tr><td>1</td><td><svg onload=alert(1)>4.1</svg></td></tr>
</table><base href="https://evil.example/"><meta http-equiv="refresh" content="0;url=https://evil.example">
<math><mtext><table><mglyph><style><!--</style>
<img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">
"""

HOSTILE_SVG = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
 width="90" height="60" onload="alert(1)"><script>alert(1)</script>
<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></body></foreignObject>
<a xlink:href="javascript:alert(1)"><rect width="9" height="9"/></a>
<image xlink:href="https://evil.example/x.png" width="9" height="9"/>
<rect width="90" height="60" fill="#ddd" style="fill: url(https://evil.example/x)"/>
<text x="9" y="30">safe text</text></svg>"""


# Addresses that a search for `url(` does not see, and a frame that covers the page.
SLY_SVG = r"""<svg xmlns="http://www.w3.org/2000/svg" width="1.2.3" viewBox="0 0 nan nan"
 xml:base="https://evil.example/" style="background: \75 rl(https://evil.example/a)">
<style>rect { mask-image: image-set("https://evil.example/b" 1x) }</style>
<rect width="9" height="9" filter="u\72l(https://evil.example/c)"/><text>sly text</text></svg>"""
COVER = """<div style="position: fixed; inset: 0; background: red" class="full" id="main" popover>
over</div><dialog open>dialog</dialog><p accesskey="x" contenteditable autofocus tabindex="1">p</p>
<a href="&#106;avascript:alert(1)">j</a><a href="//evil.example" ping="https://evil.example">n</a>
<a href="data:text/html,<script>alert(1)</script>">d</a><img srcset="https://evil.example/1 1x">
<table background="https://evil.example"><tr><td background="//evil.example">cell</td></tr></table>
"""


def hostile_cells() -> list[dict[str, Any]]:
    """Return a notebook whose every part tries to reach the page around it."""
    return [
        words(f"# Hostile {MARKUP}\n\nWords with {MARKUP} and [a link](javascript:alert(1))."),
        words(
            "## A heading <img src=x onerror=alert(1)>\n\n"
            '<div title="\n\n$x \\text{" onclick="x()}$\n\n'
            "![picture $x$](https://evil.example/x.png)\n\n[up](../../index.html) [here](#nowhere)"
        ),
        code("display(HTML(...))", shows({"text/html": HOSTILE_HTML, "text/plain": "<HTML>"})),
        code("display(SVG(...))", shows({"image/svg+xml": HOSTILE_SVG})),
        code("Javascript(...)", shows({"application/javascript": "document.title = 'pwned'"})),
        code("print(...)", prints(MARKUP + "\x1b]8;;https://evil.example\x07 \x1b[31mred\x1b[0m")),
        code("Markdown(...)", shows({"text/markdown": f"# {MARKUP}\n\n$\\frac{{a}}{{b}}$"})),
        code("Latex(...)", shows({"text/latex": "$\\text{</math><script>alert(1)</script>}$"})),
        code("no picture", shows({"image/png": "bm90IGEgcGljdHVyZQ=="})),
        code("print('line\\n' * 100000)", prints("line of a long output\n" * 20_000)),
        code("display(SVG(...))", shows({"image/svg+xml": SLY_SVG})),
        code("display(HTML(...))", shows({"text/html": COVER})),
        code("JSON(...)", shows({"application/json": {"a": MARKUP}, f"text/{MARKUP}": MARKUP})),
        words(
            r"$\href{javascript:alert(1)}{x}$ [a](<javascript:alert(1)>) "
            "[b](data:text/html;base64,xx) <vbscript:x> [c](//evil.example) [d](file:///etc/passwd)"
            '\n\n<math><maction xlink:href="javascript:alert(1)">x</maction></math>'
        ),
        code("raise", raises(MARKUP, MARKUP, ["\x1b[31m" + MARKUP])),
    ]


def langmuir_cells(shot: int, figures: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a report as the templates of the project are written."""
    png = figures["langmuir"]
    rows = "".join(
        f"<tr><th>{i}</th>"
        + "".join(
            f"<td>{v:.3g}</td>"
            for v in (
                0.1 * i,
                4 + 0.01 * i,
                1.2e17,
                12.1,
                -3.4,
                0.02,
                7.5,
                8.25,
                9.125,
                1e-3,
                2e-3,
                17.75,
            )
        )
        + "</tr>"
        for i in range(12)
    )
    names = ["t [s]", "T_e [eV]", "n_e [1/m^3]", "V_p [V]", "V_f [V]", "I_sat [A]", *"abcdef"]
    head = "<tr><th></th>" + "".join(f"<th>{n}</th>" for n in names) + "</tr>"
    return [
        words(
            "# Langmuir probe\n\nThe swept probe gives the electron temperature $T_e$ from "
            "the slope of $\\ln I$ between floating and plasma potential, and the density $n_e$ "
            "from the ion saturation current. Sweeps without plasma are left out."
        ),
        code(
            "shot: int = 1\nt_start: float = 0.0  # [s] start of the window, 0 .. 10\n"
            "t_stop: float = 10.0  # [s] end of the window, 0 .. 10\n"
            'gas: str = "Ar"  # working gas, for the ion mass',
            tags=["parameters"],
        ),
        code(f"shot = {shot}\nt_start = 0.5", tags=["injected-parameters"]),
        words("## The sweeps\n\nOne sweep of bias $U$ every 10 ms, its ion current taken off."),
        code(
            "# Sweeps of the bias\nimport ishtar\n\ntb = ishtar.open()\n"
            'sweeps = tb[shot].machine["langmuir_1"].sweeps(t_start, t_stop)\nsweeps.plot()',
            shows(
                {"image/png": figures["sweep"], "text/plain": "<Figure size 600x360>"},
                **{"image/png": {"caption": "One sweep at t = 2.0 s: current against bias."}},
            ),
        ),
        words(
            "## Temperature and density\n\nIn the exponential part\n\n"
            "$$I_e(U) = I_{e,\\mathrm{sat}}\\,\\exp\\left(\\frac{e\\,(U - V_p)}{k T_e}\\right)"
            ",\\qquad n_e = \\frac{I_{\\mathrm{sat}}}{0.61\\,e A}\\sqrt{\\frac{m_i}{k T_e}} .$$\n\n"
            "\\begin{align}\nV_p - V_f &= "
            "\\frac{k T_e}{2e}\\ln\\left(\\frac{2 m_i}{\\pi m_e}\\right) \\\\\n"
            "T_e &\\propto \\left(\\frac{\\partial \\ln I_e}{\\partial U}\\right)^{-1}\n"
            "\\end{align}\n\n"
            "An unknown macro stays readable: $\\unknown{T_e}$. See [the sweeps](#The-sweeps)."
        ),
        code(
            "results = sweeps.analyse(gas=gas)\nresults.plot()",
            shows({"image/png": png, "text/plain": "<Figure size 800x500>"}),
            glued("Te", 4.1),
        ),
        code(
            "results.table()",
            {
                "output_type": "execute_result",
                "execution_count": 4,
                "metadata": {},
                "data": {
                    "text/html": "<div><style scoped>td {color: red}</style>"
                    f'<table border="1" class="dataframe"><thead>{head}</thead>'
                    f"<tbody>{rows}</tbody></table></div>",
                    "text/plain": "...",
                },
            },
        ),
        code(
            'print(f"{len(results)} sweeps, {results.valid.sum()} valid")',
            prints("fitting:   0%|          |\rfitting: 100%|##########|\n", "stderr"),
            prints("350 sweeps, 344 valid\n"),
        ),
        code("glue('internal', 1)", tags=["hide"]),
    ]


def plain_cells(title: str, png: str, text: str) -> list[dict[str, Any]]:
    """Return a short report with one figure."""
    return [
        words(f"# {title}\n\n{text}"),
        code("shot: int = 1", tags=["parameters"]),
        code("# The figure\nplot(shot)", shows({"image/png": png})),
    ]


TRACEBACK = [
    "\x1b[31m---------------------------------------------------------------------------\x1b[39m",
    "\x1b[31mMissingCalibration\x1b[39m                        Traceback (most recent call last)",
    "\x1b[36mCell\x1b[39m\x1b[36m \x1b[39m\x1b[32mIn[4]\x1b[39m\x1b[32m, line 2\x1b[39m",
    "\x1b[32m      1\x1b[39m \x1b[38;5;66;03m# power from the log detector\x1b[39;00m",
    "\x1b[32m----> \x1b[39m\x1b[32m2\x1b[39m power = shot[\x1b[33m'IC_Pfwd'\x1b[39m].load()",
    "\x1b[31mMissingCalibration\x1b[39m: IC_Pfwd: det_3 has no calibration at shot 1241",
]
