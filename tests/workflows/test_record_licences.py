"""Records carry the licence of where they come from; where nobody states one, none is made up."""

from __future__ import annotations

from collections import Counter

import pytest
from click.testing import CliRunner

from hstore.licences import NOT_STATED, OWN_DATA, is_spdx
from hstore.records import Scope
from hstore.store import open_store
from hstore_data.catalog import datasets, get_card
from hstore_models.card import data_licences
from hstore_workflows.cli import main
from hstore_workflows.licensing import LICENCE_COLUMNS, SHIPPED_SOURCE, screen_datasets, screen_licences
from hstore_workflows.sources.carbon.source import CarbonQuery, CarbonSource
from hstore_workflows.sources.enumeration import enumerate_pool
from hstore_workflows.sources.enumeration.grids import GridSource
from hstore_workflows.sources.prototypes.source import PrototypeQuery, PrototypeSource


def licences(materials):
    return Counter(material.provenance.licence for material in materials)


def test_every_shipped_candidate_has_the_licence_of_its_table():
    found = Counter((m.provenance.source, m.provenance.licence) for m in enumerate_pool())
    assert {"hstore enumeration", "hstore curated table hydrides", "hstore curated table sorbents"} <= {
        source for source, _ in found
    }
    for source, licence in found:
        table = source.removeprefix("hstore curated table ")
        assert licence == (get_card(table).row_licence if table in datasets() else OWN_DATA)


@pytest.mark.parametrize(
    ("materials", "licence"),
    [
        (lambda: GridSource("ab5", elements=("La", "Ni", "Al"), step=0.25), OWN_DATA),
        (lambda: PrototypeSource(PrototypeQuery(types=("rutile",), elements=("Mg", "Ti"))), OWN_DATA),
        (lambda: PrototypeSource(PrototypeQuery(types=("B1",), elements=("Na", "Mg"), limit=3)), "MIT"),
        (lambda: CarbonSource(CarbonQuery(tubes=((5, 0),), sheet=True)), OWN_DATA),
    ],
    ids=["grid", "own types", "types of AFLOW", "carbon"],
)
def test_what_hstore_builds_has_a_licence(materials, licence):
    found = licences(made for made in materials() if hasattr(made, "provenance"))
    assert set(found) == {licence}


@pytest.mark.parametrize("column", LICENCE_COLUMNS)
def test_a_table_states_the_licence_of_its_rows(settings, tmp_path, column):
    table = tmp_path / "own.csv"
    table.write_text(f"formula,{column}\nTiFe,CC0-1.0\nLaNi5,\n", encoding="utf-8")
    done = CliRunner().invoke(main, ["fetch", "files", str(table), "--workers", "1"])
    assert done.exit_code == 0, done.output
    with open_store(settings.store_url) as store:
        kept = {m.formula: m.provenance.licence for m in store.materials(scope=Scope(everything=True))}
    assert kept == {"TiFe": "CC0-1.0", "LaNi5": None}


def test_every_data_set_has_an_spdx_licence_or_states_none():
    said = {name: card.row_licence for name, card in datasets().items()}
    assert all(licence == NOT_STATED or is_spdx(licence) for licence in said.values())
    assert said["hydrides"] == "CC-BY-4.0"
    assert said["mof_h2_usable"] == "MIT"
    assert said["hystor"] == NOT_STATED, "the repository has a licence, the data state none"
    assert said["element_supply"] == "CC-BY-SA-4.0"


def test_a_model_counts_the_licences_of_its_training_rows():
    mix = data_licences({"hydrides": 100, "hystor": 7, "ml_hydpark": 5, "my_table": 3})
    assert mix.rows == {"CC-BY-4.0": 100, "MIT": 5, NOT_STATED: 10}
    assert mix.licence == "CC-BY-4.0 AND MIT AND LicenseRef-not-stated"


def test_a_trained_model_states_the_licences_of_its_data(loaded):
    card = loaded("sorbent_uptake").card
    assert card.licence == data_licences(card.rows_by_source).licence == "CC-BY-4.0"


def test_a_row_of_a_screen_is_under_the_licences_of_candidate_models_and_computed_set():
    manifest = {
        "pool": SHIPPED_SOURCE,
        "rows_by_source": {"a": {"hydrides": 9, "ml_hydpark": 2}},
        "computed_sets": {"computed_hydrides": "0" * 64},
    }
    assert screen_licences(manifest, [None] * 3).rows == {"CC-BY-4.0": 3, "MIT": 3}
    own = screen_licences(manifest | {"pool": "mine.csv"}, [None, "CC0-1.0", "CC0-1.0"])
    assert own.rows == {"CC-BY-4.0": 3, "CC0-1.0": 2, "MIT": 3, NOT_STATED: 1}
    assert screen_datasets(manifest) == ["computed_hydrides", "hydrides", "ml_hydpark"]
