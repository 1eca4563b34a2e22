"""Features from Voronoi polyhedra: values known by geometry, and agreement with matminer on real structures."""

from __future__ import annotations

import os
import tarfile
import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore_models.features.structure.chemical_ordering import CHEMICAL_ORDERING, chemical_ordering
from hstore_models.features.structure.geometry import Geometry
from hstore_models.features.structure.heterogeneity import STRUCTURAL_HETEROGENEITY
from hstore_models.features.structure.packing_efficiency import PACKING_EFFICIENCY, nearest_distances
from hstore_models.features.structure.voronoi import tessellate
from hstore_models.features.structure.voronoi_sites import (
    SITE_PROPERTIES,
    VORONOI_COORDINATION,
    VORONOI_SITES,
    voronoi_site_properties,
)

FEATURIZERS = {
    f.name: f
    for f in (
        VORONOI_SITES,
        VORONOI_COORDINATION,
        STRUCTURAL_HETEROGENEITY,
        CHEMICAL_ORDERING,
        PACKING_EFFICIENCY,
    )
}
HEXAGON, TRIANGLE = 3 * np.sqrt(3) / 16, np.sqrt(2) / 64
"""Facets of the Voronoi polyhedron in diamond, four and twelve of them, in units of the squared cell length."""
DIAMOND = (4 * HEXAGON + 12 * TRIANGLE) ** 2 / (4 * HEXAGON**2 + 12 * TRIANGLE**2)
CELLS = {
    "sc": ([[0, 0, 0]], 1.0),
    "bcc": ([[0, 0, 0], [0.5, 0.5, 0.5]], 1.0),
    "fcc": ([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]], 1.0),
    "diamond": (
        [
            *([0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]),
            *([0.25, 0.25, 0.25], [0.75, 0.75, 0.25], [0.75, 0.25, 0.75], [0.25, 0.75, 0.75]),
        ],
        1.5,
    ),
}


def cubic(name: str, numbers: list[int] | int = 29) -> Crystal:
    places, scale = CELLS[name]
    return Crystal(
        3.6 * scale * np.eye(3), np.array(places, float), np.broadcast_to(numbers, (len(places),)).copy()
    )


def rock_salt() -> Crystal:
    cells = np.stack(np.meshgrid(*[[0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    return Crystal(4.1 * np.eye(3), cells / 2, np.where(cells.sum(axis=1) % 2, 3, 1))


def values_of(name: str, crystal: Crystal) -> dict[str, float]:
    featurizer = FEATURIZERS[name]
    return dict(zip(featurizer.columns, featurizer.compute(Geometry(crystal)).tolist(), strict=True))


def rattled(crystal: Crystal, seed: int, by_angstrom: float = 0.1) -> Crystal:
    noise = np.random.default_rng(seed).normal(0, by_angstrom, (len(crystal), 3))
    moved = crystal.fractional + noise @ np.linalg.inv(crystal.lattice_angstrom)
    return Crystal(crystal.lattice_angstrom, moved % 1.0, crystal.numbers)


@cache
def real(name: str) -> Structure:
    """Structures as published; for matminer all sites are inside the cell, see test_sites_outside_the_cell."""
    if name == "MgH2":
        return Structure.from_spacegroup(
            136, Lattice.tetragonal(4.517, 3.021), ["Mg", "H"], [[0, 0, 0], [0.304, 0.304, 0]]
        )
    if name == "LaNi5":
        places = [[0, 0, 0], [1 / 3, 2 / 3, 0], [0.5, 0, 0.5]]
        return Structure.from_spacegroup(191, Lattice.hexagonal(5.017, 3.986), ["La", "Ni", "Ni"], places)
    if name == "TiFe":
        return Structure.from_spacegroup(221, Lattice.cubic(2.976), ["Ti", "Fe"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    if name == "LiH, rattled":
        return rattled(rock_salt(), 1).to_pymatgen()
    return _archived(name)


def _archived(name: str) -> Structure:
    archive = Path(os.environ.get("HSTORE_DATA_MIRROR", "")) / "obelix" / "all_cifs.tar.gz"
    if "HSTORE_DATA_MIRROR" not in os.environ or not archive.exists():
        pytest.skip("HSTORE_DATA_MIRROR has no obelix/all_cifs.tar.gz")
    with tarfile.open(archive) as files, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks of pymatgen on CIFs
        member = next(m for m in files if m.name.endswith(f"/{name}"))
        content = files.extractfile(member)
        assert content is not None
        structure = Structure.from_str(content.read().decode(), fmt="cif", primitive=True)
    structure.remove_oxidation_states()
    return Structure(structure.lattice, structure.species, structure.frac_coords % 1.0)


REAL = ["MgH2", "LaNi5", "TiFe", "LiH, rattled"]
ARCHIVED = ["4p7.cif", "0iv.cif"]


@cache
def matminer():
    """matminer's featurizers by the names of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside matminer and pymatgen are not ours
        from matminer.featurizers.site import VoronoiFingerprint
        from matminer.featurizers.structure.bonding import StructuralHeterogeneity
        from matminer.featurizers.structure.order import ChemicalOrdering, MaximumPackingEfficiency
        from matminer.featurizers.structure.sites import SiteStatsFingerprint

        return {
            "voronoi_sites": SiteStatsFingerprint(VoronoiFingerprint()),
            "voronoi_coordination": SiteStatsFingerprint.from_preset("CoordinationNumber_ward-prb-2017"),
            "structural_heterogeneity": StructuralHeterogeneity(),
            "chemical_ordering": ChemicalOrdering(),
            "packing_efficiency": MaximumPackingEfficiency(),
        }


@pytest.mark.parametrize("structure", [*REAL, *(pytest.param(n, marks=pytest.mark.mirror) for n in ARCHIVED)])
@pytest.mark.parametrize("name", FEATURIZERS)
def test_values_are_those_of_matminer(name, structure):
    crystal = Crystal.from_pymatgen(real(structure))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = np.array(matminer()[name].featurize(real(structure)), dtype=float)
    tolerance = FEATURIZERS[name].tolerance
    ours = FEATURIZERS[name].compute(Geometry(crystal))
    np.testing.assert_allclose(ours, expected, rtol=tolerance, atol=tolerance * 1e-3)


@pytest.mark.parametrize("name", FEATURIZERS)
def test_columns_stand_in_the_order_of_matminers_labels(name):
    labels = matminer()[name].feature_labels()
    assert len(labels) == len(FEATURIZERS[name].columns) == len(set(FEATURIZERS[name].columns))
    for label, column in zip(labels, FEATURIZERS[name].columns, strict=True):
        numbers = [part for part in label.replace("_", " ").split() if part.isdigit()]
        assert numbers == [part for part in column.split("_") if part.isdigit()], (label, column)
        statistics = [s for s in ("std_dev", "minimum", "maximum", "range", "avg_dev") if s in label]
        assert all(statistic in column for statistic in statistics), (label, column)


def test_sites_outside_the_cell_change_nothing():
    """With them pymatgen tessellates coincident points: it raises, or leaves out neighbours. We do neither."""
    inside = Crystal.from_pymatgen(real("MgH2"))
    moved = np.array([[1], [0], [-2], [0], [3], [0]])
    outside = Crystal(inside.lattice_angstrom, inside.fractional + moved, inside.numbers)
    for featurizer in FEATURIZERS.values():
        one, two = (featurizer.compute(Geometry(c)) for c in (inside, outside))
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-12)


def test_polyhedra_are_whole_where_matminer_does_not_look_far_enough():
    from matminer.featurizers.site import VoronoiFingerprint
    from matminer.featurizers.structure.sites import SiteStatsFingerprint

    places = np.random.default_rng(4).random((7, 3))
    crystal = Crystal(np.diag([9.0, 10.0, 11.0]), places, np.full(7, 6))
    assert 2 * tessellate(crystal).reach_angstrom.max() > 6.5
    ours = VORONOI_SITES.compute(Geometry(crystal))
    whole = SiteStatsFingerprint(VoronoiFingerprint(cutoff=25.0)).featurize(crystal.to_pymatgen())
    np.testing.assert_allclose(ours, np.array(whole, float), rtol=1e-6, atol=1e-9)
    as_shipped = matminer()["voronoi_sites"].featurize(crystal.to_pymatgen())
    volume = VORONOI_SITES.columns.index("polyhedron_volume_angstrom3_mean")
    assert as_shipped[volume] != pytest.approx(ours[volume], rel=1e-3)


@pytest.mark.parametrize(
    ("name", "indices", "coordination", "packing"),
    [
        ("sc", {4: 6}, 6.0, np.pi / 6),
        ("fcc", {4: 12}, 12.0, np.pi * np.sqrt(2) / 6),
        ("bcc", {4: 6, 6: 8}, (6 + 12 * np.sqrt(3)) ** 2 / 60, np.pi * np.sqrt(3) / 8),
        ("diamond", {3: 12, 6: 4}, DIAMOND, np.pi * np.sqrt(3) / 16),
    ],
)
def test_known_lattices(name, indices, coordination, packing):
    crystal = cubic(name)
    sites = values_of("voronoi_sites", crystal)
    for edges in range(3, 11):
        assert sites[f"voronoi_index_{edges}_mean"] == indices.get(edges, 0)
        assert sites[f"symmetry_index_{edges}_mean"] == indices.get(edges, 0) / sum(indices.values())
    assert sites["polyhedron_volume_angstrom3_mean"] == pytest.approx(crystal.volume_angstrom3 / len(crystal))
    assert values_of("packing_efficiency", crystal)["max_packing_efficiency"] == pytest.approx(packing, rel=1e-12)
    assert all(v == pytest.approx(0, abs=1e-9) for c, v in sites.items() if c.endswith("_std_dev_std_dev"))
    heterogeneity = values_of("structural_heterogeneity", crystal)
    assert heterogeneity["relative_bond_length_maximum"] == pytest.approx(1.0)
    assert heterogeneity["relative_cell_size_avg_dev"] == pytest.approx(0.0, abs=1e-12)
    found = values_of("voronoi_coordination", crystal)
    assert found["effective_coordination_mean"] == pytest.approx(coordination, rel=1e-9)


def test_sites_of_diamond_have_four_neighbours_and_twelve_slivers():
    """The triakis truncated tetrahedron: four hexagons, and twelve triangles to the second neighbours."""
    voronoi, length = tessellate(cubic("diamond")), 3.6 * 1.5
    nearest = voronoi.face_distance_angstrom < length * np.sqrt(3) / 8 * 1.001
    assert nearest.sum() == 4 * 8
    np.testing.assert_allclose(voronoi.area_angstrom2[nearest], HEXAGON * length**2, rtol=1e-12)
    np.testing.assert_allclose(voronoi.area_angstrom2[~nearest], TRIANGLE * length**2, rtol=1e-10)


def test_facets_of_more_than_ten_edges_are_left_out():
    voronoi = tessellate(cubic("bcc"))
    hexagons = voronoi.edges == 6
    changed = replace(voronoi, edges=np.where(hexagons, 12, voronoi.edges))
    found = dict(zip(SITE_PROPERTIES, voronoi_site_properties(changed)[0], strict=True))
    assert (found["voronoi_index_4"], found["symmetry_index_4"], found["voronoi_index_6"]) == (6, 1, 0)
    assert found["polyhedron_area_angstrom2"] == pytest.approx(6 * 3.6**2 / 8)
    assert found["neighbour_distance_angstrom_minimum"] == pytest.approx(3.6)


def test_alternating_elements_are_fully_ordered_in_every_shell():
    """In rock salt each shell over the faces of the cubes holds one element: |1 - 0| and |1 - 1/0.5| are 1."""
    crystal = rock_salt()
    np.testing.assert_allclose(chemical_ordering(crystal, tessellate(crystal)), 1.0, rtol=1e-12)


def test_one_element_has_no_order():
    crystal = cubic("fcc")
    np.testing.assert_array_equal(chemical_ordering(crystal, tessellate(crystal)), 0.0)


@pytest.mark.parametrize("seed", range(3))
def test_ordering_is_the_sum_over_paths(seed):
    """Paths walked one by one, as the definition has them, against sums of closed form."""
    rng = np.random.default_rng(seed)
    crystal = Crystal(np.diag([3.1, 4.2, 5.3]), rng.random((4, 3)), np.array([1, 1, 3, 12]))
    voronoi = tessellate(crystal)
    expected = [_walked(crystal, voronoi, shell) for shell in (1, 2, 3)]
    np.testing.assert_allclose(chemical_ordering(crystal, voronoi), expected, rtol=1e-10)


def _walked(crystal: Crystal, voronoi, shell: int) -> float:
    area = voronoi.area_angstrom2
    weight = area / voronoi.largest_over_facets(area)[voronoi.centre]
    elements = sorted(set(crystal.numbers.tolist()))
    found = np.zeros((len(crystal), len(elements)))

    def walk(start: int, path: tuple, cell: tuple, product: float) -> None:
        site = path[-1][0]
        for facet in range(*voronoi.starts[site : site + 2]):
            place = tuple(np.add(cell, voronoi.shift[facet]).tolist())
            step = (int(voronoi.other[facet]), place)
            if step in path:
                continue
            if len(path) == shell:
                found[start, elements.index(crystal.numbers[step[0]])] += product * weight[facet]
            else:
                walk(start, (*path, step), place, product * weight[facet])

    for site in range(len(crystal)):
        walk(site, ((site, (0, 0, 0)),), (0, 0, 0), 1.0)
    shares = np.array([(crystal.numbers == e).mean() for e in elements])
    return float(np.abs(1 - found / found.sum(axis=1, keepdims=True) / shares).mean())


def test_many_steps_are_taken_in_parts(monkeypatch):
    crystal = rattled(rock_salt(), 2)
    whole = chemical_ordering(crystal, tessellate(crystal))
    monkeypatch.setattr("hstore_models.features.structure.chemical_ordering._STEPS_AT_ONCE", 100)
    np.testing.assert_allclose(chemical_ordering(crystal, tessellate(crystal)), whole, rtol=1e-12)


@pytest.mark.parametrize("name", ["structural_heterogeneity", "chemical_ordering", "packing_efficiency"])
def test_dimensionless_features_do_not_depend_on_the_scale(name):
    crystal = rattled(rock_salt(), 3)
    larger = Crystal(2.5 * crystal.lattice_angstrom, crystal.fractional, crystal.numbers)
    one, two = (FEATURIZERS[name].compute(Geometry(c)) for c in (crystal, larger))
    np.testing.assert_allclose(one, two, rtol=1e-9)


def test_nearest_neighbours_are_found_across_empty_space():
    pair = Crystal(40 * np.eye(3), np.array([[0.0, 0, 0], [0.02, 0, 0], [0.5, 0.5, 0.5]]), np.array([1, 1, 2]))
    far = 40 * np.sqrt(0.75 - 0.02 + 0.02**2)
    np.testing.assert_allclose(nearest_distances(Geometry(pair)), [0.8, 0.8, far])


def test_sites_in_one_place_are_refused():
    crystal = Crystal(4 * np.eye(3), np.array([[0.0, 0, 0], [0, 0, 0]]), np.array([1, 1]))
    with pytest.raises(InputError, match="in the place of another"):
        PACKING_EFFICIENCY.compute(Geometry(crystal))
