"""The papermill engine: one notebook, one kernel of its own, with limits on what it may take.

Papermill's own engine saves after every cell, limits only single cells and leaves a report that
ran into a limit without a word in the notebook. Here the limit is one more error output in the
cell that was running, and everything before it is kept.

Papermill loads this module through its entry point when papermill itself is imported; importing it
before papermill would be a circle, so nothing here does.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import time
from collections.abc import Callable
from queue import Empty
from typing import Any

from nbclient.exceptions import (
    CellControlSignal,
    CellExecutionComplete,
    CellExecutionError,
    CellTimeoutError,
    DeadKernelError,
)
from nbclient.util import run_sync
from nbformat.v4 import new_output
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine

from runner.execution.outcome import (
    DEAD_KERNEL,
    MEMORY_LIMIT,
    OUTPUT_LIMIT,
    TIME_LIMIT,
    UNREADABLE,
    is_injected,
)
from runner.kernel.kernels import ColdKernelManager, PrivateKernelManager, WarmKernelManager
from runner.kernel.memory import memory_above
from runner.kernel.messages import make_valid, unreadable_output
from runner.kernel.warm.lease import WarmKernelError
from runner.kernel.warm.owner import available
from runner.kernel.warm.processes import kill_tree

logger = logging.getLogger(__name__)

LOOK_S = 0.05  # time between two looks at a kernel that works
_LATE = {"stream", "display_data", "update_display_data", "error"}  # what no cell has to wait for
LAST_WORDS_S = 0.1  # for what a kernel put out just before its end


class LimitedClient(PapermillNotebookClient):  # type: ignore[misc]
    """Runs the cells; ends the report where it goes over a limit."""

    kc: Any
    km: Any

    def __init__(
        self,
        nb_man: Any,
        *,
        warm: bool,
        timeout_s: float,
        output_bytes: int,
        memory_bytes: float,
        folder: str,
        cell_begins: Callable[[int, int], object] | None = None,
        cell_ends: Callable[[Any], object] | None = None,
        **kw: Any,
    ) -> None:
        super().__init__(
            nb_man,
            kernel_manager_class=WarmKernelManager if warm else ColdKernelManager,
            shutdown_kernel="immediate",
            resources={"metadata": {"path": folder}},
            iopub_timeout=30,
            timeout_func=self._remaining,
            **kw,
        )
        self._cell_begins = cell_begins or (lambda number, of: None)
        self._cell_ends = cell_ends or (lambda cell: None)
        self._asked: dict[str, tuple[Any, int]] = {}  # cells that ran, by the message that asked
        self._running = (0, 0)  # number of the cell, and how many there are
        self._warm = warm
        self._limit_s = timeout_s
        self._end = time.monotonic() + timeout_s
        self._output_limit = output_bytes
        self._output_bytes = 0
        self._memory_limit = memory_bytes
        self._ended_by: tuple[str, str] | None = None
        self._stopped = False
        self._manager: PrivateKernelManager | None = None

    def _remaining(self, cell: Any = None) -> int:
        # nbclient takes whole seconds, and 0 for no limit at all.
        return max(1, round(self._end - time.monotonic()))

    def execute(self, **kwargs: Any) -> Any:
        """Run the notebook in a fresh kernel; nothing that it has started survives."""
        self.reset_execution_trackers()
        try:
            self._run(**kwargs)
        except WarmKernelError as error:
            if self._manager is None or not self._warm or self._manager.has_kernel:
                raise
            logger.warning("%s", error)
            self._warm = False
            self.km, self.kernel_manager_class = None, ColdKernelManager
            self._run(**kwargs)
        finally:
            if self._manager is not None:
                self._manager.remove_folder()
        return self.nb

    def _run(self, *, env: dict[str, str], **kwargs: Any) -> None:
        self.km = self.create_kernel_manager()
        assert self._manager is not None
        with self.setup_kernel(env=self._manager.environment(env), cleanup_kc=False, **kwargs):
            try:
                self.papermill_execute_cells()
            finally:
                self._kill()
                self._release()

    async def _async_release(self) -> None:
        """Give the kernel up; it was killed already.

        A leased one that did its work ends while the report is rendered: the server sees to it.
        """
        if (not self._warm or self._stopped) and await self.km.is_alive():
            await self.km.shutdown_kernel(now=True)
        await self.km.cleanup_resources()
        if self.kc is not None:
            self.kc.stop_channels()
        self.kc = self.km = None

    _release = run_sync(_async_release)

    def create_kernel_manager(self) -> Any:
        """Make the kernel's manager; nbclient forgets it in the end, its folder must not stay."""
        manager = super().create_kernel_manager()
        self._manager = manager
        return manager

    async def async_start_new_kernel_client(self, **kwargs: Any) -> Any:
        """Connect to the kernel and wait until it answers.

        jupyter_client then waits until nothing more comes, 0.2 s at least; that is not needed, as
        each output says which cell it belongs to.
        """
        assert self._manager is not None
        try:
            self.kc = self._manager.client()
            self.kc.start_channels(stdin=False, hb=False, control=False)
            self.kc.allow_stdin = False
            await self._answered(time.monotonic() + self.startup_timeout)
        except BaseException:
            await self._async_release()
            raise
        return self.kc

    start_new_kernel_client = run_sync(async_start_new_kernel_client)

    async def _answered(self, deadline: float) -> None:
        """Wait for the kernel's answer on both channels: an output before would be lost."""
        asked: set[str] = set()  # a slow kernel answers what was asked before, too
        while time.monotonic() < deadline:
            asked.add(self.kc.kernel_info())
            try:
                reply = await self.kc.shell_channel.get_msg(timeout=5.0)
                await self.kc.iopub_channel.get_msg(timeout=0.2)
            except Empty:
                if not await self.kc.is_alive():
                    raise DeadKernelError("the kernel died before its first cell") from None
                continue
            if reply["parent_header"].get("msg_id") in asked:
                self.nb.metadata["language_info"] = reply["content"]["language_info"]
                return
        raise RuntimeError(f"the kernel did not answer within {self.startup_timeout} s")

    def _kill(self) -> None:
        if pid := self._pid():
            kill_tree(pid)

    def _pid(self) -> int:
        """Return the kernel's process; 0 when there is none."""
        provisioner = self._manager.provisioner if self._manager else None
        return int(getattr(provisioner, "pid", None) or 0)

    async def _async_poll_kernel_alive(self) -> None:
        """Watch the kernel while a cell runs: whether it lives, and what memory it takes."""
        told = False
        # without a client the report was given up
        while self.kc is not None and await self.kc.is_alive():
            if self._ended_by is None and (taken := memory_above(self._pid(), self._memory_limit)):
                self._ended_by = (
                    MEMORY_LIMIT,
                    f"the report took {taken / 1e6:.0f} MB, over {self._memory_limit / 1e6:g} MB",
                )
                self._kill()
            await asyncio.sleep(LOOK_S)
            if not told:
                told = True
                self._cell_begins(*self._running)
        await asyncio.sleep(LAST_WORDS_S)
        assert self.task_poll_for_reply is not None
        self.task_poll_for_reply.cancel()

    def papermill_execute_cells(self) -> None:
        """Run the cells until one fails or the report goes over a limit."""
        code = [index for index, cell in enumerate(self.nb.cells) if cell.cell_type == "code"]
        written = sum(not is_injected(self.nb.cells[index]) for index in code)
        number = 0
        for index in code:
            cell = self.nb.cells[index]
            # Nobody wrote the cell with the parameters: neither we nor IPython count it, so that a
            # cell has the number here and in tracebacks that its author sees.
            counts = not is_injected(cell)
            number += counts
            self._running = (number, written)
            self.nb_man.cell_start(cell, index)
            try:
                self.execute_cell(cell, index, store_history=counts)
                if not counts:
                    self.nb.cells[index].execution_count = None
            except CellExecutionError as error:
                self.nb_man.cell_exception(self.nb.cells[index], cell_index=index, exception=error)
                return
            except CellTimeoutError:
                self._end_with(index, TIME_LIMIT, f"the report took over {self._limit_s:g} s")
                return
            except DeadKernelError:
                self._end_with(index, *(self._ended_by or (DEAD_KERNEL, self._how_it_died())))
                return
            except Exception as error:
                # A cell can reach the sockets of its kernel; whatever comes out of them ends no
                # more than its own report.
                logger.exception("what the kernel sent cannot be read")
                why = f"{type(error).__name__}: {error}"[:300]
                self._end_with(index, UNREADABLE, f"what the kernel sent cannot be read ({why})")
                return
            finally:
                self.nb_man.cell_complete(self.nb.cells[index], cell_index=index)
            self._cell_ends(self.nb.cells[index])

    def _how_it_died(self) -> str:
        provisioner = self._manager.provisioner if self._manager else None
        code = run_sync(provisioner.poll)() if provisioner else None
        how = f"exit code {code}" if code is None or code >= 0 else f"signal {-code}"
        return f"the kernel died while it ran this cell ({how})"

    def _end_with(self, index: int, name: str, text: str) -> None:
        self._stopped = True
        self._kill()
        cell = self.nb.cells[index]
        if cell.cell_type == "code":
            if name == OUTPUT_LIMIT:
                cell.outputs = [_shortened(output) for output in cell.outputs]
            cell.outputs.append(
                new_output("error", ename=name, evalue=text, traceback=[f"{name}: {text}"])
            )
        self.nb_man.cell_exception(cell, cell_index=index)

    async def _async_poll_output_msg(self, parent_msg_id: str, cell: Any, cell_index: int) -> None:
        """Take what the kernel puts out until the cell is done; that of earlier cells is theirs.

        A thread or a task goes on when its cell has ended: nbclient drops what it prints then.
        """
        self._asked[parent_msg_id] = (cell, cell_index)
        while True:
            msg = await self.kc.iopub_channel.get_msg(timeout=None)
            parent = msg["parent_header"].get("msg_id")
            try:
                if parent == parent_msg_id:
                    self.process_message(msg, cell, cell_index)
                elif parent in self._asked and msg["msg_type"] in _LATE:
                    self.process_message(msg, *self._asked[parent])
            except CellExecutionComplete:
                return

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        """Count what is put out and hand it on; over the limit, end the kernel and take no more."""
        if self._output_bytes > self._output_limit:
            return None
        try:
            make_valid(msg)
            self._output_bytes += _size(msg["content"])
            if self._output_bytes > self._output_limit:
                size = self._output_limit / 1e6
                self._ended_by = (OUTPUT_LIMIT, f"the report put out over {size:g} MB")
                self._kill()  # nbclient then finds the kernel dead, and the cell ends
                return None
            return super().process_message(msg, cell, cell_index)
        except CellControlSignal:
            raise
        except Exception as error:
            logger.warning("an output is left out: %r", error)
            cell.outputs.append(unreadable_output(error))
            return None


def _size(value: Any) -> int:
    """Return about how much of a notebook something will take: the length of all its texts."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, dict):
        return sum(len(str(k)) + _size(v) for k, v in value.items())
    if isinstance(value, list | tuple):
        return sum(map(_size, value))
    return 8


def _shortened(output: Any, most: int = 20_000) -> Any:
    """Keep the beginning of a text that went over the limit."""
    if output.output_type == "stream" and len(output.text) > most:
        output.text = output.text[:most] + f"\n… {len(output.text) - most} more characters\n"
    return output


class IshtarEngine(NBClientEngine):  # type: ignore[misc]
    """``papermill --engine ishtar``: limits, and no kernel or process left behind."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        log_output: bool = False,
        stdout_file: Any = None,
        stderr_file: Any = None,
        start_timeout: int = 60,
        execution_timeout: float | None = None,
        *,
        kernels: str = "warm",
        output_mb: float = 50.0,
        memory_mb: float = 0.0,
        folder: str = ".",
        kernel_env: dict[str, str] | None = None,
        cell_begins: Callable[[int, int], object] | None = None,
        cell_ends: Callable[[Any], object] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Run the notebook that papermill manages.

        Parameters
        ----------
        execution_timeout : float, s
            Time limit of the whole notebook, not of a cell.
        kernels : {"warm", "cold"}
            Whether the kernel is forked from a server or started; where forking is not possible
            it is started.
        output_mb : float
            What it may print and show in all.
        memory_mb : float
            What it may take, with all processes that it starts; 0 means no limit.
        folder : str
            Working folder of the kernel; the process of papermill stays where it is.
        kernel_env : dict
            Environment of the kernel, over that of this process.
        cell_begins : callable
            Gets the number of a code cell, from 1, and how many there are, when it has run for a
            moment; one that is done at once is nothing to tell of.
        cell_ends : callable
            Gets each cell that ended well.
        """
        client = LimitedClient(
            nb_man,
            warm=kernels == "warm" and available(),
            timeout_s=execution_timeout or 300.0,
            output_bytes=int(output_mb * 1e6),
            memory_bytes=memory_mb * 1e6,
            folder=folder,
            cell_begins=cell_begins,
            cell_ends=cell_ends,
            kernel_name=kernel_name,
            startup_timeout=start_timeout,
        )
        # Until ipykernel takes both over, they are nobody's output.
        return client.execute(
            env={**os.environ, **(kernel_env or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
