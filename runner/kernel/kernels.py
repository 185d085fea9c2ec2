"""Managers of kernels: leased warm from a server, or started cold, as Jupyter does.

Both communicate through socket files in a folder that only the owner can enter, never over TCP.
Both ignore the kernels, profiles and startup files that a user has installed.
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
_SILENT = logging.Logger("kernels", logging.CRITICAL)  # failures are raised, and logged there


class PrivateKernelManager(AsyncKernelManager):
    """Manage a kernel for one notebook, run by the same Python as this process."""

    spec_metadata: ClassVar[dict[str, Any]] = {}  # of the kernel specification

    def __init__(self, **kw: Any) -> None:
        # All reports of a process share one context: its threads are slow to start and to end.
        super().__init__(context=zmq.asyncio.Context.instance(), log=_SILENT, **kw)

    @property
    def kernel_spec(self) -> KernelSpec:
        """The kernel specification of all reports."""
        return KernelSpec(
            argv=[
                *(sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"),
                f"--IPKernelApp.exec_lines={START}",
                f"--IPKernelApp.outstream_class={STREAMS}",
            ],
            display_name="Python 3",
            language="python",
            metadata=self.spec_metadata,
        )

    def environment(self, process: Mapping[str, str]) -> dict[str, str]:
        """Return the kernel's environment, derived from that of a process."""
        return kernel_environment(process)

    def remove_folder(self) -> None:
        """Remove the kernel's files, if it has any of its own."""


class WarmKernelManager(PrivateKernelManager):
    """Lease a kernel that is ready."""

    spec_metadata: ClassVar[dict[str, Any]] = {
        "kernel_provisioner": {"provisioner_name": "ishtar-warm"}
    }

    def write_connection_file(self, **kwargs: Any) -> None:
        """Do nothing: the kernel already runs, and only this manager connects to it."""


class ColdKernelManager(PrivateKernelManager):
    """Start an ordinary kernel."""

    def __init__(self, **kw: Any) -> None:
        super().__init__(**kw)
        self._private = private_folder()
        self._folder = self._private.path
        self.transport = "ipc"
        self.ip = f"{self._folder}/s"
        self.connection_file = f"{self._folder}/kernel.json"

    def environment(self, process: Mapping[str, str]) -> dict[str, str]:
        """Return the kernel's environment, without the user's IPython profile."""
        own = {"IPYTHONDIR": str(self._folder / "ipython"), TEMPORARY: str(self._folder / "tmp")}
        return {**super().environment(process), **own}

    def remove_folder(self) -> None:
        """Remove the folder of the kernel's sockets."""
        self._private.remove()
