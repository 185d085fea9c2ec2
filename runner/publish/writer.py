"""Putting files into a site: only where bytes differ, whole, and in an order that holds."""

from __future__ import annotations

import json
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

_FOLDERS = (
    "assets",
    "data",
    "days",
    "devices",
    "months",
    "ranges",
    "shots",
    "signals",
    "templates",
    "weeks",
)
MOST_WAITING = 256  # new files that are made durable together: the disk waits only once


@contextmanager
def _removed_on_error(temporary: Path) -> Iterator[None]:
    """Leave no half file where there is no room for a whole one."""
    try:
        yield
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a `Writer` did, as one process hands it to another."""

    written: list[str]
    unchanged: int
    removed: list[str]
    mentioned: set[str]
    kept: set[str]
    staged: list[tuple[int, str, Path]]


@dataclass
class Writer:
    """Puts files into the site and remembers which."""

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

    @classmethod
    def plain(cls, out: Path) -> Writer:
        """Return one that puts files, and no pages."""
        return cls(out, None, None)

    def handed(self) -> Written:
        """Return what was done so far; changed pages are left to whoever takes it."""
        return Written(
            written=self.written,
            unchanged=self.unchanged,
            removed=self.removed,
            mentioned=self.mentioned,
            kept=self.kept,
            staged=self.staged,
        )

    def take(self, other: Written) -> None:
        """Take over what another one did, and the changed pages that it leaves to be switched."""
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
            self.copy(f"assets/{published}", self.theme.assets[name], by_name=True)

    def page(self, page: Page, *, rank: int) -> None:
        """Render a page; a new one is written, a changed one waits for `switch`."""
        assert self.theme is not None
        template = self.theme.environment.get_template(page.template)
        url: Callable[[str], str] = partial(relative_url, page.path)
        html = template.render(page=page, site=self.site, url=url)
        self.bytes(page.path, html.encode(), rank=rank)

    def data(self, path: str, value: Any, *, rank: int = 0) -> None:
        """Write a datum as ``path.json`` for people's scripts and as ``path.js`` for our pages.

        Parameters
        ----------
        path
            Without suffix; the second file is ``ishtar.data("path", …);``, as a page that was
            opened from disk may load scripts and nothing else.
        value
            Anything of JSON; numbers that are not finite become ``"nan"``, ``"inf"``, ``"-inf"``.
        """
        text = json_bytes(value)
        self.bytes(f"{path}.json", text, rank=rank)
        self.bytes(f"{path}.js", script_bytes(path, text), rank=rank)

    def keep(self, path: str) -> None:
        """Leave a file or a folder to whoever looks after it: the traces of a shot."""
        self.kept.add(path)

    def now(self, path: str, content: bytes) -> bool:
        """Write a file that differs at once, and tell whether it did: the pages are in place."""
        self.mentioned.add(path)
        target = self.out / path
        if target.is_file() and target.read_bytes() == content:
            self.unchanged += 1
            return False
        write_atomic(target, content)
        self.written.append(path)
        return True

    def bytes(self, path: str, content: bytes, *, rank: int = 0) -> None:
        """Write a file that differs from what is there."""
        self.mentioned.add(path)
        target = self.out / path
        try:
            if target.read_bytes() == content:
                self.unchanged += 1
                return
            is_new = False
        except FileNotFoundError:
            is_new = True
        temporary = self._beside(target)
        with _removed_on_error(temporary):
            temporary.write_bytes(content)
        if is_new:
            self._add(path, temporary)
        else:
            self.staged.append((rank, path, temporary))

    def copy(self, path: str, source: Path, *, by_name: bool = False) -> None:
        """Copy a file that differs; ``by_name`` where the name says what is in it."""
        self.mentioned.add(path)
        target = self.out / path
        same_size = target.is_file() and target.stat().st_size == source.stat().st_size
        if same_size and (by_name or target.read_bytes() == source.read_bytes()):
            self.unchanged += 1
            return
        temporary = self._beside(target)
        with _removed_on_error(temporary):
            shutil.copyfile(source, temporary)
        self._add(path, temporary)

    def remove(self, path: str) -> None:
        """Remove a file that is known to be out of use."""
        target = self.out / path
        if target.is_file():
            target.unlink()
            self.removed.append(path)

    def settle(self) -> None:
        """Put the new files in place, in the order in which they came."""
        self._place(self.new)
        self.new.clear()

    def switch(self) -> None:
        """Put the new files in place, then the changed pages, leaves before indexes."""
        self.settle()
        self.staged.sort()
        self._place([(path, temporary) for _, path, temporary in self.staged])
        self.staged.clear()

    def _beside(self, target: Path) -> Path:
        target.parent.mkdir(parents=True, exist_ok=True)
        return temporary_path(target)

    def _add(self, path: str, temporary: Path) -> None:
        """Take a file that nothing links to yet."""
        self.new.append((path, temporary))
        if len(self.new) >= MOST_WAITING:
            self.settle()

    def _place(self, files: Iterable[tuple[str, Path]]) -> None:
        """Give files their names once all of them are on the disk."""
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
        """Remove what was prepared and has no name yet, after an error."""
        for temporary in (*(t for _, t in self.new), *(t for _, _, t in self.staged)):
            temporary.unlink(missing_ok=True)
        self.new.clear()
        self.staged.clear()

    def remove_unmentioned(self, folders: set[str] | None, pages: set[str]) -> None:
        """Remove files that no page mentions any more.

        Parameters
        ----------
        folders
            Folders of the subjects that were published; None after a full build, where all
            folders of the site are looked through.
        pages
            Pages of these subjects.
        """
        roots = [self.out / f for f in (_FOLDERS if folders is None else sorted(folders))]
        below = [entry for root in roots for entry in self._below(root)]
        found = [path for path, is_folder in below if not is_folder]
        if folders is None:
            # of a publication that was killed; those below the folders are in `found`
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
        """Give what is below a folder, and whether it is one; not what others look after."""
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


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: not-finite numbers as texts, other things as their text.

    ``nan``, ``inf`` and ``-inf`` have no place in JSON, and are not nothing: they stay told.
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
    """Return a value as JSON, on one line, the same bytes for the same value."""
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
    """Return the script that gives a datum to the page which asked for ``path``."""
    name = json.dumps(path).encode()
    return b"ishtar.data(" + name + b", " + json_text.rstrip(b"\n") + b");\n"
