"""A preview as pages that open from disk: an overview, and each executed report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from markupsafe import Markup

from ishtar.store import write_atomic
from runner.preview.code_difference import CodeLine
from runner.preview.compare import KIND_WORDS, ScrapChange
from runner.preview.figure_difference import Figure, FigureChange
from runner.preview.preview_result import VERDICTS, Preview, SubjectPreview, Verdict, sigmas_text
from runner.publish.build import CSP
from runner.publish.page_models import Page
from runner.publish.quantities import Quantity, quantity
from runner.publish.view_models import Change, Image, Mark, Site
from runner.publish.writer import Writer
from runner.receipts import FRAGMENT, NOTEBOOK, Receipt, Scrap
from runner.render.fragment import read_fragment
from runner.render.notebook import THUMBNAIL, renderer_version
from runner.render.theme import Theme
from runner.settings.facility import Facility


@dataclass(frozen=True, kw_only=True)
class ScrapRow:
    """A result, published and in the preview. ``far``: it changed beyond sigma, or has none."""

    name: str
    before: Quantity | None
    after: Quantity | None
    difference: str
    word: str
    note: str
    far: bool


@dataclass(frozen=True, kw_only=True)
class FigureRow:
    """A figure: published, in the preview, and the difference; None if there is no picture."""

    n: int
    words: str
    alt: str
    before: Image | None
    after: Image | None
    difference: Image | None


@dataclass(frozen=True, kw_only=True)
class SubjectSection:
    """One subject of a preview.

    Attributes
    ----------
    id
        Anchor of its section.
    before, after
        Marks of the published report (None if missing) and of the preview.
    durations_s
        Durations of both, in the same order.
    rows, same
        Results that changed, most important first, and those that did not.
    figures, n_figures
        Figures that changed, and the number of all figures.
    report
        Path of the page with the whole report of the preview; ``notebook`` that of its notebook.
    """

    id: str
    name: str
    verdict: Verdict
    words: str
    before: Mark | None
    after: Mark
    durations_s: tuple[float | None, float]
    rows: Sequence[ScrapRow]
    same: Sequence[ScrapRow]
    largest: str
    figures: Sequence[FigureRow]
    n_figures: int
    inputs: Sequence[Change]
    same_code: bool
    trouble: str
    report: str
    notebook: str


@dataclass(frozen=True, kw_only=True)
class CodeSection:
    """A difference of code, and the subjects whose published reports it applies to."""

    subjects: Sequence[str]
    lines: Sequence[CodeLine]


@dataclass(frozen=True, kw_only=True)
class PreviewPage(Page):
    """``index.html`` of a preview."""

    template: ClassVar[str] = "pages/preview.html"
    name: str
    verdict: Verdict
    words: str
    subjects: Sequence[SubjectSection]
    code: Sequence[CodeSection]


@dataclass(frozen=True, kw_only=True)
class PreviewReportPage(Page):
    """``00007/index.html``: the full report of a preview. ``back`` is the page of the preview."""

    template: ClassVar[str] = "pages/preview_report.html"
    mark: Mark
    body: Markup | None
    back: str


def write_pages(preview: Preview, folder: Path, *, facility: Facility, theme: Theme) -> None:
    """Write the pages of a preview and their pictures into its folder.

    The reports of the preview are already there, each in the folder of its subject.
    """
    writer = Writer(folder, theme, Site.of(theme, facility, CSP))
    writer.assets()
    for subject in preview.subjects:
        writer.page(_report_page(subject, folder / subject.subject.key, theme), rank=0)
    page = PreviewPage(
        path="index.html",
        title=f"Preview of {preview.title}",
        name=preview.template,
        verdict=preview.verdict,
        words=VERDICTS[preview.verdict],
        subjects=[_section(subject, folder) for subject in preview.subjects],
        code=_code_parts(preview.subjects),
    )
    writer.page(page, rank=1)
    writer.switch()


def _report_page(preview: SubjectPreview, folder: Path, theme: Theme) -> PreviewReportPage:
    """Return the page of an executed report; remove the files of its body and thumbnail."""
    fragment = read_fragment(folder, renderer_version(theme))
    for name in (FRAGMENT, THUMBNAIL):
        (folder / name).unlink(missing_ok=True)
    return PreviewReportPage(
        path=f"{folder.name}/index.html",
        title=f"Preview of {preview.after.title}, {preview.subject}",
        mark=_mark(preview.after),
        body=Markup(fragment.body) if fragment else None,
        back="index.html",
    )


def _mark(receipt: Receipt) -> Mark:
    return Mark(
        template=receipt.template, title=receipt.title, state=receipt.state, reason=receipt.reason
    )


def _section(preview: SubjectPreview, folder: Path) -> SubjectSection:
    key, before, after = preview.subject.key, preview.before, preview.after
    rows = [_scrap_row(s) for s in preview.scraps]
    pairs = list(zip(preview.scraps, rows, strict=True))
    far = [s for s in preview.scraps if s.sigmas]
    name = str(preview.subject)
    return SubjectSection(
        id=f"of-{key}",
        name=name[0].upper() + name[1:],
        verdict=preview.verdict,
        words=VERDICTS[preview.verdict],
        before=_mark(before) if before else None,
        after=_mark(after),
        durations_s=(before.duration_s if before else None, after.duration_s),
        rows=[row for scrap, row in pairs if scrap.kind != "same"],
        same=[row for scrap, row in pairs if scrap.kind == "same"],
        largest=f"{far[0].name} {sigmas_text(far[0].sigmas)}" if far else "",
        figures=[
            _figure_row(k + 1, change, folder, key)
            for k, change in enumerate(preview.figures)
            if change.kind != "same"
        ],
        n_figures=len(preview.figures),
        inputs=preview.inputs,
        same_code=preview.same_code,
        trouble=preview.trouble,
        report=f"{key}/index.html",
        notebook=f"{key}/{NOTEBOOK}",
    )


def _scrap_row(change: ScrapChange) -> ScrapRow:
    def shown(scrap: Scrap | None) -> Quantity | None:
        return quantity(scrap.value, scrap.sigma, scrap.unit, signed=True) if scrap else None

    return ScrapRow(
        name=change.name,
        before=shown(change.before),
        after=shown(change.after),
        difference=sigmas_text(change.sigmas),
        word=KIND_WORDS[change.kind],
        note=change.note,
        far=change.exceeds(1.0),
    )


def _figure_row(n: int, change: FigureChange, folder: Path, key: str) -> FigureRow:
    """Write the pictures of a figure; return its row."""

    def put(figure: Figure | None, side: str) -> Image | None:
        if figure is None:
            return None
        path = f"{key}/{side}/{figure.picture.file}"
        write_atomic(folder / path, figure.data)
        size = figure.picture
        return Image(href=path, width=size.width, height=size.height, alt=figure.alt)

    before, after = put(change.before, "published"), put(change.after, "preview")
    marked = None
    if change.difference is not None and after is not None:
        path = f"{key}/differences/figure-{n}.png"
        write_atomic(folder / path, change.difference)
        marked = Image(
            href=path,
            width=after.width,
            height=after.height,
            alt=f"marked on the published figure, {_share(change.share)}",
        )
    return FigureRow(
        n=n,
        words=_figure_words(change),
        alt=change.alt,
        before=before,
        after=after,
        difference=marked,
    )


def _figure_words(change: FigureChange) -> str:
    if change.before is None or change.after is None:
        return "new" if change.before is None else "removed"
    old, new = change.before.picture, change.after.picture
    match change.kind:
        case "size":
            sizes = f"{old.width} × {old.height} → {new.width} × {new.height}"
            share = "" if change.share is None else f"; differs in {_share(change.share)}"
            return f"another size, {sizes} pixels{share}"
        case "unlike":
            return "differs; it has no pixels to compare"
        case "same":
            return "same"
        case _:
            return f"differs in {_share(change.share)}"


def _share(share: float | None) -> str:
    if not share:
        return "none of the pixels"
    return f"{100 * share:.2g} % of the pixels" if share >= 1e-4 else "<0.01 % of the pixels"


def _code_parts(subjects: Sequence[SubjectPreview]) -> list[CodeSection]:
    """Return each difference of code once: published reports may have several versions."""
    by_lines: dict[tuple[CodeLine, ...], list[str]] = {}
    for preview in subjects:
        if preview.code:
            by_lines.setdefault(preview.code, []).append(str(preview.subject))
    return [CodeSection(subjects=names, lines=lines) for lines, names in by_lines.items()]
