"""What became of one structure of a file: what was computed, or the cause why nothing was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable


class Told(Protocol):
    """What can be written as plain JSON."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""


F = TypeVar("F", bound=Told)


@dataclass(frozen=True)
class Row(Generic[F]):
    """What was computed of one structure, or its cause."""

    reference: str
    """File, and structure in it."""
    found: F | None
    """What was computed; None where the structure failed."""
    cause: str = ""
    """Why it failed; empty where it did not."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        told = {"cause": self.cause} if self.found is None else self.found.as_json()
        return {"reference": self.reference, **told}

    def text(self, words: Callable[[F], str]) -> str:
        """Return it in words.

        Args:
            words: what was computed -> its words.
        """
        return f"{self.reference}: {self.cause if self.found is None else words(self.found)}"
