"""A signal on a site, as its user sees it: like one of a workspace, as far as the site keeps it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, overload

from ishtar.remote.samples import NotKept, TileSamples
from ishtar.signals.samples import Sampled, ScaledSamples
from ishtar.signals.signal import Signal, Story

if TYPE_CHECKING:
    import xarray


def _nothing() -> None:
    """Nobody plans by what was read of a site."""


class RemoteSignal(Signal):
    """A signal of a shot on a published site; indexing and `envelope` are as usual.

    `stride` says how fine it is kept: 1 is single samples, which `load` and `values` read. What
    only the raw files know (`raw`, `sigma`, `quality`, `mean`) is a `NotKept` error.
    """

    def __init__(
        self,
        samples: Sampled,
        story: Story,
        *,
        tell: Callable[[], Story],
        window: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(samples, story, on_read=_nothing, window=window)
        self._tell = tell

    @property
    def stride(self) -> int:
        """Samples in the shortest stretch that the site keeps; 1: single samples."""
        samples = self._samples
        while isinstance(samples, ScaledSamples):
            samples = samples.source
        assert isinstance(samples, TileSamples)
        return samples.stride

    def __getitem__(self, key: slice) -> RemoteSignal:
        return self._as_remote(super().__getitem__(key))

    def to(self, unit: str) -> RemoteSignal:
        """Return the signal in another unit; nothing is read."""
        return self._as_remote(super().to(unit))

    def _as_remote(self, other: Signal) -> RemoteSignal:
        return RemoteSignal(other.samples, other.story, tell=self._tell, window=other._window)

    def explain(self) -> Story:
        """Return the signal's story as far as the site tells it; reads the facts of the shot."""
        return self._tell()

    @overload
    def load(self, *, sigma: Literal[False] = False) -> xarray.DataArray: ...

    @overload
    def load(self, *, sigma: Literal[True]) -> xarray.Dataset: ...

    def load(self, *, sigma: bool = False) -> xarray.DataArray | xarray.Dataset:
        """Read the selected samples, calibrated, where the site keeps single ones.

        Returns
        -------
        xarray.DataArray
            As of a workspace, without the number of clipped samples; ``attrs["precision"]`` says
            how exact values are.

        Raises
        ------
        NotKept
            The site keeps stretches of more than one sample, or ``sigma`` is asked for.
        """
        if sigma:
            raise NotKept(
                f"{self.name}: a published site keeps no uncertainty of samples: open the workspace"
            )
        return self._array(self.values(), self._attributes() | {"precision": PRECISION})

    def _attributes(self) -> dict[str, Any]:
        return super()._attributes() | {"samples_per_stretch_kept": self.stride}

    def __repr__(self) -> str:
        kept = "" if self.stride == 1 else f"; kept as extremes of {self.stride} samples"
        return super().__repr__()[:-1] + f", from a site{kept}>"


PRECISION = "1/65534 of the range of the 2048 samples around"
