"""What a query works out for all rows at once is what the rules say of each row."""

import numpy as np
import pytest

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.errors import InputError
from hstore.formula import molar_mass_g_per_mol, parse_amounts
from hstore.pairing import ALKALI, anion_class, host_amounts
from hstore_models.domain import Domain
from hstore_models.features.composition import ATOMIC_NUMBER, SYMBOLS
from hstore_models.features.elemental import elemental_column
from hstore_models.prediction import Query
from hstore_models.representation import GASES, hydride_density_g_per_l, molecular_hydrogen_ratio

FORMULAS = [
    "LaNi5", "LaNi5H6", "MgH2", "Mg2NiH4", "Mg2FeH6", "NaAlH4", "AlNaH4", "Na3AlH6", "LiAlH4", "HLi", "CaH2",
    "SrNi2", "Ca(BH4)2", "LiNH2", "LiNH2BH3", "AlH3", "LaNi4AlH4", "TiFeO0.1", "PdH0.7", "Li2Mg", "LiMg2H4",
    "Cs0.5Ti0.5", "TiFe0.85Mn0.15", "Pu0.3Ga0.7", "He2", "B2H6", "Li7La3Zr2O12",
]  # fmt: skip
SALTS = (ALKALI | {"Ca", "Sr", "Ba"}) - {"H"}


@pytest.fixture(scope="module")
def query():
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(300):
        symbols = rng.choice(SYMBOLS[1:], rng.integers(2, 7), replace=False)
        drawn.append({str(s): float(n) for s, n in zip(symbols, rng.random(len(symbols)) + 0.01, strict=True)})
    return Query.of([*map(parse_amounts, FORMULAS), *drawn])


def density_of(amounts, wt_pct):
    """Density by the words of its docstring, for one row."""
    host = host_amounts(amounts)
    salts = sum(n for el, n in host.items() if el in SALTS)
    if anion_class(amounts) or salts > 0.5 * sum(host.values()) or host.keys() & GASES or not 0 <= wt_pct < 100:
        return np.nan
    volumes = elemental_column("GSvolume_pa")
    hydrogen_g = molar_mass_g_per_mol(host) * wt_pct / (100 - wt_pct)
    volume_a3 = sum(n * volumes[ATOMIC_NUMBER[el]] for el, n in host.items())
    volume_a3 += 2.9 * hydrogen_g / ATOMIC_MASS_G_PER_MOL["H"]
    return 1000 * hydrogen_g / (0.602214076 * volume_a3)


def test_hosts_anions_and_hydrogen_are_those_of_each_row(query):
    for row, amounts in enumerate(query.amounts):
        held = query.host.present[row]
        symbols = [SYMBOLS[z] for z in query.host.atomic_numbers[row, held]]
        assert dict(zip(symbols, query.host.amounts[row, held], strict=True)) == host_amounts(amounts)
        assert symbols == list(host_amounts(amounts))
        assert query.anions[row] == anion_class(amounts)
        assert query.hydrogen[row] == amounts.get("H", 0.0)
        assert query.molecular_hydrogen[row] == molecular_hydrogen_ratio(amounts)


def test_densities_are_those_of_each_row(query):
    capacity = np.random.default_rng(1).uniform(0, 9, len(query))
    capacity[:3] = -0.1, 100.0, np.nan
    expected = [density_of(amounts, wt_pct) for amounts, wt_pct in zip(query.amounts, capacity, strict=True)]
    assert 50 < np.isfinite(expected).sum() < len(query) - 50
    np.testing.assert_allclose(hydride_density_g_per_l(query, capacity), expected, rtol=1e-12)


def test_no_row_has_no_answer():
    empty = Query.of([])
    assert (len(empty.host), len(empty.hydrogen), len(empty.anions), len(empty.molecular_hydrogen)) == (0, 0, 0, 0)
    assert hydride_density_g_per_l(empty, np.empty(0)).shape == (0,)


def test_hydrogen_alone_is_refused():
    with pytest.raises(InputError, match="hydrogen without a host"):
        _ = Query.of([{"La": 1.0, "Ni": 5.0}, {"H": 2.0}]).host


def test_reasons_name_elements_in_the_order_of_the_formula_then_conditions_then_spread():
    domain = Domain({"La": 9, "Ni": 9, "Co": 2, "Fe": 1}, {"temperature_k": (280.0, 400.0)}, 1.0)
    rows = [{"Ni": 5.0, "La": 1.0, "H": 6.0}, {"Zr": 1.0, "Co": 1.0, "Ti": 1.0, "Fe": 1.0}, {"La": 1.0}, {}]
    temperature_k = np.array([300.0, 500.0, 200.0, np.nan])
    everything = [
        "no training material contains Zr, Ti",
        "few training materials contain Co (2), Fe (1)",
        "temperature_k 500 outside 280 to 400",
        "unlike the training materials (the learners disagree)",
    ]
    reasons = domain.reasons(rows, np.array([0.5, 2.0, 1.0, 1.1]), {"temperature_k": temperature_k})
    assert reasons == [
        "",
        "; ".join(everything),
        "temperature_k 200 outside 280 to 400",
        "unlike the training materials (the learners disagree)",
    ]
    assert domain.strange(rows, {"temperature_k": temperature_k}).tolist() == [False, True, True, False]
    assert domain.reasons([], np.empty(0)) == []
