"""Phase diagrams at 0 K, built here from computed entries: energy above the hull and decomposition products.

The lower convex hull of the formation energies is that of pymatgen (doi:10.1021/cm702327g). Entries must share
one energy scale; which, is for the caller to see to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

AGREEMENT_EV_PER_ATOM = 1e-3
"""Difference from a served energy above the hull that is still called agreement."""
_ON_HULL_EV_PER_ATOM = 1e-8
_SHOWN_ABOVE_HULL_EV = 0.2


@dataclass(frozen=True)
class Entry:
    """A computed compound.

    Raises:
        InputError: there are no atoms, an amount or the energy is no finite number, an element is unknown.
    """

    identifier: str
    """What leads to it."""
    amounts: Mapping[str, float]
    """Atoms of each element."""
    energy_ev: float
    """Total energy of these atoms with all corrections, eV."""
    served_ev_per_atom: float | None = None
    """Energy above the hull as the source states it, eV/atom."""
    listed: bool = True
    """False for a further calculation of a compound, which shapes the hull but is no row of its own."""

    def __post_init__(self) -> None:
        """Refuse what would make a hull of nonsense."""
        wrong = [el for el, n in self.amounts.items() if el not in ATOMIC_MASS_G_PER_MOL or not 0 < n < math.inf]
        if wrong or not self.amounts:
            raise InputError(f"the composition of {self.identifier} must be of known elements, got {wrong}")
        if not math.isfinite(self.energy_ev):
            raise InputError(f"the energy of {self.identifier} must be a finite number, got {self.energy_ev}")


@dataclass(frozen=True)
class Product:
    """A phase that a compound decomposes to."""

    identifier: str
    """Entry of the phase."""
    formula: str
    """Its reduced formula."""
    atom_fraction: float
    """Part of the atoms that it takes up."""


@dataclass(frozen=True)
class Phase:
    """An entry in its diagram."""

    identifier: str
    """As in the entry."""
    formula: str
    """Reduced formula."""
    formation_energy_ev_per_atom: float
    """From the elements of the diagram."""
    energy_above_hull_ev_per_atom: float
    """Distance from the hull, at least 0."""
    decomposes_to: tuple[Product, ...]
    """Phases of the hull at this composition; empty for a phase on the hull."""
    served_ev_per_atom: float | None
    """Energy above the hull as the source states it, eV/atom."""

    @property
    def stable(self) -> bool:
        """True on the hull."""
        return self.energy_above_hull_ev_per_atom <= _ON_HULL_EV_PER_ATOM

    @property
    def agrees(self) -> bool | None:
        """Whether the source says the same, within :data:`AGREEMENT_EV_PER_ATOM`; None when it says nothing."""
        if self.served_ev_per_atom is None:
            return None
        return abs(self.served_ev_per_atom - self.energy_above_hull_ev_per_atom) <= AGREEMENT_EV_PER_ATOM

    def to_dict(self) -> dict[str, Any]:
        """Return the phase for JSON."""
        return {
            "material_id": self.identifier,
            "formula": self.formula,
            "formation_energy_ev_per_atom": self.formation_energy_ev_per_atom,
            "energy_above_hull_ev_per_atom": self.energy_above_hull_ev_per_atom,
            "served_energy_above_hull_ev_per_atom": self.served_ev_per_atom,
            "agrees": self.agrees,
            "stable": self.stable,
            "decomposes_to": [
                {"material_id": p.identifier, "formula": p.formula, "atom_fraction": p.atom_fraction}
                for p in self.decomposes_to
            ],
        }


@dataclass(frozen=True)
class PhaseDiagram:
    """The phases of a chemical system, the stable ones first, then by energy above the hull."""

    elements: tuple[str, ...]
    """Elements, in alphabetical order."""
    phases: tuple[Phase, ...]
    """Listed entries."""
    _pymatgen: Any

    @property
    def system(self) -> str:
        """Chemical system, such as ``"H-La-Ni"``."""
        return "-".join(self.elements)

    @property
    def disagreements(self) -> tuple[Phase, ...]:
        """Phases whose served energy above the hull is another one."""
        return tuple(phase for phase in self.phases if phase.agrees is False)

    def write_plot(self, path: Path) -> None:
        """Draw the diagram into one HTML file that needs no network.

        Raises:
            InputError: it has not two to four elements.
        """
        if not 2 <= len(self.elements) <= 4:
            raise InputError(f"only diagrams of two to four elements can be drawn, not {self.system}")
        from pymatgen.analysis.phase_diagram import PDPlotter

        plotter = PDPlotter(self._pymatgen, show_unstable=_SHOWN_ABOVE_HULL_EV, backend="plotly")
        figure = plotter.get_plot()
        assert figure is not None  # without an axis of its own it returns the figure
        figure.write_html(path, include_plotlyjs=True)


def build_phase_diagram(entries: Sequence[Entry], elements: Sequence[str]) -> PhaseDiagram:
    """Build the diagram of all entries.

    Args:
        entries: compounds and elements on one energy scale; those with other elements are refused.
        elements: elements of the chemical system.

    Raises:
        InputError: an element has no entry of its own, or an entry holds another element.
    """
    from pymatgen.analysis.phase_diagram import PDEntry
    from pymatgen.analysis.phase_diagram import PhaseDiagram as Hull
    from pymatgen.core import Composition, Element

    names = tuple(sorted(set(elements)))
    strangers = sorted({el for entry in entries for el in entry.amounts} - set(names))
    if strangers:
        raise InputError(f"entries hold {', '.join(strangers)}, which {'-'.join(names)} does not")
    alone = {el for entry in entries if len(entry.amounts) == 1 for el in entry.amounts}
    if missing := [name for name in names if name not in alone]:
        raise InputError(
            f"there is no entry of pure {', '.join(missing)}, so the phase diagram of {'-'.join(names)} has no "
            "reference; try another thermo type"
        )
    placed = [(PDEntry(Composition(dict(e.amounts)), e.energy_ev, name=e.identifier), e) for e in entries]
    hull = Hull([one for one, _ in placed], elements=[Element(name) for name in names])
    phases = [_phase(hull, one, entry) for one, entry in placed if entry.listed]
    phases.sort(key=lambda phase: (phase.energy_above_hull_ev_per_atom, phase.formula, phase.identifier))
    return PhaseDiagram(names, tuple(phases), hull)


def _phase(hull: Any, placed: Any, entry: Entry) -> Phase:
    products, above = hull.get_decomp_and_e_above_hull(placed)
    above = max(0.0, float(above))
    parts = [Product(p.name, p.composition.reduced_formula, float(share)) for p, share in products.items()]
    parts.sort(key=lambda product: (-product.atom_fraction, product.formula))
    return Phase(
        identifier=entry.identifier,
        formula=placed.composition.reduced_formula,
        formation_energy_ev_per_atom=float(hull.get_form_energy_per_atom(placed)),
        energy_above_hull_ev_per_atom=above,
        decomposes_to=tuple(parts) if above > _ON_HULL_EV_PER_ATOM else (),
        served_ev_per_atom=entry.served_ev_per_atom,
    )
