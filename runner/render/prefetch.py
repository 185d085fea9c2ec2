"""What a page needs of a report's pictures, done while the report's next cells run.

A worker has nothing to do while its kernel computes. What takes longest of a page is to draw its
first picture small, which can be done as soon as that is there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from runner.render import untrusted
from runner.render.images import IMAGE_TYPES, Thumbnail, decoded, draw_thumbnail
from runner.render.svg import UnusableImage


class Ahead:
    """Looks at the cells of one report as they end; `thumbnail` then has what it is asked for.

    Its thread is there from the first picture until `close`.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="thumbnail")
        self._drawn: dict[bytes, Future[Thumbnail | None]] = {}

    def cell(self, cell: Mapping[str, Any]) -> None:
        """Draw the first picture small that a cell put out, unless there was one before."""
        if not self._drawn and (source := _first_picture(cell)) is not None:
            key = hashlib.sha256(source).digest()
            self._drawn[key] = self._threads.submit(draw_thumbnail, source)

    def thumbnail(self, source: bytes) -> Thumbnail | None:
        """Return what `draw_thumbnail` does."""
        drawn = self._drawn.get(hashlib.sha256(source).digest())
        return draw_thumbnail(source) if drawn is None else drawn.result()

    def close(self) -> None:
        """End the thread."""
        self._threads.shutdown(cancel_futures=True)


def _first_picture(cell: Mapping[str, Any]) -> bytes | None:
    """Return the first raster picture that a cell put out; the page decides whether it is shown."""
    for output in untrusted.outputs(cell):
        data = output.get("data")
        for kind in IMAGE_TYPES:
            if isinstance(data, dict) and kind in data and kind != "image/svg+xml":
                try:
                    return decoded(untrusted.joined(data[kind]))
                except UnusableImage:
                    break
    return None
