"""The service at work for a test: as a process, or in a thread of the test's own process."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from ishtar.workspace import Workspace
from runner.service.watch import watch

HANG_S = 300.0  # nothing takes so long on any machine: it only ends a test that hangs


class _Running:
    """What a service says, and how to wait for what it does."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._log = workspace.root / "watch.log"

    @property
    def said(self) -> str:
        """All that it has logged."""
        return self._log.read_text(encoding="utf-8")

    @property
    def lives(self) -> bool:
        """Whether it runs."""
        raise NotImplementedError

    def wait_for(self, true: Callable[[], object]) -> None:
        """Wait until something is the case."""
        deadline = time.monotonic() + HANG_S
        while not true():
            assert self.lives, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.02)


class ServiceProcess(_Running):
    """`ishtar watch` in a process of its own, in which something may be done before."""

    before = ""

    def __enter__(self) -> ServiceProcess:
        self._out = self._log.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"{self.before}\nfrom runner.cli import main; main(['watch'])"],
            cwd=self.workspace.root,
            env={k: v for k, v in os.environ.items() if k != "ISHTAR_WORKSPACE"},
            stdout=self._out,
            stderr=self._out,
        )
        return self

    @property
    def lives(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> int:
        """Wait until it has ended by itself; return its exit code."""
        return self._process.wait(HANG_S)

    def __exit__(self, *exc: object) -> None:
        if self.lives:
            self._process.kill()
            self._process.wait()
        self._out.close()


class Service(_Running):
    """The service in a thread: what it needs is imported already, and its kernels are warm.

    It ends with the block, and must end well; ``stop`` is set to end it before.
    """

    def __enter__(self) -> Service:
        self.stop = threading.Event()
        self._errors: list[BaseException] = []
        self._handler = logging.FileHandler(self._log, encoding="utf-8")
        self._handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        self._logger = logging.getLogger("runner")
        self._level = self._logger.level
        self._logger.addHandler(self._handler)
        self._logger.setLevel(logging.DEBUG)
        self._thread = threading.Thread(target=self._run, name="the service")
        self._thread.start()
        return self

    def _run(self) -> None:
        try:
            watch(self.workspace, stop=self.stop)
        except BaseException as error:  # told by the test, in its own thread
            self._errors.append(error)

    @property
    def lives(self) -> bool:
        """Whether it runs."""
        return self._thread.is_alive()

    def __exit__(self, *exc: object) -> None:
        self.stop.set()
        self._thread.join(HANG_S)
        self._logger.removeHandler(self._handler)
        self._logger.setLevel(self._level)
        self._handler.close()
        assert not self.lives, self.said
        for error in self._errors:
            raise error
