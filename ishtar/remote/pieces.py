"""Pieces of a published file that never changes: fetched once, kept on the reader's disk."""

from __future__ import annotations

from collections.abc import Sequence

from ishtar.remote.byte_ranges import Span
from ishtar.remote.connection import RemoteError
from ishtar.remote.fetch import Site


class Pieces:
    """Fetch pieces of one file, and keep them: they never change."""

    def __init__(self, site: Site, where: str, size: int, identity: str) -> None:
        self._site, self._where, self._size = site, where, size
        self._identity = identity
        self._given: set[Span] = set()

    def __call__(self, spans: Sequence[Span]) -> Sequence[bytes]:
        cache = self._site.cache
        found: dict[Span, bytes] = {}
        for span in spans:
            kept = cache.piece(self._key(span))
            if kept is not None and len(kept) == span[1]:
                found[span] = kept
        if missing := [span for span in spans if span not in found]:
            fetched = self._site.parts(self._where, missing, self._size)
            for span, content in zip(missing, fetched, strict=True):
                if len(content) != span[1]:
                    raise RemoteError(f"{self._where} is shorter than its index says")
                found[span] = content
                cache.put_piece(self._key(span), content)
        self._given.update(spans)
        return [found[span] for span in spans]

    def forget(self) -> None:
        """Remove what was given from the disk: it is damaged, and is to be fetched again."""
        for span in self._given:
            self._site.cache.drop_piece(self._key(span))
        self._given.clear()

    def _key(self, span: Span) -> str:
        return f"{self._identity} {span[0]} {span[1]}"
