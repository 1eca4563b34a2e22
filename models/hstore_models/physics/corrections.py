"""The MP2020 corrections of the Materials Project, explicit and switchable.

They shift the PBE energy of a compound by so much for each atom of an anion (Wang et al. 2021, doi
10.1038/s41598-021-94550-5); the numbers are read from the installed pymatgen. A potential trained on corrected
energies (CHGNet) has them inside; one trained on raw energies (SevenNet-0) has not. Hydrogen is corrected
where it is an anion, which by their rule is where it is the most electronegative element. That suits salts;
for metallic hydrides the same shift is applied although nothing there is an anion, which is one reason to
switch it off.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hstore.errors import DataError
from hstore_models.features.composition import ATOMIC_NUMBER
from hstore_models.features.elemental import elemental_column

if TYPE_CHECKING:
    from collections.abc import Mapping


class Footing(StrEnum):
    """On which energies a reaction is priced."""

    AS_TRAINED = "as-trained"
    """As the potential gives them."""
    UNCORRECTED = "uncorrected"
    """Without the MP2020 corrections: they are taken out of a potential that has learned them."""
    MP2020 = "mp2020"
    """With them: they are added to a potential that has not."""


def correction_ev(amounts: Mapping[str, float]) -> float:
    """Return the MP2020 correction of a composition, eV for the amounts given; 0 for elements.

    The anion is the most electronegative element, hydrogen where it shares that place, as with Pd. Oxides count as
    oxides, not as peroxides; the shifts between GGA and GGA+U are left out, for hydrides have none.

    Raises:
        DataError: the installed pymatgen has no such table.
    """
    if len(amounts) < 2:
        return 0.0
    electronegativity = elemental_column("Electronegativity")
    anion = max(amounts, key=lambda element: (float(electronegativity[ATOMIC_NUMBER[element]]), element == "H"))
    return _table().get("oxide" if anion == "O" else anion, 0.0) * amounts[anion]


def shift_ev(amounts: Mapping[str, float], footing: Footing, *, corrected: bool) -> float:
    """Return what to add to an energy to bring it on a footing, eV for the amounts given.

    Args:
        amounts: element -> atoms.
        footing: wanted.
        corrected: whether the potential was trained on corrected energies.
    """
    if footing is Footing.UNCORRECTED and corrected:
        return -correction_ev(amounts)
    if footing is Footing.MP2020 and not corrected:
        return correction_ev(amounts)
    return 0.0


@cache
def _table() -> Mapping[str, float]:
    import yaml

    spec = find_spec("pymatgen.analysis.compatibility")
    path = Path(spec.origin).with_name("MP2020Compatibility.yaml") if spec and spec.origin else None
    if path is None or not path.is_file():
        raise DataError("the installed pymatgen has no MP2020 table; install pymatgen 2026.10 or newer")
    found = yaml.safe_load(path.read_text(encoding="utf-8"))["Corrections"]["CompositionCorrections"]
    return {str(name): float(value) for name, value in found.items()}
