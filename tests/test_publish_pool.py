"""A build of everything that several processes share is the one that a single process makes."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from runner.publish import build as publisher
from runner.publish import publish
from runner.publish import worker_pool as pool
from tests.factory.warm_fakes import alive, soon
from tests.site_fakes import FIRST, FakeSource, campaign

pytestmark = pytest.mark.whole


def given(source: FakeSource) -> FakeSource:
    return source


def files(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}


@pytest.mark.long
def test_processes_that_share_a_build_write_what_one_writes(tmp_path, monkeypatch):
    source = campaign(tmp_path)
    alone = publish(source, tmp_path / "alone", traces=False)
    monkeypatch.setattr(publisher, "MIN_SHOTS", 1)
    opener = partial(given, source)
    together = publish(source, tmp_path / "together", workers=2, opener=opener, traces=False)
    assert files(tmp_path / "alone") == files(tmp_path / "together")
    assert sorted(together.written) == sorted(alone.written)
    assert together.without_traces == alone.without_traces

    record = source.records[FIRST + 3]
    record.attributes["comment"] = "something else"  # type: ignore[index]
    again = publish(
        source, tmp_path / "together", workers=2, opener=partial(given, source), traces=False
    )
    publish(source, tmp_path / "alone", traces=False)
    assert files(tmp_path / "alone") == files(tmp_path / "together")
    assert f"shots/{FIRST + 3:05d}/index.html" in again.written
    assert not [p for p in again.written if p.endswith(f"{FIRST + 8:05d}/index.html")]
    assert not list((tmp_path / "together").rglob(".tmp-*"))


def test_shots_are_shared_out_in_their_order_and_none_twice():
    numbers = list(range(1, 1008))
    shares = pool.WorkerPool(pool=None, processes=2)._shares(numbers)  # type: ignore[arg-type]
    assert [n for share in shares for n in share] == numbers
    assert max(len(share) for share in shares) == pool.MAX_SHARE
    few = pool.WorkerPool(pool=None, processes=2)._shares(numbers[:20])  # type: ignore[arg-type]
    assert len(few) > 2


OWNER = """
import os, sys, time
from functools import partial
from pathlib import Path
from runner.publish.worker_pool import PoolSettings, start_pool
from runner.settings.publishing import PublishSettings
from tests.site_fakes import FakeSource
if __name__ == "__main__":
    out = Path(sys.argv[1])
    work = PoolSettings(
        open=partial(FakeSource, out), out=out, shared=None, theme=None, settings=PublishSettings()
    )
    with start_pool(1, work) as workers:
        print(workers.pool.submit(os.getpid).result(), flush=True)
        time.sleep(600)
"""


def test_its_processes_end_with_the_one_that_started_them(tmp_path):
    script = tmp_path / "owner.py"
    script.write_text(OWNER)
    root = str(Path(__file__).parents[1])
    with subprocess.Popen(
        [sys.executable, script, tmp_path / "site"],
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        process.kill()
    assert soon(lambda: not alive(worker))
