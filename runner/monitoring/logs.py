"""Logs as text lines or as JSON objects, one per line, with their shot and job.

::

    with logs.bound(**logs.about(subject, template)):
        logger.warning("…")  # knows its shot, template and job
    logger.info("…", extra=logs.about(subject, template))  # so does this
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Literal, TextIO

from runner.receipts import Subject

Form = Literal["text", "json"]
FORMS: tuple[Form, ...] = ("text", "json")
FIELDS = ("subject", "shot", "shots", "template", "job", "file", "state", "priority", "duration_s")
CHATTY = ("papermill", "matplotlib", "traitlets", "asyncio", "nbclient")

_bound: ContextVar[Mapping[str, object]] = ContextVar("bound", default=MappingProxyType({}))


def about(subject: Subject, template: str = "") -> dict[str, object]:
    """Return the log fields of a subject and template."""
    fields: dict[str, object] = {"subject": subject.key}
    if subject.scope == "shot":
        fields["shot"] = subject.number
    if template:
        fields |= {"template": template, "job": f"{subject.key}/{template}"}
    return fields


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Add fields to every line logged in the block; inner blocks add theirs."""
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


class JsonLines(logging.Formatter):
    """Format a record as one JSON object: time (UTC), level, logger, message, subject."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for a record."""
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{when}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        given = {**_bound.get(), **vars(record)}
        line |= {name: given[name] for name in FIELDS if name in given}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class Handler(logging.StreamHandler[TextIO]):
    """Write to the current standard error, even if it is replaced later."""

    def __init__(self, form: Form) -> None:
        logging.Handler.__init__(self)  # the stream is a property
        self.form = form
        self.setFormatter(
            JsonLines()
            if form == "json"
            else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
        )

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """The current standard error."""
        return sys.stderr


def configure(form: Form, level: int = logging.WARNING) -> None:
    """Log to standard error in this form; a second call replaces the first."""
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, Handler)]:
        root.removeHandler(handler)
    root.addHandler(Handler(form))
    root.setLevel(level)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.captureWarnings(form == "json")


def configured() -> Form | None:
    """Return the form of the logs, None if this process has not configured them."""
    forms = [h.form for h in logging.getLogger().handlers if isinstance(h, Handler)]
    return forms[0] if forms else None
