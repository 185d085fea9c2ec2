"""What a notebook's cells become on a page: the data that ``theme/notebook/report.html`` gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from runner.render.images import Picture
from runner.render.parameter_table import ParameterRow


@dataclass(frozen=True, kw_only=True)
class FigureOutput:
    """A picture.

    ``caption`` is shown below it, and a note on what it lacks; ``alt`` is for those who do not see
    it.
    """

    picture: Picture
    alt: str
    caption: str = ""
    note: str = ""
    kind: str = "figure"


@dataclass(frozen=True, kw_only=True)
class HtmlOutput:
    """Harmless markup, and a note on what was left out of it."""

    html: Markup
    note: str = ""
    kind: str = "html"


@dataclass(frozen=True, kw_only=True)
class TextOutput:
    """Printed text or a plain result; ``tail`` is its end where the middle was left out."""

    html: Markup
    tail: str = ""
    note: str = ""
    stream: str = ""
    kind: str = "text"


@dataclass(frozen=True, kw_only=True)
class ErrorOutput:
    """An exception: its last line, and the traceback to unfold."""

    name: str
    message: str
    traceback: Markup
    kind: str = "error"


@dataclass(frozen=True, kw_only=True)
class SkipOutput:
    """The place where a report ended on purpose, with the reason."""

    reason: str
    kind: str = "skip"


Output = FigureOutput | HtmlOutput | TextOutput | ErrorOutput | SkipOutput


@dataclass(frozen=True, kw_only=True)
class TextCell:
    """A cell of words and formulas, or what a raw cell holds."""

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
        Highlighted source; empty where the notebook hides it.
    summary
        The comment that the code begins with, as the title of the folded code.
    lines
        Number of lines of the source.
    parameters
        Rows of the table that stands for the parameters cell.
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
    """The body of a report. ``trouble`` says why there is none."""

    cells: Sequence[TextCell | CodeCell]
    trouble: str = ""
