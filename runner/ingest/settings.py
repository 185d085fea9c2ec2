"""What a workspace may set about ingest."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class IngestSettings:
    """Section ``[ingest]`` of ``ishtar.toml``.

    Parameters
    ----------
    settle_s : float
        A file in an incoming folder is taken for whole when it has not changed for so long, s.
    truncated_wait_s : float
        A file that is not whole waits for so long, s, then goes to quarantine.
    max_shot : int
        The highest shot number that can be right.
    keep_incoming : bool
        Leave files in the incoming folder after they were stored and verified.
    converters : tuple of str
        Converters of this facility, ``"module:Class"``, asked before the built-in ones.
    timezone : str
        IANA name of the zone of the shots' local times, for files that state UTC; empty: this
        computer's.
    generator_clock_offset_s : float
        Shot time = generator time + this, s.
    generator_tolerance_s : float
        A pulse belongs to a shot if some of it lies within so many seconds of the shot's trigger.
    generator_threshold_w : float
        The generator is on above this forward power, W.
    generator_gap_s : float
        Two pulses are at least so far apart, s; shorter dips belong to one pulse.
    """

    settle_s: float = 2.0
    truncated_wait_s: float = 60.0
    max_shot: int = 99999
    keep_incoming: bool = False
    converters: tuple[str, ...] = ()
    timezone: str = ""
    generator_clock_offset_s: float = 0.0
    generator_tolerance_s: float = 10.0
    generator_threshold_w: float = 10.0
    generator_gap_s: float = 2.0
