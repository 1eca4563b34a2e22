"""Licences: spelled alike, counted by rows, never guessed; a whole that lets go what a part asks for is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstore.errors import InputError
from hstore.licences import KNOWN, NOT_STATED, Mix, check_licence, joined, parts_of, stated


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (None, (NOT_STATED,)),
        ("", (NOT_STATED,)),
        ("Not stated", (NOT_STATED,)),
        ("LicenseRef-not-stated", (NOT_STATED,)),
        ("cc-by-4.0", ("CC-BY-4.0",)),
        ("CC BY 4.0", ("CC-BY-4.0",)),
        ("  CC  BY-SA 4.0 ", ("CC-BY-SA-4.0",)),
        ("MIT AND cc0-1.0 AND MIT", ("CC0-1.0", "MIT")),
        ("MIT AND LicenseRef-not-stated", ("MIT", NOT_STATED)),
        ("MIT OR Apache-2.0", ("MIT OR Apache-2.0",)),
        ("https://example.org/terms", ("https://example.org/terms",)),
        ("ask the author AND mit", ("MIT", "ask the author")),
    ],
)
def test_licences_are_read_as_spdx_or_left_as_they_are(given, parts):
    assert parts_of(given) == parts


@given(st.sets(st.sampled_from([*KNOWN, NOT_STATED, "https://example.org/terms"]), min_size=1))
def test_what_is_joined_reads_as_its_parts(licences):
    assert parts_of(joined(licences)) == tuple(sorted(licences))


def test_one_licence_is_written_as_it_is_and_none_as_not_stated():
    assert (joined([]), joined([None]), joined(["MIT", "MIT"])) == (NOT_STATED, NOT_STATED, "MIT")
    assert joined([None, "MIT"]) == "MIT AND LicenseRef-not-stated"
    assert (stated(None), stated("MIT")) == (NOT_STATED, "MIT")


@pytest.mark.parametrize("text", ["free", "", "MIT OR CC0-1.0", "LicenseRef-mine"])
def test_a_licence_of_a_whole_is_an_spdx_identifier(text):
    with pytest.raises(InputError, match=r"CC-BY-4.0 or CC0-1.0, got .*spdx.org"):
        check_licence(text)
    assert check_licence("cc by 4.0") == "CC-BY-4.0"


def test_rows_are_counted_by_licence_and_what_is_asked_is_said():
    mix = Mix.of(["CC-BY-4.0"] * 3 + ["CC-BY-SA-4.0", None, "CC-BY-4.0 AND CC-BY-NC-4.0", "https://example.org/t"])
    assert mix.total == 7
    assert mix.rows == {
        "CC-BY-4.0": 4, "CC-BY-NC-4.0": 1, "CC-BY-SA-4.0": 1, "https://example.org/t": 1, NOT_STATED: 1,
    }  # fmt: skip
    assert mix.is_mixed
    assert mix.words() == (
        "Licences are mixed: CC-BY-4.0 (4 of 7 rows), CC-BY-NC-4.0 (1 of 7 rows), CC-BY-SA-4.0 (1 of 7 rows), "
        "https://example.org/t (1 of 7 rows), not stated (1 of 7 rows). Name the sources of the rows under "
        "CC-BY-4.0, CC-BY-NC-4.0, CC-BY-SA-4.0. What is made of the rows under CC-BY-SA-4.0 is passed on under "
        "the same licence. The rows under CC-BY-NC-4.0 are not for commercial use. The terms of "
        "https://example.org/t are not known here; read them. No licence is stated for 1 row: ask their source "
        "before passing them on."
    )
    assert mix.header().startswith("CC-BY-4.0=4; CC-BY-NC-4.0=1; ")
    assert mix.record()["licences"] == mix.rows
    both = mix + Mix.of({"CC0-1.0": 2, None: 1})
    assert (both.total, both.rows["CC0-1.0"], both.rows[NOT_STATED]) == (10, 2, 2)


def test_one_licence_is_no_mixture():
    mix = Mix.of({"CC0-1.0": 2})
    assert not mix.is_mixed
    assert (mix.words(), mix.licence) == ("CC0-1.0 (2 rows).", "CC0-1.0")
    assert Mix.of([]).words() == Mix.of({None: 0}).words() == "No rows."


def test_a_header_is_short_plain_and_begins_with_the_most_frequent():
    assert Mix.of(["lizenz © Müller; a=b\x07"] + ["MIT"] * 2).header() == "MIT=2; lizenz ? M?ller? a?b?=1"
    many = Mix.of([f"https://example.org/{number:02}" for number in range(15)]).header()
    assert many.startswith("https://example.org/00=1; ")
    assert many.endswith("https://example.org/11=1; 3 more licences")


@pytest.mark.parametrize(
    ("whole", "rows", "reasons"),
    [
        ("CC-BY-4.0", {"CC-BY-4.0": 2, "CC0-1.0": 1, "MIT": 1, None: 4}, []),
        ("CC0-1.0", {"CC-BY-4.0": 2}, ["CC-BY-4.0 (2 rows) asks for attribution"]),
        (
            "CC-BY-4.0",
            {"CC-BY-SA-4.0": 1},
            ["CC-BY-SA-4.0 (1 row) asks that what is made of it keeps the same licence"],
        ),
        ("CC-BY-4.0", {"CC-BY-NC-4.0": 1}, ["CC-BY-NC-4.0 (1 row) excludes commercial use"]),
        ("CC-BY-NC-4.0", {"CC-BY-NC-3.0": 1}, []),
        ("CC-BY-4.0", {"CC-BY-ND-4.0": 1}, ["CC-BY-ND-4.0 (1 row) does not let changed forms be passed on"]),
        ("CC-BY-4.0 AND CC-BY-SA-4.0", {"CC-BY-4.0": 2, "CC-BY-SA-4.0": 1}, []),
        ("GPL-3.0-only", {"CC-BY-4.0": 1}, ["the terms of GPL-3.0-only are not known here"]),
        ("GPL-3.0-only", {"GPL-3.0-only": 1}, []),
    ],
)
def test_a_whole_may_not_let_go_what_a_part_asks_for(whole, rows, reasons):
    assert Mix.of(rows).against(whole) == reasons
