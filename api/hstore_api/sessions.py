"""Sessions of the pages: a signed cookie that holds the public identifier of a key, and nothing else."""

from __future__ import annotations

import os
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from starlette.middleware.sessions import SessionMiddleware

from hstore.deployment import LEAST_SECRET_CHARACTERS
from hstore.errors import SettingsError
from hstore_api.access import SESSION_KEY
from hstore_api.dependencies import ServiceDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.gate import check_site

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp

    from hstore.settings import Settings

SESSION_HOURS = 12
"""How long a session lasts, h."""

SIGN_IN = "/sign-in"
"""Page with the form that begins a session; it is told ``?refused=true`` where the key cannot be used."""

_SECRET_FILE = "secret.key"  # noqa: S105 - the name of the file, not what is in it

router = APIRouter(prefix="/session", include_in_schema=False)


class SessionsMiddleware(SessionMiddleware):
    """Read and write the cookie; browsers show it to no script and send it with no request of another site."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        """Take the app and the settings, which say where the secret is.

        Raises:
            SettingsError: the secret can be neither read nor made.
        """
        production = settings.environment == "production"
        super().__init__(
            app,
            secret_key=session_secret(settings),
            session_cookie="__Host-hstore" if production else "hstore",
            max_age=SESSION_HOURS * 3600,
            same_site="strict",
            https_only=production,
        )


@router.post("")
async def begin_session(
    request: Request,
    service: ServiceDep,
    key: Annotated[str, Form()],
    next: Annotated[str, Form()] = "/",  # noqa: A002 - the name of the field in the form
) -> Response:
    """Begin a session with a key, and go to the page that was asked for."""
    check_site(request.headers)
    address = request.client.host if request.client else ""
    found = await request.state.limits.find_key(key.strip(), address, service.store)
    if found is None:
        return RedirectResponse(f"{SIGN_IN}?refused=true", HTTPStatus.SEE_OTHER)
    request.session.clear()
    request.session[SESSION_KEY] = found.key_id
    return RedirectResponse(_local(next), HTTPStatus.SEE_OTHER)


@router.post("/end")
async def end_session(request: Request) -> Response:
    """End the session, and go to the first page."""
    check_site(request.headers)
    request.session.clear()
    return RedirectResponse("/", HTTPStatus.SEE_OTHER)


def session_secret(settings: Settings) -> str:
    """Return what signs the sessions: the setting, or in development a file in the home folder, made when missing.

    Raises:
        SettingsError: the file can be neither read nor made.
    """
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    path = settings.home / _SECRET_FILE
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        _make_once(path)
        secret = path.read_text().strip()
    except OSError as error:
        raise SettingsError(
            f"the secret of sessions cannot be kept in {path}: {error.strerror}; set HSTORE_SECRET_KEY, or choose "
            "another folder with HSTORE_HOME"
        ) from error
    if len(secret) < LEAST_SECRET_CHARACTERS:
        raise SettingsError(f"{path} holds no secret of {LEAST_SECRET_CHARACTERS} characters; delete it")
    return secret


def _make_once(path: Path) -> None:
    """Write a random secret, readable by its owner only, unless there is one; of several processes one writes."""
    if path.exists():
        return
    mine = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
        os.link(mine, path)
    except FileExistsError:
        return
    finally:
        mine.unlink()


def _local(address: str) -> str:
    """Return an address of this service, or the first page where the one given leads elsewhere."""
    parts = urlsplit(address)
    plain = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if plain and not parts.scheme and not parts.netloc else "/"
