"""Which ions a decoration may use: charges that metals take beside hydride and beside other simple anions."""

from __future__ import annotations

from functools import cache

from hstore_workflows.sources import rules
from hstore_workflows.sources.prototypes.radii import has_radius

HYDRIDE_CATIONS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("Li", "Na", "K", "Rb", "Cs"), (1,)),
    **dict.fromkeys(("Be", "Mg", "Ca", "Sr", "Ba", "Mn", "Zn", "Cd"), (2,)),
    **dict.fromkeys(("Sm", "Eu", "Yb"), (2, 3)),
    **dict.fromkeys(("Al", "Ga", "In", "Sc", "Y", "La", "Ce", "Pr", "Nd", "Gd"), (3,)),
    **dict.fromkeys(("Tb", "Dy", "Ho", "Er", "Tm", "Lu"), (3,)),
}
"""Charges of metals in salt-like hydrides; hydride reduces higher ones."""
SIMPLE_ANIONS = {"H": -1, "F": -1, "Cl": -1, "Br": -1, "I": -1, "O": -2, "S": -2, "Se": -2, "N": -3}
"""Anions that can take the ligand sites, with their charge."""
ELECTROLYTE_ANIONS = tuple(anion for anion in SIMPLE_ANIONS if anion != "H")
MOBILE_IONS = frozenset({"Li", "Na", "K", "Mg", "Ca", "Zn"})
"""Cations of which an electrolyte must hold one."""
METALS = (
    "Li", "Be", "Na", "Mg", "Al", "K", "Ca", "Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga",
    "Rb", "Sr", "Y", "Zr", "Nb", "Mo", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Cs", "Ba", "La", "Ce", "Pr",
    "Nd", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W", "Re", "Ir", "Pt", "Au",
)  # fmt: skip
"""Metals offered to the sites of alloys unless the user names others: no radioactive ones, no Hg, Tl, Pb, Os."""
HYDRIDE_FORMERS = frozenset({
    "Li", "Na", "K", "Mg", "Ca", "Sr", "Ba", "Sc", "Y", "La", "Ce", "Pr", "Nd", "Sm", "Eu", "Gd", "Tb", "Dy",
    "Ho", "Er", "Tm", "Yb", "Lu", "Ti", "Zr", "Hf", "V", "Nb", "Ta", "Pd",
})  # fmt: skip
"""Metals whose own hydrides form exothermically."""
BINARY_METALLIC = tuple(
    metal
    for metal in METALS
    if metal in {"Cr", "Mn", "Fe", "Co", "Ni", "Mo", "Rh"}
    or (metal in HYDRIDE_FORMERS and metal not in {"Li", "Na", "K", "Mg", "Ca", "Sr", "Ba"})
)
"""Metals with a metallic binary hydride, some of them under pressure only (doi:10.1021/acscombsci.7b00050)."""
ELECTRONEGATIVITY_GAP_LEAST = 0.4
"""Least Pauling electronegativity of the anion above that of every cation in a salt."""


@cache
def cation_charges(anion: str) -> dict[str, tuple[int, ...]]:
    """Return the charges of the metals beside an anion, for metals electropositive enough and of known radius.

    Args:
        anion: one of :data:`SIMPLE_ANIONS`.
    """
    offered = HYDRIDE_CATIONS if anion == "H" else _common_charges()
    ceiling = rules.electronegativity(anion) - ELECTRONEGATIVITY_GAP_LEAST
    found: dict[str, tuple[int, ...]] = {}
    for element, charges in offered.items():
        known = tuple(charge for charge in charges if has_radius(element, charge))
        if known and rules.electronegativity(element) <= ceiling:
            found[element] = known
    return found


@cache
def _common_charges() -> dict[str, tuple[int, ...]]:
    """Return the common positive oxidation states (pymatgen's), metals first, then B, Si, P, Ge, C, S."""
    from pymatgen.core import Element

    found = {}
    for symbol in (*METALS, "B", "Si", "P", "Ge", "C", "S"):
        charges = tuple(charge for charge in Element(symbol).common_oxidation_states if charge > 0)
        if charges:
            found[symbol] = charges
    return found
