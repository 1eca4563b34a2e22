import numpy as np
import pandas as pd
import pytest

from hstore_models.features.composition import CompositionBatch
from hstore_models.features.unit_cell import infer_formula_units, lattice_of

GARNET = {"a": 12.98, "b": 12.98, "c": 12.98, "alpha": 90.0, "beta": 90.0, "gamma": 90.0}


def read(formula="Li7La3Zr2O12", **columns):
    batch, _ = CompositionBatch.from_formulas([formula])
    return lattice_of(pd.DataFrame([GARNET | columns]), batch)


def test_formula_units_as_stated():
    assert read(formula_units=8).formula_units.tolist() == [8]
    assert read(Z="8").formula_units.tolist() == [8]


def test_formula_units_from_the_whole_cell_or_its_volume():
    assert read(**{"True Composition": "Li56La24Zr16O96"}).formula_units == pytest.approx([8])
    assert read(**{"True Composition": "see text", "Z": np.nan}).formula_units == pytest.approx([8])
    assert read().formula_units == pytest.approx([8])


@pytest.mark.parametrize(
    ("formula", "cell", "units"),
    [("Li6PS5Cl", 9.86, 4), ("Li10GeP2S12", (8.69, 8.69, 12.6), 2), ("LiF", 4.03, 4), ("Li3OCl", 3.91, 1)],
)
def test_formula_units_of_known_crystals_follow_from_the_volume(formula, cell, units):
    a, b, c = cell if isinstance(cell, tuple) else (cell,) * 3
    assert read(formula, a=a, b=b, c=c).formula_units == pytest.approx([units])


def test_a_cell_may_hold_part_of_a_formula():
    assert infer_formula_units(np.array([34.0, 100.0, np.nan]), np.array([100.0, 101.0, 1.0])) == pytest.approx(
        [1 / 3, 1.0, np.nan], nan_ok=True
    )


@pytest.mark.parametrize(
    ("column", "stated", "number"),
    [("space_group", 230, 230), ("space_group", "230", 230), ("space_group", "I a -3 d", 230),
     ("Space group", "P21/c", 14), ("Space group", "R -3 c H", 167), ("Space group #", "62", 62)],
)  # fmt: skip
def test_space_groups_as_numbers_or_symbols(column, stated, number):
    assert read(**{column: stated}).space_group.tolist() == [number]


@pytest.mark.parametrize("stated", ["", "cubic", 0, 231, np.nan])
def test_what_is_no_space_group_is_not_known(stated):
    assert np.isnan(read(space_group=stated).space_group).all()


@pytest.mark.parametrize("columns", [{"a": np.nan}, {"a": -3.0}, {"beta": 180.0}, {"c": "long"}])
def test_a_cell_without_all_its_edges_and_angles_is_not_known(columns):
    assert np.isnan(read(**columns).volume_a3).all()


def test_a_table_without_cells_has_none():
    batch, _ = CompositionBatch.from_formulas(["Li3N", "LiF"])
    lattice = lattice_of(pd.DataFrame(index=range(2)), batch)
    assert np.isnan(lattice.volume_a3).all()
    assert np.isnan(lattice.formula_units).all()
