"""Hydrides and hosts found for each other in a store."""

from __future__ import annotations

import numpy as np
import pytest

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore.pairing import Frame
from hstore.records import PUBLIC_SCOPE, Access, Family, Material, Provenance, Scope, Visibility
from hstore.store import open_store
from hstore_workflows.pairing import hosts_of, hydrides_of, pairs
from hstore_workflows.sources.prototypes.source import PrototypeQuery, PrototypeSource


def material(formula, family=Family.INTERSTITIAL, *, name="", **fields):
    return Material(
        material_id=f"test:{name or formula}",
        formula=formula,
        family=family,
        provenance=Provenance(source="test"),
        **fields,
    )


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path / 'pairs.db'}") as opened:
        opened.add_materials([
            material("LaNi5"),
            material("LaNi5H6"),
            material("LaNi5H3"),
            material("La2Ni10", name="twice"),
            material("LaNi4.5Al0.5H5"),
            material("TiFe"),
            material("Mg", Family.INTERSTITIAL),
            material("MgH2", Family.IONIC),
            material("NaAlH4", Family.COMPLEX),
            material("NaAl"),
            material("C8H4O5Zn", Family.SORBENT),
            material("C8O5Zn", Family.SORBENT),
        ])  # fmt: skip
        yield opened


def names(found):
    return [(one.hydride.material_id[5:], one.host.material_id[5:]) for one in found]


def test_every_hydride_meets_its_hosts_and_nothing_else(store):
    assert names(pairs(store, scope=PUBLIC_SCOPE)) == [
        ("LaNi5H3", "LaNi5"),
        ("LaNi5H3", "twice"),
        ("LaNi5H6", "LaNi5"),
        ("LaNi5H6", "twice"),
        ("MgH2", "Mg"),
    ]


def test_the_formula_unit_is_the_hosts(store):
    per_host = {one.host.material_id: one.hydrogen_per_host for one in pairs(store, scope=PUBLIC_SCOPE)}
    assert per_host["test:twice"] == pytest.approx(12)
    assert per_host["test:LaNi5"] == pytest.approx(6)


def test_a_host_knows_its_hydrides(store):
    host = store.material("test:LaNi5", scope=PUBLIC_SCOPE)
    assert names(hydrides_of(host, store, scope=PUBLIC_SCOPE)) == [("LaNi5H3", "LaNi5"), ("LaNi5H6", "LaNi5")]
    assert hydrides_of(store.material("test:TiFe", scope=PUBLIC_SCOPE), store, scope=PUBLIC_SCOPE) == []
    with pytest.raises(InputError, match="ask for its hosts instead"):
        hydrides_of(store.material("test:MgH2", scope=PUBLIC_SCOPE), store, scope=PUBLIC_SCOPE)


def test_an_alanate_has_no_host_even_where_one_of_that_composition_is_stored(store):
    alanate = store.material("test:NaAlH4", scope=PUBLIC_SCOPE)
    assert hosts_of(alanate, store, scope=PUBLIC_SCOPE) == []


def test_a_scope_sees_only_its_own_pairs(store):
    hidden = Access(lab_id="lab", visibility=Visibility.LAB)
    store.add_materials([material("TiFeH2", access=hidden)])
    assert ("TiFeH2", "TiFe") not in names(pairs(store, scope=PUBLIC_SCOPE))
    assert ("TiFeH2", "TiFe") in names(pairs(store, scope=Scope(lab_id="lab")))


def test_the_host_whose_metal_frame_is_kept_comes_first(tmp_path):
    hydride = next(iter(PrototypeSource(PrototypeQuery(types=("cacu5",), elements=("La", "Ni")))))
    query = PrototypeQuery(types=("D2_d",), elements=("La", "Ni"), family=Family.INTERSTITIAL)
    places = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5], [0.5, 0.5, 0.5], [0.5, 0, 0]]
    cubic = Crystal(np.eye(3) * 4.43, np.array(places), np.array([57, 28, 28, 28, 28, 28]))
    other = material("LaNi5", name="a-cubic", structure=cubic.to_dict())
    with open_store(f"sqlite:///{tmp_path / 'frames.db'}") as opened:
        opened.add_materials([hydride, other, *PrototypeSource(query)])
        found = hosts_of(hydride, opened, scope=PUBLIC_SCOPE)
    assert [one.frame for one in found] == [Frame.KEPT, Frame.REBUILT]
    assert found[0].host.material_id == "prototype:AB5_hP6_191_a_cg:LaNi5"
    assert found[0].h2_density_g_per_l == pytest.approx(92, abs=3)
