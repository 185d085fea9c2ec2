"""The long crash test: ``python -m tests.crash --kills 200 --seed 1``."""

from __future__ import annotations

import time
from pathlib import Path

from tests.crash.checks import problems
from tests.crash.command import long_test
from tests.crash.harness import scene

KILLS_A_SHOT = 4
PAUSES_S = (0.3, 2.0, 6.0)


def run(folder: Path, kills: int, seed: int) -> int:
    """Let shots arrive while processes are killed; return 1 where something was damaged."""
    began = time.monotonic()
    shots = max(1, min(100, kills // KILLS_A_SHOT))
    with scene(folder, shots=shots, seed=seed) as crash:
        for k in range(kills):
            while crash.stream.delivered < (k + 1) * shots / kills:
                crash.stream.deliver()
            # short and long ones: some kills in a row at once, some amid the work
            time.sleep(crash.random.uniform(0.0, crash.random.choice(PAUSES_S)))
            what = crash.kill()
            print(
                f"{time.monotonic() - began:6.1f} s  kill {k + 1:3d}: {what:13s}  "
                f"{crash.stream.delivered} shots here, {len(crash.lacks())} things to do",
                flush=True,
            )
        crash.settle(180.0)
        found = [f"process {process} went astray" for process in crash.service.strays()]
        if code := crash.service.stop():
            found.append(f"watch ended with {code}")
        crash.reader.stop()
        found += problems(crash)
        for problem in found:
            print(f"DAMAGE: {problem}")
        print(
            f"seed {seed}: {kills} kills ({', '.join(f'{n} {k}' for k, n in crash.kills.items())}),"
            f" {crash.service.starts} starts, {shots} shots, {crash.reader.pages} pages and "
            f"{crash.reader.files} files read meanwhile, {len(found)} problems, "
            f"{time.monotonic() - began:.0f} s"
        )
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(long_test("crash", __doc__, ("kills", 200), run))
