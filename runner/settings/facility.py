"""The facility that runs the testbed, as shown on the pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LOGO_TYPES = (".svg", ".png", ".jpg", ".webp")


@dataclass(frozen=True, kw_only=True)
class Facility:
    """The section ``[facility]`` of ``ishtar.toml``.

    Attributes
    ----------
    name, tagline : in the header and footer of each page.
    links : in the footer of each page, text → address.
    jupyterhub : address of a notebook on a hub; ``{subject}``, ``{template}`` and ``{notebook}``
        are filled in.
    url : address of the site, for feeds and citations, which need absolute addresses.
    logo : an image file in the workspace, instead of Ishtar's logo.
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
