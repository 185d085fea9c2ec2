"""Problem documents (RFC 9457): what was wrong with a request, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

from ishtar.errors import IshtarError


class Problem(IshtarError):
    """A request that is refused.

    Parameters
    ----------
    status : int
        Of the answer.
    detail : str
        What is wrong, and what to do.
    headers : mapping, optional
        Of the answer.
    **more : JSON values
        Further members of the document.
    """

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail
        self.headers = dict(headers or {})
        self.more = more

    def response(self) -> JSONResponse:
        """Return the answer."""
        content = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.more,
        }
        return JSONResponse(
            content,
            status_code=self.status,
            headers={**self.headers, "Cache-Control": "no-store"},
            media_type="application/problem+json",
        )
