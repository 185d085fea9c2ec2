"""The groups and datasets of an HDF5 file, each once, and the links between them.

The walk follows hard links only, never into another file, and ends on cycles. Another name of
an object in the file is noted, not stored again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from h5py import h5d, h5f, h5g, h5l, h5o

from runner.ingest.hdf5.h5_attributes import AttributeReader, Attributes, name_of, text_of
from runner.ingest.hdf5.h5_errors import Notes, Omitted, Unreadable, reading
from runner.ingest.ingest_errors import Rejected

MAX_DEPTH = 50  # levels of groups
MAX_LINKS = 100_000
LONGEST_CHAIN = 16  # soft links that lead to each other
MAX_STEPS = 20_000  # along all soft links of a file: they may double at every step
OF_MATLAB = {b"#refs#", b"#subsystem#"}  # cells and objects of MATLAB, which only it can read


@dataclass(frozen=True, kw_only=True)
class Found:
    """A dataset, under its first path.

    ``attributes`` are its own, ``group`` the path of the group that holds it.
    """

    path: str
    group: str
    id: h5d.DatasetID
    address: int
    attributes: Attributes


@dataclass(kw_only=True)
class Contents:
    """What was found.

    Attributes
    ----------
    groups : dict
        Path → attributes of each group, of the root under ''.
    datasets : list of Found
        Those whose values lie in this file.
    left_out : list of str
        Why others do not count.
    links : dict
        Other names → the path of what they lead to.
    """

    file: h5f.FileID
    groups: dict[str, Attributes] = field(default_factory=dict)
    datasets: list[Found] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)

    def in_group(self, group: str) -> list[tuple[str, Found]]:
        """Return the names and datasets of a group, including links."""
        return self._by_group.get(group, [])

    def at(self, address: int) -> Found | None:
        """Return the dataset at an address in the file."""
        return self._by_address.get(address)

    def index(self) -> Contents:
        """Prepare `in_group` and `at` at the end of the walk."""
        self._by_address = {found.address: found for found in self.datasets}
        by_path = {found.path: found for found in self.datasets}
        linked = ((link, by_path[path]) for link, path in self.links.items() if path in by_path)
        self._by_group: dict[str, list[tuple[str, Found]]] = {}
        for path, found in [*by_path.items(), *linked]:
            group, _, name = path.rpartition("/")
            self._by_group.setdefault(group, []).append((name, found))
        return self


def survey(file: h5f.FileID, notes: Notes) -> Contents:
    """Walk through a file.

    Raises
    ------
    Rejected
        It holds more than any shot does.
    Unreadable
        It is damaged.
    """
    return _Survey(file, notes).run()


class _Survey:
    def __init__(self, file: h5f.FileID, notes: Notes) -> None:
        self._notes = notes
        self._attributes = AttributeReader(notes)
        self._contents = Contents(file=file)
        self._names: dict[int, str] = {}  # address → path
        self._soft: list[tuple[str, h5g.GroupID, bytes]] = []
        self._n_links = 0

    def run(self) -> Contents:
        with reading("its root group"):
            self._root = h5g.open(self._contents.file, b"/")
        self._resolver = _Links(self._root)
        pending: list[tuple[str, int, h5g.GroupID]] = [("", 0, self._root)]
        self._names[_address(self._root)] = ""
        while pending:
            path, depth, group = pending.pop()
            self._contents.groups[path] = self._attributes.read(group, path or "the file")
            inner = [(p, depth + 1, g) for p, g in self._members(path, group)]
            if inner and depth == MAX_DEPTH:
                self._notes.add(f"groups deeper than {MAX_DEPTH} levels are left out: {path[:80]}…")
                continue
            pending.extend(reversed(inner))
        for path, group, target in self._soft:
            self._rematch(path, group, target)
        return self._contents.index()

    def _members(self, path: str, group: h5g.GroupID) -> Iterator[tuple[str, h5g.GroupID]]:
        """Record the datasets and links of a group; yield its groups."""
        for raw, kind in self._links(path, group):
            inner = f"{path}/{name_of(raw)}".removeprefix("/")
            if not path and raw in OF_MATLAB:
                self._notes.add(f"{inner} has cells or objects of MATLAB and is left out")
            elif kind == h5l.TYPE_SOFT:
                with reading(f"the link {inner}"):
                    self._soft.append((inner, group, group.links.get_val(raw)))
            elif kind == h5l.TYPE_EXTERNAL:
                self._notes.add(f"{inner} is a link into another file and is not followed")
            elif kind != h5l.TYPE_HARD:
                self._notes.add(f"{inner} is a link of an unknown kind and is not followed")
            elif (found := self._object(path, inner, group, raw)) is not None:
                yield inner, found

    def _links(self, path: str, group: h5g.GroupID) -> list[tuple[bytes, int]]:
        found: list[tuple[bytes, int]] = []

        def take(name: bytes, info: Any) -> bool | None:
            found.append((name, int(info.type)))
            return self._n_links + len(found) > MAX_LINKS or None

        with reading(f"the group {path or '/'}"):
            group.links.iterate(take, info=True)
        self._n_links += len(found)
        if self._n_links > MAX_LINKS:
            raise Rejected(
                f"it holds more than {MAX_LINKS} groups and datasets, which is no shot: give one "
                "file for each shot"
            )
        return found

    def _object(self, group: str, path: str, holder: h5g.GroupID, raw: bytes) -> Any:
        """Return a new group; record a new dataset."""
        with reading(path):
            info = h5o.get_info(holder, raw)
            if info.addr in self._names:
                self._contents.links[path] = self._names[info.addr]
                return None
            self._names[info.addr] = path
            if info.type not in (h5o.TYPE_GROUP, h5o.TYPE_DATASET):
                return None  # a named type is part of the datasets that use it
            item = h5o.open(holder, raw)
        if isinstance(item, h5g.GroupID):
            return item
        with reading(path):
            refuse_external(item, path)
            is_virtual = item.get_create_plist().get_layout() == h5d.VIRTUAL
        if is_virtual:  # HDF5 opens its other files even for its shape
            note = f"{path} is left out: it is a virtual dataset with values in other files"
            self._contents.left_out.append(note)
            self._notes.add(note)
            return None
        self._contents.datasets.append(
            Found(
                path=path,
                group=group,
                id=item,
                address=info.addr,
                attributes=self._attributes.read(item, path),
            )
        )
        return None

    def _rematch(self, path: str, group: h5g.GroupID, target: bytes) -> None:
        text = text_of(target)
        try:
            address = _address(self._resolver.resolve(group, target))
            self._contents.links[path] = self._names[address]
        except (Omitted, Unreadable, KeyError) as error:
            reason = str(error) if isinstance(error, Omitted) else "its target is missing"
            self._notes.add(f"the link {path} → {text} is left out: {reason}")


def refuse_external(dataset: h5d.DatasetID, path: str) -> None:
    """Raise `Rejected` if the values are in other files of this computer."""
    if count := dataset.get_create_plist().get_external_count():
        raise Rejected(
            f"external storage: the values of {path} lie in {count} other file(s), which are not "
            "read: copy it into a file of its own (h5repack) and give that"
        )


class _Links:
    """Resolves soft links: HDF5 itself would leave the file, and follow cycles."""

    def __init__(self, root: h5g.GroupID) -> None:
        self._root, self._steps_left = root, MAX_STEPS

    def resolve(self, start: h5g.GroupID, target: bytes, links_left: int = LONGEST_CHAIN) -> Any:
        """Return the target of a link in a group."""
        if not links_left:
            raise Omitted("links lead to each other")
        item: Any = self._root if target.startswith(b"/") else start
        for part in target.split(b"/"):
            if part in (b"", b"."):
                continue
            self._steps_left -= 1
            if self._steps_left < 0:
                raise Omitted("the file has too many links")
            if not isinstance(item, h5g.GroupID):
                raise Omitted("its target is missing")
            with reading("it"):
                kind = item.links.get_info(part).type
                if kind == h5l.TYPE_SOFT:
                    item = self.resolve(item, item.links.get_val(part), links_left - 1)
                elif kind == h5l.TYPE_HARD:
                    item = h5o.open(item, part)
                else:
                    raise Omitted("it leads into another file")
        return item


def _address(item: Any) -> int:
    with reading("the place of an object"):
        return int(h5o.get_info(item).addr)
