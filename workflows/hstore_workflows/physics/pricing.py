"""Reactions priced by one potential: phases relaxed once, vibrations on request, failures with their cause."""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hstore.errors import HstoreError
from hstore.formula import parse_amounts
from hstore.units import STANDARD_TEMPERATURE_K
from hstore_models.physics.calibrated import Priced
from hstore_models.physics.corrections import Footing, shift_ev
from hstore_models.physics.gases import gas
from hstore_models.physics.h2_reference import h2_energy, h2_thermal_kj_per_mol
from hstore_models.physics.potential import Potential, load_potential
from hstore_models.physics.reaction import KJ_PER_MOL_EV, PhaseEnergy, Reaction, reaction_energy
from hstore_models.physics.relaxing import RelaxSettings
from hstore_models.physics.vibrations import VibrationalEnergy, Vibrations, vibrational_energy
from hstore_workflows.physics.relaxation import relax_many

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from hstore.crystal import Crystal
    from hstore.settings import Settings
    from hstore_models.physics.relaxing import Relaxed

SETTINGS = RelaxSettings(seconds=600.0)
"""How phases are relaxed: few of them, each worth waiting for."""


@dataclass(frozen=True)
class Pricing:
    """How reactions are priced."""

    potential: str
    """Name of the potential."""
    footing: Footing = Footing.UNCORRECTED
    """With or without the MP2020 corrections."""
    vibrations: Vibrations = Vibrations.EINSTEIN
    """What vibrations add."""
    temperature_k: float = STANDARD_TEMPERATURE_K
    """Temperature of the enthalpy, K; without vibrations it has no effect."""
    relax: RelaxSettings = SETTINGS
    """How phases are relaxed."""
    workers: int = 1
    """Processes."""
    weights: Path | None = None
    """Weights of a ``module:factory``."""
    sha256: str | None = None
    """Checksum that the weights must have."""


@dataclass(frozen=True)
class PhaseRecord:
    """What is known of one phase."""

    formula: str
    """Canonical formula."""
    relaxed: Relaxed
    """Its relaxation."""
    vibrations: VibrationalEnergy | None
    """What vibrations add to the cell; None where they were not asked for or the phase failed."""
    energy: PhaseEnergy | None
    """Energy of a formula unit with all that was asked for; None where the phase failed."""
    cause: str
    """Why it has none."""


class PricedPhases:
    """Phases computed by one potential, and the reactions among them."""

    def __init__(self, pricing: Pricing, home: Settings) -> None:
        """Load the potential and its H2 molecule.

        Raises:
            MissingExtraError, InputError, ModelError: the potential cannot be loaded or holds no H2 together.
        """
        self.pricing = pricing
        self.home = home
        self.potential: Potential = load_potential(
            pricing.potential, weights=pricing.weights, sha256=pricing.sha256
        )
        self.phases: dict[str, PhaseRecord] = {}
        molecule = h2_energy(self.potential)
        thermal = 0.0 if pricing.vibrations is Vibrations.NONE else h2_thermal_kj_per_mol(pricing.temperature_k)
        self.h2 = PhaseEnergy(molecule.energy_ev_per_formula + thermal / KJ_PER_MOL_EV, molecule.potential)
        """Energy of H2, with zero point and warming where vibrations are asked for, eV."""

    def add(self, crystals: Mapping[str, Crystal]) -> None:
        """Compute phases that are not known yet.

        Args:
            crystals: canonical formula -> start of the relaxation.
        """
        new = {formula: crystal for formula, crystal in crystals.items() if formula not in self.phases}
        results = relax_many(
            new.values(),
            self.pricing.potential,
            home=self.home,
            settings=self.pricing.relax,
            workers=self.pricing.workers,
            weights=self.pricing.weights,
            sha256=self.pricing.sha256,
        )
        for formula, relaxed in zip(new, results, strict=True):
            self.phases[formula] = self._record(formula, relaxed)

    def add_nitrogen(self) -> None:
        """Let the element N be half a molecule of N2 alone, for it has no crystal to compute.

        Raises:
            InputError: the potential has no such molecule.
        """
        if "N" in self.phases:
            return
        found = gas(self.potential, "N2", temperature_k=self.pricing.temperature_k)
        thermal = 0.0 if self.pricing.vibrations is Vibrations.NONE else found.thermal_ev
        energy = PhaseEnergy((found.relaxed.energy_ev + thermal) / 2, self.potential.key)
        self.phases["N"] = PhaseRecord("N", found.relaxed, None, energy, "")

    def price(self, formula: str, chemistry: str, reaction: Reaction, measured: float = math.nan) -> Priced | str:
        """Price a reaction among the phases added, or say why it has no price."""
        failed = [
            f"{name}: {record.cause}"
            for name in reaction.phases
            if (record := self.phases.get(name)) is not None and record.cause
        ]
        if failed:
            return "; ".join(failed)
        energies = {name: record.energy for name, record in self.phases.items() if record.energy is not None}
        found = reaction_energy(reaction, energies, self.h2)
        return Priced(formula, chemistry, reaction, found.kj_per_mol_h2, found.potential, measured)

    def _record(self, formula: str, relaxed: Relaxed) -> PhaseRecord:
        if not relaxed.converged:
            return PhaseRecord(formula, relaxed, None, None, relaxed.cause)
        try:
            vibrations = self._vibrations(relaxed)
        except HstoreError as error:
            return PhaseRecord(formula, relaxed, None, None, str(error))
        amounts = parse_amounts(formula)
        units = len(relaxed.crystal) / sum(amounts.values())
        energy = (relaxed.energy_ev + vibrations.enthalpy_ev) / units
        energy += shift_ev(amounts, self.pricing.footing, corrected=self.potential.corrected)
        return PhaseRecord(formula, relaxed, vibrations, PhaseEnergy(energy, relaxed.potential), "")

    def _vibrations(self, relaxed: Relaxed) -> VibrationalEnergy:
        """Compute vibrations, or read them where they were computed before."""
        kind, temperature = self.pricing.vibrations, self.pricing.temperature_k
        if kind is Vibrations.NONE:
            return VibrationalEnergy(0.0, 0.0, temperature, 0.0)
        content = json.dumps([1, relaxed.crystal.key, relaxed.potential, kind, temperature])
        name = hashlib.sha256(content.encode()).hexdigest()
        path = self.home.physics_dir / "vibrations" / name[:2] / f"{name[:32]}.json"
        try:
            return VibrationalEnergy(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):  # absent or cut off: computed anew
            found = vibrational_energy(relaxed.crystal, self.potential, kind, temperature_k=temperature)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(vars(found)), encoding="utf-8")
        draft.replace(path)
        return found


def as_json(pricing: Pricing) -> dict[str, Any]:
    """Return what prices depend on."""
    return {
        "footing": pricing.footing.value,
        "vibrations": pricing.vibrations.value,
        "temperature_k": pricing.temperature_k,
        "h2_reference": "the potential's own molecule",
        "relaxation": pricing.relax.as_json(),
    }


def named(rows: Iterable[Priced], measured: Mapping[str, float]) -> list[Priced]:
    """Return rows with their measured enthalpies, by formula."""
    return [replace(row, measured_kj_per_mol_h2=measured.get(row.formula, math.nan)) for row in rows]
