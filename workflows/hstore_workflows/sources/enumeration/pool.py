"""The shipped pool: enumerated candidates merged with the curated tables, as a stream of materials."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hstore.licences import OWN_DATA
from hstore.records import Family, Material, Provenance
from hstore_data.catalog import get_card
from hstore_workflows.sources.enumeration.alloys import enumerate_alloys
from hstore_workflows.sources.enumeration.candidate import Candidate, CompositionKey, formula_key
from hstore_workflows.sources.enumeration.electrolytes import enumerate_electrolytes
from hstore_workflows.sources.enumeration.hydrides import enumerate_hydrides
from hstore_workflows.sources.enumeration.sorbents import enumerate_sorbents

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

SOURCE = "hstore enumeration"
"""Provenance of candidates that no curated row reports."""


@dataclass(frozen=True)
class Report:
    """What a curated row says about one composition."""

    formula: str
    """Formula the material takes in the pool: the host for interstitial hydrides."""
    family: Family
    """Family of the row."""
    group: str
    """Class of the row, part of the material id."""
    text: str
    """The report in words."""
    citation: str
    """Where it is reported."""
    table: str
    """Curated table."""


@dataclass
class _Merge:
    """One family's materials, each composition once, polymorphs apart."""

    reports: dict[tuple[Family, CompositionKey], Report]
    hosts: dict[CompositionKey, Report]
    seen: set[tuple[Family, CompositionKey, str]] = field(default_factory=set)

    def materials(self, candidates: Iterable[Candidate], families: Collection[Family]) -> Iterator[Material]:
        """Yield the candidates not seen before; a reported composition appears in no hypothetical structure."""
        for candidate in candidates:
            if candidate.family not in families:
                continue
            key = formula_key(candidate.formula)
            report = self.reports.get((candidate.family, key))
            if report is None and candidate.family is Family.INTERSTITIAL:
                report = self.hosts.get(key)
            if report and candidate.structure and not candidate.reported:
                continue
            place = (candidate.family, key, candidate.group if candidate.structure else "")
            if place not in self.seen:
                self.seen |= {place, (candidate.family, key, "")}
                yield _material(candidate, report)

    def rest(self, families: Collection[Family]) -> Iterator[Material]:
        """Yield the curated compositions that no rule generated."""
        for (family, key), report in self.reports.items():
            if family in families and (family, key, "") not in self.seen:
                self.seen.add((family, key, ""))
                yield _material(
                    Candidate(report.formula, report.group, family, "outside the rules of the enumeration"), report
                )


def enumerate_pool(families: Collection[Family] | None = None, *, seed: int = 0) -> Iterator[Material]:
    """Yield the candidates hstore ships, in a fixed order.

    Compositions are unique within a family, except that polymorphs carry different structures and that
    sorbents, which have no exact composition, are told apart by name. Every curated hydride and electrolyte,
    and every sorbent whose composition is clear, is among them, marked as known.

    Args:
        families: families wanted; None for all.
        seed: chooses the drawn high-entropy alloys; nothing else depends on it.

    Raises:
        DataError: a curated table is damaged.
    """
    wanted = frozenset(Family) if families is None else frozenset(families)
    merge = _Merge(*_curated_reports(wanted))
    if Family.INTERSTITIAL in wanted:
        yield from merge.materials(enumerate_alloys(seed), wanted)
    if wanted & {Family.IONIC, Family.COMPLEX}:
        yield from merge.materials(enumerate_hydrides(), wanted)
    if Family.ELECTROLYTE in wanted:
        yield from merge.materials(enumerate_electrolytes(), wanted)
    yield from merge.rest(wanted)
    if Family.SORBENT in wanted:
        yield from enumerate_sorbents()


def pool_summary(*, seed: int = 0) -> dict[str, dict[str, int]]:
    """Return counts of the pool by family, and for all families together under ``all``.

    Each entry holds ``total``, ``known`` and ``with_structure``.

    Args:
        seed: as in :func:`enumerate_pool`.
    """
    counts = {name: Counter[str]() for name in (*Family, "all")}
    for material in enumerate_pool(seed=seed):
        marks = {"total": True, "known": material.known, "with_structure": material.structure is not None}
        for name in (material.family, "all"):
            counts[name].update(mark for mark, holds in marks.items() if holds)
    return {
        str(name): {mark: found[mark] for mark in ("total", "known", "with_structure")}
        for name, found in counts.items()
    }


def _material(candidate: Candidate, report: Report | None) -> Material:
    reference = report.citation if report else candidate.reported
    reason = f"{candidate.reason}; {report.text}" if report else candidate.reason
    if candidate.reported and not report:
        reason = f"{reason}; a known compound"
    return Material(
        material_id=candidate.material_id,
        formula=candidate.formula,
        family=candidate.family,
        structure=candidate.structure,
        known=reference is not None,
        reason=reason,
        provenance=Provenance(
            source=f"hstore curated table {report.table}" if report else SOURCE,
            reference=reference,
            licence=get_card(report.table).row_licence if report else OWN_DATA,
        ),
    )


def _curated_reports(
    wanted: Collection[Family],
) -> tuple[dict[tuple[Family, CompositionKey], Report], dict[CompositionKey, Report]]:
    """Return the first curated row of every composition, and of every host alloy."""
    reports: dict[tuple[Family, CompositionKey], Report] = {}
    hosts: dict[CompositionKey, Report] = {}
    if {Family.INTERSTITIAL, Family.IONIC, Family.COMPLEX} & {*wanted}:
        for row in _rows("hydrides"):
            report = _hydride_report(row)
            reports.setdefault((report.family, formula_key(report.formula)), report)
            hosts.setdefault(formula_key(row["host_formula"]), report)
    if Family.ELECTROLYTE in wanted:
        for row in _rows("electrolytes"):
            report = _electrolyte_report(row)
            reports.setdefault((report.family, formula_key(report.formula)), report)
    return reports, hosts


def reported_hosts() -> dict[CompositionKey, Report]:
    """Return what the curated table says of each host alloy whose hydride is reported, by composition.

    Raises:
        DataError: the table is damaged.
    """
    return _curated_reports({Family.INTERSTITIAL})[1]


def _rows(table: str) -> list[dict[str, Any]]:
    from hstore_data.curated import curated_table

    records = curated_table(table).frame.to_dict("records")
    return [{str(column): value for column, value in record.items()} for record in records]


def _hydride_report(row: dict[str, Any]) -> Report:
    family = Family(row["family"])
    formula = row["host_formula"] if family is Family.INTERSTITIAL else row["formula"]
    capacity = row["h2_capacity_wt_pct"]
    held = f" with {capacity:g} wt% H2" if not math.isnan(capacity) else ""
    name = f" ({row['name']})" if row["name"] else ""
    text = f"reported {row['alloy_class']} hydride {row['formula']}{name}{held}"
    return Report(formula, family, row["alloy_class"].lower(), text, row["citation"], "hydrides")


def _electrolyte_report(row: dict[str, Any]) -> Report:
    text = f"reported {row['family']} electrolyte {row['name'] or row['formula']}, mobile {row['mobile_ion']}"
    return Report(row["formula"], Family.ELECTROLYTE, row["family"], text, row["citation"], "electrolytes")
