"""When there was plasma, in which mode, and when the generators were on: from powers and probe.

Two things tell of a plasma, and each can fail:

- **the antennas**: without a plasma nearly all of the power comes back; a plasma loads the antenna,
  and the reflected share P_r/P_f falls within some ms. Nothing is told while a generator is off.
- **a probe**: its current leaves the band that it fills in the quiet time before the shot. A swept
  probe collects electrons during a part of each sweep only, so that it tells the time to about one
  sweep; and an afterglow, which no power sustains, looks like a plasma to it.

Times are taken from the antennas where they speak, from the probe elsewhere.

A helicon discharge takes up power from the antenna's voltage (E), from its current (H) or through
waves in the plasma (W), each time with a smaller reflected share [1]_. The jumps between them are
measured; their **names** are those of the bounds between which the share lies, a choice for one
antenna with one match: another match moves them.

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
