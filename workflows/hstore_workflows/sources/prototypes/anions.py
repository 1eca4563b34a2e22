"""Complex anions of hydrides: what they are made of, their charge and their size."""

from __future__ import annotations

from dataclasses import dataclass

from hstore_workflows.sources import rules

ELECTRON_RULE = 18
BORANE_ELECTRONEGATIVITY = 1.6
"""Mean cation electronegativity from which borohydrides release B2H6 rather than H2 (arXiv:1704.07884)."""


@dataclass(frozen=True)
class Anion:
    """A complex anion [MHn]."""

    centre: str
    """Central element M."""
    hydrogen: int
    """Hydrogen atoms n."""
    charge: int
    """Charge, negative."""
    bond_angstrom: float
    """Usual M-H distance, Å (King 2000, doi:10.1016/S0010-8545(00)00263-0, and the prototypes' papers)."""

    @property
    def formula(self) -> str:
        """Formula without charge, such as ``AlH4``."""
        return f"{self.centre}H{self.hydrogen}"

    @property
    def electrons(self) -> int:
        """Valence electrons of the complex, counting one per hydrogen."""
        return rules.valence_electrons(self.centre) + self.hydrogen - self.charge

    @property
    def remark(self) -> str:
        """What holds the anion together, for the reason."""
        if self.electrons == ELECTRON_RULE:
            return f"[{self.formula}]{-self.charge}- obeys the 18-electron rule"
        return f"[{self.formula}]{-self.charge}- keeps M-H at {self.bond_angstrom:.2f} Å"


TETRAHYDRIDES = (Anion("B", 4, -1, 1.22), Anion("Al", 4, -1, 1.63), Anion("Ga", 4, -1, 1.60))
HEXAHYDRIDES_3 = (
    Anion("Al", 6, -3, 1.76),
    Anion("Ga", 6, -3, 1.76),
    Anion("Co", 6, -3, 1.56),
    Anion("Rh", 6, -3, 1.69),
    Anion("Ir", 6, -3, 1.68),
)
HEXAHYDRIDES_4 = (Anion("Fe", 6, -4, 1.56), Anion("Ru", 6, -4, 1.68), Anion("Os", 6, -4, 1.69))
HEXAHYDRIDES_2 = (
    Anion("Pd", 6, -2, 1.64),
    Anion("Pt", 6, -2, 1.64),
    Anion("Si", 6, -2, 1.62),
    Anion("Ge", 6, -2, 1.70),
)
TETRAHYDRIDES_2 = (
    Anion("Zn", 4, -2, 1.66),
    Anion("Be", 4, -2, 1.44),
    Anion("Mg", 4, -2, 1.87),
    Anion("Mn", 4, -2, 1.76),
    Anion("Cd", 4, -2, 1.82),
)
TETRAHYDRIDES_4 = (Anion("Ni", 4, -4, 1.55), Anion("Pd", 4, -4, 1.68), Anion("Pt", 4, -4, 1.67))
PENTAHYDRIDES_4 = (Anion("Co", 5, -4, 1.53), Anion("Rh", 5, -4, 1.62), Anion("Ir", 5, -4, 1.63))
DIHYDRIDES_2 = (Anion("Pd", 2, -2, 1.64), Anion("Pt", 2, -2, 1.64))
AMIDES = (Anion("N", 2, -1, 0.97),)
COMPLEX_ANIONS = (
    *TETRAHYDRIDES,
    *HEXAHYDRIDES_3,
    *HEXAHYDRIDES_4,
    *HEXAHYDRIDES_2,
    *TETRAHYDRIDES_2,
    *TETRAHYDRIDES_4,
    *PENTAHYDRIDES_4,
    *DIHYDRIDES_2,
    *AMIDES,
)
"""Every complex anion, in a fixed order."""
