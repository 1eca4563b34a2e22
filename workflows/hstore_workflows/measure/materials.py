"""Which material a row of a lab belongs to: one that the lab may see, or one of its own."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from hstore.errors import InputError
from hstore.records import Material, Provenance
from hstore_workflows.sources.mp_records import family_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hstore.formula import ParsedFormula
    from hstore.records import Access, Scope
    from hstore.store import Store

_SHOWN = 3


class Named(Protocol):
    """What names a material: a row, or an isotherm."""

    @property
    def material_id(self) -> str:
        """Identifier of a material; empty where there is only a formula."""

    @property
    def formula(self) -> str:
        """Formula; may be empty where there is an identifier."""

    @property
    def parsed(self) -> ParsedFormula | None:
        """The formula, read."""


@dataclass(frozen=True)
class Found:
    """The material of a row."""

    material_id: str
    """Its identifier."""
    composition: str
    """Its canonical formula."""
    fresh: Material | None = None
    """The material, where it is still to be made."""
    notes: tuple[str, ...] = ()
    """What a lab should know: that it is new, and which public ones have the same composition."""


def lab_material_id(lab_id: str, composition: str) -> str:
    """Return the identifier of a lab's own material; no name of a lab has a colon, so none meets another's."""
    return f"lab:{lab_id}:{composition}"


@dataclass
class Materials:
    """Materials that some rows name, as their lab sees them."""

    access: Access
    """Access of materials that are made."""
    named: dict[str, str] = field(default_factory=dict)
    """Identifier as given -> identifier of the visible material it finds."""
    compositions: dict[str, str] = field(default_factory=dict)
    """Identifier of a visible material -> canonical formula."""
    own: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Canonical formula -> the lab's own materials of it."""
    others: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Canonical formula -> further visible materials of it."""

    @classmethod
    def look_up(cls, store: Store, rows: Iterable[Named], *, access: Access, scope: Scope) -> Materials:
        """Find the materials of some rows; the same look-up whether or not they are there, or may be seen."""
        rows = list(rows)
        ids = {row.material_id for row in rows if row.material_id}
        kept = store.kept_ids(ids, scope=scope)
        compositions = {row.parsed.reduced for row in rows if not row.material_id and row.parsed}
        found = cls(access)
        wanted = ids | set(kept.values())
        for seen in store.identities(scope=scope, material_ids=wanted, compositions=compositions):
            found.compositions[seen.material_id] = seen.composition
            if seen.composition in compositions:
                group = found.own if seen.access.lab_id == access.lab_id else found.others
                group[seen.composition].append(seen.material_id)
        found.named = {name: name for name in ids if name in found.compositions}
        found.named |= {name: one for name, one in kept.items() if name not in found.named}
        return found

    def of(self, row: Named) -> Found:
        """Return the material of a row.

        Raises:
            InputError: there is none of that identifier that the lab may see, its composition is another than
                the formula of the row, or several of the lab's own have the formula.
        """
        if row.material_id:
            return self._by_id(row)
        assert row.parsed is not None
        composition = row.parsed.reduced
        own = sorted(self.own.get(composition, ()))
        usual = lab_material_id(str(self.access.lab_id), composition)
        if usual in own or len(own) == 1:
            return Found(usual if usual in own else own[0], composition, notes=self._alike(composition))
        if own:
            raise InputError(
                f"{row.formula!r} fits {len(own)} materials of your lab ({', '.join(own[:_SHOWN])}); give the "
                "material_id"
            )
        made = self._made(usual, row)
        return Found(usual, composition, made, (f"new material {usual} of your lab", *self._alike(composition)))

    def _by_id(self, row: Named) -> Found:
        material_id = self.named.get(row.material_id)
        if material_id is None:
            raise InputError(
                f"no material {row.material_id!r} that you may see; /v1/materials lists those there are, or give "
                "a formula alone"
            )
        composition = self.compositions[material_id]
        if row.parsed is not None and row.parsed.reduced != composition:
            raise InputError(f"{row.material_id!r} is {composition}, not {row.formula!r}; check both")
        return Found(material_id, composition)

    def _alike(self, composition: str) -> tuple[str, ...]:
        alike = sorted(self.others.get(composition, ()))
        if not alike:
            return ()
        more = f" and {len(alike) - _SHOWN} more" if len(alike) > _SHOWN else ""
        named = ", ".join(alike[:_SHOWN])
        return (f"same composition as {named}{more}; give a material_id to add to one of them",)

    def _made(self, material_id: str, row: Named) -> Material:
        assert row.parsed is not None
        return Material(
            material_id=material_id,
            formula=row.formula,
            family=family_of(row.parsed.amounts),
            known=True,
            reason="measured by a lab",
            provenance=Provenance(source=f"lab {self.access.lab_id}"),
            access=self.access,
        )
