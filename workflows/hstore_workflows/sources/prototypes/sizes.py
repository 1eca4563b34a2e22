"""Whether ions are of the sizes for which a structure type is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstore_workflows.sources import rules
from hstore_workflows.sources.prototypes.radii import HYDRIDE_RADIUS_ANGSTROM, cation_radius

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore_workflows.sources.prototypes.structure_type import Prototype


def size_rule(
    prototype: Prototype,
    cations: Mapping[str, tuple[str, int]],
    anion_radius_angstrom: float = HYDRIDE_RADIUS_ANGSTROM,
) -> str | None:
    """Say in words that the sizes lie within the windows of a type, or return None when one does not.

    Args:
        prototype: the structure type.
        cations: element and charge of each cation role, all with tabulated radii.
        anion_radius_angstrom: radius of the anion, Å.

    Returns:
        The tolerance factor or the radius ratios with their windows; empty when the type states none.
    """
    found: list[str] = []
    window = prototype.tolerance
    if window is not None:
        a, b = (
            cation_radius(*cations[role], number)
            for role, number in zip(("A", "B"), window.coordination, strict=True)
        )
        factor = rules.tolerance_factor(a, b, anion_radius_angstrom)
        if not window.holds(factor):
            return None
        found.append(f"tolerance factor {factor:.2f} within {window.low:.2f}-{window.high:.2f}")
    for role, window in prototype.ratio.items():
        ratio = cation_radius(*cations[role], window.coordination[0]) / anion_radius_angstrom
        if not window.holds(ratio):
            return None
        found.append(f"r+/r- {ratio:.2f} within {window.low:.2f}-{window.high:.2f}")
    return ", ".join(found)
