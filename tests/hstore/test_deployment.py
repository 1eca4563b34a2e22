"""A service in the open starts with secrets of its own only."""

from __future__ import annotations

import pytest

from hstore.deployment import check_deployment, is_loopback
from hstore.errors import SettingsError
from hstore.settings import Settings

GOOD = "kU0v8mQ2zX4nB6cR1tY7wE3pL5sA9dF0"


def production(secret=GOOD, **other):
    return Settings(environment="production", secret_key=secret, **other)


@pytest.mark.parametrize(
    "secret",
    [
        *(None, "", "short", GOOD[:31], "x" * 40, "abc123" * 8, "change-me" * 5),
        *("CHANGE_ME_CHANGE_ME_CHANGE_ME_CHANGE", "your-secret-key-0123456789-abcdefgh"),
        "this is an example of a secret key, 32",
    ],
)
def test_a_secret_that_is_missing_short_or_known_is_refused(secret):
    with pytest.raises(SettingsError, match="HSTORE_SECRET_KEY") as refused:
        check_deployment(production(secret))
    assert not secret or secret not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "password", ["hstore", "postgres", "Password1!", "admin123", "12345678", "owner", "change-me"]
)
@pytest.mark.parametrize("where", ["url", "variable"])
def test_a_password_that_others_try_first_is_refused(password, where, monkeypatch):
    url = f"postgresql+psycopg://owner:{password}@db/hstore" if where == "url" else "postgresql://owner@db/hstore"
    if where == "variable":
        monkeypatch.setenv("PGPASSWORD", password)
    with pytest.raises(SettingsError, match="password of the PostgreSQL") as refused:
        check_deployment(production(database_url=url))
    assert password not in str(refused.value)


@pytest.mark.parametrize(
    "url", [None, "sqlite:///x", "postgresql://owner@db/x", f"postgresql://owner:{GOOD}@db/x"]
)
@pytest.mark.parametrize("host", [None, "127.0.0.1", "0.0.0.0", "::"])
def test_with_secrets_of_its_own_it_listens_anywhere(url, host, monkeypatch):
    monkeypatch.delenv("PGPASSWORD", raising=False)
    check_deployment(production(database_url=url), host=host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org", ""])
def test_development_stays_on_this_machine(host):
    with pytest.raises(SettingsError, match="HSTORE_ENVIRONMENT=production"):
        check_deployment(Settings(), host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "localhost", "LOCALHOST"])
def test_loopback_is_this_machine(host):
    assert is_loopback(host)
    check_deployment(Settings(), host=host)


def test_a_url_that_cannot_be_read_is_one_line_without_it():
    with pytest.raises(SettingsError, match="not shown here") as refused:
        check_deployment(production(database_url="postgresql://a:b@c:notaport/d"))
    assert "notaport" not in str(refused.value)
