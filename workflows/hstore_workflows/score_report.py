"""How wrong the models in use are: score sheets of all of them, for a terminal and for the documentation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hstore.errors import InputError, ModelError
from hstore.properties import get_property
from hstore.records import PUBLIC_SCOPE
from hstore_models.registry import Registry
from hstore_models.score_sheet import LEAST_FAMILY_ROWS, missed, score_sheets
from hstore_models.training import MODELS, ensure
from hstore_models.verdict import aligned
from hstore_workflows.releases import OPERATOR, Releases

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hstore.settings import Settings
    from hstore_models.coverage import Part
    from hstore_models.score import FamilyScore
    from hstore_models.score_sheet import Miss, ScoreSheet

_SPECIAL = re.compile(r"([\\|*_<>`\[\]$~#{}])")
_DOI = re.compile(r"(?:doi:)?(10\.\d{4,9}/\S+)")
_NONE = "none"


def sheets_in_use(settings: Settings, name: str | None = None, lab_id: str | None = None) -> list[ScoreSheet]:
    """Return the score sheets of the versions in use, model by model, in the operator's scope.

    Args:
        settings: where the models are.
        name: name of a model or id of a version; all that are in use for everybody, or for the lab, when None.
        lab_id: lab whose champions are meant.

    Raises:
        UnknownNameError: no such model.
        ModelError: nothing is in use, or files are refused.
    """
    releases = Releases.of(settings)
    trained = {row.card.model for row in releases.listed()}
    names = [name] if name else [*(model for model in MODELS if model in trained), *sorted(trained - set(MODELS))]
    in_use = name or any(releases.registry.current_id(model, lab_id) for model in names)
    if not in_use:
        raise ModelError(f"no model is in use under {settings.models_dir}; train them with: hstore train --all")
    found = []
    for model in names:
        if name or releases.registry.current_id(model, lab_id):
            card = releases.find(model, lab_id)
            found += score_sheets(card, releases.registry.held_out(card.model, card.model_id, OPERATOR))
    return found


def how_wrong_markdown(settings: Settings) -> str:
    """Return what the documentation says of the shipped models; they are trained where they are missing.

    Only what everybody may see is in it, whatever else is in the folder of the models.

    Args:
        settings: where data and models are.

    Raises:
        DataError: a data set is damaged.
    """
    registry = Registry(settings.models_dir)
    sheets: list[ScoreSheet] = []
    for name in MODELS:
        card = ensure(name, settings).card
        sheets += score_sheets(card, registry.held_out(name, card.model_id, PUBLIC_SCOPE))
    return sheets_markdown(sheets)


def sheets_text(sheets: Iterable[ScoreSheet]) -> str:
    """Write score sheets for a terminal."""
    return "\n\n".join("\n".join(_sheet_lines(sheet)) for sheet in sheets)


def sheets_markdown(sheets: Sequence[ScoreSheet]) -> str:
    """Write score sheets for a page: one table of all, then families, fifths and misses of each property."""
    versions = ", ".join(dict.fromkeys(f"`{sheet.model_id}`" for sheet in sheets))
    lines = [f"Versions: {versions}. {_LEGEND}", "", *_table(_SUMMARY, map(_summary, sheets), text={0})]
    for sheet in sheets:
        lines += ["", *_sheet_markdown(sheet)]
    return "\n".join(lines) + "\n"


_SUMMARY = ("property", "rows (groups)", "MAE", "median", "RMSE", "nearest", "mean", "floor", "held")
_LEGEND = (
    "*nearest* and *mean* are the mean absolute errors of the nearest neighbour and of the mean predictor, "
    "*floor* is that of a perfect model by repeated measurements, "
    "*held* the share of values in their 90 % intervals."
)
_FAMILY = ("family", "rows", "groups", "MAE", "median", "held", "mean width")
_MISS = ("material", "family", "measured", "predicted", "90 % interval", "source")


def _summary(sheet: ScoreSheet) -> tuple[str, ...]:
    score = sheet.score
    others = (score.mae_nearest_neighbour, score.mae_mean_predictor, score.noise_floor_mae)
    errors = map(_figure, (score.mae, score.median_error, score.rmse, *others))
    return _title(sheet), f"{score.n} ({sheet.n_groups})", *errors, _share(score.coverage)


def _sheet_lines(sheet: ScoreSheet) -> list[str]:
    score = sheet.score
    others = (score.mae_nearest_neighbour, score.mae_mean_predictor, score.noise_floor_mae)
    nearest, mean, floor = map(_figure, others)
    families = [_FAMILY, *(_family_cells(name, part) for name, part in sheet.worst_families)]
    ranges = [("known values", *_FAMILY[1:]), *(_family_cells(part.label, part) for part in sheet.ranges)]
    misses = [_MISS, *map(_miss_cells, sheet.misses)]
    tables = [
        (f"worst families of {LEAST_FAMILY_ROWS} rows and more", families, {0}),
        ("by fifth of the known values", ranges, {0}),
        (f"the {len(sheet.misses)} worst misses", misses, {0, 1, 4, 5}),
    ]
    lines = [
        f"{sheet.property_name}, {score.unit} ({sheet.model_id})",
        f"  subset     {score.subset}; {score.n} rows, {sheet.n_groups} groups",
        f"  split      {sheet.grouping}; {score.split_hash}",
        f"  error      MAE {_figure(score.mae)}, median {_figure(score.median_error)}, RMSE {_figure(score.rmse)}",
        f"  beside it  nearest neighbour {nearest}, mean predictor {mean}, noise floor {floor}",
        f"  intervals  of 90 % hold {_share(score.coverage)}; too seldom: {_too_seldom(sheet)}",
    ]
    for title, rows, text in tables:
        lines += [f"  {title}", *(f"    {line}" for line in aligned(rows, text=text))]
    return lines


def _sheet_markdown(sheet: ScoreSheet) -> list[str]:
    score = sheet.score
    sources = [", ".join(map(_linked, miss.citations)) or _escaped(miss.data_set) for miss in sheet.misses]
    cells = [
        [*map(_escaped, _miss_cells(miss)[:-1]), source]
        for miss, source in zip(sheet.misses, sources, strict=True)
    ]
    about = (
        f"`{sheet.property_name}`; {_escaped(score.subset)}; held out together: {_escaped(sheet.grouping)}; split "
        f"`{score.split_hash}`. 90 % coverage is rejected for: {_escaped(_too_seldom(sheet))}."
    )
    return [
        f"### {_escaped(_title(sheet))}",
        "",
        about,
        "",
        *_table(_FAMILY, [_family_cells(name, part) for name, part in sheet.families], text={0}),
        "",
        *_table(("known values", *_FAMILY[1:]), [_family_cells(p.label, p) for p in sheet.ranges], text={0}),
        "",
        *_table(_MISS, cells, text={0, 1, 4, 5}, raw=True),
    ]


def _too_seldom(sheet: ScoreSheet) -> str:
    names = [name for name, part in sheet.families if missed(part)]
    names += [part.label for part in sheet.ranges if part.missed]
    return ", ".join(names) or "no family and no fifth"


def _family_cells(name: str, part: FamilyScore | Part) -> tuple[str, ...]:
    counts, errors = (part.n, part.n_groups), (part.mae, part.median_error)
    return name, *map(str, counts), *map(_figure, errors), _share(part.coverage), _figure(part.mean_width)


def _miss_cells(miss: Miss) -> tuple[str, ...]:
    interval = f"{_figure(miss.lower)} to {_figure(miss.upper)}" + ("" if miss.inside else ", missed")
    source = "; ".join(miss.citations) or miss.data_set
    return miss.label, miss.family, _figure(miss.measured), _figure(miss.predicted), interval, source


def _title(sheet: ScoreSheet) -> str:
    """Name a property in words with its unit; one of the user's own by its name."""
    try:
        label = get_property(sheet.property_name).label
    except InputError:
        label = sheet.property_name
    return f"{label}, {sheet.score.unit}"


def _figure(value: float | None) -> str:
    return _NONE if value is None else f"{value:.3g}"


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, text: set[int], raw: bool = False) -> list[str]:
    """Return a Markdown table; cells that are raw are Markdown already."""
    rule = ["---" if place in text else "---:" for place in range(len(head))]
    cells = [row if raw else [_escaped(cell) for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in (head, rule, *cells)]


def _escaped(text: str) -> str:
    """Take the meaning in Markdown, tables and formulas from characters that others wrote."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _linked(citation: str) -> str:
    doi = _DOI.fullmatch(citation)
    return f"[{_escaped(doi[1])}](<https://doi.org/{doi[1]}>)" if doi else _escaped(citation)
