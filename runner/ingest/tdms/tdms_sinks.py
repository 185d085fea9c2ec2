"""Store the values of a TDMS channel: raw, computed, or as texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.store import ChannelWriter
from ishtar.store.h5_names import unique_name
from runner.ingest.context import Context
from runner.ingest.tdms.tdms_bases import Note, TimeBases
from runner.ingest.tdms.tdms_blocks import Block
from runner.ingest.tdms.tdms_objects import Channel, kept
from runner.ingest.tdms.tdms_scale import is_scale_property
from runner.ingest.tdms.tdms_time import TimeBase
from runner.ingest.tdms.tdms_values import Values

LONGEST_TEXTS = 64_000  # characters of a text channel that are kept as a property
NO_TIME = np.iinfo(np.int64).min  # numpy's "not a time"
_1904_S = int(np.datetime64("1904-01-01", "s").astype(np.int64))  # since 1970
_FURTHEST_S = np.iinfo(np.int64).max // 10**9 - 1  # from 1970, that a number of ns can tell


class Sink:
    """Stores the blocks of one channel."""

    def __init__(self, channel: Channel, note: Note) -> None:
        self.channel, self.note = channel, note

    def take(self, block: Block) -> None:
        """Store the next values."""
        raise NotImplementedError

    def finish(self) -> None:
        """Note what is known only after the last value."""


class TextSink(Sink):
    """Stores the texts of a channel as a property, if they are not too long."""

    def __init__(self, channel: Channel, context: Context, note: Note) -> None:
        super().__init__(channel, note)
        self._context = context
        self._texts: list[str] = []
        self._n_characters = 0
        self._damaged = False

    def take(self, block: Block) -> None:
        """Add the next texts."""
        if block.values is None:
            self._damaged = True
        elif isinstance(block.values, int):
            self._n_characters += block.values
        else:
            self._n_characters += sum(map(len, block.values))
            if self._n_characters <= LONGEST_TEXTS:
                self._texts += block.values

    def finish(self) -> None:
        """Store the texts, or note why not."""
        stored = self.channel.stored
        if self._damaged:
            self.note(stored, "its texts are not at the stated positions: they are not stored")
        elif self._n_characters > LONGEST_TEXTS:
            self._context.note(
                f"{stored} holds {self._n_characters} characters of text, which are not stored"
            )
        else:
            self._context.properties.setdefault("texts", {})[stored] = self._texts
        if own := kept(self.channel.properties):
            self._context.properties.setdefault("text_properties", {})[stored] = own


class _Places:
    """Yields the places of consecutive values of an irregular channel."""

    def __init__(self, channel: Channel, base: TimeBase, bases: TimeBases) -> None:
        self._base, self._n = base, 0
        self._times: Iterator[NDArray[np.float64]] = (
            bases.times(channel) if base.time is not None else iter(())
        )
        self._rest = np.empty(0)

    def next(self, n: int) -> NDArray[np.float64] | None:
        """Return the places of the next values; None if they are regular."""
        if not self._base.irregular:
            return None
        self._n += n
        if self._base.time is None:
            return self._base.places(self._n - n, n)
        parts, have = [self._rest], len(self._rest)
        while have < n:
            parts.append(next(self._times))
            have += len(parts[-1])
        whole = np.concatenate(parts)
        self._rest = whole[n:]
        return whole[:n]


class NumberSink(Sink):
    """Stores numbers: raw ones with their scale, or computed ones."""

    def __init__(
        self,
        channel: Channel,
        values: Values,
        base: TimeBase,
        bases: TimeBases,
        context: Context,
        taken: set[str],
        note: Note,
    ) -> None:
        super().__init__(channel, note)
        self._values, self._base, self._bases = values, base, bases
        self._context, self._taken = context, taken
        self._writers: dict[int | None, tuple[ChannelWriter, _Places]] = {}
        self._imaginary: ChannelWriter | None = None
        self._pending: dict[int | None, NDArray[Any]] = {}
        self._n = self._n_outside = self._n_no_time = 0
        self._computed = values.computed(channel)
        self._properties = self._own_properties()
        if values.problem:
            note(channel.stored, f"{values.problem}: stored raw, without a unit")
        if len(values.meanings) > 1:
            at = values.meanings[1].first
            note(
                channel.stored,
                f"its unit or scale changes at value {at}: stored as computed values",
            )
        if self._computed:
            self._begin_computed()
        elif channel.scalers:
            self._begin_scalers()
        elif channel.kind == "complex":
            self._begin_complex(*(values.scaling.complex_steps() or ([], [])))
        else:
            dtype = {"timestamp": np.dtype(np.int64), "nothing": np.dtype(np.float64)}
            self._begin(None, "", dtype.get(channel.kind, channel.data_type.dtype))

    def _own_properties(self) -> dict[str, Any]:
        # the scale steps express the scale properties
        is_redundant = not (self._computed or self._values.problem)
        own = {
            k: v
            for k, v in self.channel.properties.items()
            if not (is_redundant and is_scale_property(k))
        }
        ours: dict[str, Any] = {"time_base": self._base.name}
        if self.channel.kind == "timestamp":
            ours["timestamp"] = "since 1970-01-01 UTC"
        if self.channel.kind == "bool":
            ours["bool"] = True
        if self.channel.kind == "nothing":
            ours["no_data"] = True
        if self._values.problem:
            ours["scale_missing"] = self._values.problem
        if self._computed:
            ours["computed"] = self._values.scaling.kinds or "unit"
        return kept(own) | ours

    def _open(self, suffix: str, dtype: Any, **options: Any) -> ChannelWriter:
        name = self.channel.stored
        base = self._base
        return self._context.channel(
            unique_name(name + suffix, self._taken) if suffix else name,
            dtype=dtype,
            x_unit=base.x_unit,
            **{"unit": self._values.unit, "properties": dict(self._properties)} | options,
            **({"irregular": True} if base.irregular else {"t0": base.t0, "dt": base.dt}),
        )

    def _places(self) -> _Places:
        return _Places(self.channel, self._base, self._bases)

    def _begin(self, key: int | None, suffix: str, dtype: Any, **options: Any) -> None:
        options.setdefault("scale", self._values.scaling.steps or [])
        self._writers[key] = self._open(suffix, dtype, **options), self._places()

    def _begin_complex(self, real: list[Any], imaginary: list[Any]) -> None:
        self._begin(None, ".re", np.float64, scale=real)
        self._imaginary = self._open(".im", np.float64, scale=imaginary)

    def _begin_computed(self) -> None:
        if self.channel.kind == "complex":
            self._begin_complex([], [])
        else:
            self._begin(None, "", np.float64, scale=[])
        self._needs = {raw for m in self._values.meanings for raw in m.scaling.raws}

    def _begin_scalers(self) -> None:
        """Begin a channel for the first scaler of the scale, and unscaled ones for the others."""
        scalers = self.channel.scalers
        chosen = next((r for r in self._values.scaling.raws if r is not None), min(scalers))
        for number, data_type in sorted(scalers.items()):
            stamps = data_type.kind == "timestamp"
            dtype = np.dtype(np.int64) if stamps else data_type.dtype
            if number == chosen:
                self._begin(number, "", dtype)
            else:
                more = {"time_base": self._base.name, "scaler": number}
                unit = "ns" if stamps else ""
                suffix = f" [scaler {number}]"
                self._begin(number, suffix, dtype, scale=[], unit=unit, properties=more)
        if self.channel.data_type.kind != "scalers":  # one scaler, values with their own type
            self._writers[None] = self._writers[chosen]

    def take(self, block: Block) -> None:
        """Store the next values."""
        values = block.values
        if values.dtype.names:
            values = self._nanoseconds(values)
        elif self.channel.kind == "bool":
            values = (values != 0).astype(np.uint8)
        if self._computed:
            self._compute(block.key.scaler, values)
        else:
            self._store(block.key.scaler, values)

    def _store(self, key: int | None, values: NDArray[Any]) -> None:
        writer, places = self._writers[key]
        at = places.next(len(values))
        if self._imaginary is not None:
            self._imaginary.append(values.imag, at, owned=True)
            values = values.real
        writer.append(values, at, owned=True)

    def _compute(self, key: int | None, values: NDArray[Any]) -> None:
        """Compute once all scalers that are needed have values."""
        own = self.channel.scalers and len(self.channel.scalers) == 1
        keys = {key, None, *self.channel.scalers} if own else {key}
        for k in keys & (self._needs or {None}):
            waiting = self._pending.get(k)
            self._pending[k] = values if waiting is None else np.concatenate([waiting, values])
        n = min((len(self._pending[k]) if k in self._pending else 0) for k in self._needs)
        if not n:
            return
        raws = {k: self._pending[k][:n] for k in self._needs}
        self._pending = {k: self._pending[k][n:] for k in self._needs}
        out = self._scaled(raws, n)
        self._n += n
        bad = np.isnan(out)
        if bad.any():
            finite = np.logical_and.reduce([np.isfinite(r) for r in raws.values()])
            self._n_outside += int(np.count_nonzero(bad & finite))
        self._store(None, out)

    def _scaled(self, raws: dict[int | None, NDArray[Any]], n: int) -> NDArray[Any]:
        """Return the next values in the unit of the channel, each by its scaling."""
        meanings = self._values.meanings
        parts = []
        for m, after in zip(meanings, [*meanings[1:], None], strict=True):
            a = max(0, m.first - self._n)
            b = n if after is None else min(n, after.first - self._n)
            if a < b:
                parts.append(m.scaling.apply({k: r[a:b] for k, r in raws.items()}) * m.factor)
        return np.concatenate(parts)

    def _nanoseconds(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Return LabVIEW's time stamps as ns since 1970 UTC."""
        seconds = values["seconds"].astype(np.int64)
        good = (seconds < _FURTHEST_S - _1904_S) & (seconds > -_FURTHEST_S - _1904_S)
        self._n_no_time += int(np.count_nonzero(~good))
        # fractions are 2^-64 s; their upper half is enough for ns and does not overflow
        fraction = (values["fraction"] >> np.uint64(32)).astype(np.uint64) * np.uint64(10**9)
        whole = np.where(good, seconds, 0) + _1904_S
        found = whole * 10**9 + (fraction >> np.uint64(32)).astype(np.int64)
        return np.where(good, found, NO_TIME)

    def finish(self) -> None:
        """Note the number of values that became NaN or have no valid time."""
        if n := self._base.steps_back:
            self.note(self.channel.stored, f"its times ({self._base.name}) step back {n} times")
        if self._n_outside:
            self.note(
                self.channel.stored,
                f"{self._n_outside} of its values are outside the range of its scale "
                f"({self._values.scaling.kinds}): they are NaN",
            )
        if self._n_no_time:
            self.note(
                self.channel.stored,
                f"{self._n_no_time} of its time stamps are further than 292 years from 1970: "
                f"they are stored as {NO_TIME}",
            )
