"""Grids of compositions: all of them, once, each found by its number."""

from __future__ import annotations

from itertools import product

import pytest
from pydantic import ValidationError

from hstore.errors import InputError
from hstore.formula import parse_amounts
from hstore_workflows.batch.grid import Grid, count_grid
from hstore_workflows.batch.spec import GridSite

A = GridSite(elements=("La", "Ce", "Mg"), choose=2, total=1.0, step=0.25)
B = GridSite(elements=("Ni", "Al", "Co"), choose=1, total=5.0, step=5.0)
C = GridSite(elements=("Fe", "Mn"), choose=2, total=2.0, step=0.5)


def plainly(sites):
    """List the compositions of some sites in the simplest way."""
    found = []
    for site in sites:
        steps = round(site.total / site.step)
        found.append(
            {
                tuple(
                    sorted((el, round(n * site.step, 6)) for el, n in zip(site.elements, counts, strict=True) if n)
                )
                for counts in product(range(steps + 1), repeat=len(site.elements))
                if sum(counts) == steps and sum(map(bool, counts)) == site.choose
            }
        )
    return {tuple(sorted(sum(parts, ()))) for parts in product(*found)}


@pytest.mark.parametrize("sites", [(A,), (B,), (A, B), (A, B, C)])
def test_every_composition_comes_once(sites):
    grid = Grid.of(sites)
    formulas = grid.formulas(0, len(grid)).tolist()
    read = [tuple(sorted(parse_amounts(text).items())) for text in formulas]
    assert len(read) == len(grid) == count_grid(sites)
    assert set(read) == plainly(sites)


def test_any_stretch_is_that_of_the_whole():
    grid = Grid.of((A, B, C))
    whole = grid.formulas(0, len(grid)).tolist()
    for start, stop in ((0, 1), (5, 17), (len(grid) - 3, len(grid)), (40, 40)):
        assert grid.formulas(start, stop).tolist() == whole[start:stop]


def test_ten_to_the_ten_are_numbered_without_listing_them():
    metals = ("Ti", "Zr", "V", "Nb", "Cr", "Mo", "Hf", "Ta")
    others = ("Fe", "Mn", "Co", "Ni", "Al", "Cu", "Si", "Sn")
    sites = [GridSite(elements=names, choose=4, total=1.0, step=0.02) for names in (metals, others)]
    grid = Grid.of(sites)
    assert len(grid) == count_grid(sites) > 10**10
    assert parse_amounts(grid.formulas(len(grid) - 1, len(grid))[0]).keys() == {*metals[4:], *others[4:]}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"elements": ("La", "Xx")}, "unknown elements Xx"),
        ({"elements": ("La", "La")}, "twice"),
        ({"elements": ("La",), "choose": 2}, "only 1 elements"),
        ({"elements": ("La", "Ce"), "step": 0.3}, "multiple of step"),
        ({"elements": ("La", "Ce"), "choose": 2, "step": 1.0}, "at least 2 steps"),
    ],
)
def test_a_site_that_cannot_be_shared_is_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        GridSite(**fields)


def test_what_would_come_twice_or_fill_the_memory_is_refused():
    with pytest.raises(InputError, match="La may share two sites"):
        Grid.of((A, GridSite(elements=("La", "Y"))))
    fine = GridSite(elements=("Ni", "Co", "Fe", "Mn", "Al"), choose=5, total=1.0, step=0.01)
    with pytest.raises(InputError, match="site 1 has 3,764,376 compositions"):
        Grid.of((fine,))
