"""The section ``[publish]`` of ``ishtar.toml``."""

from __future__ import annotations

from dataclasses import dataclass

RAW = ("link", "copy", "off")


@dataclass(frozen=True, kw_only=True)
class PublishSettings:
    """``[publish]``: what the site keeps, and the resolution of its traces.

    Attributes
    ----------
    tile_samples : largest number of bins in the finest level of a trace, unless these have 512
        samples or more; a signal with fewer samples can be zoomed to single ones. 0: any can.
    keep_tiles_days : age of a shot at which to remove the finer levels of its traces; 0: never.
    keep_figures_days : age of a shot at which to remove the figures of its reports, which stay in
        the notebooks; 0: never.
    results : results that come first in tables and summaries, as ``"template.name"``; the others
        follow in the order of their templates.
    raw : how raw data are published beside the pages: ``"link"`` (a copy where the disk allows no
        hard links), ``"copy"`` or ``"off"``.
    raw_url : address of ``data/shots/`` on another host, if that serves it; only the indexes of raw
        data are published then.
    parquet_every_s : largest age of the file of all scraps before the service updates it.
    """

    tile_samples: int = 262_144
    keep_tiles_days: int = 0
    keep_figures_days: int = 0
    results: tuple[str, ...] = ()
    raw: str = "link"
    raw_url: str = ""
    parquet_every_s: float = 600.0

    def __post_init__(self) -> None:
        for name in ("tile_samples", "keep_tiles_days", "keep_figures_days"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} = {getattr(self, name)} must not be negative")
        for name in self.results:
            template, dot, result = name.partition(".")
            if not (template and dot and result):
                raise ValueError(f"results: {name!r} must be a template and a result: langmuir.Te")
        if self.raw not in RAW:
            raise ValueError(f"raw = {self.raw!r} must be {' or '.join(map(repr, RAW))}")
        if self.raw_url and not self.raw_url.startswith(("http://", "https://")):
            raise ValueError(f"raw_url = {self.raw_url!r} must be an address: https://host/path")
        if self.parquet_every_s <= 0:
            raise ValueError(f"parquet_every_s = {self.parquet_every_s} must be above 0")
