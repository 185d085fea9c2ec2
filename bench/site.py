"""The cost of the site: a new shot in a large archive, a full build, the weight of pages.

    python bench/site.py DEMO [--sizes 100,1000,10000] [--news 7] [--build 100] [--keep FOLDER]

DEMO is a workspace with shots and reports (`ishtar demo DEMO`); it is read, not changed. Archives
of the given sizes repeat its shots and reports under other numbers and dates: rows of the
catalogue, receipts, and links to files in DEMO. Bodies of reports are rendered beforehand, and only
the newest shots have any; the others' reports are receipts.

(a) A shot arrives in each archive, ``--news`` times: time until its pages exist, and its phases.
Target: the same within a factor of 1.5 in all of them, and less than 300 ms.
(b) A full build of ``--build`` shots, with all cores: shots per second.
(c) The pages of each kind, in bytes, and as sent by a server (gzip), compared with nbconvert's
pages of the same notebooks. Target: a report's page of less than 60 kB.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path

from site_archive import Archive
from site_measure import Arrival, arrive, build, load, title
from site_weights import weights

from ishtar.workspace import VARIABLE
from runner.render.notebook import renderer_version
from runner.render.theme import Theme

BODIES = 60  # newest shots that have notebooks


def main() -> None:
    """Make the archives, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("demo", type=Path)
    parser.add_argument("--sizes", default="100,1000,10000")
    parser.add_argument("--news", type=int, default=7, help="shots that arrive in each archive")
    parser.add_argument("--build", type=int, default=100, help="shots of the full build")
    parser.add_argument("--keep", type=Path, help="make the archives here, and keep them")
    options = parser.parse_args()
    sizes = [int(n) for n in options.sizes.split(",")]
    renderer = renderer_version(Theme.load(None))
    print(f"{os.cpu_count()} cores, load {load()}")
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        root = options.keep or Path(temporary)
        found: dict[int, list[Arrival]] = {}
        for size in sizes:
            os.environ[VARIABLE] = str(root / f"{size}")
            archive = Archive(options.demo, root / f"{size}", renderer, bodies=BODIES)
            archive.grow(size)
            title(f"an archive of {size} shots")
            build(archive, workers=os.cpu_count() or 1)
            found[size] = arrive(archive, options.news)
        compare(found)
        title(f"a site of {options.build} shots, all with their notebooks")
        archive = Archive(options.demo, root / "build", renderer, bodies=options.build)
        archive.grow(options.build)
        build(archive, workers=1)
        archive.clear_site()
        build(archive, workers=os.cpu_count() or 1)
        title("weight of pages")
        weights(archive)


def compare(found: dict[int, list[Arrival]]) -> None:
    """Print the cost of one more shot, by archive."""
    title("one more shot")
    medians = {
        size: (
            statistics.median(a.wall_s for a in arrivals),
            statistics.median(a.cpu_s for a in arrivals),
        )
        for size, arrivals in found.items()
    }
    smallest = min(medians)
    for size, (wall, cpu) in medians.items():
        ratio = cpu / medians[smallest][1]
        print(
            f"  {size:6d} shots  {1e3 * wall:7.0f} ms wall  {1e3 * cpu:7.0f} ms CPU"
            f"  × {ratio:.2f} of that among {smallest} (asked: 300 ms, × 1.5)"
        )


if __name__ == "__main__":
    main()
