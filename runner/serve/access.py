"""Who somebody is, by the settings of ``[serve]``, and what they may do."""

from __future__ import annotations

import base64
import binascii
import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from ishtar.workspace import Workspace
from runner.serve.problems import Problem
from runner.serve.tokens import NAME, token_of
from runner.settings.serving import ROLES, ServeSettings

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
SAFE = ("GET", "HEAD", "OPTIONS")
SIGN_IN = {"WWW-Authenticate": 'Bearer realm="Ishtar"'}  # browsers do not ask people for one
PASSWORD = {"WWW-Authenticate": 'Basic realm="Ishtar: any name, and a token as the password"'}


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who is known: a name and a role."""

    name: str
    role: str

    def may(self, role: str) -> bool:
        """Return whether a role allows what this one does, too."""
        return ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True, kw_only=True)
class Access:
    """Find out who asks, and refuse requests that other web pages forged."""

    workspace: Workspace
    settings: ServeSettings

    def person(self, request: HTTPConnection) -> Person | None:
        """Return who asks, None for somebody unknown; raise `Problem` for a wrong claim."""
        if self.settings.auth == "proxy":
            return self._by_proxy(request)
        if self.settings.auth == "tokens":
            return self._by_token(request)
        return self._on_this_machine(request)

    def require(self, request: HTTPConnection, role: str) -> Person:
        """Return who asks, who must have a role."""
        person = self.person(request)
        if person is None:
            more = {"sign_in": "sign-in"} if self.settings.auth == "tokens" else {}
            raise Problem(401, self._how_to_sign_in(), headers=SIGN_IN, **more)
        if not person.may(role):
            raise Problem(
                403,
                f"{person.name} is a {person.role}, and this needs a {role}: ask an operator",
            )
        return person

    def reader(self, request: HTTPConnection) -> Person | None:
        """Return who reads; raise `Problem` unless they may."""
        if self.settings.read == "public":
            return self.person(request) if "authorization" in request.headers else None
        return self.require(request, "reader")

    def check_origin(self, request: HTTPConnection, method: str) -> None:
        """Raise `Problem` for an act that the page of another site asks for in somebody's name."""
        if method in SAFE:
            return
        host = request.headers.get("host", "")
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise Problem(403, f"{origin} is another site: send requests from pages of this one")
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Problem(403, "another site asked for this: send requests from pages of this one")

    def _how_to_sign_in(self) -> str:
        if self.settings.auth == "tokens":
            return "who are you? Send a token of `ishtar token add`: Authorization: Bearer ishtar_…"
        if self.settings.auth == "proxy":
            return "who are you? Sign in at the proxy in front of this service"
        return "this service knows nobody from other machines: set [serve] auth in ishtar.toml"

    def _on_this_machine(self, request: HTTPConnection) -> Person | None:
        host = request.headers.get("host", "").rpartition(":")
        name = host[0] if host[2].isdigit() else "".join(host)
        # a page elsewhere may let its own name point to this machine
        if name not in LOOPBACK or not _is_loopback(request):
            return None
        return Person(name=getpass.getuser(), role="operator")

    def _by_token(self, request: HTTPConnection) -> Person | None:
        given = request.headers.getlist("authorization")
        if not given:
            return None
        secret = _secret_of(given[0]) if len(given) == 1 else ""
        token = token_of(self.workspace, secret) if secret else None
        if token is None:
            raise Problem(
                401, f"this token is not known: {self._how_to_sign_in()}", headers=SIGN_IN
            )
        return Person(name=token.name, role=token.role)

    def _by_proxy(self, request: HTTPConnection) -> Person | None:
        given = request.headers.getlist(self.settings.proxy_header)
        if not given:
            return None
        address = request.client.host if request.client else ""
        if address not in self.settings.proxies:
            raise Problem(403, f"{self.settings.proxy_header} is for the proxy alone: leave it out")
        if len(given) > 1 or not NAME.fullmatch(given[0]):
            raise Problem(
                400, f"{self.settings.proxy_header} has to be one name: tell the operator"
            )
        roles: Mapping[str, str] = self.settings.roles
        return Person(name=given[0], role=roles.get(given[0], self.settings.default_role))


def _secret_of(header: str) -> str:
    """Return the token of an ``Authorization`` header, empty if there is none."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:  # as browsers ask for a password, and as netrc has it
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _is_loopback(request: HTTPConnection) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:  # a socket without an address
        return False
