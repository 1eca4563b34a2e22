"""Cards: what they must state, and that those we ship are right."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

from hstore.errors import DataError, UnknownNameError
from hstore_data.card import Tier, load_card
from hstore_data.catalog import datasets, get_card, locate, present, public_names, require
from hstore_data.readers import READERS

CARD = """
name = "made_up"
title = "t"
tier = "public"
description = "d"
licence = "MIT"
retrieved = 2026-01-01
sources = ["s"]
citation = "c"
upstream = "u"
rows = 1
[[files]]
path = "a.csv"
sha256 = "{sha}"
[columns]
a = "m"
""".format(sha="0" * 64)


def write(tmp_path, text, name="made_up.toml"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_every_card_we_ship_is_valid_and_both_tiers_are_there():
    assert {card.tier for card in datasets().values()} == {Tier.CURATED, Tier.PUBLIC}
    assert list(datasets()) == sorted(datasets())


def test_every_public_set_has_a_card_and_a_reader():
    assert sorted(READERS) == public_names()
    assert len(READERS) == 9


@pytest.mark.parametrize("name", sorted(READERS))
def test_public_cards_name_licence_defects_and_pinned_commit(name):
    card = get_card(name)
    assert card.known_defects
    assert card.commit
    assert card.commit in " ".join(card.sources)
    for file in card.files:
        assert file.url is None or card.commit in file.url
    assert card.can_be_pulled or card.obtain


def test_a_complete_card_is_read(tmp_path):
    assert load_card(write(tmp_path, CARD)).files[0].path == "a.csv"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('licence = "MIT"', 'license = "MIT"', "made_up.toml: licen[cs]e"),
        ('licence = "MIT"', "", "licence: Field required"),
        ('citation = "c"', "", "must state citation"),
        ('path = "a.csv"', 'path = "../a.csv"', "path"),
        ('path = "a.csv"', 'path = "..%2Fa.csv"', "path"),
        ("0" * 64, "0" * 63, "sha256"),
        ("rows = 1", "rows = 0", "rows"),
        ('tier = "public"', 'tier = "curated"', "must state sha256"),
        ('name = "made_up"', 'name = "other"', "named after its set"),
        ("rows = 1", "rows = = 1", "not valid TOML"),
    ],
)
def test_a_wrong_card_is_refused_with_its_cause(tmp_path, old, new, message):
    with pytest.raises(DataError, match=message):
        load_card(write(tmp_path, CARD.replace(old, new)))


def test_unknown_name_lists_the_close_matches():
    with pytest.raises(UnknownNameError, match="did you mean 'obelix'"):
        get_card("obelics")


def test_nothing_is_present_in_an_empty_home(settings):
    assert present(settings) == []
    with pytest.raises(DataError, match=r"hystor\.csv.*HSTORE_DATA_MIRROR.*hstore data pull hystor --from"):
        require("hystor", settings)


def test_a_set_with_a_missing_file_is_not_present(mirrored, tiny_mirror):
    assert present(mirrored) == public_names()
    (tiny_mirror / "obelix" / "test.csv").unlink()
    assert "obelix" not in present(mirrored)


def test_the_mirror_comes_before_the_home_folder(mirrored, tiny_mirror):
    (mirrored.data_dir / "hystor").mkdir(parents=True)
    (mirrored.data_dir / "hystor" / "hystor.csv").write_text("")
    assert locate("hystor", mirrored) == tiny_mirror / "hystor"
    (tiny_mirror / "hystor" / "hystor.csv").unlink()
    assert locate("hystor", mirrored) == mirrored.data_dir / "hystor"


def test_cards_and_places_need_no_heavy_library():
    code = "import sys, hstore_data.catalog as c; c.datasets(); sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.mirror
@pytest.mark.parametrize("name", sorted(READERS))
def test_cards_describe_every_column_of_the_files(name, real):
    folder = require(name, real)
    described = set(get_card(name).columns)
    found = set()
    for file in get_card(name).files:
        if ".csv" in file.path:
            found |= set(pd.read_csv(folder / file.path, nrows=1).columns)
    extra = {"uptake_wt_pct_min", "uptake_wt_pct_max"}  # of the ready-made medians, described by the median
    assert found - described <= extra
    assert described <= found
