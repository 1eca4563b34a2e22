"""Readers on the real public sets: row counts, physics, agreement between columns and sets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hstore.units import BAR_PER_ATM, GAS_CONSTANT_J_PER_MOL_K, STANDARD_TEMPERATURE_K
from hstore_data.catalog import get_card, locate
from hstore_data.readers import READERS, read
from hstore_data.readers.hydride import listed_numbers

pytestmark = pytest.mark.mirror


@pytest.fixture
def load(real):
    """Read a real set, or skip when this mirror lacks it."""

    def loader(name):
        if locate(name, real) is None:
            pytest.skip(f"{name} is not in this mirror")
        return read(name, real)

    return loader


def whole(table):
    """Skip tests of exact counts where the mirror holds another part of the data."""
    if table.warnings:
        pytest.skip(table.warnings[0])
    return table


@pytest.mark.parametrize("name", sorted(READERS))
def test_row_counts_are_those_of_the_card(name, load):
    table = whole(load(name))
    assert len(table.frame) + len(table.rejects) == get_card(name).rows


@pytest.mark.parametrize(
    ("name", "most"),
    [("ml_hydpark", 0.01), ("hystor", 0.05), ("doe_hydride", 0.25), ("obelix", 0.01), ("liverpool_liion", 0.01),
     ("nasicon_na", 0.01), ("mof_h2_usable", 0.01), ("isodb_h2", 0.1), ("sorbmeta_h2_gcmc", 0.001)],
)  # fmt: skip
def test_few_rows_are_rejected_and_each_says_why(name, most, load):
    table = load(name)
    assert len(table.rejects) <= most * (len(table.frame) + len(table.rejects))
    assert all(len(reject.cause) > 10 for reject in table.rejects)


def test_ml_hydpark_pressures_obey_vant_hoff(load):
    frame = load("ml_hydpark").frame
    predicted = frame["desorption_entropy_j_per_mol_h2_k"] / GAS_CONSTANT_J_PER_MOL_K - 1e3 * frame[
        "desorption_enthalpy_kj_per_mol_h2"
    ] / (GAS_CONSTANT_J_PER_MOL_K * STANDARD_TEMPERATURE_K)
    # the set's entropies refer to 1 atm, hence ln(bar per atm); it rounds R, hence the rest
    error = (frame["ln_plateau_pressure_25c"] - np.log(BAR_PER_ATM) - predicted).abs()
    assert error.max() < 0.08


def test_lani5_is_where_the_literature_has_it(load):
    frame = load("ml_hydpark").frame
    lani5 = frame[frame["composition"] == "LaNi5"]
    assert lani5["desorption_enthalpy_kj_per_mol_h2"].median() == pytest.approx(31, abs=2)
    # 1.7 bar in desorption, about 3 in absorption; the set mixes the two
    assert 1.2 < np.exp(lani5["ln_plateau_pressure_25c"].median()) < 4


def test_liverpool_logarithms_agree_with_the_set_s_own(load, real):
    table = load("liverpool_liion")
    theirs = pd.read_csv(locate("liverpool_liion", real) / "liverpool_liion.csv")["log10_sigma"]
    ours = table.frame.set_index(table.frame["row"] - 1)["log10_conductivity_s_per_cm"]
    # some published values are rounded to two digits while the logarithm is not
    assert (ours - theirs.loc[ours.index]).abs().max() < 0.05


def test_obelix_split_and_detection_limits(load):
    frame = whole(load("obelix")).frame
    assert frame["split"].value_counts().to_dict() == {"train": 478, "test": 121}
    limits = frame.loc[frame["censored"], "log10_conductivity_s_per_cm"]
    assert limits.value_counts().to_dict() == {-10.0: 36, -8.0: 1}
    assert frame["space_group_number"].between(1, 230).all()


def test_no_liverpool_row_outside_the_mark_shares_a_composition_with_the_obelix_test_split(load):
    obelix = load("obelix").frame
    liverpool = load("liverpool_liion").frame
    test = set(obelix.loc[obelix["split"] == "test", "composition"])
    leaking = liverpool["composition"].isin(test) & ~liverpool["in_obelix_test"]
    assert not leaking.any()


def test_doe_listing_parsed_from_its_raw_cells_is_the_parsed_listing(load, real):
    load("doe_hydride")
    cells = pd.read_csv(locate("doe_hydride", real) / "doe_hydride.csv", dtype=str, keep_default_na=False)
    for raw, parsed in (
        ("enthalpy_raw", "enthalpy_kJ_molH2"),
        ("temp_raw", "temp_C"),
        ("pressure_raw", "pressure_atm"),
    ):
        ours = listed_numbers(cells[raw], ranges=raw != "pressure_raw")
        pd.testing.assert_series_equal(ours, pd.to_numeric(cells[parsed]), check_names=False)


def test_mof_capacities_fit_a_mass_basis_of_sorbent_plus_hydrogen(load):
    frame = load("mof_h2_usable").frame
    rich = frame[frame["usable_capacity_wt_pct"] > 2]
    share = rich["usable_capacity_wt_pct"] / 100
    density_g_per_l = 1000 * rich["density_g_cm3"]
    ratio = rich["usable_capacity_g_per_l"] / (share / (1 - share) * density_g_per_l)
    medians = ratio.groupby(pd.cut(100 * share, [2, 4, 6, 8, 20]), observed=True).median()
    assert medians.max() - medians.min() < 0.02
    assert frame.groupby("group")["core_mof_2019_asr"].count().sum() == len(frame)


def test_loadings_rise_with_pressure_and_fall_with_temperature(load):
    frame = load("sorbmeta_h2_gcmc").frame
    isotherms = frame.sort_values("pressure_bar").groupby(["material_class", "name", "temperature_k"])
    assert (isotherms.size() == 8).all()
    steps = isotherms["h2_loading_mol_per_l"].diff().dropna()
    assert (steps > 0).mean() > 0.99
    assert (steps < -0.1).mean() < 0.001  # mol/L; a handful of simulated points stick out
    grid = frame["temperature_k"].round(2)  # the files write 275.9 also as 275.89999
    for _, part in frame.groupby("material_class"):
        assert part.groupby(grid)["h2_loading_mol_per_l"].mean().is_monotonic_decreasing


def test_isodb_mof5_at_77_k_and_1_bar_is_near_1_3_wt_pct(load):
    frame = load("isodb_h2").frame
    near = frame[
        frame["name"].isin(["IRMOF-1", "MOF-5"])
        & frame["temperature_k"].between(76, 78)
        & frame["pressure_bar"].between(0.9, 1.1)
        & ~frame["suspect"]
    ]
    assert near["h2_uptake_wt_pct"].median() == pytest.approx(1.3, abs=0.3)
