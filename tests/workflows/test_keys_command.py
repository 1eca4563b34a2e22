"""``hstore keys`` on both databases."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from hstore.store import open_store
from hstore_workflows.cli import main


@pytest.fixture
def keys(database_url, monkeypatch, tmp_path):
    """Call ``hstore keys`` and return what it printed; JSON where it was asked for."""
    monkeypatch.setenv("HSTORE_DATABASE_URL", database_url)
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path))

    def call(*arguments, code=0):
        result = CliRunner().invoke(main, ["keys", *arguments])
        assert result.exit_code == code, result.output
        return json.loads(result.stdout) if "--json" in arguments and code == 0 else result.output

    return call


def test_a_key_is_made_used_listed_and_revoked(keys, database_url):
    made = keys("create", "--name", "North Lab", "--scopes", "read,measure", "--days", "30", "--json")
    assert (made["lab"], made["scopes"], made["usable"]) == ("north-lab", ["measure", "read"], True)
    with open_store(database_url) as store:
        found = store.keys.find(made["key"])
    assert (found.key_id, found.lab_id, found.expires_at is not None) == (made["key_id"], "north-lab", True)
    (listed,) = keys("list", "--json")
    assert listed == {name: value for name, value in made.items() if name != "key"}
    assert made["key"] not in keys("list")
    assert "is revoked since" in keys("revoke", made["key_id"])
    assert keys("revoke", made["key_id"], "--json")["usable"] is False
    with open_store(database_url) as store:
        assert store.keys.find(made["key"]) is None
    entries = keys("audit", "--lab", "north-lab", "--json")
    assert [entry["action"] for entry in entries] == ["keys.revoke", "keys.revoke", "keys.create"]
    assert made["key"] not in json.dumps(entries)
    assert keys("audit", "--lab", "south", "--json") == []
    assert keys("audit", "--limit", "1", "--json") == entries[:1]


def test_limits_and_labs_are_as_asked(keys):
    limits = ("--requests-per-minute", "9", "--predictions-per-day", "0", "--concurrent-jobs", "2")
    made = keys("create", "--name", "op", "--no-lab", "--scopes", "admin", *limits, "--json")
    assert made["lab"] is None
    assert [made[name] for name in ("requests_per_minute", "predictions_per_day", "concurrent_jobs")] == [9, 0, 2]
    other = keys("create", "--name", "any name, of any kind!", "--lab", "s", "--scopes", "read", "--json")
    assert (other["lab"], other["name"]) == ("s", "any name, of any kind!")
    shown = keys("create", "--name", "x", "--scopes", "read")
    assert "not shown again" in shown
    assert "hsk_" in shown


@pytest.mark.parametrize(
    "wrong",
    [
        ("--name", "x"),
        ("--scopes", "read"),
        ("--name", "x", "--scopes", "fly"),
        ("--name", "x", "--scopes", "read", "--days", "0"),
        ("--name", "!!", "--scopes", "read"),
        ("--name", "x", "--scopes", "read", "--lab", "a", "--no-lab"),
        ("--name", "x", "--scopes", "read", "--lab", ""),
    ],
)
def test_bad_usage_has_exit_code_2_and_makes_nothing(keys, wrong):
    keys("create", *wrong, code=2)
    assert keys("list", "--json") == []


def test_an_unknown_key_is_named(keys):
    assert "no key 'none'" in keys("revoke", "none", code=2)


def test_every_command_has_an_example(keys):
    for command in ("create", "list", "revoke", "audit"):
        assert "Example: hstore keys" in keys(command, "--help")
