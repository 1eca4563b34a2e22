"""Tables of the report: the top ten, what was left out and why, and the models behind the numbers."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hstore.properties import get_property
from hstore_data.catalog import get_card
from hstore_workflows.report.markup import breakable, name_html, percent, pretty, shortened
from hstore_workflows.report.quantities import quantities, significant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd
    from markupsafe import Markup

    from hstore_models.card import ModelCard
    from hstore_workflows.screen import ScreenResult

_TOP = 10
_MAX_GROUPS = 12
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_NUMBER = re.compile(r"(?<![A-Za-z0-9_)\]])[-+]?\d+\.?\d*(?:e[-+]?\d+)?(?![A-Za-z0-9_])")
_DECIMAL = re.compile(r"\d+\.\d+")
_DOMAIN_GROUPS = (
    (re.compile(r"no training material contains (.+)"), "no training material contains one of its elements"),
    (re.compile(r"few training materials contain (.+)"), "few training materials contain one of its elements"),
    (re.compile(r"(\w+) \S+ outside \S+ to \S+"), "a condition or descriptor outside the training range"),
)

PROBABILITY_HEADINGS = {
    "p_window": "p swing",
    "p_capacity": "p capacity",
    "p_density": "p density",
    "p_feasible": "p all",
}
"""Probability column -> heading in the top ten."""


@dataclass(frozen=True)
class TopRow:
    """One candidate of the top ten."""

    rank: int
    """Rank from 1."""
    name: Markup
    """Formula or name."""
    family: str
    """Family."""
    known: bool
    """Reported in the literature."""
    score: str
    """Score, 0 to 1."""
    values: tuple[tuple[str, str], ...]
    """Mean and 90 % interval of each quantity."""
    probabilities: tuple[str, ...]
    """Probabilities."""
    reason: str
    """Why it is plausible."""
    remarks: tuple[tuple[str, str], ...]
    """Kind (domain, safety, cost) and text of each remark."""


@dataclass(frozen=True)
class ComputedRow:
    """A candidate of which an enthalpy was computed."""

    rank: int
    """Rank from 1."""
    name: Markup
    """Formula."""
    predicted: str
    """Predicted enthalpy, kJ/mol H2."""
    computed: str
    """Computed enthalpy with its standard deviation, kJ/mol H2."""
    above: str
    """Energy above its products, eV/atom."""
    structure: str
    """Structure that was relaxed."""
    basis: str
    """What it is ranked by."""


@dataclass(frozen=True)
class Group:
    """Things left out or marked for one cause."""

    cause: str
    """Cause in words."""
    count: int
    """How many."""
    examples: str
    """A few of them."""


@dataclass(frozen=True)
class ScoreRow:
    """Scores of one property of a model."""

    property: str
    """Property."""
    unit: str
    """Unit of the errors."""
    n: int
    """Rows scored."""
    mae: str
    """Mean absolute error."""
    baseline: str
    """That of the mean predictor."""
    spearman: str
    """Rank correlation."""
    coverage: str
    """Share inside the 90 % interval."""
    width: str
    """Mean width of that interval."""


@dataclass(frozen=True)
class AbsentSet:
    """A public set that would sharpen a model."""

    name: str
    """Name for ``hstore data pull``."""
    title: str
    """What it is."""
    licence: str
    """Its licence."""


@dataclass(frozen=True)
class ModelBlock:
    """A model with its data and scores."""

    card: ModelCard
    """Its card."""
    title: str
    """Name in words."""
    scores: tuple[ScoreRow, ...]
    """Scores per property."""
    absent: tuple[AbsentSet, ...]
    """Public sets that are not there."""


def probability_columns(candidates: pd.DataFrame) -> list[str]:
    """Return the probability columns of a result, in the order shown."""
    return [column for column in PROBABILITY_HEADINGS if column in candidates]


def top_rows(result: ScreenResult) -> list[TopRow]:
    """Return the top ten."""
    shown = quantities(result.target)
    columns = probability_columns(result.candidates)
    rows = []
    for record in result.candidates.head(_TOP).to_dict("records"):
        row: dict[str, Any] = {str(k): v for k, v in record.items()}
        remarks = [("domain", row["domain_reason"]), ("safety", row["safety"]), ("cost", row["cost"])]
        if row.get("computed_by"):
            remarks.insert(0, ("computed", computed_words(row)))
        rows.append(
            TopRow(
                rank=int(row["rank"]),
                name=breakable(name_html(row, result.target.kind)),
                family=str(row["family"]),
                known=bool(row["known"]),
                score=f"{row['score']:.3f}",
                values=tuple((quantity.mean(row), quantity.interval(row)) for quantity in shown),
                probabilities=tuple(probability(float(row[column])) for column in columns),
                reason=str(row["reason"]),
                remarks=tuple((kind, str(text)) for kind, text in remarks if text),
            )
        )
    return rows


def computed_rows(result: ScreenResult) -> list[ComputedRow]:
    """Return the best-ranked candidates of which an enthalpy was computed; none for other kinds of target."""
    if "computed_by" not in result.candidates:
        return []
    frame = result.candidates
    records = frame[frame["computed_by"] != ""].head(_TOP).to_dict("records")
    return [
        ComputedRow(
            rank=int(row["rank"]),
            name=breakable(name_html(row, result.target.kind)),
            predicted=f"{row['desorption_enthalpy_kj_per_mol_h2_mean']:.0f}",
            computed=_computed_enthalpy(row),
            above=f"{row['computed_above_products_ev_per_atom']:+.2f}".replace("-", "−"),
            structure=str(row["computed_structure"]),
            basis=str(row["enthalpy_basis"]),
        )
        for row in ({str(name): value for name, value in record.items()} for record in records)
    ]


def _computed_enthalpy(row: Mapping[str, Any]) -> str:
    return f"{row['computed_enthalpy_kj_per_mol_h2']:.0f} ± {row['computed_enthalpy_std_kj_per_mol_h2']:.0f}"


def computed_words(row: Mapping[str, Any]) -> str:
    """Say what was computed of a candidate."""
    above = float(row["computed_above_products_ev_per_atom"])
    state = f"{above:.2f} eV/atom above its products" if above > 0 else f"stable by {-above:.2f} eV/atom"
    return (
        f"ΔH {_computed_enthalpy(row)} kJ/mol H₂ by {row['computed_by']} ({row['computed_structure']}), "
        f"{state}; ranked by {row['enthalpy_basis']}"
    )


def probability(value: float) -> str:
    """Print a probability; what is below one percent is not resolved."""
    if math.isnan(value):  # the answer of a model without the descriptors it needs
        return significant(value)
    return "<\u00a00.01" if value < 0.01 else f"{value:.2f}"


def reject_groups(result: ScreenResult) -> list[Group]:
    """Group rejected rows by their cause, what is particular to a row left out."""
    causes = [
        (_NUMBER.sub("…", _QUOTED.sub("…", r.cause)), f"row {r.row}: {shortened(r.formula)}")
        for r in result.rejects
    ]
    return _grouped(causes)


def domain_groups(result: ScreenResult) -> list[Group]:
    """Group candidates outside the domain by reason; a candidate can have several."""
    return _grouped(
        _domain_group(reason)
        for text in result.candidates["domain_reason"]
        for reason in dict.fromkeys(filter(None, str(text).split("; ")))
    )


def hazard_groups(result: ScreenResult) -> list[Group]:
    """Group candidates with a safety note by note; a candidate can have several."""
    frame = result.candidates[result.candidates["safety"] != ""]
    pairs = [
        (_DECIMAL.sub("…", note), str(formula))
        for formula, text in zip(frame["formula"], frame["safety"], strict=True)
        for note in dict.fromkeys(str(text).split("; "))
    ]
    return _grouped(pairs)


def model_blocks(result: ScreenResult) -> list[ModelBlock]:
    """Return the models with their scores and the public sets they did without."""
    absent = result.manifest.get("absent_public_sets", {})
    return [
        ModelBlock(
            card=loaded.card,
            title=name.replace("_", " ").capitalize(),
            scores=tuple(_score_row(prop, loaded.card) for prop in loaded.card.scores),
            absent=tuple(_absent(missing) for missing in absent.get(name, [])),
        )
        for name, loaded in result.models.items()
    ]


def _domain_group(reason: str) -> tuple[str, str]:
    for pattern, words in _DOMAIN_GROUPS:
        match = pattern.fullmatch(reason)
        if match:
            return words, re.sub(r" \(\d+\)", "", match.group(1))
    return reason, ""


def _grouped(pairs: Iterable[tuple[str, str]]) -> list[Group]:
    """Count causes, most frequent first, with their most frequent examples."""
    counts: Counter[str] = Counter()
    examples: dict[str, Counter[str]] = {}
    for cause, example in pairs:
        counts[cause] += 1
        if example:
            examples.setdefault(cause, Counter())[example] += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [
        Group(cause, count, _most_common(examples.get(cause, Counter()))) for cause, count in ordered[:_MAX_GROUPS]
    ]


def _most_common(examples: Counter[str]) -> str:
    shown = [text for text, _ in examples.most_common(6)]
    return ", ".join(shown) + (", …" if len(examples) > len(shown) else "")


def _score_row(property_name: str, card: ModelCard) -> ScoreRow:
    score = card.scores[property_name]
    return ScoreRow(
        property=pretty(get_property(property_name).label),
        unit=pretty(score.unit),
        n=score.n,
        mae=significant(score.mae, 3),
        baseline=significant(score.mae_mean_predictor, 3),
        spearman="–" if score.spearman is None else f"{score.spearman:.2f}",
        coverage=percent(score.coverage),
        width=significant(score.mean_width, 3),
    )


def _absent(name: str) -> AbsentSet:
    card = get_card(name)
    return AbsentSet(name, card.title, card.licence)
