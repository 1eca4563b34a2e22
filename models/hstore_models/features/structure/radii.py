"""Sizes of atoms (``element_radius.csv``), as pymatgen tabulates them."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from hstore.elements import SYMBOLS

if TYPE_CHECKING:
    from hstore_models.features.composition import BoolArray, FloatArray


@cache
def atomic_radii_angstrom() -> FloatArray:
    """Return empirical atomic radii by atomic number, shape (104,), angstrom, read only; NaN where there is none.

    Slater, J. Chem. Phys. 41, 3199 (1964), doi 10.1063/1.1725697.
    """
    return _column("atomic_radius_pm")


@cache
def metallic_radii_angstrom() -> FloatArray:
    """Return radii in the metal with twelve neighbours, shape (104,), angstrom, read only.

    Atomic radii stand in for the elements that are no metals, and for Sn, Pb and Bi, whose metals have fewer
    neighbours; NaN where there is neither.
    """
    metallic = _column("metallic_radius_pm")
    radii = np.where(np.isnan(metallic), atomic_radii_angstrom(), metallic)
    radii.flags.writeable = False
    return radii


@cache
def is_metal() -> BoolArray:
    """Tell which elements have a tabulated radius in the metal, by atomic number, shape (104,), read only."""
    known = ~np.isnan(_column("metallic_radius_pm"))
    known.flags.writeable = False
    return known


def _column(name: str) -> FloatArray:
    text = files("hstore_models.features.structure").joinpath("element_radius.csv").read_text(encoding="utf-8")
    radii = {row["element"]: row[name] for row in csv.DictReader(text.splitlines())}
    table = np.array([np.nan, *(float(radii[symbol] or "nan") / 100 for symbol in SYMBOLS)])
    table.flags.writeable = False
    return table
