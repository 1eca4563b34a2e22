"""Whom to ask: base URLs, and short names of public databases.

The names come from a list shipped with hstore (``providers.toml``), for reading it from the network would make a
fetch depend on a server that has nothing to do with it. Addresses move: any URL can be given instead of a name.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from hstore.errors import InputError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Iterable

_VERSION = re.compile(r"/v(\d+)(\.\d+){0,2}$")
_SUPPORTED_MAJOR = "1"
_ENDPOINT = re.compile(r"/(structures|info|links|versions)$")
_SHORTEST_OWN_LABEL = 4


@dataclass(frozen=True)
class Provider:
    """One OPTIMADE database."""

    name: str
    """Short name, or host and path of its base URL; part of the identifiers of its materials."""
    base_url: str
    """Versioned base URL, such as ``https://oqmd.org/optimade/v1``."""
    experimental: bool = False
    """True when its structures were determined by experiment."""

    @property
    def structures_url(self) -> str:
        """Address of the endpoint for structures."""
        return f"{self.base_url}/structures"


def resolve_providers(given: Iterable[str]) -> tuple[Provider, ...]:
    """Turn short names and base URLs into providers, each once, in the order given.

    Raises:
        InputError: nothing is given, a name is unknown, or a URL is no base URL of version 1.
    """
    found = {provider.base_url: provider for provider in map(_resolve, given)}
    if not found:
        raise InputError(f"no provider is given; use --provider with a URL or one of {', '.join(sorted(known()))}")
    return tuple(found.values())


@cache
def known() -> dict[str, Provider]:
    """Return the public databases that have a short name."""
    text = (resources.files(__package__) / "providers.toml").read_text(encoding="utf-8")
    return {
        name: Provider(name, f"{entry['base_url']}/v1", entry.get("experimental", False))
        for name, entry in tomllib.loads(text).items()
    }


def trusted(base_url: str, url: str) -> str | None:
    """Return the address to ask where a server points to ``url``; None when it leads away from the provider.

    Its own host is trusted, and hosts of the same registrable domain on standard ports. A provider behind a proxy
    often believes that it is asked over http; such a link of an https provider is followed over https.
    """
    base, there = urlsplit(base_url), urlsplit(url)
    if there.scheme not in {"http", "https"} or not there.hostname or there.username or there.password:
        return None
    if base.scheme == "https" and there.scheme == "http" and there.port in {None, 80}:
        there = there._replace(scheme="https", netloc=there.hostname)
    if base.scheme == "https" and there.scheme != "https":
        return None
    same_host = there.hostname == base.hostname and _port(there.scheme, there.port) == _port(
        base.scheme, base.port
    )
    upgraded = there.hostname == base.hostname and base.port is None and there.port is None
    sibling = base.port is None and there.port is None and _domain(there.hostname) == _domain(base.hostname)
    return urlunsplit(there) if same_host or upgraded or sibling else None


def _resolve(given: str) -> Provider:
    text = given.strip()
    if "://" not in text:
        if text in known():
            return known()[text]
        raise unknown_name("OPTIMADE provider", text, known())
    try:
        parts = urlsplit(text)
        _ = parts.port  # reading it checks it
    except ValueError as error:
        raise InputError(f"--provider {given!r} is no URL ({error}); give a base URL or a short name") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise InputError(
            f"--provider must be an http or https base URL without a query, or a short name, got {given!r}"
        )
    if parts.username or parts.password:
        raise InputError("--provider must not hold a password; OPTIMADE databases are asked without one")
    path = _ENDPOINT.sub("", parts.path.rstrip("/"))
    version = _VERSION.search(path)
    if version and version[1] != _SUPPORTED_MAJOR:
        raise InputError(
            f"hstore speaks OPTIMADE version 1, got {version[0]!r} in {given!r}; leave the version out"
        )
    base_url = urlunsplit((parts.scheme, parts.netloc, path if version else f"{path}/v1", "", ""))
    listed = next((provider for provider in known().values() if provider.base_url == base_url), None)
    return listed or Provider(f"{parts.netloc}{path[: version.start()] if version else path}", base_url)


def _port(scheme: str, port: int | None) -> int:
    return port or (443 if scheme == "https" else 80)


def _domain(host: str | None) -> str | None:
    """Return the registrable domain: two labels, three under such as ac.uk; an address stands for itself."""
    if host is None:
        return None
    labels = host.lower().rstrip(".").split(".")
    if len(labels) < 2 or labels[-1].isdigit() or ":" in host:
        return host
    own = 2 if len(labels[-2]) >= _SHORTEST_OWN_LABEL or len(labels[-1]) > 2 else 3
    return ".".join(labels[-own:])
