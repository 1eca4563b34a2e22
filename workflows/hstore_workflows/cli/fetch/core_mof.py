"""``hstore fetch core-mof``: metal-organic frameworks of the CoRE MOF databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hstore_workflows.cli.fetch.intake_options import finish, intake_options


@click.command("core-mof", epilog="Example: hstore fetch core-mof --limit 1000 --features tier-1 --json")
@click.option(
    "--dataset",
    type=click.Choice(["2019-ASR", "2019-FSR", "2014"]),
    default="2019-ASR",
    show_default=True,
    help="2019-ASR: all solvent removed; 2019-FSR: bound solvent kept; 2014: the first release, no descriptors.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Read at most N structures.")
@click.option(
    "--linked-to",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Only the frameworks a table (CSV or Parquet) names in its column core_mof_2019_asr.",
)
@intake_options
def command(dataset: str, limit: int | None, linked_to: Path | None, **options: Any) -> None:
    """Fetch metal-organic frameworks with structures and pore descriptors.

    They come from the optional package core-mof (pip install 'hstore[core-mof]'); no network is used. The data
    are under CC-BY-4.0: cite 10.1021/acs.jced.9b00835 (2019) or 10.1021/cm502594j (2014).
    """
    from hstore.errors import InputError
    from hstore_workflows.sources.core_mof import LINK_COLUMN, count_core_mof, read_core_mof, structures_of
    from hstore_workflows.tables import read_table

    entries = None
    extra: dict[str, Any] = {"dataset": dataset}
    if linked_to is not None:
        if dataset != "2019-ASR":
            raise InputError(f"{LINK_COLUMN} names entries of 2019-ASR; leave out --dataset {dataset}")
        linked = structures_of(read_table(linked_to))
        entries = {name.rpartition(":")[2] for name in linked}
        extra |= {"linked_rows": len(linked), "linked_structures": len(entries)}
    total = count_core_mof(dataset, entries=entries, limit=limit)
    items = read_core_mof(dataset, entries=entries, limit=limit, workers=options["workers"])
    finish(items, options=options, total=total, **extra)
