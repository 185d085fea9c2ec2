"""Which shot a file belongs to, by its name."""

from __future__ import annotations

import re

from runner.ingest.errors import Rejected
from runner.ingest.settings import IngestSettings

_SHOT_IN_NAME = re.compile(r"(\d+)(?=[_\-. ]|$)")


def shot_in(name: str, settings: IngestSettings) -> int:
    """Return the shot number that a file name begins with: ``01234_Data.tdms``.

    Raises
    ------
    Rejected
        There is none, or it cannot be right.
    """
    match = _SHOT_IN_NAME.match(name)
    if match is None:
        raise Rejected(f"{name} does not begin with a shot number: ingest it with --shot N")
    return checked_shot(int(match[1]), settings)


def checked_shot(shot: int, settings: IngestSettings) -> int:
    """Return the shot number if it can be one, else raise `Rejected`."""
    if not 1 <= shot <= settings.max_shot:
        raise Rejected(
            f"{shot} is no shot number, they go from 1 to {settings.max_shot}: "
            "ingest it with --shot N"
        )
    return shot
