"""Paths of the IMAS Data Dictionary, by which other codes know a signal.

The form is that of IMAS-Python with Python's indices: of ``magnetics/ip[0]/data``, ``magnetics`` is
the IDS, and ``entry.get("magnetics")["ip[0]/data"]`` reads it. Whether the dictionary has such a
node depends on its version and is not checked.

Reference: IMAS-Python, `imas.ids_path` (form of paths, names of nodes).
"""

from __future__ import annotations

import re

EXAMPLE = "langmuir_probes/embedded[0]/v_floating/data"
_NODE = r"[a-z](?:[a-z0-9]|_(?!_))*"
_INDEX = r"\[(?:0|[1-9][0-9]{0,8})\]"
# the first node is the IDS, the last one holds the samples: neither has an index
_PATH = re.compile(rf"{_NODE}(?:/{_NODE}(?:{_INDEX})?)*/{_NODE}")
_FROM_ONE = re.compile(r"\(([1-9][0-9]{0,8})\)")
_DOTTED_INDEX = re.compile(r"\.([0-9]{1,9})(?=\.)")


def path_problem(text: str) -> str | None:
    """Return why a text is no path, and what to write; None if it is one."""
    if _PATH.fullmatch(text):
        return None
    meant = _other_form(text)
    if _PATH.fullmatch(meant):
        return f"{text!r} is not the form of an IMAS path that is read here: write {meant!r}"
    return (
        f"{text!r} is not an IMAS path: write the IDS and its nodes with '/' between them, in "
        f"lower-case letters, digits and '_', and indices from 0 in brackets, {EXAMPLE!r}"
    )


def _other_form(text: str) -> str:
    """Return the path that a text means with Fortran's indices, OMAS's dots or capitals."""
    text = text.strip().strip("/").lower()
    if "/" not in text:
        text = _DOTTED_INDEX.sub(r"[\1]", text).replace(".", "/")
    return _FROM_ONE.sub(lambda found: f"[{int(found[1]) - 1}]", text)
