"""A small campaign for tests: forty alloys that a screen has predicted."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
from click.testing import CliRunner

from hstore_workflows.campaign.objective import Objective, Window
from hstore_workflows.cli import main

CAPACITY = "h2_capacity_wt_pct"
ENTHALPY = "desorption_enthalpy_kj_per_mol_h2"
COMMON = Objective.maximizing(CAPACITY, (Window(ENTHALPY, 25.0, 45.0),))
FIRST_SCHEMA = Path(__file__).with_name("campaigns_v1")


def alloys(n=40, seed=1):
    """A screen's table of La-Ce-Ni-Co-Al alloys."""
    rng = np.random.default_rng(seed)
    x, y, z = rng.uniform(0.05, 0.95, (3, n)).round(3)
    formulas = [
        f"La{a:.3f}Ce{1 - a:.3f}Ni{4 + b:.3f}Co{1 - b:.3f}Al{c / 2:.3f}" for a, b, c in zip(x, y, z, strict=True)
    ]
    score = 1.0 + 0.4 * x - 0.3 * (z - 0.4) ** 2
    return pd.DataFrame({
        "rank": np.arange(1, n + 1), "material_id": [f"a{k:03d}" for k in range(n)], "formula": formulas,
        "family": "interstitial", "known": [k == 3 for k in range(n)], "score": score,
        "in_domain": [k != 5 for k in range(n)],
        "domain_reason": ["cobalt-rich" if k == 5 else "" for k in range(n)],
        f"{CAPACITY}_mean": score, f"{CAPACITY}_std": 0.15,
        f"{ENTHALPY}_mean": 25 + 30 * y, f"{ENTHALPY}_std": 4.0,
    })  # fmt: skip


def write_screen(folder, n=40):
    """Write the folder of a finished screen."""
    folder.mkdir()
    alloys(n).to_parquet(folder / "candidates.parquet")
    (folder / "manifest.json").write_text(json.dumps({"models": {"hydride": "hydride-abc"}}))
    return folder


def write_results(path, rows, columns="material_id,value"):
    path.write_text("\n".join([columns, *rows]) + "\n")
    return path


def run(*arguments):
    return CliRunner().invoke(main, ["campaign", *map(str, arguments)])


def first_schema_home(home):
    """Restore the stored campaign of the first schema."""
    folder = home / "campaigns" / "old"
    folder.mkdir(parents=True)
    shutil.copy(FIRST_SCHEMA / "pool.parquet", folder)
    with closing(sqlite3.connect(home / "campaigns.sqlite")) as database:
        database.executescript((FIRST_SCHEMA / "campaigns.sql").read_text(encoding="utf-8"))
    return home
