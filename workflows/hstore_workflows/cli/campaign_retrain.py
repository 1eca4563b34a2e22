"""``hstore campaign retrain``: challenge the property models with a campaign's results."""

from __future__ import annotations

import json

import click


@click.command(epilog="Example: hstore campaign retrain alloys --every 25")
@click.argument("name")
@click.option("--every", type=click.IntRange(min=1), help="New results after which it is due, from now on.")
@click.option("--now", is_flag=True, help="Retrain whatever the number of new results.")
@click.option("--json", "as_json", is_flag=True, help="Print what changed as JSON.")
def retrain(name: str, every: int | None, *, now: bool, as_json: bool) -> None:
    """Challenge the models behind campaign NAME with its results, and renew its predictions where they win.

    The results stay with their lab: what is trained on them is seen by it, or by this campaign, alone.
    """
    from hstore.settings import load_settings
    from hstore_workflows.campaign.retraining import retrain as challenge

    done = challenge(load_settings(), name, every=every, now=now, say=lambda line: click.echo(line, err=True))
    if as_json:
        click.echo(json.dumps({"campaign": name, **done.as_json()}, ensure_ascii=False))
        return
    for one in done.challenges:
        for line in one.doubtful:
            click.echo(line, err=True)
        click.echo("\n  ".join(one.words()))
    if done.note:
        click.echo(done.note)
