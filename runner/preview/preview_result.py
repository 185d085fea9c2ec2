"""The result of a preview: each subject compared with its published report, and a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runner.preview.code_difference import CodeLine
from runner.preview.compare import INSIGNIFICANT, KIND_WORDS, ScrapChange
from runner.preview.figure_difference import FigureChange
from runner.publish.quantities import quantity
from runner.publish.view_models import Change
from runner.receipts import Receipt, Subject
from runner.render.format import MINUS, MISSING

Verdict = Literal["failed", "beyond", "unpublished", "within", "same"]  # worst first
VERDICTS: dict[Verdict, str] = {
    "failed": "failed",
    "beyond": "changed beyond sigma",
    "unpublished": "nothing published to compare with",
    "within": "changed within sigma",
    "same": "nothing changed",
}
FAILED = ("failed", "timeout")


@dataclass(frozen=True, kw_only=True)
class SubjectPreview:
    """A preview for one shot, day or range, compared with the published report.

    Attributes
    ----------
    before, after
        Receipts of the published report (None if missing) and of the preview.
    inputs
        Parameters and inputs that differ.
    code
        Differences of the template's code since the published report.
    trouble
        Why the published report could not be compared completely; empty if it could.
    """

    subject: Subject
    before: Receipt | None
    after: Receipt
    scraps: tuple[ScrapChange, ...] = ()
    inputs: tuple[Change, ...] = ()
    figures: tuple[FigureChange, ...] = ()
    code: tuple[CodeLine, ...] = ()
    trouble: str = ""

    @property
    def changed_scraps(self) -> list[ScrapChange]:
        """The results that changed."""
        return [s for s in self.scraps if s.kind != "same"]

    @property
    def changed_figures(self) -> list[FigureChange]:
        """The figures that changed."""
        return [f for f in self.figures if f.kind != "same"]

    @property
    def verdict(self) -> Verdict:
        """The verdict on this subject."""
        if self.after.state in FAILED:
            return "failed"
        if self.before is None:
            return "unpublished"
        if self.before.state != self.after.state:
            return "beyond"
        if any(s.kind not in INSIGNIFICANT for s in self.scraps):
            return "beyond"
        return "within" if self.changed_scraps or self.changed_figures else "same"

    @property
    def same_code(self) -> bool:
        """Whether the published report was made by the same code."""
        return self.before is not None and (
            self.before.template_digest == self.after.template_digest
        )

    @property
    def summary(self) -> str:
        """The changes, in one line."""
        if self.after.state in FAILED:
            return f"{self.after.state}: {self.after.reason}"
        parts = []
        if self.before is None:
            parts.append(VERDICTS["unpublished"])
        else:
            if self.before.state != self.after.state:
                parts.append(
                    f"{self.before.state} → {self.after.state} {self.after.reason}".strip()
                )
            parts.append(VERDICTS[self.verdict])
            if far := [s for s in self.scraps if s.kind == "beyond"]:
                parts.append(f"{far[0].name} {sigmas_text(far[0].sigmas)}")
            if self.figures:
                parts.append(f"{len(self.changed_figures)} of {len(self.figures)} figures differ")
        return "; ".join(parts)

    def exceeds(self, sigmas: float) -> bool:
        """Return whether the state changed, or a result by more than ``sigmas``."""
        if self.before is None:
            return False
        return self.before.state != self.after.state or any(s.exceeds(sigmas) for s in self.scraps)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A preview of a template on some subjects; ``folder`` contains its files."""

    template: str
    title: str
    folder: Path
    subjects: tuple[SubjectPreview, ...]

    @property
    def page(self) -> Path:
        """The page of the preview."""
        return self.folder / "index.html"

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of its subjects."""
        return min((s.verdict for s in self.subjects), key=list(VERDICTS).index)

    def notebook(self, subject: Subject) -> Path:
        """Return the executed notebook of a subject."""
        return self.folder / subject.key / "report.ipynb"

    def to_dict(self) -> dict[str, Any]:
        """Return the preview as plain data, for JSON."""
        return {
            "template": self.template,
            "verdict": self.verdict,
            "page": str(self.page),
            "subjects": [_subject_dict(s, self.notebook(s.subject)) for s in self.subjects],
        }


def sigmas_text(sigmas: float | None) -> str:
    """Return ``+2.4 σ``; a difference that rounds to zero keeps its sign: ``+<0.1 σ``."""
    if sigmas is None:
        return ""
    sign = "+" if sigmas > 0 else MINUS if sigmas < 0 else ""
    size = abs(sigmas)
    if 0 < size < 0.05:
        return f"{sign}<0.1 σ"
    return f"{sign}{size:.1f} σ" if size < 99.95 else f"{sign}{size:.3g} σ"


def change_text(change: ScrapChange) -> str:
    """Return ``3.20 ± 0.10 eV → 3.90 ± 0.10 eV, +7.0 σ``."""
    sides = [
        str(quantity(s.value, s.sigma, s.unit, signed=True)) if s else MISSING
        for s in (change.before, change.after)
    ]
    words = [" → ".join(sides), sigmas_text(change.sigmas) or KIND_WORDS[change.kind], change.note]
    return ", ".join(w for w in words if w)


def _subject_dict(preview: SubjectPreview, notebook: Path) -> dict[str, Any]:
    before, after = preview.before, preview.after
    return {
        "subject": preview.subject.key,
        "shot": preview.subject.number if preview.subject.scope == "shot" else None,
        "verdict": preview.verdict,
        "state_before": before.state if before else None,
        "state": after.state,
        "reason": after.reason,
        "duration_before_s": before.duration_s if before else None,
        "duration_s": after.duration_s,
        "same_code": preview.same_code,
        "notebook": str(notebook),
        "trouble": preview.trouble,
        "scraps": [_scrap_dict(s) for s in preview.scraps],
        "figures": [
            {"kind": f.kind, "share": f.share, "cell": (f.after or f.before).cell}  # type: ignore[union-attr]
            for f in preview.figures
        ],
        "inputs": [vars(c) for c in preview.inputs],
    }


def _scrap_dict(change: ScrapChange) -> dict[str, Any]:
    sides: Sequence[tuple[str, Any]] = (("before", change.before), ("after", change.after))
    return {
        "name": change.name,
        "kind": change.kind,
        "sigmas": change.sigmas,
        **{
            side: scrap and {"value": scrap.value, "sigma": scrap.sigma, "unit": scrap.unit}
            for side, scrap in sides
        },
        "note": change.note,
    }
