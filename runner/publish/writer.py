"""Writing files into a site: only if bytes differ, atomically, and in a safe order."""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ishtar.store import fsync_dir, write_atomic
from ishtar.store.atomic import TEMPORARY_PREFIX, fsync_files, temporary_path
from runner.publish.addresses import relative_url
from runner.publish.page_models import Page
from runner.publish.view_models import Site
from runner.render.theme import Theme

logger = logging.getLogger(__name__)

_FOLDERS = (
    "assets",
    "data",
    "days",
    "devices",
    "months",
    "ranges",
    "raw",
    "shots",
    "signals",
    "templates",
    "weeks",
)
NO_LINKS = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES)
MAX_PENDING = 256  # new files that are synced to disk together


@contextmanager
def _removed_on_error(temporary: Path) -> Iterator[None]:
    """Remove an incomplete file, for instance on a full disk."""
    try:
        yield
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a `Writer` did, to pass from one process to another."""

    written: list[str]
    unchanged: int
    removed: list[str]
    mentioned: set[str]
    kept: set[str]
    staged: list[tuple[int, str, Path]]


@dataclass
class Writer:
    """Writes files into the site and records which."""

    out: Path
    theme: Theme | None
    site: Site | None
    written: list[str] = field(default_factory=list)
    unchanged: int = 0
    removed: list[str] = field(default_factory=list)
    mentioned: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    new: list[tuple[str, Path]] = field(default_factory=list)
    staged: list[tuple[int, str, Path]] = field(default_factory=list)
    _told_copies: bool = False

    @classmethod
    def plain(cls, out: Path) -> Writer:
        """Return a writer for files only, without pages."""
        return cls(out, None, None)

    def result(self) -> Written:
        """Return what was done; whoever merges it puts the changed pages in place."""
        return Written(
            written=self.written,
            unchanged=self.unchanged,
            removed=self.removed,
            mentioned=self.mentioned,
            kept=self.kept,
            staged=self.staged,
        )

    def merge(self, other: Written) -> None:
        """Add what another writer did, with the changed pages that it staged."""
        self.written += other.written
        self.unchanged += other.unchanged
        self.removed += other.removed
        self.mentioned |= other.mentioned
        self.kept |= other.kept
        self.staged += other.staged

    def assets(self) -> None:
        """Write the assets under their hashed names."""
        assert self.theme is not None
        for name, published in self.theme.asset_names.items():
            self.bytes(f"assets/{published}", self.theme.contents[name])

    def page(self, page: Page, *, rank: int) -> None:
        """Render a page; a new one is written, a changed one staged for `switch`."""
        assert self.theme is not None
        template = self.theme.environment.get_template(page.template)
        url: Callable[[str], str] = partial(relative_url, page.path)
        html = template.render(page=page, site=self.site, url=url)
        self.bytes(page.path, html.encode(), rank=rank)

    def data(self, path: str, value: Any, *, rank: int = 0) -> None:
        """Write data as ``path.json`` for scripts of users and as ``path.js`` for the pages.

        Parameters
        ----------
        path
            Without suffix. The second file is ``ishtar.data("path", …);``, as a page opened from
            disk may load nothing but scripts.
        value
            Any JSON value; numbers that are not finite become ``"nan"``, ``"inf"``, ``"-inf"``.
        """
        text = json_bytes(value)
        self.bytes(f"{path}.json", text, rank=rank)
        self.bytes(f"{path}.js", script_bytes(path, text), rank=rank)

    def keep(self, path: str) -> None:
        """Keep a file or folder that something else manages, such as the traces of a shot."""
        self.kept.add(path)

    def write_now(self, path: str, content: bytes) -> bool:
        """Write a file at once if it differs, without staging; return whether it did."""
        self.mentioned.add(path)
        target = self.out / path
        if target.is_file() and target.read_bytes() == content:
            self.unchanged += 1
            return False
        write_atomic(target, content)
        self.written.append(path)
        return True

    def bytes(self, path: str, content: bytes, *, rank: int = 0) -> None:
        """Write a file if it differs from the existing one."""
        self.mentioned.add(path)
        target = self.out / path
        try:
            if target.read_bytes() == content:
                self.unchanged += 1
                return
            is_new = False
        except FileNotFoundError:
            is_new = True
        temporary = self._temporary(target)
        with _removed_on_error(temporary):
            temporary.write_bytes(content)
        if is_new:
            self._add(path, temporary)
        else:
            self.staged.append((rank, path, temporary))

    def copy(self, path: str, source: Path, *, by_name: bool = False) -> None:
        """Copy a file if it differs; with ``by_name`` its name identifies its content."""
        self.mentioned.add(path)
        target = self.out / path
        same_size = target.is_file() and target.stat().st_size == source.stat().st_size
        if same_size and (by_name or target.read_bytes() == source.read_bytes()):
            self.unchanged += 1
            return
        temporary = self._temporary(target)
        with _removed_on_error(temporary):
            shutil.copyfile(source, temporary)
        self._add(path, temporary)

    def link(self, path: str, source: Path, *, copy: bool = False) -> None:
        """Publish a file that never changes, as a link where the disk allows, else as a copy."""
        self.mentioned.add(path)
        target = self.out / path
        is_moved = source.is_symlink() and not copy  # to another disk: link to it there
        if is_same_file(target, source) and is_moved == target.is_symlink():
            self.unchanged += 1
            return
        temporary = self._temporary(target)
        with _removed_on_error(temporary):
            if is_moved:
                temporary.symlink_to(source.resolve())
            elif copy or not self._is_linked(source, temporary):
                shutil.copyfile(source, temporary)
                shutil.copystat(source, temporary)  # by its time a copy is known again
        self._add(path, temporary)

    def _is_linked(self, source: Path, temporary: Path) -> bool:
        """Link a file; return whether the disk allows that."""
        try:
            os.link(source, temporary)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            if not self._told_copies:
                self._told_copies = True
                logger.warning(
                    "%s cannot have hard links to %s (%s): raw data are copied, which takes as "
                    'much disk again; [publish] raw = "off" publishes none',
                    self.out,
                    source.parent,
                    error.strerror,
                )
            return False
        return True

    def remove(self, path: str) -> None:
        """Remove a file that is no longer used."""
        target = self.out / path
        if target.is_file():
            target.unlink()
            self.removed.append(path)

    def place_new(self) -> None:
        """Put the new files in place, in the order of writing."""
        self._place(self.new)
        self.new.clear()

    def switch(self) -> None:
        """Put the new files in place, then the changed pages, leaves before indexes."""
        self.place_new()
        self.staged.sort()
        self._place([(path, temporary) for _, path, temporary in self.staged])
        self.staged.clear()

    def _temporary(self, target: Path) -> Path:
        target.parent.mkdir(parents=True, exist_ok=True)
        return temporary_path(target)

    def _add(self, path: str, temporary: Path) -> None:
        """Queue a new file, to which nothing links yet."""
        self.new.append((path, temporary))
        if len(self.new) >= MAX_PENDING:
            self.place_new()

    def _place(self, files: Iterable[tuple[str, Path]]) -> None:
        """Sync files to disk, then rename them."""
        files = list(files)
        if not files:
            return
        fsync_files(temporary for _, temporary in files)
        for path, temporary in files:
            os.replace(temporary, self.out / path)
            self.written.append(path)
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(fsync_dir, {temporary.parent for _, temporary in files}))

    def drop_staged(self) -> None:
        """Remove temporary files after an error."""
        for temporary in (*(t for _, t in self.new), *(t for _, _, t in self.staged)):
            temporary.unlink(missing_ok=True)
        self.new.clear()
        self.staged.clear()

    def remove_unmentioned(self, folders: set[str] | None, pages: set[str]) -> None:
        """Remove files that no page mentions any more.

        Parameters
        ----------
        folders
            Folders of the published subjects; None after a full build, which searches all folders.
        pages
            Pages of these subjects.
        """
        roots = [self.out / f for f in (_FOLDERS if folders is None else sorted(folders))]
        below = [entry for root in roots for entry in self._below(root)]
        found = [path for path, is_folder in below if not is_folder]
        if folders is None:
            # of a killed publication; `found` already has those in the folders
            found += sorted(self.out.glob(f"{TEMPORARY_PREFIX}*"))
        else:
            found += [self.out / p for p in sorted(pages) if (self.out / p).is_file()]
        for path in dict.fromkeys(found):
            name = path.relative_to(self.out).as_posix()
            if name not in self.mentioned and not self._is_kept(name):
                path.unlink()
                self.removed.append(name)
        for folder in sorted((path for path, is_folder in below if is_folder), reverse=True):
            if not any(folder.iterdir()):
                folder.rmdir()
        for root in roots:
            if root.is_dir() and root.name not in _FOLDERS and not any(root.iterdir()):
                root.rmdir()

    def _below(self, folder: Path) -> Iterator[tuple[Path, bool]]:
        """Yield the entries below a folder, each with whether it is a folder; skip kept ones."""
        if not folder.is_dir():
            return
        for entry in sorted(os.scandir(folder), key=lambda e: e.name):
            path = folder / entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder and self._is_kept(path.relative_to(self.out).as_posix()):
                continue
            yield path, is_folder
            if is_folder:
                yield from self._below(path)

    def _is_kept(self, name: str) -> bool:
        path = PurePosixPath(name)
        return any(str(p) in self.kept for p in (path, *path.parents))


def is_same_file(target: Path, source: Path) -> bool:
    """Return whether a published file is the one that it was made from, or a copy of it."""
    try:
        there, here = target.stat(), source.stat()
    except FileNotFoundError:
        return False
    is_copy = (there.st_size, there.st_mtime_ns) == (here.st_size, here.st_mtime_ns)
    return os.path.samestat(there, here) or is_copy


def plain(value: Any) -> Any:
    """Return a value as JSON types; other objects become their text.

    JSON has no ``nan``, ``inf`` and ``-inf``: they become strings, as null would mean a missing
    value.
    """
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    return str(value)


def json_bytes(value: Any) -> bytes:
    """Return a value as JSON on one line; equal values have equal bytes."""
    try:
        text = _dumps(value)
    except ValueError:  # a number that is not finite
        text = _dumps(plain(value))
    return text.encode(errors="replace") + b"\n"


def _dumps(value: Any) -> str:
    return json.dumps(
        value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=plain
    )


def script_bytes(path: str, json_text: bytes) -> bytes:
    """Return the script that passes data to the page that requested ``path``."""
    name = json.dumps(path).encode()
    return b"ishtar.data(" + name + b", " + json_text.rstrip(b"\n") + b");\n"
