"""Who a crate is by: a name, with an ORCID iD where there is one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from hstore.errors import InputError

_FORM = re.compile(r"\s*(?P<name>[^<>]+?)\s*(?:<\s*(?:https?://orcid\.org/)?(?P<orcid>[^<>\s/]+)\s*>\s*)?\Z")
_ORCID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]\Z")


@dataclass(frozen=True)
class Author:
    """A person."""

    name: str
    """Name as it is to be cited."""
    orcid: str | None = None
    """ORCID iD, sixteen digits in groups of four."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``Name <0000-0002-1825-0097>``, or a name alone.

        Raises:
            InputError: there is no name, or what stands in the brackets is no ORCID iD.
        """
        match = _FORM.match(text)
        if match is None:
            raise InputError(
                f'an author is "Name <ORCID>", such as "Josiah Carberry <0000-0002-1825-0097>", got {text!r}'
            )
        name, orcid = " ".join(match["name"].split()), match["orcid"]
        if orcid is not None and not is_orcid(orcid):
            raise InputError(
                f"{orcid!r} is no ORCID iD (four groups of four digits, the last one checks); correct it"
            )
        return cls(name, orcid)

    @property
    def identifier(self) -> str:
        """What stands for the person in a crate: the address of the ORCID iD, or the name within the crate."""
        return f"https://orcid.org/{self.orcid}" if self.orcid else f"#{re.sub(r'[^A-Za-z0-9]+', '-', self.name)}"


def is_orcid(text: str) -> bool:
    """Tell whether a text is an ORCID iD: its last character checks the others (ISO 7064 mod 11-2)."""
    if not _ORCID.match(text):
        return False
    total = 0
    for digit in text.replace("-", "")[:-1]:
        total = (total + int(digit)) * 2
    return "0123456789X"[(12 - total % 11) % 11] == text[-1]
