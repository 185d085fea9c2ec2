"""Restrict what a report may change to the files of its working folder, with Linux's Landlock.

Landlock needs no privileges and no other program. A process gives up the right to write, make or
remove files outside some folders, and to send signals to other processes; so do all processes that
it starts. Reading stays allowed. This protects the workspace, the environment and the service from
mistakes and from templates of guests. It does not stop an attacker, who can still read what the
factory's user can read, and reach the network.
"""

from __future__ import annotations

import ctypes
import os
import site
import struct
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

VARIABLE = "ISHTAR_SANDBOX"  # folders and files that a report may write, separated as in $PATH
CHOICES = ("auto", "off")

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on all architectures
_SET_NO_NEW_PRIVS = 38  # linux/prctl.h
_VERSION, _PATH_BENEATH = 1, 1
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
_FOLDERS = sum(1 << k for k in range(4, 13))  # remove and make files, folders, links, sockets, …
_REFER = 1 << 13
_SIGNALS = 1 << 1
_SHARED_MEMORY = "/dev/shm"  # of semaphores and shared memory
_DEVICES = "/dev"  # null, tty: may be written, not created


@cache
def abi() -> int:
    """Return the version of Landlock's interface (ABI) on this system; 0 for none."""
    if sys.platform != "linux":
        return 0
    return int(max(0, _libc().syscall(_CREATE_RULESET, None, 0, _VERSION)))


def what_holds(wanted: str) -> str:
    """Return a short description of what a report may change, for its receipt."""
    if wanted == "off":
        return "none: switched off"
    if not abi():
        return "none: the system offers none"
    signals = ", signals only to its own processes" if abi() >= 6 else ""
    return f"writes only in its working folder{signals} (Landlock {abi()})"


def installed() -> tuple[int, ...]:
    """Return a stamp that changes when a package is installed in this environment or removed."""
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    if site.ENABLE_USER_SITE:
        folders.add(site.getusersitepackages())
    return tuple(os.stat(f).st_mtime_ns if os.path.isdir(f) else 0 for f in sorted(folders))


def environment(wanted: str, paths: Sequence[Path]) -> dict[str, str]:
    """Return the environment variables that name what a kernel's notebook may write."""
    if wanted == "off" or not abi():
        return {}
    return {VARIABLE: os.pathsep.join(map(str, paths))}


def enter(given: Mapping[str, str], temporary: Path) -> None:
    """Restrict this thread and the processes it starts, if the environment requires it.

    Parameters
    ----------
    given : mapping
        The environment.
    temporary : Path
        Folder for temporary files, made if it is missing; ``$TMPDIR`` is set to it.

    Raises
    ------
    OSError
        The system refuses. The report must not run unrestricted instead.
    """
    if VARIABLE not in given:
        return
    temporary.mkdir(exist_ok=True)
    os.environ["TMPDIR"] = str(temporary)
    tempfile.tempdir = None
    restrict([*map(Path, given[VARIABLE].split(os.pathsep)), temporary])


def restrict(paths: Sequence[Path]) -> None:
    """Allow this thread and the processes it starts to write only below some paths."""
    handled = _WRITE_FILE | _FOLDERS
    handled |= _REFER if abi() >= 2 else 0
    handled |= _TRUNCATE if abi() >= 3 else 0
    attributes = struct.pack("=Q", handled)
    if abi() >= 6:
        attributes = struct.pack("=QQQ", handled, 0, _SIGNALS)
    elif abi() >= 4:
        attributes = struct.pack("=QQ", handled, 0)
    ruleset = _call(_CREATE_RULESET, attributes, len(attributes), 0)
    try:
        for path in (*paths, Path(_SHARED_MEMORY)):
            of_files = handled & (_WRITE_FILE | _TRUNCATE)
            _allow(ruleset, path, handled if path.is_dir() else of_files)
        _allow(ruleset, Path(_DEVICES), _WRITE_FILE)
        if _libc().prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "no_new_privs is refused")
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # a missing path needs no rule
    try:
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)


def _call(number: int, *arguments: int | bytes) -> int:
    plain = [a if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments]
    result = int(_libc().syscall(ctypes.c_long(number), *plain))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return result


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
