"""What a service must have before it starts where others can reach it."""

from __future__ import annotations

import os
import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

from hstore.errors import SettingsError

if TYPE_CHECKING:
    from hstore.settings import Settings

LEAST_SECRET_CHARACTERS = 32
"""Least characters of ``secret_key``."""

_MAKE_ONE = 'make one with: python -c "import secrets; print(secrets.token_urlsafe(48))"'
_PLACEHOLDERS = ("changeme", "changethis", "replaceme", "yoursecret", "secretkey", "placeholder", "example")
_LEAST_KINDS = 10
_DEFAULT_PASSWORDS = frozenset(
    {"hstore", "postgres", "postgresql", "password", "passwd", "pass", "admin", "root", "secret", "changeme"}
    | {"test", "example", "letmein", "welcome", "default", "database", "docker", "qwerty", "demo"}
)


def check_deployment(settings: Settings, *, host: str | None = None) -> None:
    """Refuse to start a service with secrets that others know, or in the open without any.

    Args:
        settings: settings of the service.
        host: address it is to listen on; None where somebody else has chosen it.

    Raises:
        SettingsError: it must not start so; the message says what to set.
    """
    if settings.environment == "production":
        _check_secret_key(settings)
        _check_password(settings)
    elif host is not None and not is_loopback(host):
        raise SettingsError(
            f"with environment 'development' the service listens on this machine only, got host {host!r}; to be "
            "reached from elsewhere set HSTORE_ENVIRONMENT=production and HSTORE_SECRET_KEY"
        )


def is_loopback(host: str) -> bool:
    """Tell whether an address is reached from this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _check_secret_key(settings: Settings) -> None:
    secret = settings.secret_key.get_secret_value() if settings.secret_key else ""
    if not secret:
        raise SettingsError(f"with environment 'production' HSTORE_SECRET_KEY must be set; {_MAKE_ONE}")
    if len(secret) < LEAST_SECRET_CHARACTERS:
        raise SettingsError(
            f"HSTORE_SECRET_KEY must have at least {LEAST_SECRET_CHARACTERS} characters, got {len(secret)}; "
            f"{_MAKE_ONE}"
        )
    if len(set(secret)) < _LEAST_KINDS or any(word in _letters(secret) for word in _PLACEHOLDERS):
        raise SettingsError(f"HSTORE_SECRET_KEY is a placeholder that others know (not shown here); {_MAKE_ONE}")


def _check_password(settings: Settings) -> None:
    """Refuse a password that stands in examples: of the URL, or of the variable its driver reads."""
    from sqlalchemy import make_url  # not before it is needed: the command line starts fast

    if settings.database_url is None or settings.database_url.startswith("sqlite"):
        return
    try:
        url = make_url(settings.database_url)
    except ValueError as error:
        raise SettingsError("HSTORE_DATABASE_URL cannot be read as a URL (not shown here)") from error
    password = str(url.password or os.environ.get("PGPASSWORD", ""))
    plain = _letters(password)
    numeric = not plain and len(password) < LEAST_SECRET_CHARACTERS
    if password and (plain in _DEFAULT_PASSWORDS or numeric or password == url.username):
        raise SettingsError(
            "the password of the PostgreSQL database is one of those others try first (not shown here); give the "
            "database user another one"
        )


def _letters(text: str) -> str:
    """Return the letters of a text in lower case: digits and signs do not make a default better."""
    return re.sub(r"[^a-z]", "", text.lower())
