"""``hstore predict``: predictions with intervals for a table."""

from __future__ import annotations

from pathlib import Path

import click

from hstore.settings import load_settings

_EPILOG = """\b
Example:
  hstore predict desorption_enthalpy_kj_per_mol_h2 --in alloys.csv --out predicted.csv
"""


@click.command("predict", epilog=_EPILOG)
@click.argument("property_name", metavar="PROPERTY")
@click.option("--in", "source", type=click.Path(path_type=Path), required=True, help="CSV or Parquet table.")
@click.option("--out", "destination", type=click.Path(path_type=Path), required=True, help="Table to write.")
@click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON.")
def command(property_name: str, source: Path, destination: Path, *, as_json: bool) -> None:
    """Add mean, std, lower, upper, in_domain and reason to a table.

    The table has a formula column, or the descriptor columns of a sorbent. Conditions come from columns such as
    temperature_k; all other columns pass through unchanged. Intervals are 90 %.
    """
    from hstore_models.training import model_of
    from hstore_workflows.predict import predict_table
    from hstore_workflows.tables import check_destination, read_table, write_table

    settings = load_settings()
    model_of(property_name, settings)
    check_destination(destination)
    result = predict_table(
        property_name, read_table(source), settings, say=lambda line: click.echo(line, err=True)
    )
    write_table(result.frame, destination)
    summary = {"rows": len(result.frame), "rejected": len(result.rejects), "model_id": result.model_id}
    if as_json:
        import json

        click.echo(json.dumps(summary))
    else:
        click.echo(f"{summary['rows']:,} rows written to {destination} by {result.model_id or 'no model'}")
    if result.rejects:
        count = len(result.rejects)
        rows = "1 row got no prediction; its" if count == 1 else f"{count} rows got no prediction; their"
        click.echo(f"warning: {rows} reason column says why", err=True)
