"""Gate: a challenger takes the champion's place only where it is better beyond the noise."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from hstore.errors import InputError, UnknownNameError
from hstore_models.gate import compare, with_parent_answers

PROPERTY = "h2_capacity_wt_pct"


def table(scale=1.0, *, groups=80, rows=3, seed=0, own=0.0, width=3.0, name=PROPERTY, families=("AB5", "AB2")):
    """Held-out rows: errors shared by all tables of one seed, times a scale, with some of the table's own."""
    random, other = np.random.default_rng(seed), np.random.default_rng(seed + 1000)
    n = groups * rows
    measured = random.normal(10.0, 3.0, n)
    error = random.normal(size=n) + np.repeat(random.normal(size=groups), rows)
    predicted = measured + scale * error + own * other.normal(size=n)
    group = np.repeat([f"g{i}" for i in range(groups)], rows)
    return pd.DataFrame(
        {
            "property": name, "unit": "wt%", "label": [f"m{i}" for i in range(n)], "source": "test",
            "group": group, "family": np.repeat([families[i % len(families)] for i in range(groups)], rows),
            "measured": measured, "predicted": predicted, "lower": predicted - width, "upper": predicted + width,
            "fold": 0,
        }
    )  # fmt: skip


def model(held_out, name="a", model="capacity", parent=None, answers=None):
    """What the gate needs of a loaded model."""
    card = SimpleNamespace(model=model, model_id=name, parent=parent)
    predictor = SimpleNamespace(predict=lambda _, __: SimpleNamespace(mean=answers))
    return SimpleNamespace(card=card, held_out=held_out, model=predictor)


def judge(champion, challenger, **settings):
    return compare(model(champion, "old"), model(challenger, "new"), **settings)


@pytest.mark.parametrize("metric", ["mae", "median_error", "rmse"])
def test_less_error_is_better_and_more_is_worse(metric):
    better, worse = judge(table(1.0), table(0.8), metric=metric), judge(table(0.8), table(1.0), metric=metric)
    assert better.better
    assert not worse.better
    assert better.properties[0].outcome == "better"
    assert worse.properties[0].outcome == "worse"
    assert better.properties[0].errors.difference == pytest.approx(-worse.properties[0].errors.difference)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("mae", lambda e: np.mean(np.abs(e))), ("rmse", lambda e: np.sqrt(np.mean(e**2))),
        ("median_error", lambda e: np.median(np.abs(e))),
    ],
    ids=["mae", "rmse", "median_error"],
)  # fmt: skip
@pytest.mark.parametrize("rows", [1, 2])
def test_errors_are_those_of_the_shared_rows(metric, expected, rows):
    old, new = table(1.0, rows=rows), table(0.8, rows=rows)
    errors = judge(old, new.iloc[:-5], metric=metric).properties[0].errors
    shared = old.iloc[:-5]
    assert errors.champion == pytest.approx(expected(shared["predicted"] - shared["measured"]))
    assert errors.n == len(old) - 5


def test_a_model_is_not_better_than_itself():
    verdict = judge(table(), table())
    assert not verdict.better
    assert verdict.properties[0].errors.difference == 0
    assert verdict.reasons[0].startswith(f"{PROPERTY}: no difference")


def test_a_difference_within_the_noise_is_none():
    verdict = judge(table(0.7, own=0.9), table(0.7, own=0.9).assign(predicted=table(0.69, own=0.9)["predicted"]))
    assert verdict.properties[0].outcome in {"no difference", "better"}
    assert not judge(table(own=1.0, seed=3), reshuffled(table(own=1.0, seed=3))).better


def reshuffled(rows):
    """The same rows with errors in another order: as good, but different."""
    errors = (rows["predicted"] - rows["measured"]).to_numpy()
    errors = np.random.default_rng(9).permutation(errors)
    return rows.assign(predicted=rows["measured"] + errors)


def test_rows_are_paired_by_what_they_are_whatever_their_order():
    new = table(0.8).sample(frac=1.0, random_state=0)
    assert judge(table(), new).properties[0] == judge(table(), table(0.8)).properties[0]


def test_rounding_does_not_part_a_row_from_itself():
    new = table(0.8)
    new["measured"] *= 1 + 1e-14
    assert judge(table(), new).properties[0].unshared == 0


def test_repeats_of_a_row_are_paired_one_by_one():
    old, new = table(), table(0.8)
    twice = judge(pd.concat([old, old]), pd.concat([new, new])).properties[0]
    assert twice.errors.n == 2 * len(old)
    assert twice.unshared == 0


def test_rows_that_only_one_has_are_counted_and_not_compared():
    result = judge(table(), pd.concat([table(0.8), table(50.0, seed=5).assign(source="added")])).properties[0]
    assert result.errors.n == len(table())
    assert result.unshared == len(table())


@pytest.fixture
def added():
    """Rows of new chemistry, of 40 groups, that only the challenger has."""
    rows = table(0.5, groups=40, seed=7).assign(source="added")
    return rows.assign(group="new " + rows["group"])


def answered(added, champion, answers, **settings):
    """The challenger's table, with what the champion answers to new groups."""
    both = pd.concat([table(), added], ignore_index=True)
    parent = model(champion, "old", answers=answers(both))
    return with_parent_answers(both, parent, {PROPERTY: range(len(both))}, **settings)


def test_new_chemistry_counts_where_the_champion_answered_without_having_seen_it(added):
    """Two models alike on the old rows; the champion is far off on the new ones, the challenger is not."""
    held_out = answered(added, table(), lambda rows: rows["measured"].to_numpy() + 5.0)
    assert held_out["parent_predicted"].notna().sum() == len(added)
    verdict = compare(model(table(), "old"), model(held_out, "new", parent="old"))
    assert verdict.better
    result = verdict.properties[0]
    assert (result.new, result.errors.n, result.unshared) == (len(added), len(added) + len(table()), 0)
    assert f"; {len(added)} of the rows are new to the one in use" in verdict.reasons[0]


def test_a_champion_that_is_better_on_new_chemistry_stays(added):
    held_out = answered(added, table(), lambda rows: rows["measured"].to_numpy())
    verdict = compare(model(table(), "old"), model(held_out, "new", parent="old"))
    assert verdict.properties[0].outcome == "worse"


def test_groups_the_champion_was_trained_on_do_not_count(added):
    held_out = answered(added, table(), lambda rows: rows["measured"] + 5.0, seen=set(added["group"]))
    assert held_out["parent_predicted"].isna().all()
    assert not compare(model(table(), "old"), model(held_out, "new", parent="old")).better


def test_answers_of_another_champion_do_not_count(added):
    held_out = answered(added, table(), lambda rows: rows["measured"].to_numpy() + 5.0)
    result = compare(model(table(), "old"), model(held_out, "new", parent="older")).properties[0]
    assert (result.new, result.unshared) == (0, len(added))


def test_pressures_are_answered_in_their_logarithm(added):
    logs = added.assign(unit="ln(P / bar) at 25 degC")
    parent = model(table(), "old", answers=np.full(len(logs), np.exp(2.0)))
    told = with_parent_answers(logs, parent, {PROPERTY: range(len(logs))})
    assert np.allclose(told["parent_predicted"], 2.0)


def test_every_row_needs_its_input(added):
    with pytest.raises(InputError, match="has 120 held-out rows and 3 inputs"):
        with_parent_answers(added, model(table()), {PROPERTY: range(3)})


def test_groups_are_the_units_of_the_noise():
    """Copies of each row add no knowledge."""

    def width(rows):
        copies = [table(own=0.5, seed=4).assign(label=f"{i}") for i in range(rows)]
        others = [table(0.9, own=0.7, seed=4).assign(label=f"{i}") for i in range(rows)]
        errors = judge(pd.concat(copies), pd.concat(others)).properties[0].errors
        return errors.high - errors.low

    assert width(4) == pytest.approx(width(1), rel=0.01)


def test_false_alarms_are_as_rare_as_stated():
    """Two models that are equally good: each is found better in about one of twenty comparisons."""
    found = [judge(table(0.7, own=0.5, seed=i), mirrored(i)).better for i in range(60)]
    assert np.mean(found) <= 0.12


def mirrored(seed):
    """A table as good as ``table(0.7, own=0.5, seed=seed)`` with other errors of its own."""
    rows = table(0.7, seed=seed)
    noise = np.random.default_rng(seed + 5000).normal(size=len(rows))
    return rows.assign(predicted=rows["predicted"] + 0.5 * noise)


def test_few_groups_are_not_judged():
    verdict = judge(table(groups=9), table(0.5, groups=9))
    assert not verdict.better
    assert "of 9 groups, 10 are needed" in verdict.reasons[0]


def test_without_shared_rows_nothing_can_be_said():
    verdict = judge(table(), table(0.5, seed=8))
    assert not verdict.better
    assert "no held-out row is shared" in verdict.reasons[0]


def test_intervals_that_promise_too_much_are_refused():
    verdict = judge(table(), table(0.8, width=0.8))
    assert not verdict.better
    assert any("90 % intervals cover" in reason and "groups as units" in reason for reason in verdict.reasons)
    assert verdict.properties[0].coverage < 0.8


def test_a_family_made_worse_is_named():
    old, new = table(families=("AB5", "AB2", "A2B")), table(0.6, families=("AB5", "AB2", "A2B"))
    hurt = new["family"] == "A2B"
    new.loc[hurt, "predicted"] = (old["measured"] + 1.5 * (old["predicted"] - old["measured"]))[hurt]
    new = new.assign(lower=new["predicted"] - 4.0, upper=new["predicted"] + 4.0)
    verdict = judge(old, new)
    assert verdict.properties[0].outcome == "better"
    assert not verdict.better
    assert list(verdict.properties[0].worse_families) == ["A2B"]
    assert "family A2B is made worse by more than 10%" in verdict.reasons[0]
    assert judge(old, new, family_tolerance=0.6).better


def test_a_small_family_is_not_judged_by_itself():
    old = table()
    old.loc[:8, "family"] = "rare"
    new = table(0.8)
    new.loc[:8, "family"] = "rare"
    new.loc[:8, "predicted"] = old["measured"] + 1.3 * (old["predicted"] - old["measured"])
    assert judge(old, new).properties[0].worse_families == {}


def test_a_family_of_one_group_is_judged_by_its_rows():
    old, new = table(), table(0.7)
    for rows in (old, new):
        rows.loc[:19, ["family", "group"]] = "one"
    new.loc[:19, "predicted"] = (old["measured"] + 4.0)[:20]
    assert list(judge(old, new).properties[0].worse_families) == ["one"]


def test_one_property_worse_is_enough_against_it():
    both = pd.concat([table(), table(name="x")])
    verdict = judge(both, pd.concat([table(0.7), table(1.5, width=5.0, name="x")]))
    assert [p.outcome for p in verdict.properties] == ["better", "worse"]
    assert not verdict.better
    assert verdict.reasons[0].startswith("x: worse")


def test_a_property_that_is_lost_speaks_against_it():
    verdict = judge(pd.concat([table(), table(name="x")]), table(0.7))
    assert not verdict.better
    assert "x: the challenger has no held-out rows of it" in verdict.reasons


def test_tables_without_group_and_family_are_compared_by_label():
    old, new = (t.drop(columns=["group", "family", "fold"]) for t in (table(), table(0.8)))
    result = judge(old, new).properties[0]
    assert result.errors.groups == len(old)


def test_same_seed_same_verdict():
    assert judge(table(), table(0.95, own=0.2)) == judge(table(), table(0.95, own=0.2))
    assert judge(table(), table(0.95, own=0.2), seed=1) != judge(table(), table(0.95, own=0.2))


def test_the_verdict_prints_well_and_is_json():
    verdict = judge(table(), table(0.8))
    head, _, columns, row, _, answer, reason = str(verdict).splitlines()
    assert head == "new against old, the one to replace; mae on held-out rows"
    assert columns.split()[:5] == ["property", "unit", "rows", "new", "groups"]
    assert row.split()[:5] == [PROPERTY, "wt%", "240", "0", "80"]
    assert columns.index("outcome") == row.index("better")
    assert answer == "better:"
    assert "instead of" in reason
    record = json.loads(json.dumps(verdict.record(), allow_nan=False))
    assert record["properties"][0]["errors"]["difference"] < 0
    lost = judge(table(), table(name="x")).record()
    assert json.dumps(lost, allow_nan=False)


def test_bad_requests_are_refused():
    with pytest.raises(UnknownNameError, match="unknown metric 'mea'; did you mean 'mae'"):
        judge(table(), table(), metric="mea")
    with pytest.raises(InputError, match="a and b are different models"):
        compare(model(table(), "b", "other"), model(table(), "a"))
