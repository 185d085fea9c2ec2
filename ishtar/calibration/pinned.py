"""Read ``calibrations/`` as it was at a commit or tag of its git repository.

Only the `git` command is used, only on local objects: nothing is checked out, fetched or written.
Uncommitted changes are not included.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

from ishtar.calibration.declared import Declarations
from ishtar.calibration.facility import NAME as OWN_TRANSFORMS
from ishtar.calibration.load import read_declarations
from ishtar.errors import CalibrationFileError, IshtarError, NotFoundError, did_you_mean, nearest

TIMEOUT_S = 60
# git sets these for its hooks; they would point it to another repository than the folder's.
LOCATION_VARIABLES = re.compile(
    r"GIT_(DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|COMMON_DIR|PREFIX|CEILING)"
)
FILES = frozenset({b"100644", b"100755"})  # modes of plain files, in git's trees


class NoHistory(IshtarError, LookupError):
    """The calibrations are not in a git repository, or git cannot read it."""


class NoSuchRevision(NotFoundError):
    """The repository has no such tag or commit, or no calibrations at it."""


@dataclass(frozen=True)
class _RepositoryFolder:
    """A folder in a repository: the repository's root, and the folder's path below it."""

    root: Path
    below: str


def declarations_at(folder: Path, revision: str) -> Declarations:
    """Return the declarations of a ``calibrations/`` folder at a tag, branch or commit.

    Parameters
    ----------
    folder : Path
        The folder today; it must be in a git repository, but need not exist any more.
    revision : str
        Any revision that git understands: ``v2026.1``, ``1a2b3c4``, ``main~3``.

    Returns
    -------
    Declarations
        With ``revision`` set to the short hash.

    Raises
    ------
    NoHistory
        There is no git, or the folder is not in a repository.
    NoSuchRevision
        The revision does not exist (the message names the nearest tags), or has no such folder.
    CalibrationFileError
        The files of that commit have problems; all of them are in ``problems``.
    """
    if not isinstance(revision, str):
        raise TypeError(f"calib={revision!r} is not a revision: give a tag or commit, 'v2026.1'")
    repository = _repository_folder(Path(folder))
    return _read(repository, _commit(repository, revision))


@lru_cache(maxsize=16)
def _read(repository: _RepositoryFolder, commit: str) -> Declarations:
    short = commit[:10]
    with tempfile.TemporaryDirectory(prefix="ishtar-calib-") as scratch:
        copy = Path(scratch) / "calibrations"
        copy.mkdir()
        for name, text in _files_at(repository, commit).items():
            path = copy / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
        declared, problems = read_declarations(copy)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise CalibrationFileError(
            f"calibrations at {short}: {problems[0]}{more}: pin another commit, at which "
            "`ishtar calib check` finds no problem",
            problems=problems,
        )
    return replace(declared, revision=short)


def declared_files(folder: Path) -> dict[str, bytes]:
    """Return the files of a ``calibrations/`` folder that declarations are read from, by name."""
    paths = [*Path(folder).rglob("*.toml"), Path(folder) / OWN_TRANSFORMS]
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(paths)
        if path.is_file()
    }


def files_at_tags(
    folder: Path, known: Collection[str]
) -> dict[str, tuple[str, Mapping[str, bytes] | None]]:
    """Return (commit, files) of a ``calibrations/`` folder at each tag, the newest first.

    Parameters
    ----------
    folder : Path
        The folder today.
    known : collection of str
        Commits whose files are not wanted: None is returned for them.

    Raises
    ------
    NoHistory
        There is no git, or the folder is not in a repository.
    """
    repository = _repository_folder(Path(folder))
    form = "--format=%(refname:short)%00%(objectname)%00%(*objectname)"
    listed = _git(repository.root, "for-each-ref", "--sort=-creatordate", form, "refs/tags")
    found: dict[str, tuple[str, Mapping[str, bytes] | None]] = {}
    for line in listed.stdout.decode("utf-8", "replace").splitlines():
        tag, object_, peeled = line.split("\0")
        commit = peeled or object_
        try:
            files = None if commit in known else _files_at(repository, commit)
        except (NoSuchRevision, CalibrationFileError):
            continue  # the tag is of something else, or before there were calibrations
        found[tag] = (commit, files)
    return found


def _repository_folder(folder: Path) -> _RepositoryFolder:
    folder = folder.resolve()
    existing = folder
    while not existing.is_dir() and existing != existing.parent:
        existing = existing.parent
    done = _git(existing, "rev-parse", "--show-toplevel")
    if done.returncode:
        complaint = _complaint(done)
        why = (
            f"git says {complaint!r}"
            if "not a git repository" not in complaint
            else "no git repository"
        )
        raise NoHistory(
            f"{folder.name}/ has no history ({why}): commit it to a git repository, or open "
            "without calib="
        )
    root = Path(os.fsdecode(done.stdout.rstrip(b"\n"))).resolve()
    below = folder.relative_to(root).as_posix()
    return _RepositoryFolder(root, "" if below == "." else below)


def _commit(repository: _RepositoryFolder, revision: str) -> str:
    """Return the full hash of a revision."""
    # git would take a leading dash for an option
    plain = bool(revision) and revision.isprintable() and not revision.startswith("-")
    done = (
        _git(repository.root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        if plain
        else None
    )
    found = done.stdout.decode("ascii", "replace").strip() if done and not done.returncode else ""
    if re.fullmatch("[0-9a-f]{40,64}", found):
        return found
    listed = _git(
        repository.root, "for-each-ref", "--sort=-creatordate", "--format=%(refname:short)"
    )
    refs = listed.stdout.decode("utf-8", "replace").splitlines()
    tags = _git(repository.root, "tag", "--list", "--sort=-creatordate").stdout.decode(
        errors="replace"
    )
    newest = ", ".join(tags.split()[:3])
    hint = did_you_mean(revision, refs) or (f"; the newest tags are {newest}" if newest else "")
    raise NoSuchRevision(
        f"the repository of {repository.below or repository.root.name}/ has no tag or commit "
        f"{revision!r}{hint}: `git tag` lists them",
        name=revision,
        nearest=nearest(revision, refs),
    )


def _files_at(repository: _RepositoryFolder, commit: str) -> Mapping[str, bytes]:
    """Return the TOML files and the facility's code below a folder at a commit, by name."""
    done = _git(repository.root, "ls-tree", "-r", "-z", f"{commit}:{repository.below}")
    if done.returncode:
        raise NoSuchRevision(
            f"{commit[:10]} has no folder {repository.below}: choose a commit that has it; "
            f"`git log -- {repository.below}` lists them",
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
                f"{name} is a link or a submodule at {commit[:10]}: commit the file itself to "
                "calibrations/"
            )
        blobs[str(name)] = blob.decode("ascii")
    done = _git(repository.root, "cat-file", "--batch", input_="\n".join(blobs.values()).encode())
    found: dict[str, bytes] = {}
    rest = done.stdout
    for path, wanted in blobs.items():  # each answer: "hash blob size\n", the text, "\n"
        answer, _, rest = rest.partition(b"\n")
        words = answer.split()
        if done.returncode or len(words) != 3 or words[0].decode() != wanted:
            raise NoHistory(
                f"git does not have {path} of {commit[:10]} on disk "
                f"({_complaint(done) or 'missing'}): fetch the whole repository"
            )
        size = int(words[2])
        found[path], rest = rest[:size], rest[size + 1 :]
    return found


def _git(where: Path, *arguments: str, input_: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run git in a folder without network, locks or prompts."""
    environment = {k: v for k, v in os.environ.items() if not LOCATION_VARIABLES.match(k)}
    environment |= {
        "GIT_ALLOW_PROTOCOL": "none",  # a partial clone would fetch missing objects
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
            "calib= needs the git command, which is not installed: install git"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise NoHistory(
            f"git did not answer within {TIMEOUT_S} s: try `git status` in {where}"
        ) from error


def _complaint(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return the first line of git's error message."""
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[0].removeprefix("fatal: ") if lines else ""
