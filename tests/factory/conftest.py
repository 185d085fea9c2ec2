"""A small workspace whose truth is known, and templates written on the spot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from ishtar.store import Origin, SourceWriter
from ishtar.workspace import Workspace
from runner.execution.execute import execute
from runner.jobs import Done, Job
from runner.kernel.warm import owner
from runner.kernel.warm.owner import WarmServer
from runner.receipts import Subject
from runner.scheduling.coordinator import Coordinator
from runner.workspaces.new_workspace import make_workspace
from tests.command_fakes import Call, caller
from tests.factory.warm_fakes import kernels_from, printed

SIGNALS = """
[Lang_I]
unit = "A"
[Ngas_P]
unit = "Pa"
"""
WIRING = """
[[wiring]]
signal = "Lang_I"
channel = "PXI M6251/Lang_I"
device = "langmuir_1"
from = 1
[[wiring]]
signal = "Ngas_P"
channel = "S7/Ngas_P"
device = "gauge_1"
from = 1
"""
DEVICE = """
[[calibration]]
version = 1
from = 1
input = "V"
unit = "{unit}"
transforms = [{{ kind = "gain", gain = {gain} }}]
"""


@dataclass(frozen=True)
class Factory:
    """A workspace and what tests do with it."""

    workspace: Workspace

    def template(
        self, name: str, *code: str, parameters: str = "shot: int = 1", sidecar: str = ""
    ) -> Path:
        """Write a template of a heading, a parameters cell and code cells."""
        cells = [
            new_markdown_cell(f"# {name.capitalize()} of a shot\n\nSome words."),
            new_code_cell(parameters, metadata={"tags": ["parameters"]}),
            *(new_code_cell(c) for c in code),
        ]
        path = self.workspace.templates / f"{name}.ipynb"
        nbformat.write(new_notebook(cells=cells), path)
        if sidecar:
            path.with_suffix(".toml").write_text(sidecar)
        return path

    def declare(self, name: str) -> None:
        """Declare a signal that no shot has."""
        with (self.workspace.calibrations / "signals.toml").open("a", encoding="utf-8") as f:
            f.write(f'[{name}]\nunit = "V"\n')

    def unbounded(self) -> Factory:
        """Return the same with reports that may write and kill where they like."""
        settings = self.workspace.root / "ishtar.toml"
        text = settings.read_text(encoding="utf-8")
        assert '# sandbox = "auto"' in text
        settings.write_text(text.replace('# sandbox = "auto"', 'sandbox = "off"'), encoding="utf-8")
        return Factory(Workspace.at(self.workspace.root))

    def calibrate(self, device: str, unit: str, gain: float) -> None:
        """Write the one calibration of a device."""
        path = self.workspace.calibrations / "devices" / f"{device}.toml"
        path.write_text(DEVICE.format(unit=unit, gain=gain))

    def shot(
        self,
        number: int,
        *,
        probe: bool = True,
        date: str | None = None,
        name: str | None = None,
        channels: bool = True,
    ) -> None:
        """Store a shot of one second: a ramp of 0 … 9.99 V on the probe, 2 V on the gauge."""
        when = date or f"2026-11-22T10:{number:02d}:00"
        source = f"{name or f'{number:05d}_Data'}.tdms"
        path = self.workspace.shot_folder(number) / f"{source}.h5"
        origin = Origin(
            shot=number,
            source=source,
            size=1,
            sha256="0" * 64,
            converter="tdms 1",
            writer="a test",
            arrived="2026-11-22T11:00:00+01:00",
        )
        with SourceWriter(path, origin) as w:
            w.attributes.update({"date": when, "gas": "Ar"})
            if probe and channels:
                scale = [{"kind": "linear", "slope": 0.01, "intercept": 0.0}]
                ramp = w.channel("PXI M6251/Lang_I", dtype=np.int16, unit="V", dt=1e-3, scale=scale)
                ramp.append(np.arange(1000, dtype=np.int16))
            if channels:
                slow = w.channel("S7/Ngas_P", dtype=np.float64, unit="V", irregular=True)
                slow.append([2.0, 2.0, 2.0], time_s=[0.0, 0.4, 1.0])

    def run(self, template: str, number: int = 1, **kw: object) -> Done:
        """Run a template on a shot, in this process."""
        job = Job(
            root=str(self.workspace.root),
            subject=Subject.shot(number),
            template=template,
            **kw,  # type: ignore[arg-type]
        )
        return execute(job)

    def run_to_its_limit(self, template: str, said: str, **kw: object) -> tuple[Done, float]:
        """Run a template that never ends; return also its time limit, s.

        The limit holds from before the kernel starts: it is longer where a machine was too slow
        for the template to say something.
        """
        for limit_s in (2.0, 10.0, 50.0, 250.0):
            done = self.run(template, timeout_s=limit_s, **kw)
            if said in printed(self.notebook(done)):
                return done, limit_s
        raise AssertionError(f"{template} never said {said!r}")

    def notebook(self, done: Done) -> nbformat.NotebookNode:
        """Read the executed notebook of a report."""
        return nbformat.read(self.workspace.reports / done.folder / "report.ipynb", as_version=4)


@pytest.fixture(scope="session")
def kernel_server() -> Iterator[None]:
    """Let all tests of a process take their kernels from one server: it imports everything once.

    `test_pool` has pools that own theirs, as those of the command line do.
    """
    if not owner.available():
        yield
        return
    with WarmServer(spare=2) as server:
        server.start()
        with kernels_from(server.address):
            yield


@pytest.fixture(scope="module", autouse=True)
def kernels_where_reports_run(request: pytest.FixtureRequest) -> None:
    """Start the kernel server with the first module that runs reports."""
    if request.node.get_closest_marker("whole"):
        request.getfixturevalue("kernel_server")


@pytest.fixture
def factory(tmp_path: Path) -> Factory:
    """Give a workspace with two signals, two devices and shot 1."""
    root = tmp_path / "ws"
    (root / "templates_nb").mkdir(parents=True)
    for folder in ("wiring", "devices", "machine"):
        (root / "calibrations" / folder).mkdir(parents=True)
    workspace = make_workspace(root, facility="Test")
    (workspace.calibrations / "signals.toml").write_text(SIGNALS)
    (workspace.calibrations / "wiring" / "all.toml").write_text(WIRING)
    made = Factory(workspace)
    made.calibrate("langmuir_1", "A", -0.5)
    made.calibrate("gauge_1", "Pa", 0.1)
    made.shot(1)
    return made


@pytest.fixture
def coordinator(factory: Factory) -> Iterator[Coordinator]:
    """Give the coordinator of the workspace, its shots noted."""
    with Coordinator(factory.workspace) as found:
        found.sync_shots()
        yield found


@pytest.fixture
def call(
    factory: Factory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """Give a function that runs a command in the workspace: exit code, output, errors."""
    monkeypatch.chdir(factory.workspace.root)
    return caller(capsys)
