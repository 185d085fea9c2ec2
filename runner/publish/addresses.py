"""Where everything is in the site, and how one page writes the address of another."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import quote

from runner.receipts import Receipt, Subject

HOME = "index.html"
LATEST = "latest.html"
DAYS = "days/index.html"
NOT_FOUND = "404.html"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.I)


def subject_page(subject: Subject) -> str:
    """Return the page of a shot or day; of a range, the list that it is in."""
    match subject.scope:
        case "shot":
            return f"shots/{subject.key}/index.html"
        case "day":
            return f"days/{subject.key}.html"
        case _:
            return DAYS


def subject_folder(subject: Subject) -> str:
    """Return the folder of the reports of a subject."""
    return {"shot": "shots", "day": "days", "range": "ranges"}[subject.scope] + f"/{subject.key}"


def report_stem(receipt: Receipt) -> str:
    """Return the path of a report without its suffix; the folder of its figures, too."""
    folder = subject_folder(receipt.of)
    name = safe_name(receipt.template)
    if receipt.rerun:
        return f"{folder}/reruns/{name}-{receipt.digest[:10]}"
    return f"{folder}/{name}"


def safe_name(name: str) -> str:
    """Return a name that is one part of a path, whatever a receipt says."""
    name = re.sub(r"[^\w.-]", "_", name).lstrip(".")
    return f"{name}_" if name in {"", "index", "reruns"} else name


def relative_url(page: str, target: str) -> str:
    """Return the address of ``target`` as ``page`` writes it.

    Both are paths in the site; ``target`` may have a ``#place``, or be an address elsewhere.
    """
    if _SCHEME.match(target):
        return target
    path, hash_, place = target.partition("#")
    if not path:
        return target
    relative = posixpath.relpath(path, posixpath.dirname(page) or ".")
    return quote(relative) + hash_ + place
