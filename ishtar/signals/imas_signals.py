"""The signals of a shot by their IMAS paths."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from ishtar.errors import NoSuchSignal, did_you_mean, nearest
from ishtar.signals.protocols import AnySignal

S = TypeVar("S", bound=AnySignal)


class ImasSignals(Mapping[str, S]):
    """IMAS path → signal, looked up when it is used.

    It lists the paths of the signals that can be read, in alphabetical order.

    Parameters
    ----------
    paths : mapping of str to str
        The IMAS path of each signal that has one.
    signal : callable
        Returns a signal by its name.
    problem : callable
        Returns why a signal cannot be read, None if it can.
    """

    def __init__(
        self,
        paths: Mapping[str, str],
        signal: Callable[[str], S],
        problem: Callable[[str], str | None],
    ) -> None:
        self._names = dict(sorted((path, name) for name, path in paths.items()))
        self._signal, self._problem = signal, problem

    def __getitem__(self, path: str) -> S:
        """Return a signal; one that cannot be read raises the same errors as by its name."""
        name = self._names.get(path)
        if name is None:
            hint = did_you_mean(str(path), self._names) or (
                ": give a signal `imas` in calibrations/signals.toml"
            )
            raise NoSuchSignal(
                f"no signal has the IMAS path {path!r}{hint}",
                name=str(path),
                nearest=nearest(str(path), self._names),
            )
        return self._signal(name)

    def __contains__(self, path: object) -> bool:
        name = self._names.get(path) if isinstance(path, str) else None
        return name is not None and self._problem(name) is None

    def __iter__(self) -> Iterator[str]:
        return (path for path, name in self._names.items() if self._problem(name) is None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<IMAS paths of {len(self._names)} signals>"
