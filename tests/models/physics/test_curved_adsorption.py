"""Wells of hydrogen on carbon sheets, on sheets whose curvature is known."""

from __future__ import annotations

import numpy as np
import pytest

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore_models.features.structure.geometry import Geometry
from hstore_models.physics.curved_adsorption import bending_law, wells_of
from hstore_models.physics.force_field import ForceField
from hstore_workflows.sources.carbon.source import CarbonQuery, CarbonSource


def crystals(**query):
    return [Crystal.from_dict(one.structure) for one in CarbonSource(CarbonQuery(**query))]


@pytest.fixture(scope="module")
def graphene():
    (crystal,) = crystals(sheet=True)
    return wells_of(Geometry(crystal))


@pytest.fixture(scope="module")
def tubes():
    return [wells_of(Geometry(crystal)) for crystal in crystals(tubes=((8, 8), (12, 12)))]


def test_graphene_holds_hydrogen_as_deeply_as_scattering_says(graphene):
    # -51.9 meV at 3.17 angstrom, doi 10.1021/acs.jpca.5b09208
    assert graphene.depth_kj_per_mol == pytest.approx(0.0519 * 96.485, rel=0.05)
    assert graphene.distance_angstrom == pytest.approx(3.17, abs=0.1)
    assert graphene.bend_per_a == pytest.approx(0.0, abs=1e-9)
    assert (len(graphene), graphene.sides) == (4, 4)


def test_the_inside_of_a_tube_bends_towards_the_molecule_and_holds_it_better(tubes, graphene):
    flat = graphene.depth_kj_per_mol.mean()
    for wells, indices in zip(tubes, (8, 12), strict=True):
        radius = indices * 3 * 1.421 / (2 * np.pi)
        inside = wells.bend_per_a > 0
        assert inside.sum() == (~inside).sum() == len(wells) / 2
        assert wells.bend_per_a[inside] == pytest.approx(1 / (2 * radius), rel=0.01)
        assert wells.bend_per_a[~inside] == pytest.approx(-1 / (2 * radius), rel=0.01)
        assert wells.depth_kj_per_mol[inside].min() > flat > wells.depth_kj_per_mol[~inside].max()
    narrow, wide = tubes
    assert narrow.depth_kj_per_mol.max() > wide.depth_kj_per_mol.max()


def test_the_energy_is_that_of_a_sum_over_all_pairs(tubes):
    (crystal,) = crystals(tubes=((8, 8),))
    wells = tubes[0]
    row = int(np.argmax(wells.depth_kj_per_mol))
    atom = crystal.cartesian_angstrom[wells.site[row]]
    cells = np.mgrid[-1:2, -1:2, -8:9].reshape(3, -1).T @ crystal.lattice_angstrom
    images = (crystal.cartesian_angstrom + cells[:, None]).reshape(-1, 3)
    one, two, three = images[np.argsort(np.linalg.norm(images - atom, axis=1))[1:4]]
    normal = np.cross(two - one, three - one)
    normal *= np.sign(normal @ (crystal.cartesian_angstrom.mean(axis=0) - atom)) / np.linalg.norm(normal)
    place = atom + wells.distance_angstrom[row] * normal
    near = images[np.linalg.norm(images - atom, axis=1) <= 12.0]
    pair = ForceField().framework_pairs(["C"], 77.0)["C"]
    total = float(pair.energy_k(np.linalg.norm(near - place, axis=1)).sum())
    assert wells.depth_kj_per_mol[row] == pytest.approx(-total * 8.314462618e-3, rel=1e-6)


def test_a_side_whose_other_wall_is_too_near_has_no_well():
    (crystal,) = crystals(tubes=((3, 3),))
    wells = wells_of(Geometry(crystal))
    assert wells.sides == 2 * len(crystal)
    assert (wells.bend_per_a < 0).all()
    assert len(wells) == len(crystal)


def test_the_law_finds_what_was_put_in(tubes):
    from dataclasses import replace

    random = np.random.default_rng(0)
    bend, gaussian = random.normal(0, 0.05, 200), random.normal(-0.01, 0.01, 200)
    one = replace(
        tubes[0],
        site=np.zeros(200, dtype=np.int64),
        bend_per_a=bend,
        gaussian_per_a2=gaussian,
        area_a2=np.full(200, 2.6),
        depth_kj_per_mol=5.0 + 12.0 * bend - 30.0 * gaussian,
        distance_angstrom=np.full(200, 3.2),
    )
    law = bending_law([one])
    assert law is not None
    assert law.flat_kj_per_mol == pytest.approx(5.0)
    assert law.per_bend_kj_angstrom_per_mol == pytest.approx(12.0)
    assert law.per_gaussian_kj_angstrom2_per_mol == pytest.approx(-30.0)
    assert law.r2 == pytest.approx(1.0)


def test_no_law_without_curvature_and_no_wells_without_carbon(graphene):
    assert bending_law([graphene]) is None
    with pytest.raises(InputError, match="no two carbon atoms"):
        wells_of(Geometry(Crystal(np.eye(3) * 4.0, [[0, 0, 0]], [26])))
