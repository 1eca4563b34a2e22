"""``hstore campaign report``: one page that says how a campaign got on."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command(epilog="Example: hstore campaign report alloys --out runs/alloys")
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder of the page.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures of the report as JSON.")
def report(name: str, out: Path, *, as_json: bool) -> None:
    """Write the report of campaign NAME: progress, results, how predictions held, what is next, when to stop."""
    from hstore.settings import load_settings
    from hstore_workflows.campaign.report import write_report

    figures = write_report(load_settings(), name, out)
    if as_json:
        click.echo(json.dumps(figures, ensure_ascii=False))
        return
    click.echo(figures["report"])
    stop = figures["stop"]
    found = (
        "" if stop["p_best_found"] is None else f" (the best is found with probability {stop['p_best_found']:.2f})"
    )
    click.echo(f"{stop['word']}: {stop['why']}{found}")
