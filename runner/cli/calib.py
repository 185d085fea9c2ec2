"""Commands on calibrations: check, show, diff, certify, wire."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ishtar.calibration import Declarations, load_declarations
from ishtar.calibration.changes import changes, changes_of_texts
from ishtar.calibration.edit import Edit
from ishtar.calibration.gaps import check_folder
from ishtar.calibration.pinned import declarations_at
from ishtar.errors import DamagedFile, did_you_mean
from ishtar.query.shot_numbers import select
from ishtar.shots.testbed import Testbed, stored_shots
from ishtar.workspace import Workspace
from runner.cli.calib_text import (
    FOLDER,
    change_document,
    name_rows,
    shown_document,
    shown_lines,
)
from runner.cli.output import json_option, print_json, print_rows

NOW = "now"
SHOT = re.compile(r"latest|[0-9]{1,9}")

calib_option = click.option(
    "--calib", "revision", metavar="TAG", help="As it was known at a tag or commit."
)
first_option = click.option(
    "--from",
    "first",
    required=True,
    type=click.IntRange(0, 10**9),
    metavar="SHOT",
    help="The first shot that it is for.",
)
history_option = click.option(
    "--rewrite-history",
    "rewrite",
    default="",
    metavar="REASON",
    help="Change what stored shots say, for this reason; it is kept in the text.",
)
dry_option = click.option("--dry-run", is_flag=True, help="Print the difference, write nothing.")


@click.group()
def calib() -> None:
    """Read, check and change the calibrations, wiring and machine that calibrations/ declares."""


@calib.command()
@json_option
def check(as_json: bool) -> int:
    """Check every file of calibrations/ and the stored shots against them; all problems at once."""
    workspace = Workspace.find()
    declared, findings = check_folder(workspace.calibrations, stored_shots(workspace))
    wrong = [f for f in findings if f.sure]
    if as_json:
        rows: list[dict[str, Any]] = [
            {
                "severity": "problem" if f.sure else "warning",
                "file": FOLDER + f.file,
                "line": f.line,
                "text": FOLDER + f.text,
            }
            for f in findings
        ]
        print_json(rows)
        return int(bool(wrong))
    for f in findings:
        click.echo(f"{'' if f.sure else 'warning: '}{FOLDER}{f}", err=True)
    if not wrong:
        click.echo(
            f"{len(declared.signals)} signals, {len(declared.devices)} devices, "
            f"{len(declared.components)} components, no problem"
        )
    return int(bool(wrong))


@calib.command()
@click.argument("name", required=False)
@click.option("--shot", metavar="SHOT", help="Only what holds at this shot.")
@calib_option
@json_option
def show(name: str | None, shot: str | None, revision: str | None, as_json: bool) -> None:
    """Tell all about a signal, a device (langmuir_1, langmuir_1.I) or a component.

    Without --shot over all shots; without NAME, all names.
    """
    from ishtar.calibration.show import show as show_name

    workspace = Workspace.find()
    declared = _declared(workspace, revision)
    if name is None:
        if shot is not None:
            raise click.UsageError("--shot needs a NAME: a signal, a device or a component")
        kinds = {
            "signal": declared.signals,
            "device": declared.devices,
            "component": declared.components,
        }
        print_rows(name_rows(kinds), as_json, none="calibrations/ declares nothing")
        return
    shown = show_name(declared, name, None if shot is None else _shot(workspace, shot))
    if as_json:
        print_json(shown_document(shown))
        return
    for line in shown_lines(shown):
        click.echo(line)


@calib.command()
@click.argument("a")
@click.argument("b", default=NOW)
@calib_option
@json_option
def diff(a: str, b: str, revision: str | None, as_json: bool) -> None:
    """Tell what differs between shots A and B, or between revisions A and B (now, if left out).

    Numbers are shots: ishtar calib diff 1200 1250. All else is a tag or commit: ishtar calib diff
    v2026.1 now.
    """
    workspace = Workspace.find()
    shots = [bool(SHOT.fullmatch(text)) for text in (a, b)]
    if all(shots):
        declared = _declared(workspace, revision)
        one, two = (_shot(workspace, text) for text in (a, b))
        found = changes(declared, one, declared, two)
    elif any(shots):
        raise click.UsageError(
            f"{a} and {b} are a shot and a revision: give two shots, or two revisions"
        )
    elif revision is not None:
        raise click.UsageError("--calib is for two shots: the revisions are given already")
    else:
        found = changes_of_texts(*(_declared(workspace, text) for text in (a, b)))
    if as_json:
        print_json([change_document(c) for c in found])
        return
    for change in found:
        click.echo(str(change))
    if not found:
        click.echo(f"nothing that a number depends on differs between {a} and {b}")


@calib.command()
@click.argument("device", metavar="DEVICE[.PORT]")
@first_option
@click.option("--file", "file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--gain", type=float, help="In place of the gain before; other steps stay.")
@click.option("--sigma", type=click.FloatRange(min=0), help="Standard uncertainty of the gain.")
@click.option(
    "--transform",
    "transforms",
    multiple=True,
    metavar="TOML",
    help="A step, as in the text: 'kind = \"offset\", offset = 0.1'. Several in their order.",
)
@click.option("--reference", required=True, help="Where the numbers come from.")
@history_option
@dry_option
def certify(
    device: str,
    first: int,
    file: Path | None,
    gain: float | None,
    sigma: float | None,
    transforms: tuple[str, ...],
    reference: str,
    rewrite: str,
    dry_run: bool,
) -> None:
    """Add a calibration of DEVICE, and close the one before it.

    Its numbers come from --file (input, unit and transforms, as in the text), from --gain with
    --sigma, or from --transform. Input and unit stay as before where they are not given.
    """
    from ishtar.calibration.certify import certify as certify_device
    from ishtar.calibration.certify import read_body, with_gain

    if (file is not None) + (gain is not None) + bool(transforms) != 1:
        raise click.UsageError("give the numbers once: by --file, by --gain, or by --transform")
    if (gain is None) != (sigma is None):
        raise click.UsageError("--gain and --sigma go together: of how much is the gain uncertain?")
    workspace = Workspace.find()
    folder = workspace.calibrations
    if file is not None:
        body = read_body(file)
    elif gain is not None and sigma is not None:
        body = with_gain(folder, device, first=first, gain=gain, sigma=sigma)
    else:
        body = {"transforms": [_step(text) for text in transforms]}
    _finish(
        certify_device(
            folder,
            device,
            first=first,
            body=body,
            reference=reference,
            stored=stored_shots(workspace),
            rewrite_history=rewrite,
        ),
        dry_run,
    )


@calib.command()
@click.argument("signal")
@first_option
@click.option("--channel", help="In the raw files: 'PXI M6251/Lang_I'.")
@click.option("--device", help="That it goes through now.")
@click.option("--port", help="Of the device.")
@click.option("--comment", default="", help="For whoever reads the text.")
@click.option("--unplugged", default="", metavar="WHY", help="It is wired nowhere from then on.")
@history_option
@dry_option
def wire(
    signal: str,
    first: int,
    channel: str | None,
    device: str | None,
    port: str | None,
    comment: str,
    unplugged: str,
    rewrite: str,
    dry_run: bool,
) -> None:
    """Wire SIGNAL to another channel or device, and close the wiring before it.

    What is not given stays as it was.
    """
    from ishtar.calibration.rewire import rewire

    workspace = Workspace.find()
    stored = stored_shots(workspace)
    edit = rewire(
        workspace.calibrations,
        signal,
        first=first,
        channel=channel,
        device=device,
        port=port,
        comment=comment,
        unplugged=unplugged,
        stored=stored,
        rewrite_history=rewrite,
    )
    _finish(edit.with_notes(_unheard_of(workspace, stored, first, channel)), dry_run)


def _declared(workspace: Workspace, revision: str | None) -> Declarations:
    if revision is None or revision == NOW:
        return load_declarations(workspace.calibrations)
    return declarations_at(workspace.calibrations, revision)


def _unheard_of(
    workspace: Workspace, stored: Sequence[int], first: int, channel: str | None
) -> list[str]:
    """Return the doubt that the newest stored shot has no such channel: a slip of the pen."""
    shots = [n for n in stored if n >= first]
    if channel is None or not shots:
        return []
    try:
        known = Testbed(workspace)[shots[-1]].channels()
    except DamagedFile:  # no matter of the wiring: `ishtar verify` tells
        return []
    if channel in known:
        return []
    hint = did_you_mean(channel, known) or f": `ishtar signal {shots[-1]}` lists what it has"
    return [f"shot {shots[-1]} has no channel {channel!r}{hint}"]


def _shot(workspace: Workspace, text: str) -> int:
    """Return a shot number; one that is not stored has its calibrations, too."""
    if not SHOT.fullmatch(text):
        raise click.UsageError(f"{text!r} is no shot: write 1234 or latest")
    return int(text) if text != "latest" else select(text, stored_shots(workspace))[0]


def _step(text: str) -> dict[str, Any]:
    try:
        step: dict[str, Any] = tomllib.loads(f"step = {{ {text} }}")["step"]
    except (ValueError, RecursionError) as error:
        raise click.UsageError(
            f"--transform {text!r} is not a table: write 'kind = \"gain\", gain = 2.0'"
        ) from error
    return step


def _finish(edit: Edit, dry_run: bool) -> None:
    if dry_run:
        click.echo(edit.diff)
    else:
        edit.write()
    for note in edit.notes:
        click.echo(note, err=dry_run)
    if not dry_run:
        click.echo(
            f"written to {FOLDER}{edit.name}: see `ishtar plan --why`, then commit it to git"
        )
