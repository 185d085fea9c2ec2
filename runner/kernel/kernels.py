"""The two ways to get a kernel: leased warm from a server, or started cold, as Jupyter does.

Both speak through socket files in a folder that only the owner can enter, never over TCP, and both
take no notice of the kernels, profiles and startup files that a user has installed.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any, ClassVar

import zmq.asyncio
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from runner.kernel.cold import START, TEMPORARY
from runner.kernel.warm.folders import private_folder
from runner.kernel.warm.owner import kernel_environment

STREAMS = "runner.kernel.streams.PromptStream"
_SILENT = logging.Logger("kernels", logging.CRITICAL)  # a failure is raised, and told once


class PrivateKernelManager(AsyncKernelManager):
    """A kernel with this very Python, for one notebook."""

    started_by: ClassVar[dict[str, Any]] = {}  # jupyter_client's words for who starts it

    def __init__(self, **kw: Any) -> None:
        # One for all reports of a process: each has threads, which take long to start and to end.
        super().__init__(context=zmq.asyncio.Context.instance(), log=_SILENT, **kw)

    @property
    def kernel_spec(self) -> KernelSpec:
        """The one kernel that reports run on."""
        return KernelSpec(
            argv=[
                *(sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"),
                f"--IPKernelApp.exec_lines={START}",
                f"--IPKernelApp.outstream_class={STREAMS}",
            ],
            display_name="Python 3",
            language="python",
            metadata=self.started_by,
        )

    def environment(self, process: Mapping[str, str]) -> dict[str, str]:
        """Return the kernel's environment from that of a process."""
        return kernel_environment(process)

    def remove_folder(self) -> None:
        """Take away what is left of the kernel."""


class WarmKernelManager(PrivateKernelManager):
    """Leases a kernel that is ready."""

    started_by: ClassVar[dict[str, Any]] = {
        "kernel_provisioner": {"provisioner_name": "ishtar-warm"}
    }

    def write_connection_file(self, **kwargs: Any) -> None:
        """Do nothing: the kernel runs already and nobody else needs to find it."""


class ColdKernelManager(PrivateKernelManager):
    """Starts an ordinary kernel."""

    def __init__(self, **kw: Any) -> None:
        super().__init__(**kw)
        self._private = private_folder()
        self._folder = self._private.path
        self.transport = "ipc"
        self.ip = f"{self._folder}/s"
        self.connection_file = f"{self._folder}/kernel.json"

    def environment(self, process: Mapping[str, str]) -> dict[str, str]:
        """Return the kernel's environment; a person's profile is not a report's."""
        own = {"IPYTHONDIR": str(self._folder / "ipython"), TEMPORARY: str(self._folder / "tmp")}
        return {**super().environment(process), **own}

    def remove_folder(self) -> None:
        """Take the sockets away."""
        self._private.remove()
