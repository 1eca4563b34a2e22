"""The computed data set: prototype hydrides relaxed and scored by one potential, as one table.

Each hydride is priced twice. Down to the elements, which is its formation energy; and as the first step in
which it would lose hydrogen among all that was computed of its chemical system (hydrides of the set, their
hosts, published phases, elements), which is what a measured desorption enthalpy is nearest to. The second is
corrected by the known hydrides. Energies are static: no zero point, as in the correction used.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hstore.errors import HstoreError
from hstore.formula import parse_amounts
from hstore_models.physics.calibrated import Calibration, Priced, fit_calibration
from hstore_models.physics.corrections import Footing, shift_ev
from hstore_models.physics.hull import Hull
from hstore_models.physics.reaction import PhaseEnergy, into_elements, reaction_energy
from hstore_models.physics.vibrations import Vibrations
from hstore_workflows.physics.kept import Kept
from hstore_workflows.physics.known_hydrides import price_known
from hstore_workflows.physics.phases import canonical, element, published_phases
from hstore_workflows.physics.pricing import PricedPhases, Pricing
from hstore_workflows.physics.prototype_hydrides import (
    ATOMS_MOST,
    SETTINGS,
    PrototypeHydride,
    crystals_to_relax,
    prototype_hydrides,
)
from hstore_workflows.physics.relaxation import relax_many

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pandas as pd

    from hstore.crystal import Crystal
    from hstore.settings import Settings
    from hstore_models.physics.relaxing import Relaxed

POTENTIAL = "chgnet"
"""Potential of the shipped set: after correction about as accurate as SevenNet-0, at half the time."""
SIZE = 1150
"""Hydrides of the shipped set, failed ones among them."""
NOT_REACHED = "not computed before the run ended"
"""Cause of a hydride whose turn did not come."""


@dataclass
class HydrideSet:
    """Relaxations of the set, and the table made of them."""

    hydrides: list[PrototypeHydride]
    """Hydrides, in the order of the set."""
    relaxed: dict[str, Relaxed] = field(default_factory=dict)
    """Key of the start -> what became of it."""

    def run(
        self,
        potential: str,
        home: Settings,
        *,
        workers: int = 1,
        seconds: float = math.inf,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Relax elements, hydrides and hosts that are not done; end early when time is over.

        Args:
            potential: name of the potential.
            home: where finished relaxations are kept.
            workers: processes.
            seconds: wall time, s, after which no further result is waited for.
            progress: called with the number done since the last call.
        """
        began = time.monotonic()
        starts = [*elements_of(self.hydrides).values(), *crystals_to_relax(self.hydrides)]
        for start, found in zip(
            starts, relax_many(starts, potential, home=home, settings=SETTINGS, workers=workers), strict=False
        ):
            self.relaxed[start.key] = found
            if progress is not None:
                progress(1)
            if time.monotonic() - began > seconds:
                break

    def read(self, potential: str, home: Settings) -> None:
        """Read what is done, and compute nothing."""
        kept = Kept.of(home, potential, SETTINGS)
        for start in (*elements_of(self.hydrides).values(), *crystals_to_relax(self.hydrides)):
            found = kept.read(start)
            if found is not None:
                self.relaxed[start.key] = found

    def table(self, phases: PricedPhases) -> pd.DataFrame:
        """Score every hydride.

        Args:
            phases: the same potential without vibrations; the known hydrides are priced by it, for the correction.
        """
        import pandas as pd

        known, _ = price_known(phases)
        scores = _Scores(self, phases, fit_calibration(known))
        return pd.DataFrame([scores.row(hydride) for hydride in self.hydrides])


def make_set(
    home: Settings,
    *,
    potential: str = POTENTIAL,
    size: int = SIZE,
    workers: int = 1,
    seconds: float = math.inf,
    progress: Callable[[int], None] | None = None,
) -> pd.DataFrame:
    """Compute the set, or what is missing of it, and return its table.

    Args:
        home: where finished relaxations are kept.
        potential: name of the potential.
        size: hydrides of the set.
        workers: processes.
        seconds: wall time after which no further relaxation is waited for, s; 0 takes what is done.
        progress: called with the number done since the last call.

    Raises:
        MissingExtraError: the potential is not installed.
    """
    phases = PricedPhases(Pricing(potential, Footing.UNCORRECTED, Vibrations.NONE, workers=workers), home)
    found = HydrideSet(prototype_hydrides(size))
    if seconds > 0:
        found.run(potential, home, workers=workers, seconds=seconds, progress=progress)
    else:
        found.read(phases.potential.key, home)
    return found.table(phases)


def elements_of(hydrides: Iterable[PrototypeHydride]) -> dict[str, Crystal]:
    """Return the elements of the hydrides that have a crystal of few atoms, but hydrogen."""
    return {symbol: crystal for symbol, crystal in _elements(hydrides) if len(crystal) <= ATOMS_MOST}


def elements_with_large_cells(hydrides: Iterable[PrototypeHydride]) -> dict[str, Crystal]:
    """Return the elements of the hydrides whose cells are larger than those of the set, such as manganese."""
    return {symbol: crystal for symbol, crystal in _elements(hydrides) if len(crystal) > ATOMS_MOST}


def _elements(hydrides: Iterable[PrototypeHydride]) -> Iterator[tuple[str, Crystal]]:
    """Yield the elements of the hydrides that have a crystal, but hydrogen."""
    for symbol in sorted({symbol for hydride in hydrides for symbol in hydride.crystal.symbols} - {"H"}):
        try:
            crystal = element(symbol)
        except HstoreError:  # no structure known; the rows with it say so
            continue
        yield symbol, crystal


class _Scores:
    """Energies of all that was computed, by formula, and the rows they give."""

    def __init__(self, found: HydrideSet, phases: PricedPhases, calibration: Calibration) -> None:
        self.found = found
        self.phases = phases
        self.calibration = calibration
        self.energies: dict[str, PhaseEnergy] = {}
        for relaxed in found.relaxed.values():
            self._offer(canonical(relaxed.formula), self._energy(relaxed))
        phases.add(elements_with_large_cells(found.hydrides))
        for name, record in phases.phases.items():
            self._offer(name, record.energy)
        self.published = set(published_phases())

    def _offer(self, formula: str, energy: PhaseEnergy | None) -> None:
        """Keep the lowest energy of a formula."""
        best = self.energies.get(formula)
        if energy is not None and (best is None or energy.energy_ev_per_formula < best.energy_ev_per_formula):
            self.energies[formula] = energy

    def _energy(self, relaxed: Relaxed) -> PhaseEnergy | None:
        if not relaxed.converged:
            return None
        amounts = parse_amounts(canonical(relaxed.formula))
        energy = relaxed.energy_ev_per_atom * sum(amounts.values())
        shift = shift_ev(amounts, self.phases.pricing.footing, corrected=self.phases.potential.corrected)
        return PhaseEnergy(energy + shift, relaxed.potential)

    def row(self, hydride: PrototypeHydride) -> dict[str, Any]:
        """Return one row of the table."""
        relaxed = self.found.relaxed.get(hydride.crystal.key)
        row: dict[str, Any] = {
            "material_id": hydride.material_id,
            "formula": hydride.formula,
            "structure_type": hydride.structure_type,
            "family": hydride.family,
            "alloy_class": hydride.alloy_class,
            "host_computed": self._host_computed(hydride),
            "potential": self.phases.potential.key,
            "cause": NOT_REACHED if relaxed is None else relaxed.cause,
        }
        if relaxed is None:
            return row
        row |= _of_relaxation(relaxed)
        own = self._energy(relaxed)
        if own is None:
            return row
        try:
            return row | self._prices(hydride, own)
        except HstoreError as error:
            return row | {"cause": str(error)}

    def _host_computed(self, hydride: PrototypeHydride) -> bool:
        """Tell whether the metal it leaves is among the rivals; salts leave elements and binary hydrides."""
        return hydride.host is None or canonical(hydride.host.formula) in self.energies

    def _prices(self, hydride: PrototypeHydride, own: PhaseEnergy) -> dict[str, Any]:
        name = canonical(hydride.formula)
        metals = set(parse_amounts(name)) - {"H"}
        mine = {
            formula: energy
            for formula, energy in self.energies.items()
            if set(parse_amounts(formula)) - {"H"} <= metals and formula != name
        } | {name: own}
        formation = reaction_energy(into_elements(hydride.formula), mine, self.phases.h2).kj_per_mol_h2
        hull = Hull(mine, self.phases.h2)
        above = hull.decomposition(name).energy_ev_per_atom
        steps = hull.release_steps(name)
        found = {
            "enthalpy_to_elements_kj_per_mol_h2": formation,
            "energy_above_products_ev_per_atom": above,
        }
        if not steps:
            return found
        first = steps[0]
        priced = Priced(hydride.formula, "", first.reaction, first.kj_per_mol_h2, first.potential)
        corrected = self.calibration.predict([priced])
        return found | {
            "first_step": first.reaction.text,
            "first_step_raw_kj_per_mol_h2": first.kj_per_mol_h2,
            "desorption_enthalpy_kj_per_mol_h2": float(corrected.kj_per_mol_h2[0]),
            "std_kj_per_mol_h2": float(corrected.std_kj_per_mol_h2[0]),
        }


def _of_relaxation(relaxed: Relaxed) -> dict[str, Any]:
    lengths, angles = _cell(relaxed.crystal)
    return {
        "energy_ev_per_atom": relaxed.energy_ev_per_atom,
        "volume_angstrom3_per_atom": relaxed.crystal.volume_angstrom3 / len(relaxed.crystal),
        "volume_ratio": relaxed.volume_ratio,
        "force_most_ev_per_angstrom": relaxed.force_most_ev_per_angstrom,
        "steps": relaxed.steps,
        "seconds": relaxed.seconds,
        "atoms": len(relaxed.crystal),
        **dict(zip(("a", "b", "c"), lengths, strict=True)),
        **dict(zip(("alpha", "beta", "gamma"), angles, strict=True)),
    }


def _cell(crystal: Crystal) -> tuple[list[float], list[float]]:
    """Edges, angstrom, and angles, degrees, of a primitive cell."""
    import numpy as np

    vectors = crystal.lattice_angstrom
    lengths = np.linalg.norm(vectors, axis=1)
    pairs = ((1, 2), (0, 2), (0, 1))
    cosines = [vectors[i] @ vectors[j] / (lengths[i] * lengths[j]) for i, j in pairs]
    return lengths.tolist(), np.degrees(np.arccos(cosines)).tolist()
