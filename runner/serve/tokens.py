"""Tokens by which programs and people are known: shown once, kept as digests, revocable."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ishtar.errors import IshtarError, did_you_mean
from ishtar.store import write_atomic
from ishtar.workspace import Workspace
from runner.settings.serving import ROLES

PREFIX = "ishtar_"  # so that scanners for secrets find one in a place where it should not be
BYTES = 32
NAME = re.compile(r"[\w.@+-]{1,100}")


class TokenError(IshtarError, ValueError):
    """A token cannot be made or revoked."""


@dataclass(frozen=True, kw_only=True)
class Token:
    """What is kept of a token."""

    name: str
    role: str
    sha256: str
    created: str


def add_token(workspace: Workspace, name: str, role: str) -> str:
    """Make a token and return it; nobody can read it again."""
    if not NAME.fullmatch(name):
        raise TokenError(f"{name!r} is no name: letters, digits and . _ @ + - are allowed")
    if role not in ROLES:
        raise TokenError(f"{role!r} is no role: give {', '.join(ROLES)}")
    tokens = read_tokens(workspace)
    if any(token.name == name for token in tokens):
        raise TokenError(f"there is a token of {name}: revoke it first, or give another name")
    secret = PREFIX + secrets.token_urlsafe(BYTES)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    token = Token(name=name, role=role, sha256=_digest(secret), created=created)
    _write(workspace, [*tokens, token])
    return secret


def revoke_token(workspace: Workspace, name: str) -> None:
    """Revoke a token, at once for all running services."""
    tokens = read_tokens(workspace)
    kept = [token for token in tokens if token.name != name]
    if len(kept) == len(tokens):
        hint = did_you_mean(name, [token.name for token in tokens])
        raise TokenError(f"there is no token of {name!r}{hint or ': see `ishtar token list`'}")
    _write(workspace, kept)


def read_tokens(workspace: Workspace) -> list[Token]:
    """Return what is kept of all tokens."""
    path = _file(workspace)
    try:
        return [Token(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError) as error:
        raise TokenError(f"{path} is damaged ({error}): remove it and add tokens again") from error


def token_of(workspace: Workspace, secret: str) -> Token | None:
    """Return the token that a secret is of, None if it is of none."""
    digest = _digest(secret)
    found = [t for t in read_tokens(workspace) if hmac.compare_digest(t.sha256, digest)]
    return found[0] if found else None


def _digest(secret: str) -> str:
    # the secret has 256 random bits: a slow hash would protect nothing more
    return hashlib.sha256(secret.encode()).hexdigest()


def _file(workspace: Workspace) -> Path:
    return workspace.root / "data" / "serve" / "tokens.json"


def _write(workspace: Workspace, tokens: list[Token]) -> None:
    path = _file(workspace)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomic(path, json.dumps([asdict(token) for token in tokens], indent=1) + "\n")
    path.chmod(0o600)
