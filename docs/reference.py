"""The API reference as pages: `make reference` builds it from docstrings into docs/reference/.

MODULES are what templates and programs import. Other modules are the library's own and may change
with any version; `tests/test_reference.py` checks that what is here is documented in full.
"""

from __future__ import annotations

from pathlib import Path

import ishtar

MODULES = (
    "ishtar",
    "ishtar.report",
    "ishtar.langmuir",
    "ishtar.plasma",
    "ishtar.coils",
    "ishtar.rf",
    "ishtar.arcs",
    "ishtar.gases",
    "ishtar.spectral",
    "ishtar.detection",
    "ishtar.quality",
    "ishtar.machine",
    "ishtar.calibration",
    "ishtar.calibration.facility",
    "ishtar.attributes",
    "ishtar.align",
    "ishtar.export",
    "ishtar.units",
    "ishtar.errors",
)


def build(folder: Path) -> None:
    """Write the pages into a folder, `index.html` first."""
    import pdoc
    import pdoc.render

    for name in ishtar.__all__:  # found late otherwise, and so not at all
        setattr(ishtar, name, getattr(ishtar, name))
    pdoc.render.configure(docformat="numpy", show_source=False, footer_text="Ishtar")
    wanted = ["ishtar", r"!ishtar\..+"]  # modules that are not listed are the library's own
    for name in MODULES[1:]:
        wanted += [name, rf"!{name}\..+"]
    pdoc.pdoc(*wanted, output_directory=folder)


if __name__ == "__main__":
    build(Path(__file__).parent / "reference")
