"""Ishtar: any signal of any shot of a plasma testbed by its name, calibrated, with its provenance.

>>> import ishtar
>>> tb = ishtar.open()          # this workspace; or a path
>>> s = tb[7]["Lang_I"]         # a lazy signal: no samples are read
>>> s[2.0:2.1].load()           # calibrated xarray.DataArray, reads only that slice
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from ishtar.version import __version__ as __version__

if TYPE_CHECKING:
    from ishtar import langmuir
    from ishtar.errors import IshtarError
    from ishtar.opening import open_testbed as open
    from ishtar.quantity import Measured
    from ishtar.shots.shot import Shot
    from ishtar.shots.testbed import Testbed
    from ishtar.signals.lazy_signal import Signal

if "ISHTAR_LINEAGE" in os.environ or "ISHTAR_FORKS_REPORTS" in os.environ:
    from ishtar.lineage import executed  # before any other module of the library is compiled

    executed.install()

__all__ = ["IshtarError", "Measured", "Shot", "Signal", "Testbed", "langmuir", "open"]

_HOMES = {
    "IshtarError": "ishtar.errors",
    "Measured": "ishtar.quantity",
    "Shot": "ishtar.shots.shot",
    "Signal": "ishtar.signals.lazy_signal",
    "Testbed": "ishtar.shots.testbed",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for, so that `import ishtar` costs nothing."""
    if name == "open":
        return importlib.import_module("ishtar.opening").open_testbed
    if name == "langmuir":
        return importlib.import_module("ishtar.langmuir")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'ishtar' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
