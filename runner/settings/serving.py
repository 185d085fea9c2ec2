"""The section ``[serve]`` of ``ishtar.toml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

AUTH = ("open", "tokens", "proxy")
READ = ("public", "readers")
ROLES = ("reader", "member", "operator")
HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """``[serve]``: who may read the site, and who may act.

    Attributes
    ----------
    auth : how people are known: ``"open"``, whoever works on this machine is the operator;
        ``"tokens"``, by those of `ishtar token`; ``"proxy"``, by a header of a reverse proxy.
    read : ``"public"``, or ``"readers"``: only people who are known read the site.
    proxy_header : the header with the name of a person.
    proxies : addresses whose header is believed; the header of others is an error.
    roles : role of a person by name, with ``"proxy"``: reader, member or operator.
    default_role : role of people whom ``roles`` does not name.
    """

    auth: str = "open"
    read: str = "public"
    proxy_header: str = "X-Forwarded-User"
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    roles: Mapping[str, str] = field(default_factory=dict)
    default_role: str = "reader"

    def __post_init__(self) -> None:
        for name, choices in (("auth", AUTH), ("read", READ), ("default_role", ROLES)):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name} = {getattr(self, name)!r} must be {' or '.join(map(repr, choices))}"
                )
        for person, role in self.roles.items():
            if role not in ROLES:
                raise ValueError(f"roles: {person} = {role!r} must be one of {', '.join(ROLES)}")
        if not HEADER.fullmatch(self.proxy_header):
            raise ValueError(f"proxy_header = {self.proxy_header!r} is no name of a header")
        for address in self.proxies:
            ip_address(address)  # raises ValueError, which names the text
        if self.read == "readers" and self.auth == "open":
            raise ValueError('read = "readers" needs auth = "tokens" or "proxy"')
