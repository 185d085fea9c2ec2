"""Paths of pages in the site, and the address of one page relative to another."""

from __future__ import annotations

import hashlib
import posixpath
import re
from functools import lru_cache
from urllib.parse import quote

from runner.receipts import Receipt, Subject

HOME = "index.html"
LATEST = "latest.html"
DAYS = "days/index.html"
UNDATED = "days/undated.html"
NOT_FOUND = "404.html"
TEMPLATES = "templates/index.html"
SIGNALS = "signals/index.html"
DEVICES = "devices/index.html"
BIBLIOGRAPHY = "bibliography.html"
FEED = "shots.xml"
FAILURES_FEED = "failures.xml"
RAW = "raw"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.I)
_KEPT = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
# `index` is the list of a folder; the others are reserved on Windows, where a site may be unpacked
_TAKEN = re.compile(r"(index|con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.I)
LONGEST_SLUG = 100


def subject_page(subject: Subject) -> str:
    """Return the page of a shot or day; for a range, the list that contains it."""
    match subject.scope:
        case "shot":
            return f"shots/{subject.key}/index.html"
        case "day":
            return f"days/{subject.key}.html"
        case _:
            return DAYS


def template_page(name: str) -> str:
    """Return the page of a template; its notebook has the same path with suffix ``.ipynb``."""
    return f"templates/{slug(name)}.html"


def signal_page(name: str) -> str:
    """Return the page of a signal."""
    return f"signals/{slug(name)}.html"


def device_page(name: str) -> str:
    """Return the page of a device."""
    return f"devices/{slug(name)}.html"


def week_page(week: str) -> str:
    """Return the page of an ISO week, ``2026-W47``."""
    return f"weeks/{week}.html"


def month_page(month: str) -> str:
    """Return the page of a month, ``2026-11``."""
    return f"months/{month}.html"


def subject_folder(subject: Subject) -> str:
    """Return the folder of a subject's reports."""
    return {"shot": "shots", "day": "days", "range": "ranges"}[subject.scope] + f"/{subject.key}"


def raw_folder(number: int) -> str:
    """Return the folder of a shot's raw files in the site."""
    return f"{RAW}/{Subject.shot(number).key}"


def report_stem(receipt: Receipt) -> str:
    """Return the path of a report without suffix, which is also the folder of its figures."""
    if receipt.rerun:
        name = safe_name(receipt.template)
        return f"{subject_folder(receipt.about)}/reruns/{name}-{receipt.digest[:10]}"
    return official_stem(receipt.about, receipt.template)


def official_stem(subject: Subject, template: str) -> str:
    """Return the path of an official report without its suffix."""
    return f"{subject_folder(subject)}/{safe_name(template)}"


def safe_name(name: str) -> str:
    """Return a name as a single, unique part of a path, whatever a receipt contains."""
    if name in {"", "index", "reruns"}:
        return f"{name}~"
    return slug(name) if re.search(r"[^\w.-]", name) or name.startswith(".") else name


def slug(name: str) -> str:
    """Return a name as one part of an address: distinct names stay distinct on every file system.

    Letters, digits and ``-_.`` are kept; anything else becomes ``~x`` and its bytes. As many file
    systems ignore case, a name with capitals ends with their positions as the bits of a hexadecimal
    number: ``langmuir``, ``Lang_I~21``, ``a~x2fb``.
    """
    capitals = sum(1 << i for i, c in enumerate(name) if c.isascii() and c.isupper())
    parts = [c if c in _KEPT else _escaped(c) for c in name]
    if parts and (name[0] == "." or _TAKEN.fullmatch(name)):
        parts[0] = _escaped(name[0])
    if parts and name[-1] == ".":
        parts[-1] = _escaped(name[-1])
    text = "".join(parts) + (f"~{capitals:x}" if capitals else "")
    if len(text) > LONGEST_SLUG:
        digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:20]
        return f"{text[: LONGEST_SLUG - 30]}~h{digest}"
    return text or "~x"


def _escaped(character: str) -> str:
    return "".join(f"~x{byte:02x}" for byte in character.encode(errors="surrogatepass"))


def relative_url(page: str, target: str) -> str:
    """Return the address of ``target`` relative to ``page``.

    Both are paths in the site; ``target`` may have a ``#fragment``, or be an external address.
    """
    if _SCHEME.match(target):
        return target
    path, hash_, fragment = target.partition("#")
    if not path:
        return target
    return _relative(posixpath.dirname(page) or ".", path) + hash_ + fragment


def file_url(page: str, file: str) -> str:
    """Return the address of a file, whose name may have any character, relative to ``page``."""
    return _relative(posixpath.dirname(page) or ".", file)


@lru_cache(maxsize=4096)  # a page links to the same few addresses many times
def _relative(folder: str, path: str) -> str:
    return quote(posixpath.relpath(path, folder), errors="surrogateescape")
