import json
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from hstore.errors import InputError, UnknownNameError
from hstore_models.explain.causal.knowledge import Knowledge, curated
from hstore_workflows.explain.causes import find_causes, prepare, read_data

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # of the packages that lingam brings
    pytest.mark.skipif(
        not all(map(find_spec, ("lingam", "causallearn", "dowhy"))), reason="needs pip install 'hstore[explain]'"
    ),
]


@pytest.fixture(scope="module")
def table():
    """b follows from a, the target from b; c follows from a and does nothing."""
    rng = np.random.default_rng(0)
    noise = rng.uniform(-1, 1, (4, 300))
    a = noise[0]
    b, c = a + noise[1], a + noise[2]
    return pd.DataFrame({"a": a, "b": b, "c": c, "y": 2 * b + noise[3]})


KNOWN = Knowledge.model_validate({
    "unsaid": "made up",
    "variable": [
        {"name": "a", "reason": "r"}, {"name": "b", "words": "the middle", "reason": "r"},
        {"name": "c", "reason": "r"}, {"name": "y", "tier": 1, "outcome": True, "reason": "r"},
    ],
})  # fmt: skip


@pytest.mark.long
def test_causes_are_found_their_effects_kept_and_the_bystander_refuted(table):
    found = find_causes(table, "y", KNOWN, draws=20, simulations=10)
    told = found.as_json()
    arrows = {(edge["from"], edge["to"]) for edge in told["edges"]["lingam"] if edge["stable"]}
    assert {("a", "b"), ("a", "c"), ("b", "y")} <= arrows
    effects = {effect["cause"]: effect for effect in told["effects"]}
    assert effects["b"]["slope"] == pytest.approx(2.0, abs=0.2)
    assert effects["a"]["slope"] == pytest.approx(2.0, abs=0.3), "the whole way, over b"
    assert not effects["a"]["refuted"]
    assert not effects["b"]["refuted"]
    assert effects["c"]["refuted"]
    assert json.loads(json.dumps(told)) == told
    lines = "\n".join(found.text())
    assert "the middle: +" in lines
    assert "what these data cannot say" in lines
    assert "made up" in lines
    assert find_causes(table, "y", KNOWN, draws=20, simulations=10).as_json() == told


def test_the_figure_is_drawn(table, tmp_path):
    from hstore_workflows.explain.figure import draw_causes

    draw_causes(find_causes(table, "y", KNOWN, draws=10, simulations=10), tmp_path / "causes.png")
    assert (tmp_path / "causes.png").stat().st_size > 10_000


def test_rows_that_are_left_out_are_counted_with_the_reason():
    known = curated("electrolyte")
    frame, _ = read_data("electrolyte", None)
    prepared = prepare(frame, "conductivity_s_per_cm", known)
    assert len(prepared.table) + sum(prepared.dropped.values()) == len(frame)
    assert set(prepared.dropped) >= {"other mobile_ion", "only a bound of the value is known"}
    assert np.isfinite(prepared.table.to_numpy()).all()
    assert prepared.table["conductivity_s_per_cm"].max() < 0, "a decimal logarithm"
    assert len(prepared.groups) == len(prepared.table)


def test_other_outcomes_are_left_out():
    frame, known = read_data("interstitial", None)
    columns = list(prepare(frame, "h2_capacity_wt_pct", known).table)
    assert "desorption_enthalpy_kj_per_mol_h2" not in columns


def test_what_cannot_be_searched_is_refused_with_the_way_out(table, tmp_path):
    with pytest.raises(UnknownNameError, match="target"):
        prepare(table, "z", KNOWN)
    with pytest.raises(InputError, match="at least 20 are needed"):
        prepare(table.head(10), "y", KNOWN)
    with pytest.raises(InputError, match="neither a file nor one of interstitial"):
        read_data("interstitials", None)
    path = tmp_path / "own.csv"
    table.to_csv(path, index=False)
    with pytest.raises(InputError, match="give --background"):
        read_data(path, None)
    missing = Knowledge.model_validate({
        "variable": [{"name": "mean_radius_pm", "reason": "r"}, {"name": "y", "reason": "r"}]
    })  # fmt: skip
    with pytest.raises(InputError, match="give a formula column"):
        prepare(table, "y", missing)


def test_the_command_prints_json(hstore, table, tmp_path):
    table.to_csv(tmp_path / "own.csv", index=False)
    (tmp_path / "known.toml").write_text(
        "".join(f'[[variable]]\nname = "{name}"\nreason = "r"\n' for name in "abcy")
        + '[[forbidden]]\ncause = "y"\neffect = "b"\nreason = "made after it"\n'
    )
    done = hstore(
        "explain", "causes", "--data", "own.csv", "--target", "y", "--background", "known.toml",
        "--draws", "10", "--simulations", "10", "--figure", "graph.svg", "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["rows"] == 300
    assert (tmp_path / "graph.svg").is_file()
    refused = hstore("explain", "causes", "--data", "own.csv", "--target", "y", "--figure", "graph.gif")
    assert refused.exit_code == 2
    assert ".png" in refused.stderr
