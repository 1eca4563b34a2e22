"""Champion against challenger: whether a new version of a model may take the place of the one in use.

Both are judged by what they answered with whole groups held out, row by row on the rows they share. The difference
of their errors has an interval from a bootstrap over groups (Efron 1979, doi 10.1214/aos/1176344552; groups, not
rows, because rows of one chemical system err together). A challenger is better when, on at least one property, it
is better beyond that interval, is worse on none, keeps the promise of its intervals, and makes no family much
worse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.errors import InputError, unknown_name
from hstore_models import coverage
from hstore_models.spec import METRICS
from hstore_models.verdict import LEAST_GROUPS, LEVEL, Difference, PropertyComparison, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray, IntArray
    from hstore_models.prediction import Query
    from hstore_models.registry import LoadedModel
    from hstore_models.verdict import Outcome

FAMILY_ROWS = 10
"""Shared rows a family must have before it is judged by itself."""

FAMILY_TOLERANCE = 0.10
"""Share by which the error of a family may grow."""

_DRAWS = 2000
_DRAWS_AT_ONCE = 100
_LEAST_FAMILY_GROUPS = 5
"""Groups below which the rows of a family are drawn one by one."""
_PAIRED_BY = ["label", "source", "value"]
_DIGITS = 9
"""Digits of measured values that are compared: another order of conversions must not part a row from itself."""


def compare(
    champion: LoadedModel,
    challenger: LoadedModel,
    *,
    metric: str = "mae",
    family_tolerance: float = FAMILY_TOLERANCE,
    seed: int = 0,
) -> Verdict:
    """Judge a challenger against a champion.

    Rows that are new to the champion count too where the challenger's card names it as ``parent`` and its held-out
    table has what it answered, see :func:`with_parent_answers`.

    Args:
        champion: the version in use.
        challenger: another version of the same model.
        metric: ``mae``, ``median_error`` or ``rmse``.
        family_tolerance: share by which the error of a family may grow.
        seed: seed of the bootstrap.

    Raises:
        UnknownNameError: no such metric.
        InputError: they are versions of different models.
    """
    if metric not in METRICS:
        raise unknown_name("metric", metric, METRICS)
    if champion.card.model != challenger.card.model:
        raise InputError(
            f"{challenger.card.model_id} and {champion.card.model_id} are different models; compare two versions "
            "of one model"
        )
    answered = challenger.card.parent == champion.card.model_id
    judged = _Judge(metric, family_tolerance, seed, answered)
    names = list(dict.fromkeys([*champion.held_out["property"], *challenger.held_out["property"]]))
    results = tuple(judged.property(name, champion.held_out, challenger.held_out) for name in names)
    against = [reason for result in results for reason in _against(result, family_tolerance)]
    for_it = [result.line() for result in results if result.outcome == "better"]
    if not for_it:
        against = [*(result.line() for result in results if result.outcome != "worse"), *against]
    return Verdict(
        champion_id=champion.card.model_id,
        challenger_id=challenger.card.model_id,
        metric=metric,
        better=not against,
        reasons=tuple(against or for_it),
        properties=results,
    )


def with_parent_answers(
    held_out: pd.DataFrame, parent: LoadedModel, queries: Mapping[str, Query], *, seen: Collection[str] = ()
) -> pd.DataFrame:
    """Add to a held-out table what the champion answers to rows whose group it has never seen.

    Measurements of new chemistry show best whether a challenger is better, and no champion has held-out answers to
    them. It has not been trained on them either, so its plain answers are as honest.

    Args:
        held_out: held-out table of the challenger.
        parent: the champion, named ``parent`` in the challenger's card.
        queries: property -> inputs of its rows, in the order of the table.
        seen: groups the champion was trained on beyond those of its own held-out table.

    Returns:
        The table with the column ``parent_predicted``, NaN where the champion has seen the group.

    Raises:
        InputError: a query has not as many rows as the table has of its property.
    """
    known = {*seen, *(group for name in queries for group in _rows(parent.held_out, name)["group"])}
    answers = pd.Series(np.nan, index=held_out.index)
    for name, query in queries.items():
        of_property = (held_out["property"] == name).to_numpy()
        rows = _rows(held_out, name)
        if len(rows) != len(query):
            raise InputError(f"{name} has {len(rows)} held-out rows and {len(query)} inputs; give one for each")
        new = ~rows["group"].isin(known).to_numpy()
        if new.any():
            mean = parent.model.predict(name, query).mean
            in_unit = np.log(mean) if rows["unit"].iloc[0].startswith("ln") else mean
            answers[of_property] = np.where(new, in_unit, np.nan)
    return held_out.assign(parent_predicted=answers)


@dataclass(frozen=True)
class _Judge:
    """Settings of one comparison."""

    metric: str
    family_tolerance: float
    seed: int
    answered: bool
    """True where the challenger's table holds what this champion answered to rows that are new to it."""

    def property(self, name: str, champion: pd.DataFrame, challenger: pd.DataFrame) -> PropertyComparison:
        ours, theirs = (_rows(table, name) for table in (challenger, champion))
        keys = [*_PAIRED_BY, "repeat"]  # sorted by them, the draws of groups do not depend on the order of rows
        shared = ours.merge(theirs, on=keys, suffixes=("", "_champion"))
        new = _new_rows(ours, shared) if self.answered else shared[:0]
        both = pd.concat([shared, new]) if len(new) else shared
        both = both.sort_values(keys, ignore_index=True)
        errors = self.difference(both, both["group"]) if len(both) else None
        inside = (ours["measured"] >= ours["lower"]) & (ours["measured"] <= ours["upper"])
        share, p_value = _coverage(inside.to_numpy(), ours["group"].to_numpy())
        return PropertyComparison(
            property=name,
            unit=str((ours if len(ours) else theirs)["unit"].iloc[0]),
            errors=errors,
            outcome=_outcome(errors),
            coverage=share,
            coverage_p=p_value,
            worse_families=self.worse_families(both),
            new=len(new),
            unshared=len(ours) + len(theirs) - 2 * len(shared) - len(new),
        )

    def difference(self, shared: pd.DataFrame, units: pd.Series[Any]) -> Difference:
        columns = shared[["predicted", "predicted_champion"]].to_numpy(dtype=float)
        errors = np.abs(columns - shared[["measured"]].to_numpy(dtype=float))
        codes = np.asarray(pd.factorize(units)[0], dtype=np.int64)
        drawn = _drawn_errors(errors, codes, self.metric, self.seed)
        differences = drawn[:, 0] - drawn[:, 1]
        low, high = np.quantile(differences, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        ours, theirs = _errors(errors, np.ones((1, len(errors))), self.metric)[0]
        return Difference(
            n=len(shared),
            groups=int(shared["group"].nunique()),
            champion=float(theirs),
            challenger=float(ours),
            low=float(low),
            high=float(high),
            p_no_worse=_chance(float(ours - theirs), differences, int(codes.max()) + 1),
        )

    def worse_families(self, shared: pd.DataFrame) -> dict[str, Difference]:
        judged = {
            str(name): rows
            for name, rows in shared.groupby("family", sort=True)
            if name and len(rows) >= FAMILY_ROWS
        }
        level = (1 - LEVEL) / 2 / max(len(judged), 1)  # of many families one looks worse by chance (Bonferroni)
        found = {}
        for name, rows in judged.items():
            few = rows["group"].nunique() < _LEAST_FAMILY_GROUPS
            errors = self.difference(rows, pd.Series(rows.index) if few else rows["group"])
            if errors.p_no_worse < level and errors.difference > self.family_tolerance * errors.champion:
                found[name] = errors
        return found


def _coverage(inside: NDArray[np.bool_], groups: NDArray[Any]) -> tuple[float, float]:
    """Return the share of rows inside, and the probability of so few with groups as units (1 without rows)."""
    if not len(inside):
        return float("nan"), 1.0
    return float(inside.mean()), coverage.below_nominal(inside, groups)[0]


def _rows(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the held-out rows of a property, with group and family; repeats of a row are numbered."""
    rows = table[table["property"] == name].reset_index(drop=True)
    for column, other in (("group", rows["label"]), ("family", "")):
        rows[column] = (rows[column] if column in rows else pd.Series(other, index=rows.index)).fillna("")
    rows["group"] = rows["group"].astype(str).where(rows["group"] != "", rows["label"].astype(str))
    rows["family"] = rows["family"].astype(str)
    rows["value"] = [f"{value:.{_DIGITS}g}" for value in rows["measured"]]
    return rows.assign(repeat=rows.groupby(_PAIRED_BY, dropna=False).cumcount())


def _new_rows(ours: pd.DataFrame, shared: pd.DataFrame) -> pd.DataFrame:
    """Return rows that only the challenger has and to which the champion has answered without their group."""
    if "parent_predicted" not in ours:
        return shared[:0]
    paired = pd.MultiIndex.from_frame(shared[[*_PAIRED_BY, "repeat"]])
    alone = ~pd.MultiIndex.from_frame(ours[[*_PAIRED_BY, "repeat"]]).isin(paired)
    new = ours[alone & ours["parent_predicted"].notna().to_numpy()]
    return new.assign(predicted_champion=new["parent_predicted"])


def _drawn_errors(errors: FloatArray, codes: IntArray, metric: str, seed: int) -> FloatArray:
    """Return the errors of both models in each bootstrap draw of groups, shape ``(draws, 2)``."""
    random = np.random.default_rng(seed)
    n_groups = int(codes.max()) + 1
    even = np.full(n_groups, 1.0 / n_groups)
    parts = [
        _errors(errors, random.multinomial(n_groups, even, size=_DRAWS_AT_ONCE)[:, codes].astype(float), metric)
        for _ in range(_DRAWS // _DRAWS_AT_ONCE)
    ]
    return np.concatenate(parts)


def _errors(errors: FloatArray, weights: FloatArray, metric: str) -> FloatArray:
    """Return the metric for each row of weights, shape ``(draws, 2)``; errors have shape ``(n, 2)``."""
    total = weights.sum(axis=1, keepdims=True)
    if metric == "mae":
        return np.asarray(weights @ errors / total)
    if metric == "rmse":
        return np.asarray(np.sqrt(weights @ errors**2 / total))
    middles = []
    for column in errors.T:
        order = np.argsort(column, kind="stable")
        reached = np.cumsum(weights[:, order], axis=1)
        # The mean of the two middle values, as of any median of an even number.
        low, high = np.argmax(2 * reached >= total, axis=1), np.argmax(2 * reached > total, axis=1)
        middles.append((column[order][low] + column[order][high]) / 2)
    return np.column_stack(middles)


def _chance(difference: float, drawn: FloatArray, n_units: int) -> float:
    """Return the probability of so large a difference by chance.

    The draws of few groups are too narrow, so their spread is widened and compared with Student's distribution.
    """
    from scipy.stats import t

    spread = float(np.std(drawn))
    if n_units < 2 or spread == 0:
        return 1.0
    return float(t.sf(difference / (spread * np.sqrt(n_units / (n_units - 1))), n_units - 1))


def _outcome(errors: Difference | None) -> Outcome:
    if errors is None or errors.groups < LEAST_GROUPS:
        return "not judged"
    if errors.high < 0:
        return "better"
    return "worse" if errors.low > 0 else "no difference"


def _against(result: PropertyComparison, tolerance: float) -> list[str]:
    reasons = [result.line()] if result.outcome == "worse" else []
    if np.isnan(result.coverage):
        reasons.append(f"{result.property}: the challenger has no held-out rows of it")
    elif result.coverage_p < coverage.LEVEL:
        reasons.append(
            f"{result.property}: its 90 % intervals cover {result.coverage:.0%} of the held-out values, fewer "
            f"than by chance (p = {result.coverage_p:.2g}, groups as units)"
        )
    for name, errors in result.worse_families.items():
        reasons.append(
            f"{result.property}: family {name} is made worse by more than {tolerance:.0%}: "
            f"{errors.words(result.unit)}"
        )
    return reasons
