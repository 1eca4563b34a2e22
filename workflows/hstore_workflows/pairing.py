"""Hydrides and hosts of a store, found for each other by the composition of their metals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstore.errors import InputError
from hstore.formula import canonical_formula, parse_amounts
from hstore.pairing import Frame, HydridePair, dehydriding, host_amounts, pair
from hstore.records import Family

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hstore.records import Material, Scope
    from hstore.store import Store

HYDRIDE_FAMILIES = (Family.INTERSTITIAL, Family.IONIC, Family.COMPLEX)
"""Families whose hydrogen comes from H2 taken up by a host."""
_ORDER = {Frame.KEPT: 0, Frame.REBUILT: 1, Frame.UNKNOWN: 2}


def pairs(store: Store, *, scope: Scope, match_frames: bool = True) -> Iterator[HydridePair]:
    """Stream every hydride of a store with each of its hosts, in the order of the hydrides' identifiers.

    Hydrides that leave no host (alanates, borohydrides, amides) give no pair; :func:`hstore.pairing.dehydriding`
    says what becomes of them. Memory holds one page of hydrides and the hosts of one composition.

    Args:
        store: where both are.
        scope: in whose name.
        match_frames: compare the metal atoms where both structures are known.

    Raises:
        StoreError: the store cannot be read.
    """
    for family in HYDRIDE_FAMILIES:
        for hydride in store.materials(scope=scope, family=family, elements=("H",)):
            yield from hosts_of(hydride, store, scope=scope, match_frames=match_frames)


def hosts_of(hydride: Material, store: Store, *, scope: Scope, match_frames: bool = True) -> list[HydridePair]:
    """Return a hydride with each of its hosts in a store, same frame first; empty where it leaves no host.

    Args:
        hydride: material with hydrogen.
        store: where the hosts are.
        scope: in whose name.
        match_frames: compare the metal atoms where both structures are known.
    """
    name = _host_name(hydride)
    if name is None:
        return []
    found = store.materials(scope=scope, composition=name)
    return _sorted(pair(hydride, host, match_frames=match_frames) for host in found)


def hydrides_of(host: Material, store: Store, *, scope: Scope, match_frames: bool = True) -> list[HydridePair]:
    """Return a host with each of its hydrides in a store, same frame first.

    Args:
        host: material without hydrogen.
        store: where the hydrides are.
        scope: in whose name.
        match_frames: compare the metal atoms where both structures are known.

    Raises:
        InputError: the host holds hydrogen.
    """
    amounts = parse_amounts(host.formula)
    if "H" in amounts:
        raise InputError(f"{host.material_id} ({host.formula}) holds hydrogen; ask for its hosts instead")
    system = "-".join(sorted((*amounts, "H")))
    wanted = canonical_formula(amounts)
    found = (
        hydride
        for hydride in store.materials(scope=scope, chemical_system=system)
        if hydride.family in HYDRIDE_FAMILIES and _host_name(hydride) == wanted
    )
    return _sorted(pair(hydride, host, match_frames=match_frames) for hydride in found)


def _host_name(hydride: Material) -> str | None:
    """Return the canonical formula of the host, None for what leaves none."""
    amounts = parse_amounts(hydride.formula)
    if "H" not in amounts or len(amounts) == 1:
        return None
    return canonical_formula(host_amounts(amounts)) if dehydriding(amounts).host else None


def _sorted(found: Iterable[HydridePair]) -> list[HydridePair]:
    return sorted(found, key=lambda one: (_ORDER[one.frame], one.hydride.material_id, one.host.material_id))
