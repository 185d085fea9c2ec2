"""What the server of kernels has imported, and whether that is still what lies on the disk."""

from __future__ import annotations

import importlib
import logging
import sys
import sysconfig
from pathlib import Path

import ishtar

logger = logging.getLogger(__name__)

# What every report needs, and what a kernel is made of: each imports `ipykernel.debugger`
# when it starts. The library's own modules follow.
FIRST = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.debugger",
    "IPython.core.completer",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.core.pylabtools",
    "IPython.extensions.storemagic",
    "matplotlib_inline",
    "runner.kernel.streams",
    "tornado.platform.asyncio",
    "numpy",
    "matplotlib.backends.backend_agg",
    "matplotlib.pyplot",
    "h5py",
    "hdf5plugin",
    "pandas",
)
# What some need, so much of it that the first kernel does not wait for it.
LATER = (
    "contourpy",
    "pint",
    "xarray",
    "xarray.computation.rolling",
    "scipy.fft",
    "scipy.interpolate",
    "scipy.linalg",
    "scipy.ndimage",
    "scipy.optimize",
    "scipy.signal",
    "scipy.special",
)
OWN = ("ishtar", "runner")
Stamp = tuple[int, int]  # modification time [ns], size


def preload_first() -> list[str]:
    """Import what every report needs; return what could not be imported.

    A module that cannot be imported is not the server's business: the report that needs it fails
    with the reason.
    """
    failed = [name for name in FIRST if not _imported(name)]
    root = Path(ishtar.__file__).parent
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if not _imported(name):
            failed.append(name)
    return failed


def preload_later() -> list[str]:
    """Import what some reports need, and do once what is slow the first time."""
    failed = [name for name in LATER if not _imported(name)]
    try:
        _first_use()
    except Exception:
        logger.warning("what is slow the first time was not done beforehand", exc_info=True)
    return failed


def _imported(name: str) -> bool:
    try:
        importlib.import_module(name)
    except Exception:
        logger.warning("not imported beforehand: %s", name, exc_info=True)
        return False
    return True


def _first_use() -> None:
    """Do once what is slow the first time, and leave no file open that kernels would share."""
    import pandas as pd
    import xarray as xr

    from ishtar.lineage.executed import executed
    from ishtar.units import factor

    with executed.attributed_to("ishtar.units"):  # fills caches: it counts where those do
        factor("eV", "J")
    xr.DataArray([0.0], dims="time").to_series()  # imports every kind of array that there may be
    pd.DataFrame({"x": [0.0]}).to_html()
    _draw()


def _draw() -> None:
    """Draw what figures are made of, and let the files of the fonts go."""
    from matplotlib import font_manager, mathtext
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.registry import backend_registry
    from matplotlib.figure import Figure

    from runner.kernel.figures import png

    backend_registry.list_all()  # looks for entry points of installed packages
    figure = Figure(layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, sharex=True)
    above.errorbar([1, 2], [1, 20], [0.1, 2], fmt="o", label="$n_e$")
    above.fill_between([1, 2], [1, 2], [2, 3])
    above.set(yscale="log", ylabel="density $n_e$ [m$^{-3}$]", title="drawn beforehand")
    above.legend()
    figure.colorbar(below.pcolormesh([[1, 2], [3, 4]]), ax=below, label="dB")
    below.set(xlabel="time $t$ [s]")
    png(figure)
    # matplotlib keeps fonts, and in them their files; what they are drawn with anew is not kept
    for owner, name in ((font_manager, "_get_font"), (mathtext.MathTextParser, "_parse_cached")):
        getattr(owner, name).cache_clear()
    figure.clear()


def _stamp(path: str) -> Stamp:
    try:
        stat = Path(path).stat()
    except OSError:
        return (0, 0)
    return (stat.st_mtime_ns, stat.st_size)


class Sources:
    """The files that imported modules came from, as they were then.

    Watched are this package, the library, and whatever else does not belong to Python or an
    installed package; of those only the folder, which changes when one is installed or removed.
    """

    def __init__(self, failed: list[str]) -> None:
        installed = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
        everything = (*installed, sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
        paths = set(installed)
        for name, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None)
            if not path or not path.endswith(".py"):
                continue
            if name.split(".")[0] in OWN or not path.startswith(everything):
                paths.add(path)
        if failed:  # it may be imported when one of these changes
            for package in OWN:
                if path := getattr(sys.modules.get(package), "__file__", None):
                    paths |= {str(p) for p in Path(path).parent.rglob("*.py")}
        self._stamps = {path: _stamp(path) for path in paths}

    def changed(self) -> list[str]:
        """Return the files that are not what they were."""
        return [path for path, stamp in self._stamps.items() if _stamp(path) != stamp]
