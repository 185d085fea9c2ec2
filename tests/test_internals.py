"""What we rely on of others' internals is there and behaves so: a test for each row of them."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import platform
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat.v4
import numpy as np
import pytest

from tests.source_files import MODULES, parsed

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "internals.md"
DOCUMENTED = {"_exit", "_fields"}  # os, ast: private by their names only
Check = Callable[[pytest.MonkeyPatch, Path], bool]


def rows() -> list[list[str]]:
    """Return the cells of the table: of, what, in, why, saves, versions."""
    lines = [x for x in PAGE.read_text("utf-8").splitlines() if x.startswith("| ")]
    return [
        [cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in lines[1:]
    ]


# --- matplotlib --------------------------------------------------------------------------------


def drawn() -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    figure.add_subplot(xlabel="time $t$ [s]").plot([0, 1], [1, 2])
    FigureCanvasAgg(figure).draw()
    return figure


def ticks_are_found_by_the_class(patch: pytest.MonkeyPatch, _: Path) -> bool:
    from matplotlib.axis import Axis, Tick

    found: list[Any] = []
    look = Axis._update_ticks
    patch.setattr(Axis, "_update_ticks", lambda axis: found.append(look(axis)) or found[-1])
    drawn()
    return len(found) > 4 and all(isinstance(t, Tick) for ticks in found for t in ticks)


def a_layout_depends_on_the_words_and_not_on_the_place(patch: pytest.MonkeyPatch, _: Path) -> bool:
    from matplotlib.text import Text

    measured: list[Any] = []
    measure = Text._get_layout

    def counted(text: Any, renderer: Any) -> Any:
        measured.append(text)
        return measure(text, renderer)

    patch.setattr(Text, "_get_layout", counted)
    figure = drawn()
    text = figure.text(0.1, 0.1, "two\nlines")
    before = repr(text._get_layout(figure.canvas.get_renderer()))
    text.set_position((0.7, 0.7))
    after = repr(text._get_layout(figure.canvas.get_renderer()))
    return len(measured) > 10 and before == after


def is_emptied(cache: Any) -> bool:
    drawn()
    held = cache.cache_info().currsize
    cache.cache_clear()
    return bool(held) and not cache.cache_info().currsize


def fonts_are_in_a_cache(_: pytest.MonkeyPatch, __: Path) -> bool:
    from matplotlib import font_manager

    return is_emptied(font_manager._get_font)


def formulas_are_in_a_cache(_: pytest.MonkeyPatch, __: Path) -> bool:
    from matplotlib.mathtext import MathTextParser

    return is_emptied(MathTextParser._parse_cached)


# --- nbclient, papermill -----------------------------------------------------------------------


def a_client_is_started_by_its_method(_: pytest.MonkeyPatch, __: Path) -> bool:
    from nbclient import NotebookClient

    class Client(NotebookClient):
        started = 0

        def start_new_kernel_client(self) -> None:
            self.started += 1

    manager = SimpleNamespace(has_kernel=True)
    client = Client(nbformat.v4.new_notebook(), km=manager)
    with client.setup_kernel(cleanup_kc=False):
        pass
    return client.started == 1 and hasattr(NotebookClient, "async_start_new_kernel_client")


def a_cell_is_watched_by_two_methods(_: pytest.MonkeyPatch, __: Path) -> bool:
    from nbclient import NotebookClient
    from nbclient.exceptions import DeadKernelError

    asked: list[Any] = []

    class Client(NotebookClient):
        async def _async_poll_output_msg(self, *given: Any) -> None:
            asked.extend(given)

        async def _async_poll_kernel_alive(self) -> None:
            self.task_poll_for_reply.cancel()

    async def never(**_: Any) -> None:
        await asyncio.Event().wait()

    cell = nbformat.v4.new_code_cell("1")
    client = Client(nbformat.v4.new_notebook(cells=[cell]), km=SimpleNamespace())
    client.kc = SimpleNamespace(
        execute=lambda *_, **__: "the question", shell_channel=SimpleNamespace(get_msg=never)
    )
    with pytest.raises(DeadKernelError):
        asyncio.run(asyncio.wait_for(client.async_execute_cell(cell, 0), 60.0))
    return asked == ["the question", cell, 0]


def papermills_client_takes_what_manages_the_notebook(_: pytest.MonkeyPatch, __: Path) -> bool:
    from nbclient import NotebookClient
    from papermill.clientwrap import PapermillNotebookClient

    notebook = nbformat.v4.new_notebook()
    manager = SimpleNamespace(nb=notebook)
    client = PapermillNotebookClient(manager, iopub_timeout=7)
    return (
        isinstance(client, NotebookClient)
        and client.nb is notebook
        and client.nb_man is manager
        and client.iopub_timeout == 7
    )


def papermills_engines_run_a_notebook_in_memory(_: pytest.MonkeyPatch, __: Path) -> bool:
    from papermill.engines import Engine, PapermillEngines, papermill_engines

    told: dict[str, Any] = {}

    class Probe(Engine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **given: Any) -> None:
            told.update(given, kernel=kernel_name)
            for index, cell in enumerate(nb_man.nb.cells):
                nb_man.cell_start(cell, index)
                nb_man.cell_complete(cell, cell_index=index)

    engines = PapermillEngines()
    engines.register("probe", Probe)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    notebook.metadata["papermill"] = {}
    executed = engines.execute_notebook_with_engine(
        "probe", notebook, "python3", progress_bar=False, autosave_cell_every=0, folder="here"
    )
    return (
        isinstance(papermill_engines, PapermillEngines)
        and (told["folder"], told["kernel"]) == ("here", "python3")
        and executed.cells[0].metadata.papermill.duration is not None
    )


# --- jupyter_client, ipykernel -----------------------------------------------------------------


def manager(folder: Path) -> Any:
    """Return a started manager of a kernel that is none."""
    import zmq.asyncio
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    class Provisioner:
        has_process = True

        async def pre_launch(self, **given: Any) -> dict[str, Any]:
            return {**given, "cmd": []}

        async def launch_kernel(self, cmd: list[str], **_: Any) -> dict[str, Any]:
            ports = {f"{n}_port": i for i, n in enumerate(PORTS, 1)}
            named = {"ip": str(folder / "s"), "key": b"secret", "signature_scheme": "hmac-sha256"}
            return {"transport": "ipc", **named, **ports}

        async def post_launch(self, **_: Any) -> None:
            pass

        async def cleanup(self, restart: bool = False) -> None:
            pass

    class Manager(AsyncKernelManager):
        written = 0

        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(argv=["this", "python"])

        def write_connection_file(self, **_: Any) -> None:
            self.written += 1

    async def started() -> Any:
        with zmq.asyncio.Context() as context:
            found = Manager(context=context, connection_file=str(folder / "kernel.json"))
            found.provisioner = Provisioner()
            await found.start_kernel()
            await found.cleanup_resources()
        return found

    return asyncio.run(started())


PORTS = ("shell", "iopub", "stdin", "hb", "control")


def a_kernel_is_started_by_the_managers_own_words(_: pytest.MonkeyPatch, folder: Path) -> bool:
    return bool(manager(folder).format_kernel_cmd() == ["this", "python"])


def a_connection_is_written_by_one_method(_: pytest.MonkeyPatch, folder: Path) -> bool:
    return manager(folder).written == 1 and not (folder / "kernel.json").exists()


def a_stream_reads_its_pipe_in_a_thread_of_its_own(patch: pytest.MonkeyPatch, folder: Path) -> bool:
    import zmq
    from ipykernel.iostream import IOPubThread, OutStream
    from jupyter_client.session import Session

    began = threading.Event()
    read: list[bytes] = []

    class Stream(OutStream):
        def _watch_pipe_fd(self) -> None:
            began.set()
            read.append(os.read(self._fid, 100))

    context = zmq.Context()
    socket = context.socket(zmq.PUB)
    thread = IOPubThread(socket)
    with (folder / "terminal").open("w+") as terminal:
        patch.setattr(sys, "contract", terminal, raising=False)
        stream = Stream(Session(key=b"1"), thread, "contract", watchfd="force")
        os.write(terminal.fileno(), b"printed")
        kept = (
            began.wait(60.0)
            and stream._should_watch is True
            and stream._exc is None
            and stream._is_master_process()
            and os.write(stream._original_stdstream_copy, b"seen") == 4
        )
        stream.watch_fd_thread.join(60.0)
        stream.close()
        os.close(stream._fid)
        kept = kept and stream._should_watch is False
    thread.close()
    context.destroy(linger=0)
    return bool(kept) and read == [b"printed"] and (folder / "terminal").read_text()[:4] == "seen"


# --- others ------------------------------------------------------------------------------------


def a_renderer_is_asked_for_each_kind_of_text(_: pytest.MonkeyPatch, __: Path) -> bool:
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    asked: dict[str, tuple[Any, ...]] = {}

    class Renderer(IPythonRenderer):
        def __init__(self) -> None:
            super().__init__(escape=False, exclude_anchor_links=True)

        def iter_tokens(self, tokens: Any, state: Any) -> Any:
            tokens = list(tokens)
            asked.setdefault("iter_tokens", tuple(t["type"] for t in tokens))
            return super().iter_tokens(tokens, state)

    def noting(name: str) -> Callable[..., str]:
        return lambda self, *given, **more: asked.setdefault(name, (*given, more)) and ""

    kinds = ("inline_math", "block_math", "latex_environment", "block_code", "image")
    for name in kinds:
        setattr(Renderer, name, noting(name))
    text = "a $b$ {cite}`k` ![p](q)\n\n$$c$$\n\n\\begin{align}d\\end{align}\n\n```python\ne\n```\n"
    MarkdownWithMath(renderer=Renderer()).render(text)
    return (
        asked.keys() == {*kinds, "iter_tokens"}
        and asked["inline_math"][0] == "b"
        and asked["latex_environment"] == ({"name": "align", "body": "d"},)
        and asked["block_code"] == ("e\n", {"info": "python"})
        and asked["image"] == ("p", {"url": "q"})
    )


def sensors_are_scaled_from_their_properties(_: pytest.MonkeyPatch, __: Path) -> bool:
    from nptdms import scaling

    p = "NI_Scale[0]_Thermocouple"
    given = {f"{p}_Thermocouple_Type": 10073, f"{p}_Scaling_Direction": 0, f"{p}_Input_Source": 0}
    volts = np.array([0.0, 4096.0])  # type K, µV: 0 and 100 °C
    kelvin = scaling.ThermocoupleScaling.from_properties(given, 0).scale(volts)
    named = all(
        callable(getattr(getattr(scaling, f"{kind}Scaling"), "from_properties", None))
        for kind in ("Strain", "Thermistor")
    )
    return named and bool(np.allclose(kelvin, [0.0, 100.0], atol=0.1))


def scrapbook_decodes_what_it_glued(_: pytest.MonkeyPatch, __: Path) -> bool:
    from scrapbook.encoders import registry
    from scrapbook.scraps import payload_to_scrap

    payload = {"name": "n", "data": json.dumps([1, 2]), "encoder": "json", "version": 1}
    return bool(registry.decode(payload_to_scrap(payload)).data == [1, 2])


def what_is_registered_runs_when_asked_for(_: pytest.MonkeyPatch, __: Path) -> bool:
    code = (
        "import atexit, os; atexit.register(os.write, 1, b'ran'); "
        "atexit._run_exitfuncs(); os.write(1, b' then'); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return done.stdout == b"ran then"


def sockets_lie_where_the_process_says(patch: pytest.MonkeyPatch, folder: Path) -> bool:
    import multiprocessing
    from multiprocessing import util

    config: Any = multiprocessing.current_process()._config  # type: ignore[attr-defined]
    patch.setitem(config, "tempdir", str(folder))
    return util.get_temp_dir() == str(folder)


def a_pool_knows_its_workers(_: pytest.MonkeyPatch, __: Path) -> bool:
    with ProcessPoolExecutor(1) as pool:
        return pool._broken is False and isinstance(pool._processes, dict)


CHECKS: dict[str, Check] = {
    "Axis._update_ticks": ticks_are_found_by_the_class,
    "Text._get_layout": a_layout_depends_on_the_words_and_not_on_the_place,
    "font_manager._get_font": fonts_are_in_a_cache,
    "MathTextParser._parse_cached": formulas_are_in_a_cache,
    "async_start_new_kernel_client": a_client_is_started_by_its_method,
    "_async_poll_kernel_alive": a_cell_is_watched_by_two_methods,
    "task_poll_for_reply": a_cell_is_watched_by_two_methods,
    "_async_poll_output_msg": a_cell_is_watched_by_two_methods,
    "PapermillNotebookClient": papermills_client_takes_what_manages_the_notebook,
    "papermill_engines": papermills_engines_run_a_notebook_in_memory,
    "kernel_spec": a_kernel_is_started_by_the_managers_own_words,
    "write_connection_file": a_connection_is_written_by_one_method,
    "OutStream._watch_pipe_fd": a_stream_reads_its_pipe_in_a_thread_of_its_own,
    "OutStream._fid": a_stream_reads_its_pipe_in_a_thread_of_its_own,
    "OutStream._should_watch": a_stream_reads_its_pipe_in_a_thread_of_its_own,
    "OutStream._original_stdstream_copy": a_stream_reads_its_pipe_in_a_thread_of_its_own,
    "OutStream._exc": a_stream_reads_its_pipe_in_a_thread_of_its_own,
    "OutStream._is_master_process": a_stream_reads_its_pipe_in_a_thread_of_its_own,
    "IPythonRenderer": a_renderer_is_asked_for_each_kind_of_text,
    "nptdms.scaling": sensors_are_scaled_from_their_properties,
    "scrapbook.encoders.registry": scrapbook_decodes_what_it_glued,
    "atexit._run_exitfuncs": what_is_registered_runs_when_asked_for,
    "multiprocessing.current_process()._config": sockets_lie_where_the_process_says,
    "ProcessPoolExecutor._broken": a_pool_knows_its_workers,
    "ProcessPoolExecutor._processes": a_pool_knows_its_workers,
}


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]} {row[1]}")
def test_what_we_rely_on_is_there_and_behaves_so(row, monkeypatch, tmp_path):
    package, what, file, *_ = row
    found = platform.python_version() if package == "Python" else version(package)
    broken = f"{package} {found}: `{what}` is not what {file} relies on (docs/internals.md)"
    try:
        kept, why = CHECKS[what](monkeypatch, tmp_path), ""
    except Exception as error:
        kept, why = False, f": {error!r}"
    if not kept:
        pytest.fail(broken + why, pytrace=False)


def test_the_table_and_its_tests_name_the_same():
    assert [row[1] for row in rows()] == list(CHECKS)


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]} {row[1]}")
def test_the_file_that_is_named_relies_on_it(row):
    assert re.split(r"\W", row[1])[-1] in (ROOT / row[2]).read_text("utf-8")


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]} {row[1]}")
def test_the_versions_are_those_that_are_installed(row):
    package, allowed = row[0], row[5]
    if allowed.startswith(">="):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        assert f"{package.replace('_', '-')}{allowed}" in [
            line.replace("_", "-") for line in project["dependencies"]
        ]
    else:
        assert (package, allowed) == ("Python", "—")


@pytest.mark.whole
def test_no_private_attribute_of_others_is_relied_on_but_those_in_the_table():
    trees = {path.relative_to(ROOT): parsed(path) for path in MODULES.values()}
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    ours = {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
    ours |= {n.arg for n in nodes if isinstance(n, ast.arg | ast.keyword) and n.arg}
    ours |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    ours |= {
        n.attr
        for n in nodes
        if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store) and is_self(n.value)
    }
    listed = {re.split(r"\W", row[1])[-1] for row in rows()} | DOCUMENTED
    found = {
        f"{path}:{node.lineno} {node.attr}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and re.match(r"_[^_]", node.attr)
        and node.attr not in ours | listed
    }
    assert not found, "private attributes of others that docs/internals.md does not list"


def is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"
