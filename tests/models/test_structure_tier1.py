"""Density, symmetry, Ewald energy and Magpie numbers of crystals, against matminer and against closed forms."""

import warnings
from itertools import product

import numpy as np
import pytest

from hstore.crystal import Crystal
from hstore.elements import SYMBOLS
from hstore.errors import InputError
from hstore_models.features.structure import close_pairs as close_pairs_module
from hstore_models.features.structure import ewald as ewald_module
from hstore_models.features.structure.close_pairs import close_pairs
from hstore_models.features.structure.density import DENSITY
from hstore_models.features.structure.ewald import COULOMB_EV_ANGSTROM, EWALD, ewald_energy
from hstore_models.features.structure.geometry import Geometry
from hstore_models.features.structure.magpie import MAGPIE
from hstore_models.features.structure.oxidation import (
    allowed_states,
    likeliest_charges,
    occurrences,
    oxidation_states,
)
from hstore_models.features.structure.radii import atomic_radii_angstrom, metallic_radii_angstrom
from hstore_models.features.structure.symmetry import SYMMETRY

FCC = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]


def crystal(edge, *sites):
    """Cubic crystal from (symbol, place) on a face-centred lattice."""
    places = [(symbol, np.add(place, centre)) for symbol, place in sites for centre in FCC]
    numbers = [SYMBOLS.index(symbol) + 1 for symbol, _ in places]
    return Crystal(np.eye(3) * edge, np.array([place for _, place in places]), np.array(numbers))


HALITE = crystal(5.64, ("Na", (0, 0, 0)), ("Cl", (0.5, 0.5, 0.5)))
LANI5 = Crystal(
    np.array([[5.017, 0, 0], [-2.5085, 5.017 * np.sqrt(0.75), 0], [0, 0, 3.986]]),
    np.array([[0, 0, 0], [1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0], [0.5, 0, 0.5], [0, 0.5, 0.5], [0.5, 0.5, 0.5]]),
    np.array([57, 28, 28, 28, 28, 28]),
)


@pytest.fixture(scope="module")
def prototypes():
    """The AFLOW prototypes that pymatgen carries, up to 24 sites, as structures and as crystals."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pymatgen.analysis.prototypes import AFLOW_PROTOTYPE_LIBRARY

        structures = [entry["snl"].structure for entry in AFLOW_PROTOTYPE_LIBRARY]
    structures = [s.copy().remove_oxidation_states() for s in structures if len(s) <= 24]
    assert len(structures) > 200
    return [(structure, Crystal.from_pymatgen(structure)) for structure in structures]


@pytest.fixture(scope="module")
def matminer():
    """Compute a featurizer of matminer for one structure; its and pymatgen's deprecations are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from matminer.featurizers import composition, structure

    def compute(featurizer, given):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return featurizer.featurize(given)

    compute.structure, compute.composition = structure, composition
    return compute


def values_of(featurizer, given):
    return featurizer.compute(Geometry(given))


def supercell(given, *, times, seed):
    """The same crystal in another cell: sheared, shifted, rotated, multiplied and with its sites shuffled."""
    rng = np.random.default_rng(seed)
    shear = np.array([[1, 1, 0], [0, 1, 0], [0, -1, 1]])
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    order = rng.permutation(len(given))
    places = (given.fractional[order] + rng.random(3)) @ np.linalg.inv(shear)
    scale = np.array([times, 1, 1])
    return Crystal(
        scale[:, None] * (shear @ given.lattice_angstrom @ rotation),
        np.concatenate([np.add(places, [k, 0, 0]) / scale for k in range(times)]),
        np.tile(given.numbers[order], times),
    )


def test_density_features_are_those_of_matminer(prototypes, matminer):
    peer = matminer.structure.DensityFeatures()
    for structure, given in prototypes:
        ours = values_of(DENSITY, given)
        if np.isnan(ours[2]):
            with pytest.raises(TypeError):  # a noble gas has no radius
                matminer(peer, structure)
        else:
            assert ours == pytest.approx(matminer(peer, structure), rel=DENSITY.tolerance), given.formula


def test_radii_are_those_of_pymatgen():
    from pymatgen.core import Element

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        elements = [Element(symbol) for symbol in SYMBOLS]
        metallic = [e.metallic_radius or e.atomic_radius for e in elements]
    for radii, expected in (
        (atomic_radii_angstrom(), [e.atomic_radius for e in elements]),
        (metallic_radii_angstrom(), metallic),
    ):
        assert radii[1:] == pytest.approx([np.nan if r is None else float(r) for r in expected], nan_ok=True)


def test_symmetry_is_that_of_matminer_but_for_one_structure_at_the_edge_of_the_tolerance(prototypes, matminer):
    peer = matminer.structure.GlobalSymmetryFeatures()
    different = []
    for structure, given in prototypes:
        number, _, system, inversion, operations = matminer(peer, structure)
        if values_of(SYMMETRY, given).tolist() != [number, system, float(inversion), operations]:
            different.append(given.formula)
    assert len(different) <= 1, different


def test_systems_and_inversion_change_at_the_right_space_groups():
    from pymatgen.symmetry.groups import SpaceGroup

    from hstore_models.features.structure.symmetry import crystal_system, is_centrosymmetric

    names = ("cubic", "hexagonal", "trigonal", "tetragonal", "orthorhombic", "monoclinic", "triclinic")
    edges = (1, 2, 3, 10, 16, 47, 75, 83, 89, 123, 143, 147, 149, 162, 168, 175, 177, 191, 195, 200, 207, 221, 231)
    for number in sorted({n for first in edges for n in (first - 1, first)} - {0, 231}):
        group = SpaceGroup.from_int_number(number)
        assert names[crystal_system(number) - 1] == group.crystal_system
        inverted = any((op.rotation_matrix == -np.eye(3)).all() for op in group.symmetry_ops)
        assert is_centrosymmetric(number) == inverted, number


def test_sites_on_top_of_each_other_have_no_symmetry_but_a_cause():
    with pytest.raises(InputError, match=r"no space group fits within 0\.01 A.*coincide"):
        values_of(SYMMETRY, Crystal(np.eye(3) * 3, np.array([[0, 0, 0], [0, 0, 0.001]]), np.array([26, 26])))


@pytest.mark.parametrize(
    ("given", "charges", "distance", "madelung"),
    [
        pytest.param(HALITE, {"Na": 1, "Cl": -1}, 2.82, 1.747564594633, id="NaCl"),
        pytest.param(
            crystal(5.41, ("Zn", (0, 0, 0)), ("S", (0.25, 0.25, 0.25))),
            {"Zn": 2, "S": -2}, 5.41 * np.sqrt(3) / 4, 4 * 1.638055053388, id="ZnS",
        ),
        pytest.param(
            Crystal(np.eye(3) * 4.12, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([55, 17])),
            {"Cs": 1, "Cl": -1}, 4.12 * np.sqrt(0.75), 1.762674773071, id="CsCl",
        ),
        pytest.param(
            crystal(5.46, ("Ca", (0, 0, 0)), ("F", (0.25, 0.25, 0.25)), ("F", (0.75, 0.75, 0.75))),
            {"Ca": 2, "F": -1}, 5.46 * np.sqrt(3) / 4, 5.038784880, id="CaF2",
        ),
    ],
)  # fmt: skip
def test_ewald_energies_are_those_of_the_madelung_constants(given, charges, distance, madelung):
    formulas = min(given.amounts.values())
    energy = ewald_energy(given, np.array([charges[symbol] for symbol in given.symbols], dtype=float))
    assert energy / formulas == pytest.approx(-COULOMB_EV_ANGSTROM * madelung / distance, rel=1e-5)
    assert values_of(EWALD, given)[0] == pytest.approx(energy / len(given))


def test_ewald_energy_is_that_of_matminer(prototypes, matminer):
    compared = 0
    default, converged = (matminer.structure.EwaldEnergy(*accuracy) for accuracy in ((), (12,)))
    for structure, given in prototypes[::3]:
        (ours,) = values_of(EWALD, given)
        states = oxidation_states(given.amounts)
        if states is None:
            assert np.isnan(ours)
            continue
        decorated = structure.copy()
        decorated.add_oxidation_state_by_element(states)
        assert ours == pytest.approx(matminer(default, decorated)[0], rel=EWALD.tolerance), given.formula
        if len(given) <= 12:
            assert ours == pytest.approx(matminer(converged, decorated)[0], rel=2e-5), given.formula
        compared += bool(ours)
    assert compared > 30


def test_ewald_energy_does_not_depend_on_the_cell(prototypes):
    for seed, (_, given) in enumerate(prototypes[::10]):
        (ours,) = values_of(EWALD, given)
        (again,) = values_of(EWALD, supercell(given, times=2, seed=seed))
        assert again == pytest.approx(ours, rel=1e-5, nan_ok=True), given.formula


def test_ewald_energy_is_undefined_without_charges_and_zero_for_an_element():
    assert np.isnan(values_of(EWALD, LANI5)[0])
    assert values_of(EWALD, crystal(3.6, ("Cu", (0, 0, 0))))[0] == 0


def test_ewald_sums_refuse_what_has_no_energy():
    with pytest.raises(InputError, match="must add to 0 in the cell, got 8"):
        ewald_energy(HALITE, np.ones(8))
    twins = Crystal(np.eye(3) * 4, np.array([[0, 0, 0], [0, 0, 1e-6]]), np.array([11, 17]))
    with pytest.raises(InputError, match="two charged sites are"):
        ewald_energy(twins, np.array([1.0, -1.0]))


@pytest.mark.parametrize("kind", ["_real_space", "_reciprocal_space"])
def test_ewald_sums_that_would_not_end_are_refused(monkeypatch, kind):
    monkeypatch.setattr(ewald_module, "_MAX_TERMS", 10)
    with pytest.raises(InputError, match=r"an Ewald sum of .* is too long"):
        getattr(ewald_module, kind)(HALITE, np.array([1.0] * 4 + [-1.0] * 4), 0.3)


def test_magpie_numbers_are_those_of_matminer(prototypes, matminer):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = matminer.composition.ElementProperty.from_preset("magpie", impute_nan=True)
    some = prototypes[::10]
    together = MAGPIE.compute_amounts([given.amounts for _, given in some])
    for row, (structure, given) in zip(together, some, strict=True):
        assert row == pytest.approx(matminer(peer, structure.composition), rel=MAGPIE.tolerance, abs=1e-12)
        assert row.tolist() == values_of(MAGPIE, given).tolist()


@pytest.mark.parametrize(
    "formula",
    [
        "NaCl", "LiFePO4", "Li7La3Zr2O12", "Li10GeP2S12", "Fe3O4", "MgH2", "NaAlH4", "Na3AlH6", "Li6PS5Cl",
        "Mg2FeH6", "LiNH2", "CuO", "TiO2", "Bi2Te3", "NH4Cl", "Na3Zr2Si2PO12", "BaCeO3", "Mg2NiH4", "LaNi5",
    ],
)  # fmt: skip
def test_guessed_states_are_those_of_pymatgen(formula):
    from pymatgen.core import Composition

    composition = Composition(formula)
    ours = oxidation_states(composition.get_el_amt_dict())
    guesses = composition.oxi_state_guesses(max_sites=-1)
    assert ours == (pytest.approx(guesses[0]) if guesses else None)
    assert ours == oxidation_states((composition * 4).get_el_amt_dict())


@pytest.mark.parametrize("formula", ["LiBH4", "MgB2H8", "CaB2H8", "NaBH4", "KNaReH9"])
def test_hydrogen_is_hydridic_where_nothing_takes_its_electron(formula):
    from pymatgen.core import Composition

    composition = Composition(formula)
    expected = composition.oxi_state_guesses(max_sites=-1, oxi_states_override={"H": [-1]})[0]
    assert oxidation_states(composition.get_el_amt_dict()) == pytest.approx(expected)
    assert expected["H"] == -1 != composition.oxi_state_guesses(max_sites=-1)[0]["H"]


def test_amounts_that_do_not_balance_alone_balance_together():
    # Bi is 3+ or 5+ or less: SbO2 needs half of the antimony in another state
    assert oxidation_states({"Sb": 1, "O": 2}) == pytest.approx({"Sb": 4, "O": -2})
    assert oxidation_states({"Sb": 0.5, "O": 1}) is None


def test_states_found_by_programming_are_as_likely_as_the_best_of_all_combinations():
    rng = np.random.default_rng(7)
    for _ in range(60):
        chosen = rng.choice(sorted(set(occurrences())), 3, replace=False).tolist()
        counts = dict(zip(chosen, rng.integers(1, 4, 3).tolist(), strict=True))
        states = {element: occurrences()[element] for element in counts}
        ways = {
            element: [
                (sum(c for c, _ in way), sum(n for _, n in way))
                for way in product(states[element].items(), repeat=n)
            ]
            for element, n in counts.items()
        }
        scores = [sum(n for _, n in way) for way in product(*ways.values()) if sum(c for c, _ in way) == 0]
        charges = likeliest_charges(counts, states)
        if charges is None:
            assert not scores
            continue
        best = sum(max(n for c, n in ways[element] if c == charges[element]) for element in counts)
        assert (sum(charges.values()), best) == (0, max(scores))


def test_states_and_their_occurrence_are_those_of_pymatgen():
    from pymatgen.core import Composition, Element, Species

    Composition("NaCl").oxi_state_guesses()  # loads the occurrences
    for symbol in SYMBOLS:
        known = Element(symbol).icsd_oxidation_states or Element(symbol).common_oxidation_states
        expected = {q: Composition.oxi_prob.get(Species(symbol, q), 0) for q in known}
        assert occurrences().get(symbol, {}) == expected, symbol
    assert allowed_states("H", (("H", 2), ("Mg", 1))) == {-1: 1}


@pytest.mark.parametrize("most", [0, 250], ids=["cell lists", "plain search"])
@pytest.mark.parametrize("cutoff", [2.0, 4.7])
def test_close_pairs_are_all_pairs(prototypes, monkeypatch, most, cutoff):
    monkeypatch.setattr(close_pairs_module, "_MOST_SITES", most)
    for seed, (structure, small) in enumerate(prototypes[::25]):
        given = supercell(small, times=1, seed=seed)
        first, second, distance = close_pairs(given, cutoff)
        expected = Crystal.to_pymatgen(given).get_neighbor_list(cutoff)[3]
        assert sorted(distance) == pytest.approx(sorted(expected)[::2], abs=1e-6), structure.formula
        metals = given.numbers == given.numbers[0]
        some = close_pairs(given, cutoff, metals)
        both = metals[first] & metals[second]
        assert sorted(some[2]) == pytest.approx(sorted(distance[both]))
        assert metals[some[0]].all()
