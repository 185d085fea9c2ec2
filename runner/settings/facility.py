"""Who runs the testbed, as the pages name it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LOGO_TYPES = (".svg", ".png", ".jpg", ".webp")


@dataclass(frozen=True, kw_only=True)
class Facility:
    """Who they are and where they are to be found, from ``[facility]`` of ``ishtar.toml``.

    Attributes
    ----------
    name, tagline : in the header and at the foot of each page.
    links : at the foot of each page, address by text.
    jupyterhub : address of a notebook on a hub; ``{subject}``, ``{template}`` and ``{notebook}``
        are filled in.
    url : where the site is to be found, for feeds, which need whole addresses.
    logo : an image file of the workspace, in place of the mark.
    """

    name: str = "Ishtar"
    tagline: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    jupyterhub: str = ""
    url: str = ""
    logo: str = ""

    def __post_init__(self) -> None:
        if self.url and not self.url.lower().startswith(("http://", "https://")):
            raise ValueError(f"url = {self.url!r} must begin with http:// or https://")
        if self.logo and not self.logo.lower().endswith(LOGO_TYPES):
            raise ValueError(f"logo = {self.logo!r} must end with {' or '.join(LOGO_TYPES)}")
