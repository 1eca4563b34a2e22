"""Answers of an OPTIMADE server, as far as they matter here; tolerant of everything that does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hstore.errors import FetchError
from hstore_workflows.sources.optimade.transport import error_text

if TYPE_CHECKING:
    from collections.abc import Iterator


class InconsistentError(FetchError):
    """What the provider delivered contradicts itself; what was kept of it is of no use."""


@dataclass(frozen=True)
class About:
    """What a provider says about itself in ``/info``; empty where it says nothing."""

    name: str = ""
    """Name of the provider."""
    prefix: str = ""
    """Prefix of its own fields, without underscores."""
    api_version: str = ""
    """Version of the specification that it follows."""
    licence: str = ""
    """SPDX identifiers of its licences, or the address of their text."""

    @classmethod
    def read(cls, answer: dict[str, Any]) -> About:
        """Read the answer to ``/info``; what is missing or misshapen stays empty."""
        meta, data = _object(answer, "meta"), _object(answer, "data")
        attributes, provider = _object(data, "attributes"), _object(meta, "provider")
        licence = attributes.get("available_licenses") or attributes.get("available_licenses_for_entries")
        if isinstance(licence, list):
            licence = " OR ".join(map(str, licence))
        if not licence:
            link = attributes.get("license")
            licence = link.get("href") if isinstance(link, dict) else link
        version = attributes.get("api_version") or meta.get("api_version")
        texts = (provider.get("name"), provider.get("prefix"), version, licence)
        return cls(*(text if isinstance(text, str) else "" for text in texts))


@dataclass(frozen=True)
class Page:
    """What matters of one answer to a search."""

    rows: list[Any]
    """Entries, as delivered."""
    announced: int | None
    """Structures that match the filter in all; None where the server does not say."""
    more: bool | None
    """Whether more follow; None where the server does not say."""
    next: str | None
    """Link to the next page, possibly relative."""
    delay_s: float
    """Wait that the server asks for before the next request, seconds."""
    warnings: list[str]
    """What the server warns of."""

    @classmethod
    def read(cls, answer: dict[str, Any], url: str) -> Page:
        """Read an answer.

        Raises:
            InconsistentError: it reports an error, or is no list of entries.
        """
        errors, rows = answer.get("errors"), answer.get("data")
        if errors or (rows is None and "data" not in answer) or not isinstance(rows, list | None):
            said = "; ".join(map(error_text, errors)) if isinstance(errors, list) and errors else "no list of data"
            raise InconsistentError(f"{url.partition('?')[0]}: {said}; check the base URL and the filter")
        meta = answer.get("meta")
        meta = meta if isinstance(meta, dict) else {}
        announced, more, delay = (
            meta.get("data_returned"),
            meta.get("more_data_available"),
            meta.get("request_delay"),
        )
        warnings = meta.get("warnings")
        counted = isinstance(announced, int) and not isinstance(announced, bool) and announced >= 0
        return cls(
            rows=rows or [],
            announced=announced if counted else None,
            more=more if isinstance(more, bool) else None,
            next=_next_link(answer.get("links"), url),
            delay_s=float(delay) if isinstance(delay, int | float) and delay > 0 else 0.0,
            warnings=[error_text(warning) for warning in warnings] if isinstance(warnings, list) else [],
        )


def _next_link(links: Any, url: str) -> str | None:
    """Return ``links.next``, which is text or an object with ``href``."""
    link = links.get("next") if isinstance(links, dict) else None
    if isinstance(link, dict):
        link = link.get("href")
    if link is None or link == "":
        return None
    if not isinstance(link, str):
        raise InconsistentError(
            f"{url.partition('?')[0]}: links.next is neither text nor an object with href but {link!r}"
        )
    return link


def keyed(rows: list[Any], *, page: int) -> Iterator[tuple[str, Any]]:
    """Give each row what identifies it; one without an identifier stands for itself."""
    for place, entry in enumerate(rows):
        identifier = identifier_of(entry)
        yield (f"page {page + 1} row {place + 1}" if identifier is None else f"id {identifier}"), entry


def identifier_of(entry: Any) -> str | None:
    """Return the identifier of an entry as text; None when it has none."""
    identifier = entry.get("id") if isinstance(entry, dict) else None
    if isinstance(identifier, bool) or not isinstance(identifier, str | int) or identifier == "":
        return None
    return str(identifier)


def _object(parent: dict[str, Any], name: str) -> dict[str, Any]:
    child = parent.get(name)
    return child if isinstance(child, dict) else {}
