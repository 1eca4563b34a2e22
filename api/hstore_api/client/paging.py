"""Lists that are longer than a page, walked as they are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from hstore_api.schemas import MAX_PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class Page(Protocol[T_co]):
    """A page of any list of the service."""

    @property
    def items(self) -> tuple[T_co, ...]:
        """What is on it."""

    @property
    def next(self) -> str | int | None:
        """Where the next one begins; None on the last."""


def walk(ask: Callable[[int, Any], Page[T]], limit: int | None = None) -> Iterator[T]:
    """Iterate over the items of all pages.

    Args:
        ask: returns the page of a size that begins at a place; None for the first.
        limit: at most so many items in all.
    """
    left = limit
    after: str | int | None = None
    while left is None or left > 0:
        page = ask(MAX_PAGE if left is None else min(MAX_PAGE, left), after)
        yield from page.items
        after = page.next
        if after is None:
            return
        left = None if left is None else left - len(page.items)
