"""Distances and coordination of hydrogen in known hydrides, and the holes of known hosts."""

import collections

import numpy as np
import pytest
from ase.spacegroup import crystal
from pymatgen.core import Lattice

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore_models.features.structure.geometry import Geometry
from hstore_models.features.structure.hydrogen import HYDROGEN
from hstore_models.features.structure.interstices import INTERSTICES, find_holes, sphere_radii
from hstore_models.features.structure.radii import metallic_radii_angstrom


def made(group, lattice, **sites):
    """Expand sites by ASE: pymatgen takes seconds for the dozen groups here."""
    symbols = [name.rstrip("_") for name in sites]
    atoms = crystal(symbols, list(sites.values()), spacegroup=group, cellpar=lattice.parameters)
    return Crystal(atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)


def described(featurizer, given):
    return dict(zip(featurizer.columns, featurizer.compute(Geometry(given)), strict=True))


ORIGIN, HALF, QUARTER = [0, 0, 0], [0.5] * 3, [0.25] * 3
MGH2 = made(136, Lattice.tetragonal(4.5168, 3.0205), Mg=ORIGIN, H=[0.3040, 0.3040, 0])
LANI5 = made(191, Lattice.hexagonal(5.017, 3.986), La=ORIGIN, Ni=[1 / 3, 2 / 3, 0], Ni_=[0.5, 0, 0.5])
LANI5H6 = made(
    187, Lattice.hexagonal(5.409, 4.300), La=ORIGIN, Ni=[1 / 3, 2 / 3, 0], Ni_=[2 / 3, 1 / 3, 0],
    Ni__=[0.5, 0.5, 0.5], H=[0.5, 0.5, 0], H_=[0.137, 0.863, 0.5],
)  # fmt: skip


@pytest.mark.parametrize(
    ("given", "nearest", "coordination"),
    [
        pytest.param(made(225, Lattice.cubic(4.083), Li=ORIGIN, H=HALF), 4.083 / 2, {6}, id="LiH"),
        pytest.param(made(225, Lattice.cubic(6.38), Cs=ORIGIN, H=HALF), 6.38 / 2, {6}, id="CsH"),
        pytest.param(made(225, Lattice.cubic(4.09), Pd=ORIGIN, H=HALF), 4.09 / 2, {6}, id="PdH"),
        pytest.param(made(225, Lattice.cubic(4.45), Ti=ORIGIN, H=QUARTER), 4.45 * np.sqrt(3) / 4, {4}, id="TiH2"),
        pytest.param(
            made(225, Lattice.cubic(5.6), La=ORIGIN, H=QUARTER, H_=HALF), 5.6 * np.sqrt(3) / 4, {4, 6}, id="LaH3"
        ),
        pytest.param(MGH2, 1.942, {3}, id="MgH2"),  # Bortz et al., doi 10.1016/S0925-8388(99)00028-6
        pytest.param(
            made(
                62, Lattice.orthorhombic(5.925, 3.581, 6.776),
                Ca=[0.240, 0.25, 0.110], H=[0.355, 0.25, 0.427], H_=[0.974, 0.25, 0.676],
            ),
            2.250, {4, 5}, id="CaH2",
        ),
        pytest.param(
            made(223, Lattice.cubic(6.64), U=ORIGIN, U_=[0.25, 0, 0.5], H=[0, 0.155, 0.304]), 2.266, {4}, id="UH3"
        ),
        pytest.param(
            made(225, Lattice.cubic(6.43), Mg=QUARTER, Fe=ORIGIN, H=[0.242, 0, 0]), 0.242 * 6.43, {5}, id="Mg2FeH6"
        ),
        pytest.param(
            made(225, Lattice.cubic(6.507), Mg=QUARTER, Ni=ORIGIN, H=[0.24, 0, 0]), 0.24 * 6.507, {5}, id="Mg2NiH4"
        ),
    ],
)  # fmt: skip
def test_hydrogen_has_the_neighbours_it_is_known_for(given, nearest, coordination):
    values = described(HYDROGEN, given)
    assert values["metal_hydrogen_shortest_angstrom"] == pytest.approx(nearest, abs=2e-3)
    assert {values["hydrogen_coordination_min"], values["hydrogen_coordination_max"]} == coordination


def test_magnesium_hydride_has_the_published_distances_and_density():
    values = described(HYDROGEN, MGH2)
    assert values["hydrogen_hydrogen_shortest_angstrom"] == pytest.approx(2.504, abs=2e-3)
    assert values["s_block_hydrogen_mean_angstrom"] == pytest.approx((1.942 + 2 * 1.962) / 3, abs=2e-3)
    assert values["hydrogen_per_metal"] == 2
    assert values["hydrogen_g_per_l"] == pytest.approx(110, rel=0.02)  # the figure every review quotes
    assert values["hydrogen_atoms_per_nm3"] == pytest.approx(4000 / (4.5168**2 * 3.0205))
    assert np.isnan(values["late_hydrogen_mean_angstrom"])


def test_metals_keep_hydrogen_apart_and_borohydrides_do_not():
    assert described(HYDROGEN, LANI5H6)["keeps_2_1_rule"] == 1
    assert described(HYDROGEN, LANI5H6)["hydrogen_closer_than_2_1_fraction"] == 0
    tetrahedron = made(216, Lattice.cubic(6.148), Na=HALF, B=ORIGIN, H=[0.115] * 3)  # NaBH4, ordered
    values = described(HYDROGEN, tetrahedron)
    assert values["keeps_2_1_rule"] == 0
    assert values["hydrogen_closer_than_2_1_fraction"] == 1
    assert values["hydrogen_hydrogen_shortest_angstrom"] == pytest.approx(0.115 * 6.148 * np.sqrt(8))
    assert values["p_block_hydrogen_mean_angstrom"] == pytest.approx(0.115 * 6.148 * np.sqrt(3))


def test_one_close_pair_among_others_is_counted_by_its_atoms():
    edge = 8.0
    places = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5 + 2.0 / edge], [0.5, 0, 0.5], [0, 0.5, 0]])
    values = described(HYDROGEN, Crystal(np.eye(3) * edge, places, np.array([22, 1, 1, 1, 1])))
    assert values["hydrogen_closer_than_2_1_fraction"] == 0.5
    assert values["keeps_2_1_rule"] == 0


def test_nonmetals_hold_hydrogen_but_are_no_metals():
    ice = Crystal(np.eye(3) * 6, np.array([[0, 0, 0], [0.16, 0, 0], [0, 0.16, 0]]), np.array([8, 1, 1]))
    values = described(HYDROGEN, ice)
    assert values["nonmetal_hydrogen_shortest_angstrom"] == pytest.approx(0.96)
    assert np.isnan(values["hydrogen_per_metal"])
    assert np.isnan(values["metal_metal_shortest_angstrom"])
    assert values["hydrogen_coordination_max"] == 0


def test_a_host_has_metals_and_no_hydrogen():
    values = described(HYDROGEN, LANI5)
    assert values["metal_metal_shortest_angstrom"] == pytest.approx(np.hypot(5.017 / np.sqrt(12), 3.986 / 2))
    assert values["volume_a3_per_metal"] == pytest.approx(5.017**2 * np.sqrt(0.75) * 3.986 / 6)
    assert values["hydrogen_per_metal"] == values["hydrogen_g_per_l"] == 0
    known = {name for name, value in values.items() if not np.isnan(value)}
    assert known == set(HYDROGEN.columns[:5])


def test_far_atoms_are_found_too():
    lonely = Crystal(np.eye(3) * 15, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([46, 1]))
    values = described(HYDROGEN, lonely)
    assert values["metal_hydrogen_shortest_angstrom"] == pytest.approx(15 * np.sqrt(0.75))
    assert values["hydrogen_hydrogen_shortest_angstrom"] == values["metal_metal_shortest_angstrom"] == 15


def holes_of(given):
    host = given.numbers != 1
    holes = find_holes(given.lattice_angstrom, given.fractional[host], sphere_radii(given, host))
    return collections.Counter(zip(holes.radius_angstrom.round(4), holes.coordination.tolist(), strict=True))


def touching(symbol, group, ratio, place=ORIGIN):
    """A metal of one kind of atom whose spheres touch, and their radius."""
    from pymatgen.core import Element

    radius = metallic_radii_angstrom()[Element(symbol).Z]
    lattice = (
        Lattice.hexagonal(2 * radius, 2 * radius * np.sqrt(8 / 3))
        if group == 194
        else Lattice.cubic(ratio * radius)
    )
    return made(group, lattice, **{symbol: place}), radius


@pytest.mark.parametrize(
    ("metal", "expected"),
    [
        pytest.param(
            touching("Pd", 225, np.sqrt(8)),
            {(np.sqrt(2) - 1, 6): 4, (np.sqrt(1.5) - 1, 4): 8}, id="fcc",
        ),
        pytest.param(touching("V", 229, 4 / np.sqrt(3)), {(np.sqrt(5 / 3) - 1, 4): 12}, id="bcc"),
        pytest.param(
            touching("Mg", 194, 0, [1 / 3, 2 / 3, 0.25]),
            {(np.sqrt(2) - 1, 6): 2, (np.sqrt(1.5) - 1, 4): 4}, id="hcp",
        ),
        pytest.param(touching("Po", 221, 2), {(np.sqrt(3) - 1, 8): 1}, id="simple cubic"),
    ],
)  # fmt: skip
def test_holes_between_equal_spheres_are_those_of_geometry(metal, expected):
    given, radius = metal
    found = {(size / radius, neighbours): n for (size, neighbours), n in holes_of(given).items()}
    assert sorted(found.values()) == sorted(expected.values())
    for (ratio, neighbours), count in expected.items():
        (match,) = [size for (size, c), n in found.items() if (c, n) == (neighbours, count)]
        assert match == pytest.approx(ratio, abs=1e-3)


def test_lanthanum_nickel_has_its_34_tetrahedra_and_hydrogen_the_largest():
    # 4h (Ni4), 12o and 12n (La Ni3), 6m (La2 Ni2)
    found = sorted(holes_of(LANI5).items())
    assert [n for _, n in found] == [4, 12, 12, 6]
    assert {neighbours for (_, neighbours), _ in found} == {4}
    radii = [radius for (radius, _), _ in found]
    assert radii == pytest.approx([0.37, 0.405, 0.42, 0.52], abs=5e-3)
    # Gross, Zuettel and Schlapbach, J. Alloys Compd. 274, 239: 6m and 12n are of 0.4 angstrom and more
    assert radii[2] > 0.40 > radii[0]
    values = described(INTERSTICES, LANI5)
    assert values["tetrahedral_count_per_host_atom"] == values["hole_count_per_host_atom"] == 34 / 6
    assert values["octahedral_count_per_host_atom"] == 0
    assert np.isnan(values["octahedral_mean_radius_angstrom"])


def test_laves_phase_has_its_17_tetrahedra_for_each_formula():
    # 12 A2B2, 4 AB3 and 1 B4: Shoemaker and Shoemaker, J. Less-Common Met. 68, 43 (1979)
    found = holes_of(made(227, Lattice.cubic(6.93), Ti=ORIGIN, Cr=[0.625] * 3))
    assert [n for _, n in sorted(found.items())] == [8, 32, 96]


def test_hydrogen_in_lanthanum_nickel_fills_holes_that_are_large_enough():
    values = described(INTERSTICES, LANI5H6)
    assert values["occupied_of_0_40_fraction"] > 0.4
    assert 0.3 < values["occupied_smallest_radius_angstrom"] < values["occupied_mean_radius_angstrom"] < 0.6
    assert values["hole_count_per_host_atom"] == pytest.approx(34 / 6)


def test_occupied_holes_are_those_left_by_the_hydrogen():
    given, radius = touching("Pd", 225, np.sqrt(8))
    filled = Crystal(
        given.lattice_angstrom,
        np.concatenate([given.fractional, given.fractional + 0.5]),
        np.concatenate([given.numbers, np.ones(4, dtype=int)]),
    )
    values, empty = described(INTERSTICES, filled), described(INTERSTICES, given)
    assert values["occupied_mean_radius_angstrom"] == pytest.approx((np.sqrt(2) - 1) * radius)
    assert values["occupied_mean_radius_angstrom"] == pytest.approx(values["octahedral_largest_radius_angstrom"])
    assert {name: v for name, v in values.items() if "occupied" not in name} == {
        name: v for name, v in empty.items() if "occupied" not in name
    }
    assert np.isnan(empty["occupied_mean_radius_angstrom"])


def test_expansion_makes_holes_larger_and_compression_keeps_their_shape():
    small, touch, wide = (
        described(INTERSTICES, made(225, Lattice.cubic(np.sqrt(8) * 1.37 * scale), Pd=ORIGIN))
        for scale in (0.9, 1.0, 1.1)
    )
    name = "octahedral_largest_radius_angstrom"
    assert small[name] == pytest.approx(0.9 * touch[name])
    assert wide[name] == pytest.approx(touch[name] + 0.1 * np.sqrt(2) * 1.37)


@pytest.mark.parametrize("featurizer", [HYDROGEN, INTERSTICES], ids=lambda f: f.name)
@pytest.mark.parametrize(
    "given",
    [MGH2, LANI5, LANI5H6, made(221, Lattice.cubic(2.97), Fe=ORIGIN, Ti=HALF),
     made(221, Lattice.cubic(3.84), Sr=ORIGIN, Ti=HALF, O=[0.5, 0.5, 0])],
    ids=["MgH2", "LaNi5", "LaNi5H6", "FeTi", "SrTiO3"],
)  # fmt: skip
def test_the_choice_of_cell_does_not_matter(featurizer, given):
    rng = np.random.default_rng(3)
    shear = np.array([[1, 1, 0], [0, 1, 0], [0, -1, 1]])
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    order = rng.permutation(len(given))
    places = (given.fractional[order] + rng.random(3)) @ np.linalg.inv(shear) / [1, 2, 1]
    other = Crystal(
        np.diag([1, 2, 1]) @ shear @ given.lattice_angstrom @ rotation,
        np.concatenate([places, np.add(places, [0, 0.5, 0])]),
        np.tile(given.numbers[order], 2),
    )
    expected = featurizer.compute(Geometry(given))
    assert featurizer.compute(Geometry(other)) == pytest.approx(expected, rel=1e-6, nan_ok=True)


def test_the_largest_hole_is_the_largest_anywhere():
    given = made(221, Lattice.cubic(3.84), Sr=ORIGIN, Ti=HALF, O=[0.5, 0.5, 0])
    host = given.numbers != 1
    radii = sphere_radii(given, host)
    holes = find_holes(given.lattice_angstrom, given.fractional, radii)
    axis = np.arange(0, 1, 1 / 40)
    grid = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 1, 3)
    away = grid - given.fractional
    free = (np.linalg.norm((away - np.round(away)) * 3.84, axis=2) - radii).min(axis=1).max()
    assert free - 1e-6 <= holes.radius_angstrom.max() <= free + 3.84 / 40


def test_hydrogen_alone_and_sites_on_top_of_each_other_have_no_holes_but_a_cause():
    with pytest.raises(InputError, match="no host"):
        described(INTERSTICES, Crystal(np.eye(3) * 4, np.array([ORIGIN]), np.array([1])))
    twins = Crystal(np.eye(3) * 4, np.array([ORIGIN, [0, 0, 1e-4]]), np.array([46, 46]))
    with pytest.raises(InputError, match="two sites are"):
        described(INTERSTICES, twins)
    with pytest.raises(InputError, match="no radius is known of Xe"):
        described(INTERSTICES, Crystal(np.eye(3) * 4, np.array([ORIGIN]), np.array([54])))
