"""How much work and worry a candidate is: synthesis, price, supply risk and toxicity, relative to its pool.

The effort of a candidate is a sum of parts in units of one plain sample, weighed in and measured:

    effort = 1 + w_synthesis * synthesis + w_price * price + w_supply * supply + w_toxicity * toxicity

divided by its mean over the pool. Synthesis is a rule of thumb (:mod:`hstore_workflows.campaign.synthesis`); price
grows with the logarithm, as a sample holds grams; supply is the Herfindahl-Hirschman index of Gaultois et al.
(2013), doi:10.1021/cm400893e, weighted by mass as there; toxicity is the class of the most hazardous element.
Weights are choices, not measurements: give your own, or your own effort for each candidate.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import FormulaError, InputError, unknown_name
from hstore_data.element_supply import CATEGORY_1, RADIOACTIVE
from hstore_models.features.composition import CompositionBatch
from hstore_workflows.campaign.supply import (
    concentrated_elements,
    dear_elements,
    hazard_class,
    hazard_notes,
    price_usd_per_kg,
    supply_concentration,
)
from hstore_workflows.campaign.synthesis import Synthesis, synthesis

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray

PRICE_SCALE_USD_PER_KG = 100.0
"""Price at which the price part reaches log10(2); each tenfold above adds one plain sample."""

TOXICITY = {0: 0.0, 1: 0.1, 2: 0.3, CATEGORY_1: 1.0, RADIOACTIVE: 3.0}
"""Hazard class -> plain samples of extra work (fume hood, glove box and waste, a licensed laboratory)."""

ALWAYS_AT_HAND = frozenset({"H", "N", "O"})
"""Elements that come from gas bottles and air; a lab need not list them."""

_DEAR = 3.0
"""Times the median price from which the reason names the elements that make a candidate dear."""

_SCARCE = 1.5
"""Times the median supply part from which the reason names elements that come from few countries."""

_FEW_COUNTRIES = 0.5
"""Index of supply (0 to 1) from which an element comes from few countries; the rare earths have 0.63."""

_NAMED_SHARE = 0.25
"""Share of the price, or of the mass, from which an element is named."""

_CHUNK_ROWS = 100_000


@dataclass(frozen=True)
class EffortWeights:
    """How much each part counts; a weight of 0 leaves the part out."""

    synthesis: float = 1.0
    """Of the work of making it."""
    price: float = 1.0
    """Of what the elements cost."""
    supply: float = 0.5
    """Of how few countries the elements come from."""
    toxicity: float = 1.0
    """Of the health hazard of its elements."""

    def __post_init__(self) -> None:
        """Refuse weights that are negative or no finite numbers."""
        for name, weight in asdict(self).items():
            if not 0 <= weight < np.inf:
                raise InputError(f"weight of {name} must be a finite number of at least 0, got {weight}")

    @classmethod
    def parse(cls, text: str) -> EffortWeights:
        """Read ``PART=WEIGHT,...``, such as ``price=2,supply=0``; parts not named keep their default.

        Raises:
            InputError: not of that form, or a negative weight.
            UnknownNameError: no such part.
        """
        names = [field.name for field in fields(cls)]
        given: dict[str, float] = {}
        for pair in filter(None, (part.strip() for part in text.split(","))):
            name, _, value = (part.strip() for part in pair.partition("="))
            if name not in names:
                raise unknown_name("part of the effort", name, names)
            try:
                given[name] = float(value)
            except ValueError as error:
                raise InputError(f"{pair!r} must read PART=WEIGHT, such as price=2,supply=0") from error
        return cls(**given)

    def __str__(self) -> str:
        """Return the form that :meth:`parse` reads."""
        return ",".join(f"{name}={weight:g}" for name, weight in asdict(self).items())


@dataclass(frozen=True, eq=False)
class Effort:
    """The effort of each candidate of a pool, and what it is made of."""

    relative: FloatArray
    """Effort relative to the mean of the pool, shape (n,), above 0."""
    parts: Mapping[str, FloatArray]
    """Part -> its weighted share of the effort on the scale of ``relative``, shape (n,); ``base`` is the same
    for all, or the lab's own figures where they were given. The parts add up to ``relative``."""
    price_usd_per_kg: FloatArray
    """Price of the elements per kg of material, USD/kg, shape (n,)."""
    hazard_class: NDArray[np.intp]
    """Class of the most hazardous element, shape (n,); see :class:`hstore_data.element_supply.ElementSupply`."""
    batch: CompositionBatch
    """The compositions, n rows."""
    made: Synthesis
    """The work of making each candidate."""
    own: bool = False
    """True where the lab's own figures took the place of our estimate of synthesis."""

    def __len__(self) -> int:
        """Return the number of candidates, n."""
        return len(self.relative)

    def reason(self, row: int) -> str:
        """Say in words how a candidate's effort compares with its pool, and why."""
        work = [] if self.own else self.made.causes(row)
        causes = [self._price_cause(row), *work, self._supply_cause(row), self._hazard_cause(row)]
        named = "; ".join(filter(None, causes))
        return f"{_times(self.relative[row])} the pool's mean effort" + (f": {named}" if named else "")

    def _price_cause(self, row: int) -> str:
        ratio = float(self.price_usd_per_kg[row] / np.median(self.price_usd_per_kg))
        if ratio < _DEAR:
            return ""
        dear = dear_elements(self.batch, row, share=_NAMED_SHARE)
        verb = "makes" if len(dear) == 1 else "make"
        return f"{' and '.join(dear)} {verb} it {_times(ratio)} dearer than the pool's median"

    def _supply_cause(self, row: int) -> str:
        part = self.parts["supply"]
        if part[row] <= _SCARCE * np.median(part):
            return ""
        few = concentrated_elements(self.batch, row, index=_FEW_COUNTRIES, share=_NAMED_SHARE)
        verb = "comes" if len(few) == 1 else "come"
        return f"{' and '.join(few)} {verb} from few countries" if few else ""

    def _hazard_cause(self, row: int) -> str:
        return "; ".join(hazard_notes(self.batch, row)) if self.hazard_class[row] >= CATEGORY_1 else ""


def effort(
    materials: Sequence[str] | CompositionBatch,
    *,
    weights: EffortWeights | None = None,
    own: FloatArray | None = None,
) -> Effort:
    """Estimate the effort of making and measuring each candidate of a pool.

    Args:
        materials: formulas, or the batch read from them; n candidates.
        weights: how much each part counts; the defaults when None.
        own: the lab's own effort for each candidate, any unit, shape (n,); takes the place of the base and of
            our estimate of synthesis, with the same mean.

    Returns:
        The effort, with mean 1 over the pool.

    Raises:
        FormulaError: a formula that cannot be read.
        InputError: no candidate, or an own effort that is missing, not positive or of another length.
    """
    batch = _batch(materials)
    if not len(batch):
        raise InputError("effort needs at least one candidate, got none; give the formulas of the pool")
    weights = weights or EffortWeights()
    chunks = list(batch.chunks(_CHUNK_ROWS))
    price = np.concatenate([price_usd_per_kg(chunk) for chunk in chunks])
    hazard = np.concatenate([hazard_class(chunk) for chunk in chunks])
    made = synthesis(batch)
    work = weights.synthesis * made.work
    base = np.ones(len(batch))
    if own is not None:
        base, work = _scaled(own, base + work), np.zeros(len(batch))
    parts = {
        "base": base,
        "synthesis": work,
        "price": weights.price * np.log10(1.0 + price / PRICE_SCALE_USD_PER_KG),
        "supply": weights.supply * np.concatenate([supply_concentration(chunk) for chunk in chunks]),
        "toxicity": weights.toxicity * np.array([TOXICITY[level] for level in sorted(TOXICITY)])[hazard],
    }
    total = np.sum(list(parts.values()), axis=0)
    mean = total.mean()
    scaled = {name: values / mean for name, values in parts.items()}
    return Effort(total / mean, scaled, price, hazard, batch, made, own is not None)


def makeable(
    materials: Sequence[str] | CompositionBatch,
    elements_at_hand: Collection[str] | None = None,
    without: Collection[str] = (),
) -> NDArray[np.bool_]:
    """Mark the candidates that a lab has the elements for.

    Args:
        materials: formulas, or the batch read from them; n candidates.
        elements_at_hand: elements the lab has, hydrogen, nitrogen and oxygen understood; all when None.
        without: elements the lab does not handle, whatever stands in ``elements_at_hand``.

    Returns:
        True where every element is at hand, shape (n,).

    Raises:
        FormulaError: a formula that cannot be read.
        InputError: a symbol is not an element.
    """
    batch = _batch(materials)
    banned = batch.contains(sorted(without)).any(axis=1)
    if elements_at_hand is None:
        return np.asarray(~banned)
    held = batch.contains(sorted({*elements_at_hand, *ALWAYS_AT_HAND}))
    return np.asarray((held | ~batch.present).all(axis=1) & ~banned)


def _batch(materials: Sequence[str] | CompositionBatch) -> CompositionBatch:
    if isinstance(materials, CompositionBatch):
        return materials
    batch, rejected = CompositionBatch.from_formulas(materials)
    if rejected:
        first = rejected[0]
        raise FormulaError(f"row {first.index} ({first.formula!r}): {first.cause}")
    return batch


def _scaled(own: FloatArray, like: FloatArray) -> FloatArray:
    """Bring a lab's own figures to the mean of our estimate."""
    values = np.asarray(own, dtype=float)
    if values.shape != like.shape:
        raise InputError(f"own effort must have one value per candidate, {len(like)}, got shape {values.shape}")
    bad = ~(np.isfinite(values) & (values > 0))
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(
            f"own effort must be a positive number for every candidate, got {values[row]} (row {row}); "
            f"{int(bad.sum())} rows need one"
        )
    return np.asarray(values * (like.mean() / values.mean()))


def _times(ratio: float) -> str:
    """Write a ratio with two digits, such as ``"1.8x"`` and ``"2,700x"``."""
    return f"{float(f'{ratio:.2g}'):,g}x"
