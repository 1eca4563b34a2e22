"""Targets: the shipped ones say what their sources say, and a wrong file is refused before any work."""

from __future__ import annotations

from importlib import resources

import pytest

from hstore.errors import HstoreError, InputError, UnknownNameError
from hstore.records import Family
from hstore_workflows.target import FAMILIES_OF_KIND, Target, load_target, shipped_targets

MINE = """\
title = "Mine"
kind = "hydride"
families = ["interstitial"]
description = "A test."
[swing]
charge_pressure_bar = 30.0
charge_temperature_k = 298.15
discharge_pressure_bar = 2.0
discharge_temperature_k = 333.15
reason = "a test"
[requirement]
h2_capacity_wt_pct = 1.5
reason = "a test"
"""

DOE = """\
[system_target]
table = "doe_onboard_targets"
year = "2025"
shown = ["ultimate"]
[system_factor]
mass_fraction = 0.5
volume_fraction = 0.7
packing_fraction = 0.6
"""


@pytest.fixture
def mine(tmp_path):
    """Load a target from TOML text."""

    def load(text):
        path = tmp_path / "mine.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_target(str(path))

    return load


def test_the_four_targets_of_the_design_are_shipped():
    assert shipped_targets() == ["cryo-sorbent", "electrolyte", "onboard", "stationary"]


@pytest.mark.parametrize("name", ["cryo-sorbent", "electrolyte", "onboard", "stationary"])
def test_shipped_target_makes_sense(name):
    target = load_target(name)
    assert target.name == name
    assert set(target.families) <= FAMILIES_OF_KIND[target.kind]
    if target.swing:  # hydrogen is taken up at high pressure and given back at low pressure or warmer
        assert target.swing.charge_pressure_bar > target.swing.discharge_pressure_bar
        assert target.swing.charge_temperature_k <= target.swing.discharge_temperature_k
        assert target.swing.reason
    assert Target.model_validate_json(target.model_dump_json()) == target


def test_onboard_asks_what_doe_asks_of_the_system():
    """DOE light-duty targets: 4.5, 5.5 and 6.5 wt% and 30, 40 and 50 g/L of the system; 85 degC at most."""
    target = load_target("onboard")
    systems = target.system_targets()
    assert [systems[y].gravimetric_wt_pct for y in ("2020", "2025", "ultimate")] == [4.5, 5.5, 6.5]
    assert [systems[y].volumetric_g_per_l for y in ("2020", "2025", "ultimate")] == [30, 40, 50]
    assert target.swing.discharge_temperature_k == systems["2025"].delivery_temperature_k[1] == 358.15


def test_what_a_system_asks_is_more_of_the_material():
    target = load_target("onboard")
    factor = target.system_factor
    wt_pct, g_per_l = target.capacity_requirement()
    assert wt_pct == pytest.approx(5.5 / factor.mass_fraction)
    assert g_per_l == pytest.approx(40 / (factor.volume_fraction * factor.packing_fraction))
    requirements = target.material_requirements()
    assert requirements["2020"].usable_capacity_wt_pct < wt_pct < requirements["ultimate"].usable_capacity_wt_pct


def test_stationary_asks_of_the_material_itself():
    target = load_target("stationary")
    assert target.capacity_requirement() == (1.5, 80.0)
    assert target.system_targets() == target.material_requirements() == {}


def test_own_target_is_named_after_its_file_unless_it_says_so(mine):
    assert mine(MINE).name == "mine"
    assert mine('name = "winter"\n' + MINE).name == "winter"
    assert mine(MINE).swing.as_swing().discharged.temperature_k == 333.15


def test_shipped_file_copied_by_a_user_is_the_same_target(mine):
    for name in shipped_targets():
        text = (resources.files("hstore_workflows") / "targets" / f"{name}.toml").read_bytes()
        assert mine(text).model_copy(update={"name": name}) == load_target(name)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("title = ", "not valid TOML"),
        (b"\xff\xfe\x00binary", "not valid TOML"),
        ("", "title: Field required"),
        (MINE.replace("30.0", "-30.0"), "swing.charge_pressure_bar: Input should be greater than 0, got -30"),
        (MINE.replace("298.15", "nan"), "swing.charge_temperature_k"),
        (MINE.replace("298.15", "1e9"), "swing.charge_temperature_k"),
        (MINE.replace("discharge_pressure_bar", "discharge_pressure"), "discharge_pressure"),
        (MINE.replace("h2_capacity_wt_pct = 1.5", "h2_capacity_wt_pct = 26"), "less than or equal to 25"),
        (MINE.replace("h2_capacity_wt_pct = 1.5", ""), "asks for no capacity"),
        (MINE.replace('"hydride"', '"battery"'), "kind"),
        (MINE.replace('"interstitial"', '"sorbent"'), "families of a hydride target are one or more of complex"),
        (MINE.replace('"interstitial"', '"interstitial", "electrolyte"'), "families of a hydride target"),
        (MINE.replace('["interstitial"]', "[]"), "families of a hydride target"),
        (MINE.replace('"interstitial"', '"alloy"'), "families.0"),
        (MINE.split("[swing]", maxsplit=1)[0] + "[requirement]" + MINE.split("[requirement]")[1], r"a \[swing\]"),
        (MINE.split("[requirement]", maxsplit=1)[0], r"a \[system_target\] or a \[requirement\]"),
        (MINE + DOE.split("[system_factor]", maxsplit=1)[0], "go together"),
        (MINE + DOE.replace('"2025"', '"2099"'), "unknown DOE target year '2099'; did you mean '20"),
        (MINE + DOE.replace('["ultimate"]', '["ultimat"]'), "did you mean 'ultimate'"),
        (MINE + DOE.replace("0.5", "1.5"), "system_factor.mass_fraction"),
        (MINE.replace('"hydride"', '"electrolyte"').replace("interstitial", "electrolyte"), "log10_conductivity"),
    ],
)
def test_wrong_file_is_refused_with_the_place_of_the_error(mine, text, cause):
    with pytest.raises(InputError, match=cause):
        mine(text)


@pytest.mark.parametrize("name", ["onbord", "onboard.toml", "missing/mine.toml", "", "."])
def test_unknown_name_lists_what_is_shipped(name):
    with pytest.raises(UnknownNameError, match="cryo-sorbent, electrolyte, onboard, stationary"):
        load_target(name)


def test_close_match_comes_first():
    with pytest.raises(HstoreError, match="did you mean 'stationary'"):
        load_target("stationery")


def test_every_family_belongs_to_one_kind():
    listed = [family for families in FAMILIES_OF_KIND.values() for family in families]
    assert sorted(listed) == sorted(Family)
