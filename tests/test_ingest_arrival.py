"""A file arrives: stored, known, waiting, quarantined; nothing lost, nothing half."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nptdms import ChannelObject, TdmsWriter

from ishtar.errors import WorkspaceError
from ishtar.store import SourceFile
from runner.ingest import (
    IngestSettings,
    IngestStopped,
    Layout,
    Outcome,
    Settling,
    SourceMissing,
    ingest_file,
    remove_leftovers,
    scan,
)
from runner.ingest.days.matching import MatchResult
from runner.ingest.ingest_errors import ingest_stopped
from runner.ingest.raw_files.quarantine import quarantined_files, reason_of
from runner.ingest.raw_files.settling import open_for_writing
from runner.ingest.raw_files.source_hash import BLOCK, FollowingHash, sha256_of

pytestmark = pytest.mark.whole

SETTINGS = IngestSettings()


class Workspace:
    """A workspace in a temporary folder, and files that arrive in it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "workspace"
        self.layout = Layout.of(self.root)
        self.layout.incoming.mkdir(parents=True)
        self.elsewhere = root / "elsewhere"
        self.elsewhere.mkdir()

    def tdms(self, name: str, *, seed: int = 0, n: int = 2000, incoming: bool = True) -> Path:
        path = (self.layout.incoming if incoming else self.elsewhere) / name
        values = np.random.default_rng(seed).integers(-3000, 3000, n).astype(np.int16)
        with TdmsWriter(path) as w:
            w.write_segment([ChannelObject("g", "a", values, {"wf_increment": 1e-5})])
        return path

    def file(self, name: str, content: bytes, *, incoming: bool = True) -> Path:
        path = (self.layout.incoming if incoming else self.elsewhere) / name
        path.write_bytes(content)
        return path

    def ingest(self, path: Path, settings: IngestSettings = SETTINGS, **options: Any) -> Outcome:
        options = {"incoming": path.parent == self.layout.incoming} | options
        return ingest_file(path, layout=self.layout, settings=settings, **options)

    def files(self, folder: Path) -> list[str]:
        return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())

    @property
    def quarantined(self) -> list[str]:
        names = self.files(self.layout.quarantine)
        return [n for n in names if not n.endswith(".reason.json")]


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


# Stored


def test_a_file_in_incoming_is_stored_verified_and_taken_away(ws: Workspace) -> None:
    path = ws.tdms("01234_Data.tdms")
    content = path.read_bytes()
    outcome = ws.ingest(path)
    assert (outcome.status, outcome.shots, outcome.reason) == ("stored", [1234], "")
    assert outcome.stored == [ws.layout.shots / "01234" / "01234_Data.tdms.h5"]
    assert outcome.bytes == len(content)
    assert outcome.seconds > 0
    origin = SourceFile(outcome.stored[0]).origin
    assert origin.sha256 == hashlib.sha256(content).hexdigest()
    assert (origin.size, origin.source, origin.converter) == (len(content), path.name, "tdms 2")
    assert ws.files(ws.layout.incoming) == []


def test_a_file_elsewhere_is_never_touched(ws: Workspace) -> None:
    good = ws.tdms("00001_Data.tdms", incoming=False)
    bad = ws.file("00002_Data.xyz", b"what is this", incoming=False)
    assert ws.ingest(good).status == "stored"
    assert ws.ingest(bad).status == "quarantined"
    assert ws.files(ws.elsewhere) == ["00001_Data.tdms", "00002_Data.xyz"]
    assert (ws.layout.quarantine / "00002_Data.xyz").read_bytes() == b"what is this"


def test_incoming_files_stay_where_the_settings_say_so(ws: Workspace) -> None:
    path = ws.tdms("00001_Data.tdms")
    assert ws.ingest(path, replace(SETTINGS, keep_incoming=True)).status == "stored"
    assert path.exists()
    assert ws.ingest(path, replace(SETTINGS, keep_incoming=True)).status == "known"
    assert path.exists()


@pytest.mark.parametrize(
    ("name", "shot", "expected"),
    [
        ("7_Data.tdms", None, 7),
        ("00007-b.tdms", None, 7),
        ("00007.tdms", None, 7),
        ("99999_Data.tdms", None, 99999),
        ("nothing.tdms", 12, 12),
        ("00007_Data.tdms", 12, 12),
        ("Data_00007.tdms", None, 7),
        ("Data.tdms", None, None),
        ("00000_Data.tdms", None, None),
        ("100000_Data.tdms", None, None),
        ("20261122_Data.tdms", None, None),
        ("7b_Data.tdms", None, None),
        ("00007_Data.tdms", 0, None),
        ("00007_Data.tdms", -3, None),
    ],
)
def test_the_shot_number_comes_from_the_name_or_is_given(
    ws: Workspace, name: str, shot: int | None, expected: int | None
) -> None:
    outcome = ws.ingest(ws.tdms(name), shot=shot)
    if expected is None:
        assert outcome.status == "quarantined"
        assert "--shot N" in outcome.reason
        assert ws.quarantined == [name]
    else:
        assert (outcome.status, outcome.shots) == ("stored", [expected])


# Known


def test_the_same_file_again_is_a_no_op(ws: Workspace) -> None:
    first = ws.ingest(ws.tdms("00001_Data.tdms", incoming=False))
    stamp = first.stored[0].stat()
    outcome = ws.ingest(ws.tdms("00001_Data.tdms"))
    assert (outcome.status, outcome.shots, outcome.stored) == ("known", [1], [])
    assert first.stored[0].stat() == stamp
    assert ws.files(ws.layout.incoming) == []
    assert ws.quarantined == []


def test_another_file_under_a_known_name_is_quarantined_and_the_first_stays(
    ws: Workspace,
) -> None:
    first = ws.ingest(ws.tdms("00001_Data.tdms", seed=1))
    digest = SourceFile(first.stored[0]).channels["g/a"].digest
    for seed, n in ((2, 2000), (3, 2001)):
        outcome = ws.ingest(ws.tdms("00001_Data.tdms", seed=seed, n=n))
        assert outcome.status == "quarantined"
        assert "shot 1 already has a different 00001_Data.tdms" in outcome.reason
        assert "which stays: rename" in outcome.reason
    assert SourceFile(first.stored[0]).channels["g/a"].digest == digest
    assert ws.quarantined == ["00001_Data-2.tdms", "00001_Data.tdms"]


def test_a_damaged_stored_file_is_replaced_by_its_source(ws: Workspace) -> None:
    path = ws.tdms("00001_Data.tdms", incoming=False)
    stored = ws.ingest(path).stored[0]
    stored.write_bytes(stored.read_bytes()[:-100])
    outcome = ws.ingest(path)
    assert outcome.status == "stored"
    assert SourceFile(stored).channels["g/a"].n == 2000
    assert ws.quarantined == ["00001_Data.tdms.h5"]
    assert reason_of(ws.layout.quarantine / "00001_Data.tdms.h5")["reason"].startswith("damaged")


# Quarantine


def test_the_reason_lies_beside_the_file(ws: Workspace) -> None:
    path = ws.file("00001_Data.bin", b"\x01\x02\x03")
    outcome = ws.ingest(path)
    assert outcome.quarantined == ws.layout.quarantine / "00001_Data.bin"
    facts = json.loads((ws.layout.quarantine / "00001_Data.bin.reason.json").read_text())
    assert facts["source"] == str(path)
    assert facts["reason"] == outcome.reason
    assert "its format is unknown" in outcome.reason
    assert facts["size"] == 3
    assert facts["sha256"] == hashlib.sha256(b"\x01\x02\x03").hexdigest()
    assert not path.exists()


@pytest.mark.parametrize("incoming", [True, False])
@pytest.mark.parametrize("name", [b"00114_Gr\xf6\xdfe.tdms", b"Gr\xf6\xdfe/00114.tdms"])
def test_a_name_that_is_no_utf8_is_told_and_written_as_it_reads(
    ws: Workspace, name: bytes, incoming: bool
) -> None:
    folder = ws.layout.incoming if incoming else ws.elsewhere
    path = folder / os.fsdecode(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    ws.tdms("1.tdms").rename(path)
    content = path.read_bytes()
    outcome = ws.ingest(path, incoming=incoming)
    assert outcome.status == "quarantined"
    assert "is not in UTF-8: rename it" in outcome.reason
    assert "Größe" in outcome.reason
    (kept,) = ws.quarantined
    assert kept == ("00114.tdms" if b"/" in name else "00114_Größe.tdms")
    assert (ws.layout.quarantine / kept).read_bytes() == content
    assert [h.name for h in quarantined_files(ws.layout.quarantine)] == [kept]
    assert path.exists() != incoming
    json.dumps([outcome.name, outcome.reason], ensure_ascii=False).encode()


def test_what_is_no_ordinary_file_is_never_opened(ws: Workspace) -> None:
    os.mkfifo(ws.elsewhere / "00001.lvm")
    (ws.elsewhere / "00002.lvm").symlink_to("/dev/zero")
    for path in sorted(ws.elsewhere.iterdir()):
        with pytest.raises(SourceMissing, match="is not a regular file: leave it out"):
            ws.ingest(path)


def test_the_same_bytes_do_not_pile_up(ws: Workspace) -> None:
    for _ in range(3):
        ws.ingest(ws.file("00001_Data.bin", b"abc"))
        ws.ingest(ws.file("00001_Data.bin", b"abc", incoming=False))
    ws.ingest(ws.file("00001_Data.bin", b"xyz"))
    ws.ingest(ws.file("00001_Data.bin", b"xyz"))
    assert ws.quarantined == ["00001_Data-2.bin", "00001_Data.bin"]
    assert ws.files(ws.layout.incoming) == []


@pytest.mark.parametrize("content", [b"", b"\0" * 5000], ids=["zero bytes", "only zeros"])
def test_an_empty_file_waits_and_then_goes_to_quarantine(ws: Workspace, content: bytes) -> None:
    path = ws.file("00001_Data.tdms", content)
    assert ws.ingest(path, unchanged_for_s=10.0).status == "waiting"
    assert path.exists()
    assert ws.ingest(path, unchanged_for_s=61.0).status == "quarantined"
    elsewhere = ws.file("00002_Data.tdms", content, incoming=False)
    assert ws.ingest(elsewhere, unchanged_for_s=10.0).status == "waiting"  # a watched share
    assert ws.ingest(elsewhere).status == "quarantined"
    assert elsewhere.exists()


def test_a_file_on_another_file_system_is_copied_compared_and_then_removed(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rename(a: Path, b: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    path = ws.file("00001_Data.bin", b"abc")
    monkeypatch.setattr(os, "rename", rename)
    assert ws.ingest(path).status == "quarantined"
    assert not path.exists()
    assert (ws.layout.quarantine / "00001_Data.bin").read_bytes() == b"abc"


# Files that are still being written


def test_a_file_that_somebody_writes_waits(ws: Workspace) -> None:
    path = ws.tdms("00001_Data.tdms")
    with path.open("ab"):
        # not every file system says who has a file open
        known = open_for_writing(path)
        outcome = ws.ingest(path)
        assert outcome.status == ("waiting" if known else "stored")
        assert ("open for writing" in outcome.reason) == known
    assert not known or ws.ingest(path).status == "stored"


def test_a_file_that_changes_while_it_is_read_waits(ws: Workspace, own: IngestSettings) -> None:
    path = ws.file("00001_x.half", b"HALF grow")
    outcome = ws.ingest(path, own)
    assert (outcome.status, outcome.reason) == ("waiting", "it changed while it was read")
    assert path.exists()
    assert ws.files(ws.layout.shots) == []


def test_a_file_that_went_away_is_no_error_in_incoming(ws: Workspace) -> None:
    outcome = ws.ingest(ws.layout.incoming / "00001_Data.tdms")
    assert (outcome.status, outcome.reason) == ("waiting", "it disappeared")
    with pytest.raises(SourceMissing, match="does not exist: check its name"):
        ws.ingest(ws.elsewhere / "00001_Data.tdms")
    with pytest.raises(SourceMissing, match="is a folder"):
        ws.ingest(ws.elsewhere)


# Nothing half


OWN_CONVERTER = """
import numpy as np

class Half:
    name, version = "half", "3"

    def matches(self, path, head):
        return head.startswith(b"HALF")

    def convert(self, path, context):
        channel = context.channel("g/a", dtype=np.int16, dt=1.0)
        channel.append(np.arange(200_000) % 999)
        context.attributes["gas"] = "Ar"
        if b"fail" in path.read_bytes():
            raise ZeroDivisionError("midway")
        if b"grow" in path.read_bytes():
            path.write_bytes(b"HALF grow, and more")
        if b"date" in path.read_bytes():
            context.attributes["date"] = "yesterday"
        context.note("only half of it")
"""


@pytest.fixture
def own(ws: Workspace) -> IngestSettings:
    (ws.root / "our_scope.py").write_text(OWN_CONVERTER)
    return replace(SETTINGS, converters=("our_scope:Half",))


def test_a_facility_adds_a_converter_beside_its_ishtar_toml(
    ws: Workspace, own: IngestSettings
) -> None:
    outcome = ws.ingest(ws.file("00001_x.half", b"HALF"), own)
    assert (outcome.status, outcome.reason) == ("stored", "only half of it")
    source = SourceFile(outcome.stored[0])
    assert source.origin.converter == "half 3"
    assert source.attributes == {"gas": "Ar"}
    assert ws.ingest(ws.tdms("00002_Data.tdms"), own).status == "stored"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"HALF fail", "converter half cannot read it: ZeroDivisionError('midway')"),
        (b"HALF date", "returned the date 'yesterday': correct it to ISO text"),
    ],
)
def test_a_converter_that_fails_leaves_nothing_behind(
    ws: Workspace, own: IngestSettings, content: bytes, reason: str
) -> None:
    outcome = ws.ingest(ws.file("00001_x.half", content), own)
    assert outcome.status == "quarantined"
    assert reason in outcome.reason
    assert not list(ws.layout.shots.iterdir())
    assert not [t for t in threading.enumerate() if t.name.startswith(("store-", "source-"))]


@pytest.mark.parametrize("name", ["absent_module:X", "our_scope:Absent", "our_scope"])
def test_a_converter_that_is_not_there_is_named(
    ws: Workspace, own: IngestSettings, name: str
) -> None:
    path = ws.tdms("00001_Data.tdms")
    with pytest.raises(WorkspaceError, match=rf"converter '{name}' cannot be loaded"):
        ws.ingest(path, replace(own, converters=(name,)))
    assert path.exists()


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from runner.ingest import IngestSettings, IngestStopped, Layout, ingest_file
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
layout = Layout.of(Path(sys.argv[1]))
path = layout.incoming / "00001_Data.tdms"
try:
    ingest_file(path, layout=layout, settings=IngestSettings(), incoming=True)
except IngestStopped as error:
    print(error.errno, error)
"""


def test_a_full_disk_stops_ingest_and_loses_nothing(ws: Workspace) -> None:
    path = ws.tdms("00001_Data.tdms", n=400_000)
    content = path.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(ws.root)], capture_output=True, text=True, check=False
    )
    assert "ingest of" in done.stdout, done.stderr
    assert "stopped: File too large" in done.stdout
    assert "nothing was lost" in done.stdout
    assert path.read_bytes() == content
    assert not list(ws.layout.shots.iterdir())
    assert ws.ingest(path).status == "stored"


def test_ingest_does_not_begin_what_will_not_fit(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.ingest.conversion.SPACE_TO_SPARE", 1 << 60)
    path = ws.tdms("00001_Data.tdms")
    with pytest.raises(IngestStopped, match=r"MB free on .* free some space, then start again"):
        ws.ingest(path, isolated=False)
    assert path.exists()


def test_a_data_folder_that_is_none_stops_ingest(ws: Workspace) -> None:
    path = ws.tdms("00001_Data.tdms")
    ws.layout.shots.write_text("not a folder")
    with pytest.raises(IngestStopped, match="nothing was lost"):
        ws.ingest(path)
    assert path.exists()
    assert ws.quarantined == []


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (OSError(errno.ENOSPC, "x"), "No space left on device; nothing was lost: free some space"),
        (PermissionError(errno.EACCES, "x", "/data"), "Permission denied (/data); nothing was los"),
        (OSError("file write failed, errno = 122, error message = 'x'"), "Disk quota exceeded"),
        (OSError(errno.EIO, "x"), "Input/output error"),
    ],
)
def test_an_error_of_the_disk_says_what_to_do(error: OSError, advice: str) -> None:
    told = ingest_stopped("00001_Data.tdms", error)
    assert advice in str(told)
    assert isinstance(told, OSError)
    assert told.source == "00001_Data.tdms"
    assert told.errno


def test_two_processes_may_ingest_the_same_file_at_once(ws: Workspace) -> None:
    path = ws.tdms("00001_Data.tdms", n=300_000, incoming=False)
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: ws.ingest(path), range(4)))
    statuses = sorted(o.status for o in outcomes)
    assert statuses.count("stored") == 1
    assert set(statuses) <= {"stored", "known"}
    assert ws.files(ws.layout.shots) == ["00001/00001_Data.tdms.h5"]
    assert ws.quarantined == []


def test_two_different_files_of_one_name_at_once_leave_one_stored(ws: Workspace) -> None:
    folders = [ws.elsewhere / str(k) for k in range(3)]
    paths = []
    for k, folder in enumerate(folders):
        folder.mkdir()
        name = f"../elsewhere/{k}/00001_Data.tdms"
        paths.append(ws.tdms(name, seed=k, n=300_000, incoming=False))
    with ThreadPoolExecutor(3) as pool:
        outcomes = list(pool.map(ws.ingest, paths))
    assert sorted(o.status for o in outcomes) == ["quarantined", "quarantined", "stored"]
    assert ws.files(ws.layout.shots) == ["00001/00001_Data.tdms.h5"]
    assert len(ws.quarantined) == 2


STAYS = """
import threading
from runner.ingest.tdms.tdms_converter import Tdms

class Stays(Tdms):
    def convert(self, path, context):
        super().convert(path, context)
        path.with_name("converted").touch()
        threading.Event().wait()
"""


def test_a_kill_in_the_middle_loses_nothing(ws: Workspace) -> None:
    (ws.root / "stays.py").write_text(STAYS)
    path = ws.tdms("00001_Data.tdms", n=200_000)
    content = sha256_of(path)
    code = (
        "import sys; from pathlib import Path; from runner.ingest import *; "
        "l = Layout.of(Path(sys.argv[1])); s = IngestSettings(converters=('stays:Stays',)); "
        "ingest_file(Path(sys.argv[2]), layout=l, settings=s, incoming=True)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(ws.root), str(path)])
    while not path.with_name("converted").exists():
        assert process.poll() is None
        time.sleep(0.01)
    assert ws.files(ws.layout.shots)
    process.kill()
    process.wait()
    assert sha256_of(path) == content
    assert all("/.tmp-" in name for name in ws.files(ws.layout.shots))
    assert ws.ingest(path).status == "stored"


def test_a_killed_ingest_is_done_again(ws: Workspace) -> None:
    """Stored but not yet taken away, and half files of a killed process."""
    path = ws.tdms("00001_Data.tdms")
    copy = ws.file("copy", path.read_bytes(), incoming=False)
    stored = ws.ingest(path).stored[0]
    path.write_bytes(copy.read_bytes())
    leftover = stored.parent / ".tmp-0123456789ab-00001_Data.tdms.h5"
    leftover.write_bytes(b"half")
    assert remove_leftovers(ws.layout) == []
    os.utime(leftover, (time.time() - 1e6,) * 2)
    assert remove_leftovers(ws.layout) == [leftover]
    assert ws.ingest(path).status == "known"
    assert not path.exists()


# Removal: an original goes only when its stored copy is sure


@pytest.fixture
def meanwhile(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Give an ingest during which something happens when the copy is stored and compared."""

    def ingest(path: Path, act: Callable[[], Any]) -> Outcome:
        def follow(*_: Any) -> MatchResult:
            act()
            return MatchResult()

        with monkeypatch.context() as patched:
            patched.setattr("runner.ingest.conversion.rematch_shot", follow)
            return ws.ingest(path, isolated=False)

    return ingest


def test_a_source_that_changes_after_it_was_stored_stays(
    ws: Workspace, meanwhile: Callable[..., Outcome]
) -> None:
    path = ws.tdms("00001_Data.tdms")
    whole = path.read_bytes()
    outcome = meanwhile(path, lambda: path.write_bytes(whole + b"more"))
    assert (outcome.status, outcome.reason) == ("waiting", "it changed while it was read")
    assert path.read_bytes() == whole + b"more"


def test_another_file_of_the_same_name_size_and_time_stays(
    ws: Workspace, meanwhile: Callable[..., Outcome]
) -> None:
    path = ws.tdms("00001_Data.tdms")
    whole, stat = path.read_bytes(), path.stat()

    def exchange() -> None:
        other = path.with_name("other")
        other.write_bytes(bytes(len(whole)))
        os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        other.replace(path)

    assert meanwhile(path, exchange).status == "waiting"
    assert path.read_bytes() == bytes(len(whole))


def test_a_source_stays_when_its_stored_copy_is_of_another(
    ws: Workspace, meanwhile: Callable[..., Outcome]
) -> None:
    path, other = ws.tdms("00001_Data.tdms"), ws.tdms("00002_Data.tdms", seed=2, incoming=False)
    whole = path.read_bytes()
    assert ws.ingest(other).status == "stored"
    mine, its = (ws.layout.shots / f"0000{n}" / f"0000{n}_Data.tdms.h5" for n in (1, 2))
    assert meanwhile(path, lambda: mine.write_bytes(its.read_bytes())).status == "waiting"
    assert path.read_bytes() == whole


def test_a_source_stays_when_its_stored_copy_went_away(
    ws: Workspace, meanwhile: Callable[..., Outcome]
) -> None:
    path = ws.tdms("00001_Data.tdms")
    stored = ws.layout.shots / "00001" / "00001_Data.tdms.h5"
    with pytest.raises(IngestStopped):
        meanwhile(path, stored.unlink)
    assert path.exists()


def test_a_source_stays_when_the_disk_wrote_something_else(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ws.tdms("00001_Data.tdms", n=200_000)
    write = os.pwrite

    def forgetful(fd: int, data: Any, position: int) -> int:
        damaged = bytearray(data)
        if len(damaged) > 10_000:
            damaged[5_000] ^= 0x10
        return write(fd, damaged, position)

    monkeypatch.setattr(os, "pwrite", forgetful)
    with pytest.raises(IngestStopped, match="differs from what was written"):
        ws.ingest(path, isolated=False)
    assert path.exists()
    assert not list(ws.layout.shots.rglob("*.h5"))
    monkeypatch.undo()
    assert ws.ingest(path).status == "stored"
    assert not path.exists()


@pytest.mark.parametrize("link", ["folder", "file"])
def test_what_lies_behind_a_link_in_incoming_is_never_removed(ws: Workspace, link: str) -> None:
    good = ws.tdms("00001_Data.tdms", incoming=False)
    bad = ws.file("00002_Data.tdms", b"what is this", incoming=False)
    whole = [good.read_bytes(), bad.read_bytes()]
    if link == "folder":
        (ws.layout.incoming / "disk").symlink_to(ws.elsewhere)
    else:
        for path in (good, bad):
            (ws.layout.incoming / path.name).symlink_to(path)
    found = list(scan([ws.layout.incoming]))
    assert len(found) == 2
    assert [ws.ingest(p, incoming=True).status for p in found] == ["stored", "quarantined"]
    assert [good.read_bytes(), bad.read_bytes()] == whole
    assert ws.quarantined == ["00002_Data.tdms"]
    assert not (ws.layout.quarantine / "00002_Data.tdms").is_symlink()


def test_a_source_of_which_something_was_left_out_is_kept(ws: Workspace) -> None:
    path = ws.layout.incoming / "00001_Data.tdms"
    with TdmsWriter(path) as w:
        w.write_segment(
            [ChannelObject("g", "a", np.arange(9)), ChannelObject("g", "t", ["x" * 99_000])]
        )
    whole = path.read_bytes()
    outcome = ws.ingest(path)
    assert outcome.status == "stored"
    assert "g/t" in outcome.reason
    assert not path.exists()
    kept = ws.root / "data" / "originals" / "00001" / "00001_Data.tdms"
    assert kept.read_bytes() == whole
    path.write_bytes(whole)
    assert ws.ingest(path).status == "known"  # again: nothing piles up that is not another file
    assert not path.exists()
    assert [p.name for p in kept.parent.iterdir()] == ["00001_Data.tdms"]


def test_files_in_an_incoming_folder_that_is_a_link_itself_are_taken_away(ws: Workspace) -> None:
    ws.layout.incoming.rmdir()
    ws.layout.incoming.symlink_to(ws.elsewhere)
    path = ws.tdms("00001_Data.tdms")
    assert ws.ingest(path).status == "stored"
    assert not path.exists()


# Salvaged recordings, and files from quarantine


PARTS = """
import numpy as np
from runner.ingest import NotWhole

class Parts:
    name, version = "parts", "1"

    def matches(self, path, head):
        return head.startswith(b"PARTS")

    def convert(self, path, context):
        *lines, rest = path.read_text().split("\\n")
        if rest != "END":
            if not context.salvage:
                raise NotWhole("it is truncated: ishtar ingest --salvage FILE takes its whole part")
            context.properties["salvaged"] = {"bytes": 0, "of": 0, "reason": "cut"}
        context.channel("g/a", dtype=np.int64, dt=1.0).append(np.array(lines[1:], dtype=np.int64))
"""


@pytest.fixture
def parts(ws: Workspace) -> IngestSettings:
    """Give settings with a converter that can salvage."""
    (ws.root / "parts.py").write_text(PARTS)
    return replace(SETTINGS, converters=("parts:Parts",), truncated_wait_s=0.0)


def samples(ws: Workspace, name: str = "00001_x.txt") -> list[int]:
    source = SourceFile(ws.layout.shots / "00001" / f"{name}.h5")
    return source.channels["g/a"].raw().tolist()


def test_the_whole_part_of_a_cut_file_is_taken_when_asked_and_marked(
    ws: Workspace, parts: IngestSettings
) -> None:
    path = ws.file("00001_x.txt", b"PARTS\n1\n2\n3")
    assert ws.ingest(path, parts).status == "quarantined"
    held = ws.layout.quarantine / "00001_x.txt"
    assert ws.ingest(held, parts, salvage=True).status == "stored"
    assert samples(ws) == [1, 2]
    stored = SourceFile(ws.layout.shots / "00001" / "00001_x.txt.h5")
    assert stored.properties["salvaged"]["reason"] == "cut"
    # the cut file is kept whole, and nobody has to look after it any more
    assert ws.quarantined == ["taken/00001_x.txt"]
    assert reason_of(ws.layout.quarantine / "taken" / "00001_x.txt")["reason"]


def test_the_whole_recording_replaces_the_part_that_was_salvaged(
    ws: Workspace, parts: IngestSettings
) -> None:
    cut = b"PARTS\n1\n2\n3"
    assert ws.ingest(ws.file("00001_x.txt", cut), parts, salvage=True).status == "stored"
    other = ws.file("00001_x.txt", b"PARTS\n1\n7\n3\nEND")
    assert ws.ingest(other, parts).status == "quarantined"  # it is no continuation
    assert samples(ws) == [1, 2]
    whole = ws.file("00001_x.txt", cut + b"4\n5\nEND")
    assert ws.ingest(whole, parts).status == "stored"
    assert samples(ws) == [1, 2, 34, 5]
    assert "salvaged" not in SourceFile(ws.layout.shots / "00001" / "00001_x.txt.h5").properties
    assert "00001_x.txt.h5" in ws.quarantined


def test_a_salvaged_part_never_replaces_what_is_stored(
    ws: Workspace, parts: IngestSettings
) -> None:
    assert ws.ingest(ws.file("00001_x.txt", b"PARTS\n1\n2\nEND"), parts).status == "stored"
    cut = ws.file("00001_x.txt", b"PARTS\n1\n2\nEN")
    assert ws.ingest(cut, parts, salvage=True).status == "quarantined"
    assert samples(ws) == [1, 2]


# Arriving


def test_scanning_leaves_out_what_is_not_a_file_yet(ws: Workspace) -> None:
    names = ["00002_b.tdms", "00001_a.tdms", "day/00003_c.csv", "day/deeper/00004_d.csv"]
    ignored = [
        ".hidden", "~lock", ".tmp-1-x", "x.part", "x.filepart", "x.TMP", "x.tdms_index", "day/.x",
    ]  # fmt: skip
    for name in [*names, *ignored]:
        path = ws.layout.incoming / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = [str(p.relative_to(ws.layout.incoming)) for p in scan([ws.layout.incoming])]
    assert found == ["00001_a.tdms", "00002_b.tdms", "day/00003_c.csv", "day/deeper/00004_d.csv"]
    assert list(scan([ws.root / "a share that is away"])) == []


def test_a_file_is_whole_when_it_has_not_changed_for_long(ws: Workspace) -> None:
    now = [100.0]
    settling = Settling(2.0, clock=lambda: now[0])
    a, b = ws.file("a", b"1"), ws.file("b", b"1")
    os.utime(a, (4e9, 4e9))  # the share's clock is decades ahead
    assert settling.whole([a, b]) == []
    now[0] += 1.5
    b.write_bytes(b"12")
    assert settling.whole([a, b]) == []
    now[0] += 1.0
    assert settling.whole([a, b]) == [a]
    assert settling.unchanged_for_s(a) == 2.5
    assert settling.unchanged_for_s(b) == 1.0
    a.unlink()
    now[0] += 5.0
    assert settling.whole([a, b]) == [b]
    assert settling.unchanged_for_s(a) == 0.0


def test_a_file_that_settled_and_grows_again_is_not_whole(ws: Workspace) -> None:
    now = [0.0]
    settling = Settling(2.0, clock=lambda: now[0])
    path = ws.file("a", b"1")
    settling.whole([path])
    now[0] = 3.0
    assert settling.whole([path]) == [path]
    path.write_bytes(b"123")
    assert settling.whole([path]) == []


# The hash that follows


def test_the_hash_follows_the_converter_and_ends_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(os.urandom(2 * BLOCK + 77))
    with FollowingHash(path) as following:
        following.advance(BLOCK)
        following.advance(2 * BLOCK)
        assert following.hexdigest() == sha256_of(path)
    with FollowingHash(path):
        pass  # given up: the thread ends
    with FollowingHash(tmp_path / "absent") as following, pytest.raises(FileNotFoundError):
        following.hexdigest()
