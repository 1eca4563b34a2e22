"""Isotherms of a lab: units, order, tables, doubts."""

from __future__ import annotations

import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hstore.capacity import hydride_amounts_from, hydrogen_to_metal
from hstore.errors import InputError
from hstore.formula import parse_amounts
from hstore.records import Access, Scope
from hstore.store.isotherms import IsothermFilter
from hstore.store.lab_records import Author
from hstore.units import H2_MOLAR_MASS_G_PER_MOL
from hstore_workflows.measure import mending
from hstore_workflows.measure.isotherm_tables import read_isotherms
from hstore_workflows.measure.isotherm_units import UPTAKE_UNITS, pressure_scale, uptake_scale
from hstore_workflows.measure.isotherms import ToldIsotherm, take_isotherms
from hstore_workflows.measure.rows import Unusable

NORTH = Scope(lab_id="north")
POINTS = ((0.1, 1.0), (1.0, 2.0), (10.0, 3.0))
only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def told(points=POINTS, **fields):
    fields = {"formula": "C", "uptake_kind": "excess", "mass_basis": "sorbent", "temperature_k": 77.0} | fields
    return ToldIsotherm(points, fields.pop("temperature_k"), fields.pop("uptake_kind"), **fields)


@pytest.fixture
def tell(store):
    """Tell isotherms in the name of a lab."""

    def tell(*isotherms, lab="north"):
        access = Access(lab_id=lab, visibility="lab")
        return take_isotherms(
            store, isotherms, access=access, author=Author(lab), scope=Scope(lab_id=lab)
        ).verdicts

    return tell


def test_uptakes_become_wt_pct():
    moles = 0.1 * H2_MOLAR_MASS_G_PER_MOL
    factors = {
        "wt%": 1,
        "mmol/g": moles,
        "mol/kg": moles,
        "cm3(STP)/g": moles / 22.413969545,
        "mg/g": 0.1,
        "g/g": 100,
    }
    assert {unit: uptake_scale(unit, {}).factor for unit in factors} == pytest.approx(factors)
    assert set(factors) | {"H/M"} == set(UPTAKE_UNITS)
    with pytest.raises(InputError, match="uptake_unit must be one of wt%"):
        uptake_scale("ccm", {})


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.floats(0.01, 3.0), st.sampled_from(["LaNi5", "TiFe", "Mg2Ni"]))
def test_hydrogen_per_metal_is_what_the_hydride_has(ratio, formula):
    amounts = parse_amounts(formula)
    per_host = ratio * uptake_scale("H/M", amounts).factor
    hydride = hydride_amounts_from(amounts, per_host / (1 + per_host / 100))
    assert hydrogen_to_metal(hydride) == pytest.approx(ratio)


def test_hydrogen_per_metal_needs_metal():
    with pytest.raises(InputError, match="needs the formula of the host"):
        uptake_scale("H/M", {"H": 2.0})


def test_pressures_become_bar():
    factors = {"bar": 1, "mbar": 1e-3, "atm": 1.01325, "MPa": 10, "kPa": 0.01, "Pa": 1e-5, "torr": 1.01325 / 760}
    assert {unit: pressure_scale(unit).factor for unit in factors} == pytest.approx(factors)
    with pytest.raises(InputError, match="got 'psi'"):
        pressure_scale("psi")


def test_an_isotherm_is_stored_in_bar_and_wt_pct_and_once(store, tell):
    given_ = told(((1, 10), (0.1, 4), (10, 20)), pressure_unit="atm", uptake_unit="mmol/g", mass_basis=None)
    (first,), (again,) = tell(given_), tell(given_)
    assert (first.verdict, again.verdict, again.record_id) == ("stored", "duplicate", first.record_id)
    assert "points put in the order of their pressures" in first.notes
    stored = store.isotherms.get(first.record_id, scope=NORTH).isotherm
    assert [p for p, _ in stored.points] == pytest.approx([0.101325, 1.01325, 10.1325])
    assert [u for _, u in stored.points] == pytest.approx([0.806352, 2.01588, 4.03176])
    assert (stored.mass_basis, stored.material_id) == ("sorbent", "lab:north:C")
    assert store.isotherms.page(IsothermFilter(), scope=Scope(lab_id="south")) == []


BAD = [
    (told(formula=""), "names no material"),
    (told(formula="Xx"), "unknown element"),
    (told(material_id="south:x"), "no material 'south:x' that you may see"),
    (told(POINTS[:2]), "3 to 5000 points, got 2"),
    (told(((1.0, 2.0),) * 5001), "got 5001"),
    (told(((0.0, 0.0), *POINTS)), "leave the point at zero pressure out"),
    (told((*POINTS, (1.0, 2.5))), "pressure 1 bar stands twice"),
    (told((*POINTS, (2.0,))), "point 4 must be a pressure and an uptake"),
    (told((*POINTS, (2.0, float("nan")))), "point 4 must be"),
    (told(pressure_unit="psi"), "pressure_unit must be one of"),
    (told(uptake_unit="ccm"), "uptake_unit must be one of"),
    (told(mass_basis=None), "mass_basis is needed for wt%"),
    (told(uptake_unit="mmol/g", mass_basis="sorbent_plus_h2"), "say sorbent or host"),
    (told(branch="up"), "unknown branch 'up'"),
    (told(uptake_kind="net"), "uptake_kind"),
    (told(temperature_k=-1.0), "temperature_k"),
    (Unusable(17, "C", "no number"), "no number"),
]


@only_sqlite
def test_an_isotherm_that_cannot_be_used_says_why_and_stops_no_other(store, tell):
    *bad, good = tell(*(one for one, _ in BAD), told())
    assert good.verdict == "stored"
    for (one, cause), verdict in zip(BAD, bad, strict=True):
        assert (verdict.verdict, cause in verdict.cause) == ("rejected", True), (one, verdict.cause)
    assert len(store.isotherms.page(IsothermFilter(), scope=NORTH)) == 1


@only_sqlite
def test_what_can_hardly_be_true_waits_until_it_is_confirmed(store, tell):
    high = told(((0.1, 10), (1, 20), (10, 30)))
    falling = told(((0.1, 1), (1, 6), (10, 2)), uptake_kind="total")
    negative = told(((0.1, -5), (1, 1), (10, 2)))
    held = tell(high, falling, negative, told(((0.1, 1), (1, 6), (10, 2)), note="excess may fall"))
    assert [v.verdict for v in held] == ["held", "held", "held", "stored"]
    for verdict, word in zip(
        held, ("check uptake_unit", "only an excess uptake does", "check the zero"), strict=False
    ):
        assert word in verdict.cause
    assert mending.confirm(store, store.isotherms, held[0].record_id, author=Author("north"))
    assert store.isotherms.get(held[0].record_id, scope=NORTH).isotherm.points[-1] == (10.0, 30.0)
    assert tell(told(((0.1, 10), (1, 20), (10, 31)), confirmed=True))[0].verdict == "stored"


def table(text):
    return read_isotherms(io.BytesIO(text.encode()))


def test_of_two_unlikely_ones_under_one_name_the_second_does_not_take_the_place_of_the_first(store, tell):
    first, other = [(p, u + 30) for p, u in POINTS], [(p, u + 40) for p, u in POINTS]
    verdicts = tell(told(first, row_id="a"), told(other, row_id="a"), told(first, row_id="a"))
    assert [verdict.verdict for verdict in verdicts] == ["held", "rejected", "duplicate"]
    (held,) = store.isotherms.held("north")
    assert held.record["points"] == [list(point) for point in first]


def test_a_table_may_state_what_its_points_share_above_the_header():
    (one,) = table(
        "# formula: C\n# temperature_c: -196.15\n# uptake_kind: excess\n# a remark\n"
        "pressure_kPa,uptake_cm3_stp_g\n10,100\n100,200\n\n1000,300\n"
    )
    assert (one.formula, one.pressure_unit, one.uptake_unit) == ("C", "kpa", "cm3(STP)/g")
    assert one.temperature_k == pytest.approx(77.0)
    assert one.points == [(10.0, 100.0), (100.0, 200.0), (1000.0, 300.0)]


def test_rows_that_agree_in_all_but_their_point_are_one_isotherm():
    text = "formula,temperature_k,uptake_kind,branch,pressure,pressure_unit,uptake,uptake_unit\n"
    for branch, uptake in (("adsorption", 1), ("desorption", 2)):
        text += "".join(f"C,77,excess,{branch},{p},bar,{uptake},wt%\n" for p in (1, 2, 3))
    up, down = table(text)
    assert (up.branch, down.branch, len(up.points), down.points[0]) == ("adsorption", "desorption", 3, (1.0, 2.0))


def test_one_bad_point_refuses_its_isotherm_alone():
    head = "formula,temperature_k,uptake_kind,pressure_bar,uptake_wt_pct\n"
    good, bad, lacking = table(f"{head}C,77,excess,1,2\nTiFe,77,excess,1,much\nMgH2,77,,1,2\n")
    assert good.points == [(1.0, 2.0)]
    assert bad == Unusable(2, "TiFe", "uptake_wt_pct must be a number, got 'much'")
    assert "uptake_kind is needed" in lacking.cause


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("data_x\n_adsorp_p 1\n", "AIF file holds no isotherm"),
        ("formula,uptake_wt_pct,temperature_k\nC,1,77\n", "gives the pressure"),
        ("formula,pressure_bar,temperature_k\nC,1,77\n", "gives the uptake"),
        ("formula,pressure_bar,uptake_wt_pct\nC,1,2\n", "gives the temperature"),
        ("pressure_bar,pressure_atm,uptake_wt_pct,temperature_k\n1,1,2,77\n", "exactly one column gives"),
        ("pressure,uptake_wt_pct,temperature_k\n1,2,77\n", "pressure_unit must be one of"),
        ("pressure_bar,uptake,temperature_k\n1,2,77\n", "uptake_unit must be one of"),
        ("pressure_bar,uptake_ccm,temperature_k\n1,2,77\n", "got 'ccm'"),
        ("row_id,pressure_bar,uptake_wt_pct,temperature_k\n" + "".join(f"{i},1,2,77\n" for i in range(101)),
         "over 100 isotherms"),
    ],
    ids=["AIF", "pressure", "uptake", "temperature", "twice", "no unit", "no uptake unit", "unit", "many"],
)  # fmt: skip
def test_a_table_that_holds_no_isotherms_is_refused_as_a_whole(text, cause):
    with pytest.raises(InputError, match=cause):
        table(text)
