"""Do what people asked of the web service: acts, one after the other, each exactly once.

A killed service may have done an act without having recorded it: what is done again must find that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from ishtar.attributes import AttributeEditError, Edit, edit, edits_version, read_edits
from runner.acts import DONE, REFUSED, Act, DamagedAct, Outcome, finish, read
from runner.scheduling.coordinator import Coordinator
from runner.service.reruns import RERUN, Reruns

logger = logging.getLogger(__name__)

Do = Callable[[Coordinator, Act], tuple[Outcome, list[int]]]


def take_act(coordinator: Coordinator, path: Path, reruns: Reruns) -> list[int]:
    """Do a waiting act and record its outcome; return the shots that changed.

    A rerun is begun if no other one is being made; `Reruns` records what became of it.
    """
    try:
        act, _ = read(path)
    except FileNotFoundError:
        return []
    except DamagedAct as error:
        logger.warning("%s", error)
        path.rename(path.with_suffix(".damaged"))
        return []
    if act.kind == RERUN:
        reruns.begin(act)
        return []
    outcome, changed = KINDS.get(act.kind, _unknown)(coordinator, act)
    finish(coordinator.workspace, act, outcome)
    logger.info("%s: %s of %s %s %s", act.who, act.kind, act.id, outcome.state, outcome.detail)
    return changed


def _correct(coordinator: Coordinator, act: Act) -> tuple[Outcome, list[int]]:
    """Correct attributes of a shot."""
    wanted = act.wanted
    number, changes = int(wanted["shot"]), dict(wanted["changes"])
    folder = coordinator.workspace.shot_folder(number)
    moment = datetime.fromisoformat(act.when)
    made = _made_before(folder, act, moment)
    if made is None:
        if not folder.is_dir():
            return Outcome(state=REFUSED, detail=f"shot {number} has been removed"), []
        seen = wanted.get("version")
        if seen not in (None, edits_version(folder)):
            why = f"somebody changed shot {number} in the meantime: look at it again"
            return Outcome(state=REFUSED, detail=why), []
        try:
            made = edit(
                folder,
                changes,
                who=act.who,
                why=str(wanted.get("why", "")),
                when=moment,
                new=bool(wanted.get("new")),
            )
        except AttributeEditError as error:
            return Outcome(state=REFUSED, detail=str(error)), []
    noted = coordinator.note_edited([number], changes)
    result = {} if made is None else {n: [c.before, c.after] for n, c in made.changes.items()}
    detail = "" if result else "the attributes have these values already"
    return Outcome(state=DONE, detail=detail, result=result), noted


def _made_before(folder: Path, act: Act, moment: datetime) -> Edit | None:
    """Return the edit of an act that was done, but not recorded."""
    when = moment.astimezone().isoformat(timespec="seconds")
    wanted = act.wanted["changes"]
    for made in read_edits(folder):
        same = all(name in wanted and c.after == wanted[name] for name, c in made.changes.items())
        if (made.who, made.when) == (act.who, when) and same:
            return made
    return None


def _unknown(_: Coordinator, act: Act) -> tuple[Outcome, list[int]]:
    return Outcome(state=REFUSED, detail=f"this version knows no act {act.kind!r}"), []


KINDS: Mapping[str, Do] = {"attributes": _correct}
