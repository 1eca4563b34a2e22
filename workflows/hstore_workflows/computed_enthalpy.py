"""Computed enthalpies of release beside predicted ones, and when they count.

The package carries hydrides relaxed and scored by one potential (``hstore physics hydride-set``). A candidate of
the same composition is told what was computed of it. It is ranked by the mean of both enthalpies, which came
nearer to known hydrides than either where their chemical system was left out (docs/how-to/potentials.md), unless

- its enthalpy was measured: then the model has learned from the measurement;
- the structure computed lies above its products: then the hydride has another, better structure, and the enthalpy
  is too low (NaAlH4 in the structure of NaBH4: by 47 kJ/mol H2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.formula import canonical_formula, parse_amounts
from hstore_data.computed import computed_hydrides
from hstore_data.curated import curated_table
from hstore_models.calibration import Reach
from hstore_models.hydride_thermodynamics import ENTHALPY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hstore.arrays import FloatArray
    from hstore_models.hydride_thermodynamics import ThermodynamicState
    from hstore_models.prediction import Query

PREDICTED, BOTH = "predicted", "mean of predicted and computed"
"""What a candidate is ranked by."""

_ENTHALPY = "desorption_enthalpy_kj_per_mol_h2"


@dataclass(frozen=True)
class ComputedHydride:
    """What was computed of one composition, in its structure of lowest energy."""

    enthalpy_kj_per_mol_h2: float
    """Corrected enthalpy of the first step of release, kJ/mol H2."""
    std_kj_per_mol_h2: float
    """Its standard deviation, kJ/mol H2."""
    above_products_ev_per_atom: float
    """Energy above what it falls apart into, eV/atom; negative: it is stable by so much."""
    structure_type: str
    """Structure that was relaxed."""
    potential: str
    """Key of the potential."""
    measured: bool
    """Whether an enthalpy of the composition was measured."""

    @property
    def counts(self) -> bool:
        """Whether the candidate is ranked by it too."""
        return not self.measured and self.above_products_ev_per_atom <= 0


@cache
def _by_elements() -> Mapping[frozenset[str], Mapping[str, ComputedHydride]]:
    """Elements -> canonical formula -> what was computed; by elements first, for most candidates have none."""
    table = curated_table("hydrides").frame
    measured = set(table.loc[table[_ENTHALPY].notna(), "composition"])
    frame = computed_hydrides()
    frame = frame[(frame["cause"] == "") & frame[_ENTHALPY].notna()]
    found: dict[frozenset[str], dict[str, ComputedHydride]] = {}
    for row in frame.sort_values("enthalpy_to_elements_kj_per_mol_h2", kind="stable").to_dict("records"):
        amounts = parse_amounts(str(row["formula"]))
        name = canonical_formula(amounts)
        found.setdefault(frozenset(amounts), {})[name] = ComputedHydride(
            float(row[_ENTHALPY]),
            float(row["std_kj_per_mol_h2"]),
            float(row["energy_above_products_ev_per_atom"]),
            str(row["structure_type"]),
            str(row["potential"]),
            name in measured,
        )  # the last one of a composition has the lowest energy
    return found


def computed_hydride(amounts: Mapping[str, float]) -> ComputedHydride | None:
    """Return what was computed of a composition, or None."""
    some = _by_elements().get(frozenset(amounts))
    return None if some is None else some.get(canonical_formula(dict(amounts)))


def computed_of(query: Query) -> list[ComputedHydride | None]:
    """Return what was computed of each candidate."""
    return [computed_hydride(amounts) for amounts in query.amounts]


def computed_columns(found: Sequence[ComputedHydride | None]) -> dict[str, Any]:
    """Return the columns of a screen that tell what was computed, and what each candidate is ranked by.

    Args:
        found: of :func:`computed_of`.

    Returns:
        Column -> one value for each row: ``computed_enthalpy_kj_per_mol_h2``, its ``_std``, the energy above the
        products, structure and potential; NaN and empty text where nothing was computed; ``enthalpy_basis``.
    """
    return {
        "computed_enthalpy_kj_per_mol_h2": _numbers(found, "enthalpy_kj_per_mol_h2"),
        "computed_enthalpy_std_kj_per_mol_h2": _numbers(found, "std_kj_per_mol_h2"),
        "computed_above_products_ev_per_atom": _numbers(found, "above_products_ev_per_atom"),
        "computed_structure": [one.structure_type if one else "" for one in found],
        "computed_by": [one.potential if one else "" for one in found],
        "enthalpy_basis": [BOTH if one and one.counts else PREDICTED for one in found],
    }


def with_computed(state: ThermodynamicState, found: Sequence[ComputedHydride | None]) -> ThermodynamicState:
    """Return the state by which candidates are ranked: the mean of predicted and computed where that counts.

    Errors of both are taken to go together, so that the standard deviation is the mean of theirs.

    Args:
        state: predicted.
        found: of :func:`computed_of`, for the same candidates.
    """
    rows = np.flatnonzero([one is not None and one.counts for one in found])
    if not len(rows):
        return state
    counted = [one for one in found if one is not None and one.counts]
    enthalpy, std = state.enthalpy_kj_per_mol_h2.copy(), state.enthalpy_std.copy()
    enthalpy[rows] = (enthalpy[rows] + [one.enthalpy_kj_per_mol_h2 for one in counted]) / 2
    std[rows] = (std[rows] + [one.std_kj_per_mol_h2 for one in counted]) / 2
    reach = {**state.reach, ENTHALPY: Reach.normal(std)}
    return replace(state, enthalpy_kj_per_mol_h2=enthalpy, reach=reach)


def _numbers(found: Sequence[ComputedHydride | None], name: str) -> FloatArray:
    return np.array([np.nan if one is None else getattr(one, name) for one in found], dtype=float)
