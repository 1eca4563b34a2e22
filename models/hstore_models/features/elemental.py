"""Tables of the elements behind the descriptors, each read once and indexed by atomic number.

Magpie's elemental properties, Miedema's parameters and the binary mixing enthalpies come from the data files
of the installed matminer (modified BSD licence), found without importing it. Heats of the binary hydrides
(``element_hydride.csv``, one source per row) and ionic radii (``element_ion.csv``) stand beside this module.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from hstore.errors import DataError
from hstore.formula import parse_amounts
from hstore_models.features.composition import ATOMIC_NUMBER, SYMBOLS, FloatArray

_MAX_Z = 118
_IONS = ("cation", "anion")


@cache
def elemental_table(properties: tuple[str, ...]) -> FloatArray:
    """Read Magpie properties of the elements, gaps filled with the mean over all elements as matminer does.

    Args:
        properties: file names without ending, such as ``"CovalentRadius"`` (pm), ``"GSvolume_pa"`` (A3/atom).

    Returns:
        Values of shape (104, len(properties)) by atomic number, read only; row 0, the padding, is NaN.

    Raises:
        DataError: matminer, or one of the files, is missing or damaged.
    """
    columns = []
    for name in properties:
        known = _magpie_file(name)[1:]
        columns.append(np.concatenate([[np.nan], np.where(np.isnan(known), np.nanmean(known), known)]))
    return _read_only(np.stack(columns, axis=1)[: len(SYMBOLS)])


@cache
def elemental_column(name: str) -> FloatArray:
    """Read one Magpie property of the elements as it stands in the file.

    Returns:
        Values of shape (104,) by atomic number, read only; NaN where the file has none, and at index 0.

    Raises:
        DataError: matminer, or the file, is missing or damaged.
    """
    return _read_only(_magpie_file(name)[: len(SYMBOLS)])


@cache
def miedema_column(name: str) -> FloatArray:
    """Read one of Miedema's parameters of the elements.

    De Boer et al., Cohesion in Metals (1988), as tabulated by Zhang et al., Comput. Phys. Commun. 209, 58
    (2016), doi 10.1016/j.cpc.2016.08.013.

    Args:
        name: ``"electronegativity"`` (work function phi*, V), ``"electron_density"`` (density at the
            boundary of the Wigner-Seitz cell, density units), ``"molar_volume"`` (cm3/mol),
            ``"compressibility"`` (bulk modulus, GPa) or another column of the file.

    Returns:
        Values of shape (104,) by atomic number, read only; NaN where the model has none.

    Raises:
        DataError: matminer, or the file, is missing or has no such column.
    """
    path = _matminer_data_dir() / "Miedema.csv"
    rows = list(csv.DictReader(_lines(path)))
    if not rows or name not in rows[0]:
        raise DataError(f"{path} has no column {name!r}; it has {list(rows[0]) if rows else 'no row'}")
    column = np.full(len(SYMBOLS), np.nan)
    for row in rows:
        column[ATOMIC_NUMBER[row["element"]]] = float(row[name])
    return _read_only(column)


@cache
def mixing_enthalpies() -> FloatArray:
    """Read the mixing enthalpies of the equiatomic binary liquids, kJ/mol of atoms.

    Miedema's model as tabulated by Takeuchi and Inoue, Mater. Trans. 46, 2817 (2005),
    doi 10.2320/matertrans.46.2817; contains hydrogen.

    Returns:
        Symmetric matrix of shape (104, 104) by atomic number, read only; zero on the diagonal, NaN where
        the pair is not tabulated.

    Raises:
        DataError: matminer, or the file, is missing.
    """
    table = np.full((len(SYMBOLS), len(SYMBOLS)), np.nan)
    np.fill_diagonal(table, 0.0)
    for line in _lines(_matminer_data_dir() / "MiedemaLiquidDeltaHf.tsv")[1:]:
        first, second, enthalpy = line.split()
        a, b = ATOMIC_NUMBER[first], ATOMIC_NUMBER[second]
        table[a, b] = table[b, a] = float(enthalpy)
    return _read_only(table)


@cache
def hydride_enthalpies() -> FloatArray:
    """Read the measured enthalpies of formation of the binary hydrides, kJ/mol H2, negative when stable.

    Returns:
        Values of shape (104,) by atomic number, read only; NaN where no measured value was found.
    """
    column = np.full(len(SYMBOLS), np.nan)
    for row in csv.DictReader(_package_lines("element_hydride.csv")):
        column[ATOMIC_NUMBER[row["element"]]] = float(row["formation_enthalpy_kj_per_mol_h2"])
    return _read_only(column)


@cache
def hydride_ratios() -> FloatArray:
    """Read the hydrogen atoms per metal atom of the binary hydrides whose enthalpy was measured.

    Returns:
        Values of shape (104,) by atomic number, read only; 0 where no such hydride was found.
    """
    column = np.zeros(len(SYMBOLS))
    for row in csv.DictReader(_package_lines("element_hydride.csv")):
        column[ATOMIC_NUMBER[row["element"]]] = parse_amounts(row["hydride"])["H"]
    return _read_only(column)


@cache
def ions() -> dict[str, FloatArray]:
    """Read charge and radius of the usual ions of the elements in solid electrolytes, from ``element_ion.csv``.

    Six-coordinate effective ionic radii of Shannon, Acta Cryst. A 32, 751 (1976),
    doi 10.1107/S0567739476001551; cations in the highest common oxidation state (Cr 3+, Mn 2+).

    Returns:
        ``cation_charge``, ``cation_radius_pm``, ``anion_charge``, ``anion_radius_pm``, each of shape (104,) by
        atomic number and read only; NaN where the element has no such ion or its radius is not tabulated.
    """
    table = {f"{kind}_{what}": np.full(len(SYMBOLS), np.nan) for kind in _IONS for what in ("charge", "radius_pm")}
    for row in csv.DictReader(_package_lines("element_ion.csv")):
        charge = float(row["charge"])
        kind = "cation" if charge > 0 else "anion"
        table[f"{kind}_charge"][ATOMIC_NUMBER[row["element"]]] = charge
        if row["radius_pm"]:
            table[f"{kind}_radius_pm"][ATOMIC_NUMBER[row["element"]]] = float(row["radius_pm"])
    return {name: _read_only(column) for name, column in table.items()}


def _package_lines(name: str) -> list[str]:
    return files("hstore_models.features").joinpath(name).read_text(encoding="utf-8").splitlines()


def _matminer_data_dir() -> Path:
    spec = find_spec("matminer")
    if spec is None or not spec.submodule_search_locations:
        raise DataError("matminer is not installed, and its elemental data are needed; pip install matminer")
    return Path(spec.submodule_search_locations[0]) / "utils" / "data_files"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"cannot read elemental data at {path}; reinstall matminer, which carries it") from error


def _magpie_file(name: str) -> FloatArray:
    path = _matminer_data_dir() / "magpie_elementdata" / f"{name}.table"
    column = np.full(_MAX_Z + 1, np.nan)
    for z, line in enumerate(_lines(path)[:_MAX_Z], start=1):
        column[z] = _number(line)
    if np.isnan(column).all():
        raise DataError(f"{path} holds no number, one per element was expected; reinstall matminer")
    return column


def _number(line: str) -> float:
    """Read a number; what is not one ('Missing["NotAvailable"]', a list, nothing) counts as missing."""
    try:
        return float(line)
    except ValueError:
        return np.nan


def _read_only(table: FloatArray) -> FloatArray:
    table.flags.writeable = False
    return table
