"""Describing many crystals: worker limits, twins, and the cache that makes a second run free."""

import importlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hstore.crystal import Crystal
from hstore.errors import DataError
from hstore_models.features.cache import FeatureCache, stamp_of
from hstore_models.features.structure.compute import Describer


@pytest.fixture
def tasks(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return importlib.import_module("feature_tasks")


def cubic(edge, number=29):
    return Crystal(np.eye(3) * edge, [[0, 0, 0]], [number])


def test_rows_come_in_order_with_the_columns_named_by_group(tasks):
    crystals = [cubic(3 + 0.01 * k) for k in range(100)]
    with Describer([tasks.VOLUME, replace(tasks.ATOMS, compute=tasks.volume)], workers=2) as describer:
        found = describer.describe(crystals)
    assert found.columns == ("volume.a3", "volume.sites", "atoms.n")
    assert found.values[:, 0] == pytest.approx([c.volume_angstrom3 for c in crystals])
    assert (found.values[:, 1:] == 1).all()
    assert not found.failures
    assert (found.computed, found.cached) == (100, 0)


def test_a_featurizer_in_trouble_costs_its_own_values_and_no_others(tasks):
    numbers = {"Cu": 29, "H": 1, "Li": 3, "Na": 11, "K": 19, "Fe": 26, "Ni": 28, "Ag": 47}
    crystals = [cubic(3.0, z) for z in numbers.values()]
    with Describer([tasks.VOLUME, tasks.PICKY], workers=2) as describer:
        found = describer.describe(crystals)
    assert np.isfinite(found.values[:, :2]).all()
    assert np.isfinite(found.values[:, 2]).tolist() == [True, *[False] * 6, True]
    causes = {list(numbers)[f.row]: f.cause for f in found.failures}
    assert all(f.featurizer == "picky" for f in found.failures)
    assert causes["H"] == "hydrogen is not wanted"
    assert causes["Li"] == "took longer than its limit of 0.4 s"
    assert "took longer than" in causes["Na"]
    assert "signal 9" in causes["K"]
    assert causes["Fe"].startswith("ZeroDivisionError")
    assert "(7,)" in causes["Ni"]


def test_the_same_structure_is_computed_once_and_never_again(tasks, tmp_path):
    crystals = [cubic(3.0), cubic(4.0), cubic(3.0), cubic(3.0)]
    with Describer([tasks.VOLUME], cache=FeatureCache(tmp_path)) as describer:
        first = describer.describe(crystals)
        second = describer.describe(crystals[::-1])
    assert (first.computed, first.cached) == (2, 0)
    assert (second.computed, second.cached) == (0, 4)
    with Describer([tasks.VOLUME], cache=FeatureCache(tmp_path)) as describer:
        third = describer.describe([*crystals, cubic(5.0)])
    assert (third.computed, third.cached) == (1, 4)
    assert third.values[:4].tolist() == first.values.tolist() == second.values[::-1].tolist()


def test_what_was_refused_is_remembered_and_what_ran_out_of_time_is_tried_again(tasks, tmp_path):
    crystals = [cubic(3.0, 1), cubic(3.0, 3), cubic(3.0)]
    with Describer([tasks.PICKY], cache=FeatureCache(tmp_path)) as describer:
        describer.describe(crystals)
        again = describer.describe(crystals)
    assert (again.computed, again.cached) == (1, 2)
    causes = {f.row: f.cause for f in again.failures}
    assert causes.pop(0) == "hydrogen is not wanted"
    # On a busy machine the worker may be stopped from outside before its own limit speaks.
    assert causes.pop(1).startswith("took longer than")
    assert not causes


def test_progress_counts_every_crystal(tasks, tmp_path):
    done = []
    with Describer([tasks.VOLUME], cache=FeatureCache(tmp_path)) as describer:
        describer.describe([cubic(3.0 + k) for k in range(5)])
        describer.describe([cubic(3.0 + k) for k in range(9)], progress=done.append)
    assert sum(done) == 9


def test_nothing_to_describe(tasks, tmp_path):
    with Describer([tasks.VOLUME], cache=FeatureCache(tmp_path)) as describer:
        assert describer.describe([]).values.shape == (0, 2)


def test_a_new_version_computes_again_and_tells_the_drift(tasks, tmp_path):
    crystals = [cubic(3.0), cubic(4.0), cubic(5.0)]
    with Describer([tasks.VOLUME], cache=FeatureCache(tmp_path)) as describer:
        describer.describe(crystals)
    newer = replace(tasks.VOLUME, compute=tasks.volume_drifted, version=2)
    cache = FeatureCache(tmp_path)
    with Describer([newer], cache=cache) as describer:
        found = describer.describe(crystals[:2])
    assert found.computed == 2
    drift = {d.column: d for d in cache.drift(newer)}
    assert drift["a3"].n == drift["a3"].changed == 2
    assert drift["a3"].largest_difference == pytest.approx(0.5)
    assert drift["a3"].before["featurizer"] == "1"
    assert drift["sites"].changed == 0
    assert len(FeatureCache(tmp_path).shelf(tasks.VOLUME)) == 3


def test_two_caches_on_one_folder_see_each_other(tasks, tmp_path):
    one, other = FeatureCache(tmp_path).shelf(tasks.VOLUME), FeatureCache(tmp_path).shelf(tasks.VOLUME)
    key = bytes.fromhex(cubic(3.0).key)
    assert not other.take([key]).present.any()
    one.add([key], np.array([[27.0, 1.0]]), [""])
    assert other.take([key]).values.tolist() == [[27.0, 1.0]]


def test_many_small_parts_become_one_without_losing_a_value(tasks, tmp_path):
    shelf, other = FeatureCache(tmp_path).shelf(tasks.VOLUME), FeatureCache(tmp_path).shelf(tasks.VOLUME)
    keys = [bytes.fromhex(cubic(2.0 + 0.01 * k).key) for k in range(150)]
    for k, key in enumerate(keys):
        shelf.add([key], np.array([[k, 1.0]]), ["odd" if k % 2 else ""])
        if k == 60:
            assert other.take(keys[:61]).present.all()
    assert len(list(shelf.folder.glob("*.parquet"))) < 70
    for reader in (shelf, other):
        found = reader.take(keys)
        assert found.values[:, 0].tolist() == list(range(150))
        assert found.causes[:2] == ("", "odd")


def test_a_damaged_part_is_named(tasks, tmp_path):
    shelf = FeatureCache(tmp_path).shelf(tasks.VOLUME)
    shelf.add([bytes(32)], np.array([[1.0, 1.0]]), [""])
    next(shelf.folder.glob("*.parquet")).write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(DataError, match="delete it"):
        FeatureCache(tmp_path).shelf(tasks.VOLUME).take([bytes(32)])


def test_the_stamp_names_all_that_values_depend_on(tasks, tmp_path):
    featurizer = replace(tasks.VOLUME, packages=("scipy",), parameters=(("cutoff_angstrom", 5.0),))
    shelf = FeatureCache(tmp_path).shelf(featurizer)
    shelf.add([bytes(32)], np.array([[1.0, 1.0]]), [""])
    stamp = json.loads((shelf.folder / "stamp.json").read_text())
    assert stamp == stamp_of(featurizer)
    assert set(stamp["packages"]) == {"numpy", "scipy"}
    assert stamp["parameters"] == {"cutoff_angstrom": 5.0}
    for change in ({"version": 2}, {"columns": ("a", "b")}, {"parameters": ()}, {"packages": ()}):
        assert stamp_of(replace(featurizer, **change)) != stamp
