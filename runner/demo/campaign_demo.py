"""The demo campaign: three weeks with all the faults of a real testbed.

The raw files have flaws (`runner.simulate.three_weeks`). This module adds the actions of users:
they replace a detector, an antenna and a calibration, correct attributes, write a faulty template,
lose a generator log, copy a file incompletely and re-run reports with other parameters.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ishtar.attributes import edit_many
from ishtar.workspace import Workspace
from runner.jobs import Selection
from runner.receipts import Subject
from runner.scheduling.batch import run_batch
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.dispatch import make_job, run_one
from runner.simulate import truncate

NEW_ANTENNA, NEW_DETECTOR, NEW_CALIBRATION = 1201, 1206, 1211  # first shots with them
HALF_COPIED = 1241
PROFILE = Subject.range(1181, 1190)
RERUNS = ((1188, {"t_start": 1.0, "t_end": 2.0}), (1238, {"t_start": 2.5, "t_end": 3.5}))
LATE = 1239  # its gas is corrected after its reports were made, which become stale
TEMPLATE = "sound_speed"

# (shot, comment): markup in comments must stay plain text
COMMENTS = (
    (1186, "Prüfung der Kühlung: Rücklauf 24 °C – alles in Ordnung (Müller, Łukasz, Žižka)"),
    (1192, "<script>document.title='pwned'</script><b>bold</b> & \"quotes\" </table>"),
    (1203, "T_e < 3 eV? n_e > 1e17 && gas == 'He' -- [link](javascript:alert(1)) $E=mc^2$"),
    (1216, "Week-end shift. " + "The matching network was tuned by hand between the shots. " * 6),
    (1240, "氦 ヘリウム هيليوم: last shot of the campaign 🎉"),
)


def change_testbed(workspace: Workspace) -> None:
    """Replace an antenna, a detector and a calibration between the weeks, in the text files."""
    folder = workspace.calibrations
    _add_successor(
        folder / "machine" / "ishtar.toml",
        'name = "icrf_antenna"',
        NEW_ANTENNA,
        """
[[component]]
name = "icrf_antenna"
kind = "antenna"
part_of = "vessel"
from = {first}
description = "Two straps of copper; the one before had a single strap of steel"

[component.parameters]
frequency = "6.0 MHz"
max_power = "1.2 kW"
fed_by = "icrf_generator"
forward = "IC_Pfwd"
reflected = "IC_Pref"
power_floor = "20 W"
""",
    )
    _add_successor(
        folder / "wiring" / "pxi.toml",
        'signal = "Bdot_U"',
        NEW_DETECTOR,
        """
[[wiring]]
signal = "Bdot_U"
channel = "PXI M6251/Bdot_U"
device = "logdet_bdot_2"
from = {first}
comment = "The old detector had no supply for days: <replaced> by the spare one"
""",
    )
    devices = folder / "devices"
    spare = (devices / "logdet_bdot.toml").read_text(encoding="utf-8")
    (devices / "logdet_bdot_2.toml").write_text(
        spare.replace("AD8310-07", "AD8310-09"), encoding="utf-8"
    )
    ports = "".join(
        f"""
[calibration.ports.{port}]
input = "V"
unit = "W"
transforms = [{{{{ kind = "log_detector", zero = 0.02, intercept = 2.2503, slope = 0.0520, \
sigma_db = 0.15 }}}}]
"""
        for port in ("fwd", "ref")
    )
    _add_successor(
        devices / "logdet_ic.toml",
        "version = 1",
        NEW_CALIBRATION,
        """
[[calibration]]
version = 2
from = {first}
reference = "Power meter with a certificate, both detectors at 6.0 MHz (0.1 dB)"
"""
        + ports,
    )


def _add_successor(path: Path, entry: str, first: int, text: str) -> None:
    """End the span of an entry at a shot, and add its successor to the file."""
    before, _, rest = path.read_text(encoding="utf-8").partition(entry)
    rest = rest.replace("from = 1\n", f"from = 1\nuntil = {first}\n", 1)
    path.write_text(before + entry + rest + text.format(first=first), encoding="utf-8")


def add_template(workspace: Workspace) -> None:
    """Write a template that does not know helium."""
    cells = [
        (
            "markdown",
            "# Sound speed\n\nThe speed of ion sound, $c_s = \\sqrt{e T_e / m_i}$, from the probe's"
            " electron temperature {cite}`hutchinson2002`.",
        ),
        ("parameters", "shot: int = 1181  # number of the shot\ngamma: float = 1.0  # 1 .. 3"),
        (
            "code",
            "# The ion's mass\nimport ishtar\nfrom ishtar.report import glue, skip\n\n"
            'MASS_U = {"Ar": 39.95}\ntb = ishtar.open()\nmass = MASS_U[tb[shot].attributes["gas"]]',
        ),
        (
            "code",
            "# From the temperature\n"
            'te = tb.range(shot, shot).table(["langmuir.Te"]).iloc[0, 0]\n'
            "if te is None or te != te:\n"
            '    skip("the probe gave no temperature")\n'
            "c_s = (gamma * te * 1.602e-19 / (mass * 1.6605e-27)) ** 0.5\n"
            'glue("c_s", float(c_s), unit="m/s")',
        ),
    ]
    notebook = {
        "cells": [_cell(k, kind, text) for k, (kind, text) in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = workspace.templates / f"{TEMPLATE}.ipynb"
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    path.with_suffix(".toml").write_text(
        'order = 70\nafter = ["langmuir"]\nkey = ["c_s"]\n\n[limits]\nc_s = [2200.0, 3600.0]\n',
        encoding="utf-8",
    )


def _cell(number: int, kind: str, text: str) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "id": f"cell-{number}",
        "cell_type": "markdown" if kind == "markdown" else "code",
        "metadata": {"tags": ["parameters"]} if kind == "parameters" else {},
        "source": text.splitlines(keepends=True),
    }
    if kind != "markdown":
        cell |= {"execution_count": None, "outputs": []}
    return cell


def copy_partly(raw: Path, of: int) -> None:
    """Write an incomplete copy of a file, which goes to quarantine."""
    broken = raw / f"{HALF_COPIED:05d}_Data.tdms"
    shutil.copyfile(raw / f"{of:05d}_Data.tdms", broken)
    truncate(broken)


def correct_attributes(coordinator: Coordinator, changes: Sequence[tuple[int, str]]) -> None:
    """Add comments to shots, and note the shots."""
    for number, comment in changes:
        _edit(coordinator, number, {"comment": comment}, "written down later")


def correct_late(coordinator: Coordinator) -> None:
    """Correct the gas of a shot after its reports were made."""
    _edit(coordinator, LATE, {"gas": "Ar"}, "the bottle was not helium")


def _edit(coordinator: Coordinator, number: int, values: dict[str, Any], why: str) -> None:
    folder = coordinator.workspace.shot_folder(number)
    when = datetime(2026, 11, 20, 18)
    edit_many([folder], values, who="moreau", why=why, when=when)
    coordinator.note_shot(number)


def run_requested(coordinator: Coordinator) -> None:
    """Make the requested reports: a range, and two re-runs with other parameters."""
    run_batch(coordinator, Selection(names={"profile"}, ranges=[PROFILE]))
    template = coordinator.templates()["langmuir"]
    for number, parameters in RERUNS:
        subject = Subject.shot(number)
        values = template.values(subject, parameters)
        run_one(
            coordinator, make_job(coordinator, template, subject, parameters=values, rerun=True)
        )
