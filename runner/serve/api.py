"""The API of the service, ``/api/v1/``: reading shots, and acts of people.

It writes nothing that the coordinator owns: an act is a file that the coordinator takes
(`runner.acts`), so that it waits while the coordinator is down.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

import ishtar
from ishtar.attributes import (
    AttributeEditError,
    check,
    current,
    edits_version,
    read_edits,
    stated_in,
)
from ishtar.catalogue import Catalogue
from ishtar.errors import IshtarError, NotFoundError, did_you_mean
from ishtar.query.query_tree import QueryError
from ishtar.query.shot_numbers import BadShotSelection, select
from ishtar.version import __version__
from ishtar.workspace import Workspace
from runner.acts import Act, Outcome, find, new_act, submit
from runner.errors import ParameterError
from runner.monitoring.status import read_status
from runner.receipts import Subject
from runner.serve.access import PASSWORD, Access, Person
from runner.serve.api_models import (
    MOST_SHOTS,
    ActState,
    Correction,
    Edit,
    Me,
    ParameterOf,
    Rerun,
    Service,
    Shot,
    Shots,
    TemplateOf,
)
from runner.serve.problems import Problem
from runner.templates.parameters import SCOPE_PARAMETERS
from runner.templates.ranges import range_of
from runner.templates.template import Template, read_templates

PAGE = re.compile(r"(?!.*\.\.)[\w.~%-]*(/[\w.~%-]+)*")  # in the site: no other host, no way out
WRONG = (AttributeEditError, BadShotSelection, NotFoundError, ParameterError, QueryError)


def _workspace(request: Request) -> Workspace:
    found: Workspace = request.app.state.workspace
    return found


def _access(request: Request) -> Access:
    found: Access = request.app.state.access
    return found


def _member(request: Request) -> Person:
    return _access(request).require(request, "member")


def _anybody(request: Request) -> Person:
    return _access(request).require(request, "reader")


def _may_read(request: Request) -> None:
    _access(request).reader(request)


In = Annotated[Workspace, Depends(_workspace)]
Member = Annotated[Person, Depends(_member)]
Reader = Depends(_may_read)
ShotNumber = Annotated[int, Path(ge=0, lt=10**12)]

router = APIRouter()


def api_app(workspace: Workspace, access: Access) -> FastAPI:
    """Return the application below ``/api/v1``."""
    app = FastAPI(
        title="Ishtar",
        version=__version__,
        summary="Shots, and what people do with them",
        openapi_url="/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
    )
    app.state.workspace, app.state.access = workspace, access
    app.include_router(router)
    _answer_problems(app)
    return app


@router.get("/me")
def me(person: Annotated[Person, Depends(_anybody)]) -> Me:
    """Return who you are to this service, and your role."""
    return Me(name=person.name, role=person.role)


@router.get("/sign-in", status_code=303, response_class=RedirectResponse)
def sign_in(
    request: Request,
    to: Annotated[str, Query(max_length=500, description="a page of the site")] = "",
) -> RedirectResponse:
    """Let a browser ask for a token, as a password, and lead back to a page."""
    try:
        _access(request).require(request, "reader")
    except Problem as problem:
        if problem.status == 401:
            problem.headers |= PASSWORD
        raise
    if not PAGE.fullmatch(to) or to.startswith("/"):
        raise Problem(422, f"{to!r} is no page of the site: give its path, table.html")
    return RedirectResponse(f"../../{to}", status_code=303)


@router.get("/shots", dependencies=[Reader])
def shots(
    workspace: In,
    q: Annotated[str, Query(max_length=2000, description="a query, `gas = Ar`")] = "",
    limit: Annotated[int, Query(ge=1, le=MOST_SHOTS)] = 1000,
) -> Shots:
    """Return the shots that a query finds; all without one."""
    found = ishtar.open(workspace.root).shots(q or None).numbers
    return Shots(shots=found[:limit], more=len(found) > limit)


@router.get("/shots/{shot}", dependencies=[Reader])
def read_shot(workspace: In, shot: ShotNumber, response: Response) -> Shot:
    """Return the attributes of a shot, with their corrections."""
    folder = _folder_of(workspace, shot)
    version = edits_version(folder)
    response.headers["ETag"] = f'"{version}"'
    edits = read_edits(folder)
    return Shot(
        shot=shot,
        attributes=dict(current(stated_in(folder), edits)),
        edits=[
            Edit(
                who=e.who,
                when=str(e.when),
                why=e.why,
                changes={
                    name: {"before": c.before, "after": c.after} for name, c in e.changes.items()
                },
            )
            for e in edits
        ],
        version=version,
    )


@router.post("/shots/{shot}/attributes", status_code=202)
def correct(
    workspace: In,
    person: Member,
    shot: ShotNumber,
    correction: Correction,
    response: Response,
    idempotency_key: Annotated[str, Header(max_length=200)] = "",
) -> ActState:
    """Correct attributes of a shot; its pages follow when the service has done it."""
    wanted = {**correction.model_dump(), "shot": shot}
    act = new_act("attributes", person.name, wanted, idempotency_key)
    if find(workspace, act.id) is None:
        _check_correction(_folder_of(workspace, shot), shot, correction)
    response.headers["Location"] = f"../../acts/{act.id}"
    return _submitted(workspace, act)


def _submitted(workspace: Workspace, act: Act) -> ActState:
    """Let an act wait, or return the one of its name, which must want the same."""
    there, outcome = submit(workspace, act)
    if (there.kind, there.wanted) != (act.kind, act.wanted):
        raise Problem(422, "this Idempotency-Key was used for another act: give a new one")
    return _state(workspace, there, outcome)


def _check_correction(folder: pathlib.Path, shot: int, correction: Correction) -> None:
    """Refuse at once what the coordinator would refuse later."""
    version = edits_version(folder)
    if correction.version not in (None, version):
        raise Problem(
            409,
            f"somebody has changed shot {shot} since you read it: look at it again",
            version=version,
        )
    have = current(stated_in(folder), read_edits(folder))
    check(correction.changes, new=correction.new, have=have)


@router.get("/templates", dependencies=[Reader])
def templates(workspace: In) -> list[TemplateOf]:
    """Return the templates with their parameters."""
    return [_template_of(t) for t in read_templates(workspace.templates).values() if not t.draft]


@router.get("/templates/{name}", dependencies=[Reader])
def read_template(workspace: In, name: str) -> TemplateOf:
    """Return one template with its parameters."""
    return _template_of(_template(workspace, name))


@router.post("/reruns", status_code=202)
def rerun(
    workspace: In,
    person: Member,
    wanted: Rerun,
    response: Response,
    idempotency_key: Annotated[str, Header(max_length=200)] = "",
) -> ActState:
    """Make a report with other parameters; its act says where its page is when it is done."""
    template = _template(workspace, wanted.template)
    subject = _subject(workspace, template, wanted.subject)
    fixed = SCOPE_PARAMETERS[template.scope]
    if named := sorted(set(fixed) & wanted.parameters.keys()):
        raise Problem(422, f"{named[0]} is the subject: leave it out of the parameters")
    template.values(subject, wanted.parameters)
    content = {
        "template": template.name,
        "subject": subject.key,
        "parameters": wanted.parameters,
    }
    act = new_act("rerun", person.name, content, idempotency_key)
    response.headers["Location"] = f"acts/{act.id}"
    return _submitted(workspace, act)


def _template(workspace: Workspace, name: str) -> Template:
    found = read_templates(workspace.templates)
    if name not in found or found[name].draft:
        hint = did_you_mean(name, found) or ": GET /api/v1/templates lists them"
        raise Problem(404, f"there is no template {name!r}{hint}")
    return found[name]


def _template_of(template: Template) -> TemplateOf:
    fixed = SCOPE_PARAMETERS[template.scope]
    return TemplateOf(
        name=template.name,
        title=template.title,
        scope=template.scope,
        parameters=[
            ParameterOf(
                name=p.name,
                type=p.annotation,
                kinds=list(p.kinds),
                choices=list(p.choices),
                default=p.default,
                unit=p.unit,
                meaning=p.meaning,
                low=p.low,
                high=p.high,
                less_than=p.below,
            )
            for p in template.parameters
            if p.name not in fixed
        ],
    )


def _subject(workspace: Workspace, template: Template, text: str) -> Subject:
    """Return the subject of a report, by the scope of its template."""
    with Catalogue(workspace.catalogue) as catalogue:
        if template.scope == "day":
            if text not in catalogue.days():
                raise Problem(422, f"{text!r} is not a day with shots: write it as 2026-11-22")
            return Subject.day(text)
        known = catalogue.shots()
    if template.scope == "range":
        return range_of(text, known, template.name)
    numbers = select(text, known)
    if len(numbers) != 1:
        raise Problem(422, f"{text!r} names {len(numbers)} shots: give one")
    return Subject.shot(numbers[0])


@router.get("/acts/{name}")
def read_act(workspace: In, person: Member, name: str) -> ActState:
    """Return an act of yours, and what became of it; operators see those of all."""
    found = find(workspace, name)
    if found is None or (found[0].who != person.name and not person.may("operator")):
        raise Problem(404, f"there is no act {name} of {person.name}: see its Location")
    return _state(workspace, *found)


def _folder_of(workspace: Workspace, shot: int) -> pathlib.Path:
    folder = workspace.shot_folder(shot)
    if not folder.is_dir():
        raise Problem(404, f"there is no shot {shot}: GET /api/v1/shots lists them")
    return folder


def _state(workspace: Workspace, act: Act, outcome: Outcome) -> ActState:
    service = None
    if outcome.state == "waiting":
        status = read_status(workspace)
        seen = status.holder.written if status.holder else None
        service = Service(
            state=status.state,
            since=None if seen is None else datetime.fromtimestamp(seen, UTC).isoformat(),
        )
    result: Mapping[str, Any] = outcome.result
    return ActState(
        **asdict(act),
        state=outcome.state,
        detail=outcome.detail,
        result=dict(result),
        published="page" in result and (workspace.site / str(result["page"])).is_file(),
        service=service,
    )


def _answer_problems(app: FastAPI) -> None:
    """Answer every refused request with a problem document."""

    @app.exception_handler(Problem)
    def problem(_: Request, error: Problem) -> Response:
        return error.response()

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> Response:
        errors = [
            {"where": "/".join(map(str, e["loc"])), "what": str(e["msg"])} for e in error.errors()
        ]
        said = "; ".join(f"{e['where']}: {e['what']}" for e in errors[:5])
        return Problem(422, f"{said}: correct it", errors=errors[:100]).response()

    @app.exception_handler(HTTPException)
    def refused(_: Request, error: HTTPException) -> Response:
        known = {
            404: "there is nothing at this address: see openapi.json",
            405: "this address knows other methods: see openapi.json",
        }
        detail = known.get(error.status_code, str(error.detail))
        return Problem(error.status_code, detail, headers=error.headers).response()

    @app.exception_handler(IshtarError)
    def ours(_: Request, error: IshtarError) -> Response:
        wrong = isinstance(error, WRONG)
        said = str(error).replace("new=True adds", '"new": true adds')
        problem = Problem(422 if wrong else 503, said)
        if isinstance(error, AttributeEditError) and error.name:
            problem.more["name"] = error.name
        return problem.response()
