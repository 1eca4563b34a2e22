"""``hstore crate``: a screen, a model or a campaign as an RO-Crate, to cite it and to have it elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hstore.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from hstore_workflows.crate.content import Content

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_CRATE = click.argument("file", type=click.Path(exists=True, path_type=Path))
_WITH_MODELS = click.option(
    "--with-models", is_flag=True, help="Put the files of the models in, so that the same numbers come elsewhere."
)
_PRIVATE = click.option(
    "--private", is_flag=True, help="Let what belongs to a lab out; where it is imported only that lab sees it."
)

_SCREEN = """\b
Examples:
  hstore crate screen runs/onboard --out onboard.zip --author "Josiah Carberry <0000-0002-1825-0097>"
  hstore crate screen runs/mine --out mine.zip --table mine.csv --with-models --licence CC-BY-4.0
"""
_MODEL = """\b
Examples:
  hstore crate model conductivity --out conductivity.zip
  hstore crate model conductivity-0f3a5b7c9d1e --out conductivity.zip --json
"""
_IMPORT = """\b
Examples:
  hstore crate import conductivity.zip
  hstore crate import onboard.zip --out runs/onboard --publish
"""


def _written(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of everything that is written."""
    for option in (
        click.option(
            "--out", type=click.Path(path_type=Path), required=True, help="NAME.zip, or a folder that is made."
        ),
        click.option(
            "--author", "authors", multiple=True, metavar="NAME <ORCID>", help="Whom it is by; repeatable."
        ),
        click.option(
            "--licence",
            metavar="SPDX",
            help="Licence of the whole; refused where a part asks for more than it keeps.",
        ),
        _JSON,
    ):
        command = option(command)
    return command


@click.group("crate", epilog="Example: hstore crate screen runs/onboard --out onboard.zip")
def command() -> None:
    """Write screens, models and campaigns as RO-Crates, look into them, and import them elsewhere."""


@command.command("screen", epilog=_SCREEN)
@click.argument("folder", metavar="RUN_DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@_WITH_MODELS
@click.option(
    "--table", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Your table that was screened."
)
@_PRIVATE
@_written
def write_screen(folder: Path, *, with_models: bool, table: Path | None, private: bool, **asked: Any) -> None:
    """Write a finished screen as a crate.

    Tables, manifest, report and target of RUN_DIR go in, the cards of its models and data sets with licences and
    citations, and the checksum of every file.
    """
    from hstore_workflows.crate.screen import screen_content

    _write(
        lambda: screen_content(folder, load_settings(), with_models=with_models, table=table, private=private),
        **asked,
    )


@command.command("model", epilog=_MODEL)
@click.argument("name")
@click.option(
    "--lab",
    "lab_id",
    metavar="LAB",
    help="Lab whose own version in use is meant by a name; default: the public one.",
)
@_PRIVATE
@_written
def write_model(name: str, *, lab_id: str | None, private: bool, **asked: Any) -> None:
    """Write a version of a model as a crate.

    NAME is the name of a model, for the version in use, or an id.
    """
    from hstore_workflows.crate.model import model_content

    _write(lambda: model_content(name, load_settings(), lab_id=lab_id, private=private), **asked)


@command.command("campaign", epilog="Example: hstore crate campaign alloys --out alloys.zip")
@click.argument("name")
@_WITH_MODELS
@_PRIVATE
@_written
def write_campaign(name: str, *, with_models: bool, private: bool, **asked: Any) -> None:
    """Write a campaign as a crate.

    The ledger of NAME, its candidates, predictions, and all it needs to go on.
    """
    from hstore_workflows.crate.campaign import campaign_content

    _write(lambda: campaign_content(name, load_settings(), with_models=with_models, private=private), **asked)


@command.command("show", epilog="Example: hstore crate show onboard.zip")
@_CRATE
@_JSON
def show(file: Path, *, as_json: bool) -> None:
    """Show what is in a crate.

    Every file of FILE is compared with its checksum first.
    """
    from hstore_workflows.crate.reading import open_crate
    from hstore_workflows.crate.showing import crate_record, crate_words

    with open_crate(file) as crate:
        record = crate_record(crate)
    click.echo(json.dumps(record, indent=2, ensure_ascii=False) if as_json else crate_words(record))


@command.command("import", epilog=_IMPORT)
@_CRATE
@click.option("--out", type=click.Path(path_type=Path), help="Folder for a screen.")
@click.option("--publish", is_flag=True, help="Put a screen into the store, where the service shows it.")
@click.option(
    "--allow-moved", is_flag=True, help="Take models whose golden predictions are not what they were when saved."
)
@_JSON
def take(file: Path, out: Path | None, *, publish: bool, allow_moved: bool, as_json: bool) -> None:
    """Import a crate, with its identifiers and numbers.

    Every file is compared with its checksum first, and models are asked their golden predictions; then all of it
    is written, or nothing. Import only crates of people you trust: a model in one answers in your name.
    """
    from hstore_workflows.crate.importing import import_crate

    found = import_crate(file, load_settings(), out=out, publish=publish, allow_moved=allow_moved)
    click.echo(json.dumps(found.record(), indent=2, ensure_ascii=False) if as_json else found.words())


def _write(
    gather: Callable[[], Content], *, out: Path, authors: tuple[str, ...], licence: str | None, as_json: bool
) -> None:
    from hstore_workflows.crate.author import Author
    from hstore_workflows.crate.metadata import rocrate
    from hstore_workflows.crate.showing import written_record, written_words
    from hstore_workflows.crate.writing import size_of, write_crate

    named = [Author.parse(author) for author in authors]
    rocrate()  # said before anything is gathered
    content = gather()
    about = write_crate(content, out, authors=named, licence=licence)
    if as_json:
        record = written_record(about) | {"file": str(out), "bytes": size_of(out), "words": content.rows.words()}
        click.echo(json.dumps(record, indent=2, ensure_ascii=False))
        return
    click.echo(written_words(about, content.rows, out, size_of(out)))
