"""Hypothesis for this folder: the same examples every run, and no clock.

The first example of a test pays for loading CoolProp or pymatgen, seconds on a busy machine.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "hstore", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("hstore")
