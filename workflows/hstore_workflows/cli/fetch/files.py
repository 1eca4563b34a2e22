"""``hstore fetch files``: candidates from structure files, tables, folders and archives."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click

from hstore_workflows.cli.fetch.intake_options import finish, intake_options

_FAMILIES = ("interstitial", "ionic", "complex", "sorbent", "electrolyte")


@click.command(
    "files", epilog="Example: hstore fetch files cifs/ more.tar.gz --family electrolyte --features tier-1"
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH...")
@click.option(
    "--family", type=click.Choice(_FAMILIES), help="Family of all materials; default: by their elements."
)
@click.option(
    "--max-sites",
    type=click.IntRange(min=1),
    default=5000,
    show_default=True,
    help="Largest number of atoms in a cell.",
)
@click.option(
    "--max-file-mib",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Largest structure file, unpacked.",
)
@click.option(
    "--timeout",
    type=float,
    default=8.0,
    show_default=True,
    metavar="S",
    help="Longest time for one file, seconds.",
)
@intake_options
def command(paths: tuple[Path, ...], family: str | None, **options: Any) -> None:
    """Fetch structures from files, folders (with all below them) and archives.

    Read are CIF, POSCAR, extended XYZ, ASE databases, JSON and JSON lines (structures of pymatgen, records of
    hstore), tables with a formula column (CSV, Parquet), zip and tar archives. Partial occupancies are ordered
    where a rule allows. What cannot be used is listed with its cause, and the rest goes on.
    """
    from hstore.records import Family
    from hstore_workflows.sources.files.limits import ReadLimits
    from hstore_workflows.sources.files.source import read_files

    limits = ReadLimits(file_mib=options["max_file_mib"], sites=options["max_sites"], seconds=options["timeout"])
    skipped: Counter[str] = Counter()
    items = read_files(
        paths,
        family=Family(family) if family else None,
        limits=limits,
        workers=options["workers"],
        skipped=skipped,
    )
    finish(items, options=options)
    if skipped:
        kinds = ", ".join(f"{ending} {count}" for ending, count in sorted(skipped.items()))
        click.echo(f"passed over {skipped.total()} files of other kinds ({kinds})", err=True)
