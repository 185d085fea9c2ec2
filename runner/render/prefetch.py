"""The thumbnail of a report, drawn while its next cells run.

A worker is idle while its kernel computes. The slowest part of rendering is the thumbnail of the
first picture, which can be drawn as soon as that picture exists.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from runner.render import untrusted
from runner.render.images import IMAGE_TYPES, Thumbnail, decoded, draw_thumbnail
from runner.render.svg import UnusableImage


class ThumbnailPrefetch:
    """Draws the thumbnail of one report in a thread as its cells end.

    The thread runs from the first picture until `close`.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="thumbnail")
        self._drawn: dict[bytes, Future[Thumbnail | None]] = {}

    def cell(self, cell: Mapping[str, Any]) -> None:
        """Start to draw a thumbnail of the first picture, unless an earlier cell had one."""
        if not self._drawn and (source := _first_picture(cell)) is not None:
            key = hashlib.sha256(source).digest()
            self._drawn[key] = self._threads.submit(draw_thumbnail, source)

    def thumbnail(self, source: bytes) -> Thumbnail | None:
        """Return the thumbnail, as `draw_thumbnail` does."""
        drawn = self._drawn.get(hashlib.sha256(source).digest())
        return draw_thumbnail(source) if drawn is None else drawn.result()

    def close(self) -> None:
        """End the thread."""
        self._threads.shutdown(cancel_futures=True)


def _first_picture(cell: Mapping[str, Any]) -> bytes | None:
    """Return the first raster picture of a cell, whether or not the page will show it."""
    for output in untrusted.outputs(cell):
        data = output.get("data")
        for kind in IMAGE_TYPES:
            if isinstance(data, dict) and kind in data and kind != "image/svg+xml":
                try:
                    return decoded(untrusted.joined(data[kind]))
                except UnusableImage:
                    break
    return None
