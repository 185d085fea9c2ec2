"""The papermill engine: one notebook, one kernel of its own, with limits on time and output.

Papermill's own engine saves after every cell, limits only single cells and leaves a report that
ran into a limit without a word in the notebook. Here the limit is one more error output in the
cell that was running, and everything before it is kept.

Papermill loads this module through its entry point when papermill itself is imported; importing it
before papermill would be a circle, so nothing here does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat.v4 import new_output
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine

from runner.outcome import DEAD_KERNEL, OUTPUT_LIMIT, TIME_LIMIT


class PrivateKernelManager(AsyncKernelManager):
    """Starts ipykernel with this very Python, whatever kernels the user has installed.

    It talks through socket files in a folder that only the owner can enter, never over TCP. The
    folder's path is short: a socket's path must stay below 108 characters.
    """

    def __init__(self, **kw: Any) -> None:
        super().__init__(**kw)
        self._folder = tempfile.TemporaryDirectory(prefix="ishtar-", ignore_cleanup_errors=True)
        self.transport = "ipc"
        self.ip = f"{self._folder.name}/s"
        self.connection_file = f"{self._folder.name}/kernel.json"

    def remove_folder(self) -> None:
        """Take the sockets away."""
        self._folder.cleanup()

    @property
    def kernel_spec(self) -> KernelSpec:
        """The one kernel that reports run on."""
        return KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name="Python 3",
            language="python",
        )


class LimitedClient(PapermillNotebookClient):
    """Runs the cells; ends the report where it goes over a limit."""

    def __init__(
        self, nb_man: Any, *, timeout_s: float, output_bytes: int, folder: str, **kw: Any
    ) -> None:
        super().__init__(
            nb_man,
            kernel_manager_class=PrivateKernelManager,
            shutdown_kernel="immediate",
            resources={"metadata": {"path": folder}},
            iopub_timeout=30,
            timeout_func=self._remaining,
            **kw,
        )
        self._limit_s = timeout_s
        self._end = time.monotonic() + timeout_s
        self._output_limit = output_bytes
        self._output_bytes = 0
        self._group: int | None = None
        self._manager: PrivateKernelManager | None = None

    def _remaining(self, cell: Any = None) -> int:
        # nbclient takes whole seconds, and 0 for no limit at all.
        return max(1, round(self._end - time.monotonic()))

    def execute(self, **kwargs: Any) -> Any:
        """Run the notebook in a fresh kernel; nothing of the kernel's process group survives."""
        self.reset_execution_trackers()
        try:
            with self.setup_kernel(**kwargs):
                self._group = getattr(self.km.provisioner, "pgid", None)
                info = self.wait_for_reply(self.kc.kernel_info())
                self.nb.metadata["language_info"] = info["content"]["language_info"]
                self.papermill_execute_cells()
        finally:
            self._kill()
            if self._manager is not None:
                self._manager.remove_folder()
        return self.nb

    def create_kernel_manager(self) -> Any:
        """Make the kernel's manager; nbclient forgets it in the end, its folder must not stay."""
        manager = super().create_kernel_manager()
        self._manager = manager
        return manager

    def _kill(self) -> None:
        if self._group:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._group, signal.SIGKILL)

    def papermill_execute_cells(self) -> None:
        """Run the cells until one fails or the report goes over a limit."""
        for index, cell in enumerate(self.nb.cells):
            self.nb_man.cell_start(cell, index)
            try:
                self.execute_cell(cell, index)
            except CellExecutionError as error:
                self.nb_man.cell_exception(self.nb.cells[index], cell_index=index, exception=error)
                return
            except CellTimeoutError:
                self._end_with(index, TIME_LIMIT, f"the report took over {self._limit_s:g} s")
                return
            except DeadKernelError:
                if self._output_bytes > self._output_limit:
                    size = self._output_limit / 1e6
                    self._end_with(index, OUTPUT_LIMIT, f"the report put out over {size:g} MB")
                else:
                    self._end_with(index, DEAD_KERNEL, "the kernel died while it ran this cell")
                return
            finally:
                self.nb_man.cell_complete(self.nb.cells[index], cell_index=index)

    def _end_with(self, index: int, name: str, text: str) -> None:
        self._kill()
        cell = self.nb.cells[index]
        if cell.cell_type == "code":
            if name == OUTPUT_LIMIT:
                cell.outputs = [_shortened(output) for output in cell.outputs]
            cell.outputs.append(
                new_output("error", ename=name, evalue=text, traceback=[f"{name}: {text}"])
            )
        self.nb_man.cell_exception(cell, cell_index=index)

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        """Count what is put out and hand it on; over the limit, end the kernel and take no more."""
        if self._output_bytes > self._output_limit:
            return None
        self._output_bytes += _size(msg.get("content", {}))
        if self._output_bytes > self._output_limit:
            self._kill()  # nbclient then finds the kernel dead, and the cell ends
            return None
        return super().process_message(msg, cell, cell_index)


def _size(content: dict[str, Any]) -> int:
    size = len(content.get("text", "") or "")
    data = content.get("data")
    if isinstance(data, dict):
        size += sum(len(v) if isinstance(v, str) else 100 for v in data.values())
    return size


def _shortened(output: Any, most: int = 20_000) -> Any:
    """Keep the beginning of a text that went over the limit."""
    if output.output_type == "stream" and len(output.text) > most:
        output.text = output.text[:most] + f"\n… {len(output.text) - most} more characters\n"
    return output


class IshtarEngine(NBClientEngine):
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
        output_mb: float = 50.0,
        folder: str = ".",
        kernel_env: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Run the notebook that papermill manages.

        Parameters
        ----------
        execution_timeout : float, s
            Time limit of the whole notebook, not of a cell.
        output_mb : float
            What it may print and show in all.
        folder : str
            Working folder of the kernel; the process of papermill stays where it is.
        kernel_env : dict
            Environment of the kernel, over that of this process.
        """
        client = LimitedClient(
            nb_man,
            timeout_s=execution_timeout or 300.0,
            output_bytes=int(output_mb * 1e6),
            folder=folder,
            kernel_name=kernel_name,
            startup_timeout=start_timeout,
        )
        # What is written past ipykernel (os.write, C libraries) is nobody's output.
        return client.execute(
            env={**os.environ, **(kernel_env or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
