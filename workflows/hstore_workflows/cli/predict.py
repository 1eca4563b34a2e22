"""``hstore predict``: predictions with intervals, of formulas or for a table."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hstore.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd
    from rich.table import Table

    from hstore_workflows.predict import PredictedTable

EVERYTHING = "all"
"""In place of a property: all of them."""

_EPILOG = """\b
Examples:
  hstore predict plateau_pressure_bar LaNi5 TiFe0.9Mn0.1 --temperature-k 353
  hstore predict all LiBH4
  hstore predict desorption_enthalpy_kj_per_mol_h2 --in alloys.csv --out predicted.csv
"""


@click.command("predict", epilog=_EPILOG)
@click.argument("property_name", metavar="PROPERTY")
@click.argument("formulas", nargs=-1, metavar="[FORMULA]...")
@click.option(
    "--temperature-k",
    type=click.FloatRange(min=0, min_open=True),
    help="Temperature for the formulas, K; 298.15 where the property needs one.",
)
@click.option("--in", "source", type=click.Path(path_type=Path), help="CSV or Parquet table in place of formulas.")
@click.option("--out", "destination", type=click.Path(path_type=Path), help="Table to write; needed with --in.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: predictions of formulas, a summary of a table.")
def command(
    property_name: str,
    formulas: tuple[str, ...],
    temperature_k: float | None,
    source: Path | None,
    destination: Path | None,
    *,
    as_json: bool,
) -> None:
    """Predict a property of formulas, or add mean, std, lower, upper, in_domain and reason to a table.

    For formulas, PROPERTY may be "all": every property that a formula suffices for.

    A table has a formula column, or the descriptor columns of a sorbent. Conditions come from columns such as
    temperature_k; all other columns pass through unchanged. Intervals are 90 %.
    """
    from hstore_workflows.tables import check_destination, write_table

    if bool(formulas) == (source is not None):
        raise click.UsageError("give formulas, or a table with --in and --out")
    if destination:
        check_destination(destination)
    if source:
        _check_table_options(property_name, destination, temperature_k)
        answers = {property_name: _of_table(property_name, source)}
    else:
        answers = _of_formulas(property_name, formulas, temperature_k)
    result = _together(answers)
    if destination:
        write_table(result.frame, destination)
    if as_json:
        _print_json(result, with_rows=bool(formulas))
    elif formulas:
        _print(answers)
    if destination:
        _tell(destination, result, briefly=as_json)


def _check_table_options(property_name: str, destination: Path | None, temperature_k: float | None) -> None:
    if not destination:
        raise click.UsageError("--in needs --out, the table to write")
    if temperature_k is not None:
        raise click.UsageError("--temperature-k is for formulas; a table has a column temperature_k")
    if property_name == EVERYTHING:
        raise click.UsageError('"all" is for formulas; name one property for a table')


def _of_table(property_name: str, source: Path) -> PredictedTable:
    from hstore_models.training import model_of
    from hstore_workflows.predict import predict_table
    from hstore_workflows.tables import read_table

    settings = load_settings()
    model_of(property_name, settings)  # a name that is not known is said before a long table is read
    return predict_table(property_name, read_table(source), settings, say=_say)


def _of_formulas(
    property_name: str, formulas: Sequence[str], temperature_k: float | None
) -> dict[str, PredictedTable]:
    from hstore_models.training import FROM_DESCRIPTORS, model_of
    from hstore_workflows.predict import asked_at, predict_everything, predict_table

    settings = load_settings()
    if property_name == EVERYTHING:
        return predict_everything(formulas, settings, temperature_k=temperature_k, say=_say)
    if model_of(property_name, settings) in FROM_DESCRIPTORS:
        raise click.UsageError(f"{property_name} is predicted from descriptors of pores; give a table with --in")
    asked = asked_at(property_name, formulas, temperature_k)
    if temperature_k is not None and "temperature_k" not in asked:
        _say(f"note: {property_name} does not depend on the temperature")
    return {property_name: predict_table(property_name, asked, settings, say=_say)}


def _say(line: str) -> None:
    click.echo(line, err=True)


def _together(answers: Mapping[str, PredictedTable]) -> PredictedTable:
    """Return answers as one table; those of several properties formula by formula, with a column ``property``."""
    import pandas as pd

    from hstore_workflows.predict import PredictedTable

    if len(answers) == 1:
        return next(iter(answers.values()))
    parts = []
    for name, result in answers.items():
        part = result.frame.assign(property=name, model_id=result.model_id)
        if "temperature_k" not in part:
            part["temperature_k"] = math.nan
        first = ["formula", "property", "temperature_k"]
        parts.append(part[[*first, *(column for column in part if column not in first)]])
    models = dict.fromkeys(result.model_id for result in answers.values() if result.model_id)
    return PredictedTable(
        pd.concat(parts).sort_index(kind="stable").reset_index(drop=True),
        [reject for result in answers.values() for reject in result.rejects],
        ", ".join(models),
    )


def _tell(destination: Path, result: PredictedTable, *, briefly: bool) -> None:
    """Say what was written, and that some rows got no prediction."""
    if not briefly:
        rows = f"{len(result.frame):,} row" + "s" * (len(result.frame) != 1)
        click.echo(f"{rows} written to {destination} by {result.model_id or 'no model'}")
    if result.rejects:
        count = len(result.rejects)
        rows = "1 row got no prediction; its" if count == 1 else f"{count} rows got no prediction; their"
        click.echo(f"warning: {rows} reason column says why", err=True)


def _print(answers: Mapping[str, PredictedTable]) -> None:
    """Print a table with a row for each formula; of several properties one for each formula, a row for each."""
    from rich.console import Console

    console = Console()
    if len(answers) == 1:
        [(name, result)] = answers.items()
        rows = [(row["formula"], row) for row in result.frame.to_dict(orient="records")]
        title = _words(name) + _temperature(result.frame)
        console.print(_table(title, "formula", rows, caption=result.model_id))
        return
    at = next((_temperature(result.frame) for result in answers.values() if _temperature(result.frame)), "")
    of_formulas = zip(*(result.frame.to_dict(orient="records") for result in answers.values()), strict=True)
    for rows in of_formulas:
        reasons = ["", *(row["reason"] for row in rows)]
        brief = ["as above" if why and why == before else why for before, why in pairwise(reasons)]
        named = [
            (_words(name), {**row, "reason": why}) for name, row, why in zip(answers, rows, brief, strict=True)
        ]
        console.print(_table(rows[0]["formula"] + at, "property", named))
    console.print(", ".join(dict.fromkeys(result.model_id for result in answers.values() if result.model_id)))


def _words(property_name: str) -> str:
    from hstore.properties import PROPERTIES

    known = PROPERTIES.get(property_name)
    return f"{known.label}, {known.unit}" if known else property_name


def _temperature(frame: pd.DataFrame) -> str:
    return f", at {frame['temperature_k'].iloc[0]:g} K" if "temperature_k" in frame else ""


def _table(
    title: str, of: str, rows: Iterable[tuple[str, Mapping[Any, Any]]], caption: str | None = None
) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title), title_justify="left", caption=caption, caption_justify="left")
    table.add_column(of, overflow="fold")
    table.add_column("value", justify="right")
    table.add_column("90 % interval", justify="right")
    table.add_column("remarks", overflow="fold")
    for name, row in rows:
        value, interval = f"{row['mean']:.3g}", f"{row['lower']:.3g} to {row['upper']:.3g}"
        numbers = ("", "") if math.isnan(row["mean"]) else (value, interval)
        table.add_row(escape(name), *numbers, escape(row["reason"]))
    return table


def _print_json(result: PredictedTable, *, with_rows: bool) -> None:
    import json

    summary = {"rows": len(result.frame), "rejected": len(result.rejects), "model_id": result.model_id}
    if with_rows:
        summary["predictions"] = json.loads(result.frame.to_json(orient="records", double_precision=15))
    click.echo(json.dumps(summary))
