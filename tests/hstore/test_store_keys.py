"""Keys are kept as hashes, end when they should, and their quotas hold for all processes together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from hstore.errors import InputError, UnknownNameError
from hstore.keys import Permission, hash_of, lab_of, permissions_of

READ = frozenset({Permission.READ})


def test_a_key_is_found_by_itself_alone(store):
    kept, secret = store.keys.create("box 2", permissions_of("read, measure"), lab_id="north")
    assert store.keys.find(secret) == store.keys.get(kept.key_id) == store.keys.usable(kept.key_id) == kept
    for wrong in (
        "",
        secret[:-1],
        secret + "x",
        secret.upper(),
        kept.key_id,
        hash_of(secret),
        "' OR 1=1 --",
        "\ud800",
    ):
        assert store.keys.find(wrong) is None
    assert store.keys.get("none") is None
    assert kept.permissions == {Permission.READ, Permission.MEASURE}


def test_what_is_kept_does_not_give_the_key_away(store):
    kept, secret = store.keys.create("a", READ, lab_id=None)
    with store.database.connected("read keys from") as connection:
        (row,) = connection.execute(text("SELECT * FROM api_keys"))
    assert secret not in str(row)
    assert secret.split("_", 2)[2] not in str(row)
    assert secret.startswith(f"hsk_{kept.key_id}_")
    assert len(secret.removeprefix(f"hsk_{kept.key_id}_")) == 43  # 256 bits


def test_a_key_ends_when_its_time_is_over_or_it_is_revoked(store):
    kept, secret = store.keys.create("a", READ, lab_id="a", valid_for=timedelta(days=1))
    assert kept.usable(kept.created_at + timedelta(hours=23))
    assert not kept.usable(kept.created_at + timedelta(days=1))
    assert store.keys.find(secret)
    first = store.keys.revoke(kept.key_id).revoked_at
    assert store.keys.revoke(kept.key_id).revoked_at == first
    assert store.keys.find(secret) is store.keys.usable(kept.key_id) is None
    assert [key.key_id for key in store.keys.list()] == [kept.key_id]
    with pytest.raises(UnknownNameError, match="hstore keys list"):
        store.keys.revoke("none")


@pytest.mark.parametrize(("name", "valid_for"), [("", None), (" ", None), ("x" * 201, None), ("x", timedelta(0))])
def test_a_key_without_name_or_time_is_not_made(store, name, valid_for):
    with pytest.raises(InputError):
        store.keys.create(name, READ, lab_id=None, valid_for=valid_for)
    assert store.keys.list() == []


def test_quotas_are_taken_whole_or_not_at_all_by_the_day(store):
    kept, _ = store.keys.create("a", READ, lab_id=None)
    today, tomorrow = date(2026, 1, 1), date(2026, 1, 2)

    def take(amount, day=today, what="predictions"):
        return store.keys.use(kept.key_id, what, amount, most=10, day=day)

    assert [take(4), take(7), take(6), take(1), take(0), take(11)] == [6, None, 0, None, 0, None]
    assert store.keys.used(kept.key_id, "predictions", day=today) == 10
    assert (take(10, tomorrow), take(3, today, "other")) == (0, 7)
    assert store.keys.used(kept.key_id, "predictions") == store.keys.used("none", "predictions") == 0


def test_a_quota_holds_for_many_at_once(store):
    kept, _ = store.keys.create("a", READ, lab_id=None)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: store.keys.use(kept.key_id, "predictions", 3, most=20), range(12)))
    assert sorted(left for left in taken if left is not None) == [2, 5, 8, 11, 14, 17]
    assert store.keys.used(kept.key_id, "predictions") == 18


def test_the_audit_log_is_read_newest_first_in_pages(store):
    for number in range(5):
        store.audit.add("x.create", [str(number)], lab_id="ab"[number % 2], key_id="k", detail={"rows": number})
    assert [entry.subjects for entry in store.audit.entries(limit=2)] == [("4",), ("3",)]
    before = store.audit.entries(limit=2)[-1].entry_id
    assert [entry.subjects for entry in store.audit.entries(before=before)] == [("2",), ("1",), ("0",)]
    of_b = store.audit.entries(lab_id="b")
    assert [entry.detail for entry in of_b] == [{"rows": 3}, {"rows": 1}]
    assert abs(of_b[0].at - datetime.now(UTC)) < timedelta(minutes=5)
    store.audit.add("x.create", [str(number) for number in range(1500)])
    assert len(store.audit.entries(limit=1)[0].subjects) == 1000


@pytest.mark.parametrize(("text", "lab"), [("North Lab", "north-lab"), (" a.b_c-9 ", "a.b_c-9"), ("7", "7")])
def test_a_lab_is_named_in_lower_case(text, lab):
    assert lab_of(text) == lab_of(lab) == lab


@pytest.mark.parametrize("wrong", ["", " ", "-a", "a/b", "a:b", "ä", "x" * 65, "a\x00"])
def test_a_lab_that_makes_no_name_is_refused(wrong):
    with pytest.raises(InputError, match="a lab is named"):
        lab_of(wrong)


@pytest.mark.parametrize("wrong", ["", ",", "fly", "read,fly", "READ"])
def test_scopes_that_are_unknown_are_refused(wrong):
    with pytest.raises(InputError, match="read, measure, run, train, admin"):
        permissions_of(wrong)
