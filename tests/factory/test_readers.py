"""People who may read the workspace and write nothing in it, while no service runs."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ishtar.catalogue import Catalogue
from runner.scheduling.batch import run_batch
from runner.scheduling.coordinator import Coordinator

pytestmark = pytest.mark.whole

NOBODY = 65534
RIGHTS_OF_ROOT = (1, 2, 3)  # to write, read and own what is others': linux/capability.h
DROP = 24  # linux/prctl.h


def without_rights() -> None:
    """Let a program that root starts be refused what anybody would be."""
    for right in RIGHTS_OF_ROOT if os.geteuid() == 0 else ():
        ctypes.CDLL(None).prctl(DROP, right, 0, 0, 0)


@pytest.fixture
def read_only(factory):
    """Give a workspace with a report, in which who asks may write nothing."""
    factory.template("probe", "from ishtar.report import glue\nglue('Te', 4.0, unit='eV')")
    factory.shot(1)
    with Coordinator(factory.workspace) as coordinator:
        coordinator.sync_shots()
        run_batch(coordinator, workers=1)
    places = [factory.workspace.root, *factory.workspace.root.rglob("*")]
    for path in places:
        path.chmod(0o555 if path.is_dir() else 0o444)
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
    yield factory
    for path in places:
        path.chmod(0o755 if path.is_dir() else 0o644)
    shutil.rmtree(factory.workspace.root / "fork", ignore_errors=True)


def ask(factory, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from runner.cli import main; main()", *words],
        cwd=factory.workspace.root,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=without_rights,
    )


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["shots"], "2026-11-22T10:01:00"),
        (["signal", "1", "Lang_I"], "Lang_I"),
        (["scraps", "1"], "Te"),
        (["reports"], "probe"),
        (["plan"], "nothing to do"),
        (["plan", "--force"], "probe"),
        (["status"], "last shot    1"),
        (["verify"], "as they were written"),
        (["template", "list"], "probe"),
    ],
)
def test_reading_needs_no_permission_to_write(read_only, words, found):
    done = ask(read_only, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert found in done.stdout
    assert not read_only.workspace.catalogue.with_name("catalogue.sqlite-shm").exists()


def test_a_fork_and_a_table_need_none_either(read_only, tmp_path):
    done = ask(read_only, "fork", "1", "probe", "-o", str(tmp_path / "mine"))
    assert (done.returncode, done.stderr) == (0, "")
    assert [p.name for p in (tmp_path / "mine").rglob("*.ipynb")] or (tmp_path / "mine").is_file()
    code = (
        "import ishtar, json\ntable = ishtar.open().day('2026-11-22').table(['Te'])\n"
        "print(json.dumps(list(table['Te'])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=read_only.workspace.root,
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=without_rights,
    )
    assert json.loads(done.stdout) == [4.0]


@pytest.mark.parametrize("words", [["run", "--force"], ["edit", "1", "gas=He"], ["publish"]])
def test_who_may_not_write_is_told_so(read_only, words):
    done = ask(read_only, *words)
    assert done.returncode == 1
    assert "you have no write permission" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_written_later_is_seen_by_who_reads_already(read_only):
    """The connection of who may not write sees no lock, so it looks at the files."""
    workspace = read_only.workspace
    code = (
        "import sys, ishtar\ntb = ishtar.open()\n"
        "for line in sys.stdin: print(list(tb.shots().numbers), flush=True)"
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=workspace.root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=without_rights,
    )
    assert reader.stdin is not None
    assert reader.stdout is not None

    def asked() -> str:
        print(file=reader.stdin, flush=True)
        return reader.stdout.readline().strip()

    assert asked() == "[1]"
    for path in (workspace.catalogue, workspace.catalogue.parent):
        path.chmod(0o755 if path.is_dir() else 0o644)
    with Catalogue(workspace.catalogue, write=True) as catalogue:
        catalogue.put_shot(2, {"date": "2026-11-22T11:00:00"}, [], {})
        assert asked() == "[1, 2]"
    assert asked() == "[1, 2]"
    reader.stdin.close()
    assert reader.wait() == 0
    reader.stdout.close()


def test_a_log_that_was_left_is_not_passed_over(read_only, tmp_path):
    """A writer that was killed leaves changes in it: what is beside them is old."""
    place = tmp_path / "left"
    place.mkdir()
    with Catalogue(read_only.workspace.catalogue) as catalogue:
        catalogue.copy_to(place / "c.sqlite")
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom ishtar.catalogue import Catalogue\n"
        "c = Catalogue(Path(sys.argv[1]), write=True)\n"
        "c.put_shot(2, {}, [], {})\nos.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(place / "c.sqlite")], check=False)
    assert Path(f"{place / 'c.sqlite'}-wal").stat().st_size > 0
    with Catalogue(place / "c.sqlite") as catalogue:
        assert catalogue.shots() == [1, 2]


WRITER = (
    "import os, sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\n{}\n"
    "for end in ('-shm', '-wal', '-journal'):\n"
    "    if os.path.exists(sys.argv[1] + end): os.chmod(sys.argv[1] + end, 0o444)\n"
    "os.kill(os.getpid(), 9)"
)
LEFT = {
    "a log of changes": (
        "db.execute('PRAGMA journal_mode=WAL'); db.execute('CREATE TABLE t (x)')\n"
        "db.execute('INSERT INTO t VALUES (1)'); db.commit()",
        "(1, 1)",
    ),
    "a transaction that was not finished": (
        "db.execute('CREATE TABLE t (x)'); db.execute('INSERT INTO t VALUES (1)'); db.commit()\n"
        "db.execute('PRAGMA cache_size=1'); db.execute('UPDATE t SET x = 2')\n"
        "db.executemany('INSERT INTO t VALUES (?)', [(3,)] * 20_000)",
        "(1, 1)",
    ),
}


@pytest.mark.parametrize("what", LEFT)
def test_what_a_killed_writer_left_is_done_or_undone_also_for_who_may_not_write(tmp_path, what):
    changes, expected = LEFT[what]
    place = tmp_path / "a b#c?d%20"
    place.mkdir()
    path = place / "c.sqlite"
    subprocess.run([sys.executable, "-c", WRITER.format(changes), str(path)], check=False)
    path.with_name("c.sqlite-shm").unlink(missing_ok=True)  # as in a copy, or after a restart
    assert [p.name for p in place.iterdir() if p != path]
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from ishtar.catalogue.read_connection import ReadConnection\n"
        "r = ReadConnection(Path(sys.argv[1]))\n"
        "print(r.current().execute('SELECT count(*), max(x) FROM t').fetchone(), flush=True)\n"
        "r.close()"
    )
    for p in (*place.iterdir(), place):
        p.chmod(0o555 if p.is_dir() else 0o444)
        if os.geteuid() == 0:
            os.chown(p, NOBODY, NOBODY)
    before = {p.name: p.read_bytes() for p in place.iterdir()}
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=without_rights,
    )
    place.chmod(0o755)
    assert (done.stdout.strip(), done.stderr) == (expected, "")
    assert {p.name: p.read_bytes() for p in place.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == [place.name]  # no copy stays


def test_a_catalogue_that_is_replaced_is_read_by_who_has_the_old_one_open(tmp_path):
    """`ishtar rebuild` puts another file in its place."""
    old, new = tmp_path / "c.sqlite", tmp_path / "new.sqlite"
    for path, number in ((old, 1), (new, 2)):
        with Catalogue(path, write=True) as catalogue:
            catalogue.put_shot(number, {}, [], {})
    with Catalogue(old) as reader:
        assert reader.shots() == [1]
        new.replace(old)
        assert reader.shots() == [2]
        old.unlink()
        assert reader.shots() == [2]
