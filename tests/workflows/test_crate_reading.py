"""Crates that were altered, cut, or made to do harm: refused by the name of the file, and nothing is written."""

from __future__ import annotations

import io
import json
import os
import random
import stat
import zipfile

import pytest

from hstore.errors import InputError
from hstore.licences import Mix
from hstore.settings import Settings
from hstore_workflows.crate.author import Author, is_orcid
from hstore_workflows.crate.content import Content, Made, Piece
from hstore_workflows.crate.importing import import_crate
from hstore_workflows.crate.reading import open_crate
from hstore_workflows.crate.toml_text import toml_text
from hstore_workflows.crate.writing import write_crate
from hstore_workflows.target import load_target, shipped_targets
from tests.workflows.crate_files import CHECKSUMS, METADATA, entities_of, members_of, pack, resealed, tree

ROWS = Mix.of(["CC-BY-4.0"])
CONTENT = Content(
    kind="campaign",
    name="c",
    title="A campaign",
    description="Made for a test.",
    pieces=(
        Piece("campaign/ledger.json", b'{"a": 1}\n', "Ledger", "application/json", ROWS),
        Piece("campaign/files/pool.parquet", b"pool" * 1000, "Pool", "application/vnd.apache.parquet", ROWS),
    ),
    rows=ROWS,
)


@pytest.fixture
def crate(tmp_path):
    write_crate(CONTENT, tmp_path / "c.zip")
    return tmp_path / "c.zip"


def refused(path, match, tmp_path):
    """A crate is refused, and nothing is written anywhere."""
    home = tmp_path / "home"
    before = {name: digest for name, digest in tree(tmp_path).items() if name != path.name}
    settings = Settings(home=home, data_mirror=None, database_url=None)
    with pytest.raises(InputError, match=match):
        import_crate(path, settings, out=None)
    assert not home.exists()
    assert {name: digest for name, digest in tree(tmp_path).items() if name != path.name} == before


def test_what_was_written_is_read(crate, tmp_path):
    with open_crate(crate) as found:
        assert found.about.name == "c"
        assert {p.path: (found.folder / p.path).read_bytes() for p in CONTENT.pieces} == {
            p.path: p.source for p in CONTENT.pieces
        }
        folder = found.folder
    assert not folder.exists()


@pytest.mark.parametrize(
    "name",
    [
        "campaign/ledger.json",
        "campaign/files/pool.parquet",
        "hstore-crate.json",
        "ro-crate-preview.html",
        METADATA,
    ],
)
@pytest.mark.parametrize("as_folder", [False, True], ids=["zip", "folder"])
def test_an_altered_file_is_refused_by_name(crate, tmp_path, name, as_folder):
    members = members_of(crate)
    content = bytearray(members[name])
    content[len(content) // 2] ^= 1
    if as_folder:
        with zipfile.ZipFile(crate) as archive:
            archive.extractall(tmp_path / "x")
        (tmp_path / "x" / name).write_bytes(content)
        refused(tmp_path / "x", f"'{name}' was changed: its checksum", tmp_path)
    else:
        refused(pack(tmp_path / "x.zip", members | {name: bytes(content)}), f"'{name}' was changed", tmp_path)


def test_a_checksum_changed_in_one_place_alone_is_refused(crate, tmp_path):
    members = members_of(crate)
    changed = resealed(members, **{"campaign/ledger.json": b"{}"})
    lines = {**members, "campaign/ledger.json": b"{}", CHECKSUMS: changed[CHECKSUMS]}
    refused(pack(tmp_path / "x.zip", lines), f"'{METADATA}' was changed", tmp_path)
    half = changed | {CHECKSUMS: members[CHECKSUMS]}
    refused(pack(tmp_path / "y.zip", half), f"'{METADATA}' was changed", tmp_path)


@pytest.mark.parametrize(
    ("alter", "match"),
    [
        (
            lambda m: {k: v for k, v in m.items() if k != "campaign/ledger.json"},
            "'campaign/ledger.json' is missing",
        ),
        (lambda m: m | {"extra.txt": b"x"}, "'extra.txt' is not in the list of checksums"),
        (lambda m: resealed(m, **{"extra.txt": b"x"}), "'extra.txt' is not described in ro-crate-metadata.json"),
        (lambda m: {k: v for k, v in m.items() if k != CHECKSUMS}, "holds no checksums.sha256"),
        (lambda m: {k: v for k, v in m.items() if k != METADATA}, "holds no ro-crate-metadata.json"),
        (lambda m: {k: v for k, v in m.items() if k != "hstore-crate.json"}, "holds no hstore-crate.json"),
        (lambda m: m | {CHECKSUMS: b"nonsense\n"}, "'checksums.sha256' cannot be read in line 1"),
        (lambda m: m | {CHECKSUMS: b"\xff\xfe"}, "'checksums.sha256' is no text"),
        (lambda m: sealed(m, METADATA, b"[]"), "'ro-crate-metadata.json' cannot be read"),
        (lambda m: sealed(m, METADATA, b"{"), "'ro-crate-metadata.json' cannot be read"),
        (lambda m: resealed(m, **{"hstore-crate.json": b"{}"}), "'hstore-crate.json' cannot be read"),
        (lambda m: resealed(m, **{"hstore-crate.json": newer(m)}), "a newer hstore may have written it"),
    ],
)
def test_what_does_not_fit_together_is_refused(crate, tmp_path, alter, match):
    refused(pack(tmp_path / "x.zip", alter(members_of(crate))), match, tmp_path)


def sealed(members, name, content):
    """Members with other content under a right checksum, in the list alone."""
    import hashlib

    lines = members[CHECKSUMS].decode().splitlines()
    digest = hashlib.sha256(content).hexdigest()
    kept = [f"{digest}  {name}" if line.endswith(f"  {name}") else line for line in lines]
    return members | {name: content, CHECKSUMS: "\n".join(kept).encode()}


def newer(members):
    return json.dumps(json.loads(members["hstore-crate.json"]) | {"format": 2}).encode()


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "a/../../evil", "C:/evil", "..\\evil", "campaign/../../evil"]
)
def test_a_path_that_leads_out_of_the_crate_is_refused(crate, tmp_path, name):
    refused(
        pack(tmp_path / "x.zip", resealed(members_of(crate), **{name: b"x"})), "leads out of the crate", tmp_path
    )
    assert not (tmp_path.parent / "evil").exists()


def test_links_and_encrypted_and_doubled_members_are_refused(crate, tmp_path):
    members = members_of(crate)
    link = zipfile.ZipInfo("campaign/ledger.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        for name, content in members.items():
            archive.writestr(link if name == link.filename else name, content)
    refused(tmp_path / "link.zip", "'campaign/ledger.json' is a link or device", tmp_path)
    again = zipfile.ZipFile(pack(tmp_path / "twice.zip", members), "a")
    with pytest.warns(UserWarning, match="Duplicate"):
        again.writestr("campaign/ledger.json", b"{}")
    again.close()
    refused(tmp_path / "twice.zip", "'campaign/ledger.json' is in it twice", tmp_path)
    locked = bytearray(crate.read_bytes())
    entry = locked.index(b"PK\x01\x02")
    locked[entry + 8] |= 1  # the flag of encryption, in the list of members
    (tmp_path / "locked.zip").write_bytes(locked)
    refused(tmp_path / "locked.zip", "is encrypted; pack it without a password", tmp_path)


def test_a_link_in_a_folder_is_refused(crate, tmp_path):
    with zipfile.ZipFile(crate) as archive:
        archive.extractall(tmp_path / "x")
    secret = tmp_path / "secret"
    secret.write_bytes((tmp_path / "x/campaign/ledger.json").read_bytes())
    (tmp_path / "x/campaign/ledger.json").unlink()
    (tmp_path / "x/campaign/ledger.json").symlink_to(secret)
    refused(tmp_path / "x", "'campaign/ledger.json' is a link or device", tmp_path)


def test_a_file_that_unpacks_to_more_than_it_states_is_stopped_there(crate, tmp_path):
    members = members_of(crate)
    bomb = b"\0" * (300 << 20)
    path = pack(tmp_path / "x.zip", members | {"campaign/files/pool.parquet": bomb})
    assert path.stat().st_size < 1 << 20
    refused(path, "'campaign/files/pool.parquet' is longer than the 4,000 bytes it may have", tmp_path)


def test_a_crate_that_states_too_much_is_refused_before_it_is_unpacked(crate, tmp_path):
    members = members_of(crate)
    graph = json.loads(members[METADATA])
    for entity in graph["@graph"]:
        if entity["@id"] == "campaign/files/pool.parquet":
            entity["contentSize"] = str(1 << 40)
    refused(
        pack(tmp_path / "x.zip", sealed(members, METADATA, json.dumps(graph).encode())),
        "unpacks to 1,099,511,.* bytes, allowed are", tmp_path,
    )  # fmt: skip


def test_a_page_or_metadata_without_end_are_stopped(crate, tmp_path, monkeypatch):
    monkeypatch.setattr("hstore_workflows.crate.reading._MOST_TEXT_BYTES", 1000)
    refused(crate, "is longer than the 1,000 bytes it may have", tmp_path)


def test_too_many_files_are_refused(crate, tmp_path, monkeypatch):
    monkeypatch.setattr("hstore_workflows.crate.reading._MOST_FILES", 3)
    refused(crate, "files, allowed are 3", tmp_path)


@pytest.mark.parametrize("seed", range(6))
def test_damage_anywhere_is_refused_and_never_a_traceback(crate, tmp_path, seed):
    draw = random.Random(seed)
    content = crate.read_bytes()
    for number in range(25):
        changed = bytearray(content)
        for _ in range(draw.choice([1, 3, 20])):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        damaged = bytes(changed[: draw.randrange(len(changed))]) if number % 4 == 0 else bytes(changed)
        path = tmp_path / "damaged.zip"
        path.write_bytes(damaged)
        try:
            with open_crate(path) as found:  # what zip does not look at may change and nothing else
                assert {p.path: (found.folder / p.path).read_bytes() for p in CONTENT.pieces} == {
                    p.path: p.source for p in CONTENT.pieces
                }
        except InputError:
            continue


@pytest.mark.parametrize("content", [b"", b"no zip", io.BytesIO().getvalue()])
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "x.zip").write_bytes(content)
    refused(tmp_path / "x.zip", "cannot be read as a crate", tmp_path)


def test_a_zip_is_the_same_bytes_for_the_same_content(tmp_path, monkeypatch):
    from datetime import datetime

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2026, 12, 1, tzinfo=tz)

    monkeypatch.setattr("hstore_workflows.crate.writing.datetime", Clock)
    for name in ("a.zip", "b.zip"):
        write_crate(CONTENT, tmp_path / name, authors=[Author("A"), Author("B", "0000-0002-1825-0097")])
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_a_failure_while_writing_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hstore_workflows.crate.writing.zipfile.ZipFile", fail)
    with pytest.raises(OSError, match="No space"):
        write_crate(CONTENT, tmp_path / "c.zip")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no folder can be made in .*nowhere: No such file"):
        write_crate(CONTENT, tmp_path / "nowhere/c.zip")


def test_text_of_the_content_is_no_markup_of_the_page(tmp_path):
    evil = "<script>alert(1)</script>"
    content = Content(
        kind="campaign", name="c", title=evil, description=evil, pieces=CONTENT.pieces, rows=ROWS,
        made=Made(evil, evil, "2026-12-01"), notes=(evil,), versions={evil: evil},
    )  # fmt: skip
    write_crate(content, tmp_path / "c.zip", authors=[Author(evil)])
    page = members_of(tmp_path / "c.zip")["ro-crate-preview.html"].decode()
    assert evil not in page
    assert "&lt;script&gt;" in page


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_only_the_owner_reads_a_private_crate(tmp_path, build):
    from dataclasses import replace

    private = replace(CONTENT, access=build.of("north"))
    write_crate(private, tmp_path / "c.zip")
    write_crate(private, tmp_path / "c")
    write_crate(CONTENT, tmp_path / "open.zip")
    assert stat.S_IMODE((tmp_path / "c.zip").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "c").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "open.zip").stat().st_mode) & 0o044
    assert entities_of(tmp_path / "c.zip")["./"]["conditionsOfAccess"] == "private to lab north"
    assert "conditionsOfAccess" not in entities_of(tmp_path / "open.zip")["./"]


@pytest.mark.parametrize(
    ("text", "name", "orcid"),
    [
        ("Josiah Carberry <0000-0002-1825-0097>", "Josiah Carberry", "0000-0002-1825-0097"),
        (" A.  N.\tOther ", "A. N. Other", None),
        ("X <https://orcid.org/0000-0001-5109-3700>", "X", "0000-0001-5109-3700"),
        ("Y <0000-0002-1694-233X>", "Y", "0000-0002-1694-233X"),
    ],
)
def test_authors_are_read(text, name, orcid):
    assert Author.parse(text) == Author(name, orcid)


@pytest.mark.parametrize(
    "text", ["", "<0000-0002-1825-0097>", "X <>", "X <a@example.org>", "X <0000-0002-1825-0098>"]
)
def test_what_is_no_author_is_refused(text):
    with pytest.raises(InputError, match=r"an author is|is no ORCID iD"):
        Author.parse(text)


def test_one_wrong_digit_of_an_orcid_is_found():
    for place in range(19):
        wrong = list("0000-0002-1825-0097")
        if wrong[place] != "-":
            wrong[place] = str((int(wrong[place]) + 1) % 10)
            assert not is_orcid("".join(wrong))


@pytest.mark.parametrize("name", shipped_targets())
def test_a_target_written_as_toml_is_the_same_target(tmp_path, name):
    target = load_target(name)
    path = tmp_path / "other.toml"
    path.write_text(toml_text(json.loads(target.model_dump_json(exclude_none=True))), encoding="utf-8")
    assert load_target(str(path)) == target


def test_toml_holds_any_text():
    import tomllib

    content = {
        "a": 'quote " back \\ line \n tab \t del \x7f é 漢 𝒳',
        "n": 1.5,
        "yes": True,
        "l": ["x", "y"],
        "t": {"u": {"v": 1}},
    }
    assert tomllib.loads(toml_text(content | {"none": None})) == content
