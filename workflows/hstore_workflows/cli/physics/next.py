"""``hstore physics next``: which frameworks to simulate next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click


@click.command("next", epilog="Example: hstore physics next pores.csv --done uptakes.csv --n 5")
@click.argument("pool", type=click.Path(path_type=Path), metavar="POOL")
@click.option(
    "--done", type=click.Path(path_type=Path), metavar="FILE", help="What was simulated: names and the goal."
)
@click.option("--n", default=5, show_default=True, help="Frameworks wanted.")
@click.option("--goal", default="usable_capacity_g_per_l", show_default=True, help="Column to make large.")
@click.option("--strategy", default="default", show_default=True, help="Strategy of campaigns.")
@click.option("--seed", default=0, show_default=True, help="Seed of the choice.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(pool: Path, *, done: Path | None, as_json: bool, **options: Any) -> None:
    """Choose the frameworks of a table of pores whose simulation is worth most, from those simulated so far."""
    from hstore_workflows.physics.next_framework import next_frameworks, read_tables, text_of

    candidates, known = read_tables(pool, done)
    choices = next_frameworks(candidates, known, **options)
    click.echo(json.dumps([one.as_json() for one in choices]) if as_json else "\n".join(text_of(choices)))
