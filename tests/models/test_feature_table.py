import dataclasses

import numpy as np
import pytest

from hstore.errors import InputError, UnknownNameError
from hstore_models.features import table as module
from hstore_models.features.composition import CompositionBatch
from hstore_models.features.table import GROUPS, FeatureTable, feature_version, featurize

BATCH = CompositionBatch.from_amounts(
    [{"La": 1.0, "Ni": 5.0}, {"Mg": 1.0}, {"Li": 6.0, "P": 1.0, "S": 5.0, "Cl": 1.0}]
)


def test_columns_are_those_of_the_groups_in_order():
    table = featurize(BATCH, ("hydride", "magpie"))
    assert table.names == GROUPS["hydride"].names() + GROUPS["magpie"].names()
    assert table.groups == ("hydride", "magpie")
    assert table.values.shape == (3, len(table.names))
    assert table.values.dtype == np.float64
    assert len(table) == 3


def test_names_of_all_groups_differ():
    names = featurize(BATCH, tuple(GROUPS)).names
    assert len(set(names)) == len(names)


def test_mask_marks_what_is_not_defined():
    table = featurize(BATCH)
    np.testing.assert_array_equal(table.mask, np.isnan(table.values))
    assert table.mask[1].any()
    assert not table.select([n for n in table.names if n.startswith("MagpieData")]).mask.any()


def test_same_input_gives_the_same_bytes():
    assert featurize(BATCH).values.tobytes() == featurize(BATCH).values.tobytes()


def test_pieces_are_put_together_without_seams(monkeypatch):
    whole = featurize(BATCH, tuple(GROUPS)).values
    monkeypatch.setattr(module, "_CHUNK_ROWS", 2)
    np.testing.assert_array_equal(featurize(BATCH, tuple(GROUPS)).values, whole)


def test_unknown_groups_are_refused_with_close_matches():
    with pytest.raises(UnknownNameError, match="unknown feature group 'magpi'; did you mean 'magpie'"):
        featurize(BATCH, ("magpi",))


@pytest.mark.parametrize("groups", [(), ("magpie", "magpie")], ids=["none", "twice"])
def test_groups_are_named_once(groups):
    with pytest.raises(InputError, match="one or more different feature groups"):
        featurize(BATCH, groups)


def test_select_keeps_the_order_asked_for():
    table = featurize(BATCH, ("hydride",))
    picked = table.select(["b_to_a_ratio", "a_fraction"])
    assert picked.names == ("b_to_a_ratio", "a_fraction")
    np.testing.assert_array_equal(picked.values, table.values[:, [1, 0]])
    assert picked.version == table.version
    with pytest.raises(UnknownNameError, match="did you mean 'a_fraction'"):
        table.select(["a_fractio"])


def test_concat_is_featurizing_together():
    apart = featurize(BATCH, ("magpie",)).concat(featurize(BATCH, ("hydride",)))
    together = featurize(BATCH, ("magpie", "hydride"))
    assert apart.names == together.names
    assert apart.groups == together.groups
    np.testing.assert_array_equal(apart.values, together.values)


def test_concat_refuses_other_lengths_and_repeated_names():
    table = featurize(BATCH, ("hydride",))
    with pytest.raises(InputError, match="got 3 and 1 rows"):
        table.concat(featurize(BATCH.take(slice(1)), ("magpie",)))
    with pytest.raises(InputError, match="feature names must differ"):
        table.concat(table)


def test_values_need_one_name_per_column():
    with pytest.raises(InputError, match=r"2 names need values of shape \(n, 2\), got \(3, 1\)"):
        FeatureTable(("a", "b"), np.zeros((3, 1)), (), "")


def test_version_changes_with_what_is_computed_and_only_then(monkeypatch):
    before = feature_version(("hydride",))
    assert before == feature_version.__wrapped__(("hydride",))
    assert before != feature_version(("magpie",))
    group = GROUPS["hydride"]
    changed = dataclasses.replace(group, compute=lambda batch: group.compute(batch) * (1 + 1e-6))
    monkeypatch.setitem(module.GROUPS, "hydride", changed)
    assert feature_version.__wrapped__(("hydride",)) != before


def test_version_changes_with_the_libraries(monkeypatch):
    before = feature_version(("magpie",))
    monkeypatch.setattr(module, "version", lambda _: "0")
    assert feature_version.__wrapped__(("magpie",)) != before


def test_no_materials_give_an_empty_table():
    assert featurize(CompositionBatch.from_amounts([]), tuple(GROUPS)).values.shape[0] == 0
