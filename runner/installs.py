"""Whether a cell would install packages: by IPython's own words, a shell, or pip itself.

It is found by reading, so that a command put together while it runs is not; where the system allows
it, the sandbox refuses what is not found here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

_PROGRAMS = (
    r"pip[\d.]*|pipx|conda|mamba|micromamba|micropip|uv|poetry|easy_install|apt|apt-get|aptitude"
    r"|dnf|yum|apk|brew|npm"
)
_VERBS = "install|uninstall|add|remove|update|upgrade|sync"
_COMMAND = re.compile(
    rf"(?<![\w-])(?:(?:{_PROGRAMS})(?:\s+[^\s;&|]+){{0,4}}?\s+(?:{_VERBS})(?![\w-])|easy_install\s)"
)
_BARE = re.compile(rf"\s*(?:{_PROGRAMS})\s+(?:{_VERBS})\s")  # IPython runs it without a sign, too
_OF_PIP = frozenset({"pip", "ensurepip", "micropip", "piplite", "conda"})
_OF_IPYTHON = "get_ipython"
_OF_A_SHELL = frozenset(
    str.split(
        "system popen run call check_call check_output Popen getoutput getstatusoutput "
        "create_subprocess_exec create_subprocess_shell execv execvp spawnv spawnvp main install"
    )
)


def as_python(source: str) -> ast.Module | None:
    """Return a code cell as IPython runs it, its own words as calls; None where it is none."""
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return ast.parse(TransformerManager().transform_cell(source))
    except (SyntaxError, ValueError, RecursionError):
        return None


def installs(source: str) -> Iterator[str]:
    """Yield the lines of a code cell that install packages."""
    lines = source.splitlines()
    tree = as_python(source)
    if tree is None:
        yield from (line.strip() for line in lines if _BARE.match(line))
        return
    for node in ast.walk(tree):
        if _is_of_pip(node) or (isinstance(node, ast.Call) and _COMMAND.search(_command(node))):
            # transformed, a cell has as many lines but for those that go on
            number = min(node.lineno, len(lines)) - 1  # type: ignore[attr-defined]
            yield lines[number].strip()


def _is_of_pip(node: ast.AST) -> bool:
    match node:
        case ast.Import(names=names):
            return any(alias.name.partition(".")[0] in _OF_PIP for alias in names)
        case ast.ImportFrom(module=str(module), level=0):
            return module.partition(".")[0] in _OF_PIP
    return False


def _command(call: ast.Call) -> str:
    """Return the words that a call gives to a shell or a program; '' where it gives none."""
    name = ast.unparse(call.func)
    last = name.rpartition(".")[2]
    if not (name.startswith(_OF_IPYTHON) or last in _OF_A_SHELL):
        return ""
    words = (
        node.value
        for argument in [*call.args, *(keyword.value for keyword in call.keywords)]
        for node in ast.walk(argument)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return " ".join([*name.split("."), *words])
