"""``hstore restore``: a back-up in place of an empty store."""

from __future__ import annotations

from pathlib import Path

import click

_EPILOG = """\b
Examples:
  hstore restore hstore-monday.tar.zst
  hstore restore hstore-monday.tar.zst --into /srv/hstore
  hstore restore hstore-monday.tar.zst --check
"""


@click.command("restore", epilog=_EPILOG)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    help="Restore into a home of its own, with a SQLite store in it, and touch nothing else.",
)
@click.option("--replace", is_flag=True, help="Replace what is there; stop the service and the workers before.")
@click.option("--check", "only_check", is_flag=True, help="Only see whether the back-up is whole; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was restored as JSON.")
def command(file: Path, into: Path | None, *, replace: bool, only_check: bool, as_json: bool) -> None:
    """Restore FILE into HSTORE_HOME and HSTORE_DATABASE_URL, SQLite or PostgreSQL, whichever it came from.

    Every file is compared with its checksum first; then all of it is restored, or nothing. Jobs that were running
    begin again.
    """
    from hstore.settings import load_settings
    from hstore_workflows.backup.restoring import check, restore
    from hstore_workflows.backup.summary import record, words

    settings = load_settings(home=into)
    if into is not None:  # a trial must not reach the database that is in use
        settings = settings.model_copy(update={"database_url": None})
    if only_check:
        manifest = check(file)
    else:
        manifest = restore(settings, file, replace=replace, say=lambda line: click.echo(line, err=True))
    click.echo(record(manifest, file) if as_json else words(manifest, file))
