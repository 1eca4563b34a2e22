"""Averaged SOAP: agreement with matminer, invariances, and what happens without DScribe."""

from __future__ import annotations

import pickle
import sys

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from hstore.crystal import Crystal
from hstore.errors import InputError, MissingExtraError, UnknownNameError
from hstore_models.features.structure import soap as module
from hstore_models.features.structure.geometry import Geometry
from hstore_models.features.structure.soap import SOAP, soap

STRUCTURES = {
    "MgH2": Structure.from_spacegroup(
        136, Lattice.tetragonal(4.5168, 3.0205), ["Mg", "H"], [[0, 0, 0], [0.3045, 0.3045, 0]]
    ),
    "Li3N": Structure.from_spacegroup(
        191, Lattice.hexagonal(3.648, 3.875), ["N", "Li", "Li"], [[0, 0, 0], [1 / 3, 2 / 3, 0], [0, 0, 0.5]]
    ),
    "without symmetry": Structure(
        Lattice.from_parameters(4.7, 5.3, 6.1, 83, 97, 104),
        ["Li", "P", "S", "S", "H"],
        np.random.default_rng(8).random((5, 3)),
    ),
}


@pytest.fixture(scope="module")
def dscribe():
    """DScribe, whose docstrings warn when first compiled."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("dscribe.descriptors", reason="needs the extra soap")


def values_of(featurizer, structure: Structure) -> np.ndarray:
    values = featurizer.compute(Geometry(Crystal.from_pymatgen(structure)))
    assert values.shape == (len(featurizer.columns),)
    return values


def matminer_values(structure: Structure) -> np.ndarray:
    from matminer.featurizers.structure.sites import SiteStatsFingerprint

    peer = SiteStatsFingerprint.from_preset("SOAP_formation_energy", stats="mean")
    return np.array(peer.fit([structure]).featurize(structure))


def assert_same_spectrum(ours: np.ndarray, theirs: np.ndarray, tolerance: float = 1e-9) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * np.abs(theirs).max())


@pytest.mark.usefixtures("dscribe")
@pytest.mark.filterwarnings("ignore")  # those of importing matminer
@pytest.mark.parametrize("name", STRUCTURES)
def test_equals_matminer_with_all_atoms_as_one_element(name):
    structure = STRUCTURES[name]
    alike = Structure(structure.lattice, ["H"] * len(structure), structure.frac_coords)
    assert_same_spectrum(values_of(SOAP, structure), matminer_values(alike))


@pytest.mark.usefixtures("dscribe")
@pytest.mark.filterwarnings("ignore")  # those of importing matminer
@pytest.mark.parametrize("name", ["MgH2", "Li3N"])
def test_equals_matminer_with_elements_told_apart(name):
    structure = STRUCTURES[name]
    assert_same_spectrum(values_of(soap(structure.symbol_set), structure), matminer_values(structure))


@pytest.mark.usefixtures("dscribe")
def test_without_elements_only_places_matter():
    other = STRUCTURES["MgH2"].copy()
    other.replace_species({"Mg": "Ti", "H": "O"})
    np.testing.assert_array_equal(values_of(SOAP, other), values_of(SOAP, STRUCTURES["MgH2"]))


@pytest.mark.usefixtures("dscribe")
@pytest.mark.parametrize("name", STRUCTURES)
def test_does_not_depend_on_turn_origin_order_or_cell(name):
    structure = STRUCTURES[name]
    larger = Crystal.from_pymatgen(structure * (1, 1, 2))
    order = np.random.default_rng(2).permutation(len(larger))
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    other = Crystal(larger.lattice_angstrom @ turn, larger.fractional[order] + 0.37, larger.numbers[order])
    assert_same_spectrum(SOAP.compute(Geometry(other)), values_of(SOAP, structure))


@pytest.mark.usefixtures("dscribe")
def test_refuses_a_crystal_with_other_elements():
    with pytest.raises(InputError, match="has Mg, but this SOAP tells apart only H, Ti"):
        values_of(soap(("Ti", "H")), STRUCTURES["MgH2"])


def test_elements_make_name_and_columns():
    assert soap(("O", "Li", "O")) == soap(["Li", "O"])
    assert soap(("O", "Li")).name == "soap_li_o"
    assert [len(f.columns) for f in (SOAP, soap(["Li"]), soap(["Li", "O"]))] == [324, 324, 1224]
    assert pickle.loads(pickle.dumps(soap(["Li"]))) == soap(["Li"])


@pytest.mark.parametrize(
    ("given", "error"), [([], "at least one element"), (["Li", "Xx"], "unknown element 'Xx'")]
)
def test_refuses_what_is_no_list_of_elements(given, error):
    with pytest.raises((InputError, UnknownNameError), match=error):
        soap(given)


def test_names_the_extra_when_dscribe_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "dscribe", None)
    monkeypatch.setitem(sys.modules, "dscribe.descriptors", None)
    module._calculator.cache_clear()
    with pytest.raises(MissingExtraError, match=r"pip install 'hstore\[soap\]'"):
        values_of(SOAP, STRUCTURES["MgH2"])
