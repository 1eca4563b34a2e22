"""``hstore backup``: everything that cannot be computed again, in one file."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("backup", epilog="Example: hstore backup hstore-monday.tar.zst")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print what was copied as JSON.")
def command(file: Path, *, as_json: bool) -> None:
    """Copy store, campaigns, models and files of jobs into FILE (NAME.tar.zst or NAME.tar.gz).

    The service and the workers may go on meanwhile: the tables are copied as they are at one moment. FILE holds
    private records, the hashes of keys and the key that signs models, so only you may read it; it restores into
    SQLite and PostgreSQL alike. Features and data sets that can be had again are left out.
    """
    from hstore.settings import load_settings
    from hstore_workflows.backup.summary import record, words
    from hstore_workflows.backup.taking import take

    manifest = take(load_settings(), file, say=lambda line: click.echo(line, err=True))
    click.echo(record(manifest, file) if as_json else words(manifest, file))
