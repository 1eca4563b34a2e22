"""The enthalpy at which one material releases hydrogen: its reaction and steps, corrected by known hydrides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hstore.errors import HstoreError, InputError
from hstore.formula import parse_amounts, written_formula
from hstore_models.physics.calibrated import Priced, fit_calibration
from hstore_models.physics.entry import one_kind
from hstore_models.physics.hull import Hull
from hstore_models.physics.reaction import PhaseEnergy, by_product_gases, into_elements, parse_reaction
from hstore_workflows.physics.by_products import ByProducts, by_products_in_words
from hstore_workflows.physics.entries import kind_of_potential, lowest
from hstore_workflows.physics.hulls import stability, stability_in_words
from hstore_workflows.physics.known_hydrides import known_reactions, price_known
from hstore_workflows.physics.phases import canonical, element, phase, published_phases
from hstore_workflows.physics.pricing import PricedPhases, Pricing, as_json

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from hstore.crystal import Crystal
    from hstore.settings import Settings
    from hstore_models.physics.calibrated import Calibration
    from hstore_models.physics.entry import Computed
    from hstore_models.physics.reaction import Reaction, ReactionEnergy


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

    def __init__(
        self,
        pricing: Pricing,
        home: Settings,
        *,
        calibrate: bool,
        rivals: Sequence[Crystal] = (),
        entries: Sequence[Computed] = (),
        by_products: bool = False,
    ) -> None:
        """Load the potential and, where asked to, price the known hydrides.

        Args:
            pricing: how reactions are priced.
            home: where finished relaxations are kept.
            calibrate: whether to correct by the known hydrides.
            rivals: further phases of the hull, relaxed where they are of the system asked for.
            entries: further phases of the hull, of the kind of energy that the pricing gives.
            by_products: whether to compute NH3 and B2H6 where the elements allow them.

        Raises:
            InputError: entries are of several kinds of energy, or of another than the pricing gives.
            MissingExtraError, ModelError: as :class:`PricedPhases`.
        """
        self.phases = PricedPhases(pricing, home)
        self.pricing = pricing
        self.rivals = {canonical(crystal.formula): crystal for crystal in rivals}
        self.entries = entries
        self.energy_kind = kind_of_potential(
            self.phases.potential.key, pricing.footing, pricing.vibrations, pricing.temperature_k
        )
        """What entries must state."""
        if entries and (kind := one_kind(entries)) != self.energy_kind:
            raise InputError(
                f"the entries hold energies of the kind {kind!r}, this hull is of {self.energy_kind!r}; compute "
                "them in the same way, or leave --entries out"
            )
        self.by_products = ByProducts(self.phases) if by_products else None
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
            "energy_kind": self.energy_kind,
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
        names = set(reaction.phases)
        wanted = {own: asked.crystal} if asked.crystal is not None else {}
        if "N" in names:
            self.phases.add_nitrogen()
        self.phases.add({name: phase(name) for name in sorted(names - {"N", *wanted})} | wanted)

    def _stability(self, asked: Asked) -> dict[str, Any]:
        """Return decomposition, steps and by-products against the known phases and entries of the system."""
        own = canonical(asked.formula)
        elements = set(parse_amounts(asked.formula)) - {"H"}
        if "N" in elements:
            self.phases.add_nitrogen()
        rivals: dict[str, Crystal] = {symbol: element(symbol) for symbol in sorted(elements - {"N"})}
        rivals |= {
            name: crystal
            for name, crystal in {**published_phases(), **self.rivals}.items()
            if set(parse_amounts(name)) <= elements | {"H"} and name != own
        }
        self.phases.add(rivals)
        energies = {
            name: energy
            for name in (*rivals, *elements & {"N"}, own)
            if (energy := self.phases.phases[name].energy) is not None
        }
        try:
            entered = self._entered(energies, elements)
            hull = Hull(energies | entered, self.phases.h2)
            found = stability(hull, own, more=self._step)
        except InputError as error:
            return {"stability_cause": str(error)}
        told = {**found, "rivals": sorted(_written(name) for name in {*rivals, *entered})}
        if self.by_products is not None:
            step: dict[str, Any] = next(iter(found["steps"]), {})
            first = step.get("desorption_enthalpy_kj_per_mol_h2", step.get("raw_kj_per_mol_h2"))
            told["by_products"] = list(self.by_products.records(own, hull, first))
        return told

    def _entered(self, energies: Mapping[str, PhaseEnergy], elements: Collection[str]) -> dict[str, PhaseEnergy]:
        """Return the entries that lie below what was computed here, or that were not: formula -> energy."""
        inside = lowest(self.entries, elements)
        atoms = {symbol: energies[symbol].energy_ev_per_formula for symbol in elements if symbol in energies}
        atoms["H"] = self.phases.h2.energy_ev_per_formula / 2
        found = {}
        for name, entry in inside.items():
            amounts = parse_amounts(name)
            if set(amounts) <= atoms.keys():
                energy = entry.formation_energy_ev_per_atom * sum(amounts.values())
                energy += sum(n * atoms[symbol] for symbol, n in amounts.items())
                if name not in energies or energy < energies[name].energy_ev_per_formula:
                    found[name] = PhaseEnergy(energy, self.phases.potential.key)
        return found

    def _step(self, step: ReactionEnergy) -> dict[str, Any]:
        """Return the corrected enthalpy of a step."""
        if self.calibration is None:
            return {}
        found = self.calibration.predict([Priced("", "", step.reaction, step.kj_per_mol_h2, step.potential)])
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
    text += stability_in_words(record)
    if "stability_cause" in record:
        text.append(f"  no hull: {record['stability_cause']}")
    if "by_products" in record:
        return text + list(by_products_in_words(record["by_products"]))
    if record["by_product_gases_possible"]:
        text.append(f"  may give off {', '.join(record['by_product_gases_possible'])} as well")
    return text
