"""Archives: read member by member within limits, nothing outside them touched, damage told from the rest."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import tracemalloc
import zipfile
from collections import Counter

import pytest

from hstore_workflows.sources.files.archives import Member, members
from hstore_workflows.sources.files.limits import ReadLimits
from hstore_workflows.sources.files.source import read_files
from hstore_workflows.sources.intake import Rejected
from tests.workflows import structure_texts as texts

SALT = texts.SALT.encode()


def tar_bytes(entries, **options):
    """An uncompressed tar archive of names and contents, or of ready TarInfo."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", **options) as archive:
        for name, content in entries:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_file(path, entries, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def given(path, limits=None, skipped=None):
    found = list(members(path, path.name, limits or ReadLimits(), skipped))
    return (
        [item.name for item in found if isinstance(item, Member)],
        {item.reference: item.cause for item in found if isinstance(item, Rejected)},
    )


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.tar", lambda data: data), ("a.tar.gz", gzip.compress), ("a.tgz", gzip.compress),
        ("a.tar.bz2", bz2.compress), ("a.tar.xz", lzma.compress), ("a.zip", None),
    ],
)  # fmt: skip
def test_members_become_materials_in_the_order_of_the_archive(tmp_path, name, pack):
    entries = [
        ("set/b.cif", SALT),
        ("set/a.cif", texts.RUTILE.encode()),
        ("set/readme.md", b"about"),
        ("POSCAR", texts.POSCAR.encode()),
    ]
    path = tmp_path / name
    if pack:
        path.write_bytes(pack(tar_bytes(entries)))
    else:
        zip_file(path, entries)
    skipped = Counter()
    materials = list(read_files([path], workers=1, skipped=skipped))
    assert [m.provenance.reference for m in materials] == [
        f"{name}/set/b.cif#NaCl", f"{name}/set/a.cif#MgH2", f"{name}/POSCAR#1",
    ]  # fmt: skip
    assert [m.material_id.rpartition("-")[0] for m in materials] == [
        "file:a:b:NaCl",
        "file:a:a:MgH2",
        "file:a:POSCAR:1",
    ]
    assert skipped == {".md": 1}


UNSAFE = ["../out.cif", "/etc/out.cif", "a/../../out.cif", "C:\\out.cif", "..\\out.cif"]


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_that_lead_out_of_the_archive_are_refused(tmp_path, name, kind):
    path = tmp_path / f"a.{kind}"
    entries = [(name, SALT), ("good.cif", SALT)]
    if kind == "zip":
        zip_file(path, entries)
    else:
        path.write_bytes(tar_bytes(entries))
    names, causes = given(path)
    assert names == ["good.cif"]
    assert all("leads out of the archive" in cause for cause in causes.values())
    assert len(causes) == 1


def test_links_and_devices_in_tar_are_refused(tmp_path):
    entries = [
        (special("sym.cif", tarfile.SYMTYPE, "/etc/passwd"), b""),
        (special("hard.cif", tarfile.LNKTYPE, "good.cif"), b""),
        (special("null.cif", tarfile.CHRTYPE), b""), (special("pipe.cif", tarfile.FIFOTYPE), b""),
        (special("folder", tarfile.DIRTYPE), b""), ("good.cif", SALT),
    ]  # fmt: skip
    (tmp_path / "a.tar").write_bytes(tar_bytes(entries))
    names, causes = given(tmp_path / "a.tar")
    assert names == ["good.cif"]
    assert {reference.split("/")[1]: cause.split(";")[0] for reference, cause in causes.items()} == {
        "sym.cif": "it is a link", "hard.cif": "it is a link",
        "null.cif": "it is a device, pipe or sparse file", "pipe.cif": "it is a device, pipe or sparse file",
    }  # fmt: skip


def test_links_encryption_and_strange_compression_in_zip_are_refused(tmp_path):
    link = zipfile.ZipInfo("link.cif")
    link.external_attr = 0o120777 << 16
    path = zip_file(tmp_path / "a.zip", [(link, "/etc/passwd"), ("secret.cif", SALT), ("good.cif", SALT)])
    data = bytearray(path.read_bytes())
    for start in (data.find(b"secret.cif") - 30, data.rfind(b"secret.cif") - 46):
        flag = start + (6 if data[start : start + 4] == b"PK\3\4" else 8)
        data[flag] |= 1
    path.write_bytes(data)
    names, causes = given(path)
    assert names == ["good.cif"]
    assert "it is a link" in causes["a.zip/link.cif"]
    assert "it is encrypted" in causes["a.zip/secret.cif"]
    _, causes = given(zip_file(tmp_path / "b.zip", [("lzma.cif", SALT)], zipfile.ZIP_LZMA))
    assert "compression method 14" in causes["b.zip/lzma.cif"]


def test_archives_inside_archives_are_refused(tmp_path):
    inner = tar_bytes([("x.cif", SALT)])
    path = zip_file(
        tmp_path / "a.zip", [("inner.tar.gz", gzip.compress(inner)), ("one.cif.gz", gzip.compress(SALT))]
    )
    items = list(read_files([path], workers=1))
    assert [i.cause.split(";")[0] for i in items if isinstance(i, Rejected)] == [
        "an archive inside an archive is not read"
    ]
    assert [i.formula for i in items if not isinstance(i, Rejected)] == ["ClNa"]


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.xz", "tar.bz2"])
def test_bombs_end_at_the_limits_and_memory_stays_small(tmp_path, kind):
    zeros = bytes(24 << 20)
    entries = [("good.cif", SALT), *((f"{n}.cif", zeros) for n in range(4)), ("late.cif", SALT)]
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        zip_file(path, entries)
    else:
        with tarfile.open(path, f"w:{kind[4:]}") as archive:
            for name, content in entries:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    del zeros, entries
    tracemalloc.start()
    found = [(type(item), getattr(item, "cause", "")) for item in members(path, path.name, ReadLimits())]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found[0][0] is Member
    assert found[-1][0] is Rejected
    assert "times its size, allowed are 250" in found[-1][1]
    assert peak < 150 << 20
    _, causes = given(path, ReadLimits(archive_ratio=10**6, archive_mib=50))
    assert any("more than 50 MiB" in cause for cause in causes.values())
    names, causes = given(path, ReadLimits(archive_ratio=10**6, file_mib=1))
    assert names == ["good.cif", "late.cif"]
    assert sum("more than 1 MiB" in cause for cause in causes.values()) == 4


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_too_many_members_end_the_archive(tmp_path, kind):
    entries = [(f"{n}.cif", SALT) for n in range(20)]
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        zip_file(path, entries)
    else:
        path.write_bytes(tar_bytes(entries))
    names, causes = given(path, ReadLimits(archive_members=5))
    assert len(names) == 5
    assert "more than 5 members" in causes[path.name]


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.xz", "tar.bz2"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.85])
def test_what_stands_before_the_damage_is_read_and_the_rest_rejected(tmp_path, kind, share):
    import random

    noise = random.Random(0)
    entries = [(f"{n:02}.cif", SALT + b"# " + noise.randbytes(3000).hex().encode()) for n in range(20)]
    pack = {"tar": bytes, "tar.gz": gzip.compress, "tar.xz": lzma.compress, "tar.bz2": bz2.compress}[kind]
    whole = pack(tar_bytes(entries))
    path = tmp_path / f"a.{kind}"
    path.write_bytes(whole[: int(share * len(whole))])
    names, causes = given(path)
    assert names == [f"{n:02}.cif" for n in range(len(names))]
    assert len(names) < 20
    assert kind == "tar.bz2" or len(names) >= int(20 * share) - 2  # bz2 works in blocks of 900 kB
    assert list(causes) == [f"a.{kind}"]
    assert "damaged or cut off" in causes[f"a.{kind}"]


def test_a_wrong_header_in_the_middle_of_a_tar_is_not_taken_for_its_end(tmp_path):
    data = bytearray(tar_bytes([(f"{n}.cif", SALT) for n in range(4)]))
    second = 512 + -(-len(SALT) // 512) * 512
    data[second + 148 : second + 156] = b"badsum!!"
    (tmp_path / "a.tar").write_bytes(data)
    names, causes = given(tmp_path / "a.tar")
    assert names == ["0.cif"]
    assert "a header cannot be read" in causes["a.tar"]


def test_damage_to_one_member_of_a_zip_spares_the_others(tmp_path):
    path = zip_file(tmp_path / "a.zip", [(f"{n}.cif", SALT) for n in range(3)])
    data = bytearray(path.read_bytes())
    place = data.find(b"1.cif") + 40
    data[place : place + 20] = bytes(20)
    path.write_bytes(data)
    names, causes = given(path)
    assert names == ["0.cif", "2.cif"]
    assert "it is damaged" in causes["a.zip/1.cif"]


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.xz", "a.tar.bz2", "a.tgz"])
@pytest.mark.parametrize("content", [b"", b"no archive at all " * 100, bytes(700)], ids=["empty", "text", "zeros"])
def test_what_is_no_archive_is_one_reject(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    names, causes = given(tmp_path / name)
    assert not names
    assert list(causes) in ([name], [])
    assert causes or content == bytes(700)  # a tar archive of zeros is an empty one


def test_giant_tar_headers_are_not_read_into_memory(tmp_path):
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 1 << 32
    (tmp_path / "a.tar").write_bytes(header.tobuf() + bytes(1 << 20))
    names, causes = given(tmp_path / "a.tar")
    assert not names
    assert "fill memory" in causes["a.tar"]


def test_chains_of_headers_end(tmp_path):
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 20
    block = header.tobuf() + b"20 path=abcdefghij\n\0".ljust(512, b"\0")
    (tmp_path / "a.tar").write_bytes(block * 5000 + bytes(1024))
    names, causes = given(tmp_path / "a.tar")
    assert not names
    assert "a.tar" in causes


def test_xz_that_asks_for_gigabytes_is_refused(tmp_path):
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16}]
    data = bytearray(lzma.compress(tar_bytes([("a.cif", SALT)]), filters=filters))
    header = bytearray(data[12:24])
    place = header.index(bytes([0x21, 0x01])) + 2
    header[place] = 40  # a dictionary of 4 GiB
    import zlib

    header[8:12] = struct.pack("<I", zlib.crc32(bytes(header[:8])))
    data[12:24] = header
    (tmp_path / "a.tar.xz").write_bytes(data)
    names, causes = given(tmp_path / "a.tar.xz")
    assert not names
    assert "Memory usage limit" in causes["a.tar.xz"]


def test_a_zip_directory_too_long_for_memory_is_refused(tmp_path):
    path = zip_file(tmp_path / "a.zip", [("a.cif", SALT)])
    data = bytearray(path.read_bytes())
    end = data.rfind(b"PK\5\6")
    data[end + 12 : end + 16] = struct.pack("<I", 1 << 30)
    path.write_bytes(data)
    names, causes = given(path)
    assert not names
    assert "the list of its members takes 1024 MiB" in causes["a.zip"]


def test_resource_forks_and_other_kinds_are_passed_over(tmp_path):
    path = zip_file(
        tmp_path / "a.zip", [("__MACOSX/a.cif", b"\0\1"), ("._a.cif", b"\0"), ("a.png", b""), ("a.cif", SALT)]
    )
    skipped = Counter()
    names, causes = given(path, skipped=skipped)
    assert (names, causes, skipped) == (["a.cif"], {}, {".cif": 2, ".png": 1})


def test_names_are_shown_without_control_characters(tmp_path):
    path = zip_file(tmp_path / "a.zip", [("a\x1b[31m/../" + "x" * 400 + ".cif", SALT)])
    _, causes = given(path)
    (reference,) = causes
    assert "\x1b" not in reference
    assert len(reference) < 250
