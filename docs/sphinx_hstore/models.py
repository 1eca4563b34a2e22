"""A page for each shipped model: the card of the version in use, trained first where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstore.settings import load_settings
from hstore_models.spec import SHIPPED
from hstore_models.training import ensure
from hstore_workflows.score_report import how_wrong_markdown

from .settings import text_of

HOW_WRONG = "how-wrong.md"
"""Tables that the page of that name includes."""

if TYPE_CHECKING:
    from hstore_models.card import ModelCard
    from hstore_models.score import Score


def pages() -> dict[str, str]:
    """Return a page for each model, and one that lists them."""
    settings = load_settings()
    cards = [ensure(name, settings).card for name in sorted(SHIPPED)]
    rows = "\n".join(
        f"| [{card.model}]({card.model}.md) | {', '.join(f'`{name}`' for name in card.properties)} "
        f"| {sum(card.rows_by_source.values()):,} | {text_of(card.summary)} |"
        for card in cards
    )
    names = "\n".join(card.model for card in cards)
    index = f"""# Models

The models that hstore trains from what it is shipped with. Their scores are out of fold: whole groups, such as
chemical systems, are held out. With public sets present they are trained on more, and their cards say so:
`hstore models show NAME`. [How wrong is it](../../explanation/how-wrong.md) has them side by side.

| model | predicts | rows | is |
|---|---|---|---|
{rows}

```{{toctree}}
:hidden:

{names}
```
"""
    made = {f"models/{card.model}.md": _page(card) for card in cards}
    return {"models/index.md": index, HOW_WRONG: how_wrong_markdown(settings)} | made


def _page(card: ModelCard) -> str:
    facts = [
        ("version", f"`{card.model_id}`"),
        (
            "trained on",
            ", ".join(f"[{name}](../data-sets/{name}.md) ({n:,})" for name, n in card.rows_by_source.items()),
        ),
        ("left out", f"{card.duplicates_removed:,} rows that another set has too"),
        ("held out together", f"{card.grouping}; split `{card.split_hash}`, {card.n_folds} folds"),
        ("features", f"{card.n_features:,}"),
        ("licence", card.licence),
        ("libraries", ", ".join(f"{name} {number}" for name, number in card.versions.items())),
    ]
    parts = [f"# {card.model}", "", card.summary, "", "| | |", "|---|---|"]
    parts += [f"| {name} | {text_of(value)} |" for name, value in facts]
    parts += ["", "## Where it may be believed", "", card.domain, "", *(f"- {limit}" for limit in card.limits)]
    for name, score in card.scores.items():
        parts += _scores(name, score)
    if card.importances:
        parts += [
            "",
            "## What the main forest looks at",
            "",
            "| feature | share of the variance it explains |",
            "|---|---|",
        ]
        parts += [f"| `{name}` | {100 * share:.1f} % |" for name, share in card.importances.items()]
    return "\n".join([*parts, ""])


def _scores(name: str, score: Score) -> list[str]:
    rows = [
        ("mean absolute error", score.mae),
        ("median error", score.median_error),
        ("root mean square error", score.rmse),
        ("plain forest", score.mae_plain_forest),
        ("nearest neighbour", score.mae_nearest_neighbour),
        ("mean predictor", score.mae_mean_predictor),
        ("noise of repeated measurements", score.noise_floor_mae),
    ]
    parts = [
        "",
        f"## {name}",
        "",
        f"{score.n:,} rows: {score.subset or 'all'}.",
        "",
        f"| | {score.unit} |",
        "|---|---|",
    ]
    parts += [f"| {label} | {value:.3g} |" for label, value in rows if value is not None]
    parts += [
        "",
        f"The 90 % intervals hold {100 * score.coverage:.0f} % of the values and are {score.mean_width:.3g} wide.",
    ]
    if score.by_family:
        parts += [
            "",
            "| family | rows | groups | MAE | median | 90 % intervals hold |",
            "|---|---|---|---|---|---|",
        ]
        parts += [
            f"| {family} | {part.n:,} | {part.n_groups:,} | {part.mae:.3g} | {part.median_error:.3g} "
            f"| {100 * part.coverage:.0f} % |"
            for family, part in score.by_family.items()
        ]
    return parts
