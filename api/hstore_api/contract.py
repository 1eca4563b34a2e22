"""The committed contract, ``openapi.json``: write it, or check that it is current.

``python -m hstore_api.contract`` writes it; with ``--check`` it only compares.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from hstore.settings import Settings
from hstore_api.app import create_app

CONTRACT = Path(__file__).with_name("openapi.json")
"""The committed contract."""


def contract_text() -> str:
    """Return the contract of the code as it is, the same bytes each time."""
    return json.dumps(create_app(Settings()).openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 when the file is out of date.")
def main(*, check: bool) -> None:
    """Write openapi.json beside the code, or check that it is current."""
    text = contract_text()
    if not check:
        CONTRACT.write_text(text, encoding="utf-8")
        return
    if not CONTRACT.is_file() or CONTRACT.read_text(encoding="utf-8") != text:
        click.echo(
            "openapi.json differs from the service; run: python -m hstore_api.contract, and look at the diff",
            err=True,
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
