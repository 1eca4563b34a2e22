"""What OPTIMADE asks of a material beyond its record, written in the transaction that writes materials.

``material_optimade`` has formulas in the forms of OPTIMADE, what is known of the sites, and when the record last
changed; ``publications`` the works that materials refer to.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from hstore.formula import parse_formula
from hstore.interchange import (
    Placement,
    anonymous_formula,
    descriptive_formula,
    hill_formula,
    integer_amounts,
    reduced_formula,
)
from hstore.store.queries import PAGE_ROWS, in_pieces
from hstore.store.schema import (
    MaterialOptimadeRow,
    MaterialPublicationRow,
    MaterialRow,
    PublicationRow,
    table_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from sqlalchemy import Connection

_DOI = re.compile(r"\b10\.\d{4,9}/[-._;()/:A-Za-z0-9]+")
_ID_DIGITS = 16


def index_optimade(connection: Connection, values: Collection[Mapping[str, Any]]) -> None:
    """Write what OPTIMADE asks of materials, in place of what was there.

    A record that did not change keeps the time of its last change.

    Args:
        connection: in a transaction that writes.
        values: columns of materials, as :func:`hstore.store.rows.material_values` gives them.
    """
    ordered = sorted(values, key=lambda row: row["material_id"])
    if not ordered:
        return
    names = [row["material_id"] for row in ordered]
    earlier = _changes(connection, names)
    now = datetime.now(UTC).replace(microsecond=0)
    rows = [_index_values(row) for row in ordered]
    for row in rows:
        content, changed = earlier.get(row["material_id"], ("", now))
        row["last_modified"] = changed if content == row["content_hash"] else now
    optimade, link = table_of(MaterialOptimadeRow), table_of(MaterialPublicationRow)
    for piece in in_pieces(names):
        connection.execute(delete(optimade).where(optimade.c.material_id.in_(piece)))
        connection.execute(delete(link).where(link.c.material_id.in_(piece)))
    connection.execute(insert(optimade), rows)
    _link_publications(connection, ordered)


def rebuild(connection: Connection) -> None:
    """Write the index of all materials anew from their records."""
    for page in _stored(connection):
        index_optimade(connection, page)


def publication_of(reference: str | None) -> dict[str, Any] | None:
    """Return the work that a reference names by its DOI, or None where it names none."""
    found = _DOI.search(reference or "")
    if found is None:
        return None
    doi = found.group().rstrip(".,;:").lower()  # DOIs do not tell capitals from small letters
    if doi.count(")") > doi.count("("):  # the text stands in brackets
        doi = doi.rstrip(")")
    digest = hashlib.sha256(doi.encode()).hexdigest()[:_ID_DIGITS]
    return {"reference_id": digest, "doi": doi}


def _index_values(row: Mapping[str, Any]) -> dict[str, Any]:
    parsed = parse_formula(row["formula"])
    parts = integer_amounts(parsed.amounts, row["composition"])
    placed = Placement.of(row["structure"], parsed.amounts)
    complete = placed is not None and not placed.unplaced
    return {
        "material_id": row["material_id"],
        "chemical_formula_descriptive": descriptive_formula(row["formula"], parsed),
        "chemical_formula_reduced": reduced_formula(parts),
        "chemical_formula_hill": hill_formula(placed.crystal.amounts if placed and complete else parsed.amounts),
        "chemical_formula_anonymous": anonymous_formula(parts),
        "nsites": len(placed.crystal) if placed else None,
        "disorder": placed is not None and placed.disordered,
        "implicit_atoms": not complete,
        "content_hash": _content_hash(row),
    }


def _content_hash(row: Mapping[str, Any]) -> str:
    text = json.dumps(dict(row), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _changes(connection: Connection, names: Collection[str]) -> dict[str, tuple[str, datetime]]:
    """Content and time of the last change of materials, as indexed."""
    row = MaterialOptimadeRow
    found: dict[str, tuple[str, datetime]] = {}
    for piece in in_pieces(names):
        stored = select(row.material_id, row.content_hash, row.last_modified).where(row.material_id.in_(piece))
        found.update((name, (content, changed)) for name, content, changed in connection.execute(stored))
    return found


def _link_publications(connection: Connection, rows: Collection[Mapping[str, Any]]) -> None:
    works: dict[str, dict[str, Any]] = {}
    links: set[tuple[str, str]] = set()
    for row in rows:
        for provenance in (row["provenance"], *(record["provenance"] for record in row["merged"])):
            work = publication_of(provenance.get("reference"))
            if work is not None:
                works[work["reference_id"]] = work
                links.add((row["material_id"], work["reference_id"]))
    if not links:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    known = dialect.insert(table_of(PublicationRow)).on_conflict_do_nothing()
    connection.execute(known, [works[name] for name in sorted(works)])
    linked = [{"material_id": material, "reference_id": work} for material, work in sorted(links)]
    connection.execute(insert(table_of(MaterialPublicationRow)), linked)


def _stored(connection: Connection) -> Iterator[list[dict[str, Any]]]:
    """Yield the columns of stored materials, a page at a time."""
    statement = select(table_of(MaterialRow)).order_by(MaterialRow.material_id).limit(PAGE_ROWS)
    following = statement
    while page := [dict(found) for found in connection.execute(following).mappings()]:
        yield page
        following = statement.where(MaterialRow.material_id > page[-1]["material_id"])
