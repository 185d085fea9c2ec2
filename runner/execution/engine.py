"""The papermill engine: run one notebook in a kernel of its own, within limits.

Papermill's own engine saves after every cell and limits only single cells, and a notebook that hit
a limit does not say so. Here a limit becomes one more error output in the cell that was running,
and everything before it is kept.

Papermill loads this module through its entry point while papermill itself is imported. Importing
this module before papermill would be circular, so no other module does.
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

POLL_S = 0.05  # between two checks of a running kernel
_LATE = {
    "stream",
    "display_data",
    "update_display_data",
    "error",
}  # accepted after a cell has ended
DRAIN_S = 0.1  # to receive the last outputs of a dead kernel


class LimitedClient(PapermillNotebookClient):  # type: ignore[misc]
    """Run the cells of a notebook; end the report if it exceeds a limit."""

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
        self._requests: dict[
            str, tuple[Any, int]
        ] = {}  # cells that ran, by message id of the request
        self._running = (0, 0)  # number of the running cell, and number of cells
        self._warm = warm
        self._limit_s = timeout_s
        self._end = time.monotonic() + timeout_s
        self._output_limit = output_bytes
        self._output_bytes = 0
        self._memory_limit = memory_bytes
        self._ended_by: tuple[str, str] | None = None
        self._killed_early = False
        self._manager: PrivateKernelManager | None = None

    def _remaining(self, cell: Any = None) -> int:
        # nbclient expects whole seconds, and takes 0 for no limit.
        return max(1, round(self._end - time.monotonic()))

    def execute(self, **kwargs: Any) -> Any:
        """Run the notebook in a fresh kernel; none of the processes it starts survives."""
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
        """Release the kernel, which was already killed.

        The server reaps a leased kernel that ran all cells, while the report is already rendered.
        """
        if (not self._warm or self._killed_early) and await self.km.is_alive():
            await self.km.shutdown_kernel(now=True)
        await self.km.cleanup_resources()
        if self.kc is not None:
            self.kc.stop_channels()
        self.kc = self.km = None

    _release = run_sync(_async_release)

    def create_kernel_manager(self) -> Any:
        """Make the kernel's manager and keep it: nbclient drops it before its folder is removed."""
        manager = super().create_kernel_manager()
        self._manager = manager
        return manager

    async def async_start_new_kernel_client(self, **kwargs: Any) -> Any:
        """Connect to the kernel and wait until it answers.

        jupyter_client would then wait until no more messages arrive, at least 0.2 s. This is
        unnecessary, as each output names the cell it belongs to.
        """
        assert self._manager is not None
        try:
            self.kc = self._manager.client()
            self.kc.start_channels(stdin=False, hb=False, control=False)
            self.kc.allow_stdin = False
            await self._wait_for_answer(time.monotonic() + self.startup_timeout)
        except BaseException:
            await self._async_release()
            raise
        return self.kc

    start_new_kernel_client = run_sync(async_start_new_kernel_client)

    async def _wait_for_answer(self, deadline: float) -> None:
        """Wait for the kernel's answer on both channels: earlier output would be lost."""
        requests: set[str] = set()  # a slow kernel may answer an earlier request
        while time.monotonic() < deadline:
            requests.add(self.kc.kernel_info())
            try:
                reply = await self.kc.shell_channel.get_msg(timeout=5.0)
                await self.kc.iopub_channel.get_msg(timeout=0.2)
            except Empty:
                if not await self.kc.is_alive():
                    raise DeadKernelError("the kernel died before its first cell") from None
                continue
            if reply["parent_header"].get("msg_id") in requests:
                self.nb.metadata["language_info"] = reply["content"]["language_info"]
                return
        raise RuntimeError(f"the kernel did not answer within {self.startup_timeout} s")

    def _kill(self) -> None:
        if pid := self._pid():
            kill_tree(pid)

    def _pid(self) -> int:
        """Return the kernel's process id; 0 if there is none."""
        provisioner = self._manager.provisioner if self._manager else None
        return int(getattr(provisioner, "pid", None) or 0)

    async def _async_poll_kernel_alive(self) -> None:
        """Watch the kernel while a cell runs: that it is alive, and how much memory it uses."""
        notified = False
        # without a client the report was abandoned
        while self.kc is not None and await self.kc.is_alive():
            if self._ended_by is None and (used := memory_above(self._pid(), self._memory_limit)):
                self._ended_by = (
                    MEMORY_LIMIT,
                    f"the report took {used / 1e6:.0f} MB, over {self._memory_limit / 1e6:g} MB",
                )
                self._kill()
            await asyncio.sleep(POLL_S)
            if not notified:
                notified = True
                self._cell_begins(*self._running)
        await asyncio.sleep(DRAIN_S)
        assert self.task_poll_for_reply is not None
        self.task_poll_for_reply.cancel()

    def papermill_execute_cells(self) -> None:
        """Run the cells until one fails or the report exceeds a limit."""
        code = [index for index, cell in enumerate(self.nb.cells) if cell.cell_type == "code"]
        written = sum(not is_injected(self.nb.cells[index]) for index in code)
        number = 0
        for index in code:
            cell = self.nb.cells[index]
            # The injected cell with the parameters is counted neither here nor by IPython, so that
            # cells have the same numbers here, in tracebacks and for their author.
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
                self._end_with_error(index, TIME_LIMIT, f"the report took over {self._limit_s:g} s")
                return
            except DeadKernelError:
                self._end_with_error(
                    index, *(self._ended_by or (DEAD_KERNEL, self._death_reason()))
                )
                return
            except Exception as error:
                # A cell can write to the sockets of its kernel; invalid messages must end only its
                # own report.
                logger.exception("unreadable message from the kernel: the report ends as failed")
                why = f"{type(error).__name__}: {error}"[:300]
                self._end_with_error(
                    index, UNREADABLE, f"what the kernel sent cannot be read ({why})"
                )
                return
            finally:
                self.nb_man.cell_complete(self.nb.cells[index], cell_index=index)
            self._cell_ends(self.nb.cells[index])

    def _death_reason(self) -> str:
        provisioner = self._manager.provisioner if self._manager else None
        code = run_sync(provisioner.poll)() if provisioner else None
        how = f"exit code {code}" if code is None or code >= 0 else f"signal {-code}"
        return f"the kernel died while it ran this cell ({how})"

    def _end_with_error(self, index: int, name: str, text: str) -> None:
        self._killed_early = True
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
        """Collect outputs until the cell is done; assign those of earlier cells to their cells.

        A thread or task may continue after its cell has ended: nbclient drops what it then prints.
        """
        self._requests[parent_msg_id] = (cell, cell_index)
        while True:
            msg = await self.kc.iopub_channel.get_msg(timeout=None)
            parent = msg["parent_header"].get("msg_id")
            try:
                if parent == parent_msg_id:
                    self.process_message(msg, cell, cell_index)
                elif parent in self._requests and msg["msg_type"] in _LATE:
                    self.process_message(msg, *self._requests[parent])
            except CellExecutionComplete:
                return

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        """Count and store the outputs; above the limit, kill the kernel and ignore the rest."""
        if self._output_bytes > self._output_limit:
            return None
        try:
            make_valid(msg)
            self._output_bytes += _size(msg["content"])
            if self._output_bytes > self._output_limit:
                size = self._output_limit / 1e6
                self._ended_by = (OUTPUT_LIMIT, f"the report put out over {size:g} MB")
                self._kill()  # nbclient then finds the kernel dead and ends the cell
                return None
            return super().process_message(msg, cell, cell_index)
        except CellControlSignal:
            raise
        except Exception as error:
            logger.warning("an output is left out: %r", error)
            cell.outputs.append(unreadable_output(error))
            return None


def _size(value: Any) -> int:
    """Return about how many characters a value adds to a notebook: the length of its texts."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, dict):
        return sum(len(str(k)) + _size(v) for k, v in value.items())
    if isinstance(value, list | tuple):
        return sum(map(_size, value))
    return 8


def _shortened(output: Any, max_length: int = 20_000) -> Any:
    """Return an output with only the beginning of its text, if it is long."""
    if output.output_type == "stream" and len(output.text) > max_length:
        output.text = (
            output.text[:max_length] + f"\n… {len(output.text) - max_length} more characters\n"
        )
    return output


class IshtarEngine(NBClientEngine):  # type: ignore[misc]
    """Run a notebook by ``papermill --engine ishtar``, within limits."""

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
            Whether the kernel is forked from a server or started; it is started where forking is
            impossible.
        output_mb : float, MB
            Limit of all that the notebook prints and shows.
        memory_mb : float, MB
            Limit of the memory of the kernel and its descendants; 0 means no limit.
        folder : str
            Working folder of the kernel; that of this process stays as it is.
        kernel_env : dict
            Variables added to this process's environment for the kernel.
        cell_begins : callable
            Called with the number of a code cell, from 1, and the number of code cells, once the
            cell has run for a moment; not for cells that end at once.
        cell_ends : callable
            Called with each cell that ended without error.
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
        # Output before ipykernel redirects both streams belongs to no cell.
        return client.execute(
            env={**os.environ, **(kernel_env or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
