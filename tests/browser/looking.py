"""What the browser tests share: a server, an open page that must behave, pages of every kind."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from tests.remote_fakes import serving as serving_folder

ROOT = Path(__file__).parents[2]
SHOTS = Path(__file__).parent / "shots"
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"  # `make vendor`
PHONE, DESKTOP = (390, 844), (1280, 900)


@contextmanager
def serving(site: Path) -> Iterator[str]:
    """Serve a site below ``/lab/shots of 2026/``, as `ishtar serve` does; give its address."""
    with serving_folder(site, below="/lab/shots of 2026") as address:
        yield f"{address}/"


@dataclass
class Seen:
    """What a page did that it should not."""

    base: str
    troubles: list[str] = field(default_factory=list)

    def watch(self, page: Any) -> None:
        page.on("console", lambda m: self._note(page, f"console: {m.text}"))
        page.on("pageerror", lambda e: self._note(page, f"error: {e}"))
        page.on("requestfailed", lambda r: self._failed(page, r))
        page.on("request", lambda r: self._request(page, r.url))
        page.on("dialog", lambda d: (self._note(page, f"dialog: {d.message}"), d.dismiss()))
        page.on(
            "response",
            lambda r: self._note(page, f"{r.status}: {r.url}") if r.status >= 400 else None,
        )

    def _failed(self, page: Any, request: Any) -> None:
        # a lazy picture is given up when the next page is opened
        if request.failure != "net::ERR_ABORTED":
            self._note(page, f"failed request: {request.url} ({request.failure})")

    def _request(self, page: Any, url: str) -> None:
        if not url.startswith((self.base, "data:")):
            self._note(page, f"asked elsewhere: {url}")

    def _note(self, page: Any, text: str) -> None:
        self.troubles.append(f"{unquote(page.url).removeprefix(unquote(self.base))}: {text}")


def open_page(chromium: Any, seen: Seen, size: tuple[int, int], *, dark: bool = False) -> Any:
    """Return a page of a size that is watched."""
    page = chromium.new_page()
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme="dark" if dark else "light")
    seen.watch(page)
    return page


def until(page: Any, true: str) -> None:
    """Wait for a condition; playwright's own waiting needs an eval that the pages forbid."""
    end = time.monotonic() + 60  # which only ends a hang
    while not page.evaluate(true):
        assert time.monotonic() < end, f"{true} – {page.inner_text('main')[:600]}"
        page.wait_for_timeout(20)


def violations(page: Any, *, only: str = "") -> list[str]:
    """Return what axe finds wrong with a page, or what one of its rules does."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    rules = f", runOnly: ['{only}']" if only else ""
    found = page.evaluate(
        f"axe.run(document, {{resultTypes: ['violations'], preload: false{rules}}})"
    )
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found["violations"]]


# pages -------------------------------------------------------------------------------------------


def kind_of(path: str) -> str:
    """Return the kind of a page: its path without numbers, digests and names of declared things."""
    path = re.sub(r"^(signals|devices|templates)/(?!index\.html).*", r"\1/NAME.html", path)
    path = re.sub(r"\d{4}-W\d\d", "WEEK", path)
    return re.sub(r"-[0-9a-f]{10}\.|\d+", "#", path)


def pages_of(site: Path) -> list[str]:
    """Return all pages of a site."""
    return sorted(p.relative_to(site).as_posix() for p in site.rglob("*.html"))


def samples(site: Path, each: int) -> list[str]:
    """Return up to so many pages of each kind: the largest, then from the first to the last."""
    kinds: dict[str, list[str]] = {}
    for path in pages_of(site):
        kinds.setdefault(kind_of(path), []).append(path)
    chosen: dict[str, None] = {}
    for paths in kinds.values():
        chosen[max(paths, key=lambda p: (site / p).stat().st_size)] = None
        for k in range(each - 1):
            chosen[paths[round(k * (len(paths) - 1) / max(1, each - 2))]] = None
    return list(chosen)


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag in {"a", "link", "script", "img"} and (to := found.get("href") or found.get("src")):
            self.links.append(to)
        if found.get("id"):
            self.ids.add(str(found["id"]))


def follow(site: Path, start: str = "index.html") -> tuple[set[str], list[str]]:
    """Follow all links from a page; return the files that are reached, and what is broken."""
    read: dict[str, _Links] = {}
    reached, waiting, places = {start}, [start], []
    broken = []
    while waiting:
        path = waiting.pop()
        if not path.endswith(".html"):
            continue
        read[path] = _Links()
        read[path].feed((site / path).read_text(encoding="utf-8"))
        for link in read[path].links:
            parts = urlsplit(urljoin(f"http://site/{path}", link))
            if parts.netloc != "site":
                continue
            target = unquote(parts.path).lstrip("/")
            if not (site / target).is_file():
                broken.append(f"{path}: {link}")
                continue
            if parts.fragment and "=" not in parts.fragment and target.endswith(".html"):
                places.append((path, target, unquote(parts.fragment)))
            if target not in reached:
                reached.add(target)
                waiting.append(target)
    broken += [f"{p}: {t}#{place}" for p, t, place in places if place not in read[t].ids]
    return reached, broken
