"""The service under faults: ``python -m tests.faults --minutes 30 --seed 1``."""

from __future__ import annotations

import time
from pathlib import Path

import ishtar
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.rebuild import rebuild
from tests.crash.checks import content
from tests.crash.command import long_test
from tests.crash.reader import read_all
from tests.faults.harness import KILLING, Scene, scene

SHOTS_A_MINUTE = 5
LONGEST_HOLD_S = 45.0
SETTLE_S = 240.0


def run(folder: Path, minutes: float, seed: int) -> int:
    """Let shots arrive while things go wrong; return 1 where something is lacking in the end."""
    seconds = 60.0 * minutes
    shots = max(KILLING, round(SHOTS_A_MINUTE * minutes))
    hold_s = min(LONGEST_HOLD_S, max(5.0, seconds / 20))
    with scene(folder, shots=shots, hold_s=hold_s, seed=seed) as s:
        if not s.has_disk:
            print("no disk may be mounted here: none will be full (root may do that)")
        began = time.monotonic()
        kinds: list[str] = []
        while (now := time.monotonic() - began) < seconds:
            while s.delivered < min(shots, 1 + shots * now / seconds):
                s.deliver()
            if not kinds:  # each of them as often as any other
                kinds = s.random.sample(sorted(s.kinds), len(s.kinds))
            kind = kinds.pop()
            s.fault(kind)
            here, n = s.delivered, len(s.lacks())
            print(f"{now:6.1f} s  {kind:17s}  {here} shots here, {n} things to do", flush=True)
            time.sleep(s.random.uniform(0.5, 4.0))
        while s.delivered < shots:
            s.deliver()
        print(f"{time.monotonic() - began:6.1f} s  no more faults: waiting for rest", flush=True)
        rest = time.monotonic()
        found = s.settle(SETTLE_S)
        took = time.monotonic() - rest
        s.done.set()
        code = s.service.stop() if s.service.lives else -1
        found += [f"watch ended with {code}"] if code else []
        found += problems(s)
        for problem in found:
            print(f"LACKING: {problem}")
        if found:
            print(s.service.log.read_text(encoding="utf-8")[-6000:])
        told = ", ".join(f"{n} {kind}" for kind, n in sorted(s.faults.items()))
        print(
            f"seed {seed}: {sum(s.faults.values())} faults ({told}), {s.service.starts} starts, "
            f"{shots} shots, {took:.0f} s until all was there, {len(found)} problems, "
            f"{time.monotonic() - began:.0f} s"
        )
    return int(bool(found))


def problems(s: Scene) -> list[str]:
    """Return what is wrong in the end; the service must have ended."""
    found = read_all(s.workspace.site)
    testbed = ishtar.open(s.workspace.root)
    for n in range(1, s.shots + 1):
        scraps = {x.name: x.value for x in testbed.scraps(n)}
        mean = float(testbed[n]["Lang_I"].load().values.mean())
        if scraps.keys() != {"mean", "twice"} or abs(scraps["mean"] - mean) > 1e-9 * abs(mean):
            found.append(f"shot {n} has {scraps}, its mean is {mean}")
    with Coordinator(s.workspace) as coordinator:
        found += [f"{p.subject} {p.template} is due: {p.reasons}" for p in coordinator.plan()]
        reasons = [
            r.reason
            for r in coordinator.catalogue.reports(current=True, template="killer")
            if r.state == "failed"
        ]
        live = content(coordinator.catalogue)
    if len(reasons) != 1 or "the service was killed" not in reasons[0]:
        found.append(f"the notebook that kills the service left the reasons {reasons}")
    found += rebuild(s.workspace)[2]
    with Coordinator(s.workspace) as coordinator:
        if content(coordinator.catalogue) != live:
            found.append("the rebuilt catalogue differs from the live one")
    return found


if __name__ == "__main__":
    raise SystemExit(long_test("faults", __doc__, ("minutes", 30.0), run))
