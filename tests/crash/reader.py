"""A reader of the site who never stops: every page whole, every link to something that is there."""

from __future__ import annotations

import json
import random
import re
import threading
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

PAUSE_S = 0.02
STEPS = 6  # links that are followed, one after the other, from the home page
PNG_END = b"IEND\xaeB`\x82"


class Links(HTMLParser):
    """Collects the addresses that a page refers to, and whether its elements are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.closed = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note ``href``, ``src`` and the target of a refresh."""
        given = {name: value or "" for name, value in attrs}
        self.found += [given[name] for name in ("href", "src") if given.get(name)]
        if tag == "meta" and given.get("http-equiv", "").lower() == "refresh":
            self.found += re.findall(r"url=(.+)", given.get("content", ""))

    def handle_endtag(self, tag: str) -> None:
        """Note that the page has an end."""
        self.closed |= tag == "html"


def links(page: Path, text: str) -> list[Path]:
    """Return the local files that a page refers to."""
    parser = Links()
    parser.feed(text)
    parser.close()
    if not parser.closed:
        raise ValueError("no </html>")
    found = []
    for address in parser.found:
        parts = urlsplit(address)
        if not parts.scheme and not parts.netloc and parts.path:
            target = page.parent / unquote(parts.path)
            found.append(target / "index.html" if parts.path.endswith("/") else target)
    return found


@dataclass
class Reader(threading.Thread):
    """Walks from the home page along links of its own choice, over and over.

    A link is broken where its target is not there and the page, read once more, is the same as
    before: who loads the page at that moment and follows the link finds nothing.
    """

    site: Path
    seed: int
    pages: int = 0
    files: int = 0
    seen: set[Path] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(daemon=True, name="a reader")
        self._random = random.Random(self.seed)
        self._done = threading.Event()

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        """Read until told to stop."""
        while not self._done.wait(PAUSE_S):
            self.walk()

    def stop(self) -> None:
        """End the walk."""
        self._done.set()
        self.join()

    def walk(self) -> None:
        """Follow some links from the home page, or from a page seen before (a bookmark)."""
        page = self.site / "index.html"
        if self.seen and self._random.random() < 0.3:
            page = self._random.choice(sorted(self.seen))
        for _ in range(STEPS):
            targets = self.read(page)
            pages = [t for t in targets if t.suffix == ".html"]
            if not pages:
                return
            page = self._random.choice(pages)

    def read(self, page: Path) -> list[Path]:
        """Read a page and what it shows; return where its links lead."""
        for _ in range(3):
            try:
                text = page.read_text(encoding="utf-8")
            except FileNotFoundError:
                return []  # taken away; whoever linked to it was asked about it
            self.pages += 1
            try:
                targets = links(page, text)
            except ValueError as problem:
                self._complain(f"{page} is not whole: {problem}")
                return []
            missing = [t for t in targets if not t.is_file()]
            if not missing:
                self.seen.add(page.resolve())
                self._look(targets)
                return targets
            if self._same(page, text) and (gone := [t for t in missing if not t.is_file()]):
                self._complain(f"{page} leads to {gone[0]}, which is not there")
                return targets
        return []  # it changes faster than one can read

    def _same(self, page: Path, text: str) -> bool:
        try:
            return page.read_text(encoding="utf-8") == text
        except FileNotFoundError:
            return False

    def _look(self, targets: list[Path]) -> None:
        """Open one of the pictures, notebooks or data files that a page leads to."""
        others = [t for t in targets if t.suffix in (".png", ".ipynb", ".json")]
        if not others:
            return
        path = self._random.choice(others)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return  # the page has changed meanwhile: the next look at it will tell
        self.files += 1
        whole = content.endswith(PNG_END) if path.suffix == ".png" else _is_json(content)
        if not whole:
            self._complain(f"{path} is not whole")

    def _complain(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True


def read_all(site: Path) -> list[str]:
    """Read every page of a site that nobody writes any more; return what is wrong."""
    reader = Reader(site=site, seed=0)
    for page in sorted(site.rglob("*.html")):
        reader.read(page)
    return reader.problems
