"""Whether a hydride gives off NH3 or B2H6 beside its hydrogen, by the same potential."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hstore.errors import HstoreError, InputError
from hstore.formula import parse_amounts
from hstore.units import GAS_CONSTANT_J_PER_MOL_K, STANDARD_TEMPERATURE_K
from hstore_models.physics.corrections import shift_ev
from hstore_models.physics.gases import H2_ENTROPY_J_PER_MOL_K, MOLECULES, Gas, gas
from hstore_models.physics.h2_reference import h2_energy, h2_thermal_kj_per_mol
from hstore_models.physics.reaction import KJ_PER_MOL_EV, PhaseEnergy, by_product_gases
from hstore_models.physics.vibrations import Vibrations
from hstore_workflows.physics.phases import element

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hstore_models.physics.hull import Hull
    from hstore_workflows.physics.pricing import PricedPhases

_LARGEST_EXPONENT = 700.0
COMPETES_BAR = 0.01
"""Pressure of a by-product, bar, where hydrogen has 1 bar, from which it competes: a hundredth of the gas."""


class ByProducts:
    """The gases a potential gives, each computed once."""

    def __init__(self, phases: PricedPhases) -> None:
        """Take the potential, and how reactions are priced."""
        self.phases = phases
        self._known: dict[str, Gas | str] = {}

    def records(
        self, formula: str, hull: Hull, first_step_kj_per_mol_h2: float | None
    ) -> Iterator[dict[str, Any]]:
        """Yield for each gas that the elements allow how its release stands to that of hydrogen.

        Args:
            formula: the hydride.
            hull: with the hydride, and with the solids that may be left.
            first_step_kj_per_mol_h2: enthalpy of the first step of hydrogen, kJ/mol H2; None where there is none.
        """
        for name in by_product_gases([formula]):
            try:
                yield {"gas": name, "cause": "", **self._record(name, formula, hull, first_step_kj_per_mol_h2)}
            except HstoreError as error:
                yield {"gas": name, "cause": str(error)}

    def _record(self, name: str, formula: str, hull: Hull, first: float | None) -> dict[str, Any]:
        found = self._gas(name)
        moving = self.phases.pricing.vibrations is not Vibrations.NONE
        energy = found.relaxed.energy_ev + (found.thermal_ev if moving else 0.0) + self._shift(name)
        release = hull.gas_release(formula, name, PhaseEnergy(energy, found.relaxed.potential))
        error = self.formation_error_kj_per_mol(name)
        told: dict[str, Any] = {
            "reaction": release.text,
            "raw_kj_per_mol_gas": release.kj_per_mol_gas,
            "formation_error_kj_per_mol": error,
            "has_1_bar_at_k": _has_1_bar_at_k(release.kj_per_mol_gas, found.entropy_j_per_mol_k),
        }
        if first is None or first <= 0:
            return told | {"competes": "undecided"}
        kelvin = _has_1_bar_at_k(first, H2_ENTROPY_J_PER_MOL_K)
        bars = [
            _bar(release.kj_per_mol_gas + off, found.entropy_j_per_mol_k, kelvin)
            for off in (-abs(error), 0.0, abs(error))
        ]
        sure = {bar >= COMPETES_BAR for bar in bars}
        return told | {
            "hydrogen_has_1_bar_at_k": kelvin,
            "bar_at_that_temperature": bars[1],
            "competes": "undecided" if len(sure) > 1 else "yes" if sure.pop() else "no",
        }

    def formation_error_kj_per_mol(self, name: str) -> float:
        """Return by how much the potential's formation enthalpy of a gas at 298.15 K is above the measured.

        Boron stands at rest: its own vibrations, about 10 kJ/mol of atoms, are not computed, and count as error.

        Raises:
            InputError: the potential does not hold a molecule together, or an element did not converge.
        """
        found = self._gas(name)
        made = found.relaxed.energy_ev + found.thermal_ev + self._shift(name)
        parts = sum(n * self._element_ev(one) for one, n in MOLECULES[name].elements.items())
        return (made - parts) * KJ_PER_MOL_EV - MOLECULES[name].formation_kj_per_mol

    def _element_ev(self, name: str) -> float:
        if name == "H2":
            thermal = h2_thermal_kj_per_mol(STANDARD_TEMPERATURE_K) / KJ_PER_MOL_EV
            return h2_energy(self.phases.potential).energy_ev_per_formula + thermal
        if name in MOLECULES:
            found = self._gas(name)
            return found.relaxed.energy_ev + found.thermal_ev
        self.phases.add({name: element(name)})
        relaxed = self.phases.phases[name].relaxed
        if not relaxed.converged:
            raise InputError(f"{name}: {relaxed.cause}")
        return relaxed.energy_ev_per_atom

    def _gas(self, name: str) -> Gas:
        if name not in self._known:
            try:
                self._known[name] = gas(self.phases.potential, name)
            except InputError as error:
                self._known[name] = str(error)
        found = self._known[name]
        if isinstance(found, str):
            raise InputError(found)
        return found

    def _shift(self, name: str) -> float:
        """Return what brings the gas on the footing of the solids, eV: its anions are theirs."""
        potential = self.phases.potential
        return shift_ev(parse_amounts(name), self.phases.pricing.footing, corrected=potential.corrected)


def by_products_in_words(records: list[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the records in words."""
    words = {
        "yes": "competes with hydrogen",
        "no": "does not compete with hydrogen",
        "undecided": "competes or not: the error of the gas does not let tell",
    }
    for one in records:
        if one["cause"]:
            yield f"  {one['gas']}: {one['cause']}"
            continue
        yield (
            f"  {one['gas']}: {one['reaction']}  {one['raw_kj_per_mol_gas']:.0f} kJ/mol {one['gas']} raw "
            f"(its formation is off by {one['formation_error_kj_per_mol']:+.0f})"
        )
        if "bar_at_that_temperature" in one:
            yield (
                f"    {one['bar_at_that_temperature']:.1e} bar at {one['hydrogen_has_1_bar_at_k']:.0f} K, where "
                f"hydrogen has 1 bar: {words[one['competes']]}"
            )


def _has_1_bar_at_k(kj_per_mol: float, entropy_j_per_mol_k: float) -> float:
    """Return where a gas is in equilibrium at 1 bar, K; the entropies of the solids are taken to cancel."""
    return 1e3 * kj_per_mol / entropy_j_per_mol_k


def _bar(kj_per_mol: float, entropy_j_per_mol_k: float, kelvin: float) -> float:
    """Return the equilibrium pressure of a gas, bar."""
    exponent = entropy_j_per_mol_k / GAS_CONSTANT_J_PER_MOL_K - 1e3 * kj_per_mol / (
        GAS_CONSTANT_J_PER_MOL_K * kelvin
    )
    return math.exp(min(exponent, _LARGEST_EXPONENT))
