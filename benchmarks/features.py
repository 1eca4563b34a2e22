"""Measure structure features: structures per second of hstore and of matminer, on the same structures in one run.

matminer runs as its documentation says, ``featurizer.featurize_many`` on pymatgen structures, once with its own
number of jobs and once serially; the faster of the two is the peer. hstore runs through its own worker processes,
from the arrays a store holds, without a cache. Both have loaded their libraries before the clock starts. Charges
that matminer's Ewald sum needs are ours, given to it for free. Values are compared on every structure; where the
featurizer states a tolerance, ``outside`` counts the values beyond it.

With a cache, the first run writes it and the second one reads it. ``--memory`` measures the memory of the calling
process while it describes 1,000 and 20,000 structures.

Example: ``python benchmarks/features.py --structures 40 --json``
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore_models.features.cache import FeatureCache
from hstore_models.features.structure.compute import Describer
from hstore_models.features.structure.menu import featurizers

sys.path.insert(0, str(Path(__file__).parent))
from structures import enumerated

if TYPE_CHECKING:
    from collections.abc import Callable

    from hstore.crystal import Crystal
    from hstore_models.features.structure.featurizer import StructureFeaturizer

_REPEATS = 3
_ENOUGH_SECONDS = 3.0
_WARM_SECONDS = 2.0
"""After so long all workers have loaded their libraries and worked."""
_MEMORY_COUNTS = (1000, 20000)
_CACHED_CRYSTALS = 500
_PEER = re.compile(r"([a-z_.]+):(\w+)")


def shortest(run: Callable[[], Any]) -> tuple[float, Any]:
    """Return the shortest of up to three times of a run, and its result; a long run is timed once."""
    times: list[float] = []
    result = None
    while len(times) < _REPEATS and sum(times) < _ENOUGH_SECONDS:
        started = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - started)
    return min(times), result


def peer_of(featurizer: StructureFeaturizer) -> Any:
    """Build the matminer featurizer a featurizer answers to."""
    names = {
        name: getattr(importlib.import_module(module), name) for module, name in _PEER.findall(featurizer.matminer)
    }
    return eval(_PEER.sub(r"\2", featurizer.matminer), names)  # text of our own menu


def inputs_of(featurizer: StructureFeaturizer, crystals: list[Crystal]) -> list[Any]:
    """Prepare what matminer reads; not part of its time."""
    structures = [crystal.to_pymatgen() for crystal in crystals]
    if featurizer.compute_amounts is not None:
        return [s.composition for s in structures]
    if featurizer.name == "soap":  # ours takes all atoms as one element
        return [type(s)(s.lattice, ["H"] * len(s), s.frac_coords) for s in structures]
    if featurizer.name == "ewald":
        from hstore_models.features.structure.oxidation import oxidation_states

        for structure, crystal in zip(structures, crystals, strict=True):
            states = oxidation_states(crystal.amounts) or dict.fromkeys(crystal.amounts, 0.0)
            structure.add_oxidation_state_by_element(states)
    return structures


def measure_ours(chosen: list[StructureFeaturizer], crystals: list[Crystal]) -> tuple[float, np.ndarray]:
    """Return seconds and values, with workers that have all run before."""
    with Describer(chosen) as describer:
        describer.describe(crystals)  # starts the workers, whose libraries may take long to load
        started = time.perf_counter()
        while time.perf_counter() - started < _WARM_SECONDS:
            describer.describe(crystals)
        seconds, described = shortest(lambda: describer.describe(crystals))
        return seconds, described.values


def measure_matminer(featurizer: StructureFeaturizer, crystals: list[Crystal]) -> tuple[float, np.ndarray]:
    """Return the seconds of its faster way and its values, NaN where it fails."""
    given = inputs_of(featurizer, crystals)
    seconds = []
    values: np.ndarray = np.empty(0)
    for jobs in (1, os.cpu_count() or 1):
        peer = peer_of(featurizer)
        peer.set_n_jobs(jobs)
        peer.fit(given)
        peer.featurize_many(given[:2], ignore_errors=True, pbar=False)
        passed, rows = shortest(lambda peer=peer: peer.featurize_many(given, ignore_errors=True, pbar=False))
        seconds.append(passed)
        values = np.array(rows, dtype=object)
    text = np.array([[isinstance(v, str) for v in row] for row in values]).any(axis=0)
    return min(seconds), values[:, ~text].astype(float)


def compare(featurizer: StructureFeaturizer, ours: np.ndarray, theirs: np.ndarray) -> dict[str, Any]:
    """Count where the values differ by more than the featurizer states."""
    if ours.shape != theirs.shape:
        return {"comparable": False, "ours": ours.shape, "matminer": theirs.shape}
    both = np.isfinite(ours) & np.isfinite(theirs)
    difference = np.abs(ours - theirs) / np.fmax(1.0, np.fmax(np.abs(ours), np.abs(theirs)))
    outside = both & (difference > featurizer.tolerance)
    return {
        "compared": int(both.sum()),
        "outside": int(outside.sum()),
        "structures_outside": int(outside.any(axis=1).sum()),
        "largest_difference": float(np.where(both, difference, 0.0).max(initial=0.0)),
        "only_ours": int((np.isfinite(ours) & ~np.isfinite(theirs)).any(axis=1).sum()),
        "only_matminer": int((~np.isfinite(ours) & np.isfinite(theirs)).any(axis=1).sum()),
    }


def measure_featurizer(featurizer: StructureFeaturizer, crystals: list[Crystal]) -> dict[str, Any]:
    """Measure one featurizer against its peer."""
    seconds, values = measure_ours([featurizer], crystals)
    found: dict[str, Any] = {"tier": featurizer.tier, "ours_per_s": len(crystals) / seconds}
    if featurizer.matminer:
        peer_seconds, peer_values = measure_matminer(featurizer, crystals)
        found |= {
            "matminer_per_s": len(crystals) / peer_seconds,
            "ratio": peer_seconds / seconds,
            "tolerance": featurizer.tolerance,
            **compare(featurizer, values, peer_values),
        }
    return found


def measure_cache(chosen: list[StructureFeaturizer], crystals: list[Crystal]) -> dict[str, float]:
    """Time a first run, which starts workers and writes the cache, and the runs after it, which read it anew."""

    def describe(folder: str) -> None:
        with Describer(chosen, cache=FeatureCache(Path(folder))) as describer:
            describer.describe(crystals)

    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        describe(folder)
        first = time.perf_counter() - started
        second, _ = shortest(lambda: describe(folder))
    return {"first_s": first, "second_s": second, "ratio": first / second}


def measure_memory() -> dict[str, float]:
    """Measure the peak memory of describing few and many structures, each in a process of its own."""
    peaks = {}
    for count in _MEMORY_COUNTS:
        command = [sys.executable, __file__, "--memory-of", str(count)]
        peaks[count] = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    few, many = _MEMORY_COUNTS
    return {f"peak_mib_{n}": peak for n, peak in peaks.items()} | {"growth": peaks[many] / peaks[few] - 1.0}


def memory_of(count: int) -> float:
    """Describe so many distinct structures, streamed through a store and a cache, and return the peak, MiB."""
    from hstore.store import open_store
    from hstore_models.features.structure.menu import groups_of
    from hstore_workflows.describe import DescriptorFile
    from hstore_workflows.sources.intake import take_in

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            open_store(f"sqlite:///{folder / 'store.sqlite'}") as store,
            Describer(groups_of(["tier-1"]), cache=FeatureCache(folder / "features")) as describer,
            DescriptorFile(folder / "features.parquet") as sink,
        ):
            take_in(strained_materials(count), store, describer=describer, sink=sink)
    # Not getrusage: its peak starts from that of the process that started this one.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def strained_materials(count: int) -> Any:
    """Stream so many different materials, made one by one from a few hundred structures."""
    from hstore.crystal import Crystal
    from hstore.records import Family, Material, Provenance

    few = enumerated(200)
    rng = np.random.default_rng(1)
    for place in range(count):
        base = few[place % len(few)]
        strain = np.eye(3) + rng.normal(0.0, 0.05, (3, 3))
        noise = rng.normal(0.0, 0.02, (len(base), 3))
        crystal = Crystal(base.lattice_angstrom @ strain, base.fractional + noise, base.numbers)
        yield Material(
            material_id=f"strained:{place}",
            formula=crystal.formula,
            family=Family.ELECTROLYTE,
            structure=crystal.to_dict(),
            provenance=Provenance(source="benchmark"),
        )


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--structures", type=int, default=40, help="for tiers 2 and 3; tier 1 takes ten times more"
    )
    parser.add_argument("--tiers", default="1,2", help="which tiers, such as 1,2,3")
    parser.add_argument("--only", help="one featurizer by name")
    parser.add_argument("--memory", action="store_true", help="also measure memory (minutes)")
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.memory_of:
        print(memory_of(arguments.memory_of))
        return
    warnings.simplefilter("ignore")
    result: dict[str, Any] = {
        "structures": arguments.structures,
        "matminer": version("matminer"),
        "pymatgen": version("pymatgen"),
        "cores": os.cpu_count(),
        "featurizers": {},
        "tiers": {},
    }
    for tier in (int(t) for t in arguments.tiers.split(",")):
        chosen = [f for f in featurizers() if f.tier == tier and arguments.only in (None, f.name)]
        crystals = enumerated(arguments.structures * (10 if tier == 1 else 1))
        for featurizer in chosen:
            result["featurizers"][featurizer.name] = found = measure_featurizer(featurizer, crystals)
            if not arguments.json:
                print(
                    f"{featurizer.name:<28}",
                    {k: round(v, 6) if isinstance(v, float) else v for k, v in found.items()},
                )
        result["tiers"][tier] = measure_tier(chosen, crystals, result["featurizers"])
    if arguments.memory:
        result["memory"] = measure_memory()
    print(json.dumps(result if arguments.json else {k: result.get(k) for k in ("tiers", "memory")}, indent=1))


def measure_tier(
    chosen: list[StructureFeaturizer], crystals: list[Crystal], singles: dict[str, Any]
) -> dict[str, Any]:
    """Measure all of a tier together, as a user runs it, against the sum of the peers' times."""
    seconds, _ = measure_ours(chosen, crystals)
    peers = sum(len(crystals) / singles[f.name]["matminer_per_s"] for f in chosen if f.matminer)
    many = enumerated(_CACHED_CRYSTALS)
    cache = measure_cache(chosen, many)
    return {
        "crystals": len(crystals),
        "ours_per_s": len(crystals) / seconds,
        "matminer_per_s": len(crystals) / peers if peers else None,
        "ratio": peers / seconds,
        "cached": cache,
        "cached_against_matminer": peers / len(crystals) * len(many) / cache["second_s"],
    }


if __name__ == "__main__":
    main()
