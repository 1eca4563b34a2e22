"""What a hull says of one phase: its products, how far above them it is, and its steps of release."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hstore.errors import HstoreError, InputError
from hstore.formula import canonical_formula, parse_amounts, written_formula
from hstore_models.physics.hull import Hull
from hstore_models.physics.reaction import PhaseEnergy, by_product_gases
from hstore_workflows.physics.entries import lowest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from hstore_models.physics.entry import Computed
    from hstore_models.physics.reaction import ReactionEnergy


def hulls(entries: Sequence[Computed], formulas: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Place formulas on the hull of formation energies; one that cannot be placed has its cause.

    Elements and H2 stand at their references, 0 eV.

    Args:
        entries: phases of one kind of energy.
        formulas: hydrides, each with an entry of its composition.
    """
    for formula in formulas:
        try:
            yield {"formula": formula, "cause": "", **_placed(entries, formula)}
        except HstoreError as error:
            yield {"formula": formula, "cause": str(error)}


def _placed(entries: Sequence[Computed], formula: str) -> dict[str, Any]:
    amounts = parse_amounts(formula)
    name = canonical_formula(amounts)
    inside = lowest(entries, amounts)
    if name not in inside:
        raise InputError(f"no entry has the composition {formula}; add it with its formation energy")
    kind = inside[name].energy_kind
    phases = {
        one: PhaseEnergy(entry.formation_energy_ev_per_atom * sum(parse_amounts(one).values()), kind)
        for one, entry in inside.items()
    } | {element: PhaseEnergy(0.0, kind) for element in amounts if element != "H"}
    found = stability(Hull(phases, PhaseEnergy(0.0, kind)), name)
    return {
        **found,
        "entry": inside[name].identifier,
        "entries": len(inside),
        "energy_kind": kind,
        "by_product_gases_possible": list(by_product_gases([formula])),
    }


def stability(
    hull: Hull, formula: str, *, more: Callable[[ReactionEnergy], Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """Return decomposition and steps of release of a phase of a hull.

    Args:
        hull: with the phase.
        formula: the phase.
        more: what else to tell of a step.

    Raises:
        InputError: the phase is not in the hull, or the others cannot make up its composition.
    """
    decomposition = hull.decomposition(formula)
    return {
        "energy_above_products_ev_per_atom": decomposition.energy_ev_per_atom,
        "decomposition_products": {_written(name): n for name, n in decomposition.products.items()},
        "steps": [
            {
                "reaction": step.reaction.text,
                "raw_kj_per_mol_h2": step.kj_per_mol_h2,
                **(more(step) if more is not None else {}),
            }
            for step in hull.release_steps(formula)
        ],
    }


def stability_in_words(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield what :func:`stability` found in words."""
    above = record.get("energy_above_products_ev_per_atom", math.nan)
    if math.isfinite(above):
        products = " + ".join(f"{n:.3g} {name}" for name, n in record["decomposition_products"].items())
        state = f"{above:.3f} eV/atom above" if above > 0 else f"stable by {-above:.3f} eV/atom against"
        yield f"  {state} {products}"
    for number, step in enumerate(record.get("steps", []), start=1):
        text = f"  step {number}: {step['reaction']}  {step['raw_kj_per_mol_h2']:.1f} raw"
        if "desorption_enthalpy_kj_per_mol_h2" in step:
            text += (
                f", {step['desorption_enthalpy_kj_per_mol_h2']:.1f} +- {step['std_kj_per_mol_h2']:.1f} corrected"
            )
        yield text


def hull_in_words(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield one record of :func:`hulls` in words."""
    if record["cause"]:
        yield f"{record['formula']}: {record['cause']}"
        return
    yield f"{record['formula']}: {record['entry']} among {record['entries']} phases, {record['energy_kind']}"
    yield from stability_in_words(record)
    if record["by_product_gases_possible"]:
        yield f"  may give off {', '.join(record['by_product_gases_possible'])} as well"


def _written(name: str) -> str:
    return written_formula(parse_amounts(name))
