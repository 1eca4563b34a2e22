"""Entries of OPTIMADE as :class:`~hstore.records.Material` records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hstore.errors import FormulaError, InputError
from hstore.formula import canonical_formula, parse_amounts
from hstore.records import Material, Provenance
from hstore_workflows.sources.files.found import settle
from hstore_workflows.sources.intake import Rejected
from hstore_workflows.sources.mp_records import family_of
from hstore_workflows.sources.optimade.energies import energies
from hstore_workflows.sources.optimade.page import identifier_of
from hstore_workflows.sources.optimade.structures import crystal_of

if TYPE_CHECKING:
    from datetime import date

    from hstore_workflows.sources.optimade.page import About
    from hstore_workflows.sources.optimade.providers import Provider

_FORMULA_TOLERANCE = 0.02
"""Part of the atoms in which formula and structure may differ, for shares are rounded."""


@dataclass(frozen=True)
class EntryReader:
    """Turns the entries of one provider into records."""

    provider: Provider
    """Where they came from."""
    about: About
    """What the provider says about itself."""

    def read(self, key: str, entry: Any, *, retrieved: date) -> Material | Rejected:
        """Return a record, or what cannot be used with its cause.

        Args:
            key: what identifies the entry, for the message where it has no identifier.
            entry: the entry as delivered.
            retrieved: day on which it came.
        """
        identifier = identifier_of(entry)
        reference = f"optimade:{self.provider.name}:{identifier or key}"
        if identifier is None:
            return Rejected(reference, "the entry has no identifier, so it cannot be referred to")
        try:
            return self._material(reference, identifier, entry.get("attributes"), retrieved)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            return Rejected(reference, f"{place}: {first['msg']}, got {str(first['input'])[:80]!r}")
        except InputError as error:
            return Rejected(reference, str(error))

    def _material(self, material_id: str, identifier: str, attributes: Any, retrieved: date) -> Material:
        if not isinstance(attributes, dict):
            raise InputError(f"attributes must be an object, got {attributes!r}")
        given = crystal_of(attributes)
        found = settle(given)
        _check_formula(attributes.get("chemical_formula_reduced"), given.amounts)
        assert found.crystal is not None  # it was given one
        return Material(
            material_id=material_id,
            formula=found.formula,
            family=family_of(found.crystal.amounts),
            structure=found.crystal.to_dict(),
            descriptors=energies(attributes, self.about.prefix),
            known=self.provider.experimental,
            reason=f"entry of the OPTIMADE database {self.provider.name}",
            provenance=self._provenance(identifier, attributes.get("last_modified"), found.notes, retrieved),
        )

    def _provenance(
        self, identifier: str, modified: Any, ordering: tuple[str, ...], retrieved: date
    ) -> Provenance:
        version = self.about.api_version
        notes = (
            f"base URL {self.provider.base_url}",
            f"OPTIMADE {version}" if version else "",
            f"last modified {modified}" if modified else "",
            *ordering,
        )
        return Provenance(
            source=self.about.name or f"OPTIMADE {self.provider.name}",
            reference=identifier,
            licence=self.about.licence or None,
            retrieved=retrieved,
            note="; ".join(note for note in notes if note),
        )


def _check_formula(given: Any, amounts: dict[str, float]) -> None:
    """Hold the provider's formula against its structure; one that cannot be read says nothing."""
    if not isinstance(given, str) or not given:
        return
    try:
        stated = parse_amounts(given)
    except FormulaError:
        return
    scale = sum(amounts.values()) / sum(stated.values())
    differing = sum(abs(amounts.get(el, 0.0) - scale * stated.get(el, 0.0)) for el in {*amounts, *stated})
    if differing > _FORMULA_TOLERANCE * sum(amounts.values()):
        raise InputError(f"the structure holds {canonical_formula(amounts)} but the formula says {given}")
