"""Smooth overlap of atomic positions (SOAP), averaged over the sites of a crystal.

Bartok et al., Phys. Rev. B 87, 184115 (2013), doi 10.1103/PhysRevB.87.184115, computed by DScribe (Himanen et al.,
doi 10.1016/j.cpc.2019.106949) with the settings that paper used for formation energies.

The power spectrum grows with the square of the number of elements, so it has a fixed length only for a stated list
of elements. :data:`SOAP` therefore takes all atoms as of one element and describes geometry alone; :func:`soap`
tells elements apart.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.elements import SYMBOLS
from hstore.errors import InputError, MissingExtraError, unknown_name
from hstore_models.features.structure.featurizer import StructureFeaturizer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hstore.arrays import FloatArray
    from hstore_models.features.structure.geometry import Geometry

CUTOFF_ANGSTROM = 6.0
WIDTH_ANGSTROM = 0.4
"""Standard deviation of the Gaussian on each atom."""
RADIAL_FUNCTIONS = 8
"""Gaussian-type radial functions of each angular momentum."""
LARGEST_MOMENTUM = 8
_SYMMETRY_ANGSTROM = 1e-5
"""Sites equivalent within this have the same spectrum to 1e-5 of its largest value."""
_ANY = ("H",)
"""What all atoms are replaced by where elements are not told apart; the values do not depend on which it is."""


@dataclass(frozen=True)
class _Spectrum:
    """Computes the averaged power spectrum; an object, so that it travels to worker processes."""

    elements: tuple[str, ...]
    """Elements to tell apart; none: all atoms count as the same."""

    def __call__(self, geometry: Geometry) -> FloatArray:
        """Return the mean spectrum over sites, shape (columns,).

        Raises:
            InputError: the crystal has an element that is not in the list.
            MissingExtraError: DScribe is not installed.
        """
        crystal = geometry.crystal
        foreign = sorted(set(crystal.symbols) - set(self.elements)) if self.elements else []
        if foreign:
            raise InputError(
                f"{crystal.formula} has {', '.join(foreign)}, but this SOAP tells apart only "
                f"{', '.join(self.elements)}; add the elements to the list"
            )
        calculator = _calculator(self.elements or _ANY)
        from ase import Atoms

        atoms = Atoms(
            numbers=crystal.numbers if self.elements else np.ones(len(crystal), dtype=int),
            positions=crystal.cartesian_angstrom,
            cell=crystal.lattice_angstrom,
            pbc=True,
        )
        sites, kinds = geometry.distinct_sites(_SYMMETRY_ANGSTROM)
        spectra = calculator.create(atoms, centers=sites.tolist())
        return np.asarray(np.bincount(kinds) @ spectra / len(crystal))


def soap(elements: Iterable[str]) -> StructureFeaturizer:
    """Make the featurizer whose power spectrum tells the given elements apart.

    Args:
        elements: symbols, in any order; a crystal with any other element is refused.

    Returns:
        The featurizer, with 9 * 8m * (8m + 1) / 2 columns for m elements (324, 1224, 2700, ...).

    Raises:
        InputError: no element is given.
        UnknownNameError: an element has another name.
    """
    chosen = tuple(sorted(set(elements), key=lambda symbol: SYMBOLS.index(_known(symbol))))
    if not chosen:
        raise InputError("name at least one element to tell apart, such as soap(('Li', 'O'))")
    return _featurizer(f"soap_{'_'.join(chosen).lower()}", chosen)


def _known(symbol: str) -> str:
    if symbol not in SYMBOLS:
        raise unknown_name("element", symbol, SYMBOLS)
    return symbol


def _featurizer(name: str, elements: tuple[str, ...]) -> StructureFeaturizer:
    functions = RADIAL_FUNCTIONS * max(len(elements), 1)
    length = (LARGEST_MOMENTUM + 1) * functions * (functions + 1) // 2
    told = f"of {', '.join(elements)}" if elements else "of all atoms as one element"
    return StructureFeaturizer(
        name=name,
        tier=2,
        columns=tuple(f"soap_{number}" for number in range(length)),
        compute=_Spectrum(elements),
        summary=f"SOAP power spectrum {told}, mean over sites",
        source="doi 10.1103/PhysRevB.87.184115",
        matminer=(
            "matminer.featurizers.structure.sites:"
            "SiteStatsFingerprint.from_preset('SOAP_formation_energy', stats='mean')"
        ),
        tolerance=1e-5,
        parameters=(
            ("cutoff_angstrom", CUTOFF_ANGSTROM),
            ("width_angstrom", WIDTH_ANGSTROM),
            ("radial_functions", RADIAL_FUNCTIONS),
            ("largest_momentum", LARGEST_MOMENTUM),
        ),
        packages=("dscribe", "moyopy"),
        extra="soap",
        preload=("dscribe.descriptors", "ase", "moyopy"),
    )


@lru_cache(maxsize=8)
def _calculator(elements: tuple[str, ...]) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in its docstrings
            from dscribe.descriptors import SOAP as Calculator  # noqa: N811 - our own SOAP is the featurizer
    except ImportError as error:
        raise MissingExtraError(
            "SOAP features need DScribe, which is not installed; run: pip install 'hstore[soap]'"
        ) from error
    return Calculator(
        species=elements,
        r_cut=CUTOFF_ANGSTROM,
        n_max=RADIAL_FUNCTIONS,
        l_max=LARGEST_MOMENTUM,
        sigma=WIDTH_ANGSTROM,
        rbf="gto",
        periodic=True,
        sparse=False,
    )


SOAP = _featurizer("soap", ())
