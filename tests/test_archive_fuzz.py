"""A hostile archive: whatever an index claims, a reader gets values or an error of ours, soon."""

from __future__ import annotations

import copy
import json
import random
import shutil
import traceback
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ishtar
from ishtar.errors import IshtarError
from ishtar.remote.byte_ranges import parts_of, place_of
from ishtar.remote.fetch import RemoteError
from ishtar.store.chunk_index import HEAD, MAGIC, MAX_JSON, lengths, read_description
from tests.library_fakes import FIRST
from tests.remote_fakes import Quiet, serving_by

pytestmark = pytest.mark.whole

NASTY: list[Any] = [
    *(None, True, -1, 0, 1, 2**31, 2**41, 2**63, 2**70, -(2**70), 1.5, 1e308),
    *(float("nan"), float("inf"), "", "nan", "x" * 300, "\x00", "\ud800", "../../etc/passwd"),
    *("O", "V8", "<M8[ns]", "<i2,<f4", "(3,)i2", ">i2", "<f2", "<f8", "<c16", "|b1", "<i3", "i2,"),
    *([], {}, [[]], [-1], [2**63], [2**41], [[0], [1], [0]], [[-5], [10], [0]], [None], {"x": 1}),
    *([[1, 2], [3], [0]], [[99999, 0, [1]]], [[32008, 0, [2**40]]], [[1, 0, [-1]]], [1.5, "a"]),
]
EXAMPLES = 60


@pytest.fixture(scope="module")
def hostile(published, tmp_path_factory) -> Path:
    """A copy of the site, whose index of a shot is overwritten."""
    folder = tmp_path_factory.mktemp("hostile") / "site"
    shutil.copytree(published.root / "www" / "sub" / "path", folder)
    return folder


@pytest.fixture(scope="module")
def index(hostile) -> bytes:
    """The index as it was published."""
    return place(hostile).read_bytes()


def place(site: Path) -> Path:
    """Return where the index is."""
    return site / "raw" / f"{FIRST:05d}" / "index.bin"


def wrapped(description: Any, tables: bytes, *, total: int | None = None) -> bytes:
    """Return an index with another description."""
    head = zlib.compress(json.dumps(description).encode(errors="surrogatepass"), 1)
    size = HEAD.size + len(head) + len(tables) if total is None else total
    return HEAD.pack(MAGIC, len(head), size) + head + tables


def read_all(site: Path) -> None:
    """Read everything that the archive has of a shot, each part whether or not others fail."""
    shot = ishtar.open(site)[FIRST]
    looks: list[Callable[[], Any]] = [
        lambda: repr(shot),
        lambda: shot.edits,
        lambda: shot.attributes.plain(),
        lambda: shot.date,
        lambda: shot.channels(),
        lambda: [s.origin for s in shot.sources],
        lambda: shot.machine.tree(),
    ]
    for name in ("Probe_U", "Gas_P", "Inj_P"):
        looks += [
            lambda name=name: shot[name].values(),
            lambda name=name: shot[name].times(),
            lambda name=name: shot[name][1.0:1.05].load(sigma=True),
            lambda name=name: shot[name].envelope(17, quality=True),
            lambda name=name: shot[name].quality(),
            lambda name=name: str(shot[name].explain()),
        ]
    for look in looks:
        with suppress(IshtarError):
            look()


def paths_of(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of everything in a description."""
    yield path
    pairs = node.items() if isinstance(node, dict) else ()
    for key, child in enumerate(node) if isinstance(node, list) else pairs:
        yield from paths_of(child, (*path, key))


def changed(description: Any, rng: random.Random, paths: list[tuple[Any, ...]]) -> Any:
    """Return a description in which something is wrong."""
    found = copy.deepcopy(description)
    *way, last = rng.choice(paths)
    node = found
    for key in way:
        node = node[key]
    kind = rng.randrange(8)
    if kind == 0:
        del node[last]
    elif kind == 1 and isinstance(node, list):
        node.append(copy.deepcopy(node[last]))
    elif kind == 2 and isinstance(node[last], int):
        node[last] += rng.choice([-1, 1, 2**20])
    else:
        node[last] = rng.choice(NASTY)
    return found


@pytest.mark.parametrize("part", range(4))
def test_whatever_a_description_claims_an_error_is_ours(hostile, index, part):
    rng = random.Random(part)
    begin = lengths(index)[0]
    description, tables = read_description(index[:begin]), index[begin:]
    paths = [path for path in paths_of(description) if path]
    strange: dict[str, str] = {}
    for _ in range(EXAMPLES):
        wrong = changed(description, rng, paths)
        place(hostile).write_bytes(wrapped(wrong, tables))
        try:
            with suppress(IshtarError):
                read_all(hostile)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"
            strange.setdefault(what, differs(description, wrong))
    assert not strange


def differs(a: Any, b: Any, path: str = "") -> str:
    """Return where two descriptions differ first."""
    if type(a) is not type(b) or not isinstance(a, dict | list) or len(a) != len(b):
        return "" if a == b else f"{path}: {a!r:.60} → {b!r:.80}"
    if isinstance(a, dict):
        pairs = [(k, a[k], b.get(k)) for k in a]
    else:
        pairs = list(zip(range(len(a)), a, b, strict=True))
    return next((found for k, x, y in pairs if (found := differs(x, y, f"{path}/{k}"))), "")


def test_whatever_the_index_of_the_site_says_an_error_is_ours(published, tmp_path):
    site = tmp_path / "site"
    shutil.copytree(published.root / "www" / "sub" / "path", site)
    path = site / "data" / "index.json"
    rng = random.Random(5)
    good = json.loads(path.read_bytes())
    paths = [p for p in paths_of(good) if p and p[0] in ("archive", "shots", "days", "shard")]
    strange: dict[str, str] = {}
    for _ in range(2 * EXAMPLES):
        wrong = changed(good, rng, paths)
        path.write_bytes(json.dumps(wrong).encode(errors="surrogatepass"))
        try:
            with suppress(IshtarError):
                repr(ishtar.open(site))
                ishtar.open(site)[FIRST]["Probe_U"].values()
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"
            strange.setdefault(what, differs(good, wrong))
    assert not strange


# --- bytes ---------------------------------------------------------------------------------------


def test_an_index_with_flipped_bytes_is_an_error_of_ours(hostile, index):
    rng = random.Random(7)
    for _ in range(EXAMPLES):
        wrong = bytearray(index)
        for _ in range(rng.randint(1, 4)):
            wrong[rng.randrange(rng.choice([24, len(wrong)]))] = rng.randrange(256)
        place(hostile).write_bytes(wrong[: rng.choice([None, rng.randrange(len(wrong))])])
        with suppress(IshtarError):
            read_all(hostile)


@pytest.mark.parametrize(
    "text",
    [b"[" * 200_000, b'{"files":' * 100_000, b" " * (MAX_JSON + 1), b'{"files": NaN}', b"\xff"],
    ids=["deep", "deep mappings", "long", "NaN", "no text"],
)
def test_json_that_is_none_is_an_error_of_ours(hostile, index, text):
    head = zlib.compress(text, 1)
    place(hostile).write_bytes(HEAD.pack(MAGIC, len(head), HEAD.size + len(head)) + head)
    with pytest.raises(RemoteError, match="publish it again"):
        ishtar.open(hostile)[FIRST].sources  # noqa: B018
    path = hostile / "data" / "index.json"
    before = path.read_bytes()
    path.write_bytes(text)
    try:
        with pytest.raises(RemoteError):
            ishtar.open(hostile)
    finally:
        path.write_bytes(before)


def test_a_site_of_a_billion_shots_is_refused(tmp_path):
    (tmp_path / "data").mkdir()
    index = {"shots": "1-99999999999", "shard": 200, "scraps": [], "days": []}
    (tmp_path / "data" / "index.json").write_text(json.dumps(index))
    with pytest.raises(RemoteError, match="shots"):
        ishtar.open(tmp_path)


# --- answers -------------------------------------------------------------------------------------

RANGES = st.from_regex(r"bytes [0-9]{1,5}-[0-9]{1,5}/([0-9]{1,5}|\*)", fullmatch=True) | st.text()


@given(RANGES, st.binary(max_size=50), st.integers(0, 99999))
def test_a_range_is_the_place_of_its_part_or_an_error(described, part, size):
    with suppress(ValueError):
        assert place_of(described, part, size) >= 0


@given(st.lists(st.tuples(RANGES, st.binary(max_size=20)), max_size=5), st.text(max_size=9))
def test_parts_are_taken_apart_in_an_end(parts, boundary):
    mark = b"--" + boundary.encode("latin-1", errors="replace")
    content = b"".join(
        mark + b"\r\nContent-Range: " + d.encode(errors="replace") + b"\r\n\r\n" + p
        for d, p in parts
    )
    with suppress(ValueError):
        for count, _ in enumerate(parts_of(f"multipart/byteranges; boundary={boundary}", content)):
            assert count <= len(content)


@pytest.mark.parametrize(
    ("status", "header", "value"),
    [
        (200, "Content-Length", "many"),
        (206, "Content-Length", "-7"),
        (302, "Location", "http://[x"),
        (302, "Location", "file:///etc/passwd"),
        (200, "Content-Encoding", "gzip"),
    ],
)
def test_an_answer_that_is_none_is_an_error_of_ours(status, header, value, monkeypatch):
    monkeypatch.setattr("ishtar.remote.connection.WAIT_S", 0.01)

    class Odd(Quiet):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header(header, value)
            self.end_headers()
            self.wfile.write(b"{}")

    with serving_by(Odd) as address, pytest.raises(RemoteError):
        ishtar.open(address)
