"""Start the kernel server of this process, or use one whose address is known.

A coordinator starts one server for all its workers. A process without an address (a notebook
server, papermill on its own) starts its own server with its first kernel.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from ishtar.lineage.executed import FORKS
from runner.kernel.figures import INLINE
from runner.kernel.warm.folders import private_folder

logger = logging.getLogger(__name__)

# Reports run in parallel, one on each core; more threads would only compete, and a sum over threads
# is not reproducible.
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
# Set by the user for their own sessions, not for reports.
PERSONAL = ("PYTHONSTARTUP", "PYTHONINSPECT", "JPY_PARENT_PID", "MPLBACKEND")
READ_BY_IMPORTS = ("MPLCONFIGDIR",)  # variables of a notebook that libraries read on import
QUICK_S = 10.0  # a server that ends sooner has failed to start
MAX_QUICK_ENDS = 3


def available() -> bool:
    """Return whether kernels can be forked on this system.

    They cannot on macOS: system libraries that numpy uses do not survive a fork.
    """
    return hasattr(os, "fork") and sys.platform == "linux"


def kernel_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a notebook's kernel, warm or cold, from that of a process."""
    kept = {k: v for k, v in environment.items() if k not in PERSONAL}
    return {**ONE_THREAD, **kept}


class WarmServer:
    """Run a kernel server, from `start` until `close`.

    ``address`` is the path of its socket, which exists at once: clients that connect while the
    server still imports, or restarts, wait.
    """

    def __init__(self, *, spare: int = 1, environment: Mapping[str, str] | None = None) -> None:
        self._private = private_folder()
        self._folder = self._private.path
        self._spare = spare
        self._environment = kernel_environment({**os.environ, **(environment or {})}) | {
            "MPLBACKEND": INLINE,
            FORKS: "1",
            "IPYTHONDIR": str(self._folder / "ipython"),  # instead of the user's profile
            # pyarrow's allocator would start a thread; a server that forks must have only one.
            "JE_ARROW_MALLOC_CONF": "background_thread:false",
        }
        self.address = str(self._folder / "server")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.address)
        self._listener.listen(128)
        self._closing = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher = threading.Thread(target=self._watch, daemon=True, name="warm server")

    @property
    def pid(self) -> int:
        """Process id of the server; 0 before it is started."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start the server unless it is started; return at once."""
        if self._process is None:
            self._process = self._launch()
            self._watcher.start()

    def _launch(self) -> subprocess.Popen[bytes]:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        state = self._folder / "start.json"
        state.touch(mode=0o600)
        number = self._listener.fileno()
        state.write_text(
            json.dumps({"listener": number, "folder": str(self._folder), "spare": self._spare})
        )
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "runner.kernel.warm.server", str(state)],
                stdin=subprocess.PIPE,  # closes when this process ends, and the server then ends
                stdout=subprocess.DEVNULL,
                stderr=log,
                pass_fds=[number],
                env=self._environment,
                start_new_session=True,  # Ctrl-C at the terminal must not reach the server
            )

    def _watch(self) -> None:
        quick = 0
        while True:
            began = time.monotonic()
            process = self._process
            assert process is not None
            assert process.stdin is not None
            code = process.wait()
            if self._closing.is_set():
                return
            quick = quick + 1 if time.monotonic() - began < QUICK_S else 0
            last = self._last_log_line()
            if quick >= MAX_QUICK_ENDS:
                logger.error("the kernel server cannot run (%s): kernels start cold", last)
                self._listener.close()  # clients are refused, and start cold kernels
                return
            logger.warning("the kernel server ended (%s, %s): restarting it", code, last)
            process.stdin.close()
            self._process = self._launch()

    def _last_log_line(self) -> str:
        try:
            lines = (self._folder / "log").read_text("utf-8", errors="replace").split("\n")
        except OSError:
            return "no log"
        return next((line for line in reversed(lines) if line.strip()), "no log")

    def close(self) -> None:
        """End the server with all its kernels."""
        self._closing.set()
        if process := self._process:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(5.0)
            except subprocess.TimeoutExpired:
                process.kill()
            self._watcher.join(5.0)
        self._listener.close()
        self._private.remove()

    def __enter__(self) -> WarmServer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


_shared_address: str | None = None
_own: WarmServer | None = None
_own_pid = 0
_lock = threading.Lock()


def use(address: str | None) -> None:
    """Use the server at an address from now on; with None, a server of this process."""
    global _shared_address
    _shared_address = address


def shared_address() -> str | None:
    """Return the address that was set by `use`, None if its socket no longer exists."""
    return (
        _shared_address if _shared_address is not None and Path(_shared_address).exists() else None
    )


def address(environment: Mapping[str, str] | None = None) -> str:
    """Return the address of the server to use; start one if none is known.

    ``environment`` is that of a notebook; a server that is started now takes from it the variables
    that libraries read on import.
    """
    global _own, _own_pid
    if (shared := shared_address()) is not None:
        return shared
    with _lock:
        if _own is None or _own_pid != os.getpid():
            read = {n: environment[n] for n in READ_BY_IMPORTS if environment and n in environment}
            _own, _own_pid = WarmServer(environment=read), os.getpid()
            _own.start()
            atexit.register(_own.close)
        return _own.address


def close_own() -> None:
    """End the server that this process started, if any."""
    global _own
    with _lock:
        if _own is not None and _own_pid == os.getpid():
            atexit.unregister(_own.close)
            _own.close()
        _own = None
