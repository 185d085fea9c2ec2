"""Find problems of a readable template that would make its reports fail or mislead.

Analyse its code without running it: unknown signals, a subject that the notebook sets itself,
packages that it installs or that are missing, files that a report or fork will not find.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

from ishtar.calibration import Declarations
from ishtar.errors import did_you_mean
from runner.templates.installs import as_python, called, installs
from runner.templates.notebook_file import declares_parameters, is_from_run, read_notebook
from runner.templates.parameters import SCOPE_PARAMETERS
from runner.templates.template import Template

_AUTOMAGIC = re.compile(  # commands that IPython accepts without a prefix
    r"^\s*(?:pip|conda|mamba|cd|ls|ll|cat|cp|mv|rm|mkdir|rmdir|pwd|run|time|timeit|matplotlib|env"
    r"|load_ext|reload_ext|unload_ext|autoreload|who|who_ls|whos|reset|less|more|man|history|hist"
    r"|config|pylab|gui|store|alias|bookmark|colors|load|lsmagic|magic|pdb|precision|prun|psearch"
    r"|psource|pinfo|pdoc|recall|rerun|save|sc|set_env|sx|system|xmode|macro|notebook|page|tb)\b"
    r"(?!\s*[=(.\[,])",
    re.MULTILINE,
)
_LONGEST_NAME = 200  # of a file
_IPYTHON = re.compile(r"^(\s*)(?:%{1,2}\w+|[!?])")
INSTALLS = "it installs packages, which reports must not: have them added to the environment"


def problems_of(template: Template, declared: Declarations) -> Iterator[str]:
    """Yield the problems of a template that could be read.

    Parameters
    ----------
    template : Template
    declared : Declarations
        Declares the existing signals.
    """
    yield from _cells_of_runs(template)
    for name in template.needs:
        if name not in declared.signals:
            hint = did_you_mean(name, declared.signals)
            yield f"needs {name!r}, which calibrations/signals.toml does not declare{hint}"
    shots = {"shot"} if template.scope == "shot" else set()
    handles: set[str] = set()
    number_of_parameters = _number_of_parameters(template)
    for number, source in enumerate(template.code, start=1):
        where = f"code cell {number}"
        try:
            tree = _tree(source)
            is_parameters = number == number_of_parameters
            found = list(_problems_in(source, tree, template, is_parameters=is_parameters))
            if tree is not None:
                handles |= _handles(tree, shots, handles)
                found += _unknown_signals(tree, handles, declared)
        except RecursionError:
            found = ["it is nested too deeply to be checked: simplify it"]
        yield from (f"{where}: {text}" for text in found)


def _problems_in(
    source: str, tree: ast.Module | None, template: Template, *, is_parameters: bool
) -> Iterator[str]:
    ran = as_python(source)
    yield from (f"{line!r}: {INSTALLS}" for line in installs(source, ran))
    yield from _local_files(ran, template.path.parent)
    if tree is None:
        if ran is None and not _AUTOMAGIC.search(source):
            yield "it is not valid Python, so the report would fail there"
        return
    if not is_parameters:
        yield from _sets_subject(tree, template)
    yield from _imports(tree, template.path.parent)


def _cells_of_runs(template: Template) -> Iterator[str]:
    for number, cell in enumerate(read_notebook(template.path)["cells"], start=1):
        if is_from_run(cell):
            yield (
                f"cell {number} is left over from a run, which set other parameters: it is "
                "ignored; delete it"
            )


def _number_of_parameters(template: Template) -> int:
    """Return the number of the code cell that declares a template's parameters, from 1."""
    code = [cell for cell in template.notebook["cells"] if cell["cell_type"] == "code"]
    return next(k for k, cell in enumerate(code, start=1) if declares_parameters(cell))


def _tree(source: str) -> ast.Module | None:
    """Return a cell's syntax tree without IPython's commands; None if it is not Python."""
    lines = []
    for line in source.splitlines():
        if (found := _IPYTHON.match(line)) and not line.lstrip().startswith(("!", "?")):
            rest = line[found.end() :].strip()
            lines.append(found[1] + (rest if _is_python(rest) else "pass"))
        else:
            lines.append(f"{found[1]}pass" if found else line)
    try:
        return ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError):
        return None


def _is_python(text: str) -> bool:
    try:
        return bool(ast.parse(text).body)
    except (SyntaxError, ValueError):
        return False


def _sets_subject(tree: ast.Module, template: Template) -> Iterator[str]:
    names = SCOPE_PARAMETERS[template.scope]
    for name in sorted(set(_assigned_names(tree)) & set(names)):
        yield f"it sets {name} itself: all reports would be of the same {names[0]}"


def _assigned_names(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a cell assigns in any way, without those local to functions."""
    todo = list(ast.iter_child_nodes(tree))
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.comprehension):
            todo += node.ifs
        elif isinstance(node, ast.alias):
            yield node.asname or node.name
        elif isinstance(node, ast.Name):
            yield from [node.id] * isinstance(node.ctx, ast.Store)
        elif not (
            isinstance(node, ast.Lambda)
            # an annotation without a value
            or (isinstance(node, ast.AnnAssign) and node.value is None)
        ):
            todo += ast.iter_child_nodes(node)


_COMMAND_CALLS = {"run_line_magic", "run_cell_magic", "system", "getoutput", "popen"}
_TEXTS = {
    "print",
    "display",
    "Markdown",
    "HTML",
    "title",
    "set_title",
    "suptitle",
    "text",
    "glue",
}
_LOCAL_FILE = (
    "{} is in the folder of the templates, where a report does not find it and which a fork does "
    "not copy: {}"
)


def _local_files(tree: ast.Module | None, folder: Path) -> Iterator[str]:
    """Yield files in the template's folder that a cell names, to run or to read them."""
    names: dict[str, None] = {}
    for call in ast.walk(tree or ast.Module([], [])):
        if isinstance(call, ast.Call):
            given = [*call.args, *(keyword.value for keyword in call.keywords)]
            texts = [n.value for n in given if isinstance(n, ast.Constant)]
            words = [text for text in texts if isinstance(text, str)]
            last = called(call).rpartition(".")[2]
            if last in ("import_module", "__import__", "run_module"):
                names |= {f"{word}.py": None for word in words}
            elif last in _COMMAND_CALLS:
                parts = " ".join(words).split()
                names |= dict.fromkeys(parts)
                if "-m" in parts or parts[:1] == ["run"]:
                    names |= {f"{word}.py": None for word in parts}
            elif last not in _TEXTS:
                names |= dict.fromkeys(words)
    for name in (name.removeprefix("./") for name in names):
        path = folder / name
        if "/" in name or "\0" in name or len(name.encode(errors="replace")) > _LONGEST_NAME:
            continue
        if path.suffix not in ("", ".ipynb", ".toml") and path.is_file():
            how = "install it as a package" if path.suffix == ".py" else "read it by its path"
            yield _LOCAL_FILE.format(path.name, how)


def _imports(tree: ast.Module, folder: Path) -> Iterator[str]:
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Try) or (isinstance(node, ast.If) and _is_for_types(node.test))
        for part in node.body
        for inner in ast.walk(part)
    }
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        for name in names:
            top = name.partition(".")[0]
            if (folder / f"{top}.py").exists() or (folder / top).is_dir():
                yield _LOCAL_FILE.format(top, "install it as a package")
            elif id(node) not in guarded and not _is_installed(top):
                yield f"{top} is not installed here: the report would fail"
            elif id(node) not in guarded and top == "ishtar":
                yield from _missing_names(name, node)


def _missing_names(module: str, node: ast.AST) -> Iterator[str]:
    """Yield the names that a cell imports from the library and that do not exist."""
    try:
        found = importlib.import_module(module)
    except ImportError:
        yield f"there is no module {module}: the report would fail"
        return
    for name in [a.name for a in node.names] if isinstance(node, ast.ImportFrom) else ():
        if name != "*" and not hasattr(found, name) and not _is_installed(f"{module}.{name}"):
            yield f"{module} has no {name!r}{did_you_mean(name, dir(found))}: the report would fail"


def _is_for_types(test: ast.expr) -> bool:
    return any(getattr(n, "id", getattr(n, "attr", "")) == "TYPE_CHECKING" for n in ast.walk(test))


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _handles(tree: ast.Module, shots: set[str], known: set[str]) -> set[str]:
    """Return the names bound to the template's shot: ``s = tb[shot]``, ``s = other``."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
            if isinstance(target, ast.Name) and _is_shot(value, shots, known | found):
                found.add(target.id)
    return found


def _is_shot(node: ast.expr, shots: set[str], handles: set[str]) -> bool:
    match node:
        case ast.Name(id=name):
            return name in handles
        case ast.Subscript(slice=ast.Name(id=name)):
            return name in shots
    return False


def _unknown_signals(tree: ast.Module, handles: set[str], declared: Declarations) -> Iterator[str]:
    """Yield the names looked up in the shot that no signal has.

    A name passed to `problem` is optional, unless it resembles that of a signal.
    """
    shots = {"shot"}
    names: dict[str, None] = {}
    optional: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=value, slice=ast.Constant(value=str(name))) if _is_shot(
                value, shots, handles
            ):
                names[name] = None
            case ast.Compare(
                left=ast.Constant(value=str(name)), ops=[ast.In() | ast.NotIn()], comparators=[of]
            ) if _is_shot(of, shots, handles):
                names[name] = None
            case ast.Call(func=ast.Attribute(value=value, attr="load"), args=[first]) if _is_shot(
                value, shots, handles
            ):
                names |= dict.fromkeys(_texts(first))
            case ast.Call(func=ast.Attribute(value=value, attr="problem"), args=[first]) if (
                _is_shot(value, shots, handles)
            ):
                names |= dict.fromkeys(_texts(first))
                optional |= set(_texts(first))
    for name in names:
        hint = did_you_mean(name, declared.signals)
        if name not in declared.signals and (hint or name not in optional):
            yield f"no signal {name!r} is declared{hint}"


def _texts(node: ast.expr) -> list[str]:
    items = node.elts if isinstance(node, ast.List | ast.Tuple) else [node]
    return [i.value for i in items if isinstance(i, ast.Constant) and isinstance(i.value, str)]
