"""Price, supply risk and hazard of compositions, from tables of the elements, weighted by mass."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore_data.element_supply import element_supply
from hstore_models.features.composition import (
    ATOMIC_NUMBER,
    SYMBOLS,
    CompositionBatch,
    row_sum,
    weighted_mean,
)
from hstore_models.features.elemental import elemental_column

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray

TOXIC_MASS_FRACTION = 1e-3
"""Mass fraction from which a hazard counts, the generic limit of Regulation (EC) No 1272/2008 for category 1."""


def price_usd_per_kg(batch: CompositionBatch) -> FloatArray:
    """Return the price of the elements per kg of material, USD/kg, shape (n,).

    Bulk prices of the elements (curated table ``element_supply``); what is not traded costs as much as the dearest
    that is.
    """
    return weighted_mean(mass_fractions(batch), _element_prices()[batch.atomic_numbers])


def dear_elements(batch: CompositionBatch, row: int, *, share: float) -> list[str]:
    """Name the elements that make up at least a share of one material's price, or the dearest; dearest first."""
    one = batch.take(slice(row, row + 1))
    costs = (mass_fractions(one) * _element_prices()[one.atomic_numbers])[0]
    order = np.argsort(-costs, kind="stable")
    wanted = max(1, int((costs >= share * costs.sum()).sum()))
    return [SYMBOLS[number] for number in one.atomic_numbers[0][order[:wanted]]]


def supply_concentration(batch: CompositionBatch) -> FloatArray:
    """Return how much production and reserves lie in few countries, 0 (many) to 1 (one), shape (n,).

    Mean of the two Herfindahl-Hirschman indices of Gaultois et al. (2013), doi:10.1021/cm400893e, over 10,000, as
    matminer tabulates them.
    """
    return weighted_mean(mass_fractions(batch), _element_concentration()[batch.atomic_numbers])


def concentrated_elements(batch: CompositionBatch, row: int, *, index: float, share: float) -> list[str]:
    """Name the elements of one material above an index (0 to 1) and a share of the mass, heaviest first."""
    one = batch.take(slice(row, row + 1))
    numbers, masses = one.atomic_numbers[0], mass_fractions(one)[0]
    order = np.argsort(-masses, kind="stable")
    named = _element_concentration()[numbers] >= index
    return [SYMBOLS[numbers[i]] for i in order if named[i] and masses[i] >= share]


def hazard_class(batch: CompositionBatch) -> NDArray[np.intp]:
    """Return the class of the most hazardous element above ``TOXIC_MASS_FRACTION``, 0 to 4, shape (n,)."""
    classes = _element_hazards()[batch.atomic_numbers]
    return np.asarray(np.where(mass_fractions(batch) >= TOXIC_MASS_FRACTION, classes, 0).max(axis=1))


def hazard_notes(batch: CompositionBatch, row: int) -> list[str]:
    """Return what screens say of the hazardous elements that count in one material."""
    one = batch.take(slice(row, row + 1))
    counted = one.atomic_numbers[0][mass_fractions(one)[0] >= TOXIC_MASS_FRACTION]
    notes = [element_supply()[SYMBOLS[number]].screen_note for number in counted]
    return list(dict.fromkeys(filter(None, notes)))


def mass_fractions(batch: CompositionBatch) -> FloatArray:
    """Return the mass fraction of each element, shape (n, k)."""
    masses = batch.amounts * _by_number(ATOMIC_MASS_G_PER_MOL)[batch.atomic_numbers]
    return np.asarray(masses / row_sum(masses)[:, None])


@cache
def _element_prices() -> FloatArray:
    """Price by atomic number, USD/kg."""
    prices = _by_number({symbol: entry.price_usd_per_kg for symbol, entry in element_supply().items()})
    return np.where(np.isnan(prices), np.nanmax(prices), prices)


@cache
def _element_hazards() -> NDArray[np.intp]:
    """Hazard class by atomic number."""
    return _by_number({s: float(entry.hazard_class) for s, entry in element_supply().items()}).astype(np.intp)


@cache
def _element_concentration() -> FloatArray:
    """Herfindahl-Hirschman index by atomic number, 0 to 1; hydrogen 0, and 1 where nothing is tabulated."""
    index = (elemental_column("HHIp") + elemental_column("HHIr")) / 2e4
    index = np.where(np.isnan(index), 1.0, index)
    index[[0, ATOMIC_NUMBER["H"]]] = 0.0
    return index


def _by_number(values: Mapping[str, float]) -> FloatArray:
    """Put values by symbol into an array by atomic number, shape (104,); 0 for the padding."""
    return np.array([0.0, *(values[symbol] for symbol in SYMBOLS[1:])])
