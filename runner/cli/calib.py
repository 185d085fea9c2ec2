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
    "--calib", "revision", metavar="TAG", help="Use calibrations/ as of a tag or commit."
)
first_option = click.option(
    "--from",
    "first",
    required=True,
    type=click.IntRange(0, 10**9),
    metavar="SHOT",
    help="First shot that it applies to.",
)
history_option = click.option(
    "--rewrite-history",
    "rewrite",
    default="",
    metavar="REASON",
    help="Allow changes for stored shots, for this reason; the file records it.",
)
dry_option = click.option("--dry-run", is_flag=True, help="Only print the difference.")


@click.group()
def calib() -> None:
    """Show, check and change the calibrations, wiring and machine declared in calibrations/."""


@calib.command()
@json_option
def check(as_json: bool) -> int:
    """Check all files of calibrations/, and stored shots against them; list all problems."""
    workspace = Workspace.find()
    declared, findings = check_folder(workspace.calibrations, stored_shots(workspace))
    problems = [f for f in findings if f.sure]
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
        return int(bool(problems))
    for f in findings:
        click.echo(f"{'' if f.sure else 'warning: '}{FOLDER}{f}", err=True)
    if not problems:
        click.echo(
            f"{len(declared.signals)} signals, {len(declared.devices)} devices, "
            f"{len(declared.components)} components, no problem"
        )
    return int(bool(problems))


@calib.command()
@click.argument("name", required=False)
@click.option("--shot", metavar="SHOT", help="Only what applies to this shot.")
@calib_option
@json_option
def show(name: str | None, shot: str | None, revision: str | None, as_json: bool) -> None:
    """Show a signal, a device (langmuir_1, langmuir_1.I) or a component in full.

    Without --shot, show it for all shots; without NAME, list all names.
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
    """Show the differences between shots A and B, or revisions A and B (default: now).

    Numbers are shots: ishtar calib diff 1200 1250. Anything else is a tag or commit: ishtar calib
    diff v2026.1 now.
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
        raise click.UsageError("--calib needs two shots, not two revisions: leave it out")
    else:
        found = changes_of_texts(*(_declared(workspace, text) for text in (a, b)))
    if as_json:
        print_json([change_document(c) for c in found])
        return
    for change in found:
        click.echo(str(change))
    if not found:
        click.echo(f"no difference between {a} and {b} affects a number")


@calib.command()
@click.argument("device", metavar="DEVICE[.PORT]")
@first_option
@click.option("--file", "file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--gain", type=float, help="Replace the previous gain; keep the other steps.")
@click.option("--sigma", type=click.FloatRange(min=0), help="Standard uncertainty of the gain.")
@click.option(
    "--transform",
    "transforms",
    multiple=True,
    metavar="TOML",
    help="A step, as in the file: 'kind = \"offset\", offset = 0.1'. Repeat for several steps.",
)
@click.option("--reference", required=True, help="Source of the numbers.")
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
    """Add a calibration of DEVICE and end the previous one.

    Its numbers come from --file (input, unit and transforms, as in calibrations/), from --gain with
    --sigma, or from --transform. Input and unit default to the previous ones.
    """
    from ishtar.calibration.certify import certify as certify_device
    from ishtar.calibration.certify import read_body, with_gain

    if (file is not None) + (gain is not None) + bool(transforms) != 1:
        raise click.UsageError("give the numbers once: with --file, --gain or --transform")
    if (gain is None) != (sigma is None):
        raise click.UsageError("--gain and --sigma go together: give the gain's uncertainty, too")
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
@click.option("--channel", help="Channel in the raw files: 'PXI M6251/Lang_I'.")
@click.option("--device", help="Device that the signal passes through.")
@click.option("--port", help="Port of the device.")
@click.option("--comment", default="", help="Comment for the file.")
@click.option("--unplugged", default="", metavar="WHY", help="Why it has no channel from then on.")
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
    """Wire SIGNAL to another channel or device and end the previous wiring.

    Options left out keep their previous values.
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
    _finish(edit.with_notes(_unknown_channel(workspace, stored, first, channel)), dry_run)


def _declared(workspace: Workspace, revision: str | None) -> Declarations:
    if revision is None or revision == NOW:
        return load_declarations(workspace.calibrations)
    return declarations_at(workspace.calibrations, revision)


def _unknown_channel(
    workspace: Workspace, stored: Sequence[int], first: int, channel: str | None
) -> list[str]:
    """Return a warning if the newest stored shot has no such channel: it may be a typo."""
    shots = [n for n in stored if n >= first]
    if channel is None or not shots:
        return []
    try:
        known = Testbed(workspace)[shots[-1]].channels()
    except DamagedFile:  # unrelated to the wiring: `ishtar verify` reports it
        return []
    if channel in known:
        return []
    hint = did_you_mean(channel, known) or f": `ishtar signal {shots[-1]}` lists what it has"
    return [f"shot {shots[-1]} has no channel {channel!r}{hint}"]


def _shot(workspace: Workspace, text: str) -> int:
    """Return a shot number; the shot need not be stored to have calibrations."""
    if not SHOT.fullmatch(text):
        raise click.UsageError(f"{text!r} is not a shot: write 1234 or latest")
    return int(text) if text != "latest" else select(text, stored_shots(workspace))[0]


def _step(text: str) -> dict[str, Any]:
    try:
        step: dict[str, Any] = tomllib.loads(f"step = {{ {text} }}")["step"]
    except (ValueError, RecursionError) as error:
        raise click.UsageError(
            f"--transform {text!r} is not a TOML table: write 'kind = \"gain\", gain = 2.0'"
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
