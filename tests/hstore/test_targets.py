"""System targets, their translation to the material, and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstore.errors import InputError
from hstore.targets import (
    DEFAULT_FACTOR,
    SystemFactor,
    SystemTarget,
    material_requirement,
    system_gravimetric_wt_pct,
    system_volumetric_g_per_l,
)

TARGET = SystemTarget(
    name="DOE onboard",
    year="2025",
    gravimetric_wt_pct=5.5,
    volumetric_g_per_l=40,
    delivery_temperature_k=(233.15, 358.15),
    delivery_pressure_bar=(5, 12),
    citation="a test",
)
WHOLE = SystemFactor(1, 1, 1, label="system is material", reason="limit")

fractions = st.floats(0.05, 1)


def test_the_requirement_by_hand():
    factor = SystemFactor(0.5, 0.8, 0.5, label="half", reason="a test")
    requirement = material_requirement(TARGET, factor)
    assert requirement.usable_capacity_wt_pct == pytest.approx(11)
    assert requirement.usable_capacity_g_per_l == pytest.approx(100)
    assert requirement.label == "half"
    assert requirement.possible


def test_a_system_of_nothing_but_material_asks_for_the_target_itself():
    requirement = material_requirement(TARGET, WHOLE)
    assert requirement.usable_capacity_wt_pct == 5.5
    assert requirement.usable_capacity_g_per_l == 40


@given(fractions, fractions, fractions)
def test_a_material_at_the_requirement_meets_the_target(mass, volume, packing):
    factor = SystemFactor(mass, volume, packing)
    requirement = material_requirement(TARGET, factor)
    assert requirement.usable_capacity_wt_pct >= 5.5
    assert requirement.usable_capacity_g_per_l >= 40
    back = system_volumetric_g_per_l(requirement.usable_capacity_g_per_l, factor)
    assert back == pytest.approx(40)
    if requirement.possible:
        assert system_gravimetric_wt_pct(requirement.usable_capacity_wt_pct, factor) == pytest.approx(5.5)


def test_a_target_that_even_hydrogen_cannot_meet_is_marked():
    assert not material_requirement(TARGET, SystemFactor(mass_fraction=0.05)).possible


def test_system_values_of_many_materials():
    assert system_gravimetric_wt_pct([0, 5, np.nan], WHOLE)[:2].tolist() == [0, 5]
    assert np.all(system_volumetric_g_per_l(np.array([10.0, 100.0])) < [10, 100])


def test_the_default_factor_is_labelled_as_an_assumption():
    assert "assumed" in DEFAULT_FACTOR.label
    assert "stated assumption" in DEFAULT_FACTOR.reason
    assert material_requirement(TARGET).label == DEFAULT_FACTOR.label


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gravimetric_wt_pct": 0}, "gravimetric_wt_pct of a target must be above 0 and at most 100, got 0"),
        ({"volumetric_g_per_l": -40}, "volumetric_g_per_l of a target must be above 0, got -40"),
        (
            {"delivery_pressure_bar": (12, 5)},
            r"delivery_pressure_bar must be \(lowest, highest\), got \(12, 5\)",
        ),
        (
            {"delivery_temperature_k": (-40, 85)},
            "delivery_temperature_k of a target must be above 0, got -40",
        ),
    ],
)
def test_impossible_targets_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        replace(TARGET, **changes)


@pytest.mark.parametrize("field", ["mass_fraction", "volume_fraction", "packing_fraction"])
@pytest.mark.parametrize("value", [0, -0.1, 1.2])
def test_impossible_fractions_are_refused(field, value):
    with pytest.raises(InputError, match=f"{field} of a system factor must be above 0 and at most 1"):
        SystemFactor(**{field: value})
