"""Detect plasma, its modes, and generators that are on, from powers and probe currents.

A plasma is detected in two ways, each of which can fail:

- **antennas**: without plasma nearly all power is reflected; a plasma loads the antenna, and the
  reflected share P_r/P_f falls within some ms. This detects nothing while a generator is off.
- **a probe**: its current leaves the range of the quiet time before the shot. A swept probe
  collects electrons during a part of each sweep only, so its time resolution is about one sweep;
  and it cannot distinguish an afterglow, which no power sustains, from a plasma.

Times come from the antennas where possible, otherwise from the probe.

A helicon discharge couples capacitively (E), inductively (H) or through waves in the plasma (W),
each with a smaller reflected share [1]_. The jumps between them are measured; their **names**
follow from bounds of the share, chosen for one antenna with one match: another match shifts them.

References
----------
.. [1] A. R. Ellingboe and R. W. Boswell, Phys. Plasmas 3, 2797 (1996).
"""

from __future__ import annotations

from ishtar.detection.antennas import MIN_POWER_W, UNLOADED, find_loaded, reflected_share
from ishtar.detection.modes import MODE_BOUNDS, Jump, find_jumps
from ishtar.detection.probe import find_probed
from ishtar.detection.time_spans import DetectionError, Span, find_above, joined, plasma_spans

__all__ = [
    "MIN_POWER_W",
    "MODE_BOUNDS",
    "UNLOADED",
    "DetectionError",
    "Jump",
    "Span",
    "find_above",
    "find_jumps",
    "find_loaded",
    "find_probed",
    "joined",
    "plasma_spans",
    "reflected_share",
]
