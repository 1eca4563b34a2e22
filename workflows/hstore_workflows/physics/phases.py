"""Crystals to compute: published hydrides and hosts from the curated table, elements as ASE lists them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.crystal import Crystal
from hstore.elements import SYMBOLS
from hstore.errors import DataError, InputError, unknown_name
from hstore.formula import canonical_formula, parse_amounts

if TYPE_CHECKING:
    from collections.abc import Mapping

H2 = "H2"
"""The gas, which is no crystal: its energy comes from :mod:`hstore_models.physics.h2_reference`."""
_FROM_AFLOW = {
    "B": "A_hR12_166_2h",
    "N": "A_cP8_205_c",
    "Mn": "A_cI58_217_ac2g",
    "Ga": "A_oC8_64_f",
    "P": "A_oC8_64_f-2",
    "U": "A_oC4_63_c",
    "Pa": "A_tI2_139_a",
    "Se": "A_hP3_152_a",
    "I": "A_oC8_64_f-3",
}
"""Element -> its structure in the AFLOW library (doi 10.1016/j.commatsci.2017.01.017), where ASE has none."""


@cache
def published_phases() -> Mapping[str, Crystal]:
    """Return the crystal of every phase in the table ``hydride_phases``, by canonical formula, as primitive cells.

    Raises:
        DataError: a row gives no crystal of its formula.
    """
    from hstore_data.curated import curated_table

    rows: list[dict[str, Any]] = curated_table("hydride_phases").frame.to_dict("records")  # type: ignore[assignment]
    return {canonical(str(row["formula"])): _crystal(row) for row in rows}


def canonical(formula: str) -> str:
    """Return the formula that equal compositions share."""
    return canonical_formula(parse_amounts(formula))


def phase(formula: str) -> Crystal:
    """Return the crystal of a phase: of the table, or of an element.

    Raises:
        UnknownNameError: there is no structure of that formula.
    """
    name = canonical(formula)
    phases = published_phases()
    if name in phases:
        return phases[name]
    if name in SYMBOLS and name != "H":
        return element(name)
    raise unknown_name("phase", formula, phases)


@cache
def element(symbol: str) -> Crystal:
    """Return an element in its stable structure at room temperature, as far as ASE or the AFLOW library has it.

    Lattice constants and structures as in ``ase.data.reference_states`` (Ashcroft and Mermin, Solid State Physics,
    1976), else from the AFLOW library.

    Raises:
        InputError: neither has a crystal of it.
    """
    from ase.build import bulk

    if symbol in _FROM_AFLOW:
        return _from_aflow(symbol, _FROM_AFLOW[symbol])
    try:
        atoms = bulk(symbol)
    except (
        ValueError,
        RuntimeError,
        NotImplementedError,
        KeyError,
    ) as error:  # ASE's, for elements it cannot build
        raise InputError(
            f"there is no crystal structure of {symbol} to compute ({error}); give the enthalpy against phases "
            "without it"
        ) from error
    return Crystal(atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)


def _from_aflow(symbol: str, label: str) -> Crystal:
    from hstore_workflows.sources.prototypes.aflow import load_entries

    entries = load_entries()
    if label not in entries:
        raise DataError(f"the installed pymatgen has no prototype {label} for {symbol}; install pymatgen 2026.10")
    crystal = Crystal.from_dict(entries[label].structure)
    return Crystal(
        crystal.lattice_angstrom,
        crystal.fractional,
        np.full(len(crystal), SYMBOLS.index(symbol) + 1),
    )


def _crystal(row: Mapping[str, Any]) -> Crystal:
    from ase.spacegroup import crystal as expand

    sites = [site.split() for site in row["sites"].split(";")]
    atoms: Any = expand(
        [site[0] for site in sites],
        [[float(part) for part in site[1:]] for site in sites],
        spacegroup=int(row["space_group"]),
        setting=int(row["setting"]),
        cellpar=[row[name] for name in ("a", "b", "c", "alpha", "beta", "gamma")],
        primitive_cell=True,
    )
    made = Crystal(atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    if canonical_formula(made.amounts) != canonical(str(row["formula"])):
        raise DataError(f"the sites of {row['formula']} in hydride_phases give {made.formula}; correct the row")
    return made
