import numpy as np
import pytest

from hstore.errors import InputError, UnknownNameError
from hstore.formula import parse_amounts
from hstore_data.curated import curated_table
from hstore_models.features.composition import CompositionBatch
from hstore_models.features.electrolyte import (
    LATTICE_NAMES,
    ROOT_ELEMENTS,
    Lattice,
    conductor_families,
    electrolyte_features,
    electrolyte_names,
    infer_mobile_ions,
    lattice_features,
    root_fractions,
    root_names,
    why_no_ion_moves,
)


def batch_of(*formulas):
    batch, rejected = CompositionBatch.from_formulas(formulas)
    assert not rejected
    return batch


def feature(name, *formulas, **options):
    return electrolyte_features(batch_of(*formulas), **options)[:, electrolyte_names().index(name)]


def cell(a, angle=90.0, units=1.0):
    return Lattice(np.full((1, 3), a), np.full((1, 3), angle), np.array([units]))


def test_one_column_per_name():
    values = electrolyte_features(batch_of("Li7La3Zr2O12", "Li6PS5Cl", "Li3N", "Fe", "H2"))
    assert values.shape == (5, len(electrolyte_names()))
    assert len(set(electrolyte_names())) == len(electrolyte_names()) > 50
    assert not np.isinf(values).any()


def test_mobile_ions_are_inferred():
    formulas = ("Li6PS5Cl", "Na3Zr2Si2PO12", "LiNaSO4", "AgI", "LaF3", "Ce0.9Gd0.1O1.95", "TiFe")
    assert infer_mobile_ions(batch_of(*formulas)) == ["Li", "Na", "Li", "Ag", "F", "O", ""]


@pytest.mark.parametrize(
    ("formula", "ion"),
    [("La0.9Sr0.1Ga0.9Mg0.1O2.85", "O"), ("Bi2V0.9Cu0.1O5.35", "O"), ("Mg0.5Zr2(PO4)3", "Mg"), ("CaF2", "F"),
     ("KY3F10", "F"), ("Li3AlF6", "Li"), ("CsHSO4", "H"), ("KH(PO3H)", "H"), ("CaH2", "H"), ("Mg(BH4)2", "Mg"),
     ("Mg(NH2)2", "Mg"), ("LiAlH4", "Li"), ("KAg4I5", "Ag"), ("KCl", "K"), ("LiOH", "Li")],
)  # fmt: skip
def test_dopants_stay_and_hydrogen_and_fluorine_move_where_nothing_faster_does(formula, ion):
    assert infer_mobile_ions(batch_of(formula)) == [ion]


def test_the_mobile_ion_is_mostly_that_of_the_curated_rows():
    rows = curated_table("electrolytes").frame
    stated = rows["mobile_ion"].str.extract("([A-Z][a-z]?)")[0].to_numpy()
    inferred = infer_mobile_ions(CompositionBatch.from_amounts([parse_amounts(text) for text in rows["formula"]]))
    assert (stated == inferred).mean() > 0.97


def test_a_stated_mobile_ion_wins():
    assert feature("mobile_fraction", "LiNaSO4", mobile_ions=["Na"]) == pytest.approx([1 / 7])
    assert feature("mobile_fraction", "TiFe") == pytest.approx([0])
    with pytest.raises(UnknownNameError, match="unknown mobile ion 'Xx'"):
        feature("mobile_fraction", "LiNaSO4", mobile_ions=["Xx"])
    with pytest.raises(InputError, match="one mobile ion per material is needed: 1, got 2"):
        feature("mobile_fraction", "LiNaSO4", mobile_ions=["Li", "Na"])


@pytest.mark.parametrize(
    "formula",
    ["Li7La3Zr2O12", "Li6PS5Cl", "Li10GeP2S12", "Li1.3Al0.3Ti1.7(PO4)3", "Na3Zr2Si2PO12", "Li3YCl6", "Li3OCl",
     "LiBH4", "LiNH2", "Li2OHCl", "Li2SO4", "Li3N"],
)  # fmt: skip
def test_charges_of_known_conductors_balance(formula):
    assert feature("net_charge_per_atom", formula) == pytest.approx([0], abs=1e-9)


def test_lithium_vacancies_show_as_missing_charge():
    assert feature("net_charge_per_atom", "Li6La3Zr2O12")[0] == pytest.approx(-1 / 23)


def test_shares_of_anions_add_up_to_one():
    batch = batch_of("Li6PS5Cl", "Li7La3Zr2O12", "Li3OCl0.5Br0.5")
    columns = [i for i, name in enumerate(electrolyte_names()) if name.startswith("anion_share_")]
    assert electrolyte_features(batch)[:, columns].sum(axis=1) == pytest.approx([1, 1, 1])


def test_sulfides_are_softer_and_less_ionic_than_oxides():
    oxide, sulfide = "Li3PO4", "Li3PS4"
    for name, grows in {"anion_atom_polarizability_a3": True, "anion_radius_pm": True,
                        "framework_bond_ionicity": False, "mobile_to_anion_radius": False}.items():  # fmt: skip
        from_oxide, to_sulfide = feature(name, oxide, sulfide)
        assert (to_sulfide > from_oxide) == grows, name


def test_framework_of_a_garnet():
    assert feature("framework_charge", "Li7La3Zr2O12") == pytest.approx([(3 * 3 + 2 * 4) / 5])
    assert feature("framework_octahedral_fraction", "Li7La3Zr2O12") == pytest.approx([0.4])
    assert feature("framework_large_fraction", "Li7La3Zr2O12") == pytest.approx([0.6])


def test_sites_of_known_structures_are_counted_for_each_anion():
    for formula, counts in {
        "Li7La3Zr2O12": {"octahedral": 2 / 12, "large": 3 / 12, "tetrahedral": 0},
        "LiTi2(PO4)3": {"octahedral": 2 / 12, "tetrahedral": 3 / 12, "p": 3 / 12},
        "Li6PS5Cl": {"tetrahedral": 1 / 6, "octahedral": 0, "framework_alkali": 0},
        "LiFePO4": {"redox": 1 / 4, "other_cation": 1 / 4},
    }.items():
        for name, count in counts.items():
            assert feature(f"{name}_per_anion", formula) == pytest.approx([count]), (formula, name)


def test_mixing_shows_doping():
    pure, doped = feature("octahedral_mixing_entropy", "Li7La3Zr2O12", "Li6LaZrTaO12")
    assert pure == 0
    assert doped == pytest.approx(np.log(2))
    assert feature("anion_mixing_entropy", "Li3N") == pytest.approx([0])
    assert feature("framework_highest_charge", "LiTi2(PO4)3") == pytest.approx([5])
    assert feature("framework_lowest_charge", "LiTi2(PO4)3") == pytest.approx([4])
    assert np.isnan(feature("framework_highest_charge", "Li3N")).all()


@pytest.mark.parametrize(
    ("formula", "atoms"),
    [("Li7La3Zr2O12", 24), ("Li3.5La1.5ZrO6", 24), ("Li6.75La3Zr1.75Ta0.25O12", 95), ("Fe", 1)],
)
def test_atoms_of_the_smallest_whole_formula(formula, atoms):
    assert 10 ** feature("log10_atoms_of_whole_formula", formula) == pytest.approx([atoms])


def test_roots_of_fractions():
    values = root_fractions(batch_of("Li7La3Zr2O12", "Li3N"))
    assert values.shape == (2, len(root_names()))
    np.testing.assert_allclose((values**2).sum(axis=1), 1)
    assert values[1, ROOT_ELEMENTS.index("N")] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("formula", "family"),
    [("Li6.5La3Zr1.5Ta0.5O12", "Li garnet"), ("Na3Zr2Si2PO12", "Na polyanion"), ("Li6PS5Cl", "Li sulfide"),
     ("Li3YCl6", "Li halide"), ("Li0.5La0.5TiO3", "Li perovskite"), ("Ce0.9Gd0.1O1.95", "O oxide"),
     ("Li3N", "Li other"), ("TiFe", "other other")],
)  # fmt: skip
def test_families_follow_from_the_formula(formula, family):
    assert conductor_families(batch_of(formula)) == [family]


@pytest.mark.parametrize(
    ("formula", "cause"),
    [("TiFe", "no anion"), ("Mg2Ni", "no anion"), ("MgB2", "no anion"), ("Si", "no anion"), ("H2", "no anion"),
     ("TiN", "no ion that is known to move (Li, Na, "), ("CO2", "no ion that"), ("S", "no ion that"),
     ("BaH2", ""), ("LiCoO2", ""), ("CsH2PO4", ""), ("CaF2", ""), ("Li3P", ""), ("Fe2O3", ""), ("LiBH4", "")],
)  # fmt: skip
def test_what_conducts_no_ions_by_its_formula_alone(formula, cause):
    (why,) = why_no_ion_moves(batch_of(formula))
    assert (cause in why) if cause else why == ""


def test_cell_volume_of_a_cube_and_of_a_rhombohedron():
    assert cell(10.0).volume_a3 == pytest.approx([1000])
    assert cell(1.0, angle=60.0).volume_a3 == pytest.approx([np.sqrt(0.5)])
    assert np.isnan(cell(1.0, angle=130.0).volume_a3).all()


def test_lattice_of_the_cubic_garnet():
    """Cubic Li7La3Zr2O12 has a = 12.98 angstrom with eight formula units."""
    values = lattice_features(batch_of("Li7La3Zr2O12"), cell(12.98, units=8.0))[0]
    by_name = dict(zip(LATTICE_NAMES, values, strict=True))
    assert by_name["cell_volume_per_atom_a3"] == pytest.approx(12.98**3 / 192)
    assert by_name["cell_volume_per_anion_a3"] == pytest.approx(12.98**3 / 96)
    assert 0.4 < by_name["cell_ionic_packing"] < 0.8
    assert by_name["cell_axis_ratio"] == 1
    assert by_name["cell_angle_distortion_deg"] == 0


def test_symmetry_and_size_of_a_cell():
    lattice = Lattice(np.full((2, 3), 12.98), np.full((2, 3), 90.0), np.full(2, 8.0), np.array([230.0, 142.0]))
    columns = lattice_features(batch_of("Li7La3Zr2O12", "Li7La3Zr2O12"), lattice).T
    by_name = dict(zip(LATTICE_NAMES, columns, strict=True))
    assert by_name["cell_space_group"].tolist() == [230, 142]
    assert by_name["cell_crystal_system"].tolist() == [6, 3]
    assert by_name["cell_atoms"].tolist() == [192, 192]
    assert by_name["cell_volume_a3"] == pytest.approx([12.98**3] * 2)
    assert (by_name["cell_free_volume_per_atom_a3"] > 0).all()
    unknown = lattice_features(batch_of("Li7La3Zr2O12"), cell(12.98, units=8.0))[0]
    assert np.isnan(unknown[LATTICE_NAMES.index("cell_crystal_system")])


def test_unknown_cells_are_nan_and_wrong_numbers_of_cells_refused():
    assert np.isnan(lattice_features(batch_of("Li3N"), cell(np.nan))).all()
    with pytest.raises(InputError, match="one unit cell per material is needed: 2, got 1"):
        lattice_features(batch_of("Li3N", "LiF"), cell(4.0))


def test_rows_do_not_depend_on_each_other():
    formulas = ["Li3N", "Li6.4La3Zr1.4Ta0.6O12", "Li1.3Al0.3Ti1.7(PO4)3"]
    together = electrolyte_features(batch_of(*formulas))
    np.testing.assert_array_equal(together, np.concatenate([electrolyte_features(batch_of(f)) for f in formulas]))
