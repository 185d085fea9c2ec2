"""The synthetic testbed: simulated shots in the files of LabVIEW, PLC and generator.

::

    from runner.simulate import Campaign, demo_campaign, simulate
    simulate(demo_campaign(), Path("incoming"))
"""

from runner.simulate.campaign import FLAWS, PROBES, Campaign, SimulationError, demo_campaign
from runner.simulate.other_formats import archive_of, write_archive, write_lvm
from runner.simulate.tdms_files import truncate
from runner.simulate.weeks import three_weeks
from runner.simulate.write import simulate, simulate_shot

__all__ = [
    "FLAWS",
    "PROBES",
    "Campaign",
    "SimulationError",
    "archive_of",
    "demo_campaign",
    "simulate",
    "simulate_shot",
    "three_weeks",
    "truncate",
    "weeks",
    "write_archive",
    "write_lvm",
]
