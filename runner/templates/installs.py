"""Detect cells that install packages, with IPython's commands, a shell or pip itself.

The analysis is static, so it misses commands composed at run time. The sandbox, where the system
has one, refuses those.
"""

from __future__ import annotations

import ast
import re
import shlex
import warnings
from collections.abc import Iterator
from pathlib import PurePosixPath

_PROGRAMS = re.compile(
    r"pip[\d.]*|pipx|conda|mamba|micromamba|micropip|uv|poetry|pdm|pixi|rye|easy_install|apt|apt-get"
    r"|aptitude|dnf|yum|apk|brew|npm"
)
_VERBS = frozenset(str.split("install uninstall add remove update upgrade sync i"))
_OPTIONAL = re.compile(r"\w+=.*|sudo|env|exec|time|nohup|command|-\w+")  # before a program
_PYTHON = re.compile(r"(?:.*/)?python[\d.]*|.*sys\.executable.*")
_PARTS = re.compile(r"[;&|()`\n]+")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_BARE = re.compile(r"\s*(?:pip|conda|mamba|uv)\s")  # IPython runs it without a prefix, too
_PIP_MODULES = frozenset({"pip", "ensurepip", "micropip", "piplite", "conda"})
_SHELLS = frozenset(str.split("bash sh script system sx ! !! cmd powershell zsh"))
_WRAPPERS = frozenset(str.split("time timeit capture prun memit mprun lprun"))  # magics of Python
_ROOTS = frozenset(str.split("os subprocess sp asyncio pexpect get_ipython ip ipython shell"))
_IMPORTS = frozenset({"import_module", "__import__", "run_module"})
_RUNS = frozenset(
    str.split(
        "system popen run call check_call check_output Popen getoutput getstatusoutput "
        "create_subprocess_exec create_subprocess_shell execl execlp execv execvp spawnl spawnlp "
        "spawnv spawnvp posix_spawn spawn"
    )
)


def as_python(source: str) -> ast.Module | None:
    """Return the syntax tree of a cell as IPython runs it, commands as calls; None if invalid."""
    from IPython.core.inputtransformer2 import TransformerManager

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about unusual whitespace
        try:
            return ast.parse(TransformerManager().transform_cell(source))
        except (SyntaxError, ValueError, RecursionError):
            return None


def called(call: ast.Call) -> str:
    """Return the called function as written."""
    try:
        return ast.unparse(call.func)
    except RecursionError:  # a chain of hundreds
        return ""


def installs(source: str, tree: ast.Module | None) -> Iterator[str]:
    """Yield the lines of a code cell that install packages; ``tree`` comes from `as_python`."""
    lines = source.splitlines()
    if tree is None:
        yield from (line.strip() for line in lines if _BARE.match(line) and _in_shell(line))
        return
    for node in ast.walk(tree):
        if _imports_pip(node) or (isinstance(node, ast.Call) and _calls(node)):
            # the transformed cell has as many lines, except for continuation lines
            number = min(node.lineno, len(lines)) - 1  # type: ignore[attr-defined]
            yield lines[number].strip()


def _imports_pip(node: ast.AST) -> bool:
    match node:
        case ast.Import(names=names):
            return any(alias.name.partition(".")[0] in _PIP_MODULES for alias in names)
        case ast.ImportFrom(module=str(module), level=0):
            return module.partition(".")[0] in _PIP_MODULES
    return False


def _calls(call: ast.Call) -> bool:
    """Return whether a call installs packages by a shell, a program or a magic."""
    name = called(call)
    last = name.rpartition(".")[2]
    words = [
        node.value
        for argument in [*call.args, *(keyword.value for keyword in call.keywords)]
        for node in ast.walk(argument)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    if last in ("run_line_magic", "run_cell_magic"):
        return _in_magic(*words)
    if last in _IMPORTS:
        return bool(words) and words[0].partition(".")[0] in _PIP_MODULES
    root = name.partition(".")[0].partition("(")[0]
    return last in _RUNS and root in {last, *_ROOTS} and _in_shell(" ".join(words))


def _in_magic(name: str = "", *texts: str) -> bool:
    text = "\n".join(texts)
    if name in _SHELLS:
        return _in_shell(text)
    if name in _WRAPPERS:
        code = text.lstrip("\n")
        return any(True for _ in installs(code, as_python(code)))
    return bool(_PROGRAMS.fullmatch(name)) and _in_shell(f"{name} {text}")


def _in_shell(text: str) -> bool:
    """Return whether a text, run by a shell, installs packages."""
    lines = (_COMMENT.sub("", line) for line in text.replace("\\\n", " ").split("\n"))
    return any(_installs(command) for line in lines for command in _PARTS.split(line))


def _installs(command: str) -> bool:
    try:
        words = shlex.split(command)
    except ValueError:  # an unclosed quote: the text was split inside a quotation
        words = command.split()
    while words and _OPTIONAL.fullmatch(words[0]) and words[0] != "-m":
        words.pop(0)
    if words and _PYTHON.fullmatch(words[0]):
        if "setup.py" in words and "install" in words:
            return True
        words = words[words.index("-m") :] if "-m" in words else []
    if words[:1] == ["-m"]:
        words.pop(0)
    if not words:
        return False
    program = PurePosixPath(words[0]).name
    if program == "easy_install":
        return len(words) > 1
    return bool(_PROGRAMS.fullmatch(program)) and not _VERBS.isdisjoint(words[1:])
