"""Warm kernels for all programs that use `jupyter_client`: nbclient, papermill, JupyterLab.

A kernel specification names the provisioner::

    {"display_name": "Ishtar (warm)", "language": "python", "argv": [],
     "metadata": {"kernel_provisioner": {"provisioner_name": "ishtar-warm"}}}
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Any, cast

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

from runner.kernel.warm import owner
from runner.kernel.warm.lease import ANSWER_TIMEOUT_S, Lease
from runner.kernel.warm.processes import kill_tree


class WarmProvisioner(KernelProvisionerBase):
    """Lease a kernel instead of starting one."""

    lease: Lease | None = None
    _cwd: str | None = None

    @property
    def has_process(self) -> bool:
        """Whether there is a kernel."""
        return self.lease is not None

    @property
    def pid(self) -> int | None:
        """Process id of the kernel, which leads a process group of its own."""
        return self.lease.pid if self.lease else None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Return the arguments of the launch, with an empty command."""
        kwargs = await super().pre_launch(**kwargs)
        kwargs.setdefault("cmd", [])
        return kwargs

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Order a kernel; ``cwd`` and ``env`` are the notebook's."""
        self._cwd = str(Path(kwargs.get("cwd") or ".").resolve())
        environment = dict(kwargs.get("env") or os.environ)
        lease = Lease(owner.address(environment))
        try:
            info = await lease.order(
                cwd=self._cwd,
                env=environment,
                earlier=cast(dict[str, Any], self.connection_info),  # set if this is a restart
            )
        except BaseException:
            lease.close()
            raise
        self.lease = lease
        self.connection_info = cast(KernelConnectionInfo, info)
        return self.connection_info

    async def poll(self) -> int | None:
        """Return the exit code; None while the kernel runs."""
        return self.lease.poll() if self.lease else 0

    async def wait(self) -> int | None:
        """Wait until the kernel has ended; return its exit code."""
        if self.lease is None:
            return 0
        code = await self.lease.ended()
        self._drop()
        return code

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel."""
        if self.lease:
            self.lease.send_signal(signum)

    async def kill(self, restart: bool = False) -> None:
        """Kill the kernel and all its descendants; return when they have ended."""
        if self.lease and self.lease.poll() is None:
            kill_tree(self.lease.pid)
            self.lease.send_signal(signal.SIGKILL)
            with contextlib.suppress(TimeoutError):  # a server that hangs does not answer
                await asyncio.wait_for(self.lease.ended(), ANSWER_TIMEOUT_S)

    async def terminate(self, restart: bool = False) -> None:
        """Ask the kernel to end."""
        await self.send_signal(signal.SIGTERM)

    async def cleanup(self, restart: bool = False) -> None:
        """Close the lease."""
        self._drop()

    def resolve_path(self, path: str) -> str | None:
        """Return a path as the kernel sees it."""
        found = Path(self._cwd or ".", Path(path).expanduser()).resolve()
        return found.as_posix() if found.exists() else None

    def _drop(self) -> None:
        if self.lease:
            self.lease.close()
        self.lease = None
