"""The enthalpy at which one material releases hydrogen: its reaction and steps, corrected by known hydrides."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hstore.errors import HstoreError, InputError
from hstore.formula import parse_amounts, written_formula
from hstore_models.physics.calibrated import fit_calibration
from hstore_models.physics.hull import Hull
from hstore_models.physics.reaction import by_product_gases, into_elements, parse_reaction
from hstore_workflows.physics.known_hydrides import known_reactions, price_known
from hstore_workflows.physics.phases import canonical, element, phase, published_phases
from hstore_workflows.physics.pricing import PricedPhases, Pricing, as_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.crystal import Crystal
    from hstore.settings import Settings
    from hstore_models.physics.calibrated import Calibration, Priced
    from hstore_models.physics.reaction import Reaction


@dataclass(frozen=True)
class Asked:
    """One material whose enthalpy is asked for."""

    name: str
    """Formula or file, as the user wrote it."""
    formula: str
    """Formula."""
    crystal: Crystal | None = None
    """Structure of a file; None takes the one of the table of known phases."""
    reaction: Reaction | None = None
    """Reaction; None takes the known one, else that into the elements."""


class EnthalpyDesk:
    """Prices materials with one potential, and corrects them where the known hydrides are priced too."""

    def __init__(self, pricing: Pricing, home: Settings, *, calibrate: bool) -> None:
        """Load the potential and, where asked to, price the known hydrides.

        Raises:
            MissingExtraError, InputError, ModelError: as :class:`PricedPhases`.
        """
        self.phases = PricedPhases(pricing, home)
        self.pricing = pricing
        self.calibration: Calibration | None = None
        if calibrate:
            rows, _ = price_known(self.phases)
            self.calibration = fit_calibration(rows)

    def record(self, asked: Asked) -> dict[str, Any]:
        """Return the enthalpy of one material, or its cause."""
        base = {"name": asked.name, "formula": asked.formula, "cause": ""}
        try:
            return {**base, **self._record(asked)}
        except HstoreError as error:
            return {**base, "cause": str(error)}

    def _record(self, asked: Asked) -> dict[str, Any]:
        reaction = asked.reaction or known_reaction(asked.formula) or into_elements(asked.formula)
        self._add(asked, reaction)
        priced = self.phases.price(asked.formula, "", reaction)
        if isinstance(priced, str):
            return {"cause": priced}
        found = {
            "reaction": reaction.text,
            "raw_kj_per_mol_h2": priced.raw_kj_per_mol_h2,
            **self._corrected(priced),
            "by_product_gases_possible": list(by_product_gases([asked.formula])),
            **self.phases.potential.as_json(),
            "pricing": as_json(self.pricing),
        }
        return {**found, **self._stability(asked)}

    def _corrected(self, priced: Priced) -> dict[str, Any]:
        """Return the corrected enthalpy; where the material is one of the known, by a fit without it."""
        if self.calibration is None:
            return {}
        kept = [row for row in self.calibration.rows if row.formula != priced.formula]
        seen = len(kept) < len(self.calibration.rows)
        found = (fit_calibration(kept) if seen else self.calibration).predict([priced])
        return {
            "desorption_enthalpy_kj_per_mol_h2": float(found.kj_per_mol_h2[0]),
            "std_kj_per_mol_h2": float(found.std_kj_per_mol_h2[0]),
            "left_out_of_the_correction": seen,
        }

    def _add(self, asked: Asked, reaction: Reaction) -> None:
        own = canonical(asked.formula)
        wanted = {name: phase(name) for name in reaction.phases if asked.crystal is None or name != own}
        if asked.crystal is not None:
            wanted[own] = asked.crystal
        self.phases.add(wanted)

    def _stability(self, asked: Asked) -> dict[str, Any]:
        """Return decomposition and steps against all known phases and elements of the chemical system."""
        own = canonical(asked.formula)
        elements = set(parse_amounts(asked.formula)) - {"H"}
        rivals: dict[str, Crystal] = {symbol: element(symbol) for symbol in sorted(elements)}
        rivals |= {
            name: crystal
            for name, crystal in published_phases().items()
            if set(parse_amounts(name)) <= elements | {"H"} and name != own
        }
        self.phases.add(rivals)
        usable = {name: record.energy for name in (*rivals, own) if (record := self.phases.phases[name]).energy}
        hull = Hull({name: energy for name, energy in usable.items() if energy is not None}, self.phases.h2)
        try:
            decomposition = hull.decomposition(own)
            steps = hull.release_steps(own)
        except InputError as error:
            return {"stability_cause": str(error)}
        return {
            "energy_above_products_ev_per_atom": decomposition.energy_ev_per_atom,
            "decomposition_products": {_written(name): n for name, n in decomposition.products.items()},
            "rivals": sorted(_written(name) for name in rivals),
            "steps": [
                {"reaction": step.reaction.text, "raw_kj_per_mol_h2": step.kj_per_mol_h2} | self._step(step)
                for step in steps
            ],
        }

    def _step(self, step: Any) -> dict[str, Any]:
        if self.calibration is None:
            return {}
        priced = self.phases.price("", "", step.reaction)
        if isinstance(priced, str):
            return {"cause": priced}
        found = self.calibration.predict([priced])
        return {
            "desorption_enthalpy_kj_per_mol_h2": float(found.kj_per_mol_h2[0]),
            "std_kj_per_mol_h2": float(found.std_kj_per_mol_h2[0]),
        }


def known_reaction(formula: str) -> Reaction | None:
    """Return the reaction that the measured enthalpy of a known hydride stands for, or None."""
    name = canonical(formula)
    return next((one.reaction for one in known_reactions() if canonical(one.formula) == name), None)


def stated(text: str | None, formula: str) -> Reaction | None:
    """Read the reaction a user states, and see that it starts from the material.

    Raises:
        InputError: it cannot be read, or the material does not react in it.
    """
    if text is None:
        return None
    reaction = parse_reaction(text)
    if canonical(formula) not in reaction.reactants:
        raise InputError(
            f"{formula} does not stand on the left of {text!r}; write the reaction in which it reacts"
        )
    return reaction


def _written(name: str) -> str:
    """Return a canonical formula as chemists write it."""
    return written_formula(parse_amounts(name))


def lines(record: Mapping[str, Any]) -> list[str]:
    """Return one record as text."""
    if record["cause"]:
        return [f"{record['name']}: {record['cause']}"]
    text = [f"{record['name']}: {record['reaction']}"]
    if "desorption_enthalpy_kj_per_mol_h2" in record:
        value, std = record["desorption_enthalpy_kj_per_mol_h2"], record["std_kj_per_mol_h2"]
        seen = ", fitted without it" if record["left_out_of_the_correction"] else ""
        text.append(f"  {value:.1f} +- {std:.1f} kJ/mol H2 corrected{seen}")
    text.append(f"  {record['raw_kj_per_mol_h2']:.1f} kJ/mol H2 by {record['model']} ({record['key']})")
    above = record.get("energy_above_products_ev_per_atom", math.nan)
    if math.isfinite(above):
        products = " + ".join(f"{n:.3g} {name}" for name, n in record["decomposition_products"].items())
        state = f"{above:.3f} eV/atom above" if above > 0 else f"stable by {-above:.3f} eV/atom against"
        text.append(f"  {state} {products}")
    text += [
        f"  step {number}: {step['reaction']}  {step['raw_kj_per_mol_h2']:.1f} raw"
        + (
            f", {step['desorption_enthalpy_kj_per_mol_h2']:.1f} +- {step['std_kj_per_mol_h2']:.1f} corrected"
            if "desorption_enthalpy_kj_per_mol_h2" in step
            else ""
        )
        for number, step in enumerate(record.get("steps", []), start=1)
    ]
    if record["by_product_gases_possible"]:
        text.append(f"  may give off {', '.join(record['by_product_gases_possible'])} as well")
    return text
