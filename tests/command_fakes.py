"""The command line as its users meet it, without a process for each command."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runner.cli import main

Call = Callable[..., tuple[object, str, str]]


def caller(capsys: pytest.CaptureFixture[str]) -> Call:
    """Return a function that runs a command where we are: exit code, output, errors."""

    def run(*arguments: object) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return run
