"""What the descriptors mean physically, so that an explanation speaks of a dozen things and not of two hundred.

Descriptors of one meaning move together (radius, volume and size mismatch all say how large atoms are), so their
attributions taken one by one are arbitrary; taken together they are not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Meaning:
    """A physical meaning that several descriptors share."""

    key: str
    """Name in tables and JSON."""
    words: str
    """What a chemist calls it."""
    pattern: str
    """Regular expression that is found in the names of its descriptors."""


MEANINGS: tuple[Meaning, ...] = (
    Meaning("surface", "surface area", r"^gsa_|^vsa_|^bet_area|surface"),
    Meaning("pore_space", "pore volume and void fraction", r"pore_volume|void"),
    Meaning("pore_size", "width of the pores", r"^lcd|^pld|pore_width|pore_diameter"),
    Meaning("density", "density of the framework", r"^density_g_cm3"),
    Meaning(
        "hydride_heat",
        "heat of the binary hydrides of its elements",
        r"^(a_|mean_|b_)?(binary_hydride_|hydrogen_affinity)|^binary_hydrides_hydrogen_per_atom$",
    ),
    Meaning(
        "mixing_heat",
        "stability of the alloy without hydrogen (Miedema)",
        r"^mixing_enthalpy|^affinity_less_mixing|^reversed_stability",
    ),
    Meaning(
        "stated_hydrogen",
        "hydrogen and molecular anions of the formula",
        r"^hydrogen_per_other_atom$|^formula_hydrogen|^anion_(b|al|n)_fraction$|^hydrogen per atom of a molecular",
    ),
    Meaning("anion", "kind of anion", r"^anion_share_|^anion_(atom_polarizability|mixing)|^largest_anion"),
    Meaning("mobile_ion", "amount of the mobile ion", r"^mobile_(fraction|per_)|^cations_per_anion"),
    Meaning("electronegativity", "electronegativity", r"[Ee]lectronegativity|ionicity"),
    Meaning(
        "charges",
        "charges and coordination of the framework",
        r"_charge|^framework_(tetra|octa|large_f|per_anion|cation_kinds|ionic_potential)"
        r"|^(tetrahedral|octahedral|large|other_cation|redox|framework_alkali|p|si|ge|b|al_ga)_per_anion$",
    ),
    Meaning(
        "disorder",
        "number and mixing of elements",
        r"mixing_entropy|^log10_atoms_of_whole_formula$",
    ),
    Meaning(
        "size",
        "size of the atoms and of the holes between them",
        r"radius|volume(?!tric)|size_mismatch|[Rr]adius|CovalentRadius|GSvolume|volume_share",
    ),
    Meaning(
        "valence",
        "valence electrons",
        r"[Vv]alence|Unfilled|electron_density|work_function|GSmagmom|GSbandgap|Column",
    ),
    Meaning("cohesion", "stiffness and melting", r"bulk_modulus|MeltingT"),
    Meaning("stoichiometry", "ratio of B to A atoms", r"^a_fraction$|^b_to_a_ratio$|^distance_from_"),
    Meaning(
        "mass",
        "atomic mass and density",
        r"AtomicWeight|per_amu|amu_per|hydride_former_mass|binary_hydrides_wt_pct",
    ),
    Meaning(
        "elements",
        "which elements it holds",
        r"^a_share_|^b_share_|_fraction$|^root_fraction_|MendeleevNumber|MagpieData \w+ (Number|Row)$|SpaceGroup",
    ),
)
"""Meanings in the order in which a name is compared with them; the first that fits counts."""


@cache
def meaning_of(name: str) -> Meaning:
    """Return the meaning of a descriptor; one of its own where none fits, as for a user's own column."""
    found = next((meaning for meaning in MEANINGS if re.search(meaning.pattern, name)), None)
    return found or Meaning(name, name.replace("_", " "), f"^{re.escape(name)}$")


def by_meaning(names: Sequence[str]) -> dict[Meaning, list[int]]:
    """Return meaning -> places of its descriptors among names, in the order in which they first stand."""
    found: dict[Meaning, list[int]] = {}
    for place, name in enumerate(names):
        found.setdefault(meaning_of(name), []).append(place)
    return found
