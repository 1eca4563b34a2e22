"""Phases with a formation energy, computed here or elsewhere, and the kind of energy that they must share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Computed:
    """A phase with its formation energy."""

    identifier: str
    """What leads to it."""
    amounts: Mapping[str, float]
    """Atoms of each element in a formula unit."""
    formation_energy_ev_per_atom: float
    """From the elements, eV/atom."""
    energy_kind: str
    """How it was computed: method and corrections, or potential and checksum."""

    def __post_init__(self) -> None:
        """Refuse what would make a hull of nonsense."""
        wrong = [el for el, n in self.amounts.items() if el not in ATOMIC_MASS_G_PER_MOL or not 0 < n < math.inf]
        if wrong or not self.amounts:
            raise InputError(f"the composition of {self.identifier} must be of known elements, got {wrong}")
        if not math.isfinite(self.formation_energy_ev_per_atom):
            told = self.formation_energy_ev_per_atom
            raise InputError(f"the formation energy of {self.identifier} must be a finite number, got {told}")


def one_kind(entries: Sequence[Computed]) -> str:
    """Return the kind of energy that all entries share.

    Raises:
        InputError: there are none, or several kinds, which have no common scale.
    """
    kinds = sorted({entry.energy_kind for entry in entries})
    if not kinds:
        raise InputError("there are no phases of these elements; give their formation energies")
    if len(kinds) > 1:
        raise InputError(
            f"energies of {len(kinds)} kinds have no common scale and make no hull: {', '.join(kinds)[:200]}; "
            "keep one"
        )
    return kinds[0]
