"""Template notebooks: read, checked, put in order."""

from __future__ import annotations

import ast
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from ishtar.errors import did_you_mean
from ishtar.lineage import digest
from runner.errors import NoSuchTemplate, TemplateError
from runner.parameters import Parameter, parse_parameters, resolve
from runner.receipts import Scope, Subject
from runner.results import ResultRecord, read_results

SCOPE_PARAMETERS: dict[Scope, tuple[str, ...]] = {
    "shot": ("shot",),
    "day": ("day",),
    "range": ("first", "last"),
}
SIDECAR: dict[str, type | tuple[type, ...]] = {
    "scope": str,
    "needs": list,
    "after": list,
    "timeout_s": (int, float),
    "memory_mb": (int, float),
    "schedule": str,
    "limits": dict,
    "order": int,
    "key": list,
    "golden": list,
    "results": dict,
}


@dataclass(frozen=True, kw_only=True)
class Template:
    """A template notebook with what its sidecar says.

    ``code_digest`` changes with what is computed (comments do not count), ``prose_digest`` with
    anything that is shown.
    """

    name: str
    path: Path
    title: str
    description: str
    scope: Scope
    parameters: tuple[Parameter, ...]
    code: tuple[str, ...]
    code_digest: str
    prose_digest: str
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    timeout_s: float | None = None
    memory_mb: float | None = None
    schedule: str = ""
    limits: Mapping[str, Any] = field(default_factory=dict)
    order: int = 100
    key: tuple[str, ...] = ()
    golden: tuple[str, ...] = ()
    results: Mapping[str, ResultRecord] = field(default_factory=dict)

    def subject_values(self, subject: Subject) -> dict[str, Any]:
        """Return the parameters that name the subject."""
        if subject.scope == "shot":
            return {"shot": subject.number}
        if subject.scope == "day":
            return {"day": subject.key}
        first, last = subject.key.split("..")
        return {"first": int(first), "last": int(last)}

    def values(self, subject: Subject, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return all parameter values for a subject, checked."""
        own = self.subject_values(subject)
        where = f"template {self.name}"
        return resolve(self.parameters, {**(given or {}), **own}, where)


def read_template(path: Path) -> Template:
    """Read one template with its sidecar; `TemplateError` says what is wrong with it."""
    return _read(path, file_stamp(path), file_stamp(path.with_suffix(".toml")))


def file_stamp(path: Path) -> tuple[int, ...] | None:
    """Return what changes with a file; None where there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


@lru_cache(maxsize=512)
def _read(path: Path, *_: tuple[int, ...] | None) -> Template:
    """Read a template anew where its files are not what they were: it is asked for all the time."""
    cells = _cells(path)
    title, description = _title(cells, path.stem)
    sidecar = _sidecar(path)
    code = [c["source"] for c in cells if c["cell_type"] == "code"]
    tagged = [c["source"] for c in cells if "parameters" in c["tags"]]
    if len(tagged) != 1:
        raise TemplateError(
            f"{path.name}: {len(tagged)} cells are tagged `parameters`; tag exactly one"
        )
    try:
        parameters = parse_parameters(tagged[0])
    except TemplateError as error:
        raise TemplateError(f"{path.name}: {error}") from error
    scope = cast(Scope, sidecar.get("scope", "shot"))
    missing = [n for n in SCOPE_PARAMETERS[scope] if n not in {p.name for p in parameters}]
    if missing:
        raise TemplateError(
            f"{path.name}: scope {scope!r} needs the parameter {' and '.join(missing)}: add it"
        )
    return Template(
        name=path.stem,
        path=path,
        title=title,
        description=description,
        scope=scope,
        parameters=parameters,
        code=tuple(code),
        code_digest=digest([_normalised(source) for source in code]),
        prose_digest=digest([[c["cell_type"], c["source"]] for c in cells]),
        needs=tuple(sidecar.get("needs", ())),
        after=tuple(sidecar.get("after", ())),
        timeout_s=sidecar.get("timeout_s"),
        memory_mb=sidecar.get("memory_mb"),
        schedule=sidecar.get("schedule", ""),
        limits=sidecar.get("limits", {}),
        order=sidecar.get("order", 100),
        key=tuple(sidecar.get("key", ())),
        golden=tuple(str(subject) for subject in sidecar.get("golden", ())),
        results=read_results(sidecar.get("results", {}), path.with_suffix(".toml").name),
    )


def _cells(path: Path) -> list[dict[str, Any]]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        cells = data["cells"]
        return [
            {
                "cell_type": str(cell["cell_type"]),
                "source": "".join(cell["source"]),
                "tags": list(cell.get("metadata", {}).get("tags", [])),
            }
            for cell in cells
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise TemplateError(f"{path.name}: not a notebook ({error}): save it in Jupyter") from error


def _title(cells: list[dict[str, Any]], name: str) -> tuple[str, str]:
    """Return the first heading and the first paragraph after it."""
    title, paragraph = "", []
    for cell in cells:
        if cell["cell_type"] != "markdown":
            continue
        for line in cell["source"].splitlines():
            if not title and line.startswith("#"):
                title = line.lstrip("# ").strip()
            elif title and line.strip() and not line.startswith("#"):
                paragraph.append(line.strip())
            elif paragraph:
                return title, " ".join(paragraph)
        if paragraph:
            break
    return title or name, " ".join(paragraph)


def _sidecar(path: Path) -> dict[str, Any]:
    sidecar = path.with_suffix(".toml")
    if not sidecar.exists():
        return {}
    try:
        data = tomllib.loads(sidecar.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TemplateError(f"{sidecar.name}: {error}") from error
    for name, value in data.items():
        if name not in SIDECAR:
            raise TemplateError(
                f"{sidecar.name}: unknown key {name!r}{did_you_mean(name, SIDECAR)}"
            )
        if not isinstance(value, SIDECAR[name]) or isinstance(value, bool):
            raise TemplateError(f"{sidecar.name}: {name} = {value!r} has the wrong type")
    if data.get("scope", "shot") not in SCOPE_PARAMETERS:
        raise TemplateError(f"{sidecar.name}: scope must be shot, day or range: correct it")
    return data


@lru_cache(maxsize=1024)  # templates are read again and again, and seldom change
def _normalised(source: str) -> str:
    """Return code without comments and layout; as it stands where it is not plain Python."""
    try:
        return ast.unparse(ast.parse(source))
    except SyntaxError:
        return source


class Templates(Mapping[str, Template]):
    """The templates of a folder, in the order in which they run and are shown."""

    def __init__(self, found: Mapping[str, Template], problems: Mapping[str, str]) -> None:
        self._found = dict(found)
        self.problems = dict(problems)

    def __getitem__(self, name: str) -> Template:
        if name not in self._found:
            if name in self.problems:
                raise TemplateError(f"template {name} cannot be used: {self.problems[name]}")
            raise NoSuchTemplate(
                f"no template {name!r}{did_you_mean(name, self._found)} "
                f"(there are {', '.join(self._found) or 'none'})"
            )
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def before(self, name: str) -> set[str]:
        """Return the templates whose scraps one reads, or that lead to such."""
        found: set[str] = set()
        todo = [name]
        while todo:
            template = self._found.get(todo.pop())
            new = set(template.after) - found if template else set()
            found |= new
            todo += new
        return found

    def following(self, name: str) -> set[str]:
        """Return the templates that read one's scraps, or those of such."""
        return {other for other in self._found if name in self.before(other)}

    def phases(self) -> list[set[str]]:
        """Return the templates in groups; each reads scraps of earlier groups, or of its own scope.

        So a report of a day that reads those of its shots comes when all of these are there.
        """
        phase: dict[str, int] = {}
        for template in (t for level in self.levels() for t in level):
            known = [self._found[a] for a in template.after if a in self._found]
            phase[template.name] = max(
                (phase[a.name] + (a.scope != template.scope) for a in known), default=0
            )
        last = max(phase.values(), default=-1)
        return [{n for n, of in phase.items() if of == k} for k in range(last + 1)]

    def levels(self) -> list[list[Template]]:
        """Return the templates in groups; each reads scraps of earlier groups only."""
        done: set[str] = set()
        waiting = list(self._found.values())
        levels: list[list[Template]] = []
        while waiting:
            ready = [t for t in waiting if all(a in done or a not in self._found for a in t.after)]
            done |= {t.name for t in ready}
            levels.append(ready)
            waiting = [t for t in waiting if t.name not in done]
        return levels


def read_templates(folder: Path) -> Templates:
    """Read all templates of a folder; those that cannot be used are in ``problems`` by name."""
    found: dict[str, Template] = {}
    problems: dict[str, str] = {}
    for path in sorted(folder.glob("*.ipynb")):
        if path.name.startswith("."):
            continue
        try:
            found[path.stem] = read_template(path)
        except TemplateError as error:
            problems[path.stem] = str(error)
    for template in list(found.values()):
        for other in template.after:
            if other not in found and other not in problems:
                hint = did_you_mean(other, found)
                problems[template.name] = f"after: no template {other!r}{hint}"
    for name in _in_cycles(found):
        problems[name] = "after: it waits for itself; break the cycle"
    ordered = sorted(
        (t for t in found.values() if t.name not in problems), key=lambda t: (t.order, t.name)
    )
    return Templates({t.name: t for t in ordered}, problems)


def _in_cycles(found: Mapping[str, Template]) -> set[str]:
    """Return the templates that can never run because `after` leads back to them."""
    runnable: set[str] = set()
    while True:
        more = {
            name
            for name, t in found.items()
            if name not in runnable and all(a in runnable or a not in found for a in t.after)
        }
        if not more:
            return set(found) - runnable
        runnable |= more
