"""All scraps in one Parquet file, ``data/scraps.parquet``, made from the shards."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ishtar.store import atomic_path
from runner.publish.addresses import slug
from runner.publish.data.index import INDEX, PARQUET

NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
Columns = dict[str, list[Any]]
Shards = list[tuple[str, Path]]


def update_parquet(out: Path) -> bool:
    """Write the file of all scraps if a shard is newer; return whether it was written.

    Without pyarrow, or without scraps, there is no such file.
    """
    shards = _shards(out)
    if find_spec("pyarrow") is None or not shards:
        (out / PARQUET).unlink(missing_ok=True)
        return False
    if not _is_behind(out, shards):
        return False
    _write(out / PARQUET, shards)
    return True


def _write(target: Path, shards: Shards) -> None:
    """Write the file of all scraps.

    Its columns are ``shot``, ``template``, ``name``, ``value``, ``sigma``, ``unit`` and ``text``.
    A number is in ``value`` (true is 1), anything else in ``text``.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    words = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema(
        [
            ("shot", pa.int64()),
            ("template", words),
            ("name", words),
            ("value", pa.float64()),
            ("sigma", pa.float64()),
            ("unit", words),
            ("text", pa.string()),
        ]
    )
    with (
        atomic_path(target) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        for template, path in shards:
            columns = _columns(template, json.loads(path.read_bytes()))
            writer.write_table(pa.table(columns, schema=schema))


def _is_behind(out: Path, shards: Shards) -> bool:
    """Return whether a shard is newer than the file, or the index, which a removal changes."""
    try:
        made = (out / PARQUET).stat().st_mtime_ns
    except FileNotFoundError:
        return True
    paths = [path for _, path in shards] + [out / f"{INDEX}.json"]
    return any(path.stat().st_mtime_ns > made for path in paths)


def _shards(out: Path) -> Shards:
    """Return the shards of scraps, each with its template."""
    try:
        index = json.loads((out / f"{INDEX}.json").read_bytes())
    except FileNotFoundError:
        return []
    return list(_of(out, index))


def _of(out: Path, index: dict[str, Any]) -> Iterator[tuple[str, Path]]:
    for template in sorted({s["template"] for s in index["scraps"]}):
        for path in sorted((out / "data/scraps" / slug(template)).glob("*.json")):
            yield template, path


def _columns(template: str, table: dict[str, Any]) -> Columns:
    found: Columns = {k: [] for k in ("shot", "name", "value", "sigma", "unit", "text")}
    for name, column in table["columns"].items():
        rows = zip(table["shot"], column["value"], column["sigma"], strict=True)
        for shot, value, sigma in rows:
            if value is None and sigma is None:
                continue
            number, text = _number_and_text(value)
            found["shot"].append(shot)
            found["name"].append(name)
            found["value"].append(number)
            found["sigma"].append(_number_and_text(sigma)[0])
            found["unit"].append(column["unit"])
            found["text"].append(text)
    return {"template": [template] * len(found["shot"]), **found}


def _number_and_text(value: Any) -> tuple[float | None, str | None]:
    """Return a value as (number, text)."""
    if isinstance(value, str) and value not in NOT_FINITE:
        return None, value
    return (None if value is None else NOT_FINITE.get(value, value)), None
