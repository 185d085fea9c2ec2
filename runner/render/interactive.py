"""Words for outputs that a page does not show: what they are, and how to see them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from runner.render.survey import PARTS
from runner.render.untrusted import joined

LOOKED_AT = 200_000  # characters of a script
HOW = "download the notebook and open it in Jupyter"
# what makes an output known, and what it is called; the first that is found
_LIBRARIES = (
    (r"bokehjs_load|Loading\s+BokehJS|BokehJS[\w\s.]{0,40}is being loaded", "The loader of bokeh"),
    (r"plotly", "An interactive plotly figure"),
    (r"holoviews|hv-extension", "An interactive holoviews figure"),
    (r"bokeh|bk-root|data-root-id", "An interactive bokeh figure"),
    (r"vega", "An interactive altair (Vega) figure"),
    (r"mpl\.figure|window\.mpl\b|nbagg|matplotlib", "An interactive matplotlib figure"),
    (r"leaflet|folium|maplibre|mapbox|geo\+json", "An interactive map"),
    (r"widget-view|jupyter-widgets|jupyter\.widget", "An interactive widget"),
    (r"three\.js|k3d|x3dom|vtk|ngl", "An interactive 3D view"),
    (r"pdf", "A PDF document"),
)
_KNOWN = tuple((re.compile(pattern, re.I), name) for pattern, name in _LIBRARIES)
# of Jupyter's libraries, where there is nothing but the name of an object to see
_BARE = re.compile(r"<[^<>\n]{1,300}>|.*renderer has not been.*", re.DOTALL)
_LOADER = re.compile(r"Loading BokehJS\W*")


def says_something(plain: str) -> bool:
    """Tell whether the text form of an output is more than the name of an object."""
    text = plain.strip()
    return bool(text) and not _BARE.fullmatch(text) and not is_loader(text)


def is_loader(text: str) -> bool:
    """Tell whether a text says only that scripts are being loaded."""
    return bool(_LOADER.fullmatch(text.strip()))


def not_shown(name: str) -> str:
    """Return the line that stands for an output."""
    verb = "are" if name.startswith("Controls") else "is"
    run = " and run it" if name.endswith("widget") else ""
    return f"{name} {verb} not shown here: {HOW}{run}."


def name_of(data: Mapping[str, Any]) -> str:
    """Return what an output is called that needs scripts; empty where nothing tells it."""
    kinds = " ".join(str(kind) for kind in data)
    scripts = [
        joined(data.get(kind))[:LOOKED_AT] for kind in ("application/javascript", "text/html")
    ]
    for text in (kinds, *scripts):
        for pattern, name in _KNOWN:
            if pattern.search(text):
                return name
    return ""


def lost_parts(parts: Sequence[str], library: str = "") -> str:
    """Return the line on what of an output's markup a page does not show; empty for nothing."""
    names = {PARTS[part] for part in parts if part != "script"}
    if "script" in parts and not names:
        names = {library or PARTS["script"]}
    return " ".join(not_shown(name) for name in sorted(names))


def lost_of_drawing(lost: Sequence[str]) -> str:
    """Return the line on what a drawing has lost; empty for nothing."""
    return f"Not all of this drawing is shown here ({', '.join(lost)}): {HOW}." if lost else ""
