"""What the raw values of a TDMS channel mean, and in which unit: all of them, or piece by piece."""

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
    """From value ``first`` on, scaled values times ``factor`` are in the unit of the channel."""

    first: int
    scaling: Scaling
    factor: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Values:
    """What the values of a channel are; where there is a ``problem``, raw ones without a unit."""

    unit: str
    meanings: tuple[Meaning, ...]
    problem: str = ""

    @property
    def scaling(self) -> Scaling:
        """What makes its first values of raw ones."""
        return self.meanings[0].scaling

    def computed(self, channel: Channel) -> bool:
        """Whether steps of the store do not tell what raw values mean, so that none are kept."""
        if len(self.meanings) > 1:
            return True
        if channel.kind == "complex":
            return self.scaling.complex_steps() is None
        return self.scaling.steps is None


def values_of(channel: Channel, spans: Iterable[Span]) -> Values:
    """Return what the raw values of a channel mean."""
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
    """Raise `ScaleError` for counts of a card that bear a unit, with nothing to make it of them."""
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
    """Raise `ScaleError` if the scales want what the channel does not have."""
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
