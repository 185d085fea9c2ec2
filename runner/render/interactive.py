"""Notes for outputs that a page does not show: what they are, and how to view them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from runner.render.survey import PARTS
from runner.render.untrusted import joined

MAX_SCRIPT = 200_000  # characters of a script
HOW_TO_VIEW = "download the notebook and open it in Jupyter"
# pattern and name of known outputs; the first match counts
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
# text forms that are only the name of an object
_BARE = re.compile(r"<[^<>\n]{1,300}>|.*renderer has not been.*", re.DOTALL)
_LOADER = re.compile(r"Loading BokehJS\W*")


def has_content(plain: str) -> bool:
    """Return whether the text form of an output is more than the name of an object."""
    text = plain.strip()
    return bool(text) and not _BARE.fullmatch(text) and not is_loader(text)


def is_loader(text: str) -> bool:
    """Return whether a text only says that scripts are loading."""
    return bool(_LOADER.fullmatch(text.strip()))


def not_shown(name: str) -> str:
    """Return the note in place of an output."""
    verb = "are" if name.startswith("Controls") else "is"
    run = " and run it" if name.endswith("widget") else ""
    return f"{name} {verb} not shown here: {HOW_TO_VIEW}{run}."


def interactive_name(data: Mapping[str, Any]) -> str:
    """Return the name of an output that needs scripts; empty if it is unknown."""
    kinds = " ".join(str(kind) for kind in data)
    scripts = [
        joined(data.get(kind))[:MAX_SCRIPT] for kind in ("application/javascript", "text/html")
    ]
    for text in (kinds, *scripts):
        for pattern, name in _KNOWN:
            if pattern.search(text):
                return name
    return ""


def missing_parts_note(parts: Sequence[str], library: str = "") -> str:
    """Return the note on parts of an output that are not shown; empty if there are none."""
    names = {PARTS[part] for part in parts if part != "script"}
    if "script" in parts and not names:
        names = {library or PARTS["script"]}
    return " ".join(not_shown(name) for name in sorted(names))


def drawing_note(lost: Sequence[str]) -> str:
    """Return the note on parts of a drawing that are not shown; empty if there are none."""
    return (
        f"Not all of this drawing is shown here ({', '.join(lost)}): {HOW_TO_VIEW}." if lost else ""
    )
