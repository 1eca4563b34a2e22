"""Solid electrolytes: known frameworks with substituents, the mobile ion making up the charge.

Everything chemical stands in ``frameworks.toml``; this module keeps the books. Each candidate is charge neutral by
construction, because the amount of the mobile ion follows from the charges of everything else.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError
from hstore.formula import formula_text
from hstore.records import Family
from hstore_workflows.sources.enumeration.candidate import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hstore.records import Material

Amounts = dict[str, float]
"""Amount of each species (element or bracketed group) per formula unit, in printing order."""


@dataclass(frozen=True)
class Substitution:
    """One guest on one site."""

    host: str
    """Species that leaves."""
    guest: str
    """Species that comes."""
    amount: float
    """Amount exchanged per formula unit."""


@dataclass(frozen=True)
class Framework:
    """A family of conductors around one parent, with the site that moves."""

    slug: str
    """Short name, part of the material id."""
    name: str
    """Name as printed."""
    base: Mapping[str, float]
    """Parent composition."""
    mobile: str
    """Mobile species."""
    low: float
    """Smallest amount of the mobile species per formula unit."""
    high: float
    """Largest amount of the mobile species per formula unit."""
    doi: str
    """Where the family is described."""
    sites: Mapping[str, tuple[Substitution, ...]]
    """Allowed substitutions by host species."""
    variant: bool
    """True when another element takes the place of one of the parent's."""
    parent_reported: bool
    """True when the composition ``base`` is itself reported in the literature."""


@cache
def _table() -> dict[str, Any]:
    path = files("hstore_workflows.sources.enumeration").joinpath("frameworks.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def species_charges() -> dict[str, int]:
    """Return the charge assumed for each element and polyanion."""
    return dict(_table()["charges"])


def load_frameworks() -> list[Framework]:
    """Return every framework and its variants, in file order."""
    found = []
    for entry in _table()["framework"]:
        found.append(_framework(entry, {}))
        found += [_framework(entry, {old: new}) for old, new in entry.get("variants", [])]
    return found


def _framework(entry: dict[str, Any], renamed: dict[str, str]) -> Framework:
    base = {renamed.get(name, name): float(amount) for name, amount in entry["base"]}
    sites = {
        renamed.get(host, host): tuple(
            Substitution(renamed.get(host, host), guest, amount)
            for guest, most in site["guests"].items()
            for amount in site["amounts"]
            if amount <= most and guest != renamed.get(host, host)
        )
        for host, site in entry["sites"].items()
    }
    mobile, low, high = entry["mobile"]
    reported = entry.get("parent_reported", True) and not renamed
    return Framework(
        entry["slug"], entry["name"], base, mobile, low, high, entry["doi"], sites, bool(renamed), reported
    )


def substitute(framework: Framework, changes: tuple[Substitution, ...]) -> Amounts | None:
    """Return the composition after the changes, with the mobile species making the total charge zero.

    Args:
        framework: parent and bounds.
        changes: what replaces what; a host must be able to give the amount.

    Returns:
        Amounts per formula unit, or None when the mobile species would leave its bounds.
    """
    amounts: Amounts = {}
    for species, amount in framework.base.items():
        leaving = sum(change.amount for change in changes if change.host == species)
        amounts[species] = round(amounts.get(species, 0.0) + amount - leaving, 4)
        for change in changes:
            if change.host == species:
                amounts[change.guest] = round(amounts.get(change.guest, 0.0) + change.amount, 4)
    charges = species_charges()
    rest = sum(amount * charges[name] for name, amount in amounts.items() if name != framework.mobile)
    mobile = round(-rest / charges[framework.mobile], 4)
    if not framework.low <= mobile <= framework.high or any(amount < 0 for amount in amounts.values()):
        return None
    amounts[framework.mobile] = mobile
    return {name: amount for name, amount in amounts.items() if amount > 0}


def enumerate_electrolytes() -> Iterator[Candidate]:
    """Yield the parents, every single substitution, and for unchanged parents pairs on two different sites."""
    for framework in load_frameworks():
        for changes in _changes(framework):
            amounts = substitute(framework, changes)
            if amounts:
                yield Candidate(
                    formula_text(amounts),
                    framework.slug,
                    Family.ELECTROLYTE,
                    _reason(framework, changes, amounts),
                    reported=f"doi:{framework.doi}" if framework.parent_reported and not changes else None,
                )


def _changes(framework: Framework) -> Iterator[tuple[Substitution, ...]]:
    yield ()
    for options in framework.sites.values():
        yield from ((option,) for option in options)
    if not framework.variant:
        for first, second in combinations(framework.sites.values(), 2):
            yield from product(_middle(first), _middle(second))


def _middle(options: tuple[Substitution, ...]) -> list[Substitution]:
    """Return one amount per guest, the middle one of those allowed, to keep the pairs few."""
    by_guest: dict[str, list[Substitution]] = {}
    for option in options:
        by_guest.setdefault(option.guest, []).append(option)
    return [found[len(found) // 2] for found in by_guest.values()]


def _reason(framework: Framework, changes: tuple[Substitution, ...], amounts: Amounts) -> str:
    charges, mobile = species_charges(), framework.mobile
    change = amounts.get(mobile, 0.0) - framework.base[mobile]
    parent = formula_text(dict(framework.base))
    if not changes:
        return f"{framework.name}: the parent {parent}, mobile {mobile}+ (doi:{framework.doi})"
    swaps = " and ".join(
        f"{swap.amount:g} {_signed(swap.guest, charges)} for {_signed(swap.host, charges)}" for swap in changes
    )
    balance = f"charge balanced by {change:+.3g} {mobile}+" if round(change, 3) else f"{mobile}+ unchanged"
    return (
        f"{framework.name}: {swaps} in {parent}; {balance}, mobile {mobile}+ {amounts[mobile]:g} per formula unit "
        f"within {framework.low:g}-{framework.high:g} (doi:{framework.doi})"
    )


def _signed(species: str, charges: Mapping[str, int]) -> str:
    charge = charges[species]
    return f"{species.strip('()')}{abs(charge)}{'+' if charge > 0 else '-'}"


def mobile_ion(material: Material) -> str:
    """Return the mobile ion of an enumerated or curated electrolyte, such as ``Li+``.

    Raises:
        InputError: the material is no electrolyte of the pool, so its reason names no mobile ion.
    """
    found = re.search(r"mobile ([A-Z][a-z]?\d?[+-])", material.reason)
    if found is None:
        raise InputError(
            f"{material.material_id} names no mobile ion in its reason; pass an electrolyte from enumerate_pool"
        )
    return found.group(1)
