"""Who runs the testbed, as the pages name it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Facility:
    """Name and links of the facility, from ``[facility]`` and ``[site]`` of ``ishtar.toml``."""

    name: str = "Ishtar"
    tagline: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    jupyterhub: str = ""
