"""Runs a comparison: computes the blocks of descriptors, leaves groups out, puts the errors in a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore.records import Material
from hstore_models.ablation import Ablation, ablate
from hstore_workflows.ablation.questions import Question, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from hstore.arrays import FloatArray
    from hstore.settings import Settings

_CAUSES = 3
"""Causes of failures that are told for each group."""


@dataclass(frozen=True)
class Compared:
    """The answer to one question."""

    question: str
    value: str
    ablation: Ablation
    failed: Mapping[str, int]
    """Group of features and cause -> rows it could not be computed for."""
    doubts: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "question": self.question,
            "value": self.value,
            "failed": dict(self.failed),
            "doubts": list(self.doubts),
        } | self.ablation.as_json()


def compare(
    asked: Question,
    settings: Settings,
    *,
    most: int | None = None,
    workers: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Compared:
    """Answer a shipped question.

    Args:
        asked: from :data:`~hstore_workflows.ablation.questions.QUESTIONS`.
        settings: where data and features are.
        most: rows at most; None for all.
        workers: processes that compute descriptors; None takes one for each core.
        progress: called with what is done, in words.

    Raises:
        InputError: the data are absent, or too few rows are left.
    """
    tell = progress or (lambda _: None)
    tell(f"{asked.name}: reading")
    rows = asked.rows(settings, most)
    tell(f"{asked.name}: describing {len(rows.crystals)} structures")
    computed, failed = _blocks(rows.crystals, asked.described, settings, workers)
    blocks = {name: computed[name] if name in computed else rows.blocks[name] for name in _order(asked, rows)}
    tell(f"{asked.name}: comparing {len(blocks)} blocks")
    found = ablate(blocks, rows.values, rows.groups, base=asked.base)
    return Compared(asked.name, asked.value, found, failed, rows.doubts)


def _order(asked: Question, rows: Rows) -> list[str]:
    return [*asked.base, *(name for name in (*rows.blocks, *asked.described) if name not in asked.base)]


def own_question(path: Path, *, target: str, group: str, base: Sequence[str], added: Sequence[str]) -> Question:
    """Make a question of a table of one's own.

    Args:
        path: .csv or .parquet with ``formula`` and ``structure`` (a path below its folder, or the text of a CIF).
        target: column that is predicted.
        group: column whose values are kept on one side of a split; empty takes chemical systems.
        base: groups of structure features that count as known, such as magpie.
        added: groups whose gain is asked for.

    Raises:
        InputError: a column is absent.
        UnknownNameError: a group of features is unknown.
    """
    from hstore_models.features.structure.menu import groups_of

    for name in (*base, *added):
        groups_of([name])

    def rows(_settings: Settings, most: int | None) -> Rows:
        return _own_rows(path, target, group, most)

    return Question(path.name, target, rows, tuple(base), {name: (name,) for name in (*base, *added)})


def _own_rows(path: Path, target: str, group: str, most: int | None) -> Rows:
    import pandas as pd

    from hstore_workflows.ablation.questions import system_of
    from hstore_workflows.sources.files.source import read_files
    from hstore_workflows.tables import read_table

    table = read_table(path)
    for column in (target, *([group] if group else [])):
        if column not in table:
            raise InputError(f"{path.name} has no column {column!r}; it has {', '.join(map(str, table.columns))}")
    values = pd.to_numeric(table[target], errors="coerce").to_numpy(dtype=float)
    items = list(read_files([path]))
    if len(items) != len(table):
        raise InputError(f"{path.name} has {len(table)} rows, but {len(items)} materials can be read from it")
    kept, causes = [], Counter[str]()
    for place, item in enumerate(items):
        if not isinstance(item, Material):
            causes[item.cause] += 1
        elif item.structure is None:
            causes["no structure"] += 1
        elif not np.isfinite(values[place]):
            causes[f"no number in {target}"] += 1
        else:
            kept.append((place, item))
    kept = kept[:most]
    places = [place for place, _ in kept]
    named = table[group].astype(str).iloc[places] if group else [system_of(item.formula) for _, item in kept]
    return Rows(
        tuple(Crystal.from_dict(item.structure) for _, item in kept if item.structure),
        values[places],
        tuple(named),
        doubts=tuple(f"{count} rows left out: {cause}" for cause, count in causes.most_common()),
    )


def _blocks(
    crystals: Sequence[Crystal],
    described: Mapping[str, tuple[str, ...]],
    settings: Settings,
    workers: int | None,
) -> tuple[dict[str, FloatArray], dict[str, int]]:
    """Return each block's values, shape (n, d), and how often what could not be computed."""
    from hstore_models.features.cache import FeatureCache
    from hstore_models.features.structure.compute import Describer
    from hstore_models.features.structure.menu import groups_of
    from hstore_workflows.describe import in_batches

    featurizers = groups_of(name for groups in described.values() for name in groups)
    parts, failures = [], Counter[tuple[str, str]]()
    with Describer(featurizers, cache=FeatureCache(settings.features_dir), workers=workers) as describer:
        for batch in in_batches(crystals):
            found = describer.describe(batch)
            parts.append(found.values)
            failures.update((failure.featurizer, failure.cause) for failure in found.failures)
    values, columns = np.concatenate(parts), describer.columns
    of_group = {f.name: [c.startswith(f"{f.name}.") for c in columns] for f in featurizers}
    wanted = {block: groups_of(groups) for block, groups in described.items()}
    blocks = {
        block: np.column_stack([values[:, of_group[f.name]] for f in groups]) for block, groups in wanted.items()
    }
    return blocks, {f"{group}: {cause}": count for (group, cause), count in failures.most_common(_CAUSES)}


def lines(found: Compared) -> Iterator[str]:
    """Yield a comparison as a table in Markdown."""
    told = found.ablation
    yield f"{found.value}: {told.rows} rows, {told.groups} groups, mean predictor {told.mae_mean_predictor:.3g}"
    yield ""
    yield "| descriptors | columns | MAE | rank correlation | change of MAE (90 %) | |"
    yield "|---|---:|---:|---:|---:|---|"
    for variant in told.variants:
        low, high = variant.interval
        change = "" if variant.verdict == "base" else f"{variant.change:+.3g} ({low:+.3g} to {high:+.3g})"
        yield (
            f"| {' + '.join(variant.blocks)} | {variant.columns} | {variant.mae:.4g} | {variant.spearman:.3f} "
            f"| {change} | {variant.verdict} |"
        )
    part = {name: share for name, share in told.coverage.items() if share < 1}
    yield ""
    yield from (f"{name} is known of {100 * share:.0f} % of the rows." for name, share in part.items())
    yield from (f"{count} rows: {cause}" for cause, count in found.failed.items())
    yield from found.doubts
