"""CoRE MOF: structures with descriptors that fit them, links from the capacity table, one pass over it all."""

from __future__ import annotations

import json
import sys
import tarfile

import pandas as pd
import pytest

from hstore.crystal import Crystal
from hstore.errors import InputError, MissingExtraError, UnknownNameError
from hstore.records import PUBLIC_SCOPE, Family, Material
from hstore.settings import load_settings
from hstore.store import open_store
from hstore_data.readers import read
from hstore_data.readers.sorbent import MOF_DESCRIPTORS
from hstore_workflows.sources.core_mof import count_core_mof, material_id, read_core_mof, structures_of
from hstore_workflows.sources.intake import Rejected

GRAM_PER_CM3 = 1 / 0.602214076
"""Of one g/mol in a cubic angstrom."""
BROKEN = "1499489-acs.cgd.6b01265_1499490_clean"
"""Holds atoms 0.44 angstrom apart, as its table says it may."""

CoRE_MOF = pytest.importorskip("CoRE_MOF", reason="the extra core-mof is not installed")


@pytest.fixture(scope="module")
def few():
    """The first entries of 2019-ASR."""
    return list(read_core_mof(limit=12, workers=1))


def test_structures_come_with_descriptors_that_fit_them(few):
    materials = [item for item in few if isinstance(item, Material)]
    assert len(materials) == 11
    for material in materials:
        crystal = Crystal.from_dict(material.structure)
        found = material.descriptors
        density = crystal.mass_g_per_mol / crystal.volume_angstrom3 * GRAM_PER_CM3
        assert found["density_g_cm3"] == pytest.approx(density, rel=1e-3), material.material_id
        assert found["vsa_m2_cm3"] == pytest.approx(found["gsa_m2_g"] * density, rel=1e-3)
        assert found["void_fraction"] == pytest.approx(found["pore_volume_cm3_g"] * density, rel=1e-3)
        assert 0 < found["pld_A"] <= found["lcd_A"]
        assert set(found) == set(MOF_DESCRIPTORS)
        assert material.family is Family.SORBENT
        assert material.known


def test_what_cannot_be_used_is_rejected_with_its_cause(few):
    (rejected,) = [item for item in few if isinstance(item, Rejected)]
    assert rejected.reference == material_id("2019-ASR", BROKEN)
    assert "closer than 0.5 A, the nearest N and H at 0.44 A" in rejected.cause


def test_provenance_names_entry_licence_and_publication(few):
    origin = few[1].provenance
    assert (origin.source, origin.reference, origin.licence) == (
        "CoRE MOF 2019-ASR",
        "10.1021/acs.jced.9b00835",
        "CC-BY-4.0",
    )
    assert origin.note == "entry ABAVIJ_clean of 2019-ASR (all solvent removed)"


def test_the_structure_is_the_one_the_package_reads(few):
    found = Crystal.from_dict(few[1].structure)
    theirs = Crystal.from_pymatgen(CoRE_MOF.get_structure("2019-ASR", "ABAVIJ_clean"))
    assert found.amounts == theirs.amounts
    assert found.volume_angstrom3 == pytest.approx(theirs.volume_angstrom3, rel=1e-9)


def test_the_archive_is_read_once_and_no_further_than_needed(monkeypatch):
    passes, read = [], []
    genuine, extract = tarfile.open, tarfile.TarFile.extractfile
    monkeypatch.setattr(tarfile, "open", lambda **given: passes.append(given) or genuine(**given))
    monkeypatch.setattr(tarfile.TarFile, "extractfile", lambda self, m: read.append(m) or extract(self, m))
    wanted = ["ABAVIJ_clean", "ABEFUL_clean", "ABAVOP_nowhere"]
    found = list(read_core_mof(entries=wanted, workers=1))
    assert count_core_mof(entries=wanted) == len(found) == 3
    assert [item.reference for item in found if isinstance(item, Rejected)] == ["core-mof:2019-ASR:ABAVOP_nowhere"]
    assert len(passes) == 1
    assert len(read) == 2


def test_the_first_release_has_structures_only():
    (material,) = read_core_mof("2014", limit=1, workers=1)
    assert material.descriptors == {}
    assert material.provenance.reference == "10.1021/cm502594j"


def test_all_entries_are_counted():
    assert [count_core_mof(name) for name in ("2019-ASR", "2019-FSR", "2014")] == [12020, 7061, 4764]
    assert count_core_mof(limit=7) == 7


@pytest.mark.mirror
def test_every_link_of_the_capacity_table_leads_to_an_entry(mirror):
    table = read("mof_h2_usable", mirror).frame
    links = structures_of(table)
    assert len(links) == links.nunique() == 2760
    assert set(links.index) <= set(table.index)
    entries = {name.rpartition(":")[2] for name in links}
    assert count_core_mof(entries=entries) == 2760
    assert entries <= set(CoRE_MOF.list_structures("2019-ASR"))


def test_rows_without_link_are_left_out():
    table = pd.DataFrame({"core_mof_2019_asr": ["ABAVIJ_clean", None, " ", "ABEFUL_clean"]}, index=[3, 4, 5, 6])
    assert structures_of(table).to_dict() == {
        3: "core-mof:2019-ASR:ABAVIJ_clean",
        6: "core-mof:2019-ASR:ABEFUL_clean",
    }
    with pytest.raises(InputError, match="no column 'core_mof_2019_asr'"):
        structures_of(pd.DataFrame({"formula": ["LaNi5"]}))


def test_an_unknown_data_set_and_a_missing_package_are_said(monkeypatch):
    with pytest.raises(UnknownNameError, match="did you mean '2019-ASR'"):
        read_core_mof("2019-AS")
    monkeypatch.setitem(sys.modules, "CoRE_MOF", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hstore\[core-mof\]'"):
        read_core_mof()


def test_the_command_stores_what_a_table_links_to(hstore, tmp_path, monkeypatch):
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path / "home"))
    linked = tmp_path / "mine.csv"
    linked.write_text(f"core_mof_2019_asr,usable\nABAVIJ_clean,1\n,2\nABEFUL_clean,3\n{BROKEN},4\n")
    done = hstore("fetch", "core-mof", "--linked-to", linked, "--workers", 1, "--json")
    assert done.exit_code == 0, done.output
    counts = json.loads(done.stdout)
    assert {name: counts[name] for name in ("total", "received", "stored", "merged", "rejected")} == {
        "total": 3,
        "received": 3,
        "stored": 2,
        "merged": 0,
        "rejected": 1,
    }
    assert (counts["linked_rows"], counts["linked_structures"]) == (3, 3)
    with open_store(load_settings().store_url) as store:
        for name in structures_of(pd.read_csv(linked))[:2]:
            assert store.material(name, scope=PUBLIC_SCOPE).structure
    wrong = hstore("fetch", "core-mof", "--dataset", "2014", "--linked-to", linked)
    assert wrong.exit_code == 2
    assert "names entries of 2019-ASR; leave out --dataset 2014" in wrong.stderr
