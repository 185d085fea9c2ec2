"""What was known then: the texts of ``calibrations/`` as a commit or tag of their repository holds
them.

Only the `git` command is asked, only about what it has on disk: nothing is checked out, fetched or
written. What is not committed is not in it.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

from ishtar.calibration.declared import Declarations
from ishtar.calibration.facility import NAME as OWN_TRANSFORMS
from ishtar.calibration.load import read_declarations
from ishtar.errors import CalibrationFileError, IshtarError, NotFoundError, did_you_mean, nearest

TIMEOUT_S = 60
# Set by git for its hooks: they would make it look at another repository than that of the folder.
ELSEWHERE = re.compile(r"GIT_(DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|COMMON_DIR|PREFIX|CEILING)")
FILES = frozenset({b"100644", b"100755"})  # modes of plain files, in git's trees


class NoHistory(IshtarError, LookupError):
    """The calibrations are in no git repository, or git cannot be asked about it."""


class NoSuchRevision(NotFoundError):
    """The repository has no such tag or commit, or it held no calibrations then."""


@dataclass(frozen=True)
class _Place:
    """A folder inside a repository: where git is run, and the folder below the repository."""

    top: Path
    below: str


def declarations_at(folder: Path, revision: str) -> Declarations:
    """Return what a ``calibrations/`` folder declared at a tag, branch or commit.

    Parameters
    ----------
    folder : Path
        The folder as it is today; it must lie in a git repository, but need not exist any more.
    revision : str
        As git understands it: ``v2026.1``, ``1a2b3c4``, ``main~3``.

    Raises
    ------
    NoHistory
        There is no git, or the folder is in no repository.
    NoSuchRevision
        There is no such revision (the nearest tags are named), or no such folder in it.
    CalibrationFileError
        The texts of that commit have problems; all of them are in ``problems``.
    """
    if not isinstance(revision, str):
        raise TypeError(f"calib={revision!r} names no revision: write a tag or commit, 'v2026.1'")
    place = _place(Path(folder))
    return _read(place, _commit(place, revision))


@lru_cache(maxsize=16)
def _read(place: _Place, commit: str) -> Declarations:
    short = commit[:10]
    with tempfile.TemporaryDirectory(prefix="ishtar-calib-") as scratch:
        copy = Path(scratch) / "calibrations"
        copy.mkdir()
        for name, text in _texts(place, commit).items():
            path = copy / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
        declared, problems = read_declarations(copy)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise CalibrationFileError(
            f"calibrations at {short}: {problems[0]}{more}: pin a later commit, "
            "`ishtar calib check` was not clean at this one",
            problems=problems,
        )
    return replace(declared, revision=short)


def _place(folder: Path) -> _Place:
    folder = folder.resolve()
    there = folder
    while not there.is_dir() and there != there.parent:
        there = there.parent
    done = _git(there, "rev-parse", "--show-toplevel")
    if done.returncode:
        said = _said(done)
        why = f"git says {said!r}" if "not a git repository" not in said else "no git repository"
        raise NoHistory(
            f"{folder.name}/ has no history ({why}): commit it to one, or open without calib="
        )
    top = Path(os.fsdecode(done.stdout.rstrip(b"\n"))).resolve()
    below = folder.relative_to(top).as_posix()
    return _Place(top, "" if below == "." else below)


def _commit(place: _Place, revision: str) -> str:
    """Return the full hash of a revision."""
    # What begins with a dash would be an option of git.
    plain = bool(revision) and revision.isprintable() and not revision.startswith("-")
    done = (
        _git(place.top, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        if plain
        else None
    )
    found = done.stdout.decode("ascii", "replace").strip() if done and not done.returncode else ""
    if re.fullmatch("[0-9a-f]{40,64}", found):
        return found
    listed = _git(place.top, "for-each-ref", "--sort=-creatordate", "--format=%(refname:short)")
    refs = listed.stdout.decode("utf-8", "replace").splitlines()
    tags = _git(place.top, "tag", "--list", "--sort=-creatordate").stdout.decode(errors="replace")
    newest = ", ".join(tags.split()[:3])
    hint = did_you_mean(revision, refs) or (f"; the newest tags are {newest}" if newest else "")
    raise NoSuchRevision(
        f"the repository of {place.below or place.top.name}/ has no tag or commit {revision!r}"
        f"{hint}: `git tag` lists them",
        name=revision,
        nearest=nearest(revision, refs),
    )


def _texts(place: _Place, commit: str) -> Mapping[str, bytes]:
    """Return what is read below a folder at a commit, by name: TOML, and a facility's code."""
    done = _git(place.top, "ls-tree", "-r", "-z", f"{commit}:{place.below}")
    if done.returncode:
        raise NoSuchRevision(
            f"{commit[:10]} has no folder {place.below}: take a commit that has it, "
            f"`git log -- {place.below}` lists them",
            name=commit,
        )
    blobs: dict[str, str] = {}
    for line in done.stdout.split(b"\0")[:-1]:
        head, _, raw = line.partition(b"\t")
        mode, _, blob = head.split(b" ")
        name = PurePosixPath(os.fsdecode(raw))
        read = name.suffix == ".toml" or str(name) == OWN_TRANSFORMS
        if not read or ".." in name.parts or name.is_absolute():
            continue
        if mode not in FILES:
            raise CalibrationFileError(
                f"{name} is a link or a repository of its own at {commit[:10]}: "
                "put the text itself into calibrations/"
            )
        blobs[str(name)] = blob.decode("ascii")
    done = _git(place.top, "cat-file", "--batch", input_="\n".join(blobs.values()).encode())
    found: dict[str, bytes] = {}
    rest = done.stdout
    for path, asked in blobs.items():  # each answer: "hash blob size\n", the text, "\n"
        answer, _, rest = rest.partition(b"\n")
        words = answer.split()
        if done.returncode or len(words) != 3 or words[0].decode() != asked:
            raise NoHistory(
                f"git does not have {path} of {commit[:10]} on disk ({_said(done) or 'missing'}): "
                "fetch the whole repository"
            )
        size = int(words[2])
        found[path], rest = rest[:size], rest[size + 1 :]
    return found


def _git(where: Path, *arguments: str, input_: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Ask git about the repository that a folder lies in; no network, no lock, no question."""
    environment = {k: v for k, v in os.environ.items() if not ELSEWHERE.match(k)}
    environment |= {
        "GIT_ALLOW_PROTOCOL": "none",  # a partial clone would fetch what it does not have
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    try:
        return subprocess.run(
            ["git", "-C", str(where), *arguments],
            input=input_,
            capture_output=True,
            env=environment,
            timeout=TIMEOUT_S,
            check=False,
        )
    except OSError as error:
        raise NoHistory(
            "there is no git command here, and calib= reads history with it: install git"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise NoHistory(
            f"git did not answer within {TIMEOUT_S} s: try `git status` in {where}"
        ) from error


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return the first line of what git complains about."""
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[0].removeprefix("fatal: ") if lines else ""
