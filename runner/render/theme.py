"""The theme: its files, its template environment, and its assets under hashed names.

::

    theme/pages/*.html      one template for each kind of page
    theme/notebook/*.html   the body of a report, made from an executed notebook
    theme/assets/*          styles, scripts, the mark; published as assets/<stem>.<hash>.<suffix>,
                            without comments
    theme/vendor/*          third-party assets, made by ``make vendor`` and never committed

Every page loads ``ishtar.css`` and ``ishtar.js``; pages that name other packaged assets load these
as well. A workspace may have a folder of the same structure: its files replace packaged files of
the same name, and every page loads its additional styles and scripts last.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ishtar.errors import IshtarError
from runner.settings.bundled import bundled

if TYPE_CHECKING:
    from jinja2 import Environment


_COMMENT_LINE = re.compile(r"/\*((?!\*/).)*\*/")


class ThemeError(IshtarError, OSError):
    """The theme, or a part of it, is missing."""


def theme_folder() -> Path:
    """Return the packaged theme: in the wheel, or next to the packages in a checkout."""
    folder = bundled("theme")
    if not (folder / "pages").is_dir():
        raise ThemeError(f"the theme is missing in {folder}: install ishtar again")
    return folder


@dataclass(frozen=True)
class Theme:
    """The folders of a theme; the first takes precedence."""

    folders: tuple[Path, ...]

    @classmethod
    def load(cls, override: Path | None = None) -> Theme:
        """Return the packaged theme, preceded by the theme of a workspace if it has one."""
        packaged = theme_folder()
        if override is not None and override.is_dir() and override.resolve() != packaged.resolve():
            return cls((override, packaged))
        return cls((packaged,))

    def file(self, name: str) -> Path:
        """Return the file of a name such as ``assets/ishtar.css``."""
        for folder in self.folders:
            if (folder / name).is_file():
                return folder / name
        raise ThemeError(f"the theme has no {name}: install ishtar again")

    @cached_property
    def assets(self) -> Mapping[str, Path]:
        """All assets by name, packaged ones first."""
        # files of the first folder replace those of the others
        found: dict[str, Path] = {}
        for folder in reversed(self.folders):
            found.update(_assets_in(folder))
        return found

    @property
    def own_assets(self) -> list[str]:
        """Names of the assets that a workspace adds."""
        packaged = _assets_in(self.folders[-1])
        return [name for name in self.assets if name not in packaged]

    @cached_property
    def contents(self) -> Mapping[str, bytes]:
        """What is published of each asset: of our own styles and scripts without comments."""
        ours = self.folders[-1] / "assets"
        return {
            name: _without_comments(path) if path.parent == ours else path.read_bytes()
            for name, path in self.assets.items()
        }

    @cached_property
    def asset_names(self) -> Mapping[str, str]:
        """The published name of each asset, which changes with its content."""
        published = {}
        for name, content in self.contents.items():
            digest = hashlib.sha256(content).hexdigest()[:10]
            path = self.assets[name]
            published[name] = f"{path.stem}.{digest}{path.suffix}"
        return published

    def digest(self, part: str) -> str:
        """Return the digest of all templates of one part (``notebook`` or ``pages``)."""
        hasher = hashlib.sha256()
        for folder in self.folders:
            for path in sorted((folder / part).glob("*.html")):
                hasher.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        return hasher.hexdigest()

    @property
    def environment(self) -> Environment:
        """The template environment: escapes all text; unknown names raise."""
        return _environment(self.folders)


def _assets_in(folder: Path) -> dict[str, Path]:
    """Return the assets of one folder of a theme, third-party ones first."""
    found = [p for part in ("vendor", "assets") for p in sorted((folder / part).glob("*"))]
    return {p.name: p for p in found if p.is_file() and not p.name.startswith(".")}


def _without_comments(path: Path) -> bytes:
    """Return a style or script of ours without comment lines and indentation; others as they are.

    Minifiers that know Python change the texts in template literals. Here a test compares tokens.
    """
    if path.suffix not in (".css", ".js"):
        return path.read_bytes()
    kept = []
    in_comment = False
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.strip()
        if in_comment or (text.startswith("/*") and "*/" not in text):
            in_comment = "*/" not in text
        elif text and not text.startswith("//") and not _COMMENT_LINE.fullmatch(text):
            kept.append(text)
    return ("\n".join(kept) + "\n").encode()


@cache
def _environment(folders: tuple[Path, ...]) -> Environment:
    # cached for the life of the process, as compiling templates costs more than rendering them;
    # jinja notices edited templates
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from runner.render import format as fmt

    environment = Environment(
        loader=FileSystemLoader([str(folder) for folder in folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        day=fmt.day_text,
        seconds=fmt.seconds_text,
        size=fmt.size_text,
        time=fmt.time_text,
        unit=fmt.unit_text,
    )
    environment.globals["csp_hash"] = _csp_hash
    return environment


def _csp_hash(text: str) -> str:
    """Return the hash that allows one inline style or script in a Content-Security-Policy."""
    digest = hashlib.sha256(str(text).encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
