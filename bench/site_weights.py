"""The weight of pages: plain, and as sent by a server."""

from __future__ import annotations

import gzip
import re
import statistics
from pathlib import Path

from site_archive import Archive

from runner.receipts import NOTEBOOK, Subject

ASKED = 60_000  # bytes of a report's page, gzipped, without its figures
KINDS = {
    "home": r"index\.html",
    "latest": r"latest\.html",
    "days": r"days/index\.html",
    "day": r"days/[\d-]+\.html",
    "shot": r"shots/\d+/index\.html",
    "report": r"shots/\d+/[\w-]+\.html",
    "template": r"templates/(?!index).*\.html",
    "signal": r"signals/(?!index).*\.html",
    "device": r"devices/(?!index).*\.html",
    "week": r"weeks/.*\.html",
    "month": r"months/.*\.html",
    "traces": r"traces\.html",
    "table": r"table\.html",
    "compare": r"compare\.html",
    "search": r"search\.html",
    "bibliography": r"bibliography\.html",
    "styles and scripts": r"assets/.*\.(css|js)",
    "data of 200 shots": r"data/shots/\d+\.js",
    "scraps of 200 shots": r"data/scraps/.*/\d+\.js",
    "search index": r"data/search\.js",
}


def weights(archive: Archive) -> None:
    """Print the median and the heaviest of each kind, and nbconvert's pages for comparison."""
    site = archive.workspace.site
    files = sorted(p for p in site.rglob("*") if p.suffix in {".html", ".js", ".css"})
    paths = {p.relative_to(site).as_posix(): p for p in files}
    print(f"  {'kind':22s} {'files':>6} {'bytes':>9} {'gzipped':>9} {'heaviest':>9}")
    for kind, pattern in KINDS.items():
        mine = [p for name, p in paths.items() if re.fullmatch(pattern, name)]
        if not mine:
            continue
        sent = [_sent(p) for p in mine]
        size = statistics.median(p.stat().st_size for p in mine)
        print(
            f"  {kind:22s} {len(mine):6d} {size:9.0f} {statistics.median(sent):9.0f} {max(sent):9d}"
        )
    beside_nbconvert(archive)


def beside_nbconvert(archive: Archive) -> None:
    """Print our page and nbconvert's of each report of the newest shot."""
    import warnings

    from nbconvert import HTMLExporter

    warnings.filterwarnings("ignore", category=UserWarning)  # scraps cannot be drawn

    key = Subject.shot(archive.size).key
    print(f"  {'a report, gzipped':22s} {'ours':>9} {'+ figures':>9} {'nbconvert':>9}")
    for notebook in sorted((archive.workspace.reports / key).glob(f"*/*/{NOTEBOOK}")):
        name = notebook.parent.parent.name
        page = archive.workspace.site / f"shots/{key}/{name}.html"
        figures = sum(f.stat().st_size for f in page.with_suffix("").glob("*") if f.is_file())
        theirs, _ = HTMLExporter().from_filename(str(notebook))
        ours, other = _sent(page), len(gzip.compress(theirs.encode(), 6))
        assert ours < other
        print(
            f"  {name:22s} {ours:9d} {figures:9d} {other:9d}"
            f"  {other / ours:5.1f} ×{'' if ours < ASKED else '  TOO HEAVY'}"
        )


def _sent(path: Path) -> int:
    return len(gzip.compress(path.read_bytes(), 6))
