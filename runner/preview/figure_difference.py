"""The figures of two reports of one template: paired, and compared pixel by pixel."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from runner.render import untrusted
from runner.render.cells import FigureOutput
from runner.render.images import Picture
from runner.render.notebook import HIDE_CELL, HIDE_OUTPUT
from runner.render.outputs import shown_outputs
from runner.render.sanitise import Document

Pixels = npt.NDArray[np.uint8]

TOLERANCE = 8  # of 255; smaller differences are invisible
# Orange and blue of Okabe and Ito, safe for colour blindness.
ONLY_BEFORE = (213, 94, 0)
ONLY_AFTER = (0, 114, 178)
MAX_SIZE_DIFFERENCE = 64  # pixels; figures of more different sizes are not compared
PALE_FACTOR = 6  # how much paler the figure below the differences is

Kind = Literal["same", "differs", "size", "unlike", "new", "gone"]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure of a report.

    Attributes
    ----------
    cell
        Id of the cell that made it; empty in notebooks without cell ids.
    n
        Index among the figures of the cell, from 0.
    """

    cell: str
    n: int
    picture: Picture
    alt: str
    data: bytes


@dataclass(frozen=True, kw_only=True)
class FigureChange:
    """A figure and its published version.

    Attributes
    ----------
    kind
        ``size``: another size, compared only if nearly the same; ``unlike``: other bytes without
        pixels to compare, a drawing (SVG) or a damaged picture.
    share
        Share of the pixels that differ, 0 … 1; None if they were not compared.
    difference
        PNG with these pixels marked.
    """

    before: Figure | None
    after: Figure | None
    kind: Kind
    share: float | None = None
    difference: bytes | None = None

    @property
    def alt(self) -> str:
        """Its alternative text, from the preview if it has one."""
        figure = self.after or self.before
        return figure.alt if figure else ""


def figures_of(notebook: Path) -> list[Figure]:
    """Return the figures in the outputs of an executed notebook, in order.

    Raises
    ------
    UnreadableNotebook
        It is not a notebook.
    """
    document = Document()
    found = []
    for cell in untrusted.read_cells(notebook):
        hidden = untrusted.tags(cell) & (HIDE_CELL | HIDE_OUTPUT)
        if cell.get("cell_type") != "code" or hidden:
            continue
        shown = [o for o in shown_outputs(cell, "", document) if isinstance(o, FigureOutput)]
        found += [
            Figure(
                cell=str(cell.get("id", "")),
                n=n,
                picture=output.picture,
                alt=output.alt,
                data=document.gallery.files[output.picture.file],
            )
            for n, output in enumerate(shown)
        ]
    return found


def compare_figures(before: Sequence[Figure], after: Sequence[Figure]) -> list[FigureChange]:
    """Pair the figures of two reports and compare them, in the order of the preview.

    Figures of the same cell form a pair; the remaining ones are paired in order: in notebooks
    without cell ids, or after a cell was replaced. Removed figures come last.
    """
    positions = {(f.cell, f.n): k for k, f in enumerate(before) if f.cell}
    partners = {
        k: positions[f.cell, f.n] for k, f in enumerate(after) if (f.cell, f.n) in positions
    }
    unpaired = [k for k in range(len(before)) if k not in partners.values()]
    for k in range(len(after)):
        if k not in partners and unpaired:
            partners[k] = unpaired.pop(0)
    changes = [
        compare_pair(before[partners[k]], figure)
        if k in partners
        else FigureChange(before=None, after=figure, kind="new")
        for k, figure in enumerate(after)
    ]
    return changes + [FigureChange(before=before[k], after=None, kind="gone") for k in unpaired]


def compare_pair(before: Figure, after: Figure) -> FigureChange:
    """Compare a figure with its published version."""
    if before.data == after.data:
        return FigureChange(before=before, after=after, kind="same", share=0.0)
    try:
        old, new = pixels(before.data), pixels(after.data)
    except (OSError, ValueError, SyntaxError):  # PIL raises these for an SVG and a damaged picture
        return FigureChange(before=before, after=after, kind="unlike")
    resized = old.shape != new.shape
    if max(abs(a - b) for a, b in zip(old.shape, new.shape, strict=True)) > MAX_SIZE_DIFFERENCE:
        return FigureChange(before=before, after=after, kind="size")
    share, marked = compare_pixels(*on_one_canvas(old, new))
    if share == 0.0 and not resized:
        return FigureChange(before=before, after=after, kind="same", share=0.0)
    return FigureChange(
        before=before,
        after=after,
        kind="size" if resized else "differs",
        share=share,
        difference=to_png(marked),
    )


def on_one_canvas(before: Pixels, after: Pixels) -> tuple[Pixels, Pixels]:
    """Pad two images of nearly equal size to one size, aligned where they agree best.

    Notebooks crop figures to their content, so that a longer label widens a figure and shifts all
    of it. If the number of rows or columns differs, they are aligned by their ink.
    """
    for axis in (0, 1):
        if before.shape[axis] != after.shape[axis]:
            before, after = _on_one_length(before, after, axis)
    return before, after


def _on_one_length(before: Pixels, after: Pixels, axis: int) -> tuple[Pixels, Pixels]:
    lengths = [image.shape[axis] for image in (before, after)]
    inks = [(255.0 - image).sum(axis=(1 - axis, 2)) for image in (before, after)]

    def mismatch(shift: int) -> float:
        whole = np.zeros(max(lengths) + 2 * MAX_SIZE_DIFFERENCE)
        whole[MAX_SIZE_DIFFERENCE : MAX_SIZE_DIFFERENCE + lengths[0]] = inks[0]
        whole[MAX_SIZE_DIFFERENCE + shift : MAX_SIZE_DIFFERENCE + shift + lengths[1]] -= inks[1]
        return float(np.abs(whole).sum())

    shift = min(sorted(range(-MAX_SIZE_DIFFERENCE, MAX_SIZE_DIFFERENCE + 1), key=abs), key=mismatch)
    starts = [max(0, -shift), max(0, shift)]
    total = max(start + length for start, length in zip(starts, lengths, strict=True))
    padded = []
    for image, start, length in zip((before, after), starts, lengths, strict=True):
        margins = [(0, 0), (0, 0), (0, 0)]
        margins[axis] = (start, total - start - length)
        padded.append(np.pad(image, margins, constant_values=255))
    return padded[0], padded[1]


def pixels(data: bytes) -> Pixels:
    """Return a raster image on a white background, (height, width, 3) uint8."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        colours = image.convert("RGBA")
        paper = Image.new("RGBA", colours.size, "white")
        return np.asarray(Image.alpha_composite(paper, colours).convert("RGB"))


def to_png(image: Pixels) -> bytes:
    """Return pixels as PNG."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).quantize(128).save(file, "PNG", optimize=True)
    return file.getvalue()


def compare_pixels(before: Pixels, after: Pixels) -> tuple[float, Pixels]:
    """Compare two images of equal size.

    Parameters
    ----------
    before, after : (height, width, 3) uint8

    Returns
    -------
    share : float
        Share of the pixels that differ by more than `TOLERANCE` in any colour.
    marked : (height, width, 3) uint8
        The published image, pale; orange where it is darker, blue where the other is darker, each
        dilated by a pixel so that fine lines are visible.
    """
    old, new = before.astype(np.int16), after.astype(np.int16)
    differs = np.abs(old - new).max(axis=2) > TOLERANCE
    darker_before = old.sum(axis=2) < new.sum(axis=2)
    marked = (255 - (255 - before) // PALE_FACTOR).astype(np.uint8)
    marked[_dilated(differs & darker_before)] = ONLY_BEFORE
    marked[_dilated(differs & ~darker_before)] = ONLY_AFTER
    return float(differs.mean()), marked


def _dilated(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return a mask dilated by one pixel in four directions."""
    wide = mask.copy()
    wide[1:] |= mask[:-1]
    wide[:-1] |= mask[1:]
    wide[:, 1:] |= mask[:, :-1]
    wide[:, :-1] |= mask[:, 1:]
    return wide
