"""Taking in what a source delivers: nothing lost, everything counted, features on request."""

import csv
import json

import numpy as np
import pytest

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore.records import PUBLIC_SCOPE, Family
from hstore.store import open_store
from hstore_models.features.cache import FeatureCache
from hstore_models.features.structure.compute import Describer
from hstore_models.features.structure.menu import groups_of
from hstore_workflows.describe import DescriptorFile, describe
from hstore_workflows.sources.intake import Rejected, take_in


def rock_salt(edge, *elements):
    """The dictionary of a rock-salt structure."""
    halves = np.array([[0, 0, 0], [1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 1], [0, 0, 1], [0, 1, 0], [1, 0, 0]])
    return Crystal(np.eye(3) * edge, halves / 2, [elements[0]] * 4 + [elements[1]] * 4).to_dict()


@pytest.fixture
def delivered(build):
    """Two copies of one salt, another salt, a formula, and two things that cannot be used."""
    make = build.material
    fields = {"family": Family.ELECTROLYTE}
    return [
        make("a:1", "NaCl", structure=rock_salt(5.64, 11, 17), **fields),
        Rejected("a:2", "no lattice"),
        make("a:3", "KCl", structure=rock_salt(6.29, 19, 17), **fields),
        make("b:1", "ClNa", structure=rock_salt(5.65, 11, 17), **fields),
        make("b:2", "LiCl", **fields),
        Rejected("", "not readable"),
    ]


@pytest.mark.parametrize("at_once", [True, False])
def test_everything_delivered_is_stored_merged_or_rejected(store, delivered, at_once):
    done = []
    taken = take_in(iter(delivered), store, at_once=at_once, progress=done.append)
    assert (taken.received, taken.stored, taken.merged, len(taken.rejected)) == (6, 3, 1, 2)
    assert sum(done) == 6
    assert {m.material_id for m in store.materials(scope=PUBLIC_SCOPE)} == {"a:1", "a:3", "b:2"}
    again = take_in(iter(delivered), store, at_once=at_once)
    assert (again.stored, again.merged) == (3, 1)
    assert store.count_materials(scope=PUBLIC_SCOPE) == 3


def test_features_of_what_is_stored_go_to_the_file_and_the_cache(tmp_path, delivered):
    groups = groups_of(["density", "magpie"])
    with (
        open_store(f"sqlite:///{tmp_path / 's.sqlite'}") as store,
        Describer(groups, cache=FeatureCache(tmp_path / "f"), workers=1) as describer,
        DescriptorFile(tmp_path / "features.csv") as sink,
    ):
        taken = take_in(iter(delivered), store, describer=describer, sink=sink)
        assert taken.described == 3
        assert [(r.reference, r.cause.split(":")[0]) for r in taken.undescribed] == [("b:2", "density")]
        assert not (tmp_path / "features.csv").exists()
    with (tmp_path / "features.csv").open() as stream:
        rows = {row["material_id"]: row for row in csv.DictReader(stream)}
    assert float(rows["a:1"]["density.density_g_per_cm3"]) == pytest.approx(2.16, abs=0.01)
    assert rows["b:2"]["density.density_g_per_cm3"] == ""
    assert "needs a structure" in rows["b:2"]["failures"]
    assert float(rows["b:2"]["magpie.MagpieData maximum Number"]) == 17


def test_an_error_on_the_way_leaves_no_file(tmp_path, delivered):
    with Describer(groups_of(["magpie"])) as describer:
        found = describe([delivered[0]], describer)
    sink = DescriptorFile(tmp_path / "features.parquet")
    sink.add(found)
    sink.__exit__(RuntimeError, RuntimeError(), None)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="end the name"):
        DescriptorFile(tmp_path / "features.txt")


CIF = """data_NaCl
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
_symmetry_Int_Tables_number 225
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Na Na 0 0 0 1
Cl Cl 0.5 0.5 0.5 1
"""


def test_describe_prints_numbers_writes_tables_and_remembers(hstore, tmp_path):
    (tmp_path / "salt.cif").write_text(CIF)
    (tmp_path / "bad.cif").write_text("data_x\n_cell_length_a what\n")
    paths = [str(tmp_path / "salt.cif"), str(tmp_path / "bad.cif")]
    result = hstore("describe", *paths, "--features", "density,hydrogen", "--json")
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert printed["described"] == 1
    assert "bad" in printed["rejected"][0]["reference"]
    features = printed["materials"][0]["features"]
    assert features["density.density_g_per_cm3"] == pytest.approx(2.164, abs=0.003)

    result = hstore("describe", paths[0], "--features", "density", "--out", str(tmp_path / "d.parquet"))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "d.parquet").exists()

    result = hstore("describe", paths[0], "--features", "densty")
    assert result.exit_code == 2
    assert "density" in result.stderr


def test_describe_shows_its_menu(hstore):
    menu = json.loads(hstore("describe", "--list", "--json").stdout)
    assert {1, 2, 3} == {entry["tier"] for entry in menu}
    assert all(entry["columns"] and entry["summary"] and entry["source"] for entry in menu)
    assert hstore("describe").exit_code == 2
