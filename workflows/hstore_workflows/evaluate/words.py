"""A report of ``hstore evaluate`` as tables a person can read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hstore_models.coverage import LEAST_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.console import Group
    from rich.table import Table

_MOST_REJECTS = 20
_LEAST_SHOWN = 5
"""Families of fewer rows are counted together; the JSON holds each."""
_LABEL = 22
_BASELINES = ("mean_predictor", "nearest_neighbour", "plain_forest")


def in_words(report: Mapping[str, Any]) -> Group:
    """Return a report as text and tables for a rich console."""
    from rich.console import Group
    from rich.text import Text

    parts: list[Any] = [*map(Text, _head(report)), "", _errors(report), "", *map(Text, _below(report))]
    for table in _tables(report):
        parts += ["", table]
    rejects = [Text(line) for line in report.get("rejects", [])[:_MOST_REJECTS]]
    return Group(*parts, *([""] if rejects else []), *rejects)


def _head(report: Mapping[str, Any]) -> Iterable[str]:
    yield f"{report['property']}, {report['unit']}"
    yield f"  subset   {report['subset']}"
    seeds = report.get("seeds")
    repeats = f", mean of {len(seeds)} seeds" if seeds and len(seeds) > 1 else ""
    how = report.get("protocol", report["split"])
    how += (
        "" if report["split"] in ("official", "the model in use on a table") else f" by {report['split']}{repeats}"
    )
    yield f"  split    {how}, hash {report['split_hash']}"
    if report.get("model_id"):
        yield f"  model    {report['model_id']}"
    for name, title in {"conversion": "read", "temperature": "at", "bounds_counted_as": "bounds as"}.items():
        if report.get(name, "none") not in ("none", "not stated"):
            yield f"  {title:<8} {report[name]}"


def _errors(report: Mapping[str, Any]) -> Table:
    """Return the errors of the model above those of the baselines and of the noise."""
    pressure = "mae_ln" in report
    logs_first = ["ln MAE", "ln median"] if pressure else []
    table = _table("error", *logs_first, "MAE", "median", "RMSE", "R2", "rank corr.")
    own = [report.get(name) for name in ("mae", "median_error", "rmse", "r2", "spearman")]
    logs = [report["mae_ln"], report["median_error_ln"]] if pressure else []
    table.add_row("this model", *map(_number, logs + own))
    for name in _BASELINES:
        row = [report.get(f"mae_ln_{name}"), None] if pressure else []
        row.append(report.get(f"mae_{name}"))
        if any(value is not None for value in row):
            table.add_row(name.replace("_", " "), *(_number(value) if value is not None else "" for value in row))
    if report.get("noise_floor_mae") is not None:
        table.add_row("noise floor", _number(report["noise_floor_mae"]))
    return table


def _below(report: Mapping[str, Any]) -> Iterable[str]:
    hold, width = _percent(report["coverage"]), _number(report["mean_width"])
    yield f"90 % intervals hold {hold} of the rows, mean width {width}; {_test(report)}"
    if report.get("coverage_missed"):
        yield f"  * fewer than 90 % (1 % level, {LEAST_ROWS} rows or more): {', '.join(report['coverage_missed'])}"
    domain = report["domain"]
    if domain["n_flagged"]:
        yield (
            f"outside the domain: {_percent(domain['share_flagged'])} of the rows, MAE "
            f"{_number(domain['mae_flagged'])} against {_number(domain['mae_unflagged'])} inside "
            f"({_number(domain['error_ratio'])} times)"
        )
    yield from _leaks(report)
    if report.get("noise_floor_rows"):
        source = report.get("noise_floor_from", "the scored rows")
        yield f"noise floor from {report['noise_floor_rows']} repeated measurements in {source}"
    if "rejected" in report:
        yield f"rows: {report['n']} scored, {report['rejected']} rejected, {report['unanswered']} unanswered"


def _leaks(report: Mapping[str, Any]) -> Iterable[str]:
    leaks = report["leaks"]
    if not leaks["scored_rows"]:
        yield "near-duplicates in training: none"
        return
    done = {
        "drop": f"{leaks['training_rows_dropped']:g} training rows left out",
        "report": "left in training",
        "refuse": "",
    }[leaks["policy"]]
    yield f"near-duplicates in training: {leaks['scored_rows']:g} scored rows; {done}"
    if leaks["policy"] != "drop":
        yield from (f"  {words.replace(' in training', '')}" for words in leaks["named"][:5])
    unseen = report.get("unseen")
    if unseen:
        yield (
            f"without them: n {unseen['n']:g}, MAE {_number(unseen['mae'])}, median "
            f"{_number(unseen['median_error'])}, coverage {_percent(unseen['coverage'])}"
        )


def _tables(report: Mapping[str, Any]) -> Iterable[Table]:
    if report.get("by_formula"):
        yield _by_formula(report["by_formula"])
    if report["by_family"]:
        yield _parts("family", report["by_family"])
    yield _parts("known value", report["by_range"])
    curve = _table("intervals of", *(f"{float(level):.0%}" for level in report["calibration"]))
    curve.add_row("hold", *(_percent(share) for share in report["calibration"].values()))
    yield curve
    if report.get("learning_curve"):
        points = _table("training groups", "rows", "MAE", "std over seeds")
        for point in report["learning_curve"]:
            name = f"{point['n_groups']:.0f} ({point['share']:.0%})"
            points.add_row(name, f"{point['n_rows']:.0f}", _number(point["mae"]), _number(point["mae_std"]))
        yield points


def _by_formula(found: Mapping[str, Mapping[str, Any]]) -> Table:
    table = _table("formula", "rows", "MAE", "median", *(name.replace("_", " ") for name in _BASELINES), "hold")
    for label, part in found.items():
        own = [_number(part[name]) for name in ("mae", "median_error")]
        beside = [_number(part[f"mae_{name}"]) for name in _BASELINES]
        table.add_row(label, f"{part['n']:g}", *own, *beside, _percent(part["coverage"]))
    return table


def _parts(title: str, found: Mapping[str, Mapping[str, Any]]) -> Table:
    table = _table(title, "rows", "groups", "MAE", "median", "hold", "width", "p")
    shown = {label: part for label, part in found.items() if part["n"] >= _LEAST_SHOWN} or found
    for label, part in shown.items():
        numbers = [_number(part[name]) for name in ("mae", "median_error")]
        width, chance = _number(part["mean_width"]), f"{part['p_below_90']:.3f}{' *' if part['missed'] else '  '}"
        counts = str(part["n"]), str(part["n_groups"])
        table.add_row(_short(label), *counts, *numbers, _percent(part["coverage"]), width, chance)
    rest = [part for label, part in found.items() if label not in shown]
    if rest:
        table.add_row(f"{len(rest)} smaller ones", str(sum(part["n"] for part in rest)))
    return table


def _short(label: str) -> str:
    return label if len(label) <= _LABEL else label[: _LABEL - 3] + "..."


def _table(title: str, *columns: str) -> Table:
    """Return a table whose first column is words and whose others are numbers."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column(title, no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right")
    return table


def _test(report: Mapping[str, Any]) -> str:
    return f"p = {report['p_below_90']:.3f} if they held 90 % ({report['n_groups']} groups)"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"
