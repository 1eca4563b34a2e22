"""The menu of structure features: what is on it, how it is asked for, and what matminer computes for it."""

import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from hstore.crystal import Crystal
from hstore.errors import InputError, UnknownNameError
from hstore_models.features.structure.geometry import Geometry
from hstore_models.features.structure.matminer_rest import FEATURIZERS, LEFT_OUT, column_name
from hstore_models.features.structure.menu import describe_menu, featurizers, groups_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "structure-features.md"


@pytest.fixture(scope="module")
def rock_salt():
    structure = Structure.from_spacegroup(225, Lattice.cubic(4.21), ["Mg", "O"], [[0, 0, 0], [0.5] * 3])
    return Crystal.from_pymatgen(structure.get_primitive_structure())


@pytest.fixture(scope="module")
def matminer():
    """Give a class of matminer by module and name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import matminer.featurizers.site
        import matminer.featurizers.structure  # noqa: F401 - loaded once, without their warnings
    return lambda module, name: getattr(import_module(module), name)


def test_every_name_stands_once_and_every_column_once_in_its_group():
    menu = featurizers()
    names = [f.name for f in menu]
    assert len(names) == len(set(names)) >= 30
    assert [f.tier for f in menu] == sorted(f.tier for f in menu)
    for f in menu:
        assert len(f.columns) == len(set(f.columns)) > 0, f.name
        assert f.summary
        assert f.source
        assert f.seconds > 0
        assert "|" not in f.summary + f.source + f.matminer, f"{f.name}: a table could not hold this"


def test_tier_one_is_what_every_structure_gets():
    expected = ("density", "symmetry", "ewald", "magpie", "hydrogen")
    assert tuple(f.name for f in groups_of(["tier-1"])) == expected
    assert groups_of(["structure"]) == groups_of(expected) == groups_of([*expected, "tier-1"])


def test_groups_come_in_the_order_of_the_menu_whatever_the_order_of_the_names():
    chosen = groups_of(["interstices", "xrd", "density"])
    assert [f.name for f in chosen] == ["density", "interstices", "xrd"]


def test_a_wrong_name_is_answered_with_the_close_ones():
    with pytest.raises(UnknownNameError, match=r"unknown feature group 'hydrogn'; did you mean 'hydrogen'"):
        groups_of(["density", "hydrogn"])
    with pytest.raises(UnknownNameError, match="tier-3"):
        groups_of(["tier-4"])


def test_the_document_holds_the_menu():
    assert describe_menu() in DOCUMENT.read_text(encoding="utf-8"), (
        f"put the text of describe_menu() into {DOCUMENT.name}, below 'The menu'"
    )


def test_the_menu_is_read_without_the_libraries_behind_it():
    heavy = "{'matminer', 'pymatgen', 'numba', 'dscribe', 'ase', 'moyopy', 'vesin', 'sklearn', 'scipy'}"
    code = f"""
import sys
from hstore_models.features.structure.menu import featurizers
assert len(featurizers()) > 30
assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_everything_travels_to_a_worker():
    import pickle

    for f in featurizers():
        assert pickle.loads(pickle.dumps(f)) == f


def test_what_matminer_computes_is_finite_and_as_long_as_announced(rock_salt, matminer):
    geometry = Geometry(rock_salt)
    for f in FEATURIZERS:
        values = f.compute(geometry)
        assert values.shape == (len(f.columns),), f.name
        assert np.isfinite(values).all(), f.name


@pytest.mark.parametrize("name", [f.name for f in FEATURIZERS if f.compute.statistics or f.compute.preset])
def test_columns_over_sites_are_named_as_matminer_labels_them(name, matminer):
    (featurizer,) = groups_of([name])
    recipe = featurizer.compute
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        built = matminer(recipe.module, recipe.name)
        built = (
            built.from_preset(recipe.preset, **dict(recipe.arguments))
            if recipe.preset
            else built(**dict(recipe.arguments))
        )
        if recipe.statistics:
            site_stats = matminer("matminer.featurizers.structure", "SiteStatsFingerprint")
            built = site_stats(built, stats=recipe.statistics)
        labels = built.feature_labels()
    assert tuple(column_name(label) for label in labels) == featurizer.columns


def test_values_are_matminers_own(rock_salt, matminer):
    structure = rock_salt.to_pymatgen()
    powder = matminer("matminer.featurizers.structure", "XRDPowderPattern")()
    (ours,) = groups_of(["xrd"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert ours.compute(Geometry(rock_salt)) == pytest.approx(powder.featurize(structure))
    # the strongest reflection of MgO, (200), stands at 42.9 degrees for Cu K-alpha
    assert abs(int(np.argmax(ours.compute(Geometry(rock_salt)))) - 43) <= 1


def test_eigenvalues_do_not_depend_on_the_order_of_sites_and_end_in_zeros(rock_salt, matminer):
    (featurizer,) = groups_of(["sine_coulomb"])
    values = featurizer.compute(Geometry(rock_salt))
    turned = Crystal(rock_salt.lattice_angstrom, rock_salt.fractional[::-1], rock_salt.numbers[::-1])
    assert featurizer.compute(Geometry(turned)) == pytest.approx(values)
    assert (values[:2] != 0).all()
    assert not values[2:].any()
    assert values.sum() == pytest.approx(0.5 * (12**2.4 + 8**2.4))  # the trace


def test_what_needs_charges_says_so_where_there_are_none(matminer):
    alloy = Crystal(np.eye(3) * 2.97, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([26, 22]))
    for name in ("global_instability", "electronic_rdf", "ewald_sites"):
        (featurizer,) = groups_of([name])
        with pytest.raises(InputError, match="no known oxidation states balance in TiFe"):
            featurizer.compute(Geometry(alloy))


def test_every_structure_featurizer_of_matminer_is_on_the_menu_or_left_out_for_a_reason(matminer):
    from matminer.featurizers import site, structure
    from matminer.featurizers.base import BaseFeaturizer

    kinds = [
        name
        for module in (structure, site)
        for name, kind in vars(module).items()
        if isinstance(kind, type) and issubclass(kind, BaseFeaturizer)
    ]
    assert len(kinds) > 35
    told = " ".join([*LEFT_OUT, *(f.matminer for f in featurizers()), *(str(f.compute) for f in FEATURIZERS)])
    used_by_presets = {"OPSiteFingerprint", "AverageBondLength", "AverageBondAngle", "LocalPropertyDifference",
                       "CoordinationNumber", "CrystalNNFingerprint", "SOAP"}  # fmt: skip
    assert {kind for kind in kinds if kind not in told} <= used_by_presets
