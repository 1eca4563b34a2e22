from importlib.util import find_spec

import numpy as np
import pytest

from hstore.errors import InputError, UnknownNameError
from hstore_models.explain.equation import Equation, best, choose, compete, search

pytestmark = pytest.mark.skipif(find_spec("pyoperon") is None, reason="needs pip install 'hstore[explain]'")

GROUPS = np.array([f"g{row % 30}" for row in range(150)])


@pytest.fixture(scope="module")
def law():
    """y = 2.5 a / b + 0.7 c, among descriptors that do not matter."""
    rng = np.random.default_rng(0)
    values = rng.uniform(1, 3, (150, 6))
    return values, 2.5 * values[:, 0] / values[:, 1] + 0.7 * values[:, 2] + rng.normal(0, 0.02, 150)


def test_the_descriptors_of_a_law_are_chosen(law):
    values, target = law
    assert set(choose(values, target, GROUPS, 3)) == {0, 1, 2}


def test_a_law_is_found_again_and_the_front_falls(law):
    values, target = law
    front = search(values[:, :3], ["a", "b", "c"], target, GROUPS, evaluations=30_000)
    sizes, errors = [one.equation.complexity for one in front], [one.error for one in front]
    assert sizes == sorted(set(sizes))
    assert errors == sorted(errors, reverse=True)
    found = best(front)
    assert found.error < 0.05
    point = np.array([[2.0, 1.5, 2.5]])
    assert found.equation(point)[0] == pytest.approx(2.5 * 2.0 / 1.5 + 0.7 * 2.5, abs=0.1)
    assert search(values[:, :3], ["a", "b", "c"], target, GROUPS, evaluations=30_000) == front


def test_equation_and_black_boxes_are_scored_on_the_same_held_out_groups(law):
    values, target = law
    found = compete(
        values[:, :4], list("abcd"), target, GROUPS, everything=values, keys=[str(row) for row in range(150)],
        target_name="y", n_folds=3, evaluations=10_000,
    )  # fmt: skip
    assert {name for names in found.chosen for name in names} == {"a", "b", "c"}
    scores = found.scores
    assert max(scores[name]["mae"] for name in ("equation", "black_box")) < 0.2 * scores["mean"]["mae"]
    assert found.gap[1] <= found.gap[0] <= found.gap[2]
    assert found.gap[0] == pytest.approx(scores["equation"]["mae"] - scores["black_box"]["mae"])
    for name in found.held_out:
        assert np.isfinite(found.held_out[name]).all()
    for _, out in found.split.held_out():
        assert not set(GROUPS[out]) & set(GROUPS[~out])


def test_answers_stay_within_the_training_values_and_are_never_undefined():
    found = Equation("log(x0) + 1/x1", ("a", "b"), -1.0, 5.0, 6)
    answers = found(np.array([[1.0, 1.0], [-2.0, 1.0], [1.0, 0.0], [1e9, 1.0]]))
    assert answers.tolist() == [1.0, 2.0, 2.0, 5.0]
    assert found.used == (0, 1)
    assert found.latex([r"\mathrm{a}", r"\mathrm{b}"]) == r"\log{\left(\mathrm{a} \right)} + \frac{1}{\mathrm{b}}"


@pytest.mark.parametrize(
    ("change", "message"),
    [({"count": 4}, "1 to 3 descriptors"), ({"groups": ["g"] * 150}, "too few to hold 5 parts out")],
)
def test_what_nobody_could_read_or_hold_out_is_refused(law, change, message):
    values, target = law
    arguments = {"everything": values, "keys": [""] * 150, "target_name": "y", "groups": GROUPS, **change}
    groups = arguments.pop("groups")
    with pytest.raises(InputError, match=message):
        compete(values, list("abcdef"), target, groups, **arguments)


def test_descriptors_that_are_wanted_must_be_there(law):
    values, target = law
    with pytest.raises(UnknownNameError, match="descriptor"):
        compete(
            values, list("abcdef"), target, GROUPS, everything=values, keys=[""] * 150, target_name="y",
            wanted=["z"],
        )  # fmt: skip
