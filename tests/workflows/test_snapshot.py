"""Snapshots: what went in comes out, or the file is refused with its fault."""

from __future__ import annotations

import gzip
import json
from datetime import date

import pytest

from hstore.errors import InputError
from hstore.records import Access, Family, Material, Provenance, Visibility
from hstore_workflows.sources import snapshot
from hstore_workflows.sources.snapshot import open_snapshot


def material(number):
    return Material(
        material_id=f"x:{number}",
        formula="LaNi5",
        family=Family.INTERSTITIAL,
        structure={"lattice": {"matrix": [[1.0 / 3, 0, 0], [0, 2, 0], [0, 0, 3]]}, "sites": []},
        descriptors={"energy_above_hull_ev_per_atom": 0.1 * number},
        reason="Größe \u2028 and line\nend",
        provenance=Provenance(source="x", retrieved=date(2026, 1, 2), note="n"),
        access=Access(lab_id="lab", visibility=Visibility.LAB) if number % 2 else Access(),
    )


def write(path, count=5):
    with snapshot.writing(path, source="mp", query="La", version="2026.02.03") as add:
        for number in range(count):
            add(material(number))


@pytest.mark.parametrize("count", [0, 1, 200])
def test_what_went_in_comes_out(tmp_path, count):
    path = tmp_path / "made" / "x.jsonl.gz"
    write(path, count)
    found = open_snapshot(path)
    assert (found.source, found.query, found.version, found.count) == ("mp", "La", "2026.02.03", count)
    assert found.created.tzinfo is not None
    assert list(found.materials()) == [material(number) for number in range(count)]
    assert [one.name for one in path.parent.iterdir()] == ["x.jsonl.gz"]


def test_equal_materials_have_equal_checksums(tmp_path):
    write(tmp_path / "a")
    write(tmp_path / "b")
    assert open_snapshot(tmp_path / "a").sha256 == open_snapshot(tmp_path / "b").sha256


def test_an_error_on_the_way_leaves_no_file_and_an_old_one_as_it_was(tmp_path):
    path = tmp_path / "x"
    write(path, 3)

    def half():
        with snapshot.writing(path, source="mp", query="", version="") as add:
            add(material(1))
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        half()
    assert open_snapshot(path).count == 3
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


def test_every_cut_is_noticed(tmp_path):
    path = tmp_path / "x"
    write(path, 3)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=str(path)):
            open_snapshot(path)


def lines_of(path):
    return gzip.decompress(path.read_bytes()).splitlines(keepends=True)


def _heading(**changes):
    return lambda lines: [json.dumps(json.loads(lines[0]) | changes).encode() + b"\n", *lines[1:]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1], "cut short after 4 materials"),
        (lambda lines: lines[:2] + lines[3:], "says it holds 5 materials but holds 4"),
        (lambda lines: lines[:2] + lines[1:], "says it holds 5 materials but holds 6"),
        (lambda lines: [lines[0], *reversed(lines[1:-1]), lines[-1]], "not those it was written with"),
        (lambda lines: [lines[0], lines[1].replace(b"LaNi5", b"LaNi6"), *lines[2:]], "not those it was written"),
        (_heading(format="other"), "no hstore snapshot"),
        (_heading(layout=2), "layout 2"),
        (_heading(created="once"), "when it was made"),
        (lambda _: [b"[" * 100_000], "no hstore snapshot"),
        (lambda _: [b"\x00\xff\n", b"7"], "no hstore snapshot"),
        (lambda _: [], "no hstore snapshot"),
    ],
)
def test_what_was_changed_is_refused(tmp_path, change, message):
    path = tmp_path / "x"
    write(path)
    path.write_bytes(gzip.compress(b"".join(change(lines_of(path)))))
    with pytest.raises(InputError, match=message):
        open_snapshot(path)


@pytest.mark.parametrize("content", [b"", b"plain text", b"\x1f\x8b\x08\x00" + bytes(20)])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(InputError, match=r"snapshot"):
        open_snapshot(tmp_path / "x")
    with pytest.raises(InputError, match="cannot be read"):
        open_snapshot(tmp_path / "none")


def test_a_line_that_is_no_material_is_named(tmp_path):
    path = tmp_path / "x"
    write(path)
    lines = lines_of(path)
    lines[3] = b'{"material_id": "x"}\n'
    import hashlib

    digest = hashlib.sha256(b"".join(lines[1:-1])).hexdigest()
    lines[-1] = json.dumps({"count": 5, "sha256": digest}).encode()
    path.write_bytes(gzip.compress(b"".join(lines)))
    with pytest.raises(InputError, match="line 4 of"):
        list(open_snapshot(path).materials())


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path / "file" / "x")
