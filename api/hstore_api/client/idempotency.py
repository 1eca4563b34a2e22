"""Names of writes, so that one sent again is done once."""

from __future__ import annotations

import secrets


def named(idempotency_key: str | None) -> dict[str, str]:
    """Return the header that names a write; a name is drawn where none is given."""
    return {"Idempotency-Key": idempotency_key or secrets.token_urlsafe(24)}
