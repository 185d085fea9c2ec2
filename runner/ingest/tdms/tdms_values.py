"""The scaling and unit of the raw values of a TDMS channel, for all or by span."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ishtar.errors import UnitError
from ishtar.store import ScaleError
from runner.ingest.tdms.tdms_objects import Channel, cleaned
from runner.ingest.tdms.tdms_scale import UNSCALED, Scaling, scale_of
from runner.ingest.tdms.tdms_spans import Span

LONGEST_UNIT = 200  # characters


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """From value ``first`` on, scaled values × ``factor`` are in the unit of the channel."""

    first: int
    scaling: Scaling
    factor: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Values:
    """The values of a channel; with a ``problem``, raw ones without a unit."""

    unit: str
    meanings: tuple[Meaning, ...]
    problem: str = ""

    @property
    def scaling(self) -> Scaling:
        """The scaling of its first values."""
        return self.meanings[0].scaling

    def computed(self, channel: Channel) -> bool:
        """Whether the store's steps cannot express the scaling, so that values are computed."""
        if len(self.meanings) > 1:
            return True
        if channel.kind == "complex":
            return self.scaling.complex_steps() is None
        return self.scaling.steps is None


def values_of(channel: Channel, spans: Iterable[Span]) -> Values:
    """Return the scaling of a channel's raw values."""
    if channel.kind == "timestamp":  # scales of a group or a file are none of theirs
        return Values(unit="ns", meanings=(Meaning(first=0, scaling=UNSCALED),))
    meanings: list[Meaning] = []
    unit = ""
    try:
        for span in spans:
            if meanings and not any(
                n == "unit_string" or n.startswith("NI_") for n in span.changed
            ):
                continue
            text = _unit(channel, span.channel.get("unit_string", ""))
            unit = unit if meanings else text
            scaling = scale_of(channel.stored, span.channel, span.group, span.file)
            _check(channel, scaling)
            _want_scale(channel, scaling, text, span)
            factor = _factor(channel, text, unit)
            if not meanings or (scaling, factor) != (meanings[-1].scaling, meanings[-1].factor):
                meanings.append(Meaning(first=span.first, scaling=scaling, factor=factor))
    except ScaleError as error:
        name = f"channel {channel.stored}"  # notes name it, and many of one problem together
        problem = str(error).replace(f"{name}: ", "").replace(name, "it")
        return Values(unit="", meanings=(Meaning(first=0, scaling=UNSCALED),), problem=problem)
    return Values(unit=unit, meanings=tuple(meanings))


def _want_scale(channel: Channel, scaling: Scaling, unit: str, span: Span) -> None:
    """Raise `ScaleError` for counts of a card with a unit but without a scale."""
    scaled = span.channel.get("NI_Scaling_Status") == "scaled"
    if channel.data_type.kind == "scalers" and unit and not scaling.nodes and not scaled:
        raise ScaleError(f"channel {channel.stored} holds raw DAQmx values in {unit!r}, unscaled")


def _unit(channel: Channel, value: Any) -> str:
    text = cleaned(str(value))
    if len(text) > LONGEST_UNIT:
        raise ScaleError(f"channel {channel.stored} has a unit of {len(text)} characters")
    return text


def _factor(channel: Channel, unit: str, first: str) -> float:
    if unit == first:
        return 1.0
    from ishtar.units import factor

    try:
        return factor(unit, first)
    except UnitError as error:
        raise ScaleError(
            f"channel {channel.stored} goes from {first!r} to {unit!r} between segments: {error}"
        ) from error


def _check(channel: Channel, scaling: Scaling) -> None:
    """Raise `ScaleError` if the channel has no values for an input of its scales."""
    scalers = channel.scalers
    have: set[int | None] = set(scalers)
    if len(scalers) < 2:
        have.add(None)
    if missing := scaling.raws - have - ({None} if not scaling.nodes else set()):
        what = "raw values" if None in missing else f"the DAQmx scaler {min(missing, key=str)}"
        raise ScaleError(f"channel {channel.stored} has a scale of {what}, which it does not have")
    if channel.kind == "complex" and not scaling.allows_complex:
        raise ScaleError(
            f"channel {channel.stored} has complex values, but a scale of real ones "
            f"({scaling.kinds})"
        )
