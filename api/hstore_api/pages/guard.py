"""Forms of the pages are taken from the pages alone: another site cannot send them with a visitor's session."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from hstore_api.errors import ForbiddenError

_OWN = frozenset({"same-origin", "none"})


def _from_our_pages(request: Request) -> None:
    """Refuse a form that a browser sends from another site (Sec-Fetch-Site, and Origin where that is missing)."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    foreign = site not in _OWN if site else bool(origin) and urlsplit(origin or "").netloc != request.url.netloc
    if foreign:
        raise ForbiddenError(
            "this form was sent from another site; open the page of this service and send it there"
        )


FromOurPages = Annotated[None, Depends(_from_our_pages)]
