"""``hstore evaluate``: honest scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hstore.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from hstore_workflows.evaluate import Scoring

_EPILOG = """\b
Examples:
  hstore evaluate h2_capacity_wt_pct --on mine.csv --target measured_wt_pct --json
  hstore evaluate desorption_enthalpy_kj_per_mol_h2 --cross-validate ml_hydpark --seeds 3
  hstore evaluate h2_capacity_wt_pct --cross-validate hystor --split family --learning-curve
  hstore evaluate log10_conductivity_s_per_cm --cross-validate obelix --bounds-as 1e-15
  hstore evaluate h2_capacity_wt_pct --on mine.csv --target measured_wt_pct --rows answers.csv
"""

_SPLITS = ("chemical_system", "composition", "family", "doi", "structure", "random", "official")
_POLICIES = ("refuse", "drop", "report")


@click.command("evaluate", epilog=_EPILOG)
@click.argument("property_name", metavar="PROPERTY")
@click.option("--on", "source", type=click.Path(path_type=Path), help="Table with known answers.")
@click.option("--target", "column", help="Column of the known answers, in the property's unit.")
@click.option("--cross-validate", "data_set", help="Public set to score by cross-validation, or by its own split.")
@click.option("--split", type=click.Choice(_SPLITS), help="What is never on both sides of a cross-validation.  "
              "[default: the set's official split, else chemical_system]")  # fmt: skip
@click.option("--seeds", type=click.IntRange(1, 20), default=1, show_default=True, help="Seeds to average over.")
@click.option("--leaks", type=click.Choice(_POLICIES), help="Near-duplicates of scored rows in training: give no "
              "score, train without them, or score with and without them.  [default: drop for grouped splits, "
              "refuse for random ones, report for tables and official splits]")  # fmt: skip
@click.option("--family", metavar="COLUMN", help="Column of the families that are scored apart.")
@click.option("--bounds-as", type=float, metavar="VALUE", help="What values such as <1E-10 count as, in the unit "
              "of the column.  [default: the bound]")  # fmt: skip
@click.option("--learning-curve", is_flag=True, help="Repeat the cross-validation with fewer training groups.")
@click.option("--no-baselines", is_flag=True, help="Leave out nearest neighbour and plain forest, for speed.")
@click.option("--rows", "rows_file", type=click.Path(path_type=Path), metavar="FILE", help="Write each row's "
              "known value, answer and interval, and why it is outside the domain: .csv or .parquet.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    property_name: str,
    source: Path | None,
    column: str | None,
    data_set: str | None,
    *,
    rows_file: Path | None,
    as_json: bool,
    **choices: Any,
) -> None:
    """Score a property model on a table, or its recipe by cross-validation.

    Every score states its subset and the hash of its split, and stands beside the mean predictor, the nearest
    neighbour and a plain forest on the composition. Rows that nearly repeat a training row are named; a table's
    other rows are scored apart.
    """
    from hstore_workflows.evaluate import cross_validate, evaluate_table
    from hstore_workflows.tables import read_table

    settings = load_settings()
    how = _scoring(choices, name=source.name if source else "table")
    keep = _writer(rows_file)
    if data_set and not source:
        report = cross_validate(property_name, data_set, settings, how, say=_say, keep=keep)
    elif source and column and not data_set:
        _refuse_choices(choices)
        report = evaluate_table(property_name, read_table(source), column, settings, how, say=_say, keep=keep)
    else:
        raise click.UsageError("give --on FILE with --target COLUMN, or --cross-validate DATA_SET")
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    from rich.console import Console

    from hstore_workflows.evaluate.words import in_words

    Console(highlight=False, soft_wrap=False).print(in_words(report))


def _say(line: str) -> None:
    click.echo(line, err=True)


def _writer(file: Path | None) -> Callable[[pd.DataFrame], None] | None:
    """Return what writes the rows; a place that cannot take them is refused before anything heavy runs."""
    if file is None:
        return None
    from hstore_workflows.tables import check_destination, write_table

    check_destination(file)

    def write(rows: pd.DataFrame) -> None:
        write_table(rows, file)
        _say(f"{len(rows)} rows are in {file}")

    return write


def _scoring(choices: dict[str, Any], *, name: str) -> Scoring:
    from hstore_workflows.evaluate import Scoring

    return Scoring(
        split=choices["split"],
        seeds=tuple(range(choices["seeds"])),
        leaks=choices["leaks"],
        baselines=not choices["no_baselines"],
        family=choices["family"],
        bounds_as=choices["bounds_as"],
        learning_curve=choices["learning_curve"],
        name=name,
    )


def _refuse_choices(choices: dict[str, Any]) -> None:
    given = [name for name in ("split", "learning_curve") if choices[name]]
    if given:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise click.UsageError(f"{names} belongs to --cross-validate; a table is scored as a whole")
