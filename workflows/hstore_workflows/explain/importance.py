"""What moves the predictions of a property: over many materials, and for each one, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.errors import InputError
from hstore.properties import PROPERTIES
from hstore_models.explain.attribution import BACKGROUND_ROWS, Attribution, attribute
from hstore_models.explain.swapping import spread_rows
from hstore_models.prediction import Query
from hstore_models.training import FROM_DESCRIPTORS, ensure, learned_from, model_of
from hstore_workflows.report.markup import feature_words, plural
from hstore_workflows.tables import check_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hstore.settings import Settings
    from hstore_data.table import RejectedRow

SAMPLE_ROWS = 40
"""Training materials explained where no table and no formula is given."""
MOST_ROWS = 500
_SHOWN_PARTS = 5
_NOTHING = 1e-9
"""Magnitude below which a value is rounding."""
_SHOWN_MATERIALS = 12


@dataclass(frozen=True)
class Importance:
    """Attributions of materials, ready to be told."""

    target: str
    """Property that was explained."""
    model_id: str
    """Model that answered."""
    names: tuple[str, ...]
    """Formula or name of each material."""
    attribution: Attribution
    """The values."""
    rejects: tuple[RejectedRow, ...] = ()
    """Rows that were not explained, with the cause."""
    is_sample: bool = False
    """True where the materials are training materials drawn by seed."""

    @property
    def unit(self) -> str:
        """Unit of the values."""
        if self.attribution.quantity.startswith("log10 "):
            return "decades"
        return PROPERTIES[self.target].unit if self.target in PROPERTIES else ""

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        found = self.attribution
        parts = [
            {"part": found.meanings[p].key, "words": found.meanings[p].words, "mean_magnitude": _digits(size)}
            for p, size in ((p, found.importance[p]) for p in found.order())
        ]
        return {
            "property": self.target,
            "quantity": found.quantity,
            "unit": self.unit,
            "model_id": self.model_id,
            "background_materials": found.background,
            "exact": found.is_exact,
            "largest_additivity_gap": float(np.abs(found.gap).max()),
            "importance": parts,
            "materials": [self._material(row) for row in range(len(self.names))],
            "rejected": [{"row": reject.row, "cause": reject.cause} for reject in self.rejects],
        }

    def text(self) -> Iterator[str]:
        """Give the lines that are printed."""
        found = self.attribution
        how = "every combination of parts tried" if found.is_exact else "orders of parts drawn by seed"
        kind = "training material" if self.is_sample else "material"
        yield f"{found.quantity} by {self.model_id}"
        yield f"{plural(len(self.names), kind)}, background {found.background}, {how}"
        yield f"mean + parts = prediction within {np.abs(found.gap).max():.1e}"
        yield f"\nwhat moves it most (mean magnitude, {self.unit}):"
        for p in found.order():
            size = found.importance[p] if found.importance[p] > _NOTHING else 0.0
            yield f"  {size:8.3g}  {found.meanings[p].words}"
        for row in range(0 if self.is_sample else min(len(self.names), _SHOWN_MATERIALS)):
            yield ""
            yield from self._told(row)
        if not self.is_sample and len(self.names) > _SHOWN_MATERIALS:
            yield f"\n{len(self.names) - _SHOWN_MATERIALS} more materials: --json or --out has all"
        for reject in self.rejects:
            yield f"row {reject.row} is not explained: {reject.cause}"
        yield "\nThe parts say what the model does with what it was given, not what causes what in nature."

    def frame(self) -> pd.DataFrame:
        """Return a table: one row for each material, one column for each part."""
        found = self.attribution
        table = pd.DataFrame({"material": self.names, "prediction": found.prediction, "base": found.base})
        for p in found.order():
            table[found.meanings[p].key] = found.values[:, p]
        return table

    def _material(self, row: int) -> dict[str, Any]:
        found = self.attribution
        return {
            "material": self.names[row],
            "prediction": float(found.prediction[row]),
            "base": float(found.base[row]),
            "parts": [self._part(row, p) for p in np.argsort(-np.abs(found.values[row]), kind="stable").tolist()],
        }

    def _part(self, row: int, p: int) -> dict[str, Any]:
        found = self.attribution
        told, usual = float(found.told[row, p]), float(found.usual[row, p])
        named = bool(found.telling[row][p]) and np.isfinite(told)
        return {
            "part": found.meanings[p].key,
            "value": float(found.values[row, p]),
            "descriptor": found.telling[row][p] if named else None,
            "of_the_material": told if named else None,
            "usual": usual if named else None,
        }

    def _told(self, row: int) -> Iterator[str]:
        found = self.attribution
        yield (
            f"{self.names[row]}: {found.prediction[row]:.4g} = {found.base[row]:.4g} (mean of the background) "
            f"{found.prediction[row] - found.base[row]:+.4g} {self.unit}"
        )
        order = np.argsort(-np.abs(found.values[row]), kind="stable").tolist()
        for p in order[:_SHOWN_PARTS]:
            told = self._part(row, p)
            why = ""
            if told["descriptor"]:
                words = feature_words(told["descriptor"])
                why = f"; {words} {told['of_the_material']:.4g}, usually {told['usual']:.4g}"
            yield f"  {found.values[row, p]:+8.3g}  {found.meanings[p].words}{why}"
        if len(order) > _SHOWN_PARTS:
            rest = float(found.values[row, order[_SHOWN_PARTS:]].sum())
            yield f"  {rest:+8.3g}  the other {len(order) - _SHOWN_PARTS} together"


def explain_importance(
    property_name: str,
    frame: pd.DataFrame | None,
    settings: Settings,
    *,
    background_rows: int = BACKGROUND_ROWS,
    sample: int = SAMPLE_ROWS,
    say: Callable[[str], None] = lambda _: None,
) -> Importance:
    """Explain the predictions of a table of materials, or of training materials where there is none.

    Args:
        property_name: property that a model predicts.
        frame: table with a ``formula`` column or the descriptor columns of sorbents, at most 500 rows; training
            materials are drawn when None.
        settings: where data and models are, and the seed.
        background_rows: training materials that parts not given are taken from.
        sample: training materials that are drawn without a table.
        say: told when a model must be trained.

    Raises:
        UnknownNameError: no model predicts the property.
        InputError: no row can be explained, or there are too many.
        MissingExtraError: shap is not installed.
    """
    name = model_of(property_name, settings)
    loaded = ensure(name, settings, say=say)
    rows = learned_from(name, settings)[1].rows
    training = _query(rows)
    rejects: tuple[RejectedRow, ...] = ()
    if frame is None:
        places = spread_rows(len(rows), sample, settings.seed)
        chosen = np.zeros(len(rows), dtype=bool)
        chosen[places] = True
        query, places = training.take(chosen), np.flatnonzero(chosen)
        names = _names(rows.iloc[places])
    else:
        if len(frame) > MOST_ROWS:
            raise InputError(f"at most {MOST_ROWS} materials are explained at once, got {len(frame)}; take a part")
        table = check_table(frame, formulas=name not in FROM_DESCRIPTORS, temperatures=True)
        query = Query.of(table.amounts or [{}] * len(table.frame), table.frame)
        names, rejects = _names(table.frame), tuple(table.rejects)
    answered = np.isfinite(loaded.model.predict(property_name, query).mean) if len(query) else np.zeros(0, bool)
    if not answered.any():
        cause = rejects[0].cause if rejects else "the model has no answer for them"
        raise InputError(f"none of the materials can be explained ({cause}); give what the model needs")
    unanswered = [int(place) for place in np.flatnonzero(~answered)]
    rejects = (*rejects, *(_rejected(place, query, names[place]) for place in unanswered))
    found = attribute(
        loaded.model,
        property_name,
        query.take(answered),
        training,
        background_rows=background_rows,
        seed=settings.seed,
    )
    kept = tuple(name for name, known in zip(names, answered, strict=True) if known)
    return Importance(property_name, loaded.card.model_id, kept, found, rejects, is_sample=frame is None)


def _query(rows: pd.DataFrame) -> Query:
    amounts = list(rows["amounts"]) if "amounts" in rows else [{} for _ in range(len(rows))]
    return Query.of(amounts, rows)


def _names(frame: pd.DataFrame) -> list[str]:
    column = next((name for name in ("name", "formula") if name in frame and frame[name].notna().any()), None)
    if "formula" in frame and frame["formula"].notna().all():
        column = "formula"
    if column is None:
        return [f"row {place + 1}" for place in range(len(frame))]
    return frame[column].fillna("").astype(str).tolist()


def _rejected(place: int, query: Query, name: str) -> RejectedRow:
    from hstore_data.table import RejectedRow

    row = int(query.frame["row"].iloc[place]) if "row" in query.frame else place + 1
    return RejectedRow(row, name, "the model has no answer for it")


def _digits(value: float) -> float:
    return float(f"{value:.6g}")
