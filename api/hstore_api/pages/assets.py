"""Scripts and styles, each under an address that holds the hash of its content, so that browsers keep them."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources

from fastapi import APIRouter, Request, Response

from hstore_api.errors import NotFoundError

PLOTLY = "plotly.min.js"
"""Name of the script that is read from the installed plotly package in place of our own folder."""

_FOREVER = "public, max-age=31536000, immutable"
_HASH_CHARACTERS = 16
_LEAST_PACKED_BYTES = 1000

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Asset:
    """One file as it is sent."""

    name: str
    """Name in the address."""
    content: bytes
    """What is in it."""

    @cached_property
    def digest(self) -> str:
        """First characters of the SHA-256 of the content."""
        return hashlib.sha256(self.content).hexdigest()[:_HASH_CHARACTERS]

    @cached_property
    def packed(self) -> bytes:
        """The content, compressed; always the same bytes."""
        return gzip.compress(self.content, compresslevel=6, mtime=0)

    @property
    def media_type(self) -> str:
        """Media type by the ending of the name."""
        guessed = mimetypes.guess_type(self.name)[0] or "application/octet-stream"
        return f"{guessed}; charset=utf-8" if guessed.startswith("text/") else guessed


@cache
def asset(name: str) -> Asset:
    """Read a file of the folder ``static``, or the script of plotly.

    Raises:
        KeyError: there is no such file.
    """
    if name == PLOTLY:
        return Asset(name, (resources.files("plotly") / "package_data" / PLOTLY).read_bytes())
    if name not in _names():
        raise KeyError(name)
    return Asset(name, (resources.files("hstore_api.pages") / "static" / name).read_bytes())


def address(name: str) -> str:
    """Return the address of a file, which changes with its content."""
    return f"/static/{asset(name).digest}/{name}"


@router.get("/static/{digest}/{name:path}")
def get_asset(digest: str, name: str, request: Request) -> Response:
    """Send a file that a browser may keep for ever."""
    if name != PLOTLY and name not in _names():
        raise NotFoundError("no such file")
    found = asset(name)
    if digest != found.digest:
        raise NotFoundError("no such version of the file; load the page again")
    headers = {"Cache-Control": _FOREVER, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
    if len(found.content) >= _LEAST_PACKED_BYTES and "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(found.packed, media_type=found.media_type, headers=headers)
    return Response(found.content, media_type=found.media_type, headers=headers)


@cache
def _names() -> frozenset[str]:
    """Return the names that exist, so that nothing else is ever looked up on disk."""
    folder = resources.files("hstore_api.pages") / "static"
    own = [entry.name for entry in folder.iterdir() if entry.is_file()]
    vendored = [f"vendor/{entry.name}" for entry in (folder / "vendor").iterdir() if entry.name.endswith(".js")]
    return frozenset([*own, *vendored])
