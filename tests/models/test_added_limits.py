"""Values that no training row can have: outside the limits of a spec, or more hydrogen than the metals hold."""

from __future__ import annotations

import pandas as pd
import pytest

from hstore_models.added_rows import read_added_rows
from hstore_models.spec import Spec

NOTHING_KNOWN = pd.DataFrame({"composition": pd.Series(dtype=object)})


def spec_of(**target):
    learners = [{"kind": "extra_trees"}]
    return Spec(
        name="release", kind="property", summary="s", unit="K",
        data={"files": ["release.csv"]},
        targets={"release_k": {"features": ["magpie"], "learners": learners, **target}},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("target", "cause"),
    [
        ({"low": 0.0}, "release_k must be 0 or more by the spec, got -289 K"),
        ({"high": -300.0}, "release_k must be -300 or less by the spec, got -289 K"),
        ({"transform": "log"}, "must be above 0, for its logarithm is learned, by the spec, got -289 K"),
        ({"transform": "sqrt"}, "must be 0 or more, for its root is learned, by the spec, got -289 K"),
    ],
    ids=["low", "high", "log", "sqrt"],
)
def test_a_target_beyond_the_spec_is_rejected_with_the_cause(target, cause):
    good = -301.0 if "high" in target else 291.0
    frame = pd.DataFrame({"formula": ["LaNi5", "LaNi4.9Fe0.1"], "release_k": [good, -289.0]})
    added = read_added_rows(frame, spec_of(**target), known=NOTHING_KNOWN)
    assert added.rows["release_k"].tolist() == [good]
    ((row, said),) = [(reject.row, reject.cause) for reject in added.rejects]
    assert row == 2
    assert cause in said


def test_without_limits_any_number_trains():
    frame = pd.DataFrame({"formula": ["LaNi5", "TiFe"], "release_k": [291.0, -289.0]})
    assert len(read_added_rows(frame, spec_of(), known=NOTHING_KNOWN).rows) == 2


def test_more_hydrogen_than_metals_hold_is_kept_out_of_training():
    frame = pd.DataFrame(
        {
            "formula": ["TiFe", "ZrMn1.5Fe0.5", "Li", "LiBH4"],
            "h2_capacity_wt_pct": [1.74, 17.4, 12.6, 18.4],
        }
    )
    added = read_added_rows(frame, "hydride_capacity", known=NOTHING_KNOWN)
    assert added.rows["formula"].tolist() == ["TiFe", "Li", "LiBH4"]
    ((row, said),) = [(suspect.row, suspect.cause) for suspect in added.suspects if not suspect.trained]
    assert row == 2
    assert "h2_capacity_wt_pct 17.4 would be 14 H per metal atom; no hydride has more than 4.5" in said
