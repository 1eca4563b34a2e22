"""Retraining in the loop: results challenge the model, and only a better one renews the predictions."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from hstore.errors import DataError, InputError
from hstore.formula import parse_amounts
from hstore.records import PUBLIC_SCOPE, Scope
from hstore_models.prediction import Query
from hstore_models.registry import Registry
from hstore_models.spec import read_spec
from hstore_models.training import train
from hstore_workflows.campaign import story
from hstore_workflows.campaign.challenging import owner_of, training_table
from hstore_workflows.campaign.objective import Goal, Objective
from hstore_workflows.campaign.places import campaign_folder, open_pool
from hstore_workflows.campaign.report import campaign_report
from hstore_workflows.campaign.retraining import retrain
from tests.workflows.campaign_bench import run

SPEC = """
name = "band_gap"
kind = "property"
summary = "Band gaps."
unit = "eV"
[data]
files = ["gaps.csv"]
[split]
n_folds = 3
[targets.gap_ev]
features = ["hydride"]
low = 0.0
[[targets.gap_ev.learners]]
kind = "extra_trees"
parameters = { n_estimators = 20 }
"""
ELEMENTS = ["Li", "Na", "Mg", "Ca", "Al", "Ti", "Zr", "Y", "Sr", "Ba", "Sc", "La"]
OTHERS = ["K", "Rb", "Cs", "Be", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Nb", "Mo", "Hf", "Ta", "W", "Ce"]


def oxides(metals, n, seed, *, most):
    """Oxides of some metals, whose gap falls with the share of the metal, up to a highest share."""
    rng = np.random.default_rng(seed)
    ratios = rng.uniform(0.2, most, n).round(4)
    formulas = [f"{m}{r}O{3.1:g}" for m, r in zip(np.resize(metals, n), ratios, strict=True)]
    gaps = 8 - 1.4 * ratios + 0.1 * rng.normal(size=n)
    return pd.DataFrame({"formula": formulas, "gap_ev": gaps.clip(0.05).round(3)})


@pytest.fixture
def ready(settings, tmp_path):
    """A public model that knows small shares only, and a campaign on all of them."""
    narrow = oxides(ELEMENTS, 36, 0, most=0.8)
    narrow.to_csv(tmp_path / "gaps.csv", index=False)
    (tmp_path / "gap.toml").write_text(SPEC)
    train(read_spec(tmp_path / "gap.toml"), settings)
    table = oxides(OTHERS, 90, 1, most=5.0)
    pool = table[["formula"]].assign(gap_ev_mean=4.0, gap_ev_std=1.0)
    pool.to_csv(tmp_path / "pool.csv", index=False)
    objective = Objective((Goal("gap_ev"),))
    story.begin(settings, "gaps", tmp_path / "pool.csv", objective, features=("magpie",), retrain_every=30)
    return table


def tell(settings, table, rows, lab="north"):
    cells = [{"formula": f, "gap_ev": v} for f, v in table.iloc[list(rows)].itertuples(index=False)]
    return story.observe(settings, "gaps", cells, lab=lab)


def test_a_better_model_renews_the_predictions_and_stays_with_its_lab(settings, ready):
    before = open_pool(settings, "gaps", story.status(settings, "gaps").config)
    tell(settings, ready, range(60))
    done = run("retrain", "gaps", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    (one,) = told["challenges"]
    assert one["better"], one
    assert one["errors"]["gap_ev"][1] < one["errors"]["gap_ev"][0]
    assert one["moved"]["gap_ev"] > 10
    assert one["rows"] + sum("kept out" in line for line in one["doubtful"]) == 60

    config = story.status(settings, "gaps").config
    after = open_pool(settings, "gaps", config)
    assert config.model_ids == (one["challenger"],)
    truth, new = ready["gap_ev"].to_numpy(), after.prior("gap_ev")
    unseen = slice(60, 90)
    assert np.abs(new.mean - truth)[unseen].mean() < np.abs(4.0 - truth)[unseen].mean()
    assert (before.prior("gap_ev").mean == 4.0).all()
    assert sorted(path.name for path in campaign_folder(settings, "gaps").glob("*.parquet"))[-2:] == [
        "pool.parquet", "predictions-001.parquet"]  # fmt: skip

    registry = Registry(settings.models_dir)
    assert registry.current_id("band_gap") == one["champion"]
    assert registry.current_id("band_gap", "north") == one["challenger"]
    assert one["challenger"] not in {card.model_id for card in registry.cards(PUBLIC_SCOPE)}
    assert registry.serving("band_gap", Scope(lab_id="north")).card.model_id == one["challenger"]
    assert registry.serving("band_gap", Scope(lab_id="south")).card.model_id == one["champion"]
    assert "predictions renewed" in campaign_report(settings, "gaps")


def test_measured_materials_get_the_prediction_that_had_not_seen_them(settings, ready):
    tell(settings, ready, range(60))
    (one,) = retrain(settings, "gaps").challenges
    model = Registry(settings.models_dir).load("band_gap", one.challenger, Scope(lab_id="north"))
    held = model.held_out.set_index("label")["predicted"]
    config = story.status(settings, "gaps").config
    new = open_pool(settings, "gaps", config).prior("gap_ev").mean
    trained = [row for row in range(60) if ready["formula"][row] in held]
    assert len(trained) == one.rows > 50
    assert new[trained] == pytest.approx([held[f] for f in ready["formula"][trained]])
    fitted = model.model.predict("gap_ev", Query.of([parse_amounts(f) for f in ready["formula"][trained]])).mean
    truth = ready["gap_ev"].to_numpy()[trained]
    assert np.abs(new[trained] - truth).mean() > 2 * np.abs(fitted - truth).mean()


def test_rows_that_tell_nothing_new_change_nothing(settings, ready, tmp_path):
    """Noise cannot pass the gate: the predictions of the pool stay, and the campaign says why."""
    noise = ready.assign(gap_ev=np.random.default_rng(5).permutation(ready["gap_ev"]))
    tell(settings, noise, range(0, 90, 3))
    done = retrain(settings, "gaps")
    (one,) = done.challenges
    config = story.status(settings, "gaps").config
    assert not one.better
    assert config.priors_file == ""
    assert one.moved == {}
    assert any("not better" in word for word in one.words())
    assert len(story.status(settings, "gaps").retrainings) == 1


def test_it_waits_until_it_is_due_and_propose_says_so(settings, ready):
    tell(settings, ready, range(10))
    assert "10 of 30 new results" in retrain(settings, "gaps").note
    assert story.propose(settings, "gaps", n=1).retraining == ""
    assert "10 of 40" in run("retrain", "gaps", "--every", 40).stdout
    assert story.status(settings, "gaps").config.retrain_every == 40
    run("retrain", "gaps", "--every", 10)
    assert len(story.status(settings, "gaps").retrainings) == 1
    tell(settings, ready, range(10, 22))
    proposals = json.loads(run("propose", "gaps", "--n", 1, "--json").stdout)
    assert "12 results came since" in proposals["retraining"]
    assert "hstore campaign retrain" in run("propose", "gaps", "--n", 1).stdout


def test_a_column_of_ones_own_is_left_alone(settings, tmp_path):
    table = oxides(OTHERS, 20, 2, most=5.0).rename(columns={"gap_ev": "lustre"})
    table[["formula"]].to_csv(tmp_path / "pool.csv", index=False)
    story.begin(settings, "shiny", tmp_path / "pool.csv", Objective.maximizing("lustre"), retrain_every=1)
    rows = [{"formula": f, "lustre": v} for f, v in table.itertuples(index=False)]
    story.observe(settings, "shiny", rows)
    done = run("retrain", "shiny")
    assert done.exit_code == 0
    assert "no model of hstore predicts lustre" in done.stdout
    assert not story.status(settings, "shiny").retrainings


def test_several_labs_share_the_campaigns_own_lineage(settings, ready):
    tell(settings, ready, range(3), lab="north")
    assert owner_of(story.status(settings, "gaps")) == "north"
    tell(settings, ready, range(3, 6), lab="south")
    status = story.status(settings, "gaps")
    assert owner_of(status) == "campaign-gaps"
    table = training_table(status, open_pool(settings, "gaps", status.config), ["gap_ev"])
    assert set(table["lab_id"]) == {"campaign-gaps"}
    assert table["gap_ev"].tolist() == ready["gap_ev"][:6].tolist()


def test_results_without_a_lab_are_not_public(settings, ready):
    tell(settings, ready, range(3), lab="")
    assert owner_of(story.status(settings, "gaps")) == "campaign-gaps"


def test_predictions_that_were_changed_are_refused(settings, ready):
    tell(settings, ready, range(60))
    (one,) = retrain(settings, "gaps").challenges
    assert one.better
    config = story.status(settings, "gaps").config
    path = campaign_folder(settings, "gaps") / config.priors_file
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(DataError, match="were changed"):
        story.propose(settings, "gaps")


def test_retraining_every_nothing_is_refused(settings, ready):
    with pytest.raises(InputError, match="1 new result"):
        retrain(settings, "gaps", every=0)
