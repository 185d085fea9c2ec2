"""Fork a report: write a clean notebook with its parameters filled in and its origin."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ishtar.lineage.record import digest
from ishtar.workspace import Workspace
from runner.receipts import Subject
from runner.templates.notebook_file import declares_parameters
from runner.templates.origin_cell import CELL, origin_source
from runner.templates.template import Template


def fill_in(source: str, values: Mapping[str, Any]) -> str:
    """Return a parameters cell with its defaults replaced; types and comments stay."""
    lines = source.splitlines()
    for node in reversed(ast.parse(source).body):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=value) if value and name in values:
                pass
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in values:
                pass
            case _:
                continue
        first, last = value.lineno - 1, (value.end_lineno or value.lineno) - 1
        # ast counts columns in UTF-8 bytes
        before = lines[first].encode()[: value.col_offset].decode()
        after = lines[last].encode()[value.end_col_offset :].decode()
        lines[first : last + 1] = [f"{before}{values[name]!r}{after}"]
    return "\n".join(lines)


def calibration_version(workspace: Workspace) -> str:
    """Return the git commit of the calibrations, with a mark if they have changed since.

    Outside git, return a digest of the files.
    """
    folder = workspace.calibrations
    texts = digest(
        [[p.relative_to(folder).as_posix(), p.read_text("utf-8")] for p in _texts(folder)]
    )
    git = ["git", "-C", str(folder)]
    try:
        commit = subprocess.run(
            [*git, "log", "-1", "--format=%h", "--", "."],
            capture_output=True, text=True, check=True, timeout=10,
        ).stdout.strip()  # fmt: skip
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--", "."],
            capture_output=True, text=True, check=True, timeout=10,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return f"texts {texts}"
    return (
        f"{commit}{' and uncommitted changes' if changed else ''}" if commit else f"texts {texts}"
    )


def _texts(folder: Path) -> list[Path]:
    return sorted([*folder.rglob("*.toml"), *folder.glob("transforms.py")])


def fork(
    workspace: Workspace,
    template: Template,
    subject: Subject,
    values: Mapping[str, Any],
    *,
    report: str = "",
    url: str = "",
) -> Any:
    """Return the fork as a notebook.

    Parameters
    ----------
    values : mapping
        All parameters of the template.
    report : str
        Digest of the report that it was forked from; empty if there is none.
    url : str
        Address of the site, for those who have no access to the workspace.
    """
    from nbformat import from_dict
    from nbformat.v4 import new_code_cell

    notebook = from_dict(template.notebook)
    for cell in notebook.cells:
        if declares_parameters(cell):
            cell.source = fill_in(cell.source, values)
    here = origin_source(workspace.root, url)
    first_code = next(k for k, c in enumerate(notebook.cells) if c.cell_type == "code")
    notebook.cells.insert(first_code, new_code_cell(here, id=CELL))
    notebook.metadata["ishtar"] = {
        "origin": {
            "template": template.name,
            "template_digest": template.code_digest,
            "subject": str(subject),
            "shot": subject.number if subject.scope == "shot" else None,
            "parameters": dict(values),
            "calibrations": calibration_version(workspace),
            "report": report,
            "forked": datetime.now().astimezone().isoformat(timespec="seconds"),
        }
    }
    return notebook
