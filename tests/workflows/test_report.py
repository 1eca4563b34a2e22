from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from hstore.hydride import swing_margins
from hstore.thermo import ln_plateau_pressure, ln_plateau_pressure_std
from hstore_models.conductivity import ArrheniusLaw
from hstore_models.features.electrolyte import electrolyte_names
from hstore_models.features.hydride import hydride_names
from hstore_models.features.magpie import MAGPIE_NAMES
from hstore_workflows.report import render_report
from hstore_workflows.report.asked import charge_bound_log10_bar
from hstore_workflows.report.curves import (
    conductivity_curves,
    enthalpy_entropy_correlation,
    plateau_curves,
    temperature_curves,
)
from hstore_workflows.report.design_map import design_map, sample
from hstore_workflows.report.importances import importance_plots
from hstore_workflows.report.intervals import interval_plots
from hstore_workflows.report.known_materials import known_rows
from hstore_workflows.report.markup import feature_words, formula_html, name_html
from hstore_workflows.report.parity import parity_plots
from hstore_workflows.report.quantities import significant
from hstore_workflows.report.requirement import factor_words, requirement_rows
from hstore_workflows.report.summary import reaching, summary
from hstore_workflows.report.tables import domain_groups, hazard_groups, reject_groups, top_rows
from hstore_workflows.target import load_target
from tests.workflows.report_result import (
    BUILDERS,
    HOSTILE,
    Z_90,
    electrolyte_result,
    hostile_result,
    hydride_result,
)

KINDS = tuple(BUILDERS)
SECTIONS = {"asked", "top", "map", "intervals", "features", "sanity", "excluded", "models", "manifest"}


class Page(HTMLParser):
    """Collects what matters of a page: identifiers, addresses, elements and the JSON of the plots."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.addresses, self.tags, self.plots, self._plot = set(), [], [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.ids |= {attrs["id"]} if "id" in attrs else set()
        self.addresses += [attrs[name] for name in ("src", "href", "srcset", "action") if name in attrs]
        self._plot = attrs.get("data-plot")

    def handle_data(self, data):
        if self._plot:
            self.plots[self._plot] = json.loads(data)

    def handle_endtag(self, tag):  # noqa: ARG002 - signature of HTMLParser
        self._plot = None


@pytest.fixture(scope="module")
def pages():
    """The report of one screen of each kind."""
    return {kind: render_report(build()) for kind, build in BUILDERS.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_page_has_all_sections_and_is_self_contained(pages, kind):
    page = Page(pages[kind])
    assert page.ids >= SECTIONS
    assert len(pages[kind].encode()) < 8_000_000
    outside = [a for a in page.addresses if not a.startswith(("#", "data:"))]
    assert set(outside) <= {"candidates.csv", "rejected.csv"}
    assert "default-src 'none'" in pages[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_plots_have_places_and_obey_plotlys_schema(pages, kind):
    import plotly.graph_objects as go

    page = Page(pages[kind])
    assert page.plots.keys() <= page.ids
    expected = {"design-map"} | ({"temperature-curves"} if kind != "sorbent" else set())
    assert page.plots.keys() >= expected
    for plot in page.plots.values():
        go.Figure(data=plot["data"], layout=plot["layout"])  # raises on an unknown or wrong field


def test_pages_of_equal_results_are_equal_but_for_the_time():
    result = hydride_result()
    later = replace(result, manifest=result.manifest | {"finished_at": "2031-12-31T23:59:59+00:00"})
    assert render_report(hydride_result()) == render_report(result)
    changed = render_report(later)
    assert changed.replace("2031-12-31T23:59:59+00:00", "2025-01-01T00:00:00+00:00") == render_report(result)


def test_texts_of_others_stay_texts():
    text = render_report(hostile_result())
    page = Page(text)
    assert "img" not in page.tags
    assert page.tags.count("script") == Page(render_report(BUILDERS["sorbent"]())).tags.count("script")
    assert "<script>window.hacked" not in text
    assert "<img" not in json.dumps(page.plots)  # plotly reads markup in its texts, so they are escaped twice over
    assert "&lt;img" in json.dumps(page.plots)


def test_json_of_a_plot_cannot_close_its_script():
    plot = design_map(hydride_result())
    text = replace(plot, layout={"title": {"text": "</script><!-- x"}}).json
    assert "</" not in text
    assert "<!" not in text
    assert json.loads(text)["layout"]["title"]["text"] == "</script><!-- x"


def test_material_requirement_stands_beside_the_system_target():
    rows = {row.year: row for row in requirement_rows(hydride_result())}
    assert list(rows) == ["2020", "2025", "ultimate"]
    assert rows["2025"].system[0] == "5.5"
    assert rows["2025"].material[0] == "11"  # half of the system's mass is material
    assert float(rows["2025"].material[1]) == pytest.approx(40 / (0.7 * 0.6), abs=0.05)
    assert [row.ranked_by for row in rows.values()] == [False, True, False]
    assert "50 %" in factor_words(hydride_result().target)


def test_requirement_without_system_target_is_said_in_words(pages):
    assert requirement_rows(electrolyte_result()) == []
    assert "At least 0.001 S/cm at 25 °C" in pages["electrolyte"]


def test_summary_says_that_nothing_reaches_the_target():
    words = " ".join(summary(hydride_result()))
    assert "<strong>9 candidates</strong> ranked" in words
    assert "3 rows could not be used" in words
    assert "<strong>None</strong> is predicted to work in the swing and to reach the 11 wt% and 95.2 g/L" in words


def test_summary_names_what_reaches_the_target():
    result = hydride_result("stationary")
    candidates = result.candidates
    wt_pct, g_per_l = result.target.capacity_requirement()
    believed = candidates[candidates["in_domain"]]
    by_hand = [
        row.formula
        for row in believed.itertuples()
        if row.p_window > 0.5
        and row.h2_capacity_wt_pct_mean >= wt_pct
        and not row.h2_density_g_per_l_mean < g_per_l
    ]
    assert by_hand  # the swing of this target is made for alloys such as LaNi5
    assert reaching(believed, result.target, wt_pct, g_per_l) == len(by_hand)
    assert f"<strong>{len(by_hand)}</strong> {'are' if len(by_hand) > 1 else 'is'} predicted" in " ".join(
        summary(result)
    )


def test_candidates_outside_the_domain_do_not_count():
    result = hydride_result("stationary")
    none = replace(result, candidates=result.candidates.assign(in_domain=False))
    words = " ".join(summary(none))
    assert "0 lie within the domain" in words
    assert "<strong>None</strong>" in words


@pytest.mark.parametrize("correlation", [-0.9, 0.0, 0.5, 0.99])
def test_correlation_is_recovered_from_the_columns_of_a_result(correlation):
    enthalpy_std, entropy_std = np.array([2.0, 8.0]), np.array([5.0, 20.0])
    ln_std = ln_plateau_pressure_std(
        358.15,
        enthalpy_std_kj_per_mol_h2=enthalpy_std,
        entropy_std_j_per_mol_h2_k=entropy_std,
        correlation=correlation,
    )
    found = enthalpy_entropy_correlation(enthalpy_std, entropy_std, ln_std, 358.15)
    np.testing.assert_allclose(found, correlation, atol=1e-9)


def test_van_t_hoff_lines_pass_through_the_predicted_plateaux():
    result = hydride_result()
    top = result.candidates.head(10)
    curves = plateau_curves(top, result.target, np.array([result.target.swing.discharge_temperature_k]))
    for (mean, std), (_, row) in zip(curves, top.iterrows(), strict=True):
        assert 10 ** mean[0] == pytest.approx(row["plateau_pressure_bar_mean"], rel=1e-9)
        assert 10 ** (mean[0] - Z_90 * std[0]) == pytest.approx(row["plateau_pressure_bar_lower"], rel=1e-6)


def test_arrhenius_lines_pass_through_the_predicted_conductivities():
    result = electrolyte_result()
    curves = conductivity_curves(result.candidates, result.target, np.array([298.15, 500.0]), correlation=0.0)
    for (mean, std), (_, row) in zip(curves, result.candidates.iterrows(), strict=True):
        assert mean[0] == pytest.approx(row["log10_conductivity_s_per_cm_mean"])
        assert std[0] == pytest.approx(row["log10_conductivity_s_per_cm_std"])
        slope = (mean[1] + np.log10(500.0) - mean[0] - np.log10(298.15)) * np.log(10) / (1 / 298.15 - 1 / 500.0)
        assert slope * 8.617333262e-5 == pytest.approx(row["activation_energy_ev_mean"])  # of sigma T
        assert std[1] > std[0]


@pytest.mark.parametrize("asked_k", [250.0, 298.15, 450.0])
def test_arrhenius_bands_are_those_of_the_model_s_joint_errors(asked_k):
    law = ArrheniusLaw(*(np.array([x]) for x in (-3.0, 0.3, 0.8, 0.06)), correlation=-0.5, strangeness=np.zeros(1))
    mean, std = law.at(np.array([asked_k]))
    row = {
        "log10_conductivity_s_per_cm_mean": mean,
        "log10_conductivity_s_per_cm_std": std,
        "activation_energy_ev_mean": law.energy_ev,
        "activation_energy_ev_std": law.energy_std,
    }
    target = electrolyte_result().target
    requirement = target.requirement.model_copy(update={"temperature_k": asked_k})
    target = target.model_copy(update={"requirement": requirement})
    grid = np.array([220.0, 298.15, 380.0, 500.0])
    ((line, band),) = conductivity_curves(pd.DataFrame(row), target, grid, -0.5)
    np.testing.assert_allclose((line, band), law.at(grid), rtol=1e-9)


def test_charge_bound_is_where_the_absorption_margin_vanishes():
    target = load_target("onboard")
    enthalpy = 31.0
    bound = charge_bound_log10_bar(enthalpy, target)
    discharge_k = target.swing.discharge_temperature_k
    at_zero_entropy = float(ln_plateau_pressure(enthalpy, 0.0, discharge_k))
    entropy = 8.31446261815324 * (bound * np.log(10.0) - at_zero_entropy)
    margins = swing_margins(enthalpy, entropy, swing=target.swing.as_swing())
    assert float(margins.absorption) == pytest.approx(0.0, abs=1e-9)


def test_map_shows_every_candidate_once_with_its_values():
    result = hydride_result()
    plot = design_map(result)
    cells = [row for trace in plot.data for row in trace.get("customdata", [])]
    assert sorted(row[1] for row in cells) == list(range(1, 10))
    lani5 = next(row for row in cells if row[0] == "LaNi<sub>5</sub>")
    assert any("1.5 (1.0 to 2.0)" in str(cell) for cell in lani5)
    labels = [note["text"] for note in plot.layout["annotations"]]
    assert "2025: 11 wt%" in labels
    assert "works in the swing" in labels


def test_map_names_requirements_that_are_off_the_scale():
    result = hydride_result()
    weak = result.candidates.assign(h2_capacity_wt_pct_mean=1.0)
    plot = design_map(replace(result, candidates=weak))
    assert "Off the scale: 2025: 11 wt%, 2020: 9 wt%, ultimate: 13 wt%" in plot.caption
    assert not any("wt%" in str(note["text"]) for note in plot.layout["annotations"])


def test_map_says_how_many_candidates_lack_a_prediction():
    assert "3 of 4 candidates are drawn; 1 lack a prediction" in design_map(BUILDERS["sorbent"]()).caption


def test_sample_keeps_best_known_and_front_and_stays_below_the_limit():
    n = 9000
    candidates = pd.DataFrame(
        {"rank": np.arange(1, n + 1), "known": np.arange(n) % 40 == 0, "pareto": np.arange(n) % 997 == 5}
    )
    drawn = sample(candidates, 4000)
    assert 3900 < len(drawn) <= 4000
    assert set(drawn["rank"]) >= set(range(1, 1001))
    assert candidates[candidates["known"] | candidates["pareto"]]["rank"].isin(drawn["rank"]).all()
    assert drawn["rank"].iloc[-1] > 8950
    assert sample(candidates.head(4000), 4000) is not drawn


def test_interval_plots_state_mean_and_both_ends():
    result = hydride_result()
    capacity, pressure = interval_plots(result)
    best = result.candidates.iloc[0]
    assert capacity.data[0]["x"][0] == pytest.approx(best["h2_capacity_wt_pct_mean"])
    assert capacity.data[0]["error_x"]["arrayminus"][0] == pytest.approx(Z_90 * 0.3, rel=1e-3)
    assert pressure.data[0]["x"][0] == pytest.approx(np.log10(best["plateau_pressure_bar_mean"]), rel=1e-4)


def test_sanity_check_counts_what_lies_inside():
    (plot,) = parity_plots(electrolyte_result())
    assert plot.caption.startswith("8 of 10 measured values (80 %)")


def test_known_materials_are_found_by_composition_or_name():
    hydrides = {str(row.name): row for row in known_rows(hydride_result())}
    assert hydrides["Ni<sub>5</sub>La"].inside
    assert not hydrides["MgH<sub>2</sub>"].inside
    assert [str(row.name) for row in known_rows(BUILDERS["sorbent"]())] == ["MOF-5, 77 K, 1 bar"]


def test_rejects_are_grouped_by_cause():
    groups = reject_groups(hydride_result())
    assert [(group.cause, group.count) for group in groups] == [
        ("unknown element … in formula …", 2),
        ("formula is empty (got …); write one such as LaNi5 or Ca(BH4)2", 1),
    ]
    assert groups[0].examples == "row 4: Xx2, row 9: Zz5"


def test_reasons_outside_the_domain_are_counted_one_by_one():
    groups = {group.cause: group for group in domain_groups(hydride_result())}
    assert groups["few training materials contain one of its elements"].examples == "Sm"
    assert groups["no training material contains one of its elements"].count == 1
    assert [group.count for group in hazard_groups(hydride_result())] == [1]


def test_top_ten_carries_remarks_and_reasons():
    rows = {str(row.name): row for row in top_rows(hydride_result())}
    last = rows["Sm<sub>2</sub><wbr>Fe<sub>17</sub><wbr>"]
    assert [kind for kind, _ in last.remarks] == ["domain", "safety", "cost"]
    assert rows["TiFe"].values[0] == ("1.8", "1.3 to 2.3")
    assert [row.rank for row in rows.values()] == list(range(1, 10))


def test_importances_are_named_in_words():
    plot = importance_plots(hydride_result())[0]
    assert plot.layout["yaxis"]["ticktext"][:2] == ["mean electronegativity", "share of Ni on the B sites"]
    assert "hold 80 %" in plot.caption


def test_absent_public_sets_are_named_with_the_command(pages):
    assert "hstore data pull hystor" in pages["hydride"]
    assert "hstore data pull" not in pages["sorbent"]


def test_report_survives_models_without_answers():
    result = BUILDERS["sorbent"]()
    predicted = [c for c in result.candidates if c.startswith(("usable", "p_"))]
    empty = replace(
        result,
        candidates=result.candidates.assign(**dict.fromkeys(predicted, np.nan)),
        sanity=result.sanity.head(0),
    )
    text = render_report(empty)
    assert "0 of 4 candidates are drawn; 4 lack a prediction" in text
    assert not re.search(r">\s*nan\b", text)


def test_temperature_curves_put_celsius_above():
    plot = temperature_curves(hydride_result())
    ticks = dict(zip(plot.layout["xaxis2"]["ticktext"], plot.layout["xaxis2"]["tickvals"], strict=True))
    assert ticks["25 °C"] == pytest.approx(1000 / 298.15, rel=1e-4)
    assert any(trace.get("xaxis") == "x2" for trace in plot.data)
    assert temperature_curves(BUILDERS["sorbent"]()) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.234, "1.2"),
        (0.0999, "0.10"),
        (9.99, "10"),
        (12345.0, "12,000"),
        (99_999.0, "1.0 · 10⁵"),
        (2.3e-20, "2.3 · 10⁻²⁰"),
        (-0.55, "−0.55"),
        (float("nan"), "–"),
        (float("inf"), "–"),
    ],
)
def test_numbers_are_rounded_to_what_they_are_worth(value, text):
    assert significant(value) == text


@pytest.mark.parametrize(
    ("formula", "html"),
    [
        ("LaNi5", "LaNi<sub>5</sub>"),
        ("Ca(BH4)2", "Ca(BH<sub>4</sub>)<sub>2</sub>"),
        ("Ti0.95Fe.05", "Ti<sub>0.95</sub>Fe<sub>.05</sub>"),
        ("Mg-5 at.% Ni", "Mg-5 at.% Ni"),
        ("A&B<i>2", "A&amp;B&lt;i&gt;2"),
    ],
)
def test_formulas_get_subscripts_and_nothing_else(formula, html):
    assert formula_html(formula) == html


def test_sorbents_are_called_by_name():
    assert name_html({"formula": "Zn4O", "material_id": "hstore:mof:MOF-5"}, "sorbent") == "MOF-5"
    assert name_html({"formula": "my sieve 3", "material_id": "row:1"}, "sorbent") == "my sieve 3"
    assert name_html({"formula": " ", "material_id": "row:1"}, "sorbent") == "row:1"


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(MAGPIE_NAMES, id="magpie"),
        pytest.param(hydride_names(), id="hydride"),
        pytest.param(electrolyte_names(), id="electrolyte"),
        pytest.param(("temperature_k", "gsa_m2_g", "lcd_A", "pore volume per area"), id="pores"),
    ],
)
def test_every_feature_has_a_name_in_words(names):
    words = [feature_words(name) for name in names]
    assert not [text for text in words if "_" in text or "MagpieData" in text]
    assert len(set(words)) == len(words)


def test_units_of_features_are_written_out():
    assert feature_words("gsa_m2_g") == "gravimetric surface area (m²/g)"
    assert feature_words("b_radius_pm") == "B radius (pm)"
    assert feature_words("MagpieData avg_dev NdValence") == "spread of d valence electrons"


def test_hostile_names_are_cut_before_they_break_a_table():
    assert len(re.sub(r"&[a-z#0-9]+;", "x", str(formula_html(HOSTILE * 5)))) == 60


def test_computed_enthalpies_stand_beside_the_predicted():
    result = hydride_result()
    frame, none = result.candidates, np.full(len(result.candidates), np.nan)
    first = frame.index[0]
    for name in ("enthalpy_kj_per_mol_h2", "enthalpy_std_kj_per_mol_h2", "above_products_ev_per_atom"):
        frame[f"computed_{name}"] = none
    frame[["computed_structure", "computed_by", "enthalpy_basis"]] = ["", "", "predicted"]
    assert 'id="computed"' not in render_report(result)
    numbers = ["computed_enthalpy_kj_per_mol_h2", "computed_enthalpy_std_kj_per_mol_h2",
               "computed_above_products_ev_per_atom"]  # fmt: skip
    frame.loc[first, numbers] = [41.2, 8.7, -0.12]
    words = ["rutile", "chgnet:d14ab7c0f093", "mean of predicted and computed"]
    frame.loc[first, ["computed_structure", "computed_by", "enthalpy_basis"]] = words
    page = render_report(result)
    assert "Computed enthalpies: 1 candidate<" in page
    assert "41 ± 9" in page
    assert "stable by 0.12 eV/atom; ranked by mean of predicted and computed" in page
