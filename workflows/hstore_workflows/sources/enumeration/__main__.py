"""Print the counts of the shipped pool: ``python -m hstore_workflows.sources.enumeration``."""

from __future__ import annotations

import click

from hstore_workflows.sources.enumeration.pool import pool_summary


@click.command()
def main() -> None:
    """Print the counts of the shipped pool, one line per family."""
    click.echo(f"{'family':<14}{'total':>8}{'known':>8}{'structure':>11}")
    for family, counts in pool_summary().items():
        click.echo(f"{family:<14}{counts['total']:>8}{counts['known']:>8}{counts['with_structure']:>11}")


if __name__ == "__main__":
    main()
