"""Traces of the viewer: files and bytes of a shot, how packs are cut, what a browser loads.

Run:  python bench/traces.py WORKSPACE             of a published workspace, shot by shot
      python bench/traces.py --gb 4 FOLDER         a shot of two channels of 10⁹ samples, built in
                                                   FOLDER once, with two signals derived from them
      python bench/traces.py --browser WORKSPACE   first view and zooms (needs playwright, Chromium)
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ishtar.store import Origin, SourceWriter
from ishtar.workspace import Workspace
from runner.publish import publish_workspace
from runner.publish.data.traces import read_index, traces_folder
from runner.publish.data.traces_and_downloads import steps_of_traces
from runner.publish.source import WorkspaceSource
from runner.publish.writer import Writer
from runner.receipts import Subject
from runner.scheduling.coordinator import Coordinator
from runner.workspaces.new_workspace import make_workspace

SHOT = 7
CHANNELS = ("PXI M6251/IC_Pfwd", "PXI M6251/IC_Pref")
VOLTS = [{"kind": "linear", "slope": 10 / 32768, "intercept": 0.0}]
PIECE = 1 << 22  # samples written at a time
WIDTHS = (1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5)  # of the record


def build(root: Path, gb: float) -> None:
    """Store a shot of two channels, as long as ``gb`` says."""
    workspace = make_workspace(root, facility="Bench")
    n = int(gb * 1e9 / 2 / len(CHANNELS))
    origin = Origin(
        shot=SHOT,
        source="long.tdms",
        size=1,
        sha256="0" * 64,
        converter="bench 1",
        writer="bench",
        arrived="2026-11-22T10:00:00+00:00",
    )
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 12, PIECE + 9973)
    with SourceWriter(workspace.shot_folder(SHOT) / "long.tdms.h5", origin) as writer:
        writer.attributes["date"] = "2026-11-22T10:00:00"
        for k, path in enumerate(CHANNELS):
            channel = writer.channel(path, dtype=np.int16, unit="V", dt=1e-8, scale=VOLTS)
            for start in range(0, n, PIECE):
                i = np.arange(start, min(start + PIECE, n))
                shape = 9000 - 3000 * k + 4000 * np.sin(i * 2e-8 + k) * (1 + 0.1 * np.sin(i * 1e-3))
                x = shape + noise[(start // PIECE) % 9973 :][: len(i)]
                channel.append(np.round(x).astype(np.int16))


def sizes(workspace: Workspace) -> None:
    """Print files and bytes of each shot's traces, and of its stored files."""
    print(f"{'shot':>6}{'files':>7}{'traces':>12}{'stored raw':>14}{'share':>9}")
    for folder in sorted((workspace.root / "data" / "shots").iterdir()):
        number = int(folder.name)
        files = list((workspace.site / traces_folder(number)).glob("*"))
        raw = sum(path.stat().st_size for path in folder.glob("*.h5"))
        mine = sum(path.stat().st_size for path in files)
        if raw:
            print(f"{number:>6}{len(files):>7}{mine:>12,}{raw:>14,}{mine / raw:>9.1%}")


def cut(workspace: Workspace) -> None:
    """Cut the packs of the large shot; print time, memory and the longest step."""
    with Coordinator(workspace) as coordinator:
        coordinator.sync_shots()
        publish_workspace(coordinator, [Subject.shot(SHOT)], traces=False)
        for path in (workspace.site / traces_folder(SHOT)).glob("*"):
            path.unlink()
        source = WorkspaceSource(coordinator.workspace, coordinator.catalogue)
        settings = coordinator.settings.publish
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        steps = steps_of_traces(source, SHOT, Writer.plain(workspace.site), settings)
        waits = []
        begin = last = time.perf_counter()
        for _ in steps:
            now = time.perf_counter()
            waits.append(now - last)
            last = now
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"cut in {time.perf_counter() - begin:.0f} s; peak memory {before / 1024:.0f} → "
        f"{after / 1024:.0f} MB; the service is held up for {max(waits):.2f} s at most, "
        f"{statistics.median(waits) * 1e3:.1f} ms in the middle"
    )
    for name, entry in read_index(workspace.site, SHOT).items():
        if entry["levels"]:
            strides = [level["stride"] for level in entry["levels"]]
            print(f"  {name:10s} {entry['n']:>13,} samples {entry['size']:>11,} bytes {strides}")


@contextmanager
def served(workspace: Workspace) -> Iterator[str]:
    """Run `ishtar serve`; give the address."""
    command = [sys.executable, "-c", "from runner.cli import main; main(['serve', '--port', '0'])"]
    server = subprocess.Popen(command, cwd=workspace.root, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().split()[0]
    finally:
        server.terminate()
        server.wait()


def browse(workspace: Workspace) -> None:
    """Print what Chromium receives for the first view of each shot, and for zooms into it."""
    from playwright.sync_api import sync_playwright

    with served(workspace) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        for folder in sorted((workspace.root / "data" / "shots").iterdir()):
            number = int(folder.name)
            names = [n for n, e in read_index(workspace.site, number).items() if e["levels"]][:3]
            if names:
                _browse_shot(browser, address, number, names)


def _browse_shot(browser: Any, address: str, number: int, names: list[str]) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    answers: list[Any] = []
    page.on("requestfinished", lambda request: answers.append(request))

    def received() -> tuple[int, int]:
        found = [request.sizes() for request in answers]
        answers.clear()
        return len(found), sum(s["responseBodySize"] + s["responseHeadersSize"] for s in found)

    def settle() -> None:
        page.wait_for_timeout(200)
        page.wait_for_selector("#viewer[aria-busy=false]")
        page.wait_for_load_state("networkidle")

    begin = time.perf_counter()
    page.goto(f"{address}traces.html#shots={number}&signals={','.join(names)}")
    settle()
    count, first = received()
    print(
        f"shot {number}: {', '.join(names)}: first view {count} requests, {first:,} bytes", end=""
    )
    print(f", {time.perf_counter() - begin:.1f} s")
    start, stop = (float(page.input_value(f"#trace-{end}")) for end in ("from", "to"))
    for width in WIDTHS:
        length = (stop - start) * width
        begin_at = start + 0.37 * (stop - start - length)
        page.evaluate("(view) => window.ishtar.viewer.show(view)", [begin_at, begin_at + length])
        settle()
        count, got = received()
        level = page.locator(".trace-head .level").first.inner_text()
        print(f"  {width:8.0e} of it: {count:2d} requests {got:7,} bytes  {level}")
    context.close()


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--gb", type=float, help="build the large shot, and cut its packs")
    parser.add_argument("--browser", action="store_true", help="first view and zooms")
    args = parser.parse_args()
    if args.gb and not (args.workspace / "ishtar.toml").exists():
        build(args.workspace, args.gb)
    workspace = Workspace.at(args.workspace)
    if args.gb:
        cut(workspace)
    if args.browser:
        browse(workspace)
    else:
        sizes(workspace)


if __name__ == "__main__":
    main()
