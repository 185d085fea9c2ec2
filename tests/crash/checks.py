"""What must hold once the service has come to rest and was asked to end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np

import ishtar
from ishtar.catalogue import Catalogue
from ishtar.store.atomic import TEMPORARY_PREFIX
from runner.execution.outcome import was_killed
from runner.receipts import DamagedReceipt, read_receipts
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.rebuild import rebuild
from tests.crash.harness import TEMPLATES, Crash
from tests.crash.reader import read_all


def content(catalogue: Catalogue) -> str:
    """Return everything that the catalogue says."""
    told = [
        [vars(r) for r in catalogue.reports()],
        sorted(str(i) for items in catalogue.inputs().values() for i in items),
        [vars(s) for s in catalogue.scraps()],
        [
            [n, catalogue.attributes(n), [vars(s) for s in catalogue.sources(n)]]
            for n in catalogue.shots()
        ],
        [catalogue.channels(n) for n in catalogue.shots()],
    ]
    return json.dumps(told, default=dict, indent=1, sort_keys=True)


def problems(crash: Crash) -> Iterator[str]:
    """Yield what a crash has damaged, in words; the service must have ended."""
    yield from crash.reader.problems
    yield from _reports(crash)
    yield from _results(crash)
    yield from _catalogue(crash)
    yield from _leftovers(crash)
    yield from read_all(crash.workspace.site)


def _reports(crash: Crash) -> Iterator[str]:
    """Each shot and template has one current report, and one folder for each identity."""
    with Catalogue(crash.workspace.catalogue) as catalogue:
        rows = catalogue.reports()
    current = [(r.subject, r.template) for r in rows if r.current]
    wanted = [(f"{n:05d}", t) for n in range(1, crash.stream.shots + 1) for t in TEMPLATES]
    if sorted(current) != sorted(wanted):
        yield f"current reports are not one for each shot and template: {sorted(current)}"
    # one that was begun when its shot's data had not all arrived may have failed for that
    yield from (f"{r.folder} is {r.state}" for r in rows if r.state != "ok" and r.current)
    yield from (f"{r.folder}: {r.reason}" for r in rows if was_killed(r.state, r.reason))
    noted = {r.folder for r in rows}
    made_from: dict[object, str] = {}
    for folder, receipt in read_receipts(crash.workspace.reports):
        name = folder.relative_to(crash.workspace.reports).as_posix()
        if isinstance(receipt, DamagedReceipt):
            yield str(receipt)
            continue
        if name not in noted:
            yield f"{name} is not in the catalogue"
        if folder.name != receipt.digest:
            yield f"{name} holds the report {receipt.digest}"
        identity = (receipt.subject, receipt.template, receipt.template_digest, receipt.inputs)
        if identity in made_from:
            yield f"{name} and {made_from[identity]} were made from the same"
        made_from[identity] = name
        page = f"shots/{receipt.subject}/{receipt.template}.html"
        if not (crash.workspace.site / page).is_file():
            yield f"{page} was not published"


def _results(crash: Crash) -> Iterator[str]:
    """What the reports say is what a calculation without any crash says."""
    testbed = ishtar.open(crash.workspace.root)
    for number in range(1, crash.stream.shots + 1):
        found = {s.name: s.value for s in testbed.scraps(number)}
        mean = float(np.mean(testbed[number]["Lang_I"].load().values))
        if found != {"mean": mean, "twice": 2 * mean}:
            yield f"shot {number} has {found}, its mean is {mean}"


def _catalogue(crash: Crash) -> Iterator[str]:
    """Nothing is due, the files are sound, and the rebuilt catalogue says what the live one did."""
    with Coordinator(crash.workspace) as coordinator:
        live = content(coordinator.catalogue)
        yield from (f"{p.subject} {p.template}: {p.reasons}" for p in coordinator.plan())
    yield from rebuild(crash.workspace)[2]
    with Coordinator(crash.workspace) as coordinator:
        rebuilt = content(coordinator.catalogue)
    if rebuilt != live:
        pairs = zip(live.splitlines(), rebuilt.splitlines(), strict=False)
        first = next((pair for pair in pairs if pair[0] != pair[1]), ("", ""))
        yield f"the rebuilt catalogue differs from the live one: {first}"
    said = subprocess.run(
        [sys.executable, "-c", "from runner.cli import main; main(['verify'])"],
        cwd=crash.workspace.root,
        env={k: v for k, v in os.environ.items() if k != "ISHTAR_WORKSPACE"},
        capture_output=True,
        text=True,
        check=False,
    )
    if said.returncode:
        yield f"ishtar verify: {said.stdout}{said.stderr}"


def _leftovers(crash: Crash) -> Iterator[str]:
    """No file waits, nothing half-made lies about, no process lives."""
    root = crash.workspace.root
    for folder in (crash.workspace.incoming, crash.workspace.quarantine, root / "data" / "running"):
        if folder.is_dir():
            yield from (f"{path.relative_to(root)} was left" for path in folder.iterdir())
    # half files of an ingest stay for a day: they may be of somebody who ingests by hand
    data = [f"data/{name}" for name in ("shots", "days", "quarantine")]
    for path in root.rglob(f"{TEMPORARY_PREFIX}*"):
        name = path.relative_to(root).as_posix()
        if not path.is_file() or not name.startswith(tuple(data)):
            yield f"{name} was left"
    yield from (f"{p.name} was left for temporary files" for p in crash.service.temporary.iterdir())
    yield from (f"process {p} lives" for p in crash.service.survivors())
