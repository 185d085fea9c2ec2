"""Commands on data: simulate, ingest, shots, signal."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from ishtar.catalogue import Catalogue
from ishtar.errors import NotFoundError, did_you_mean
from ishtar.plain_files import printable, readable
from ishtar.query.shot_numbers import select
from ishtar.shots.any_testbed import Shots
from ishtar.shots.shot import Shot
from ishtar.shots.testbed import Testbed
from ishtar.signals.time_base import step_text
from ishtar.workspace import Workspace
from runner.cli.output import ProgressBar, json_option, print_json, print_rows
from runner.cli.selection import choose_shots
from runner.cli.signal_names import name_rows
from runner.scheduling.coordinator import Coordinator


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--shots", default=12, show_default=True, type=click.IntRange(1, 100))
@click.option("--first", default=1, show_default=True, type=click.IntRange(1, 99999))
@click.option("--size-mb", default=5.0, show_default=True, type=float, help="Size of each file.")
@click.option("--interleaved", is_flag=True, help="Write interleaved TDMS segments.")
@click.option("--seed", default=20261122, show_default=True, type=int)
@click.option("--date", "day", default="2026-11-22", show_default=True, metavar="DAY")
@click.option(
    "--flaw",
    "flaws",
    multiple=True,
    metavar="SHOT=NAME",
    help="Add a flaw to a shot: probe_unplugged, current_saturated, no_plasma, truncated …",
)
@click.option("--demo", is_flag=True, help="The demo's campaign: 15 shots, five with a flaw.")
@click.option(
    "--probe",
    default="analysis",
    show_default=True,
    metavar="MODEL",
    help="Model of the probe's current: analysis, or independent of it.",
)
@click.option(
    "--magnetised",
    is_flag=True,
    help="The magnetic field reduces the electron current (with independent).",
)
def simulate(
    folder: Path,
    shots: int,
    first: int,
    size_mb: float,
    interleaved: bool,
    seed: int,
    day: str,
    flaws: tuple[str, ...],
    demo: bool,
    probe: str,
    magnetised: bool,
) -> None:
    """Write raw files of a synthetic testbed into FOLDER, as LabVIEW would.

    The true values (T_e, n_e …) are in FOLDER/truth.
    """
    from runner.simulate import Campaign, SimulationError, demo_campaign
    from runner.simulate import simulate as simulate_campaign

    date, of_flaws = _date(day), dict(_flaw(text) for text in flaws)
    try:
        if demo:
            campaign = demo_campaign(
                seed=seed, date=date, size_mb=size_mb, probe=probe, magnetised=magnetised
            )
        else:
            campaign = Campaign(
                first=first,
                shots=shots,
                seed=seed,
                date=date,
                size_mb=size_mb,
                interleaved=interleaved,
                flaws=of_flaws,
                probe=probe,
                magnetised=magnetised,
            )
    except SimulationError as error:
        raise click.UsageError(str(error)) from error
    with ProgressBar(0, "B") as progress:
        written = simulate_campaign(campaign, folder, lambda done, total: progress.to(done))
    click.echo(f"{len(written)} files in {folder}")


def _date(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(f"{text!r} is not a day: write it as 2026-11-22") from error


def _flaw(text: str) -> tuple[int, str]:
    shot, equals, name = text.partition("=")
    if not equals or not shot.strip().isdigit():
        raise click.UsageError(f"{text!r} is not a flaw: write --flaw 5=probe_unplugged")
    return int(shot), name.strip()


def ingest_files(
    coordinator: Coordinator,
    files: Iterable[Path],
    shot: int | None = None,
    *,
    salvage: bool = False,
) -> list[Any]:
    """Ingest files one by one, show the progress, note the shots and return the outcomes."""
    from runner.ingest import ingest_file

    outcomes = []
    incoming = coordinator.workspace.incoming.resolve()
    for path in files:
        size = path.stat().st_size if path.exists() else 0
        name = readable(path.name)
        with ProgressBar(size, "B") as progress:

            def show(done: int, total: int, bar: ProgressBar = progress, name: str = name) -> None:
                bar.to(done, name)

            outcome = ingest_file(
                path,
                layout=coordinator.workspace,
                settings=coordinator.settings.ingest,
                shot=shot,
                salvage=salvage,
                incoming=incoming in path.resolve().parents,
                progress=show,
            )
            text = f"{name}: {outcome.status}"
            if outcome.shots:
                text += f" as shot {', '.join(map(str, outcome.shots))}"
            progress.line(f"{text}; {outcome.reason}" if outcome.reason else text)
        for number in outcome.shots:
            coordinator.note_shot(number)
        outcomes.append(outcome)
    return outcomes


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--shot", type=click.IntRange(1), help="Shot number in place of that in the name.")
@click.option(
    "--salvage",
    is_flag=True,
    help="Store the intact part of a truncated recording, marked so.",
)
@json_option
def ingest(files: tuple[Path, ...], shot: int | None, salvage: bool, as_json: bool) -> int:
    """Store raw FILES in data/shots; the files themselves stay where they are.

    Copies of files that cannot be stored go to data/quarantine with the reason; files stored from
    there move to data/quarantine/taken.
    """
    missing = [readable(str(f)) for f in files if not f.exists()]
    if missing:
        raise click.UsageError(f"{', '.join(missing)} does not exist: check the path")
    if odd := [readable(str(f)) for f in files if not (f.is_file() or f.is_dir())]:
        raise click.UsageError(f"{', '.join(odd)}: not a regular file: leave it out")
    with Coordinator(Workspace.find()) as coordinator:
        coordinator.sync_shots()
        outcomes = ingest_files(coordinator, files, shot, salvage=salvage)
    if as_json:
        print_json(
            [
                {
                    "file": readable(str(path)),
                    "status": o.status,
                    "shots": list(o.shots),
                    "reason": o.reason,
                    "stored": [str(p) for p in o.stored],
                    "seconds": o.seconds,
                }
                for path, o in zip(files, outcomes, strict=True)
            ]
        )
    return int(any(o.status == "quarantined" for o in outcomes))


@click.command()
@click.argument("query", required=False)
@click.option(
    "-c",
    "--columns",
    metavar="NAMES",
    help="Attributes and scraps to show, with commas.",
)
@json_option
def shots(query: str | None, columns: str | None, as_json: bool) -> None:
    """List shots: all, 1200..1250, latest, or those that match a QUERY.

    A query is a condition (gas = Ar, Te > 3 eV, date = 2026-11, langmuir = failed), several joined
    by and, or, not, or words of the comment. The filter of the site takes the same.

    ishtar shots "gas = Ar and Te > 4" -c date,Te,ne
    """
    workspace = Workspace.find()
    with Coordinator(workspace) as coordinator:
        coordinator.sync_shots()
        catalogue = coordinator.catalogue
        numbers = catalogue.shots() if query is None else choose_shots(catalogue, query)
        if columns is not None:
            names = [name.strip() for name in columns.split(",") if name.strip()]
            for name in names:
                _check_known(name, catalogue.names())
            rows = _columns(Shots(Testbed(workspace), numbers), names, as_json)
        else:
            rows = [_listed(catalogue, number, as_json) for number in numbers]
    none = "there are no shots yet: `ishtar ingest FILE…`" if query is None else "no shot matches"
    print_rows(rows, as_json, none=none)


def _listed(catalogue: Catalogue, number: int, everything: bool) -> dict[str, Any]:
    attributes = catalogue.attributes(number) or {}
    shown = {name: attributes.get(name) for name in ("date", "gas", "program", "comment")}
    sources = [s.source for s in catalogue.sources(number)]
    return {"shot": number, **(attributes if everything else shown), "sources": sources}


def _check_known(name: str, known: Sequence[str]) -> None:
    base = name.removesuffix(".sigma")
    if base not in known:
        hint = did_you_mean(base, known) or f"; there are {', '.join(known)}"
        raise NotFoundError(f"no attribute or scrap {base!r}{hint}", name=base)


def _columns(chosen: Shots[Shot], names: Sequence[str], bare: bool) -> list[dict[str, Any]]:
    table = chosen.table(names)
    units = {} if bare else table.attrs["units"]
    titles = {n: f"{n} [{units[n]}]" if units.get(n) else n for n in names}
    return [
        {"shot": number} | {titles[n]: _plain(table.at[number, n]) for n in names}
        for number in chosen.numbers
    ]


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value  # numpy's numbers
    return None if isinstance(value, float) and math.isnan(value) else value


@click.command()
@click.argument("shot")
@click.argument("name", required=False)
@click.option(
    "--at", nargs=2, type=float, metavar="T0 T1", help="Also print the values, T0 to T1 in s."
)
@json_option
def signal(shot: str, name: str | None, at: tuple[float, float] | None, as_json: bool) -> None:
    """Show the provenance of a signal of a shot; NAME may also be a channel, 'S7/Ngas_P'.

    Without NAME, list the signals and channels of the shot, and its missing signals.
    """
    workspace = Workspace.find()
    with Coordinator(workspace) as coordinator:
        coordinator.sync_shots()
        numbers = select(shot, coordinator.catalogue.shots())
    if len(numbers) != 1:
        raise click.UsageError(f"{shot!r} names {len(numbers)} shots: give one")
    this = Testbed(workspace)[numbers[0]]
    if name is None:
        if at is not None:
            raise click.UsageError("--at needs a NAME: a signal or a channel")
        print_rows(list(name_rows(this)), as_json, none="the shot has no channel")
        return
    s = this.channel(name) if name in this.channels() else this[name]
    provenance = s.explain()
    if at is not None and not at[0] < at[1]:
        raise click.UsageError(f"--at {at[0]:g} {at[1]:g} is empty: give the earlier time first")
    time_problem = s.time_problem
    if at is not None and time_problem:
        raise click.UsageError(f"--at {at[0]:g} {at[1]:g}: {time_problem}")
    part = None if at is None else s[at[0] : at[1]]
    if as_json:
        document: dict[str, Any] = {
            "shot": numbers[0],
            "signal": s.name,
            "unit": s.unit,
            "dt": None if time_problem else s.dt,
            "t0": None if time_problem else s.t0,
            "x_unit": s.x_unit,
            "x0": s.x0,
            "dx": s.dx,
            "n": s.n,
            "channel": provenance.channel or None,
            "device": provenance.device or None,
            "calibration": provenance.calibration or None,
            "span": provenance.span or None,
            "source": provenance.source or None,
            "derived": provenance.derived or None,
            "scale_missing": provenance.scale_missing or None,
            "salvaged": provenance.salvaged or None,
        }
        if part is not None:
            document |= {"times": part.times().tolist(), "values": part.values().tolist()}
        print_json(document)
        return
    click.echo("\n".join(map(printable, str(provenance).split("\n"))))
    where = f"first at {s.x0:g} {s.x_unit}, " if s.x0 is not None else ""
    click.echo(f"  {'samples':<16}{s.n}, {where}{step_text(s.samples.base)}")
    if part is not None:
        for t, value in zip(part.times(), part.values(), strict=True):
            click.echo(f"{t:.9g}\t{value:.9g}")
