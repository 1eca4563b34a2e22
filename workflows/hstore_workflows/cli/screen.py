"""``hstore screen``: the main job."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from hstore.settings import load_settings

_EPILOG = """\b
Examples:
  hstore screen onboard --out runs/onboard
  hstore screen my_alloys.csv --target stationary --out runs/mine
  hstore screen my_target.toml --out runs/special
"""


@click.command("screen", epilog=_EPILOG)
@click.argument("what", default="onboard")
@click.option(
    "--target",
    "target_name",
    help="Target for a table of your own: a shipped name or a TOML file.  [default: onboard]",
)
@click.option("--out", "folder", type=click.Path(path_type=Path), required=True, help="Folder for the results.")
@click.option("--home", type=click.Path(path_type=Path), help="Folder of models and data (HSTORE_HOME).")
@click.option("--mirror", type=click.Path(path_type=Path), help="Mirror of public data sets (HSTORE_DATA_MIRROR).")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of everything random.")
@click.option("--publish", is_flag=True, help="Put the result into the store, where the service shows it.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest and the top ten as JSON.")
def command(
    what: str,
    target_name: str | None,
    folder: Path,
    home: Path | None,
    mirror: Path | None,
    seed: int | None,
    *,
    publish: bool,
    as_json: bool,
) -> None:
    """Rank candidates for a target and write a report.

    WHAT is a shipped target (onboard, stationary, cryo-sorbent, electrolyte), a TOML file with a target of your
    own, or a CSV or Parquet table of candidates with a formula column.
    """
    from hstore_workflows.pool import shipped_pool, table_pool
    from hstore_workflows.screen import refuse_foreign_folder, run_screen, write_screen
    from hstore_workflows.target import load_target

    settings = load_settings(home=home, data_mirror=mirror, seed=seed)
    refuse_foreign_folder(folder)
    own_table = what.lower().endswith((".csv", ".csv.gz", ".parquet"))
    if target_name and not own_table:
        raise click.UsageError(
            f"--target goes with a table of your own; write: hstore screen {target_name} --out DIR"
        )
    target = load_target(target_name or "onboard" if own_table else what)
    pool = table_pool(Path(what), target) if own_table else shipped_pool(target, seed=settings.seed)
    result = run_screen(
        target,
        pool,
        settings,
        command=shlex.join(["hstore", *sys.argv[1:]]),
        say=lambda line: click.echo(line, err=True),
    )
    write_screen(result, folder)
    if publish:
        from hstore_workflows.publish import publish_screen

        click.echo(f"published as {publish_screen(result, settings)}", err=True)
    if as_json:
        _print_json(result.manifest, result.candidates.head(10))
    else:
        from hstore_workflows.cli.ranking import print_ranking

        top = result.candidates.head(10)
        print_ranking(f"{target.title}: the best {len(top)} (mean, 90 % interval)", top, target.kind)
    if result.rejects:
        count = len(result.rejects)
        told = "1 row was rejected; its cause is" if count == 1 else f"{count} rows were rejected; causes"
        click.echo(f"warning: {told} in {folder / 'rejected.csv'}", err=True)
    if not as_json:
        click.echo(f"\n{len(result.candidates):,} candidates ranked. Report: {folder / 'report.html'}")


def _print_json(manifest: dict[str, object], top: object) -> None:
    import json

    import pandas as pd

    assert isinstance(top, pd.DataFrame)
    click.echo(json.dumps({"manifest": manifest, "top": json.loads(top.to_json(orient="records"))}, indent=2))
