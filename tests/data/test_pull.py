"""Pulling public sets: from a server, a folder, a mirror and upstream, and every way it can fail."""

from __future__ import annotations

import hashlib
import json

import pytest

from hstore.errors import DataError, InputError
from hstore_data import catalog
from hstore_data.catalog import get_card, locate
from hstore_data.pull import RETRIES, pull


def sha256(data):
    return hashlib.sha256(data).hexdigest()


TEXT = b"formula,alloy_class,origin,h2_wt_pct,temp_K,citation,chemsys\nTiFe,AB,Extracted,1.9,298,x,Fe-Ti\n" * 50


@pytest.fixture
def pinned(monkeypatch):
    """Give hystor the checksum of our text, and optionally an upstream URL."""

    def pin(url=None, url_sha256=None):
        card = get_card("hystor")
        file = card.files[0].model_copy(update={"sha256": sha256(TEXT), "url": url, "url_sha256": url_sha256})
        changed = {**catalog.datasets(), "hystor": card.model_copy(update={"files": (file,)})}
        monkeypatch.setattr(catalog, "datasets", lambda: changed)

    pin()
    return pin


def serve(server, data=TEXT, name="hystor/hystor.csv"):
    path = server.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def leftovers(settings):
    return [path for path in settings.data_dir.rglob("*") if path.is_file()]


def test_a_set_is_downloaded_verified_and_found(server, settings, pinned):
    serve(server)
    result = pull("hystor", settings, base=server.url)
    assert (result.folder / "hystor.csv").read_bytes() == TEXT
    assert result.files[0].sha256 == sha256(TEXT)
    assert result.licence == get_card("hystor").licence
    assert locate("hystor", settings) == result.folder
    assert leftovers(settings) == [result.folder / "hystor.csv"]


def test_a_second_run_asks_the_server_for_nothing(server, settings, pinned):
    serve(server)
    pull("hystor", settings, base=server.url)
    asked = len(server.requests)
    again = pull("hystor", settings, base=server.url)
    assert len(server.requests) == asked == 1
    assert again.files[0].source == "already here"
    assert pull("hystor", settings).files[0].source == "already here"


def test_a_wrong_checksum_keeps_nothing_and_names_both(server, settings, pinned):
    serve(server, TEXT + b"one more\n")
    with pytest.raises(DataError) as caught:
        pull("hystor", settings, base=server.url)
    assert sha256(TEXT) in str(caught.value)
    assert sha256(TEXT + b"one more\n") in str(caught.value)
    assert leftovers(settings) == []
    assert locate("hystor", settings) is None


def test_a_wrong_download_does_not_replace_the_right_copy(server, settings, pinned):
    serve(server)
    pull("hystor", settings, base=server.url)
    (settings.data_dir / "hystor" / "hystor.csv").write_bytes(b"edited")
    serve(server, b"tampered")
    with pytest.raises(DataError, match="checksum"):
        pull("hystor", settings, base=server.url)
    assert (settings.data_dir / "hystor" / "hystor.csv").read_bytes() == b"edited"


def test_a_connection_that_breaks_once_is_tried_again(server, settings, pinned):
    serve(server)
    server.break_off = 1
    result = pull("hystor", settings, base=server.url)
    assert (result.folder / "hystor.csv").read_bytes() == TEXT
    assert len(server.requests) == 2


def test_a_connection_that_keeps_breaking_leaves_no_half_file(server, settings, pinned):
    serve(server)
    server.break_off = 99
    with pytest.raises(DataError, match=f"could not be downloaded in {RETRIES + 1} attempts"):
        pull("hystor", settings, base=server.url)
    assert len(server.requests) == RETRIES + 1
    assert leftovers(settings) == []


def test_a_missing_file_and_a_dead_server_are_data_errors(server, settings, pinned):
    with pytest.raises(DataError, match="404"):
        pull("hystor", settings, base=server.url)
    dead = "http://127.0.0.1:9"
    with pytest.raises(DataError, match="could not be downloaded"):
        pull("hystor", settings, base=dead)
    assert leftovers(settings) == []


def test_one_bad_file_of_several_keeps_none_of_them(server, settings):
    serve(server, b"ID\n", "obelix/all.csv")
    with pytest.raises(DataError):
        pull("obelix", settings, base=server.url)
    assert leftovers(settings) == []


def test_a_folder_is_a_base_too_and_its_checksum_is_enforced(server, settings, pinned):
    serve(server)
    assert pull("hystor", settings, base=str(server.folder)).files[0].sha256 == sha256(TEXT)
    serve(server, b"tampered")
    (settings.data_dir / "hystor" / "hystor.csv").unlink()
    with pytest.raises(DataError, match=f"expected SHA-256 {sha256(TEXT)} but got {sha256(b'tampered')}"):
        pull("hystor", settings, base=str(server.folder))
    with pytest.raises(DataError, match="No such file"):
        pull("hystor", settings, base=str(server.folder / "nowhere"))
    assert leftovers(settings) == []


def test_a_mirror_s_other_copy_is_taken_with_a_warning(mirrored, tiny_mirror):
    result = pull("isodb_h2", mirrored)
    actual = sha256((tiny_mirror / "isodb_h2" / "points.csv.gz").read_bytes())
    assert any(actual in warning for warning in result.warnings)
    assert [file.path for file in result.files] == ["points.csv.gz", "isotherms.csv.gz"]
    assert pull("isodb_h2", mirrored).files[0].source == "already here"


def test_upstream_with_a_pinned_checksum_needs_no_trust(server, settings, pinned):
    serve(server)
    pinned(f"{server.url}/hystor/hystor.csv", sha256(TEXT))
    assert pull("hystor", settings).files[0].source.startswith(server.url)


def test_upstream_without_a_checksum_is_refused_until_trusted_and_pinned_from_then_on(server, settings, pinned):
    url = f"{server.url}/hystor/hystor.csv"
    serve(server, b"upstream's own layout")
    pinned(url)
    with pytest.raises(DataError, match=r"checksum of .* is not known.*--trust-on-first-use"):
        pull("hystor", settings)
    assert server.requests == []
    result = pull("hystor", settings, trust_on_first_use=True)
    assert "trusted on first use" in result.warnings[0]
    record = json.loads((settings.data_dir / "trusted.json").read_text())
    assert record == {url: sha256(b"upstream's own layout")}

    (result.folder / "hystor.csv").unlink()
    serve(server, b"changed behind our back")
    with pytest.raises(DataError, match="checksum"):
        pull("hystor", settings, trust_on_first_use=True)


def test_a_set_that_upstream_publishes_in_another_form_says_how_to_get_it(settings):
    with pytest.raises(DataError, match=r"HSTORE_DATA_MIRROR.*--from.*one JSON file per isotherm"):
        pull("isodb_h2", settings)


def test_curated_tables_are_not_pulled(settings):
    with pytest.raises(InputError, match="ships with hstore"):
        pull("hydrides", settings)


def test_a_home_that_cannot_be_written_names_the_setting(settings, tmp_path):
    (tmp_path / "home").write_text("a file where the folder should be")
    with pytest.raises(DataError, match="HSTORE_HOME"):
        pull("hystor", settings, base=str(tmp_path))
