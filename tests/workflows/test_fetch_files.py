"""Files as a source: every kind read back, compared with pymatgen and ASE; hostile ones cost only themselves."""

from __future__ import annotations

import gzip
import json
import os
import re
import tarfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from hstore.errors import InputError
from hstore.records import Family, Material, Provenance
from hstore_workflows.sources.files.cif import partial_structure, structure_of
from hstore_workflows.sources.files.cif_syntax import read_block, spans
from hstore_workflows.sources.files.limits import ReadLimits
from hstore_workflows.sources.files.source import read_files
from hstore_workflows.sources.files.symmetry import hall_operations, named_operations, operations_of
from hstore_workflows.sources.intake import Rejected
from tests.workflows import structure_texts as texts

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:pymatgen")


def block_of(text):
    lines = text.splitlines()
    return read_block(lines, next(spans(lines)))


def read(*paths, **options):
    """All that the paths give: materials and rejects."""
    items = list(read_files(paths, workers=1, **options))
    return [i for i in items if isinstance(i, Material)], [i for i in items if isinstance(i, Rejected)]


def difference_from_pymatgen(text):
    """What differs between our reading of a CIF and pymatgen's, before any ordering; empty if nothing."""
    from pymatgen.io.cif import CifParser

    ours, _ = partial_structure(block_of(text), most_sites=20_000)
    theirs = CifParser.from_str(text, occupancy_tolerance=1.05).parse_structures(primitive=False)[0]
    amounts = {}
    for element, amount in theirs.composition.items():
        symbol = getattr(element, "symbol", str(element))
        amounts[symbol] = amounts.get(symbol, 0.0) + amount
    if ours.amounts.keys() != amounts.keys() or any(abs(ours.amounts[s] - amounts[s]) > 1e-3 for s in amounts):
        return f"composition {ours.amounts} and {amounts}"
    if not np.allclose(np.linalg.norm(ours.lattice_angstrom, axis=1), theirs.lattice.abc, atol=1e-6):
        return "axes"
    apart = ours.fractional[:, None] - theirs.frac_coords
    apart = np.linalg.norm((apart - np.rint(apart)) @ ours.lattice_angstrom, axis=2)
    if max(apart.min(axis=0).max(), apart.min(axis=1).max()) > 0.05:
        return f"a position is {apart.min(axis=1).max():.3f} angstrom away"
    return "" if len(ours) == len(theirs) else f"sites {len(ours)} and {len(theirs)}"


@pytest.mark.parametrize("text", texts.ALL.values(), ids=texts.ALL)
def test_cif_is_read_as_pymatgen_reads_it(text, recwarn):
    assert difference_from_pymatgen(text.replace("0.333 0.667", "0.3333333 0.6666667")) == ""


def obelix():
    mirror = os.environ.get("HSTORE_DATA_MIRROR")
    archive = Path(mirror or "") / "obelix" / "all_cifs.tar.gz"
    if not mirror or not archive.is_file():
        pytest.skip("HSTORE_DATA_MIRROR names no copy of the public data sets")
    return archive


@pytest.mark.mirror
def test_all_cifs_of_obelix_are_read_as_pymatgen_reads_them(recwarn):
    different = {}
    with tarfile.open(obelix()) as archive:
        files = [member for member in archive if member.name.endswith(".cif")]
        for number, member in enumerate(files):
            if number % 4 == 0 or "my9" in member.name:  # all take half a minute
                cause = difference_from_pymatgen(archive.extractfile(member).read().decode())
                if cause:
                    different[Path(member.name).stem] = cause
    # my9: pymatgen keeps lithium twice, 0.04 angstrom apart; we add the occupancies
    assert different == {"my9": "sites 126 and 144"}


@pytest.mark.mirror
def test_obelix_gives_each_cif_once_ordered_or_with_a_cause():
    materials, rejects = read(obelix())
    assert len(materials) + len(rejects) == 321
    assert len(materials) == 124
    assert all("can be screened by formula" in reject.cause for reject in rejects)
    assert len({material.material_id for material in materials}) == 124


def core_mof_texts(count):
    pytest.importorskip("CoRE_MOF", reason="core-mof is not installed")
    from importlib.resources import as_file, files

    with as_file(files("CoRE_MOF") / "data" / "2019-ASR.tar.xz") as path, tarfile.open(path, "r|xz") as archive:
        for member in archive:
            if member.name.endswith(".cif"):
                yield archive.extractfile(member).read().decode()
                count -= 1
                if not count:
                    return


def test_frameworks_of_core_mof_are_read_as_pymatgen_reads_them(recwarn):
    sample = [text for text in core_mof_texts(40) if len(text) < 15_000]
    assert len(sample) > 8
    assert [difference_from_pymatgen(text) for text in sample] == [""] * len(sample)


def test_three_digits_of_one_third_are_enough():
    found = structure_of(block_of(texts.HEXAGONAL), most_sites=100)
    assert found.formula == "LaNi5"
    assert found.crystal.fractional[1] == pytest.approx([1 / 3, 2 / 3, 0])


def test_origin_codes_and_uncertainties_of_a_cif_are_kept():
    found = structure_of(block_of(texts.RUTILE), most_sites=100)
    assert (found.formula, found.known) == ("H2Mg", True)
    assert "doi 10.1000/example" in found.notes
    assert "COD 1234567" in found.notes
    assert found.crystal.volume_angstrom3 == pytest.approx(4.517**2 * 3.0205)


def test_operations_of_all_tabulated_symbols_equal_those_of_pymatgen():
    from pymatgen.symmetry.groups import SYMM_DATA, SpaceGroup

    def key(rotations, translations):
        return frozenset(
            (*np.rint(r).astype(int).ravel(), *(np.rint(np.mod(t, 1) * 24).astype(int) % 24))
            for r, t in zip(rotations, translations, strict=True)
        )

    for symbol in list(SYMM_DATA["space_group_encoding"])[::5]:
        group = SpaceGroup(symbol)
        theirs = key(
            [o.rotation_matrix for o in group.symmetry_ops], [o.translation_vector for o in group.symmetry_ops]
        )
        ours = [*named_operations(symbol, hexagonal=True), *named_operations(symbol, hexagonal=False)]
        assert theirs in [key(o.rotations, o.translations) for o in ours], symbol
    assert len(hall_operations("-P 2ybc")[0]) == 4


@pytest.mark.parametrize(
    ("operations", "cause"),
    [
        (["x,y"], "three parts"),
        (["x,y,z", "-x,y,z", "x,-y,z"], "form no group"),
        (["x,y,q"], "cannot be read"),
        (["x,y,x"], "changes the volume"),
        (["x,y,z+1/0"], "divides by zero"),
        (["x,y,,"], "three parts"),
        ([f"x+{n}/2000,y,z" for n in range(2000)], "at most 1000"),
    ],
)
def test_wrong_operations_are_refused(operations, cause):
    with pytest.raises(InputError, match=cause):
        operations_of(operations)


def test_disorder_groups_of_a_cif_are_resolved_by_the_majority():
    rows = ["Li1 Li 0 0 0 1 . .", "F1 F 0.5 0.5 0.5 0.6 A 1", "F2 F 0.6 0.5 0.5 0.4 A 2"]
    text = texts.cif("LiF", (4, 4, 4, 90, 90, 90), rows).replace(
        "_atom_site_occupancy\n", "_atom_site_occupancy\n_atom_site_disorder_assembly\n_atom_site_disorder_group\n"
    )
    found = structure_of(block_of(text), most_sites=10)
    assert found.formula == "FLi"
    assert found.crystal.fractional[1] == pytest.approx([0.5, 0.5, 0.5])
    assert any("disorder groups" in note for note in found.notes)


def test_hydrogen_that_is_stated_but_not_placed_is_missed():
    text = texts.SALT.replace("_space_group", "_chemical_formula_sum 'Na Cl H2'\n_space_group")
    with pytest.raises(InputError, match="no hydrogen atom is placed"):
        structure_of(block_of(text), most_sites=10)


def test_an_open_origin_is_decided_by_the_formula_or_refused():
    symmetry = "_symmetry_space_group_name_H-M 'F d -3 m'\n"
    rows = ["C1 C 0.125 0.125 0.125 1"]
    text = texts.cif("C", (3.567, 3.567, 3.567, 90, 90, 90), rows, symmetry=symmetry)
    with pytest.raises(InputError, match="two origins"):
        structure_of(block_of(text), most_sites=100)
    setting = texts.cif("C", (3.567, 3.567, 3.567, 90, 90, 90), rows, symmetry=symmetry.replace("m'", "m :2'"))
    assert len(structure_of(block_of(setting), most_sites=100).crystal) == 8


@pytest.mark.parametrize(
    ("label", "formula", "element"),
    [
        ("Li1", {}, "Li"), ("O2W", {}, "O"), ("CA1", {}, "Ca"), ("CA1", {"C": 1.0, "O": 1.0}, "C"),
        ("D3", {}, "H"), ("NA1", {"Na": 1.0, "N": 1.0}, "Na"),
    ],
)  # fmt: skip
def test_elements_are_told_from_labels(label, formula, element):
    from hstore_workflows.sources.files.cif import element_of_label

    assert element_of_label(label, formula) == element


def test_poscar_direct_cartesian_and_without_elements(tmp_path):
    cartesian = texts.POSCAR.replace("Direct", "Cartesian").replace("0.5 0.5 0.5", "2.106 2.106 2.106")
    for name, text in {
        "POSCAR": texts.POSCAR,
        "CONTCAR_2": cartesian,
        "scaled.vasp": cartesian.replace("\n1.0\n", "\n-18.681\n"),
        "old.vasp": texts.POSCAR.replace("Mg O\n", "").replace("MgO rock salt", "Mg O"),
        "nameless.vasp": texts.POSCAR.replace("Mg O\n", ""),
    }.items():
        (tmp_path / name).write_text(text)
    materials, rejects = read(tmp_path)
    assert [m.formula for m in materials] == ["MgO"] * 4
    assert [m.name for m in materials] == ["CONTCAR_2", "POSCAR", "old", "scaled"]
    for material in materials:
        assert abs(np.linalg.det(material.structure["lattice"]["matrix"])) == pytest.approx(18.681, rel=1e-3)
        places = np.array([site["abc"] for site in material.structure["sites"]])
        assert np.mod(places[1], 1) == pytest.approx([0.5] * 3, abs=1e-3)
    assert [r.reference.split("/")[-1] for r in rejects] == ["nameless.vasp#1"]
    assert "elements are not named" in rejects[0].cause


@pytest.fixture
def some_atoms():
    from ase.build import bulk

    return [bulk("NaCl", "rocksalt", a=a) for a in (5.5, 5.6, 5.7)]


def volumes(materials):
    return [abs(np.linalg.det(m.structure["lattice"]["matrix"])) for m in materials]


def test_xyz_frames_and_ase_databases_as_ase_writes_them(tmp_path, some_atoms):
    import ase.db
    import ase.io

    ase.io.write(tmp_path / "frames.extxyz", some_atoms)
    for name in ("rows.db", "rows.json"):
        with ase.db.connect(tmp_path / name) as database:
            for number, atoms in enumerate(some_atoms):
                database.write(atoms, name=f"salt {number}")
    materials, rejects = read(tmp_path)
    assert not rejects
    assert [m.formula for m in materials] == ["ClNa"] * 9
    expected = [atoms.get_volume() for atoms in some_atoms]
    assert volumes(materials) == pytest.approx(expected * 3)
    assert [m.name for m in materials[3:6]] == ["salt 0", "salt 1", "salt 2"]
    assert [m.provenance.reference for m in materials[:3]] == [
        f"{tmp_path.name}/frames.extxyz#{n}" for n in (1, 2, 3)
    ]


def test_another_sqlite_file_is_refused_and_not_written_to(tmp_path):
    import sqlite3

    path = tmp_path / "mine.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE notes (text)")
    connection.close()
    before = path.read_bytes()
    _, (reject,) = read(path)
    assert "no such table: systems" in reject.cause
    assert path.read_bytes() == before


def test_json_structures_lists_lines_records_and_snapshots(tmp_path):
    from pymatgen.core import Lattice, Structure

    from hstore_workflows.sources import snapshot

    structure = Structure(Lattice.cubic(4.08), ["Li", "H"], [[0, 0, 0], [0.5, 0.5, 0.5]]).as_dict()
    record = Material(
        material_id="mp:mp-23703", formula="LiH", family=Family.IONIC, structure=structure,
        provenance=Provenance(source="Materials Project", reference="mp-23703"),
    )  # fmt: skip
    bare = record.model_copy(update={"material_id": "own:1", "structure": None})
    (tmp_path / "a.json").write_text(json.dumps(structure))
    (tmp_path / "b.json").write_text(json.dumps([{"structure": structure, "material_id": "x-1"}, 7]))
    (tmp_path / "c.jsonl").write_text(record.model_dump_json() + "\n\n" + bare.model_dump_json())
    with snapshot.writing(tmp_path / "d.jsonl.gz", source="test", query="", version="") as add:
        add(record)
    materials, rejects = read(tmp_path)
    assert [m.formula for m in materials] == ["HLi", "HLi", "LiH", "LiH", "LiH"]
    assert [m.material_id for m in materials[2:]] == ["mp:mp-23703", "own:1", "mp:mp-23703"]
    assert materials[2].provenance.source == "Materials Project"
    assert [r.reference.split("/")[-1] for r in rejects] == ["b.json#2"]
    lines = gzip.decompress((tmp_path / "d.jsonl.gz").read_bytes()).splitlines(keepends=True)
    (tmp_path / "cut.jsonl").write_bytes(b"".join(lines[:-1]))
    _, rejects = read(tmp_path / "cut.jsonl")
    assert "cut short after 1 materials" in rejects[0].cause


def test_a_record_whose_structure_contradicts_its_formula_is_refused(tmp_path):
    from pymatgen.core import Lattice, Structure

    record = Material(
        material_id="a:1", formula="MgH2", family=Family.IONIC, provenance=Provenance(source="test"),
        structure=Structure(Lattice.cubic(4.08), ["Li", "H"], [[0, 0, 0], [0.5, 0.5, 0.5]]).as_dict(),
    )  # fmt: skip
    (tmp_path / "a.jsonl").write_text(record.model_dump_json())
    _, (reject,) = read(tmp_path / "a.jsonl")
    assert "holds HLi but the formula says H2Mg" in reject.cause


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_tables_with_formulas_descriptors_and_structures(tmp_path, ending):
    import pandas as pd

    (tmp_path / "cifs").mkdir()
    (tmp_path / "cifs" / "salt.cif").write_text(texts.SALT)
    (tmp_path.parent / "outside.cif").write_text(texts.SALT)
    frame = pd.DataFrame(
        {
            "formula": ["NaCl", "MgH2", "LaNi5", "NaBr", "NaCl", "nonsense!"],
            "structure": ["cifs/salt.cif", texts.RUTILE, None, "cifs/salt.cif", "../outside.cif", None],
            "void_fraction": ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6"],
            "colour": ["white"] * 6,
        }
    )
    path = tmp_path / f"table.{ending}"
    frame.to_csv(path, index=False) if ending == "csv" else frame.to_parquet(path)
    materials, rejects = read(path)
    assert [(m.formula, m.descriptors["void_fraction"]) for m in materials] == [
        ("ClNa", 0.1), ("H2Mg", 0.2), ("LaNi5", 0.3),
    ]  # fmt: skip
    assert [m.structure is None for m in materials] == [False, False, True]
    assert [r.reference for r in rejects] == [f"table.{ending}#{row}" for row in (4, 5, 6)]
    assert "formula says BrNa" in rejects[0].cause
    assert "below the folder of the table" in rejects[1].cause


def test_order_names_and_identifiers_do_not_depend_on_place_or_run(tmp_path):
    for folder in ("one", "two"):
        deep = tmp_path / folder / "set"
        (deep / "b").mkdir(parents=True)
        (deep / "z.cif").write_text(texts.SALT)
        (deep / "b" / "z.cif").write_text(texts.RUTILE)
        (deep / "b" / "POSCAR").write_text(texts.POSCAR)
        (deep / "readme.txt").write_text("about")
        (deep / ".hidden.cif").write_text(texts.SALT)
    skipped = Counter()
    first, _ = read(tmp_path / "one" / "set", skipped=skipped)
    second, _ = read(tmp_path / "two" / "set")
    assert [m.model_dump() for m in first] == [m.model_dump() for m in second]
    assert [m.provenance.reference for m in first] == ["set/z.cif#NaCl", "set/b/POSCAR#1", "set/b/z.cif#MgH2"]
    assert [m.name for m in first] == ["z", "POSCAR", "z"]
    assert len({m.material_id for m in first}) == 3
    assert all(m.material_id.startswith("file:") for m in first)
    assert str(tmp_path) not in "".join(m.model_dump_json() for m in first)
    assert skipped == {".txt": 1}


def test_two_files_of_one_name_have_two_identifiers(tmp_path):
    for folder, text in (("a", texts.POSCAR), ("b", texts.POSCAR.replace("Mg O", "Ca O"))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "POSCAR").write_text(text)
    identifiers = [read(tmp_path / folder / "POSCAR")[0][0].material_id for folder in "ab"]
    assert len(set(identifiers)) == 2
    assert all(name.startswith("file:POSCAR:1-") for name in identifiers)


def test_links_inside_folders_lead_nowhere(tmp_path):
    outside = tmp_path / "outside.cif"
    outside.write_text(texts.SALT)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.cif").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    (folder / "good.cif").write_text(texts.SALT)
    materials, rejects = read(folder)
    assert [m.name for m in materials] == ["good"]
    assert [r.reference for r in rejects] == ["folder/link.cif", "folder/loop"]
    assert len(read(folder / "link.cif")[0]) == 1  # the user named it


def test_several_blocks_give_several_materials_and_the_bad_one_a_cause(tmp_path):
    bad = texts.SALT.replace("data_NaCl", "data_bad").replace("Cl1 Cl", "X1 X")
    publication = "data_global\n_journal_name_full 'J. Tests'\n_atom_sites_solution_primary direct\n"
    (tmp_path / "many.cif").write_text(publication + texts.SALT + bad + texts.RUTILE)
    materials, rejects = read(tmp_path / "many.cif", family=Family.SORBENT)
    assert [m.name for m in materials] == ["many NaCl", "many MgH2"]
    assert {m.family for m in materials} == {Family.SORBENT}
    assert [r.reference for r in rejects] == ["many.cif#bad"]


def test_a_missing_path_is_an_error_before_any_work(tmp_path):
    with pytest.raises(InputError, match="neither a file nor a folder"):
        read_files([tmp_path / "none.cif"])


def hostile():
    random = np.random.default_rng(0)
    head = texts.SALT.split("loop_")[0].replace("225", "1").replace("5.64", "300")
    sites = texts.SITES.replace("_atom_site_occupancy\n", "")
    lines = "".join(f"C{n} C {x:.4f} {y:.4f} {z:.4f}\n" for n, (x, y, z) in enumerate(random.random((4000, 3))))
    million = "C C 0.1 0.2 0.3\n" * 1_000_000
    shifts = texts.operations(*(f"x+{n}/997,y,z" for n in range(997)))
    salt = texts.SALT
    return {
        "million.cif": (head + sites + million, "more than 400000 values"),
        "symmetry.cif": (head + shifts + sites + lines, "at least 83083"),
        "operations.cif": (head + texts.operations(*["x,y,z"] * 500_000) + sites + lines, "more than 400000"),
        "cubic.cif": (head.replace("IT_number 1", "IT_number 225") + sites + lines, "at least 16000"),
        "flat.cif": (salt.replace("gamma 90", "gamma 0.01"), "thick|corner"),
        "zero.cif": (salt.replace("length_a 5.64", "length_a 0"), "above 0"),
        "negative.cif": (salt.replace("length_a 5.64", "length_a -5"), "above 0"),
        "nan.cif": (salt.replace("length_a 5.64", "length_a nan"), "must be a number"),
        "giant.cif": (salt.replace("length_a 5.64", "length_a 1e308"), "at most 1000"),
        "digits.cif": (salt.replace("5.64", "9" * 5000), "must be a number"),
        "underscore.cif": (salt.replace("5.64", "5_6"), "must be a number"),
        "coordinate.cif": (salt.replace("0.5 0.5 0.5", "nan 0.5 0.5"), "must be a number"),
        "infinite.cif": (salt.replace("0.5 0.5 0.5", "1e400 0.5 0.5"), "must be a number"),
        "occupancy.cif": (salt.replace("0.5 0.5 0.5 1", "0.5 0.5 0.5 -1"), "occupancy -1"),
        "crowded.cif": (salt.replace("0.5 0.5 0.5 1", "0.5 0.5 0.5 2.5"), "2.5 atoms in one place"),
        "touching.cif": (salt.replace("0.5 0.5 0.5 1", "0.0 0.0 0.05 1"), "closer than 0.5 A"),
        "dense.cif": (salt.replace("5.64", "1.9"), "each atom has only|closer than"),
        "element.cif": (salt.replace("Cl1 Cl", "Qq1 Qq"), "'Qq' is no element"),
        "vacancy.cif": (salt.replace("Cl1 Cl", "X1 X"), "'X' is no element"),
        "text.cif": (salt + "_note\n;\nnever closed\n", "never closed"),
        "frames.cif": (salt + "save_x\n_a 1\nsave_\n", "belongs to dictionaries"),
        "loops.cif": ("data_x\n" + "loop_\n" * 100_000 + "_atom_site_label\n", "_cell_length_a is missing"),
        "columns.cif": ("data_x\nloop_\n" + "".join(f"_atom_site_{n}\n" for n in range(5000)), "1000 columns"),
        "row.cif": (salt[:-4], "values in 6 columns"),
        "line.cif": (salt + "_x " + "y" * 200_000, "characters; at most"),
        "regex.cif": (head + texts.operations("1" * 90 + "!,y,z") + sites + lines, "cannot be read"),
        "binary.cif": (os.urandom(4000), "binary"),
        "empty.cif": (b"", "empty"),
        "blank.cif": (b"\n" * 1000, "no structure"),
        "semicolons.cif": (";\n" * 100_000, "no structure"),
        "moment.cif": (salt + "loop_\n_atom_site_moment_label\nNa1\n", "magnetic CIF"),
        "magnetic.mcif": (salt, "magnetic CIF"),
        "modulated.cif": (salt + "_space_group_ssg_name 'X'\n", "modulated"),
        "cut.cif.gz": (gzip.compress(salt.encode())[:-30], "cannot be read"),
        "bomb.cif.gz": (gzip.compress(b"\n" * 60_000_000), "more than 20 MiB"),
        "blank.jsonl.gz": (gzip.compress(b"\n" * 30_000_000), "lines are blank"),
        "deep.json": ("[" * 100_000, "nests too deeply"),
        "deeper.json": ('{"a":' * 100_000, "nests too deeply"),
        "constant.json": ('{"lattice": {"matrix": [[NaN]]}, "sites": []}', "no number of JSON"),
        "big.json": ("1" * 10_000, "is no JSON"),
        "other.json": ('{"a": 1}', "no structure among the keys a"),
        "POSCAR_many": (texts.POSCAR.replace("1 1\n", "999999999 1\n"), "1000000000 atoms are stated"),
        "POSCAR_short": (texts.POSCAR[:-20], "not all there|a number is expected"),
        "POSCAR_flat": (texts.POSCAR.replace("2.106 2.106 0.0", "0.0 2.106 2.106"), "no volume"),
        "many.xyz": (texts.XYZ.replace("2\n", "999999999\n", 1), "file ends after 2"),
        "molecule.xyz": ("1\nhello\nC 0 0 0\n", "no Lattice"),
        "slab.xyz": (texts.XYZ.replace("T T T", "T T F"), "some directions only"),
        "random.db": (os.urandom(2000), "no SQLite file"),
        "fake.db": (b"SQLite format 3\0" + os.urandom(4000), "cannot be read as an ASE database"),
        "headless.csv": ("a,b\n1,2\n", "no formula column"),
        "fake.parquet": (os.urandom(500), "cannot be read as a table"),
    }  # fmt: skip


def test_hostile_files_are_rejected_in_time_with_their_cause_and_the_rest_goes_on(tmp_path):
    files = hostile()
    for name, (content, _) in files.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    for number in range(3):
        (tmp_path / f"{'aqz'[number]}_good.cif").write_text(texts.SALT)
    began = time.monotonic()
    materials, rejects = read(tmp_path, limits=ReadLimits(file_mib=20))
    assert [m.name for m in materials] == ["a_good", "q_good", "z_good"]
    causes = {reject.reference.split("/")[1].partition("#")[0]: reject.cause for reject in rejects}
    assert causes.keys() == files.keys()
    wrong = {n: causes[n] for n, (_, expected) in files.items() if not re.search(expected, causes[n])}
    assert not wrong
    assert not any("took longer" in cause or "worker process" in cause for cause in causes.values())
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mark.cif", b"\xef\xbb\xbf" + texts.SALT.encode()),
        ("utf16.cif", texts.SALT.encode("utf-16")),
        ("latin.cif", texts.SALT.replace("data_NaCl", "data_NaCl\n# Ångström").encode("latin-1")),
        ("windows.cif", texts.SALT.replace("\n", "\r\n").encode()),
        ("capitals.CIF", texts.SALT.encode()),
        ("quote.cif", texts.SALT.replace("data_NaCl", "data_NaCl\n_author 'O'Neill, A.'").encode()),
        ("open.cif", texts.SALT.replace("data_NaCl", "data_NaCl\n_author 'not closed").encode()),
        ("packed.cif.gz", gzip.compress(texts.SALT.encode())),
        ("dots.cif", texts.SALT.replace("_cell_", "_cell.").replace("_atom_site_", "_atom_site.").encode()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_sloppy_but_clear_files_are_read(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    (material,), rejects = read(tmp_path / name)
    assert (material.formula, rejects) == ("ClNa", [])


def test_deuterium_is_hydrogen_and_said_so(tmp_path):
    (tmp_path / "lid.cif").write_text(texts.SALT.replace("Na1 Na", "Li1 Li").replace("Cl1 Cl", "D1 D"))
    (material,), _ = read(tmp_path / "lid.cif")
    assert material.formula == "HLi"
    assert "deuterium read as hydrogen" in material.provenance.note


def test_an_entry_that_stops_the_reader_costs_only_itself(tmp_path):
    frame = texts.XYZ.encode()
    lattice = b'"%s"' % b" ".join([b"1e-3 0 0 0 1e-3 0 0 0 1e-3"])
    bad = frame.replace(b'"0.0 2.0 2.0 2.0 0.0 2.0 2.0 2.0 0.0"', lattice)
    (tmp_path / "frames.xyz").write_bytes(frame * 3 + bad + frame * 2)
    materials, rejects = read(tmp_path / "frames.xyz")
    assert len(materials) == 5
    assert [r.reference for r in rejects] == ["frames.xyz#4"]


def test_a_long_file_is_read_piece_by_piece(tmp_path):
    (tmp_path / "long.xyz").write_text(texts.XYZ * 2500)
    materials, rejects = read(tmp_path / "long.xyz")
    assert not rejects
    assert [m.provenance.reference for m in materials] == [f"long.xyz#{n}" for n in range(1, 2501)]


def test_many_files_are_streamed(tmp_path):
    for number in range(300):
        (tmp_path / f"{number:03}.cif").write_text(texts.SALT)
    stream = read_files([tmp_path], workers=1)
    next(stream)
    for path in sorted(tmp_path.iterdir())[260:]:
        path.unlink()
    items = list(stream)  # the second batch was not read ahead
    assert [item.cause for item in items if isinstance(item, Rejected)] == ["it is no plain file any more"] * 40


def test_the_command_stores_what_it_can_and_counts_everything(tmp_path, monkeypatch):
    from hstore_workflows.cli.fetch.files import command

    monkeypatch.setenv("HSTORE_HOME", str(tmp_path / "home"))
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.cif").write_text(texts.SALT)
    (folder / "b.cif").write_text(texts.RUTILE)
    (folder / "c.cif").write_text(texts.SHARED)
    (folder / "notes.txt").write_text("none")
    result = CliRunner().invoke(command, [str(folder), "--json", "--workers", "1"], catch_exceptions=False)
    assert result.exit_code == 0
    counts = json.loads(result.stdout)
    assert {k: counts[k] for k in ("total", "received", "stored", "rejected")} == {
        "total": 3, "received": 3, "stored": 2, "rejected": 1,
    }  # fmt: skip
    assert "passed over 1 files of other kinds (.txt 1)" in result.stderr
    assert "Ti 0.6, V 0.4" in result.stderr
