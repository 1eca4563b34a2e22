"""Barriers of ion migration from bond-valence site energies.

The energy of the mobile ion on a grid is that of the bond-valence force field (Adams and Rao 2011, doi
10.1002/pssa.201001116) as BVlain computes it, with the other ions at rest; a barrier is the energy above the
lowest site up to which the grid must be filled for paths to run through the crystal in one, two or three
dimensions. It is good for ordering materials of one family, not for a conductivity: ions that step aside,
concerted jumps and defects are left out. There are parameters for cations in oxides, nitrides, sulfides,
selenides, tellurides and halides and for those anions, and none for hydride ions or for cations beside them.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from hstore.crystal import Crystal

PRELOAD = ("bvlain", "pymatgen.analysis.bond_valence")
"""What workers load once."""
OPENS_WITHIN_EV = 0.5
"""Dimensions whose barrier is this much above the lowest, eV, do not count: at 300 K such jumps are 4e-9 as
frequent."""

_FORBIDDEN = ["O-", "P3-"]
_NO_HYDRIDES = "there are no bond-valence parameters for hydride ions"
_ION = re.compile(r"([A-Z][a-z]?)\d*[+-]?")


@dataclass(frozen=True)
class BarrierSettings:
    """How site energies are computed."""

    resolution_angstrom: float = 0.2
    """Distance between points of the grid, angstrom."""
    cutoff_angstrom: float = 10.0
    """Ions further away do not count, angstrom."""
    neighbours: int = 100
    """Ions that count at most."""
    most_ev: float = 5.0
    """Barriers are looked for up to this, eV."""

    def __post_init__(self) -> None:
        """Refuse what makes no grid."""
        if not (0.05 <= self.resolution_angstrom <= 0.5 and self.cutoff_angstrom > 0 and self.most_ev > 0):
            raise InputError(
                f"the grid must have a point every 0.05 to 0.5 angstrom, and cutoff and highest barrier above 0; "
                f"got {self}"
            )


@dataclass(frozen=True)
class Barriers:
    """Barriers of one ion in one crystal, or why there are none."""

    formula: str
    """Formula of the crystal."""
    ion: str
    """Mobile ion with its charge, such as Li1+; only the element where there are no charges."""
    barriers_ev: tuple[float | None, float | None, float | None] = (None, None, None)
    """Barrier of paths in one, two and three dimensions, eV; None above the highest looked for."""
    charges: tuple[tuple[str, float], ...] = ()
    """Mean charge of each element."""
    charges_by: str = ""
    """How charges were found: bond valences, or balance of the formula."""
    not_applicable: str = ""
    """Why the method does not apply; empty where it does."""

    @property
    def dimension(self) -> int | None:
        """Dimensions in which the ion moves (:data:`OPENS_WITHIN_EV`); 0 where it does not, None where unknown."""
        if self.not_applicable:
            return None
        first = self.barriers_ev[0]
        if first is None:
            return 0
        return sum(barrier is not None and barrier <= first + OPENS_WITHIN_EV for barrier in self.barriers_ev)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "formula": self.formula,
            "ion": self.ion,
            "applicable": not self.not_applicable,
            "reason": self.not_applicable,
            "barrier_1d_ev": self.barriers_ev[0],
            "barrier_2d_ev": self.barriers_ev[1],
            "barrier_3d_ev": self.barriers_ev[2],
            "dimension": self.dimension,
            "charges": dict(self.charges),
            "charges_by": self.charges_by,
        }


def element_of_ion(ion: str) -> str:
    """Return the element of an ion such as Li, Li+ or O2-.

    Raises:
        InputError: it is no ion of an element.
    """
    found = _ION.fullmatch(ion.strip())
    if found is None or found[1] not in ATOMIC_MASS_G_PER_MOL:
        raise InputError(f"the ion must be an element, with or without its charge, such as Li or O2-; got {ion!r}")
    return found[1]


def migration_barriers(crystal: Crystal, ion: str, settings: BarrierSettings | None = None) -> Barriers:
    """Compute the barriers of an ion.

    Args:
        crystal: ordered crystal that holds the ion.
        ion: the mobile ion, such as Li; its charge is found in the crystal.
        settings: of the grid; the default when None.

    Returns:
        Barriers, or why the method does not apply.

    Raises:
        InputError: the crystal does not hold the ion.
        MissingExtraError: BVlain is not installed.
    """
    how = settings or BarrierSettings()
    element = element_of_ion(ion)
    if element not in crystal.symbols:
        raise InputError(f"{crystal.formula} holds no {element}; ask for an ion that it holds")
    calculator = _calculator()
    if element == "H":
        return Barriers(crystal.formula, "H", not_applicable=f"{_NO_HYDRIDES} or protons")
    charged, charges_by = _charged(crystal)
    if charged is None:
        return Barriers(
            crystal.formula, element, not_applicable="no charges of its ions balance (alloy, or mixed valence?)"
        )
    charges = _mean_charges(charged)
    told = tuple(sorted(charges.items()))
    charge = charges[element]
    if not float(charge).is_integer() or charge == 0:
        reason = f"{element} has no one charge (mean {charge:g})"
        return Barriers(crystal.formula, element, charges=told, charges_by=charges_by, not_applicable=reason)
    mobile = f"{element}{abs(int(charge))}{'+' if charge > 0 else '-'}"
    known = Barriers(crystal.formula, mobile, charges=told, charges_by=charges_by)
    if charges.get("H", 1.0) <= 0:
        return _not_applicable(known, _NO_HYDRIDES)
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):  # it prints what it cannot find
        warnings.simplefilter("ignore")
        calculator.read_structure(charged, oxi_check=False)
        try:
            calculator.bvse_distribution(
                mobile_ion=mobile,
                r_cut=how.cutoff_angstrom,
                resolution=how.resolution_angstrom,
                k=how.neighbours,
            )
        except KeyError:
            return _not_applicable(
                known, f"there are no bond-valence parameters for {mobile} beside {_shown(told)}"
            )
        found = calculator.percolation_barriers(encut=how.most_ev)
    energies = [float(found[f"E_{dimension}D"]) for dimension in (1, 2, 3)]
    barriers = tuple(energy if math.isfinite(energy) else None for energy in energies)
    return Barriers(crystal.formula, mobile, (barriers[0], barriers[1], barriers[2]), told, charges_by)


def _calculator() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a name of SciPy that has moved
            from bvlain import Lain
    except ImportError as error:
        raise MissingExtraError(
            "migration barriers need BVlain, which is not installed; run: pip install 'hstore[barriers]'"
        ) from error
    return Lain(verbose=False)


def _charged(crystal: Crystal) -> tuple[Any, str]:
    """Return the pymatgen structure with charges and how they were found; None where none balance."""
    from pymatgen.analysis.bond_valence import BVAnalyzer

    structure = crystal.to_pymatgen()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            analyzer = BVAnalyzer(forbidden_species=_FORBIDDEN)
            return analyzer.get_oxi_state_decorated_structure(structure), "bond valences"
        except ValueError:  # its way of saying that no valences fit
            guesses = structure.composition.oxi_state_guesses(max_sites=-1)
    if not guesses:
        return None, ""
    structure.add_oxidation_state_by_element(guesses[0])
    return structure, "balance of the formula"


def _mean_charges(charged: Any) -> dict[str, float]:
    sums: dict[str, list[float]] = {}
    for site in charged:
        sums.setdefault(site.specie.symbol, []).append(float(site.specie.oxi_state))
    return {symbol: sum(values) / len(values) for symbol, values in sums.items()}


def _not_applicable(known: Barriers, reason: str) -> Barriers:
    return Barriers(
        known.formula, known.ion, charges=known.charges, charges_by=known.charges_by, not_applicable=reason
    )


def _shown(charges: tuple[tuple[str, float], ...]) -> str:
    return ", ".join(f"{symbol}({charge:+g})" for symbol, charge in charges)
