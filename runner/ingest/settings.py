"""Settings of ingest in a workspace."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class IngestSettings:
    """Section ``[ingest]`` of ``ishtar.toml``.

    Parameters
    ----------
    settle_s : float
        A file in an incoming folder counts as complete after this time without a change, s.
    truncated_wait_s : float
        An incomplete file waits this long, s, then goes to quarantine.
    max_shot : int
        The highest valid shot number.
    shot_pattern : str
        Finds the shot in a file's name: a regular expression with a group ``shot``, and a group
        ``year`` where shot numbers restart each year; empty: the only number that can be a shot.
    shots_per_year : int
        With a ``year`` in the pattern, shot 42 of 2026 is 2026 × this + 42.
    keep_incoming : bool
        Leave files in the incoming folder after they are stored and verified.
    converters : tuple of str
        Converters of this facility, ``"module:Class"``, tried before the built-in ones.
    timezone : str
        IANA name of the zone of the shots' local times, for files that state UTC; empty: this
        computer's.
    timeout_s : float
        A conversion without progress ends after this time, s, plus one second for each 5 MB of the
        file.
    memory_mb : int
        Memory limit of a conversion, MB.
    generator_clock_offset_s : float
        Shot time = generator time + this, s.
    generator_tolerance_s : float
        A pulse belongs to a shot if part of it is within this time of the shot's trigger, s.
    generator_threshold_w : float
        The generator is on above this forward power, W.
    generator_gap_s : float
        Shortest gap between two pulses, s; a shorter dip is part of one pulse.
    """

    settle_s: float = 2.0
    truncated_wait_s: float = 60.0
    max_shot: int = 99999
    shot_pattern: str = ""
    shots_per_year: int = 10_000
    keep_incoming: bool = False
    converters: tuple[str, ...] = ()
    timezone: str = ""
    timeout_s: float = 60.0
    memory_mb: int = 2000
    generator_clock_offset_s: float = 0.0
    generator_tolerance_s: float = 10.0
    generator_threshold_w: float = 10.0
    generator_gap_s: float = 2.0

    def __post_init__(self) -> None:
        if self.timeout_s <= 0 or self.memory_mb <= 0:
            raise ValueError("timeout_s and memory_mb must be greater than 0")
        if self.shots_per_year < 2:
            raise ValueError(f"shots_per_year = {self.shots_per_year} must be 2 or more")
        if not self.shot_pattern:
            return
        try:
            groups = re.compile(self.shot_pattern).groupindex
        except re.error as error:
            raise ValueError(
                f"shot_pattern = {self.shot_pattern!r} is not a regular expression ({error})"
            ) from error
        if "shot" not in groups or not groups.keys() <= {"shot", "year"}:
            raise ValueError(
                f"shot_pattern = {self.shot_pattern!r} needs a group (?P<shot>…) and may have one "
                "more, (?P<year>…)"
            )

    @property
    def counts_by_year(self) -> bool:
        """Whether shot numbers restart each year."""
        return "(?P<year>" in self.shot_pattern
