"""``hstore predict``: predictions with intervals, of formulas or for a table."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hstore.settings import load_settings

if TYPE_CHECKING:
    import pandas as pd

    from hstore_workflows.predict import PredictedTable

_EPILOG = """\b
Examples:
  hstore predict plateau_pressure_bar LaNi5 TiFe0.9Mn0.1 --temperature-k 353
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

    A table has a formula column, or the descriptor columns of a sorbent. Conditions come from columns such as
    temperature_k; all other columns pass through unchanged. Intervals are 90 %.
    """
    from hstore_models.training import model_of
    from hstore_workflows.predict import predict_table
    from hstore_workflows.tables import check_destination, read_table, write_table

    if bool(formulas) == (source is not None):
        raise click.UsageError("give formulas, or a table with --in and --out")
    if source:
        _check_table_options(destination, temperature_k)
    settings = load_settings()
    model = model_of(property_name, settings)
    if formulas and model == "sorbent_uptake":
        raise click.UsageError(f"{property_name} is predicted from descriptors of pores; give a table with --in")
    if destination:
        check_destination(destination)
    asked = read_table(source) if source else _asked(property_name, formulas, temperature_k)
    result = predict_table(property_name, asked, settings, say=lambda line: click.echo(line, err=True))
    if destination:
        write_table(result.frame, destination)
    if as_json:
        _print_json(result, with_rows=bool(formulas))
    elif formulas:
        _print(property_name, result)
    if destination:
        _tell(destination, result, briefly=as_json)


def _check_table_options(destination: Path | None, temperature_k: float | None) -> None:
    if not destination:
        raise click.UsageError("--in needs --out, the table to write")
    if temperature_k is not None:
        raise click.UsageError("--temperature-k is for formulas; a table has a column temperature_k")


def _tell(destination: Path, result: PredictedTable, *, briefly: bool) -> None:
    """Say what was written, and that some rows got no prediction."""
    if not briefly:
        rows = f"{len(result.frame):,} row" + "s" * (len(result.frame) != 1)
        click.echo(f"{rows} written to {destination} by {result.model_id or 'no model'}")
    if result.rejects:
        count = len(result.rejects)
        rows = "1 row got no prediction; its" if count == 1 else f"{count} rows got no prediction; their"
        click.echo(f"warning: {rows} reason column says why", err=True)


def _asked(property_name: str, formulas: tuple[str, ...], temperature_k: float | None) -> pd.DataFrame:
    """Return formulas as a table, at 25 degC where nothing is said and the property depends on temperature."""
    import pandas as pd

    from hstore.properties import PROPERTIES
    from hstore.units import STANDARD_TEMPERATURE_K

    frame = pd.DataFrame({"formula": list(formulas)})
    known = PROPERTIES.get(property_name)
    if temperature_k is None and known and "temperature_k" in known.conditions:
        temperature_k = STANDARD_TEMPERATURE_K
    return frame if temperature_k is None else frame.assign(temperature_k=temperature_k)


def _print(property_name: str, result: PredictedTable) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from hstore.properties import PROPERTIES

    frame = result.frame
    known = PROPERTIES.get(property_name)
    title = f"{known.label}, {known.unit}" if known else property_name
    if "temperature_k" in frame:
        title += f", at {frame['temperature_k'].iloc[0]:g} K"
    table = Table(title=title, title_justify="left", caption=result.model_id, caption_justify="left")
    table.add_column("formula", overflow="fold")
    table.add_column("value", justify="right")
    table.add_column("90 % interval", justify="right")
    table.add_column("remarks", overflow="fold")
    for row in frame.to_dict(orient="records"):
        value, interval = f"{row['mean']:.3g}", f"{row['lower']:.3g} to {row['upper']:.3g}"
        numbers = ("", "") if math.isnan(row["mean"]) else (value, interval)
        table.add_row(escape(row["formula"]), *numbers, escape(row["reason"]))
    Console().print(table)


def _print_json(result: PredictedTable, *, with_rows: bool) -> None:
    import json

    summary = {"rows": len(result.frame), "rejected": len(result.rejects), "model_id": result.model_id}
    if with_rows:
        summary["predictions"] = json.loads(result.frame.to_json(orient="records", double_precision=15))
    click.echo(json.dumps(summary))
