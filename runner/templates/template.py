"""Read template notebooks and order them by their dependencies."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from ishtar.errors import did_you_mean
from ishtar.lineage.normal_form import normal_form
from ishtar.lineage.record import digest
from runner.errors import NoSuchTemplate, TemplateError
from runner.receipts import Scope, Subject
from runner.templates.notebook_file import (
    declares_parameters,
    is_from_run,
    name_problem,
    read_notebook,
    title_and_description,
)
from runner.templates.parameters import Parameter, read_parameters, resolve
from runner.templates.results import ResultRecord, read_results
from runner.templates.sidecar import read_sidecar


@dataclass(frozen=True, kw_only=True)
class Template:
    """A template notebook with its sidecar.

    ``notebook`` is what `read_notebook` returns, without cells of runs; copy it to change it.
    ``code_digest`` changes with the code (without comments), ``prose_digest`` with anything shown.
    Only `ishtar template test` runs a ``draft``.
    """

    name: str
    path: Path
    title: str
    description: str
    scope: Scope
    parameters: tuple[Parameter, ...]
    notebook: Mapping[str, Any] = field(repr=False, compare=False)
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
    draft: bool = False
    results: Mapping[str, ResultRecord] = field(default_factory=dict)

    def subject_values(self, subject: Subject) -> dict[str, Any]:
        """Return the parameters that identify the subject."""
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
    """Read a template with its sidecar; `TemplateError` lists its problems."""
    stamps = file_stamp(path), file_stamp(path.with_suffix(".toml"))
    return _read(path, *stamps)


def file_stamp(path: Path) -> tuple[int, ...] | None:
    """Return a value that changes when a file changes; None if it does not exist."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


@lru_cache(maxsize=512)
def _read(path: Path, *_: tuple[int, ...] | None) -> Template:
    """Read a template; the cache, keyed by the files' stamps, serves the frequent requests."""
    notebook = read_notebook(path)
    notebook["cells"] = cells = [cell for cell in notebook["cells"] if not is_from_run(cell)]
    title, description = title_and_description(cells, path.stem)
    sidecar, problems = read_sidecar(path.with_suffix(".toml"))
    scope = cast(Scope, sidecar.get("scope", "shot"))
    declaring = [cell["source"] for cell in cells if declares_parameters(cell)]
    parameters, more = read_parameters(declaring, scope, path.name)
    if problems or more:
        raise TemplateError(*more, *problems)
    code = [c["source"] for c in cells if c["cell_type"] == "code"]
    return Template(
        name=path.stem,
        path=path,
        title=title,
        description=description,
        scope=scope,
        parameters=parameters,
        notebook=notebook,
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
        draft=sidecar.get("draft", False),
        results=read_results(sidecar.get("results", {}), path.with_suffix(".toml").name),
    )


@lru_cache(maxsize=1024)  # templates are read often and change rarely
def _normalised(source: str) -> str:
    """Return code without comments and layout; unchanged if it is not plain Python."""
    try:
        return normal_form(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError):
        return source


class Templates(Mapping[str, Template]):
    """The templates of a folder, in the order in which they run and are shown.

    Attributes
    ----------
    invalid : dict of str to tuple of str
        The unusable ones, with all problems of each.
    problems : dict of str to str
        The same, as one text each.
    drafts : dict of str to Template
        Those that only `ishtar template test` runs.
    """

    def __init__(
        self,
        found: Mapping[str, Template],
        invalid: Mapping[str, tuple[str, ...]],
        drafts: Mapping[str, Template] | None = None,
    ) -> None:
        self._found = dict(found)
        self.invalid = dict(invalid)
        self.problems = {name: "; ".join(texts) for name, texts in invalid.items()}
        self.drafts = dict(drafts or {})

    def __getitem__(self, name: str) -> Template:
        if name not in self._found:
            if name in self.problems:
                raise TemplateError(f"template {name} cannot be used: {self.problems[name]}")
            if name in self.drafts:
                raise TemplateError(
                    f"template {name} is a draft: try it with `ishtar template test {name}`, or "
                    f"remove `draft` from {name}.toml"
                )
            raise NoSuchTemplate(
                f"no template {name!r}{did_you_mean(name, self._found)} "
                f"(there are {', '.join(self._found) or 'none'})"
            )
        return self._found[name]

    def get_or_draft(self, name: str) -> Template:
        """Return a template or draft."""
        return self.drafts[name] if name in self.drafts else self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def upstream(self, name: str) -> set[str]:
        """Return the templates whose scraps a template reads, directly or indirectly."""
        found: set[str] = set()
        todo = [name]
        while todo:
            template = self._found.get(todo.pop())
            new = set(template.after) - found if template else set()
            found |= new
            todo += new
        return found

    def downstream(self, name: str) -> set[str]:
        """Return the templates that read a template's scraps, directly or indirectly."""
        return {other for other in self._found if name in self.upstream(other)}

    def phases(self) -> list[set[str]]:
        """Return groups of templates that read scraps of earlier groups or of their own scope.

        So a report of a day is made when the reports of all its shots are.
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
        """Return groups of templates that read scraps of earlier groups only."""
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
    """Read all templates of a folder; ``problems`` has the unusable ones by name."""
    found: dict[str, Template] = {}
    invalid: dict[str, tuple[str, ...]] = {}
    for path in sorted(folder.glob("*.ipynb")):
        if path.name.startswith("."):
            continue
        if problem := name_problem(path.stem):
            # terminals and files that list it may not be able to encode its name
            shown = path.stem if path.stem.isprintable() else ascii(path.stem)[1:-1]
            invalid[shown] = (f"{shown}.ipynb: {problem}",)
            continue
        try:
            found[path.stem] = read_template(path)
        except TemplateError as error:
            invalid[path.stem] = error.problems
        except Exception as error:  # no kind of damage to a user's file may affect the others
            invalid[path.stem] = (f"{path.name}: {type(error).__name__}: {error}",)
    drafts = {name: found.pop(name) for name in list(found) if found[name].draft}
    for template in list(found.values()):
        for other in template.after:
            if other not in {*found, *invalid, *drafts}:
                hint = did_you_mean(other, found)
                invalid[template.name] = (f"after: no template {other!r}{hint}",)
    for name in _in_cycles(found):
        invalid[name] = ("after: it depends on itself; break the cycle",)
    ordered = sorted(
        (t for t in found.values() if t.name not in invalid), key=lambda t: (t.order, t.name)
    )
    return Templates({t.name: t for t in ordered}, invalid, drafts)


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
