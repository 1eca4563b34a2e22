"""How a hydride and its host are made one material for the models.

Tables name alloys by their host (``LaNi5``), users and structure sources by the hydride (``LaNi5H6``). The
models see the host, so both spellings give the same answer. Where hydrogen is part of a molecular anion
(BH4, AlH4, NH2), the host alone would confuse a borohydride with a boride; there the hydrogen content is a
feature as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.formula import molar_mass_g_per_mol
from hstore.pairing import ALKALI, SALT_FORMERS, anion_class, host_amounts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hstore_models.prediction import Query

HYDROGEN_VOLUME_A3 = 2.9
"""Volume that an absorbed hydrogen atom adds to a metal, cubic angstrom."""

CM3_PER_MOL_PER_A3 = 0.602214076
"""Volume of one mole of cubic angstroms, cm3."""

GASES = frozenset({"N", "O", "F", "Cl", "He", "Ne", "Ar", "Kr", "Xe", "Rn"})
"""Elements whose atomic volume says nothing of their volume in a hydride."""


def molecular_hydrogen_ratio(amounts: dict[str, float]) -> float:
    """Return H atoms per other atom where hydrogen sits in a molecular anion, else 0."""
    if not anion_class(amounts):
        return 0.0
    return amounts["H"] / sum(host_amounts(amounts).values())


def stoichiometric_capacity_wt_pct(amounts: dict[str, float]) -> float:
    """Return the mass share of hydrogen in the formula, wt% of the hydrogenated material; 0 without hydrogen."""
    hydrogen = amounts.get("H", 0.0) * ATOMIC_MASS_G_PER_MOL["H"]
    return 100.0 * hydrogen / molar_mass_g_per_mol(amounts)


def releasable_share(amounts: dict[str, float]) -> float:
    """Return the share of the hydrogen of a formula that is released below about 400 degC, 0 to 1.

    Alanates, borohydrides and amides leave the binary hydrides of their alkali and heavier alkaline-earth metals
    behind (NaAlH4 = NaH + Al + 3/2 H2); these decompose far above any storage temperature, so their hydrogen is
    not counted. All hydrogen of other hydrides counts; their plateau tells whether it is released.
    """
    if not anion_class(amounts):
        return 1.0
    kept = sum(n * (1.0 if el in ALKALI else 2.0) for el, n in amounts.items() if el in SALT_FORMERS)
    return max(0.0, 1.0 - kept / amounts["H"])


def hydride_density_g_per_l(query: Query, capacity_wt_pct: NDArray[np.float64]) -> NDArray[np.float64]:
    """Estimate the mass of H2 per volume of hydrogenated metal, g/L, shape ``(n,)``.

    The host's volume is the sum of the elements' atomic volumes (Magpie's computed ground states, Zen's law);
    each absorbed H atom adds 2.9 cubic angstrom (H. Peisl, in Hydrogen in Metals I, 1978,
    doi 10.1007/3540087052_42). Good to about a tenth for metallic hydrides and MgH2; NaN where it does not
    hold: molecular anions, salts of the alkali and heavier alkaline-earth metals, gaseous elements.

    Args:
        query: the n materials.
        capacity_wt_pct: their hydrogen, wt% of the hydrogenated material, shape ``(n,)``.
    """
    from hstore_models.features.composition import row_sum
    from hstore_models.features.elemental import elemental_column

    host = query.host
    masses = np.array([0.0, *ATOMIC_MASS_G_PER_MOL.values()])[host.atomic_numbers]
    volumes = np.where(host.present, elemental_column("GSvolume_pa")[host.atomic_numbers], 0.0)
    salt = row_sum(np.where(host.contains(sorted(SALT_FORMERS)), host.amounts, 0.0))
    holds = (query.anions == "") & (salt <= 0.5 * row_sum(host.amounts))
    holds &= ~host.contains(sorted(GASES)).any(axis=1) & (capacity_wt_pct >= 0) & (capacity_wt_pct < 100)
    wt_pct = np.where(holds, capacity_wt_pct, np.nan)
    hydrogen_g = row_sum(host.amounts * masses) * wt_pct / (100.0 - wt_pct)
    atoms = hydrogen_g / ATOMIC_MASS_G_PER_MOL["H"]
    volume_a3 = row_sum(host.amounts * volumes) + atoms * HYDROGEN_VOLUME_A3
    return np.asarray(1000.0 * hydrogen_g / (volume_a3 * CM3_PER_MOL_PER_A3))
