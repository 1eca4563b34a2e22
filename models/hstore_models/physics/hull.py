"""Which phases a composition falls apart into, from energies of one potential, and in which steps it loses H2.

Decomposition is a linear programme: the amounts of phases, none negative, that give the composition at the lowest
energy. Release of hydrogen is the same with hydrogen free to leave at a chemical potential: as that falls, the
stable phases change, and each change is one step with its own enthalpy (Alapati, Johnson and Sholl 2006, doi
10.1021/jp060482m, in other words). Energies are enthalpies at one temperature; configurational entropy is left
out.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError
from hstore.formula import canonical_formula, parse_amounts, written_formula
from hstore_models.physics.potential import one_potential
from hstore_models.physics.reaction import KJ_PER_MOL_EV, PhaseEnergy, Reaction, reaction_energy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore_models.physics.reaction import ReactionEnergy

H2 = "H2"
"""The gas among the phases of a hull."""
_PRESENT = 1e-7
_WEAKEST_KJ_PER_MOL_H2 = -200.0
_STRONGEST_KJ_PER_MOL_H2 = 600.0
_SAME_EV = 1e-9
_DENOMINATOR = 1000
_UNBOUNDED = 3
"""Status of a linear programme whose cost has no lower end."""


@dataclass(frozen=True)
class Decomposition:
    """What a phase falls apart into."""

    products: Mapping[str, float]
    """Canonical formula (H2 for the gas) -> formula units from one unit of the phase."""
    energy_ev_per_atom: float
    """Energy of the phase above its products, eV an atom; negative: it is stable by so much."""


@dataclass(frozen=True)
class GasRelease:
    """The reaction in which a phase gives off a gas other than H2 at the least cost, and no H2."""

    gas: str
    """Formula of the gas."""
    text: str
    """The reaction for one molecule of the gas."""
    kj_per_mol_gas: float
    """Its energy, kJ for a mole of the gas."""


@dataclass(frozen=True)
class _Stable:
    """Phases that are stable together at one binding of hydrogen in the gas."""

    phases: dict[str, float]
    """Canonical formula -> formula units."""
    slope: float
    """How the energy rises with the binding, eV per kJ/mol H2: half their hydrogen."""
    binding_kj_per_mol_h2: float
    """Where they were found."""
    energy_ev: float
    """Energy there, hydrogen at its potential in the gas, eV."""

    def at(self, binding_kj_per_mol_h2: float) -> float:
        """Return their energy at another binding, eV."""
        return self.energy_ev + self.slope * (binding_kj_per_mol_h2 - self.binding_kj_per_mol_h2)


class Hull:
    """Phases of one potential that may form from each other."""

    def __init__(self, phases: Mapping[str, PhaseEnergy], h2: PhaseEnergy) -> None:
        """Take energies a formula unit.

        Args:
            phases: canonical formula -> energy, solids only; elements among them.
            h2: energy of an H2 molecule.

        Raises:
            InputError: the energies come from several potentials.
        """
        self.potential = one_potential([h2.potential, *(energy.potential for energy in phases.values())])
        self.phases = dict(phases)
        self.h2 = h2

    def decomposition(self, formula: str) -> Decomposition:
        """Return the products with the lowest energy among all other phases and H2.

        Raises:
            InputError: the phase is not in the hull, or the others cannot make up its composition.
        """
        name = canonical_formula(parse_amounts(formula))
        if name not in self.phases:
            raise InputError(f"{formula} is not among the phases of the hull; add it first")
        others = {other: energy.energy_ev_per_formula for other, energy in self.phases.items() if other != name}
        others[H2] = self.h2.energy_ev_per_formula
        amounts = parse_amounts(name)
        products, lowest = _lowest(amounts, others)
        above = (self.phases[name].energy_ev_per_formula - lowest) / sum(amounts.values())
        return Decomposition(products, above)

    def release_steps(self, formula: str) -> list[ReactionEnergy]:
        """Return the steps in which a phase loses its hydrogen as it gets hotter, first step first.

        The first step starts from the phase itself, though a mixture may be lower; the others go from stable
        phases to stable phases.

        Raises:
            InputError: the phase is not in the hull, or its elements are not.
        """
        name = canonical_formula(parse_amounts(formula))
        if name not in self.phases:
            raise InputError(f"{formula} is not among the phases of the hull; add it first")
        metals = {element: n for element, n in parse_amounts(name).items() if element != "H"}
        first, last = (self._stable(metals, at) for at in (_WEAKEST_KJ_PER_MOL_H2, _STRONGEST_KJ_PER_MOL_H2))
        sets = [found.phases for found in self._between(metals, first, last)]
        hydrogen = parse_amounts(name).get("H", 0.0)
        sets = [{name: 1.0}, *(one for one in sets if _hydrogen(one) < hydrogen - _PRESENT)]
        steps = []
        for before, after in pairwise(sets):
            reaction = _reaction(before, after)
            if reaction is not None:
                steps.append(reaction_energy(reaction, self.phases, self.h2))
        return steps

    def gas_release(self, formula: str, gas: str, energy: PhaseEnergy) -> GasRelease:
        """Return the cheapest reaction of a phase that sets free a gas other than H2 and leaves solids.

        Args:
            formula: the phase.
            gas: formula of the gas, such as NH3.
            energy: of one molecule of it, by the same potential.

        Raises:
            InputError: the phase is not in the hull, its products are not, or energies come from two potentials.
        """
        from scipy.optimize import linprog

        name = canonical_formula(parse_amounts(formula))
        if name not in self.phases:
            raise InputError(f"{formula} is not among the phases of the hull; add it first")
        one_potential([self.potential, energy.potential])
        given_off = parse_amounts(gas)
        elements = sorted({*parse_amounts(name), *given_off})
        # For one molecule of the gas: units of the phase used up, first, and of each solid that is left.
        inside = [one for one in self.phases if one != name and set(parse_amounts(one)) <= set(elements)]
        signed = [(name, -1.0), *((one, 1.0) for one in inside)]
        balance = np.array([[sign * parse_amounts(one).get(el, 0.0) for one, sign in signed] for el in elements])
        costs = [sign * self.phases[one].energy_ev_per_formula for one, sign in signed]
        wanted = [-given_off.get(el, 0.0) for el in elements]
        found = linprog(costs, A_eq=balance, b_eq=wanted, method="highs")
        if found.status == _UNBOUNDED:
            raise InputError(
                f"{formula} falls apart into solids of the hull without a gas; ask what those give off instead"
            )
        if not found.success:
            raise InputError(f"the hull has no solids that are left where {formula} gives off {gas}; add entries")
        units = [Fraction(float(x)).limit_denominator(_DENOMINATOR) for x in found.x]
        left = {name: units[0]}
        right = {one: n for one, n in zip(inside, units[1:], strict=True) if n > _PRESENT}
        text = f"{_side(left)} -> {_side(right)} + {gas}"
        return GasRelease(gas, text, (float(found.fun) + energy.energy_ev_per_formula) * KJ_PER_MOL_EV)

    def _between(self, metals: Mapping[str, float], first: _Stable, last: _Stable) -> list[_Stable]:
        """Return the stable sets from one binding of hydrogen to a stronger one, each once.

        The energy of a set is a straight line in the binding, the lowest energy their lower envelope: where the
        lines of two sets cross, either both are stable or a third is.
        """
        if first.slope - last.slope < _PRESENT:
            return [first]
        crossing = (last.at(0.0) - first.at(0.0)) / (first.slope - last.slope)
        middle = self._stable(metals, crossing)
        if middle.at(crossing) > first.at(crossing) - _SAME_EV or middle.slope in (first.slope, last.slope):
            return [first, last]
        left, right = self._between(metals, first, middle), self._between(metals, middle, last)
        return left + right[1:]

    def _stable(self, metals: Mapping[str, float], binding_kj_per_mol_h2: float) -> _Stable:
        """Return what is stable where H2 in the gas lies so far below the molecule at rest."""
        hydrogen_ev = (self.h2.energy_ev_per_formula - binding_kj_per_mol_h2 / KJ_PER_MOL_EV) / 2
        open_ev = {}
        for formula, energy in self.phases.items():
            amounts = parse_amounts(formula)
            if not set(amounts) - {"H"} <= set(metals) or not set(amounts) - {"H"}:
                continue
            open_ev[formula] = energy.energy_ev_per_formula - hydrogen_ev * amounts.get("H", 0.0)
        found, lowest = _lowest(metals, open_ev, without="H")
        return _Stable(found, _hydrogen(found) / 2 / KJ_PER_MOL_EV, binding_kj_per_mol_h2, lowest)


def _lowest(
    amounts: Mapping[str, float], energies: Mapping[str, float], *, without: str = ""
) -> tuple[dict[str, float], float]:
    """Amounts of phases that give a composition at the lowest energy, and that energy."""
    from scipy.optimize import linprog

    elements = sorted(amounts)
    usable = {}
    for formula, energy in energies.items():
        inside = {el: n for el, n in parse_amounts(formula).items() if el != without}
        if set(inside) <= set(elements):
            usable[formula] = (energy, [inside.get(el, 0.0) for el in elements])
    if not usable:
        raise InputError(f"no phase holds {', '.join(elements)}; add the elements to the hull")
    costs = [energy for energy, _ in usable.values()]
    columns = np.array([column for _, column in usable.values()]).T
    found = linprog(costs, A_eq=columns, b_eq=[amounts[el] for el in elements], method="highs")
    if not found.success:
        raise InputError(
            f"the phases cannot make up {', '.join(elements)}; add the elements to the hull ({found.message})"
        )
    present = {formula: float(x) for formula, x in zip(usable, found.x, strict=True) if x > _PRESENT}
    return present, float(found.fun)


def _hydrogen(phases: Mapping[str, float]) -> float:
    return sum(n * parse_amounts(formula).get("H", 0.0) for formula, n in phases.items())


def _reaction(before: Mapping[str, float], after: Mapping[str, float]) -> Reaction | None:
    """Write the step between two sets of phases; None where it releases no hydrogen."""
    h2 = (_hydrogen(before) - _hydrogen(after)) / 2
    if h2 <= _PRESENT:
        return None
    change = {formula: after.get(formula, 0.0) - before.get(formula, 0.0) for formula in {**before, **after}}
    parts = {name: Fraction(n / h2).limit_denominator(_DENOMINATOR) for name, n in change.items()}
    left = {name: -n for name, n in parts.items() if n < 0}
    right = {name: n for name, n in parts.items() if n > 0}
    text = f"{_side(left)} -> {_side(right)} + H2"
    return Reaction(left, right, Fraction(1), text)


def _side(side: Mapping[str, Fraction]) -> str:
    written = {written_formula(parse_amounts(formula)): n for formula, n in side.items()}
    return " + ".join(f"{n} {formula}" if n != 1 else formula for formula, n in written.items())
