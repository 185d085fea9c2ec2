"""Half-open spans of shots: ``from = 1180``, ``until = 1250`` means 1180 … 1249."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar


@dataclass(frozen=True)
class Span:
    """Shots ``first <= shot < until``; open-ended if ``until`` is None."""

    first: int
    until: int | None = None

    def __post_init__(self) -> None:
        if self.until is not None and self.until <= self.first:
            raise ValueError(
                f"span {self.first} … {self.until} contains no shot: until must be larger"
            )

    def __contains__(self, shot: int) -> bool:
        return self.first <= shot and (self.until is None or shot < self.until)

    def overlaps(self, other: Span) -> bool:
        """Return whether the spans share a shot."""
        return (self.until is None or other.first < self.until) and (
            other.until is None or self.first < other.until
        )

    def __str__(self) -> str:
        return f"{self.first}…" if self.until is None else f"{self.first}…{self.until - 1}"


class Spanned(Protocol):
    """Anything that is valid for a span of shots."""

    @property
    def span(self) -> Span: ...


T = TypeVar("T", bound=Spanned)


def valid_at(items: Iterable[T], shot: int) -> T | None:
    """Return the first item whose span contains ``shot``, None if there is none."""
    return next((item for item in items if shot in item.span), None)


def overlapping(items: Iterable[T]) -> Iterator[tuple[T, T]]:
    """Yield (earlier, later) for each item that overlaps one that begins before it."""
    longest: T | None = None  # the item so far that ends last
    for item in sorted(items, key=lambda item: item.span.first):
        if longest is None:
            longest = item
            continue
        if longest.span.overlaps(item.span):
            yield longest, item
        if longest.span.until is not None and (
            item.span.until is None or item.span.until > longest.span.until
        ):
            longest = item
