"""The main job: stream a pool of candidates through the models, rank it, and write what a reader needs."""

from __future__ import annotations

import json
import platform
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.errors import InputError
from hstore.objective import pareto_front
from hstore.workers import peak_memory_mib
from hstore_data.catalog import get_card
from hstore_data.computed import HYDRIDES
from hstore_models.training import ensure
from hstore_models.training_data import CURATED_SETS, PUBLIC_SETS
from hstore_workflows.scoring import MODELS_OF_KIND, score_chunk

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hstore.settings import Settings
    from hstore_data.table import RejectedRow
    from hstore_models.registry import LoadedModel
    from hstore_workflows.pool import Pool
    from hstore_workflows.target import Target

PARETO_AXES = {
    "hydride": ("p_window", "h2_capacity_wt_pct_mean"),
    "sorbent": ("usable_capacity_wt_pct_mean", "usable_capacity_g_per_l_mean"),
    "electrolyte": ("log10_conductivity_s_per_cm_mean", "activation_energy_ev_mean"),
}
"""Kind of target -> the two columns whose Pareto front is marked."""

_SMALLER_IS_BETTER = frozenset({"activation_energy_ev_mean"})

OUTPUT_FILES = frozenset({"candidates.csv", "candidates.parquet", "rejected.csv", "manifest.json", "report.html"})
"""Everything in the folder of a screen."""

_RANKING = ("rank", "pareto")

_LIBRARIES = (
    "hstore",
    "CoolProp",
    "matminer",
    "numpy",
    "pandas",
    "pyarrow",
    "pymatgen",
    "scikit-learn",
    "scipy",
)


@dataclass(frozen=True)
class ScreenResult:
    """A finished screen, ready to be written and drawn."""

    target: Target
    """What was ranked for."""
    candidates: pd.DataFrame
    """Every candidate that was not rejected, best first, with ``rank`` from 1."""
    rejects: list[RejectedRow]
    """Rows that could not be used, with their causes."""
    models: dict[str, LoadedModel]
    """Models that answered."""
    sanity: pd.DataFrame
    """Known materials with measured and held-out predicted values: ``property, unit, label, source, measured,
    predicted, lower, upper``."""
    manifest: dict[str, Any]
    """Command, versions, checksums, model ids, seeds, time and memory."""


def run_screen(
    target: Target,
    pool: Pool,
    settings: Settings,
    *,
    command: str = "",
    say: Callable[[str], None] = lambda _: None,
) -> ScreenResult:
    """Rank a pool of candidates for a target.

    Args:
        target: what to rank for.
        pool: candidates.
        settings: where data and models are, and the seed.
        command: command line for the manifest.
        say: told in one line what is being done.

    Raises:
        InputError: no usable candidate.
    """
    started = time.perf_counter()
    models = {name: ensure(name, settings, say=say) for name in MODELS_OF_KIND[target.kind]}
    trained = time.perf_counter()
    parts = []
    for chunk in pool.chunks:
        scored = score_chunk(target, chunk.query, models)
        parts.append(_beside(pd.concat([chunk.identity, scored], axis=1), chunk.own))
        say(f"scored {sum(map(len, parts)):,} candidates")
    if not parts:
        raise InputError(f"no usable candidate in {pool.source}; {len(pool.rejects)} rows were rejected")
    candidates = rank(pd.concat(parts, ignore_index=True), target)
    manifest = _manifest(target, pool, models, settings, command)
    manifest["counts"] = {"candidates": len(candidates), "rejected": len(pool.rejects)}
    manifest["time_s"] = {
        "training": round(trained - started, 2),
        "screening": round(time.perf_counter() - trained, 2),
    }
    manifest["peak_memory_mib"] = round(peak_memory_mib(), 1)
    return ScreenResult(target, candidates, pool.rejects, models, _sanity(models), manifest)


def _beside(results: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """Append a user's own columns; one whose name is taken gets the prefix ``given_``."""
    taken = {*results, *_RANKING}
    names = []
    for name in map(str, own):
        while name in taken:
            name = f"given_{name}"  # noqa: PLW2901 - a table made from an earlier screen may need it twice
        taken.add(name)
        names.append(name)
    return pd.concat([results, own.set_axis(names, axis=1)], axis=1)


def rank(candidates: pd.DataFrame, target: Target) -> pd.DataFrame:
    """Order candidates by score, ties by identifier, and mark the Pareto front of believed candidates."""
    candidates["pareto"] = pareto_front(objectives_of(candidates, target.kind))
    ordered = candidates.sort_values(["score", "material_id"], ascending=[False, True], kind="stable")
    ordered = ordered.reset_index(drop=True)
    ordered.insert(0, "rank", np.arange(1, len(ordered) + 1))
    return ordered


def objectives_of(candidates: pd.DataFrame, kind: str) -> NDArray[np.float64]:
    """Return the two columns of :data:`PARETO_AXES`, both to be maximized, NaN outside the domain, ``(n, 2)``."""
    axes = PARETO_AXES[kind]
    objectives = candidates[list(axes)].to_numpy(dtype=float)
    objectives[:, [column in _SMALLER_IS_BETTER for column in axes]] *= -1.0
    return np.where(candidates["in_domain"].to_numpy()[:, None], objectives, np.nan)


def write_screen(result: ScreenResult, folder: Path) -> None:
    """Write tables, manifest and report so that the folder is complete or not there at all.

    Raises:
        InputError: the folder exists and holds something other than an earlier screen.
    """
    from hstore_workflows.report import render_report

    refuse_foreign_folder(folder)
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        result.candidates.to_csv(scratch / "candidates.csv", index=False, float_format="%.6g", lineterminator="\n")
        result.candidates.to_parquet(scratch / "candidates.parquet", index=False)
        rejected = pd.DataFrame([asdict(r) for r in result.rejects], columns=["row", "formula", "cause"])
        rejected.to_csv(scratch / "rejected.csv", index=False, lineterminator="\n")
        text = json.dumps(result.manifest, indent=2, ensure_ascii=False, sort_keys=True)
        (scratch / "manifest.json").write_text(text + "\n", encoding="utf-8")
        (scratch / "report.html").write_text(render_report(result), encoding="utf-8")
        scratch.chmod(0o755)
        _put_in_place(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _put_in_place(scratch: Path, folder: Path) -> None:
    """Rename a finished folder; what it replaces is deleted only when that has worked."""
    if not folder.exists():
        scratch.rename(folder)
        return
    old = scratch.with_name(f"{scratch.name}-old")
    folder.rename(old)
    try:
        scratch.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old)


def refuse_foreign_folder(folder: Path) -> None:
    """Raise when a folder holds anything that a screen did not write, for all of it would be replaced.

    Raises:
        InputError: it is or lies below a file, or holds other files than those of a whole screen.
    """
    folder = folder.resolve()
    blocking = next((place for place in (folder, *folder.parents) if place.is_file()), None)
    if blocking:
        raise InputError(f"{blocking} is a file; give a folder for --out")
    found = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    if found and found != OUTPUT_FILES:
        foreign = sorted(found - OUTPUT_FILES)[:3] or ["only part of a screen"]
        raise InputError(
            f"{folder} is not empty and not an earlier screen (it holds {', '.join(foreign)}); "
            "give another folder for --out"
        )


def _manifest(
    target: Target, pool: Pool, models: dict[str, LoadedModel], settings: Settings, command: str
) -> dict[str, Any]:
    return {
        "command": command,
        "target": json.loads(target.model_dump_json(exclude_none=True)),
        "pool": pool.source,
        "pool_checksums": pool.checksums,
        "models": {name: loaded.card.model_id for name, loaded in models.items()},
        "data_checksums": {k: v for loaded in models.values() for k, v in sorted(loaded.card.checksums.items())},
        "computed_sets": {HYDRIDES: get_card(HYDRIDES).sha256} if target.kind == "hydride" else {},
        "rows_by_source": {name: loaded.card.rows_by_source for name, loaded in models.items()},
        "absent_public_sets": {
            name: missing
            for name, loaded in models.items()
            if (missing := [s for s in PUBLIC_SETS[name] if s not in loaded.card.rows_by_source])
        },
        "seed": settings.seed,
        "versions": {name: version(name) for name in _LIBRARIES} | {"python": platform.python_version()},
        "machine": {"system": platform.system(), "processor": platform.machine()},
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _sanity(models: dict[str, LoadedModel]) -> pd.DataFrame:
    """Held-out predictions of the curated rows, which are the materials a reader knows."""
    frames = [loaded.held_out[loaded.held_out["source"] == CURATED_SETS[name]] for name, loaded in models.items()]
    return pd.concat(frames, ignore_index=True)
