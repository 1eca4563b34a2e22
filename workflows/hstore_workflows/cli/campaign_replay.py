"""``hstore campaign replay``: what a strategy is worth on a labelled table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from hstore_workflows.campaign.replay_pool import LabelledPool

_SHOWN = (
    ("acceleration_factor", "finds the first of the top 1 %", "{:.2f}x sooner than random"),
    ("top_1pct_share", "finds of the top 1 %", "{:.0%}"),
    ("top_5pct_share", "finds of the top 5 %", "{:.0%}"),
    ("enhancement_factor", "that is", "{:.1f}x what random choice finds"),
    ("seeds_below_random", "campaigns worse than the median at random", "{:.0%}"),
)


@click.command(
    epilog="Example: hstore campaign replay --pool alloys.csv --features magpie --maximize h2_wt_pct --seeds 30"
)
@click.option("--pool", type=click.Path(path_type=Path, exists=True), required=True, help="Labelled table.")
@click.option(
    "--features", required=True, metavar="COL,...",
    help="Columns that describe candidates; magpie: descriptors of the formula, Magpie's and hstore's own.",
)  # fmt: skip
@click.option("--maximize", metavar="COLUMN", multiple=True, help="Column to maximise; repeatable.")
@click.option("--minimize", metavar="COLUMN", multiple=True, help="Column to minimise; repeatable.")
@click.option("--window", "windows", multiple=True, metavar="COL:LOW:HIGH", help="Range a column must meet.")
@click.option("--strategy", "strategies", multiple=True, default=("hstore",), show_default=True, metavar="NAME",
              help="How to choose; repeatable. An unknown name lists those there are.")  # fmt: skip
@click.option("--budget", default=60, show_default=True, help="Measurements of a campaign, the first included.")
@click.option("--batch", default=5, show_default=True, help="Candidates chosen at a time.")
@click.option("--initial", default=10, show_default=True, help="Candidates drawn at random at the start.")
@click.option("--seeds", default=30, show_default=True, help="Campaigns.")
@click.option("--first-seed", default=0, show_default=True, help="Seed of the first campaign.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for finished campaigns and the curve.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes; default: one for each core.")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON.")
def replay(
    pool: Path, features: str, maximize: tuple[str, ...], minimize: tuple[str, ...], windows: tuple[str, ...],
    strategies: tuple[str, ...], out: Path | None, workers: int | None, *, as_json: bool, **numbers: int,
) -> None:  # fmt: skip
    """Replay campaigns on a labelled table whose answers are hidden, and compare them with random choice."""
    from hstore_workflows.campaign.objective import Goal, Objective, Window
    from hstore_workflows.campaign.replay import ReplaySettings
    from hstore_workflows.campaign.replay import replay as run
    from hstore_workflows.campaign.replay_pool import read_labelled
    from hstore_workflows.campaign.replay_score import score
    from hstore_workflows.cli.progress import counting

    goals = (*(Goal(column) for column in maximize), *(Goal(column, minimize=True) for column in minimize))
    objective = Objective(goals, tuple(Window.parse(text) for text in windows))
    labelled = read_labelled(pool, objective, [name.strip() for name in features.split(",") if name.strip()])
    settings = ReplaySettings(**numbers)
    at_random = run(labelled, "random", settings, workers=1)
    reports, orders = [], {"random": at_random}
    for name in dict.fromkeys(strategies):
        with counting(f"campaigns of {name} replayed", total=settings.seeds) as tell:
            orders[name] = run(labelled, name, settings, folder=out, workers=workers, progress=tell)
        reports.append({"strategy": name, **score(labelled, orders[name])})
    about = _about(pool, labelled, numbers)
    if out is not None:
        _draw(out, labelled, orders)
    if as_json:
        held = reports[0] if len(reports) == 1 else {"strategies": reports}
        click.echo(json.dumps({**held, "random": score(labelled, at_random), **about}))
        return
    click.echo(f"{about['rows']:,} candidates, {len(about['rejected'])} rows not used; described by "
               f"{', '.join(f'{k} ({n})' for k, n in about['descriptors'].items())}")  # fmt: skip
    for note in about["notes"]:
        click.echo(note)
    for report in reports:
        click.echo(f"\n{report['strategy']}: {settings.seeds} campaigns of {settings.budget} measurements")
        for key, words, form in _SHOWN:
            low, high = (form.split(" ")[0].format(end) for end in report[f"{key}_interval"])
            click.echo(f"  {words}: {form.format(report[key])} (90 % interval {low} to {high})")


def _about(path: Path, labelled: LabelledPool, numbers: dict[str, int]) -> dict[str, Any]:
    return {
        "pool": path.name,
        "rows": len(labelled),
        "feasible_rows": int(labelled.feasible.sum()),
        "rejected": [{"row": row, "cause": cause} for row, cause in labelled.rejected],
        "notes": list(labelled.notes),
        "descriptors": {name: block.shape[1] for name, block in labelled.landscape.blocks.items()},
        **numbers,
    }


def _draw(folder: Path, labelled: LabelledPool, orders: dict[str, list[list[int]]]) -> None:
    from hstore_workflows.campaign.replay_plot import draw_progress

    draw_progress(folder / "progress.png", labelled, orders)
    click.echo(f"curve: {folder / 'progress.png'}", err=True)
