"""Classes by which the design map colours candidates, read off their compositions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstore.formula import parse_amounts
from hstore_workflows.report.plot import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION

if TYPE_CHECKING:
    import pandas as pd

    from hstore_workflows.target import Target


@dataclass(frozen=True)
class MaterialClass:
    """A class of candidates on the map."""

    name: str
    """Name in the legend."""
    colour: str
    """Colour of its marks."""
    symbol: str = "circle"
    """Plotly's name of its mark."""


_AB5, _AB2, _AB = MaterialClass("AB5", BLUE), MaterialClass("AB2", ORANGE), MaterialClass("AB", GREEN)
_MAGNESIUM = MaterialClass("A2B and Mg alloys", PURPLE)
_SOLUTION = MaterialClass("bcc and high-entropy alloys", SKY)
_OTHER_ALLOY = MaterialClass("other alloys", GREY)
_IONIC = MaterialClass("ionic hydrides", VERMILLION, "square")
_COMPLEX = MaterialClass("complex hydrides", VERMILLION, "triangle-up")
_OF_ALLOY = {
    "AB5": _AB5,
    "AB2": _AB2,
    "AB": _AB,
    "A2B": _MAGNESIUM,
    "Mg": _MAGNESIUM,
    "SS": _SOLUTION,
    "HEA": _SOLUTION,
}
_OF_FAMILY = {"ionic": _IONIC, "complex": _COMPLEX}

_BORON_HYDRIDE = MaterialClass("borohydrides and boranes", PURPLE, "diamond")
_OTHER_ANION = MaterialClass("other anions", GREY, "triangle-up")
_OF_ANION = {
    MaterialClass("oxides", BLUE): ("O",),
    MaterialClass("sulfides and selenides", ORANGE, "square"): ("S", "Se", "Te"),
    MaterialClass("halides", GREEN, "triangle-down"): ("F", "Cl", "Br", "I"),
}

_OTHER_SORBENT = MaterialClass("other sorbents", GREY)
_OF_SORBENT = {
    "mof": MaterialClass("MOFs", BLUE),
    "cof": MaterialClass("COFs", ORANGE, "square"),
    "zeolite": MaterialClass("zeolites", GREEN, "diamond"),
    "carbon": MaterialClass("carbons", PURPLE, "triangle-up"),
}


def material_classes(candidates: pd.DataFrame, target: Target) -> list[MaterialClass]:
    """Return the class of each candidate."""
    if target.kind == "sorbent":
        groups = [str(identifier).split(":")[1] for identifier in candidates["material_id"]]
        return [_OF_SORBENT.get(group, _OTHER_SORBENT) for group in groups]
    amounts = [parse_amounts(formula) for formula in candidates["formula"]]
    if target.kind == "electrolyte":
        return [_by_anion(row) for row in amounts]
    return _by_alloy(amounts, list(candidates["family"]))


def _by_alloy(amounts: list[dict[str, float]], families: list[str]) -> list[MaterialClass]:
    from hstore_models.features.alloy import infer_alloy_class
    from hstore_models.features.composition import CompositionBatch

    alloys = infer_alloy_class(CompositionBatch.from_amounts(amounts))
    return [
        _OF_FAMILY.get(family) or _OF_ALLOY.get(alloy, _OTHER_ALLOY)
        for family, alloy in zip(families, alloys, strict=True)
    ]


def _by_anion(amounts: dict[str, float]) -> MaterialClass:
    """Take the most abundant anion; B with H and without O is a borohydride or borane."""
    if amounts.get("B", 0) and amounts.get("H", 0) and "O" not in amounts:
        return _BORON_HYDRIDE
    totals = {kind: sum(amounts.get(el, 0.0) for el in anions) for kind, anions in _OF_ANION.items()}
    largest = max(totals, key=lambda kind: totals[kind])
    return largest if totals[largest] > 0 else _OTHER_ANION
