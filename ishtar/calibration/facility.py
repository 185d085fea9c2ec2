"""A facility's own transforms: classes in ``calibrations/transforms.py`` of its workspace.

::

    from ishtar.calibration.facility import transform

    @transform("square_law")
    class SquareLaw:
        # P = scale · x²

        scale: float
        sigma_scale: float = 0.0  # the one sigma of scale

        def apply(self, x, quiet):
            return self.scale * x**2

The fields are numbers (``float``) or lists of numbers (``tuple[float, ...]``); the decorator makes
the class a frozen dataclass. ``inverse(y)``, ``derivative(x)`` (∂y/∂x), ``outside(x)``, ``turns()``
and ``monotonic = True`` are optional, see `ishtar.calibration.steps`; without ``derivative`` the
uncertainty comes from finite differences. The code is part of the identity of every calibration
that uses it: the class, and everything in the same file that it uses.
"""

from __future__ import annotations

import ast
import hashlib
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache, wraps
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

from ishtar.calibration.transforms import TRANSFORMS, parse_transform
from ishtar.errors import CalibrationFileError, IshtarError
from ishtar.lineage.normal_form import normal_form, without_docstrings
from ishtar.lineage.record import digest
from ishtar.plain_files import read_plain

__all__ = ["FacilityTransformError", "transform"]

NAME = "transforms.py"
PROBE = (0.0, 0.5, 1.0)  # inputs for a trial of each transform when it is read
FIELDS = ("float", "tuple[float, ...]")
T = TypeVar("T")


@dataclass(frozen=True)
class NotRun:
    """A step of a facility's own whose code the reader of a published site does not run."""

    kind: str


class FacilityTransformError(CalibrationFileError):
    """A facility's own transform cannot be used; the message has file and line."""


def transform(kind: str) -> Callable[[type[T]], type[T]]:
    """Register a class as the transform ``kind`` of calibration files.

    Parameters
    ----------
    kind : str
        The name in calibration files: letters, digits and ``_``.

    Returns
    -------
    callable
        A class decorator; it makes the class a frozen dataclass.
    """

    def declare(cls: type[T]) -> type[T]:
        made: Any = cls if is_dataclass(cls) else dataclass(frozen=True, kw_only=True)(cls)
        made.kind = kind
        if "monotonic" not in vars(made):
            made.monotonic = False
        for name in ("apply", "inverse", "derivative", "changes", "outside", "turns"):
            if name in vars(made):
                setattr(
                    made,
                    name,
                    _reporting_its_line(kind, vars(made)[name], check_shape=name == "apply"),
                )
        answer: type[T] = made
        return answer

    return declare


def _reporting_its_line(
    kind: str, method: Callable[..., Any], *, check_shape: bool
) -> Callable[..., Any]:
    """Wrap a method so that its errors name file and line."""

    @wraps(method)
    def call(self: Any, *args: Any) -> Any:
        try:
            found = method(self, *args)
        except IshtarError:
            raise
        except Exception as error:
            where = _line_in(error, method.__code__.co_filename)
            raise FacilityTransformError(
                f"transform {kind!r}: {where}: {type(error).__name__}: {error}: correct it there"
            ) from error
        if check_shape:
            found = np.asarray(found, dtype=np.float64)
            if found.shape != np.shape(args[0]):
                raise FacilityTransformError(
                    f"transform {kind!r}: {NAME}:{method.__code__.co_firstlineno}: apply() returns "
                    f"shape {found.shape} for {np.shape(args[0])}: return one value per sample"
                )
        return found

    return call


def _line_in(error: BaseException, file: str) -> str:
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    return f"{NAME}:{lines[-1]}" if lines else NAME


def facility_transforms(folder: Path) -> tuple[dict[str, type[Any]], list[str]]:
    """Load the transforms of a ``calibrations/`` folder.

    The file runs once for each content, with the rights of the reader of the workspace: like the
    templates, it belongs to the facility and is trusted.

    Parameters
    ----------
    folder : Path
        The ``calibrations/`` folder.

    Returns
    -------
    transforms : dict
        Classes by kind.
    problems : list of str
        Every problem, with file and line.
    """
    path = Path(folder) / NAME
    try:
        source = read_plain(path).decode()
    except FileNotFoundError:
        return {}, []
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else "") or " ".join(str(error).split())
        return {}, [f"{NAME}: cannot be read: {why}"]
    found, problems = _load(str(path), source)
    return dict(found), list(problems)


def kinds_not_run(folder: Path) -> dict[str, type[NotRun]]:
    """Return the kinds that a facility's own code declares, without running it."""
    path = Path(folder) / NAME
    try:
        tree = ast.parse(read_plain(path))
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return {}
    calls = (
        node
        for cls in tree.body
        if isinstance(cls, ast.ClassDef)
        for node in cls.decorator_list
        if isinstance(node, ast.Call) and node.args
    )
    kinds = (call.args[0] for call in calls)
    names = [k.value for k in kinds if isinstance(k, ast.Constant) and isinstance(k.value, str)]
    return dict.fromkeys(names, NotRun)


@lru_cache(maxsize=32)
def _load(path: str, source: str) -> tuple[Mapping[str, type[Any]], tuple[str, ...]]:
    name = f"ishtar_facility_{hashlib.blake2b((path + source).encode(), digest_size=8).hexdigest()}"
    module = ModuleType(name)
    module.__file__ = path
    sys.modules[name] = module  # dataclasses and pickle look there
    try:
        exec(compile(source, path, "exec"), module.__dict__)
    except SyntaxError as error:
        return {}, (f"{NAME}:{error.lineno or 1}: {error.msg}",)
    except (Exception, SystemExit) as error:
        told = " ".join(str(error).split())
        return {}, (f"{_line_in(error, path)}: {type(error).__name__}: {told}",)
    tree = without_docstrings(source)
    found: dict[str, type[Any]] = {}
    problems: list[str] = []
    for cls in vars(module).values():
        if not (isinstance(cls, type) and cls.__module__ == name and "kind" in vars(cls)):
            continue
        where = f"{NAME}:{_line_of(tree, cls.__name__)}"
        wrong = [*_flaws(cls), *(_taken(cls.kind, found))]  # type: ignore[attr-defined]
        problems.extend(f"{where}: {w}" for w in wrong)
        if not wrong:
            cls.source_digest = _source_digest(tree, cls.__name__)  # type: ignore[attr-defined]
            found[cls.kind] = cls  # type: ignore[attr-defined]
    return found, tuple(problems)


def _taken(kind: str, found: Mapping[str, type[Any]]) -> list[str]:
    if kind in TRANSFORMS:
        return [f"{kind!r} is a built-in transform: choose another name"]
    return [f"{kind!r} is declared twice: choose another name"] if kind in found else []


def _flaws(cls: Any) -> list[str]:
    flaws = []
    if not isinstance(cls.kind, str) or not cls.kind.isidentifier():
        flaws.append(f"{cls.kind!r} is not a valid transform name: use letters, digits and _")
    if not callable(getattr(cls, "apply", None)):
        flaws.append(f"{cls.__name__} has no apply(self, x, quiet): add it")
    for f in fields(cls):
        kind = f.type if isinstance(f.type, str) else getattr(f.type, "__name__", str(f.type))
        kind = str(f.type) if kind == "tuple" else kind
        if kind not in FIELDS:
            flaws.append(f"{f.name}: {kind} is not a number: make it {' or '.join(FIELDS)}")
    return flaws


def parse_step(entry: Mapping[str, Any], known: Mapping[str, type[Any]]) -> Any:
    """Return the step that a table in a calibration describes, after a trial of facility code.

    Parameters
    ----------
    entry : mapping
        ``kind`` and its numbers.
    known : mapping
        Classes by kind.

    Raises
    ------
    CalibrationFileError
        As for `parse_transform`, or the facility's code fails on a few numbers.
    """
    kind = entry.get("kind") if isinstance(entry, Mapping) else None
    if isinstance(kind, str) and known.get(kind) is NotRun:
        return NotRun(kind)
    step = parse_transform(entry, known)
    if getattr(type(step), "source_digest", ""):
        with np.errstate(all="ignore"):
            step.apply(np.asarray(PROBE), lambda t_start_s, t_end_s: np.zeros(1))
    return step


# --- the identity of the code --------------------------------------------------------------------


def _line_of(tree: ast.Module, name: str) -> int:
    lines = [n.lineno for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name]
    return lines[-1] if lines else 1


def _source_digest(tree: ast.Module, name: str) -> str:
    """Return the digest of a class and of everything in its module that it uses.

    It is the same on every version of Python, and independent of comments and layout.
    """
    places: dict[str, list[ast.stmt]] = {}
    for statement in tree.body:
        for bound in _names_bound(statement):
            places.setdefault(bound, []).append(statement)
    reached: dict[tuple[int, int], ast.stmt] = {}  # by line and column: one line may hold several
    todo = [name]
    seen: set[str] = set()
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        for statement in places.get(current, []):
            reached[statement.lineno, statement.col_offset] = statement
            todo += [n.id for n in ast.walk(statement) if isinstance(n, ast.Name)]
    return digest([normal_form(reached[place]) for place in sorted(reached)])


def _names_bound(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [(a.asname or a.name).split(".")[0] for a in statement.names]
    names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
    bound = [node.id for node in names if isinstance(node.ctx, ast.Store)]
    # Other statements may change a name without binding it: TABLE["a"] = f, TABLE.update(a=f)
    match statement:
        case ast.Assign(targets=targets) if all(isinstance(t, ast.Name) for t in targets):
            return bound
        case ast.AnnAssign(target=ast.Name()) | ast.AugAssign(target=ast.Name()):
            return bound
    return [node.id for node in names]
