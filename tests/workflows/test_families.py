import json

import numpy as np
import pandas as pd
import pytest

from hstore.errors import InputError
from hstore.thermo import plateau_pressure_bar
from hstore_data.curated import curated_table
from hstore_workflows.families.page import render, write_families
from hstore_workflows.families.plots import link_plots, map_plots
from hstore_workflows.families.points import COLUMNS, FAMILIES, PLATEAU, measured_points, screened_points
from hstore_workflows.families.summary import delivery_window_k, shipped_sides, sides


@pytest.fixture(scope="module")
def shipped():
    return shipped_sides()


def test_every_point_of_the_curated_tables_is_there_with_its_source(shipped):
    points = shipped.points
    assert tuple(points.columns) == COLUMNS
    assert len(points) == len(curated_table("hydrides").frame) + len(curated_table("sorbents").frame)
    assert set(points["family"]) == set(FAMILIES)
    assert (points["source"].str.len() > 3).all()
    assert (points["kind"] == "measured").all()


def test_a_hydride_stands_where_its_plateau_is_at_one_bar(shipped):
    own = shipped.points[shipped.points["temperature_is"] == PLATEAU]
    assert len(own) > 100
    pressure = plateau_pressure_bar(
        own["desorption_enthalpy_kj_per_mol_h2"], own["desorption_entropy_j_per_mol_h2_k"], own["temperature_k"]
    )
    assert pressure == pytest.approx(np.ones(len(own)), rel=1e-9)


def test_uptakes_on_the_sorbent_are_brought_to_the_whole(shipped):
    table = curated_table("sorbents").frame
    row = table[table["mass_basis"] == "sorbent"].iloc[0]
    own = shipped.points[shipped.points["family"] == "sorbent"].iloc[row.name]
    assert own["material"] == row["name"]
    assert own["capacity_wt_pct"] == pytest.approx(100 * row["h2_uptake_wt_pct"] / (100 + row["h2_uptake_wt_pct"]))


def test_counts_within_the_window_are_those_of_the_points(shipped):
    table = shipped.table().set_index("family")
    low, high = delivery_window_k()
    assert (low, high) == (233.15, 358.15)
    for family in FAMILIES:
        own = shipped.points[(shipped.points["family"] == family) & shipped.points["temperature_k"].notna()]
        inside = own[(own["temperature_k"] >= low) & (own["temperature_k"] <= high)]
        assert table.loc[family, "in_window"] == inside["material"].nunique()
        if len(inside):
            assert table.loc[family, "best_in_window_wt_pct"] == inside["capacity_wt_pct"].max()
            assert table.loc[family, "best_in_window_source"] in set(inside["source"])


def test_crossings_hold_points_of_both_families(shipped):
    rows = shipped.crossings().to_dict("records")
    assert {row["quantity"] for row in rows} >= {"capacity_wt_pct", "temperature_k"}
    for row in rows:
        own = shipped.points[shipped.points["family"] == row["family"]][row["quantity"]].dropna()
        assert row["cross"] == (row["from"] <= row["to"])
        assert row["points_of_family"] == own.between(row["from"], row["to"]).sum()


def test_links_are_rank_correlations_with_intervals_around_them(shipped):
    from scipy.stats import spearmanr

    table = curated_table("sorbents").frame
    cold = table[table["temperature_k"].between(75, 80) & (table["pressure_bar"] >= 20)]
    known = cold[["bet_area_m2_g", "h2_uptake_wt_pct"]].dropna()
    link = next(
        k for k in shipped.links if k.outcome == "uptake at 77 K from 20 bar" and k.descriptor == "bet_area_m2_g"
    )
    assert link.rank_correlation == pytest.approx(spearmanr(*known.to_numpy().T).statistic, abs=1e-9)
    assert link.rows == len(known)
    for k in shipped.links:
        assert k.interval[0] <= k.rank_correlation + 0.1
        assert k.interval[1] >= k.rank_correlation - 0.1
        assert k.is_clear == (np.sign(k.interval[0]) == np.sign(k.interval[1]))


def test_plots_are_plain_json_and_know_all_families(shipped):
    maps = map_plots(shipped)
    assert [trace["name"] for trace in maps[0].data] == list(FAMILIES)
    assert [trace["name"] for trace in maps[1].data] == list(FAMILIES[:3]), "sorbents have no heats in the table"
    for plot in (*maps, *link_plots(shipped)):
        assert json.loads(plot.json)["data"]


def test_hostile_names_are_harmless(shipped):
    points = shipped.points.copy()
    points.loc[0, ["material", "source"]] = "<script>alert(1)</script>"
    points.loc[0, ["temperature_k", "capacity_wt_pct"]] = 300.0, 99.0
    text = render(sides(points))
    assert "<script>alert" not in text
    assert "alert(1)" in text


def test_the_folder_holds_tables_figures_and_a_page_of_its_own(hstore, tmp_path):
    done = hstore("explain", "families", "--out", "sides", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert [row["family"] for row in told["families"]] == list(FAMILIES)
    folder = tmp_path / "sides"
    assert {path.name for path in folder.iterdir()} == {
        "points.csv", "families.csv", "crossings.csv", "links.csv", "families.html",
        "release.png", "bond.png", "states.png", "descriptors.png",
    }  # fmt: skip
    assert len(pd.read_csv(folder / "points.csv")) == told["points"]
    page = (folder / "families.html").read_text()
    assert page.count('data-plot="families-') == 5
    assert "http://" not in page.split("<script>")[0]
    again = hstore("explain", "families", "--out", "sides")
    assert again.exit_code == 2
    assert "is not empty" in again.stderr


def test_candidates_of_a_screen_are_added_as_predictions(tmp_path):
    table = pd.DataFrame({
        "formula": ["LaNi5", "MgH2", "XeF2"], "family": ["interstitial", "ionic", "interstitial"],
        "in_domain": [True, True, False], "h2_capacity_wt_pct_mean": [1.4, 7.5, 3.0],
        "desorption_enthalpy_kj_per_mol_h2_mean": [30.0, 75.0, 10.0],
        "temperature_1bar_k_mean": [285.0, 555.0, 9.0],
    })  # fmt: skip
    table.to_parquet(tmp_path / "candidates.parquet")
    points = screened_points(tmp_path)
    assert points["material"].tolist() == ["LaNi5", "MgH2"], "outside the domain nothing is believed"
    assert set(points["kind"]) == {"predicted"}
    both = pd.concat([measured_points(), points], ignore_index=True)
    written = write_families(tmp_path / "out", both)
    assert "2 predicted points" in next(written.text())
    assert written.sides.table().equals(shipped_sides().table()), "the table is of measured values alone"


def test_what_is_no_screen_is_refused(tmp_path):
    with pytest.raises(InputError, match="finished hstore screen"):
        screened_points(tmp_path)
    pd.DataFrame({"formula": ["Li3N"]}).to_parquet(tmp_path / "candidates.parquet")
    with pytest.raises(InputError, match="no capacity"):
        screened_points(tmp_path)
