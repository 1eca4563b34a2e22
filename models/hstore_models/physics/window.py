"""Electrochemical window of a compound against its hull at 0 K.

At a potential phi against the metal of the mobile ion, the ion has the chemical potential mu = mu(metal) - z e
phi, and the compound is in equilibrium with an open reservoir of it (Zhu, He and Mo 2015, doi
10.1021/acsami.5b07517; Richards et al. 2016, doi 10.1021/acs.chemmater.5b04082). The window is where the
equilibrium takes up no ion and gives none off. For a compound above the hull it is that of the phases it
decomposes to. Kinetics often let a compound live beyond its window; products that conduct electrons do not. Solids
at 0 K only; the hull is that of pymatgen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError
from hstore.formula import formula_text, parse_amounts
from hstore_models.physics.entry import one_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore_models.physics.entry import Computed

CHARGES = {"Li": 1, "Na": 1, "K": 1, "Rb": 1, "Cs": 1, "Ag": 1, "Cu": 1, "Mg": 2, "Ca": 2, "Zn": 2, "Al": 3}
"""Mobile ion -> its charge."""

_NO_ION = 1e-4
"""Ions for each formula unit that count as none."""
_ON_HULL_EV_PER_ATOM = 1e-6


@dataclass(frozen=True)
class Step:
    """Equilibrium over a range of potentials."""

    from_v: float
    """Lower end, V against the metal."""
    to_v: float | None
    """Upper end, V; None for all higher potentials."""
    ions_taken_up: float
    """Ions that a formula unit takes up; negative where it gives them off."""
    products: tuple[str, ...]
    """Phases, reduced formulas."""


@dataclass(frozen=True)
class Window:
    """Window of one compound."""

    formula: str
    """Compound asked for."""
    ion: str
    """Mobile ion, an element."""
    reduction_v: float
    """Potential below which it takes up ions, V against the metal; 0 where it lives with the metal."""
    oxidation_v: float | None
    """Potential above which it gives ions off, V; None where it never does."""
    energy_above_hull_ev_per_atom: float | None
    """Distance of the compound from the hull, eV/atom; None where no entry has its composition."""
    decomposes_to: tuple[str, ...]
    """Phases in the window, reduced formulas; the compound alone where it is on the hull."""
    against_metal_ev_per_atom: float | None
    """Energy of the reaction with the metal, eV for each atom of the compound; 0 where there is none."""
    steps: tuple[Step, ...]
    """Equilibria by rising potential."""
    energy_kind: str
    """Kind of all energies."""
    entries: int
    """Phases in the hull's chemical system."""

    @property
    def width_v(self) -> float | None:
        """Width, V; None where it has no upper end."""
        return None if self.oxidation_v is None else self.oxidation_v - self.reduction_v

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return vars(self) | {
            "width_v": self.width_v,
            "decomposes_to": list(self.decomposes_to),
            "steps": [vars(step) | {"products": list(step.products)} for step in self.steps],
        }


def electrochemical_window(entries: Sequence[Computed], formula: str, ion: str) -> Window:
    """Compute the window of a compound.

    Elements without an entry stand at their reference, 0 eV/atom.

    Args:
        entries: phases; those with elements that are neither in the compound nor the ion are left out.
        formula: the compound; it need not have an entry.
        ion: mobile ion, a key of :data:`CHARGES`.

    Raises:
        InputError: energies are of several kinds, the ion is unknown, or the compound holds nothing else.
    """
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition, Element

    if ion not in CHARGES:
        raise InputError(f"the mobile ion must be one of {', '.join(CHARGES)}, got {ion!r}")
    amounts = parse_amounts(formula)
    elements = set(amounts) | {ion}
    if elements == {ion}:
        raise InputError(f"{formula} holds nothing but {ion}; a window is that of a compound")
    inside = [entry for entry in entries if set(entry.amounts) <= elements]
    kind = one_kind(inside)
    placed = [
        PDEntry(
            Composition(dict(entry.amounts)),
            entry.formation_energy_ev_per_atom * sum(entry.amounts.values()),
            name=entry.identifier,
        )
        for entry in inside
    ]
    alone = {element for entry in inside if len(entry.amounts) == 1 for element in entry.amounts}
    placed += [PDEntry(Composition({element: 1.0}), 0.0) for element in sorted(elements - alone)]
    hull = PhaseDiagram(placed, elements=[Element(element) for element in sorted(elements)])
    compound = Composition(amounts)
    same = [one for one in placed if one.composition.reduced_formula == compound.reduced_formula]
    lowest = min(same, key=lambda one: one.energy_per_atom, default=None)
    steps = _steps(hull, compound, ion)
    reduction, oxidation = _limits(steps)
    above = None if lowest is None else max(0.0, float(hull.get_decomp_and_e_above_hull(lowest)[1] or 0.0))
    return Window(
        formula=formula_text(amounts),
        ion=ion,
        reduction_v=reduction,
        oxidation_v=oxidation,
        energy_above_hull_ev_per_atom=above,
        decomposes_to=tuple(sorted(one.composition.reduced_formula for one in hull.get_decomposition(compound))),
        against_metal_ev_per_atom=None if lowest is None else _against_metal(hull, lowest, steps[0], ion),
        steps=steps,
        energy_kind=kind,
        entries=len(inside),
    )


def _steps(hull: Any, compound: Any, ion: str) -> tuple[Step, ...]:
    """Return the equilibria from the metal on."""
    from pymatgen.core import Element

    element, charge = Element(ion), CHARGES[ion]
    profile = hull.get_element_profile(element, compound)
    metal = hull.el_refs[element].energy_per_atom
    volts = [max(0.0, -(float(one["chempot"]) - metal) / charge) for one in profile]
    units = compound.get_reduced_composition_and_factor()[1]
    return tuple(
        Step(
            from_v=low,
            to_v=high,
            ions_taken_up=float(one["evolution"]) / units,
            products=tuple(sorted(entry.composition.reduced_formula for entry in one["entries"])),
        )
        for one, low, high in zip(profile, volts, [*volts[1:], None], strict=True)
    )


def _limits(steps: Sequence[Step]) -> tuple[float, float | None]:
    """Return the ends of the range without uptake and loss; where there is none, the potential of the change."""
    for step in steps:
        if abs(step.ions_taken_up) <= _NO_ION:
            return step.from_v, step.to_v
    for step in steps:
        if step.ions_taken_up < 0:
            return step.from_v, step.from_v
    return steps[-1].from_v, None


def _against_metal(hull: Any, entry: Any, first: Step, ion: str) -> float:
    """Return the energy of the reaction with the metal, eV per atom of the compound, at most 0."""
    from pymatgen.core import Composition

    atoms = entry.composition.num_atoms
    _, factor = entry.composition.get_reduced_composition_and_factor()
    taken = max(first.ions_taken_up, 0.0) * factor
    metal = hull.el_refs[next(element for element in hull.elements if element.symbol == ion)].energy_per_atom
    together = Composition({**entry.composition.as_dict(), ion: entry.composition[ion] + taken})
    products = hull.get_hull_energy_per_atom(together) * together.num_atoms
    energy = (products - entry.energy - taken * metal) / atoms
    return min(0.0, float(energy)) if energy < -_ON_HULL_EV_PER_ATOM else 0.0
