"""What a forked process does until it is a kernel like any other.

It gets itself ready as far as it can without knowing its notebook, says how it can be reached,
and waits. With the order it gets the folder and environment of its notebook, and begins.
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
from runner.kernel.warm.processes import LINUX, adopt_orphans, die_with


def run(channel: socket.socket, prefix: str, server: int) -> NoReturn:
    """Be a kernel, in a process that was just forked; never return.

    Parameters
    ----------
    channel : socket
        To the server: one line of JSON out (the connection), one in (the order).
    prefix : str
        Path that the names of its sockets begin with.
    server : int
        Process id of the server.
    """
    code = 1
    try:
        try:
            _leave_the_server(server)
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


def _leave_the_server(server: int) -> None:
    """Shed what must not be shared: session, streams, signals, random numbers."""
    os.setsid()  # the leader of a group that can be killed as a whole
    die_with(server)
    adopt_orphans()
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as Python has it: an error, no death
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # What is written before ipykernel takes both streams over is nobody's output.
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    if null > 2:
        os.close(null)
    random.seed()
    with contextlib.suppress(ImportError):
        import numpy as np

        np.random.seed()  # noqa: NPY002  its global state would be the same in all kernels


def _start(prefix: str, server: int) -> Any:
    """Return IPython's application, listening."""
    from ipykernel.kernelapp import IPKernelApp
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False  # a database and a thread that nobody asks
    config.IPKernelApp.exec_PYTHONSTARTUP = False
    config.IPKernelApp.outstream_class = "runner.kernel.streams.PromptStream"
    config.IPKernelApp.parent_handle = 0 if LINUX else server
    app = IPKernelApp.instance(
        config=config, transport="ipc", ip=prefix, connection_file=f"{prefix}.json"
    )
    sys.argv = ["ipykernel_launcher", "-f", f"{prefix}.json"]
    app.initialize([])
    with contextlib.suppress(ImportError):  # the notebook that needs it will say so
        prepare(app.shell)
    return app


def _import_from_here() -> None:
    """Let the notebook import files that it writes, as on an ordinary kernel.

    The server itself runs without (``-P``): what lies in its folder is nobody's business.
    """
    installed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    place = next((k for k, path in enumerate(sys.path) if path in installed), 0)
    sys.path.insert(place, "")


def _enter(
    app: Any,
    temporary: Path,
    *,
    cwd: str,
    env: dict[str, str],
    connection: dict[str, Any] | None = None,
) -> None:
    """Take over the folder and the environment of the notebook.

    ``connection`` is that of the kernel whose place this one takes; the server moves the sockets.
    """
    if connection:
        app.session.key = connection["key"].encode()
    os.chdir(cwd)
    _import_from_here()
    os.environ.clear()
    os.environ.update(env)
    executed.start_writing()
    sandbox.enter(env, temporary)
    app.shell.init_environment()  # what it says to programs that a cell starts
    backend = os.environ.setdefault("MPLBACKEND", INLINE)
    if backend != INLINE:
        import matplotlib as mpl

        mpl.use(backend)
    time.tzset()
