"""The body of a report as HTML, next to its notebook, with its metadata for the pages.

The first line of ``report.html`` is a comment that contains a JSON object (`Fragment` without the
body); the rest is the body. Its pictures are below ``figures/``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ishtar.store import write_atomic
from runner.receipts import FRAGMENT
from runner.render.images import Picture, Write
from runner.render.sanitise import FIGURES, Heading

_BEGIN, _END = "<!--ishtar ", "-->\n"


@dataclass(frozen=True, kw_only=True)
class Fragment:
    """The rendered body of a report.

    Attributes
    ----------
    renderer
        Identity of the renderer; a different one makes the fragment out of date.
    title
        First heading of the notebook.
    contents
        Its other headings.
    figures
        Its pictures, in order; the files are below ``figures/``.
    alts
        Alternative text of each picture.
    thumbnail
        Size of ``thumbnail.png``; None if there is none.
    failed_cell
        Id of the cell that failed; empty if none did.
    styles
        File below ``figures/`` with the colours of its outputs; empty if they have none.
    body
        Sanitised markup.
    """

    renderer: str
    title: str = ""
    contents: tuple[Heading, ...] = ()
    figures: tuple[Picture, ...] = ()
    alts: tuple[str, ...] = ()
    thumbnail: tuple[int, int] | None = None
    failed_cell: str = ""
    styles: str = ""
    body: str = ""

    def to_html(self) -> str:
        """Return the text of ``report.html``."""
        head = asdict(replace(self, body=""))
        del head["body"]
        text = json.dumps(head, ensure_ascii=False, sort_keys=True)
        # a comment ends at --> and, in old parsers, at --!>
        text = text.replace("-", r"\u002d").replace(">", r"\u003e")
        return f"{_BEGIN}{text}{_END}{self.body}"

    def body_at(self, prefix: str) -> str:
        """Return the body with its pictures at ``prefix`` (``langmuir/``)."""
        body = self.body
        for file in self.files:
            body = body.replace(f'"{FIGURES}{file}"', f'"{prefix}{file}"')
        return body

    @property
    def files(self) -> tuple[str, ...]:
        """The files below ``figures/`` that the body needs."""
        return (
            *(picture.file for picture in self.figures),
            *([self.styles] if self.styles else []),
        )


def write_fragment(folder: Path, fragment: Fragment, write: Write = write_atomic) -> None:
    """Write ``report.html``."""
    write(folder / FRAGMENT, fragment.to_html().encode())


def read_fragment(folder: Path, renderer: str) -> Fragment | None:
    """Read ``report.html``; return None if it is missing, damaged or from another renderer."""
    try:
        head, _, body = (folder / FRAGMENT).read_text(encoding="utf-8").partition(_END)
        data = json.loads(head.removeprefix(_BEGIN))
        if data.get("renderer") != renderer:
            return None
        data["contents"] = tuple(Heading(*h) for h in data["contents"])
        data["figures"] = tuple(Picture(**p) for p in data["figures"])
        data["alts"] = tuple(data["alts"])
        data["thumbnail"] = tuple(data["thumbnail"]) if data["thumbnail"] else None
        fragment = Fragment(**data, body=body)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    is_complete = all((folder / FIGURES / file).is_file() for file in fragment.files)
    return fragment if is_complete else None
