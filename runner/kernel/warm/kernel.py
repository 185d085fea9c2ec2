"""Turn a forked process into an ordinary kernel.

It prepares as far as it can without its notebook, sends its connection info, and waits. The order
names the folder and environment of the notebook; then the kernel starts.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import random
import signal
import socket
import sys
import sysconfig
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

from ishtar.lineage.executed import executed
from runner.kernel import sandbox
from runner.kernel.figures import INLINE, prepare
from runner.kernel.warm.processes import LINUX, adopt_orphans, die_with_parent


def run(channel: socket.socket, prefix: str, server: int) -> NoReturn:
    """Run a kernel in a process that was just forked; never return.

    Parameters
    ----------
    channel : socket
        To the server: one line of JSON out (the connection info), one in (the order).
    prefix : str
        Path prefix of its sockets.
    server : int
        Process id of the server.
    """
    code = 1
    try:
        try:
            _detach_from_server(server)
            app = _start(prefix, server)
            info = app.get_connection_info()
            info["key"] = info["key"].decode()
        except BaseException:
            channel.sendall(json.dumps({"failed": traceback.format_exc()}).encode() + b"\n")
            raise
        channel.sendall(json.dumps(info).encode() + b"\n")
        with channel, channel.makefile("rb") as lines:
            order = lines.readline()
        if order:
            _enter(app, Path(f"{prefix}.tmp"), **json.loads(order))
            app.start()
            atexit._run_exitfuncs()
        code = 0
    finally:
        os._exit(code)


def _detach_from_server(server: int) -> None:
    """Replace the state that must not be shared: session, streams, signals, random numbers."""
    os.setsid()  # makes it the leader of a group that can be killed as a whole
    die_with_parent(server)
    adopt_orphans()
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # Python's default: an error instead of death
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Output before ipykernel redirects both streams belongs to no cell.
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    if null > 2:
        os.close(null)
    random.seed()
    with contextlib.suppress(ImportError):
        import numpy as np

        np.random.seed()  # noqa: NPY002  all kernels would have the same global state


def _start(prefix: str, server: int) -> Any:
    """Return the kernel's application, listening on its sockets."""
    from ipykernel.kernelapp import IPKernelApp
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False  # saves a database and a thread that nobody uses
    config.IPKernelApp.exec_PYTHONSTARTUP = False
    config.IPKernelApp.outstream_class = "runner.kernel.streams.PromptStream"
    config.IPKernelApp.parent_handle = 0 if LINUX else server
    app = IPKernelApp.instance(
        config=config, transport="ipc", ip=prefix, connection_file=f"{prefix}.json"
    )
    sys.argv = ["ipykernel_launcher", "-f", f"{prefix}.json"]
    app.initialize([])
    with contextlib.suppress(ImportError):  # a notebook that needs matplotlib fails by itself
        prepare(app.shell)
    return app


def _import_from_cwd() -> None:
    """Let the notebook import files that it writes, as in an ordinary kernel.

    The server itself runs with ``-P``, so that it imports nothing from its working folder.
    """
    installed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    index = next((k for k, path in enumerate(sys.path) if path in installed), 0)
    sys.path.insert(index, "")


def _enter(
    app: Any,
    temporary: Path,
    *,
    cwd: str,
    env: dict[str, str],
    connection: dict[str, Any] | None = None,
) -> None:
    """Switch to the folder and the environment of the notebook.

    ``connection`` is the info of the kernel that this one replaces; the server moves the sockets.
    """
    if connection:
        app.session.key = connection["key"].encode()
    os.chdir(cwd)
    _import_from_cwd()
    os.environ.clear()
    os.environ.update(env)
    executed.start_writing()
    sandbox.enter(env, temporary)
    app.shell.init_environment()  # variables for programs that a cell starts
    backend = os.environ.setdefault("MPLBACKEND", INLINE)
    if backend != INLINE:
        import matplotlib as mpl

        mpl.use(backend)
    time.tzset()
