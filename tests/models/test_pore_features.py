"""Descriptors of pores: definitions, limits, missing columns."""

import numpy as np
import pytest

from hstore_models.features.pores import PORE_DESCRIPTORS, pore_feature_names, pore_features

MOF_5 = (0.6, 3600.0, 2160.0, 0.8, 1.32, 15.0, 7.8)
NONPOROUS = (2.0, 0.0, 0.0, 0.0, 0.0, 2.0, 1.0)


def described(*frameworks):
    columns = dict(zip(PORE_DESCRIPTORS, np.array(frameworks).T, strict=True))
    values, names = pore_features(columns)
    return [dict(zip(names, row, strict=True)) for row in values]


def test_names_differ_and_start_with_the_given_columns():
    names = pore_feature_names()
    assert names[: len(PORE_DESCRIPTORS)] == PORE_DESCRIPTORS
    assert len(set(names)) == len(names)


def test_features_are_finite_for_a_nonporous_framework():
    assert np.isfinite(list(described(NONPOROUS)[0].values())).all()


def test_definitions():
    found = described(MOF_5)[0]
    assert found["framework_volume_cm3_g"] == pytest.approx(1 / 0.6)
    assert found["probe_void_fraction"] == pytest.approx(0.792)
    assert found["skeleton_density_g_cm3"] == pytest.approx(3.0)
    assert found["hydraulic_diameter_A"] == pytest.approx(4 * 0.8 / 2160e4 * 1e8)
    assert found["void_volume_cm3_g"] + found["skeleton_volume_cm3_g"] == pytest.approx(1 / 0.6)


def test_the_swing_is_what_is_held_charged_but_not_discharged():
    found = described(MOF_5)[0]
    assert found["swing_g_per_l"] == pytest.approx(found["charged_g_per_l"] - found["discharged_g_per_l"])
    assert found["swing_mg_per_g"] * 0.6 == pytest.approx(found["swing_g_per_l"])
    assert 20 < found["swing_g_per_l"] < 45


def test_void_without_surface_holds_gas_alone():
    bare = described((0.6, 0.0, 0.0, 0.8, 1.32, 15.0, 7.8))[0]
    assert bare["charged_g_per_l"] == pytest.approx(31.0 * 0.8)


def test_narrow_pores_keep_more():
    wide, narrow = described(MOF_5, (*MOF_5[:5], 5.0, 4.0))
    assert narrow["discharged_g_per_l"] > wide["discharged_g_per_l"]


def test_what_is_not_known_stays_missing():
    found = described((np.nan, *MOF_5[1:]))[0]
    assert np.isnan(found["framework_volume_cm3_g"])
    assert np.isfinite(found["window_to_cavity"])
