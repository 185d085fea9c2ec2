"""The cells of a notebook on its page: the data of ``theme/notebook/report.html``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from runner.render.images import Picture
from runner.render.parameter_table import ParameterRow


@dataclass(frozen=True, kw_only=True)
class FigureOutput:
    """A picture.

    ``caption`` is below it, as is a note on missing parts; ``alt`` is the alternative text.
    """

    picture: Picture
    alt: str
    caption: str = ""
    note: str = ""
    kind: str = "figure"


@dataclass(frozen=True, kw_only=True)
class HtmlOutput:
    """Sanitised markup, and a note on removed parts."""

    html: Markup
    note: str = ""
    kind: str = "html"


@dataclass(frozen=True, kw_only=True)
class TextOutput:
    """Printed text or a plain result; ``tail`` is its end if the middle was left out."""

    html: Markup
    tail: str = ""
    note: str = ""
    stream: str = ""
    kind: str = "text"


@dataclass(frozen=True, kw_only=True)
class ErrorOutput:
    """An exception: its last line, and the folded traceback."""

    name: str
    message: str
    traceback: Markup
    kind: str = "error"


@dataclass(frozen=True, kw_only=True)
class SkipOutput:
    """The end of a report that was skipped, with the reason."""

    reason: str
    kind: str = "skip"


Output = FigureOutput | HtmlOutput | TextOutput | ErrorOutput | SkipOutput


@dataclass(frozen=True, kw_only=True)
class TextCell:
    """A text cell, or the content of a raw cell."""

    html: Markup
    note: str = ""
    kind: str = "words"


@dataclass(frozen=True, kw_only=True)
class CodeCell:
    """A cell of code with its outputs.

    Attributes
    ----------
    id
        Anchor of the cell.
    code
        Highlighted source; empty if the notebook hides it.
    summary
        The comment at the start of the code, as the title of the folded code.
    lines
        Number of lines of the source.
    parameters
        Rows of the table in place of the parameters cell.
    failed
        The report ended here with an error.
    """

    id: str
    code: Markup
    summary: str = ""
    lines: int = 0
    outputs: Sequence[Output] = ()
    parameters: Sequence[ParameterRow] = ()
    failed: bool = False
    kind: str = "code"


@dataclass(frozen=True, kw_only=True)
class NotebookPage:
    """The body of a report. ``trouble`` says why it is missing."""

    cells: Sequence[TextCell | CodeCell]
    trouble: str = ""
