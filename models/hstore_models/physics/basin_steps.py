"""Steps out of the basin of one relaxed crystal into another: displaced, strained, or with elements exchanged.

A relaxation after such a step ends in the same minimum or in a neighbouring one, as in basin hopping (Wales and
Doye 1997, doi 10.1021/jp970984n). Steps grow while they end where they began and shrink while they do not, which
is the feedback of minima hopping (Goedecker 2004, doi 10.1063/1.1724816) without its molecular dynamics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.crystal import Crystal
from hstore.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hstore.arrays import FloatArray

_DISPLACEMENT = 0.12
"""Standard deviation of a displacement over the cube root of the volume per atom, at a strength of 1."""
_STRAIN = 0.12
"""Standard deviation of the components of a strain, at a strength of 1."""
_ALONGSIDE = 0.3
"""Share of the displacement that goes with a strain or an exchange, so that no symmetry holds what follows."""
_STRENGTH = (0.25, 4.0)
_FACTOR = 1.25


@dataclass(frozen=True)
class Step:
    """A crystal after a step."""

    crystal: Crystal
    """Where the relaxation begins."""
    kind: str
    """``displaced``, ``strained`` or ``exchanged``."""


def step(crystal: Crystal, random: np.random.Generator, *, strength: float = 1.0) -> Step:
    """Take a step of a random kind.

    Args:
        crystal: relaxed crystal.
        random: what is drawn from.
        strength: size of displacements and strains; 1 moves an atom by a seventh of the distance to the next.

    Raises:
        InputError: the strength is not above 0.
    """
    if not strength > 0:
        raise InputError(f"the strength of a step must be above 0, got {strength}")
    several = len(np.unique(crystal.numbers)) > 1
    kind = str(random.choice([kind for kind in _KINDS if several or kind != EXCHANGED]))
    return Step(_KINDS[kind](crystal, random, strength), kind)


def next_strength(strength: float, *, new: int, same: int) -> float:
    """Return the strength after some steps: larger where more of them ended where they began than elsewhere.

    Args:
        strength: the strength of these steps.
        new: steps that ended in another minimum.
        same: steps that ended in the minimum they began in.
    """
    factor = _FACTOR if same > new else 1 / _FACTOR if new > same else 1.0
    return float(np.clip(strength * factor, *_STRENGTH))


def _displaced(crystal: Crystal, random: np.random.Generator, strength: float) -> Crystal:
    width = strength * _DISPLACEMENT * np.cbrt(crystal.volume_angstrom3 / len(crystal))
    return _moved(crystal, np.eye(3), random.normal(scale=width, size=(len(crystal), 3)))


def _strained(crystal: Crystal, random: np.random.Generator, strength: float) -> Crystal:
    strain = random.normal(scale=min(strength, 2.0) * _STRAIN, size=(3, 3))
    deformation = np.eye(3) + (strain + strain.T) / 2
    size = abs(float(np.linalg.det(deformation)))
    if size < _FLAT:  # nearly flat; no crystal is left
        return _displaced(crystal, random, strength)
    strained = _moved(crystal, deformation / np.cbrt(size), np.zeros((len(crystal), 3)))
    return _displaced(strained, random, _ALONGSIDE * strength)


def _exchanged(crystal: Crystal, random: np.random.Generator, strength: float) -> Crystal:
    """Exchange the elements of one pair of unlike sites, or of more where there are many."""
    numbers = crystal.numbers.copy()
    most = max(1, round(strength * len(crystal) / 8))
    for _ in range(int(random.integers(1, most + 1))):
        one = int(random.integers(len(numbers)))
        unlike = np.flatnonzero(numbers != numbers[one])
        other = int(random.choice(unlike))
        numbers[[one, other]] = numbers[[other, one]]
    exchanged = Crystal(crystal.lattice_angstrom, crystal.fractional, numbers)
    return _displaced(exchanged, random, _ALONGSIDE * strength)


def _moved(crystal: Crystal, deformation: FloatArray, shifts_angstrom: FloatArray) -> Crystal:
    lattice = crystal.lattice_angstrom @ deformation
    fractional = crystal.fractional + shifts_angstrom @ np.linalg.inv(lattice)
    return Crystal(lattice, fractional, crystal.numbers)


EXCHANGED = "exchanged"
_FLAT = 0.1
_KINDS: dict[str, Callable[[Crystal, np.random.Generator, float], Crystal]] = {
    "displaced": _displaced,
    "strained": _strained,
    EXCHANGED: _exchanged,
}
