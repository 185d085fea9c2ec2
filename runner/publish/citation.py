"""How a shot is cited: a sentence for readers, and a record for catalogues of data.

The record is JSON-LD of schema.org, which search engines for data sets, DataCite's tools and
Zotero read. Reference: https://schema.org/Dataset; *Science on Schema.org*, Dataset guide 1.3.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping, Sequence
from typing import Any

from ishtar.lineage.record import digest
from runner.publish.addresses import relative_url
from runner.publish.records import ShotRecord, SourceRecord, WiringRow
from runner.publish.view_models import Citation, Link
from runner.settings.facility import Facility

TYPES = {".mat": "application/x-matlab-data"}  # those that Python does not know


def citation(
    facility: Facility, record: ShotRecord, path: str, description: str, files: Sequence[Link]
) -> Citation:
    """Return how a shot is cited.

    Parameters
    ----------
    facility : Facility
        Its name is the creator; with its ``url`` the address of the page is the identifier.
    record : ShotRecord
        The shot.
    path : str
        Path of the shot's page in the site.
    description : str
        Sentences on the shot.
    files : sequence of Link
        Files of the shot that can be downloaded.
    """
    title, version = f"Shot {record.shot}", version_of(record)
    address = _address(facility, path)
    year = f" ({record.date:%Y})" if record.date else ""
    text = f"{facility.name}{year}: {title}. Version {version}."
    return Citation(
        text=f"{text} {address}" if address else text,
        record=_without_unknown(
            {
                "@context": "https://schema.org/",
                "@type": "Dataset",
                "@id": address,
                "identifier": address,
                "url": address,
                "name": f"{title} of {facility.name}",
                "description": description,
                "creator": _organisation(facility),
                "publisher": _organisation(facility),
                "dateCreated": record.date.isoformat() if record.date else "",
                "version": version,
                "variableMeasured": [_variable(r) for r in record.wiring if not r.problem],
                "distribution": [_download(facility, path, link) for link in files],
                "isBasedOn": [_source(source) for source in record.sources],
            }
        ),
    )


def version_of(record: ShotRecord) -> str:
    """Return what identifies the values of a shot: its raw files, wiring and calibrations.

    A correction of an attribute, or a report that is made again, keeps it.
    """
    sources = sorted([s.name, s.sha256] for s in record.sources)
    signals = sorted([r.signal, r.made] for r in record.wiring)
    return digest([sources, signals])


def _address(facility: Facility, path: str) -> str:
    return f"{facility.url.rstrip('/')}/{path}" if facility.url else ""


def _organisation(facility: Facility) -> dict[str, Any]:
    found = {"@type": "Organization", "name": facility.name, "url": facility.url}
    return _without_unknown(found)


def _variable(row: WiringRow) -> dict[str, Any]:
    parts = [row.device, f"calibration {row.calibration}" if row.calibration else ""]
    return _without_unknown(
        {
            "@type": "PropertyValue",
            "name": row.signal,
            "unitText": row.unit or "1",
            "description": ", ".join(part for part in parts if part),
        }
    )


def _download(facility: Facility, path: str, link: Link) -> dict[str, Any]:
    suffix = link.href[link.href.rfind(".") :]
    return _without_unknown(
        {
            "@type": "DataDownload",
            "name": link.text,
            "contentUrl": _address(facility, link.href) or relative_url(path, link.href),
            "encodingFormat": TYPES.get(suffix) or mimetypes.guess_type(link.href)[0],
        }
    )


def _source(source: SourceRecord) -> dict[str, Any]:
    return _without_unknown(
        {
            "@type": "MediaObject",
            "name": source.name,
            "contentSize": f"{source.size} B",
            "sha256": source.sha256,
        }
    )


def _without_unknown(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value not in ("", None, [])}
