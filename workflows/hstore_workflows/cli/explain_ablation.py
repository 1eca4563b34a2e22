"""``hstore explain ablation``: what groups of descriptors add to what is known without them."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("ablation", epilog="Example: hstore explain ablation mof-uptake --rows 500")
@click.argument("questions", nargs=-1, metavar="[QUESTION...]")
@click.option("--in", "source", type=click.Path(path_type=Path), metavar="FILE", help="A table of your own.")
@click.option("--target", metavar="COLUMN", help="Of the table: what is predicted.")
@click.option(
    "--group", default="", metavar="COLUMN", help="Of the table: left out together; default: its elements."
)
@click.option(
    "--base", default="magpie", show_default=True, metavar="GROUP,..", help="Descriptors that count as known."
)
@click.option(
    "--add", "added", default="topology", show_default=True, metavar="GROUP,..", help="Descriptors to judge."
)
@click.option("--rows", type=click.IntRange(min=30), metavar="N", help="Rows at most.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processes; default: one for each core.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    questions: tuple[str, ...],
    *,
    source: Path | None,
    target: str | None,
    group: str,
    base: str,
    added: str,
    rows: int | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Compare models with and without descriptors.

    Materials whose chemistry was left out are predicted. Questions: mof-uptake, hydride-enthalpy,
    computed-enthalpy, conductivity; all without a name. Or --in FILE with the columns formula, structure and a
    target.
    """
    from hstore.settings import load_settings
    from hstore_workflows.ablation.comparison import compare, lines, own_question
    from hstore_workflows.ablation.questions import names, question

    if source is not None and (questions or not target):
        raise click.UsageError("with --in give --target, and no question")
    if source is None:
        asked = [question(name) for name in names(questions)]
    else:
        asked = [own_question(source, target=target or "", group=group, base=_parts(base), added=_parts(added))]
    settings = load_settings()
    told = []
    for one in asked:
        found = compare(
            one, settings, most=rows, workers=workers, progress=lambda text: click.echo(text, err=True)
        )
        told.append(found.as_json())
        if not as_json:
            click.echo("\n".join(lines(found)) + "\n")
    if as_json:
        click.echo(json.dumps(told, allow_nan=False))


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
