"""Quality checks of a shot's raw data: clipping, dead or noisy channels, stuck bits, gaps, trigger.

>>> from ishtar.quality import stuck_bits
>>> import numpy as np
>>> ramp = np.arange(-2000, 2000, dtype=np.int16)
>>> [finding.text for finding in stuck_bits("DAQ/x", ramp | 16)]
['bit 4 of 16 is always 1: the converter or its cable is faulty']

`examine` checks all channels of a shot; the other functions take arrays.
"""

from __future__ import annotations

from ishtar.quality.channel_view import ChannelView
from ishtar.quality.findings import Finding, Severity, sorted_findings
from ishtar.quality.sample_checks import (
    Noise,
    clipped,
    dead,
    held,
    limited,
    noise_of,
    noisy,
    stuck_bits,
)
from ishtar.quality.shot_quality import Quality, Recorder, examine
from ishtar.quality.timing import Pulse, clocks, coverage, gaps, pulse_of, trigger

__all__ = [
    "ChannelView",
    "Finding",
    "Noise",
    "Pulse",
    "Quality",
    "Recorder",
    "Severity",
    "clipped",
    "clocks",
    "coverage",
    "dead",
    "examine",
    "gaps",
    "held",
    "limited",
    "noise_of",
    "noisy",
    "pulse_of",
    "sorted_findings",
    "stuck_bits",
    "trigger",
]
