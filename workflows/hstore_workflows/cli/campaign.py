"""``hstore campaign``: propose the next experiments and take results back."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hstore_workflows.campaign.results import Verdict
    from hstore_workflows.campaign.story import Status

_PATH = click.Path(path_type=Path, exists=True)
_SHOWN = 10
_ELSEWHERE = {
    "confirm": "campaign_mending",
    "correct": "campaign_mending",
    "lab": "campaign_lab",
    "replay": "campaign_replay",
    "report": "campaign_report",
    "retrain": "campaign_retrain",
    "retract": "campaign_mending",
}
"""Command -> module beside this one that holds it under its own name; loaded when it is called."""


class _Commands(click.Group):
    """The commands of this module and of those beside it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names in alphabetical order."""
        return sorted({*super().list_commands(ctx), *_ELSEWHERE})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, importing its module where it is another."""
        found = super().get_command(ctx, cmd_name)
        if found is None and cmd_name in _ELSEWHERE:
            found = getattr(importlib.import_module(f"hstore_workflows.cli.{_ELSEWHERE[cmd_name]}"), cmd_name)
            assert isinstance(found, click.Command)
        return found


@click.group(cls=_Commands, epilog="Example: hstore campaign propose alloys --n 5")
def command() -> None:
    """Propose the next experiments and take results back."""


@command.command(
    epilog="Example: hstore campaign new alloys --pool runs/onboard --maximize h2_capacity_wt_pct "
    "--window desorption_enthalpy_kj_per_mol_h2:25:45 --batch 5"
)
@click.argument("name")
@click.option(
    "--pool", type=_PATH, required=True, help="Folder of a screen, or a table with formulas or descriptors."
)
@click.option("--maximize", metavar="COLUMN", multiple=True, help="Property to maximise, or score; repeatable.")
@click.option("--minimize", metavar="COLUMN", multiple=True, help="Property to minimise; repeatable.")
@click.option("--window", "windows", multiple=True, metavar="COL:LOW:HIGH", help="Range a property must meet.")
@click.option("--batch", default=5, show_default=True, type=click.IntRange(min=1), help="Experiments at a time.")
@click.option("--strategy", metavar="NAME", help="How candidates are chosen; default: hstore's own portfolio.")
@click.option(
    "--lease-days",
    default=30.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Days until an experiment without any result is free again.",
)
@click.option(
    "--conditions",
    multiple=True,
    metavar="NAME=VALUE",
    help="Condition of all measurements, such as temperature_k=298; results at others are rejected.",
)
@click.option("--features", metavar="COL,..", help="Columns that describe candidates; magpie for the composition.")
@click.option("--effort-column", metavar="COLUMN", help="Column of the pool with the effort of each candidate.")
@click.option(
    "--budget",
    type=click.FloatRange(min=0, min_open=True),
    help="What the campaign may spend; counts for the advice when to stop.",
)
@click.option(
    "--budget-in",
    "budget_unit",
    type=click.Choice(["experiments", "effort"]),
    default="experiments",
    show_default=True,
    help="What the budget counts; an average candidate takes an effort of 1.",
)
@click.option(
    "--retrain-every",
    default=25,
    show_default=True,
    type=click.IntRange(min=1),
    help="New results after which the property models are to be retrained.",
)
@click.option("--keep-outside", is_flag=True, help="Also take candidates outside the models' domain.")
@click.option("--owner", metavar="LAB", help="Lab whose campaign it is; only it and the members see it.")
@click.option("--members", metavar="LAB,..", default="", help="Other labs that see it and work on it.")
@click.option("--json", "as_json", is_flag=True, help="Print what was begun as JSON.")
def new(
    name: str,
    pool: Path,
    maximize: tuple[str, ...],
    minimize: tuple[str, ...],
    windows: tuple[str, ...],
    batch: int,
    strategy: str | None,
    lease_days: float,
    conditions: tuple[str, ...],
    features: str | None,
    effort_column: str | None,
    budget: float | None,
    budget_unit: str,
    retrain_every: int,
    *,
    keep_outside: bool,
    owner: str | None,
    members: str,
    as_json: bool,
) -> None:
    """Begin the campaign NAME over a pool of candidates.

    One to four goals: the first --maximize is the main one, or the first --minimize where nothing is maximised.
    With --owner the campaign is named LAB:NAME from then on.
    """
    from hstore.keys import lab_of
    from hstore.records import Access, Visibility
    from hstore.settings import load_settings
    from hstore_workflows.campaign.access import full_name
    from hstore_workflows.campaign.config import DAY_S
    from hstore_workflows.campaign.objective import Goal, Objective, Window
    from hstore_workflows.campaign.story import begin
    from hstore_workflows.campaign.strategies import DEFAULT

    if not maximize and not minimize:
        raise click.UsageError("give --maximize COLUMN or --minimize COLUMN")
    if members and not owner:
        raise click.UsageError("--members needs --owner: a campaign without an owner is open to everybody")
    access = Access(lab_id=lab_of(owner), visibility=Visibility.LAB) if owner else Access()
    goals = (*map(Goal, maximize), *(Goal(column, minimize=True) for column in minimize))
    objective = Objective(goals, tuple(map(Window.parse, windows)))
    made = begin(
        load_settings(),
        name,
        pool,
        objective,
        keep_outside=keep_outside,
        batch=batch,
        strategy=strategy or DEFAULT,
        lease_s=lease_days * DAY_S,
        conditions=_named_numbers(conditions),
        features=tuple(part.strip() for part in (features or "").split(",") if part.strip()),
        effort_column=effort_column,
        budget=budget,
        budget_unit=budget_unit,
        retrain_every=retrain_every,
        access=access,
        members=tuple(lab_of(part) for part in members.split(",") if part.strip()),
    )
    name = full_name(name, access)
    predicted = [goal.column for goal in goals if made.prior(goal.column) is not None]
    if as_json:
        rejects = [{"row": r.row, "formula": r.formula, "cause": r.cause} for r in made.rejects]
        held = {
            "campaign": name,
            "goals": [str(goal) for goal in goals],
            "pool": len(made),
            "predicted": predicted,
        }
        counts = {"left_out": made.left_out, "outside": made.outside, "rejected": rejects}
        click.echo(json.dumps(held | counts, ensure_ascii=False))
        return
    _show_rejects((f"row {r.row} ({r.formula})", r.cause) for r in made.rejects)
    if made.left_out:
        click.echo(f"left out the {made.left_out:,} lowest-ranked rows of the screen", err=True)
    if made.outside:
        click.echo(f"left out {made.outside:,} outside the models' domain (--keep-outside takes them)", err=True)
    said = f"with predictions of {', '.join(predicted)}" if predicted else "without predictions"
    click.echo(f"campaign {name}: {len(made):,} candidates {said}, {', '.join(map(str, goals))}, batch {batch}")


@command.command(epilog="Example: hstore campaign propose alloys --n 5 --lab north --json")
@click.argument("name")
@click.option("--n", type=click.IntRange(min=1), help="Number of experiments; default: the campaign's batch.")
@click.option("--lab", help="Who will do them; one described by `campaign lab` gets what it can make.")
@click.option("--strategy", metavar="NAME", help="How to choose; default: the campaign's own.")
@click.option("--json", "as_json", is_flag=True, help="Print the proposals as JSON.")
def propose(name: str, n: int | None, lab: str | None, strategy: str | None, *, as_json: bool) -> None:
    """Propose the next experiments of campaign NAME; each material is proposed once."""
    from hstore.settings import load_settings
    from hstore_workflows.campaign.proposing import propose as decide

    proposals = decide(load_settings(), name, n=n, lab=lab, strategy=strategy)
    if as_json:
        records = [proposal.as_json() for proposal in proposals]
        extra = {
            "note": proposals.note,
            "released": list(proposals.released),
            "retraining": proposals.retraining,
        }
        click.echo(json.dumps({"campaign": name, "proposals": records, **extra}, ensure_ascii=False))
        return
    for number in proposals.released:
        click.echo(f"the lease of experiment {number} has passed; its material is free again", err=True)
    for p in proposals:
        main = p.reasons.predictions.get(p.main_column)
        value = "" if main is None else f"  {main.mean:.3g} [{main.lower:.3g}, {main.upper:.3g}]"
        click.echo(f"{p.number:>4}  {p.formula:<28} {p.material_id}{value}\n      {p.reason}")
    if proposals.note:
        click.echo(proposals.note)
    if proposals.retraining:
        click.echo(proposals.retraining)


@command.command(epilog="Example: hstore campaign observe alloys --results results.csv --lab north")
@click.argument("name")
@click.option(
    "--results",
    type=_PATH,
    required=True,
    help="Table with material_id or formula, value (a number or 'failed') or the names of goals and windows, and "
    "if known unit, value_std, lab and conditions.",
)
@click.option("--lab", default="", help="Who measured, where the table has no column lab.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts and the verdict on each row as JSON.")
@click.pass_context
def observe(context: click.Context, name: str, results: Path, lab: str, *, as_json: bool) -> None:
    """Take results back into campaign NAME; exit code 1 when no row could be used.

    Every row gets a verdict, and none is lost: held and rejected rows are kept with their cause.
    """
    from hstore.settings import load_settings
    from hstore_workflows.campaign.records import observed_record
    from hstore_workflows.campaign.story import observe as take

    taken = take(load_settings(), name, results, lab=lab)
    if as_json:
        click.echo(json.dumps(observed_record(name, taken), ensure_ascii=False))
    else:
        show_verdicts(taken.verdicts)
        if taken.ignored:
            click.echo(f"not read: {', '.join(taken.ignored)}", err=True)
        counts = ", ".join(f"{count} {verdict}" for verdict, count in taken.counts.items())
        click.echo(f"{len(taken.verdicts)} rows: {counts}")
    if taken.nothing_used:
        context.exit(1)


@command.command(epilog="Example: hstore campaign status alloys")
@click.argument("name")
@click.option("--material", metavar="ID", help="Show everything that was ever noted about a material.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def status(name: str, material: str | None, *, as_json: bool) -> None:
    """Show where campaign NAME stands."""
    from hstore.settings import load_settings
    from hstore_workflows.campaign.records import history_record, status_record
    from hstore_workflows.campaign.stopping import advice_on
    from hstore_workflows.campaign.story import status as look

    settings = load_settings()
    now = look(settings, name)
    if material is not None:
        story = history_record(now, material)
        if as_json:
            click.echo(
                json.dumps({"campaign": name, "material_id": material, "history": story}, ensure_ascii=False)
            )
            return
        click.echo(f"{material}: {len(story)} entries")
        for entry in story:
            click.echo(f"  {entry['number']} {entry['kind']} {json.dumps(entry['told'], ensure_ascii=False)}")
        return
    if as_json:
        advice = advice_on(settings, now).as_json()
        click.echo(json.dumps(status_record(now) | {"stop": advice}, ensure_ascii=False))
        return
    _show_status(now)


@command.command(name="list", epilog="Example: hstore campaign list")
@click.option("--json", "as_json", is_flag=True, help="Print the campaigns as JSON.")
def list_campaigns(*, as_json: bool) -> None:
    """List the campaigns, with their goals and counts."""
    from hstore.settings import load_settings
    from hstore_workflows.campaign.records import status_summary
    from hstore_workflows.campaign.story import statuses

    found = [status_summary(status) for status in statuses(load_settings())]
    if as_json:
        click.echo(json.dumps({"campaigns": found}, ensure_ascii=False))
        return
    if not found:
        click.echo("no campaign has begun; hstore campaign new begins one")
    for one in found:
        counts = ", ".join(f"{one[state]} {state}" for state in ("pending", "measured", "failed"))
        click.echo(f"{one['campaign']:<20} {', '.join(one['goals'])}; {one['pool']:,} candidates, {counts}")


def show_verdicts(verdicts: Iterable[Verdict]) -> None:
    """Print what became of rows, those taken without remark left out."""
    shown = [v for v in verdicts if v.cause or v.notes or not v.used]
    for v in shown[:_SHOWN]:
        said = "; ".join(filter(None, [*v.notes, v.cause]))
        click.echo(f"row {v.row} ({v.material}) {v.verdict}: {said}", err=not v.used)
    if len(shown) > _SHOWN:
        click.echo(f"... and {len(shown) - _SHOWN} more; --json shows all")


def _show_status(now: Status) -> None:
    standing, goals = now.standing, ", ".join(map(str, now.objective.goals))
    click.echo(f"campaign {now.name}: {goals} over {now.config.pool_rows:,} candidates")
    counts = ", ".join(f"{count} {state}" for state, count in now.counts.items())
    click.echo(f"{counts}, {len(now.rejected_rows)} result rows rejected, {len(now.held_rows)} held")
    best = standing.best()
    if best:
        click.echo(f"best so far: {best[0]} with {best[1]:.4g}")
    for column, noise in standing.noise().items():
        click.echo(f"repeated measurements of {column} scatter by {noise.std:.2g} ({noise.materials} materials)")
    for conflict in standing.conflicts():
        said = ", ".join(f"{r.value:g} ({r.lab or 'lab not named'}, {r.number})" for r in conflict.readings)
        click.echo(f"conflict: {conflict.material_id} {conflict.column} {said}; {conflict.mean:.4g} is used")
    for number, row in now.held_rows.items():
        click.echo(f"held row {number}: {row['material']}: {row['cause']}")
    for entry in standing.in_flight():
        lab = f" ({entry.lab})" if entry.lab else ""
        click.echo(f"  under way: {entry.number} {entry.attributes.get('formula', '')} {entry.material_id}{lab}")


def _named_numbers(pairs: tuple[str, ...]) -> dict[str, float]:
    """Read ``temperature_k=298``, several in one joined by commas."""
    found = {}
    for pair in ",".join(pairs).split(",") if pairs else ():
        name, _, text = pair.partition("=")
        try:
            found[name.strip()] = float(text)
        except ValueError as error:
            raise click.BadParameter(f"{pair!r} must read NAME=NUMBER, such as temperature_k=298") from error
    return found


def _show_rejects(rejects: Iterable[tuple[str, str]]) -> None:
    shown = list(rejects)
    for place, cause in shown[:_SHOWN]:
        click.echo(f"rejected {place}: {cause}", err=True)
    if len(shown) > _SHOWN:
        click.echo(f"... and {len(shown) - _SHOWN} more rejected", err=True)
