"""2,000 damaged and invented files: no crash, no hang, no unbounded memory, no error that is not one of ours.

All go through the reading processes as the command uses them. Real files take part where they are present.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import tarfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hstore.workers import Crew, Limits
from hstore_workflows.sources.files.found import Found, Unusable, check_possible
from hstore_workflows.sources.files.place import Document
from hstore_workflows.sources.files.reading import PRELOAD, Piece, read_piece
from tests.workflows import structure_texts as texts

LIMITS = Limits(seconds=8.0, memory_mib=1536, items_per_worker=2000)
MUTATED = 1500
INVENTED_EXAMPLES = 25
INVENTED_EACH = 20
MOST_MIB = 400
FOREIGN = re.compile(r"it cannot be read \([A-Z]\w+(Error|Exception)")
"""How causes begin that come from an error which is not one of ours."""


@pytest.fixture(scope="module")
def crew():
    with Crew(read_piece, workers=2, limits=LIMITS, piece=20, preload=PRELOAD) as reading:
        yield reading


def check(crew, documents):
    """Read documents and check every answer; returns how many entries were usable and not."""
    usable = unusable = 0
    pieces = [Piece(document, 2000) for document in documents]
    for piece, outcome in zip(pieces, crew.map(pieces), strict=True):
        shown = (piece.document.name, outcome.cause, piece.document.data)
        assert outcome.value is not None, shown
        assert outcome.value.entries or outcome.value.rest is not None, shown
        for _, found in outcome.value.entries:
            if isinstance(found, Unusable):
                unusable += 1
                assert found.cause, shown
                assert not FOREIGN.match(found.cause), (found.cause, shown)
            else:
                usable += 1
                assert isinstance(found, Found)
                if found.crystal is not None:
                    check_possible(found.crystal)
                    assert len(found.crystal) <= 2000
    for worker in crew._workers:
        status = Path(f"/proc/{worker.process.pid}/status")
        if status.is_file():
            peak = int(re.search(r"VmHWM:\s+(\d+)", status.read_text()).group(1)) / 1024
            assert peak < MOST_MIB, f"a reading process took {peak:.0f} MiB"
    return usable, unusable


def seeds():
    """Files to damage: those written for the tests, and some real ones where there are any."""
    from ase.build import bulk

    structure = {
        "lattice": {"matrix": [[4, 0, 0], [0, 4, 0], [0, 0, 4]]},
        "sites": [{"species": [{"element": "Li", "occu": 0.5}], "abc": [0, 0, x]} for x in (0, 0.5)]
        + [{"species": [{"element": "Cl", "occu": 1}], "abc": [0.5, 0.5, 0.5]}],
    }
    found = [(f"{name}.cif", text.encode()) for name, text in texts.ALL.items()]
    found += [("POSCAR", texts.POSCAR.encode()), ("a.xyz", (texts.XYZ * 3).encode())]
    found += [
        ("a.json", json.dumps([structure] * 2).encode()),
        ("a.jsonl", (json.dumps(structure) + "\n").encode() * 3),
    ]
    found.append(("a.db", _database(bulk("NaCl", "rocksalt", a=5.6))))
    return found + list(_real())


def _database(atoms):
    import tempfile

    import ase.db

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        with ase.db.connect(path) as database:
            database.write(atoms, name="salt")
        return path.read_bytes()


def _real():
    mirror = os.environ.get("HSTORE_DATA_MIRROR")
    archives = [(Path(mirror) / "obelix" / "all_cifs.tar.gz", 60)] if mirror else []
    try:
        import CoRE_MOF
    except ImportError:
        pass
    else:
        archives.append((Path(CoRE_MOF.__file__).parent / "data" / "2019-ASR.tar.xz", 12))
    for path, count in archives:
        if path.is_file():
            with tarfile.open(path) as archive:
                small = (m for m in archive if m.name.endswith(".cif") and m.size < 30_000)
                for member in itertools.islice(small, count):
                    yield member.name, archive.extractfile(member).read()


NUMBERS = [
    b"0",
    b"-1",
    b"1e308",
    b"nan",
    b"inf",
    b"99999999999",
    b"1e-300",
    b"0.5",
    b"?",
    b".",
    b"1_0",
    b"7" * 400,
]


def flip(data, lines, rng):
    changed = bytearray(data)
    for _ in range(rng.randint(1, 30) if changed else 0):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def cut(data, lines, rng):
    return data[: rng.randrange(len(data) + 1)]


def drop(data, lines, rng):
    line = rng.randrange(len(lines))
    return b"\n".join(lines[:line] + lines[line + rng.randint(1, 5) :])


def repeat(data, lines, rng):
    line = rng.randrange(len(lines))
    again = lines[line : line + rng.randint(1, 8)] * rng.choice([1, 1, 2, 50])
    return b"\n".join(lines[:line] + again + lines[line:])


def renumber(data, lines, rng):
    found = list(re.finditer(rb"-?\d+\.?\d*", data))
    if not found:
        return data
    hit = rng.choice(found)
    return data[: hit.start()] + rng.choice(NUMBERS) + data[hit.end() :]


def insert(data, lines, rng):
    place = rng.randrange(len(data) + 1)
    marks = [b"'", b'"', b";\n", b"\n;", b"loop_\n", b"data_x\n", b"save_\n", b"#", b"\0", b"["]
    return data[:place] + rng.choice(marks) + data[place:]


def copy(data, lines, rng):
    place, start = rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)
    return data[:place] + data[start : start + 200] + data[place:]


def shuffle(data, lines, rng):
    return b"\n".join(rng.sample(lines, len(lines)))


def swap(data, lines, rng):
    return data.replace(*rng.choice(SWAPS))


MUTATIONS = [flip, cut, drop, repeat, renumber, insert, copy, shuffle, swap]


def damaged(name, content, rng):
    """One file with one to four changes of the kinds that happen to files and that people make to them."""
    for _ in range(rng.randint(1, 4)):
        content = rng.choice(MUTATIONS)(content, content.split(b"\n"), rng)
    return Document(name, None, content[:200_000])


SWAPS = [
    (b"Li", b"Xx"), (b" 1\n", b" 0.5\n"), (b"1.0", b"0.34"), (b"_cell_", b"_call_"), (b"90", b"60"),
    (b"'", b""), (b"x", b"y"), (b"+1/2", b"+1/7"), (b"\n", b"\r\n"), (b"\n", b" "), (b" ", b"\t"), (b"0.", b"1."),
]  # fmt: skip


def test_mutated_files(crew):
    rng = random.Random(20_240_229)
    files = seeds()
    began = time.monotonic()
    usable, unusable = check(crew, [damaged(*files[n % len(files)], rng) for n in range(MUTATED)])
    assert usable > 100  # the mutations leave something to read
    assert unusable > 500
    assert time.monotonic() - began < 120


words = st.sampled_from([
    "data_a", "loop_", "_cell_length_a", "_cell_angle_alpha", "_atom_site_label", "_atom_site_fract_x",
    "_atom_site_occupancy", "_atom_site_type_symbol", "_symmetry_equiv_pos_as_xyz", "'x,y,z'", "'-x,-y,z+1/2'",
    "Li", "O2-", "0.25", "-1e9", "nan", "?", ".", "'", '"', "\n;", "#", "save_", "225", "1(2)",
    "_space_group_IT_number",
])  # fmt: skip
numbers = st.one_of(
    st.floats(allow_nan=True).map(str),
    st.integers(-10, 10**12).map(str),
    st.text("0123456789.eE+-()_", max_size=12),
)
soups = st.lists(st.one_of(words, numbers, st.text(max_size=8)), max_size=60).map(" \n".join)


@st.composite
def crystals(draw):
    """A CIF with every part in place and any numbers in it."""
    cell = [draw(st.one_of(st.floats(0.1, 40).map(str), numbers)) for _ in range(3)]
    cell += [
        draw(st.one_of(st.sampled_from(["90", "60", "120", "109.47"]), st.floats(1, 179).map(str), numbers))
        for _ in range(3)
    ]
    row = st.tuples(
        st.sampled_from(["Li", "H", "D", "O", "Fe3+", "X", "Zr4", ""]),
        st.lists(
            st.one_of(st.sampled_from(["0", "0.5", "0.25", "0.3333"]), st.floats(-2, 2).map(str)),
            min_size=3,
            max_size=3,
        ),
        st.sampled_from(["1", "0.5", "0.25", "0.98", "-1", "2", "?"]),
    )
    rows = [
        f"{el}1 {el or '?'} {' '.join(place)} {share}"
        for el, place, share in draw(st.lists(row, min_size=1, max_size=8))
    ]
    symmetry = draw(
        st.one_of(
            st.integers(-1, 232).map(lambda n: f"_space_group_IT_number {n}\n"),
            st.sampled_from(["P 1", "F m -3 m", "R -3 c", "Fd-3m", "P 21/c", "garbage"]).map(
                lambda s: f"_symmetry_space_group_name_H-M '{s}'\n"
            ),
            st.lists(st.text("xyz+-/12,. ", max_size=14), max_size=4).map(lambda ops: texts.operations(*ops)),
        )
    )
    return texts.cif("a", cell, rows, symmetry=symmetry)


poscars = st.lists(
    st.one_of(
        numbers, st.sampled_from(["Li", "O", "Direct", "Cartesian", "Selective", "1 1", "1 0 0", "0 4 0", "0 0 4"])
    ),
    max_size=14,
).map("\n".join)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=5), st.integers()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(
                [
                    "lattice",
                    "matrix",
                    "sites",
                    "species",
                    "element",
                    "occu",
                    "abc",
                    "ids",
                    "nextid",
                    "1",
                    "structure",
                ]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=15,
)
documents = st.one_of(
    st.tuples(st.just("a.cif"), st.one_of(crystals(), soups).map(str.encode)),
    st.tuples(st.just("POSCAR"), poscars.map(str.encode)),
    st.tuples(st.just("a.xyz"), st.one_of(soups, st.text(max_size=60)).map(lambda text: f"2\n{text}".encode())),
    st.tuples(st.sampled_from(["a.json", "a.jsonl"]), values.map(lambda v: json.dumps(v).encode())),
    st.tuples(
        st.sampled_from(["a.cif", "a.json", "a.db", "a.xyz", "a.cif.gz", "POSCAR"]), st.binary(max_size=300)
    ),
)


@settings(
    max_examples=INVENTED_EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(st.lists(documents, min_size=INVENTED_EACH, max_size=INVENTED_EACH))
def test_invented_files(crew, files):
    check(crew, [Document(name, None, data, gzipped=name.endswith(".gz")) for name, data in files])


def test_the_cases_are_2000():
    assert MUTATED + INVENTED_EXAMPLES * INVENTED_EACH == 2000
