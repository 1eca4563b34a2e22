"""``hstore physics next``: choices find the best frameworks of a pool in fewer simulations than chance."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from hstore.errors import InputError, UnknownNameError
from hstore_models.features.pores import PORE_DESCRIPTORS
from hstore_workflows.cli import main
from hstore_workflows.physics.next_framework import next_frameworks

ROWS = 200


@pytest.fixture(scope="module")
def pool():
    """Frameworks with made-up pores and a capacity that follows from them."""
    rng = np.random.default_rng(0)
    density = rng.uniform(0.3, 2.0, ROWS)
    void = np.clip(1 - 0.5 * density + 0.05 * rng.standard_normal(ROWS), 0.05, 0.95)
    table = pd.DataFrame(rng.uniform(0.5, 1.5, (ROWS, len(PORE_DESCRIPTORS))), columns=list(PORE_DESCRIPTORS))
    table = table.assign(
        name=[f"f{i}" for i in range(ROWS)], density_g_cm3=density, void_fraction=void,
        pore_volume_cm3_g=void / density, gsa_m2_g=3000 * void, vsa_m2_cm3=3000 * void * density,
        lcd_A=20 * void, pld_A=12 * void,
    )  # fmt: skip
    return table.assign(usable_capacity_g_per_l=40 * void * (1 - 0.3 * void) + 0.3 * rng.standard_normal(ROWS))


def test_choices_find_the_best_sooner_than_chance(pool):
    best = set(pool.nlargest(5, "usable_capacity_g_per_l")["name"])
    hidden, done = pool.drop(columns="usable_capacity_g_per_l"), pool.iloc[:8]
    for _ in range(6):
        names = [choice.name for choice in next_frameworks(hidden, done, n=4, seed=1)]
        assert not set(names) & set(done["name"])
        done = pd.concat([done, pool[pool["name"].isin(names)]])
    assert len(best & set(done["name"])) >= 3  # by chance 0.8 of 5 are among 32 of 200


def test_failed_simulations_are_not_asked_again(pool):
    done = pool.iloc[:10].assign(usable_capacity_g_per_l=[np.nan] * 5 + [1.0, 2.0, 3.0, 4.0, 5.0])
    names = {choice.name for choice in next_frameworks(pool, done, n=ROWS, seed=0)}
    assert not names & set(done["name"])


def test_the_command_answers_without_anything_done(pool, tmp_path):
    pool.to_csv(tmp_path / "pool.csv", index=False)
    done = CliRunner().invoke(main, ["physics", "next", str(tmp_path / "pool.csv"), "--n", "3", "--json"])
    assert done.exit_code == 0, done.output
    assert len({choice["name"] for choice in json.loads(done.stdout)}) == 3


def test_tables_that_do_not_fit_say_why(pool):
    with pytest.raises(InputError, match="the pool lacks lcd_A"):
        next_frameworks(pool.drop(columns="lcd_A"), pd.DataFrame())
    with pytest.raises(InputError, match="more than once"):
        next_frameworks(pd.concat([pool, pool.iloc[:1]]), pd.DataFrame())
    with pytest.raises(UnknownNameError, match="unknown framework 'f999'"):
        next_frameworks(pool, pool.iloc[:1].assign(name="f999"))
    with pytest.raises(UnknownNameError, match="unknown column 'capacity'"):
        next_frameworks(pool, pool.iloc[:1], goal="capacity")
