"""Lists of shots of a testbed: by query, by day, as a table.

They need only what a workspace and a published site both provide: shots by number, and a catalogue.
"""

from __future__ import annotations

import math
import operator
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from ishtar.catalogue import Catalogue, ScrapRow
from ishtar.errors import NoSuchShot, NotFoundError, did_you_mean
from ishtar.inputs import identity
from ishtar.lineage.record import WHERE, Input, is_recording, subject_of
from ishtar.query.parse import parse
from ishtar.query.query_tree import names_in
from ishtar.signals.protocols import AnyShot
from ishtar.units import factor

if TYPE_CHECKING:
    import pandas


T = TypeVar("T")
S = TypeVar("S", bound=AnyShot, covariant=True)


@dataclass(frozen=True, kw_only=True)
class Mapped(Generic[T]):
    """Results of a function for each shot, and its errors for those at which it failed."""

    values: Mapping[int, T]
    errors: Mapping[int, Exception]

    def __iter__(self) -> Iterator[tuple[int, T]]:
        return iter(self.values.items())

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, shot: int) -> T:
        """Return the value of a shot, or raise its error."""
        if shot in self.errors:
            raise self.errors[shot]
        return self.values[shot]

    def __repr__(self) -> str:
        lines = [f"<{len(self.values)} shots done, {len(self.errors)} failed>"]
        lines += [f"  {n}: {type(e).__name__}: {e}" for n, e in self.errors.items()]
        return "\n".join(lines)


class Shots(Generic[S]):
    """Some shots of a testbed, ascending; iteration yields `Shot` handles."""

    def __init__(self, testbed: AnyTestbed[S], numbers: Sequence[int]) -> None:
        self._testbed = testbed
        self.numbers = list(numbers)

    def __iter__(self) -> Iterator[S]:
        return (self._testbed[n] for n in self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    def map(self, work: Callable[[S], T]) -> Mapped[T]:
        """Apply a function to each shot; collect errors instead of raising them.

        Parameters
        ----------
        work : callable
            Called with a `Shot`; may return anything.

        Returns
        -------
        Mapped
            ``values`` and ``errors``, each by shot number.
        """
        values: dict[int, T] = {}
        errors: dict[int, Exception] = {}
        for n in self.numbers:
            try:
                values[n] = work(self._testbed[n])
            except Exception as error:
                errors[n] = error
        return Mapped(values=values, errors=errors)

    def table(self, columns: str | Sequence[str]) -> pandas.DataFrame:
        """Return scraps and attributes of the shots, from the catalogue; no shot file is opened.

        Parameters
        ----------
        columns : str or sequence of str
            Names of scraps (``"Te"``, or ``"langmuir.Te"`` if two templates glue the same name),
            their sigmas (``"Te.sigma"``) or attributes (``"date"``, ``"gas"``). If a scrap and an
            attribute have the same name, it means the attribute.

        Returns
        -------
        pandas.DataFrame
            One row per shot (index ``shot``), None or NaN where a shot has no such value.
            ``attrs["units"]`` holds the unit of each scrap; scraps are converted to the unit of the
            first shot. ``attrs["unknown"]`` lists the columns that no shot of the testbed has:
            misspelt, or not made yet.

        Raises
        ------
        NotFoundError
            Several templates glue a scrap of this name; the message names the choices.
        """
        import pandas as pd

        columns = [columns] if isinstance(columns, str) else list(columns)
        if wrong := [c for c in columns if not isinstance(c, str)]:
            raise TypeError(f"{wrong[0]!r} is not a column: write names, ['Te', 'date']")
        units: dict[str, str] = {}
        with closing(self._testbed.catalogue(columns)) as catalogue:
            known = [catalogue.attributes(n) or {} for n in self.numbers]
            data = {name: self._column(catalogue, known, name, units) for name in columns}
            names = set(catalogue.names())
        frame = pd.DataFrame(data, index=pd.Index(self.numbers, name="shot", dtype="int64"))
        frame.attrs["units"] = units
        frame.attrs["unknown"] = [c for c in columns if c.removesuffix(".sigma") not in names]
        return frame

    def _column(
        self,
        catalogue: Catalogue,
        known: Sequence[Mapping[str, Any]],
        column: str,
        units: dict[str, str],
    ) -> list[Any]:
        if column == "day" and not any("day" in attributes for attributes in known):
            dates = self._column(catalogue, known, "date", units)
            return [None if date is None else str(date)[:10] for date in dates]
        if any(column in attributes for attributes in known):
            values = [attributes.get(column) for attributes in known]
            for n, value in zip(self.numbers, values, strict=True):
                self._testbed.note_read(identity.attribute_input(column, value, n))
            return values
        is_sigma = column.endswith(".sigma")
        base = column.removesuffix(".sigma")
        template, _, name = base.rpartition(".")
        subjects = [subject_of(n) for n in self.numbers]
        rows = catalogue.scraps(subjects, name)
        templates = sorted({r.template for r in rows})
        if not template and len(templates) > 1:
            options = [f"{t}.{name}" for t in templates]
            raise NotFoundError(
                f"{name!r} is glued by several templates: ask for {' or '.join(options)}",
                name=name,
                nearest=options,
            )
        found = {r.subject: r for r in rows if not template or r.template == template}
        for subject in subjects:
            self._testbed.note_read(identity.scrap_input(found.get(subject), base, subject))
        if not found:
            return [math.nan] * len(subjects)  # floats, as a column of None cannot be plotted
        unit = units[column] = next(iter(found.values())).unit
        return [_value(found.get(s), unit, is_sigma) for s in subjects]

    def __repr__(self) -> str:
        if not self.numbers:
            return "<Shots: none>"
        return f"<Shots: {len(self)}, {self.numbers[0]} … {self.numbers[-1]}>"


def _value(row: ScrapRow | None, unit: str, is_sigma: bool) -> Any:
    """Return a scrap's value or sigma in a unit; None if there is none."""
    value = None if row is None else row.sigma if is_sigma else row.value
    if row is None or row.unit == unit or not isinstance(value, int | float):
        return value
    return value * factor(row.unit, unit)


class AnyTestbed(Protocol[S]):
    """A testbed of a workspace or a published site; ``testbed[1234]`` is a shot."""

    @abstractmethod
    def __getitem__(self, number: int, /) -> S:
        """Return a shot; raise `NoSuchShot`, which names the nearest, if it does not exist."""

    @abstractmethod
    def __contains__(self, number: object, /) -> bool:
        """Return whether there is a shot with this number."""

    @abstractmethod
    def catalogue(self, names: Iterable[str] = ()) -> Catalogue:
        """Open the catalogue for reading, with the scraps of these names; close it after use."""

    @abstractmethod
    def scraps(self, shot: int) -> list[ScrapRow]:
        """Return all scraps of a shot's current reports."""

    @abstractmethod
    def numbers(self) -> list[int]:
        """Return all shot numbers, ascending."""

    @abstractmethod
    def days(self) -> list[str]:
        """Return the days with shots, ``2026-11-22``, ascending."""

    @abstractmethod
    def note_read(self, item: Input) -> None:
        """Record an input of a report, if reports are planned by it."""

    def shots(self, query: str | None = None) -> Shots[S]:
        """Return all shots, or those that a query matches.

        Parameters
        ----------
        query : str, optional
            A condition on attributes, scraps and the number of a shot, for example ``"gas == 'Ar'
            and max_IC_Pinj > 500 and date >= '2026-11-01'"`` or ``"gas = Ar; Te > 3 eV"``;
            docs/catalogue.md describes the language.

        Returns
        -------
        Shots
            The matching shots, ascending.

        Raises
        ------
        QueryError
            The query is invalid, or uses a name that no shot has; the error marks the position.
        """
        if query is not None and not isinstance(query, str):
            raise TypeError(f"{query!r} is not a query: write tb.shots(\"gas == 'Ar'\")")
        if query is None:
            numbers = self.numbers()
        else:
            names = [name.name for name in names_in(parse(query))]
            with closing(self.catalogue(names)) as catalogue:
                numbers = catalogue.find(query, for_report=is_recording())
        self.note_read(identity.shots_input(numbers, "" if query is None else WHERE + query))
        return Shots(self, numbers)

    def day(self, day: str) -> Shots[S]:
        """Return the shots of a day.

        Parameters
        ----------
        day : str
            The date, ``"2026-11-22"``.

        Returns
        -------
        Shots
            The shots of the day, ascending.

        Raises
        ------
        NoSuchShot
            There are no shots on that day; the message names similar days.
        """
        if not isinstance(day, str):
            raise TypeError(f"{day!r} is not a day: write it as text, '2026-11-22'")
        with closing(self.catalogue()) as catalogue:
            numbers = catalogue.shots(day)
        self.note_read(identity.shots_input(numbers, day))
        if not numbers:
            hint = did_you_mean(day, self.days()) or "; testbed.days() lists the days with shots"
            raise NoSuchShot(f"there are no shots on {day!r}{hint}")
        return Shots(self, numbers)

    def range(self, first: int, last: int) -> Shots[S]:
        """Return the shots ``first … last``, both ends included.

        Parameters
        ----------
        first : int
            First shot.
        last : int
            Last shot, included.

        Returns
        -------
        Shots
            The existing shots of the range, ascending.
        """
        first, last = shot_number(first), shot_number(last)
        numbers = [n for n in self.numbers() if first <= n <= last]
        self.note_read(identity.shots_input(numbers, f"{subject_of(first)}..{subject_of(last)}"))
        return Shots(self, numbers)


def shot_number(number: Any) -> int:
    """Return a shot number as int; raise `TypeError` if it is not an integer."""
    try:
        return operator.index(number)
    except TypeError:
        raise TypeError(f"{number!r} is not a shot: write its number, tb[1234]") from None
