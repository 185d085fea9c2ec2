"""What a publication makes once its pages are in place: traces, downloads, the file of all scraps.

Nobody waits for these: the pages are there, and say what they can until these are.
"""

from __future__ import annotations

from collections.abc import Iterable

from runner.publish.data.downloads import write_downloads
from runner.publish.data.traces import Depth, is_current, traces_folder, write_traces
from runner.publish.records import ShotRecord, SiteSource
from runner.publish.retention import is_old
from runner.publish.writer import Writer
from runner.settings.site import PublishSettings

DOWNLOADS = ("data.csv", "data.mat")


def keep_of_shot(number: int, writer: Writer) -> None:
    """Keep what was made of a shot after its pages, until it is made anew."""
    writer.keep(traces_folder(number))
    for name in DOWNLOADS:
        writer.keep(f"shots/{number:05d}/{name}")


def lacks_traces(record: ShotRecord, writer: Writer, settings: PublishSettings) -> bool:
    """Whether the traces of a shot are to be made, made anew or let go."""
    return not is_current(record, writer.out, depth_of(record, settings))


def make_traces(
    source: SiteSource, shots: Iterable[int], writer: Writer, settings: PublishSettings
) -> None:
    """Make the traces and downloads of some shots."""
    for number in shots:
        record = source.shot(number)
        if write_traces(source, record, writer, depth_of(record, settings)):
            write_downloads(record, writer)


def depth_of(record: ShotRecord, settings: PublishSettings) -> Depth:
    """Return how deep the traces of a shot go."""
    old = is_old(record.date, settings.keep_tiles_days)
    return Depth(tile_samples=settings.tile_samples, old=old)
