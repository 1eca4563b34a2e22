"""Reactions that release hydrogen: written as text, balanced, and priced by energies of one potential."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hstore.errors import FormulaError, InputError
from hstore.formula import canonical_formula, parse_amounts, written_formula
from hstore.units import BOLTZMANN_EV_PER_K, GAS_CONSTANT_J_PER_MOL_K
from hstore_models.physics.potential import one_potential

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KJ_PER_MOL_EV = GAS_CONSTANT_J_PER_MOL_K / BOLTZMANN_EV_PER_K / 1000
"""One eV a particle in kJ/mol, from the constants of :mod:`hstore.units`."""
BY_PRODUCTS = {"BH3": "B2H6", "B2H6": "B2H6", "NH3": "NH3", "H3N": "NH3"}
"""Gases other than H2 that hydrides give off, under the formulas they may carry."""
_TERM = re.compile(r"^(?:(\d+(?:\.\d+)?(?:/\d+)?)\s+)?([A-Z][A-Za-z0-9.()]*)$")
_BALANCED = 1e-6


@dataclass(frozen=True)
class Reaction:
    """A balanced reaction in which H2 is set free.

    Raises:
        InputError: an element is not balanced, or no H2 is released.
    """

    reactants: Mapping[str, Fraction]
    """Canonical formula -> formula units."""
    products: Mapping[str, Fraction]
    """Canonical formula -> formula units, without H2."""
    h2: Fraction
    """Molecules of H2 released."""
    text: str = ""
    """As it was written."""

    def __post_init__(self) -> None:
        """Refuse what does not add up."""
        if self.h2 <= 0:
            raise InputError(f"{self.text or 'the reaction'} releases no H2; write H2 on the right")
        left = _elements(self.reactants)
        right = _elements(self.products)
        right["H"] = right.get("H", 0.0) + 2 * float(self.h2)
        wrong = sorted(el for el in left | right if abs(left.get(el, 0.0) - right.get(el, 0.0)) > _BALANCED)
        if wrong:
            counts = ", ".join(f"{el} {left.get(el, 0.0):g} against {right.get(el, 0.0):g}" for el in wrong)
            raise InputError(f"{self.text or 'the reaction'} is not balanced ({counts}); correct the amounts")

    @cached_property
    def phases(self) -> tuple[str, ...]:
        """Canonical formulas of all solids."""
        return tuple(dict.fromkeys((*self.reactants, *self.products)))

    @property
    def gases(self) -> tuple[str, ...]:
        """Gases other than H2 among the products."""
        named = {canonical_formula(parse_amounts(formula)): gas for formula, gas in BY_PRODUCTS.items()}
        return tuple(sorted({named[formula] for formula in self.products if formula in named}))


def parse_reaction(text: str) -> Reaction:
    """Read a reaction such as ``NaAlH4 -> 1/3 Na3AlH6 + 2/3 Al + H2``.

    Amounts are whole numbers, decimals or fractions, before the formula and apart from it.

    Raises:
        InputError: it cannot be read, is not balanced, or releases no H2.
    """
    left, arrow, right = text.partition("->")
    if not arrow:
        raise InputError(f"a reaction has an arrow, got {text!r}; write it as MgH2 -> Mg + H2")
    products = _side(right, text)
    h2 = products.pop("H", Fraction(0)) / 2
    return Reaction(_side(left, text), products, h2, " ".join(text.split()))


def into_elements(formula: str) -> Reaction:
    """Return the release of all hydrogen of a formula unit, down to the elements.

    Raises:
        InputError: it has no hydrogen.
    """
    name = canonical_formula(parse_amounts(formula))
    amounts = parse_amounts(name)
    hydrogen = amounts.get("H", 0.0)
    if hydrogen <= 0:
        raise InputError(f"{formula} has no hydrogen to release; give a hydride")
    rest = {element: _fraction(amount) for element, amount in amounts.items() if element != "H"}
    parts = [*rest.items(), ("H2", _fraction(hydrogen) / 2)]
    text = f"{written_formula(amounts)} -> " + " + ".join(name if n == 1 else f"{n} {name}" for name, n in parts)
    return Reaction({name: Fraction(1)}, rest, _fraction(hydrogen) / 2, text)


@dataclass(frozen=True)
class PhaseEnergy:
    """Energy of one phase by one potential."""

    energy_ev_per_formula: float
    """Energy of one canonical formula unit, eV."""
    potential: str
    """Key of the potential."""


@dataclass(frozen=True)
class ReactionEnergy:
    """What a reaction costs."""

    reaction: Reaction
    """The reaction."""
    potential: str
    """Key of the potential all energies come from."""
    kj_per_mol_h2: float
    """Energy of the reaction per mole of H2, kJ; positive where release is endothermic."""

    def as_json(self) -> dict[str, Any]:
        """Return the reaction, its energy and the potential."""
        return {
            "reaction": self.reaction.text,
            "energy_kj_per_mol_h2": self.kj_per_mol_h2,
            "potential": self.potential,
            "by_product_gases": list(self.reaction.gases),
        }


def reaction_energy(reaction: Reaction, energies: Mapping[str, PhaseEnergy], h2: PhaseEnergy) -> ReactionEnergy:
    """Return the energy of a reaction.

    Args:
        reaction: balanced.
        energies: canonical formula -> energy, of every solid of the reaction.
        h2: energy of one H2 molecule, by the same potential.

    Raises:
        InputError: the energy of a phase is missing, or the energies come from several potentials.
    """
    missing = [formula for formula in reaction.phases if formula not in energies]
    if missing:
        named = ", ".join(written_formula(parse_amounts(formula)) for formula in missing)
        raise InputError(f"{reaction.text} needs the energies of {named}; compute them first")
    used = {formula: energies[formula] for formula in reaction.phases}
    key = one_potential([h2.potential, *(energy.potential for energy in used.values())])
    change = sum(float(n) * used[formula].energy_ev_per_formula for formula, n in reaction.products.items())
    change -= sum(float(n) * used[formula].energy_ev_per_formula for formula, n in reaction.reactants.items())
    per_h2 = change / float(reaction.h2) + h2.energy_ev_per_formula
    return ReactionEnergy(reaction, key, per_h2 * KJ_PER_MOL_EV)


def _side(text: str, whole: str) -> dict[str, Fraction]:
    amounts: dict[str, Fraction] = {}
    for term in text.split("+"):
        match = _TERM.match(term.strip())
        if match is None:
            raise InputError(f"{term.strip()!r} in {whole!r} is no amount and formula; write terms such as 1/2 H2")
        number, formula = match.groups()
        try:
            parsed = parse_amounts(formula)
        except FormulaError as error:
            raise InputError(f"{whole!r}: {error}") from error
        name = canonical_formula(parsed)
        units = _fraction(sum(parsed.values())) / _fraction(sum(parse_amounts(name).values()))
        amounts[name] = amounts.get(name, Fraction(0)) + Fraction(number or 1) * units
    return amounts


def _elements(side: Mapping[str, Fraction]) -> dict[str, float]:
    total: dict[str, float] = {}
    for formula, units in side.items():
        for element, amount in parse_amounts(formula).items():
            total[element] = total.get(element, 0.0) + float(units) * amount
    return total


def _fraction(value: float) -> Fraction:
    return Fraction(value).limit_denominator(10_000)


def by_product_gases(formulas: Iterable[str]) -> tuple[str, ...]:
    """Return which gases other than H2 a hydride may give off by its elements: NH3 with N, B2H6 with B."""
    elements = {element for formula in formulas for element in parse_amounts(formula)}
    return tuple(gas for element, gas in (("B", "B2H6"), ("N", "NH3")) if element in elements and "H" in elements)
