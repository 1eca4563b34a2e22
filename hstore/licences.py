"""Licences of records: how they are written, what the known ones ask for, and what a mixture of them means.

A licence is an SPDX identifier, several of them joined by ``AND``, or what a source calls it. What a source does
not state is said to be not stated, never guessed. The words here say what licences ask for, so that nobody has to
look for it; they are no legal advice.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from hstore.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NOT_STATED = "not stated"
"""What stands where a source states no licence."""

OWN_DATA = "CC-BY-4.0"
"""Licence of what hstore itself gathers and makes: curated tables, enumerated candidates, built structures."""

_REFERENCE = "LicenseRef-not-stated"  # how SPDX writes a licence that is on no list
_NONE = frozenset({NOT_STATED, _REFERENCE.lower()})
_AND = " AND "
_NAMED_IN_HEADER = 12
_LONGEST_IN_HEADER = 80


@dataclass(frozen=True)
class Terms:
    """What a licence asks of whoever passes the data on."""

    url: str
    """Its text."""
    attribution: bool = True
    """Whoever passes it on names the source."""
    share_alike: bool = False
    """What is made of it is passed on under the same licence."""
    non_commercial: bool = False
    """It is not for commercial use."""
    no_derivatives: bool = False
    """Changed forms are not passed on."""


def _creative_commons(kind: str, version: str) -> Terms:
    marks = kind.split("-")
    return Terms(
        f"https://creativecommons.org/licenses/{kind.lower()}/{version}/",
        share_alike="SA" in marks,
        non_commercial="NC" in marks,
        no_derivatives="ND" in marks,
    )


KNOWN: Mapping[str, Terms] = {
    "CC0-1.0": Terms("https://creativecommons.org/publicdomain/zero/1.0/", attribution=False),
    "PDDL-1.0": Terms("https://opendatacommons.org/licenses/pddl/1-0/", attribution=False),
    **{
        f"CC-{kind}-{version}": _creative_commons(kind, version)
        for kind in ("BY", "BY-SA", "BY-NC", "BY-NC-SA", "BY-ND", "BY-NC-ND")
        for version in ("2.0", "2.5", "3.0", "4.0")
    },
    "ODC-By-1.0": Terms("https://opendatacommons.org/licenses/by/1-0/"),
    "ODbL-1.0": Terms("https://opendatacommons.org/licenses/odbl/1-0/", share_alike=True),
    "Apache-2.0": Terms("https://www.apache.org/licenses/LICENSE-2.0"),
    "BSD-3-Clause": Terms("https://opensource.org/license/bsd-3-clause"),
    "MIT": Terms("https://opensource.org/license/mit"),
}
"""Licences whose terms are known here, by SPDX identifier; of others the name is all that is said."""


def parts_of(licence: str | None) -> tuple[str, ...]:
    """Return the licences that all hold for one record, in alphabetical order.

    Args:
        licence: SPDX identifiers, joined by ``AND`` where there are several, or words of a source; None or empty
            where none is stated.
    """
    parts = " ".join((licence or NOT_STATED).split()).split(_AND)
    written = {_spdx(part) or part for part in parts}
    return tuple(sorted(NOT_STATED if part.lower() in _NONE else part for part in written))


def joined(licences: Iterable[str | None]) -> str:
    """Write the licences that all hold for one record, in the order of :func:`parts_of`.

    One licence stands as it is; several are an SPDX expression, in which a licence that is not stated is
    ``LicenseRef-not-stated``.
    """
    parts = sorted({part for licence in licences for part in parts_of(licence)})
    if len(parts) < 2:
        return parts[0] if parts else NOT_STATED
    return _AND.join(_REFERENCE if part == NOT_STATED else part for part in parts)


def stated(licence: str | None) -> str:
    """Return a licence as it stands in a cell: as it was given, or that it is not stated."""
    return licence or NOT_STATED


def is_spdx(text: str) -> bool:
    """Tell whether a licence is an SPDX identifier, or an expression of several."""
    return _spdx(text) is not None


def check_licence(text: str) -> str:
    """Return a licence in the spelling of SPDX.

    Raises:
        InputError: it is no SPDX identifier, nor several joined by ``AND``.
    """
    written = _spdx(" ".join(text.split()))
    if written is None or " OR " in written or "LicenseRef-" in written:
        raise InputError(
            f"a licence is an SPDX identifier such as CC-BY-4.0 or CC0-1.0, got {text!r}; the list is at "
            "https://spdx.org/licenses"
        )
    return written


@cache
def _spdx(text: str) -> str | None:
    """Return an expression in the spelling of SPDX; None where it is none. ``CC BY 4.0`` is taken for one."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    spelled = text.replace(" ", "-") if text.upper().startswith("CC") else text
    try:
        return str(canonicalize_license_expression(spelled))
    except InvalidLicenseExpression:
        return None


@dataclass(frozen=True)
class Mix:
    """Licences of the rows of something that is passed on."""

    rows: Mapping[str, int]
    """Licence -> rows it holds for, in alphabetical order; a row under several counts for each."""
    total: int
    """Rows."""

    @classmethod
    def of(cls, licences: Iterable[str | None] | Mapping[str | None, int]) -> Self:
        """Count the licences of rows, given one by one or with their numbers."""
        given = Counter(licences)
        counts = Counter[str]()
        for licence, count in (+given).items():
            counts.update(dict.fromkeys(parts_of(licence), count))
        return cls(dict(sorted(counts.items())), given.total())

    def __add__(self, other: Mix) -> Mix:
        """Put the rows of two together."""
        counts = Counter(self.rows) + Counter(other.rows)
        return Mix(dict(sorted(counts.items())), self.total + other.total)

    @property
    def is_mixed(self) -> bool:
        """Whether more than one licence, or one and none stated, holds."""
        return len(self.rows) > 1

    @property
    def licence(self) -> str:
        """The licence of the whole where only one holds for it, else all of them as an expression."""
        return joined(self.rows)

    def header(self) -> str:
        """Write the counts in one line of a header, the most frequent first: ``CC-BY-4.0=40; not stated=2``."""
        ordered = sorted(self.rows.items(), key=lambda item: (-item[1], item[0]))
        counts = [f"{_for_header(name)}={count}" for name, count in ordered[:_NAMED_IN_HEADER]]
        more = len(ordered) - len(counts)
        return "; ".join([*counts, *([f"{more} more licences"] if more else [])])

    def record(self) -> dict[str, Any]:
        """Return the counts and the sentence for a program."""
        return {"rows": self.total, "licences": dict(self.rows), "mixed": self.is_mixed, "words": self.words()}

    def words(self) -> str:
        """Say which licences hold for how many rows, and what they ask for."""
        if not self.rows:
            return "No rows."
        if not self.is_mixed:
            return " ".join([f"{self.licence} ({_rows(self.total)}).", *self._asked()])
        counts = [f"{name} ({count:,} of {_rows(self.total)})" for name, count in self.rows.items()]
        head = f"Licences are mixed: {', '.join(counts)}."
        return " ".join([head, *self._asked()])

    def _asked(self) -> list[str]:
        terms = {name: KNOWN[name] for name in self.rows if name in KNOWN}

        def named(mark: str) -> str:
            return ", ".join(name for name, known in terms.items() if getattr(known, mark))

        said = {
            "Name the sources of the rows under {}.": named("attribution"),
            "What is made of the rows under {} is passed on under the same licence.": named("share_alike"),
            "The rows under {} are not for commercial use.": named("non_commercial"),
            "The rows under {} are not passed on in changed form.": named("no_derivatives"),
            "The terms of {} are not known here; read them.": ", ".join(
                name for name in self.rows if name not in KNOWN and name != NOT_STATED
            ),
        }
        found = [sentence.format(names) for sentence, names in said.items() if names]
        if NOT_STATED in self.rows:
            silent = _rows(self.rows[NOT_STATED])
            found.append(f"No licence is stated for {silent}: ask their source before passing them on.")
        return found

    def against(self, whole: str) -> list[str]:
        """Say why the whole cannot go out under a licence: what it would let go that its rows ask for.

        Args:
            whole: SPDX identifier, or several joined by ``AND``.

        Returns:
            One reason for each licence that stands against it; empty where none is known to.
        """
        offered = parts_of(whole)
        known = [KNOWN[name] for name in offered if name in KNOWN]
        if len(known) < len(offered):
            unknown = ", ".join(name for name in offered if name not in KNOWN)
            return [] if {*self.rows} <= {*offered} else [f"the terms of {unknown} are not known here"]
        reasons = []
        for name, count in self.rows.items():
            terms = KNOWN.get(name)
            if name in offered or terms is None:
                continue
            lost = _lost(terms, known)
            if lost:
                reasons.append(f"{name} ({_rows(count)}) {lost}")
        return reasons


def _for_header(name: str) -> str:
    """Return a name as a header may hold it: ASCII, short, without the marks that separate."""
    plain = name[:_LONGEST_IN_HEADER].encode("ascii", "replace").decode()
    return "".join("?" if mark in "=;" or not mark.isprintable() else mark for mark in plain)


def _lost(asked: Terms, offered: list[Terms]) -> str:
    """Say what licences of a whole do not ask for though a part does; empty where nothing is lost."""
    if asked.share_alike:
        return "asks that what is made of it keeps the same licence"
    if asked.no_derivatives:
        return "does not let changed forms be passed on"
    if asked.non_commercial and not any(terms.non_commercial for terms in offered):
        return "excludes commercial use"
    if asked.attribution and not any(terms.attribution for terms in offered):
        return "asks for attribution"
    return ""


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
