"""The trace viewer: a page of its own that draws any signal of any shot from its tiles."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

from runner.publish.page_models import Page

TRACES = "traces.html"


@dataclass(frozen=True, kw_only=True)
class TracesPage(Page):
    """``traces.html``: what it shows is in its fragment, ``#shots=7,8&signals=Lang_I&t=0.5,0.7``.

    Attributes
    ----------
    missing
        Scripts of others that this installation lacks; the page then says how to get them.
    """

    template: ClassVar[str] = "pages/traces.html"
    styles: ClassVar[Sequence[str]] = ("uplot.css", "traces.css")
    scripts: ClassVar[Sequence[str]] = (
        "data.js",
        "dom.js",
        "numbers.js",
        "uplot.js",
        "tiles.js",
        "times.js",
        "picker.js",
        "traceplot.js",
        "readings.js",
        "traces.js",
        "tracepick.js",
        "tracekeys.js",
    )
    missing: Sequence[str] = ()


def traces_page(assets: Collection[str]) -> TracesPage:
    """Return the trace viewer.

    Parameters
    ----------
    assets
        Names of the assets that the theme has.
    """
    needed = [name for name in (*TracesPage.styles, *TracesPage.scripts) if name not in assets]
    return TracesPage(
        path=TRACES,
        title="Traces",
        description="Any signal of any shot, from the whole shot down to single samples.",
        missing=needed,
    )
