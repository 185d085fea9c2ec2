"""A simulated shot as npTDMS reads it, and its truth."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from nptdms import TdmsFile

DAQ = "PXI M6251"


class Shot:
    """A shot of a folder of raw files."""

    def __init__(self, folder: Path, number: int) -> None:
        self.tdms = TdmsFile.read(folder / f"{number:05d}_Data.tdms")
        with h5py.File(folder / "truth" / f"{number:05d}_truth.h5") as f:
            self.truth = {k: d[:] for k, d in f.items()}
            self.units = {k: d.attrs["unit"] for k, d in f.items()}
            self.attrs = dict(f.attrs)

    def volts(self, channel: str) -> np.ndarray:
        return self.tdms[DAQ][channel][:]

    def counts(self, channel: str) -> np.ndarray:
        return self.tdms[DAQ][channel].read_data(scaled=False)

    @property
    def t(self) -> np.ndarray:
        channel = self.tdms[DAQ]["Lang_U"]
        first, step = (channel.properties[f"wf_{k}"] for k in ("start_offset", "increment"))
        return first + step * np.arange(len(channel))

    def true(self, name: str, t: np.ndarray) -> np.ndarray:
        return np.interp(t, self.truth["time"], self.truth[name])
