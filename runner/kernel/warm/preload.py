"""Import modules for the kernel server, and detect changes of their files."""

from __future__ import annotations

import importlib
import logging
import sys
import sysconfig
from pathlib import Path

import ishtar

logger = logging.getLogger(__name__)

# Modules that every report or kernel needs; each kernel imports `ipykernel.debugger` when it
# starts. The library's own modules follow.
REQUIRED = (
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
# Modules that some reports need; they take so long that the first kernel does not wait for them.
OPTIONAL = (
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


def preload_required() -> list[str]:
    """Import the modules that every report needs; return those that could not be imported.

    Such a module does not stop the server: the report that needs it fails with the reason.
    """
    failed = [name for name in REQUIRED if not _import(name)]
    root = Path(ishtar.__file__).parent
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if not _import(name):
            failed.append(name)
    return failed


def preload_optional() -> list[str]:
    """Import the modules that some reports need, and fill caches; return what failed to import."""
    failed = [name for name in OPTIONAL if not _import(name)]
    try:
        _warm_caches()
    except Exception:
        logger.warning(
            "caches were not filled: the first use in each kernel is slow", exc_info=True
        )
    return failed


def _import(name: str) -> bool:
    try:
        importlib.import_module(name)
    except Exception:
        logger.warning("not preloaded: %s; reports that import it may fail", name, exc_info=True)
        return False
    return True


def _warm_caches() -> None:
    """Run once what is slow the first time; leave no file open that kernels would share."""
    import pandas as pd
    import xarray as xr

    from ishtar.lineage.executed import executed
    from ishtar.units import factor

    with executed.attributed_to("ishtar.units"):  # recorded for the reports that use these caches
        factor("eV", "J")
    xr.DataArray([0.0], dims="time").to_series()  # imports all optional array types
    pd.DataFrame({"x": [0.0]}).to_html()
    _draw()


def _draw() -> None:
    """Draw a figure of typical elements, then close the font files."""
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
    above.set(yscale="log", ylabel="density $n_e$ [m$^{-3}$]", title="preloaded")
    above.legend()
    figure.colorbar(below.pcolormesh([[1, 2], [3, 4]]), ax=below, label="dB")
    below.set(xlabel="time $t$ [s]")
    png(figure)
    # these caches keep fonts, and with them their open files
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
    """The files of the imported modules, with their stamps at the time of import.

    These are the files of the factory, the library, and all modules that belong neither to Python
    nor to an installed package. Of the installed packages only the folder is watched: it changes
    when one is installed or removed.
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
        if failed:  # a change of any of these may fix the import
            for package in OWN:
                if path := getattr(sys.modules.get(package), "__file__", None):
                    paths |= {str(p) for p in Path(path).parent.rglob("*.py")}
        self._stamps = {path: _stamp(path) for path in paths}

    def changed(self) -> list[str]:
        """Return the files that have changed."""
        return [path for path, stamp in self._stamps.items() if _stamp(path) != stamp]
