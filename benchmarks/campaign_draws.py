"""How much of a pool's best can be found at all: campaigns on several draws of one table of frameworks.

``HSTORE_DATA_MIRROR=... python benchmarks/campaign_draws.py --json`` draws pools of 1,000 rows from
``mof_h2_usable`` in several ways and replays campaigns on each. Beside what the campaigns find of the top 1 %
stands what a forest finds that has seen all other frameworks of the table (about 9,700 labels instead of 60) and
picks as many: where it misses a framework, its seven descriptors do not tell that it is good, and no strategy can
know.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor

from hstore.errors import InputError
from hstore.settings import load_settings
from hstore_models.features.pores import PORE_DESCRIPTORS
from hstore_workflows.campaign.objective import Goal, Objective
from hstore_workflows.campaign.replay import ReplaySettings, replay
from hstore_workflows.campaign.replay_pool import LabelledPool, read_labelled
from hstore_workflows.campaign.replay_score import score, tops_of

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE, GOAL = "mof_h2_usable", "usable_vol_g_L"
ROWS = 1000
_TREES = 200


def whole_table() -> pd.DataFrame:
    """Return the rows of the table as its authors wrote them."""
    mirror = load_settings().data_mirror
    if mirror is None:
        raise InputError("no folder with public data sets; set HSTORE_DATA_MIRROR")
    return pd.read_csv(mirror / TABLE / f"{TABLE}.csv.gz")


def draws(table: pd.DataFrame, sampled: int) -> Iterator[tuple[str, pd.DataFrame]]:
    """Give the name of each draw and its rows: "1,000 rows drawn with seed 0" can be done in more than one way."""
    for seed in range(sampled):
        yield f"pandas sample, random_state {seed}", table.sample(ROWS, random_state=seed)
    rows = np.random.default_rng(0).choice(len(table), ROWS, replace=False)
    yield "numpy default_rng(0).choice", table.iloc[rows]
    yield "numpy default_rng(0).permutation", table.iloc[np.random.default_rng(0).permutation(len(table))[:ROWS]]


def labelled(rows: pd.DataFrame) -> LabelledPool:
    """Return rows as a pool with hidden answers."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pool.csv"
        rows.to_csv(path, index=False)
        return read_labelled(path, Objective((Goal(GOAL),)), PORE_DESCRIPTORS)


def told_by_the_rest(table: pd.DataFrame, drawn: pd.DataFrame, picks: int) -> int:
    """Return how many of the top 1 % are among the best ``picks`` by a forest of all other frameworks."""
    others = table[~table["group"].isin(drawn["group"])]
    both = labelled(pd.concat([drawn, others])).landscape.field_features
    forest = ExtraTreesRegressor(_TREES, random_state=0, n_jobs=-1).fit(both[len(drawn) :], others[GOAL])
    chosen = np.argsort(-forest.predict(both[: len(drawn)]))[:picks]
    return int(tops_of(labelled(drawn)).best[chosen].sum())


def one_draw(table: pd.DataFrame, drawn: pd.DataFrame, settings: ReplaySettings, strategy: str) -> dict[str, Any]:
    """Replay campaigns on one draw and return what they found, beside what could be known."""
    found = score(pool := labelled(drawn), replay(pool, strategy, settings))
    names = ("top_1pct_found_mean", "top_1pct_total", "top_1pct_share", "top_1pct_share_interval")
    return {
        **{name: found[name] for name in (*names, "top_5pct_share", "acceleration_factor")},
        "told_by_the_rest": told_by_the_rest(table, drawn, settings.budget - settings.initial),
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sampled", type=int, default=6, help="draws by pandas (default %(default)s)")
    parser.add_argument("--seeds", type=int, default=30, help="campaigns on each (default %(default)s)")
    parser.add_argument("--strategy", default="hstore", help="(default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    table = whole_table()
    found = {}
    for name, drawn in draws(table, options.sampled):
        found[name] = one_draw(table, drawn, ReplaySettings(seeds=options.seeds), options.strategy)
        if not options.json:
            row = found[name]
            print(
                f"{name}: {row['top_1pct_found_mean']:.1f} of {row['top_1pct_total']} of the top 1 % "
                f"({row['top_1pct_share']:.0%}), {row['top_5pct_share']:.0%} of the top 5 %; "
                f"all other frameworks tell {row['told_by_the_rest']}",
                flush=True,
            )
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
