"""An equation for a property that fits on a line, and the error it costs, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.errors import InputError, unknown_name
from hstore.properties import PROPERTIES
from hstore_data.curated import COLUMNS, curated_table
from hstore_models.explain.equation import EVALUATIONS, Contest, best, compete
from hstore_models.inputs import assemble
from hstore_models.prediction import Query
from hstore_models.texture_isotherm import complete_texture
from hstore_models.training import MODELS, learned_from, model_of
from hstore_workflows.report.markup import feature_words
from hstore_workflows.tables import check_table, read_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hstore.arrays import FloatArray
    from hstore.settings import Settings

_TEXTURE = ("gsa_m2_g", "pore_volume_cm3_g", "void_fraction", "density_g_cm3", "lcd_A", "pld_A")
_CONDITIONS = ("temperature_k", "pressure_bar")
_NOT_PHYSICAL = ("a_share_", "b_share_", "anion_share_", "distance_from_", "binary_hydride_known")
_LEAST_KNOWN = 0.9
"""Share of the rows for which a candidate descriptor must be known."""
_LOGARITHM = "log10_"
_SCORED = {
    "equation": "the equation",
    "black_box_same_descriptors": "a black box on the same descriptors",
    "black_box": "a black box on all descriptors",
    "mean": "the mean of the other rows",
}


@dataclass(frozen=True)
class ToldEquation:
    """An equation with what it costs."""

    contest: Contest
    """The equation and the scores."""
    rows: int
    """Rows it was found on."""
    source: str
    """Where they are from."""

    @property
    def unit(self) -> str:
        """Unit of the target."""
        name = self.contest.target
        return PROPERTIES[name].unit if name in PROPERTIES else ""

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        contest = self.contest
        return {
            "target": contest.target,
            "unit": self.unit,
            "rows": self.rows,
            "source": self.source,
            "split": str(contest.split),
            "equation": contest.equation.text,
            "latex": self.latex(),
            "descriptors": {f"x{k}": name for k, name in enumerate(contest.equation.descriptors)},
            "kept_within": [contest.equation.low, contest.equation.high],
            "scores": contest.scores,
            "error_gap": {"mean": contest.gap[0], "lower": contest.gap[1], "upper": contest.gap[2]},
            "chosen_by_fold": [list(names) for names in contest.chosen],
            "front": [
                {
                    "complexity": one.equation.complexity,
                    "error": one.error,
                    "equation": one.equation.text,
                    "told": one.equation == contest.equation,
                }
                for one in contest.front
            ],
        }

    def latex(self) -> str:
        """Return the equation as LaTeX."""
        names = [rf"\mathrm{{{feature_words(name)}}}" for name in self.contest.equation.descriptors]
        words = [name.replace(" ", r"\ ").replace("%", r"\%") for name in names]
        left = rf"\mathrm{{{self.contest.target}}}".replace("_", r"\_")
        return f"{left} = {self.contest.equation.latex(words)}"

    def text(self) -> Iterator[str]:
        """Give the lines that are printed."""
        contest, unit = self.contest, self.unit
        yield f"{contest.target} ({unit}) = {contest.equation.text}"
        for k in contest.equation.used:
            name = contest.equation.descriptors[k]
            yield f"  x{k} = {name}: {feature_words(name)}"
        yield f"  kept within {contest.equation.low:.4g} to {contest.equation.high:.4g}, the training values"
        yield f"\n{self.rows} rows ({self.source}); {contest.split}"
        yield f"\nmean absolute error on held-out chemistry ({unit}), and R2:"
        for name, words in _SCORED.items():
            score = contest.scores[name]
            yield f"  {score['mae']:8.3g}  {score['r2']:6.2f}  {words}"
        mean, low, high = contest.gap
        if low > 0:
            verdict = "the black box knows more"
        elif high < 0:
            verdict = "the equation is the better one"
        else:
            verdict = "these rows cannot tell which is better"
        yield f"gap to the black box {mean:+.3g} (90% interval {low:+.3g} to {high:+.3g}): {verdict}"
        picked = {name for names in contest.chosen for name in names}
        often = sorted(picked, key=lambda name: (-sum(name in names for names in contest.chosen), name))
        yield f"\nchosen in how many of {len(contest.chosen)} folds:"
        for name in often:
            yield f"  {sum(name in names for names in contest.chosen)}  {name}"
        yield "\nnodes, error on groups kept aside, equation:"
        for one in contest.front:
            mark = "*" if one == best(contest.front) else " "
            yield f" {mark}{one.equation.complexity:3d}  {one.error:8.3g}  {one.equation.text}"
        yield f"\nLaTeX: {self.latex()}"
        yield "\nNumbers carry whatever units make the sides agree; the equation holds within the training values."


def explain_equation(
    property_name: str,
    settings: Settings,
    *,
    data: str | None = None,
    descriptors: int = 3,
    wanted: Sequence[str] = (),
    families: Sequence[str] = (),
    evaluations: int = EVALUATIONS,
) -> ToldEquation:
    """Find an equation for a property and its error beside a black box.

    Args:
        property_name: property, or a column of the table.
        settings: where data are, and the seed.
        data: a CSV or Parquet table, the name of a curated table, or None for the rows the model was trained on.
        descriptors: descriptors of the equation, 1 to 3.
        wanted: descriptors to use instead of chosen ones.
        families: keep rows of these alone, by the column ``family``; all when empty.
        evaluations: equations tried in one search.

    Raises:
        UnknownNameError: the property is no column, or a wanted descriptor not known.
        InputError: too few rows.
        MissingExtraError: pyoperon is not installed.
    """
    frame, source = _rows(property_name, settings, data)
    if families:
        if "family" not in frame:
            raise unknown_name("column", "family", [str(column) for column in frame.columns])
        frame = frame[frame["family"].isin(list(families))]
    target = _target(frame, property_name)
    known = np.isfinite(target)
    frame, target = frame[known].reset_index(drop=True), target[known]
    if frame.empty:
        raise InputError(f"no row of {source} states {property_name}; name another table or property")
    candidates, names, everything, groups, keys = _descriptors(frame, property_name)
    whole = np.asarray(np.isfinite(candidates).all(axis=1))
    kept = np.flatnonzero(whole).tolist()
    contest = compete(
        candidates[whole],
        names,
        target[whole],
        [groups[row] for row in kept],
        everything=everything[whole],
        keys=[keys[row] for row in kept],
        target_name=property_name,
        count=len(wanted) or descriptors,
        wanted=wanted,
        evaluations=evaluations,
        seed=settings.seed,
    )
    return ToldEquation(contest, int(whole.sum()), source)


def _rows(property_name: str, settings: Settings, data: str | None) -> tuple[pd.DataFrame, str]:
    from pathlib import Path

    if data is None:
        name = model_of(property_name, settings)
        return learned_from(name, settings)[1].rows, f"training rows of {name}"
    if data in COLUMNS:
        return curated_table(data).frame, f"curated table {data}"
    path = Path(data)
    if not path.is_file():
        raise InputError(f"{data} is neither a file nor a curated table; tables are {', '.join(COLUMNS)}")
    return read_table(path), path.name


def _target(frame: pd.DataFrame, name: str) -> FloatArray:
    """Return a column of numbers, or the decimal logarithm of one where that is asked for."""
    if name in frame:
        return np.asarray(pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float))
    plain = name.removeprefix(_LOGARITHM)
    if plain != name and plain in frame:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.log10(pd.to_numeric(frame[plain], errors="coerce").to_numpy(dtype=float)))
    raise unknown_name("column", name, [str(column) for column in frame.columns])


def _descriptors(
    frame: pd.DataFrame, property_name: str
) -> tuple[FloatArray, list[str], FloatArray, list[str], list[str]]:
    """Return candidates with names, all that a black box sees, and group and key of each row."""
    if property_name in MODELS["sorbent_uptake"]:
        return _of_sorbents(frame)
    if "amounts" in frame:
        amounts = list(frame["amounts"])
    else:
        checked = check_table(frame)
        if checked.rejects:
            first = checked.rejects[0]
            raise InputError(f"row {first.row} has no usable formula ({first.cause}); correct it or leave it out")
        amounts = checked.amounts
    conducts = property_name in MODELS["conductivity"]
    query = Query.of(amounts, frame)
    own = "electrolyte" if conducts else "hydride"
    inputs = assemble(query, ("magpie", own), host=not conducts)
    conditions = [name for name in _CONDITIONS if name in frame and conducts]
    given = [query.column(name)[:, None] for name in conditions]
    values = np.column_stack([inputs.values[:, inputs.blocks[own]], *given])
    names = [*(inputs.names[column] for column in inputs.blocks[own].tolist()), *conditions]
    groups = ["-".join(sorted(set(a) - {"H"})) or "H" for a in amounts]
    keys = [f"{row} {group}" for row, group in enumerate(groups)]
    kept = [
        column
        for column, name in enumerate(names)
        if np.isfinite(values[:, column]).mean() >= _LEAST_KNOWN and not name.startswith(_NOT_PHYSICAL)
    ]
    everything = np.column_stack([inputs.values, *given])
    return values[:, kept], [names[column] for column in kept], everything, groups, keys


def _of_sorbents(frame: pd.DataFrame) -> tuple[FloatArray, list[str], FloatArray, list[str], list[str]]:
    query = Query.of([{} for _ in range(len(frame))], frame)
    texture = complete_texture(query)
    columns = {name: texture[name] for name in _TEXTURE} | {name: query.column(name) for name in _CONDITIONS}
    two = ("gsa_m2_g", "pore_volume_cm3_g", *_CONDITIONS)
    names = [name for name, values in columns.items() if name in two or np.isfinite(values).mean() >= _LEAST_KNOWN]
    values = np.column_stack([columns[name] for name in names])
    column = "name" if "name" in frame else "group"
    groups = frame[column].astype(str).tolist() if column in frame else [f"row {row}" for row in range(len(frame))]
    return values, names, values, groups, [f"{row} {group}" for row, group in enumerate(groups)]
