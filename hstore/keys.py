"""Keys to the service: what they permit and whose they are. A key itself is shown once; only its hash is kept."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from hstore.errors import InputError

_LAB_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_PREFIX = "hsk"


class Permission(StrEnum):
    """What a key permits; each stands alone, none includes another."""

    READ = "read"
    """Read records, predict, follow campaigns and jobs."""
    MEASURE = "measure"
    """Send measurements and isotherms, correct and publish them, tell campaigns results."""
    RUN = "run"
    """Start and cancel screening, fetching and prediction jobs; make campaigns and ask them for experiments."""
    TRAIN = "train"
    """Start retraining jobs, and put a model of the lab's own into use for the lab."""
    ADMIN = "admin"
    """Make and revoke keys, read the audit log, put public models into use."""


class ApiKey(BaseModel):
    """A key as it is kept: everything but the key itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    key_id: str
    """Public identifier, the first part of the key."""
    name: str
    """What it is for."""
    lab_id: str | None
    """Lab in whose name it reads and writes; None sees public records only and owns nothing."""
    permissions: frozenset[Permission]
    """What it permits."""
    created_at: AwareDatetime
    """When it was made, UTC."""
    expires_at: AwareDatetime | None = None
    """When it ends; None for never."""
    revoked_at: AwareDatetime | None = None
    """When it was revoked; None while it was not."""
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    """Limit of its own; None takes that of the settings."""
    predictions_per_day: Annotated[int, Field(ge=0)] | None = None
    """Rows it may have predicted in a day, UTC; None for no limit."""
    concurrent_jobs: Annotated[int, Field(ge=0)] | None = None
    """Jobs it may have queued or running; None takes that of the settings."""

    def usable(self, now: datetime | None = None) -> bool:
        """Tell whether it has neither expired nor been revoked."""
        moment = now or datetime.now(UTC)
        return self.revoked_at is None and (self.expires_at is None or moment < self.expires_at)


def new_secret() -> tuple[str, str]:
    """Draw a key: its public identifier and the whole of it, 256 random bits."""
    key_id = secrets.token_hex(6)
    return key_id, f"{_PREFIX}_{key_id}_{secrets.token_urlsafe(32)}"


def hash_of(key: str) -> str:
    """Return what is kept of a key; a plain hash is enough for 256 random bits."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


def lab_of(text: str) -> str:
    """Return the identifier of a lab, in lower case.

    Raises:
        InputError: it is not made of letters, digits, dots, hyphens and underscores.
    """
    lowered = text.strip().lower().replace(" ", "-")
    if not _LAB_ID.fullmatch(lowered):
        raise InputError(
            f"a lab is named with up to 64 letters a-z, digits, '.', '-' and '_', beginning with a letter or a "
            f"digit; got {text!r}"
        )
    return lowered


def permissions_of(words: str) -> frozenset[Permission]:
    """Read permissions joined by commas.

    Raises:
        InputError: there is none, or one is unknown.
    """
    names = [word.strip() for word in words.split(",") if word.strip()]
    known = {permission.value for permission in Permission}
    if not names or not set(names) <= known:
        raise InputError(f"scopes are some of {', '.join(Permission)}, joined by commas; got {words!r}")
    return frozenset(map(Permission, names))
