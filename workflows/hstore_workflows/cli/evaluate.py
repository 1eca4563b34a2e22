"""``hstore evaluate``: honest scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from hstore.settings import load_settings

_EPILOG = """\b
Examples:
  hstore evaluate h2_capacity_wt_pct --on mine.csv --target measured_wt_pct --json
  hstore evaluate desorption_enthalpy_kj_per_mol_h2 --cross-validate ml_hydpark --seeds 3
"""


@click.command("evaluate", epilog=_EPILOG)
@click.argument("property_name", metavar="PROPERTY")
@click.option("--on", "source", type=click.Path(path_type=Path), help="Table with known answers.")
@click.option("--target", "column", help="Column of the known answers, in the property's unit.")
@click.option("--cross-validate", "data_set", help="Public set to score by cross-validation, or by its own split.")
@click.option("--seeds", type=click.IntRange(1, 20), default=1, show_default=True, help="Seeds to average over.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    property_name: str,
    source: Path | None,
    column: str | None,
    data_set: str | None,
    seeds: int,
    *,
    as_json: bool,
) -> None:
    """Score a property model on a table, or its recipe by cross-validation.

    Scores stand beside those of the mean predictor. Rows whose composition the model was trained on are counted
    and scored apart.
    """
    from hstore_workflows.evaluate import cross_validate, evaluate_table
    from hstore_workflows.tables import read_table

    settings = load_settings()
    if data_set and not source:
        report = cross_validate(property_name, data_set, settings, seeds=tuple(range(seeds)))
    elif source and column and not data_set:
        report = evaluate_table(
            property_name, read_table(source), column, settings, say=lambda line: click.echo(line, err=True)
        )
    else:
        raise click.UsageError("give --on FILE with --target COLUMN, or --cross-validate DATA_SET")
    click.echo(json.dumps(report, indent=2) if as_json else _words(report))


def _words(report: dict[str, Any]) -> str:
    rows = [(key, value) for key, value in report.items() if key != "rejects" and value not in (None, "")]
    width = max(len(key) for key, _ in rows)
    lines = [
        f"{key:<{width}}  {value:.4g}" if isinstance(value, float) else f"{key:<{width}}  {value}"
        for key, value in rows
    ]
    return "\n".join([*lines, *report.get("rejects", [])])
