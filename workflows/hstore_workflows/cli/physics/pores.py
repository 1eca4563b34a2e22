"""``hstore physics pores``: cavities, windows, surface and void of frameworks."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("pores", epilog="Example: hstore physics pores MOF-5.cif --json")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes; default: one for each core.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Write those that succeed as .csv or .parquet."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(paths: tuple[Path, ...], *, workers: int | None, out: Path | None, as_json: bool) -> None:
    """Compute the pores of frameworks by Zeo++: largest cavity and window, surface, void fraction, pore volume.

    A structure that cannot be read, or on which Zeo++ fails, is told with its cause, and the rest goes on.
    """
    from hstore_workflows.physics.pores import pores_of, text_of, write_pores
    from hstore_workflows.sources.files.source import read_files
    from hstore_workflows.tables import check_destination

    if out is not None:
        check_destination(out)
    found = pores_of(read_files(paths, workers=workers), workers=workers)
    if out is not None:
        write_pores(found, out)
    click.echo(
        json.dumps([one.as_json() for one in found], allow_nan=False) if as_json else "\n".join(text_of(found))
    )
    if all(one.geometry is None for one in found):
        raise click.exceptions.Exit(1)
