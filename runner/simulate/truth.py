"""The truth of a shot, in a separate file that only tests and benchmarks read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from runner.simulate import instruments as ins
from runner.simulate.campaign import Campaign, Setup
from runner.simulate.discharge import MODES, Discharge
from runner.simulate.tip import PLASMA_DENSITY, probe_attributes

DECIMATION: Final = 10
"""Every tenth value of the model's grid: 1 ms."""


def write_truth(path: Path, campaign: Campaign, setup: Setup, plasma: Discharge) -> None:
    """Write ``NNNNN_truth.h5``: datasets over `time`, each with its `unit`; settings as attributes.

    Without a plasma, `T_e` and `V_p` are NaN. With hot electrons, `T_e` is the temperature of the
    cold ones and `n_e` the density of all.
    """
    import h5py

    burning = plasma.ne > PLASMA_DENSITY
    series: Mapping[str, tuple[Any, str]] = {
        "T_e": (np.where(burning, plasma.te, np.nan), "eV"),
        "n_e": (plasma.ne, "1/m^3"),
        "V_p": (np.where(burning, plasma.vp, np.nan), "V"),
        "mode": (plasma.mode, ""),
        "H_Pfwd": (plasma.helicon_fwd_w, "W"),
        "H_Pref": (plasma.helicon_ref_w, "W"),
        "IC_Pfwd": (plasma.icrf_fwd_w, "W"),
        "IC_Pref": (plasma.icrf_ref_w, "W"),
        "BigCoil_I": (plasma.big_coil_a, "A"),
        "SmallCoil_I": (plasma.small_coil_a, "A"),
        "B": (plasma.b_tesla, "T"),
        "Ngas_P": (plasma.pressure_pa, "Pa"),
        "Bdot_U": (ins.bdot_dbm(np.hypot(plasma.bdot_icrf_v, plasma.bdot_helicon_v)), "dBm"),
    }
    with h5py.File(
        path, "w", libver="earliest"
    ) as f:  # no timestamps in the file: reproducible bytes
        f.attrs.update(
            {
                "shot": setup.number,
                "seed": campaign.seed,
                "trigger": setup.trigger.isoformat(timespec="milliseconds"),
                "gas": setup.gas,
                "program": setup.program,
                "flaw": setup.flaw or "",
                "clock_offset_s": campaign.clock_offset_s,
                "probe_radius_m": ins.PROBE_RADIUS_M,
                "probe_length_m": ins.PROBE_LENGTH_M,
                "probe_position_cm": setup.probe_cm,
                "helicon_hz": setup.helicon_hz,
                "icrf_hz": setup.icrf_hz,
                "modes": ", ".join(f"{i} {m}" for i, m in enumerate(MODES)),
                **probe_attributes(campaign, setup, plasma),
            }
        )
        t = f.create_dataset("time", data=plasma.t[::DECIMATION])
        t.attrs["unit"] = "s"
        for name, (values, unit) in series.items():
            dtype = np.int8 if name == "mode" else np.float32
            d = f.create_dataset(
                name, data=values[::DECIMATION].astype(dtype), compression="gzip", shuffle=True
            )
            d.attrs["unit"] = unit
