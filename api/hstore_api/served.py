"""What may be asked of the property models: shipped ones, and those of the operator's own that are in use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from hstore.errors import InputError, unknown_name
from hstore.properties import PROPERTIES, get_property
from hstore_api.prediction_schemas import StatedConditions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from hstore.records import Scope
    from hstore_api.cards import Cards
    from hstore_models.card import ModelCard


@dataclass(frozen=True)
class ServedProperty:
    """A property that a model predicts, and what it must be told."""

    name: str
    """Canonical name, or the target of a spec of the operator's own."""
    model: str
    """Model that predicts it."""
    unit: str
    """Unit of its values; empty where it has none."""
    conditions: tuple[str, ...]
    """Conditions a prediction depends on."""
    predicted_from: Literal["formula", "descriptors"]
    """Whether formulas and conditions suffice."""
    summary: str = ""
    """What a model of the operator's own is, in one sentence; empty for shipped ones."""
    low: float | None = None
    """Lower limit of the answers of a model of the operator's own; None where there is none."""
    high: float | None = None
    """Upper limit of those answers."""

    @property
    def own(self) -> bool:
        """True where a spec of the operator's own predicts it."""
        return bool(self.summary)

    @property
    def allowed(self) -> tuple[str, ...]:
        """Conditions that may be stated; a temperature may be for whatever is predicted from a formula."""
        if self.own or self.predicted_from == "descriptors":
            return tuple(name for name in self.conditions if name in StatedConditions.model_fields)
        return tuple(dict.fromkeys(("temperature_k", *self.conditions)))

    @property
    def filled_in(self) -> Mapping[str, float]:
        """Condition -> value that is taken where none is stated."""
        if self.own:
            return {}
        if self.predicted_from == "formula":
            return get_property(self.name).customary_conditions
        from hstore_models.sorbent import DEFAULT_SWING, SWING

        return dict(zip(SWING, DEFAULT_SWING, strict=True)) if set(SWING) == set(self.conditions) else {}

    def completed(self, given: StatedConditions, *, columns: Collection[str] = ()) -> StatedConditions:
        """Check stated conditions, and fill in those that have a customary value.

        Args:
            given: conditions of the request.
            columns: conditions and descriptors that rows of the request state.

        Raises:
            InputError: one is given that makes no difference to the property, or one that it needs is not.
        """
        stated = given.model_dump(exclude_none=True)
        foreign = sorted(set(stated) - set(self.allowed))
        if foreign:
            words = " and ".join(self.conditions) or ("nothing" if self.own else "temperature_k or nothing")
            raise InputError(f"{self.name} does not depend on {', '.join(foreign)}; give {words}")
        stated = {**self.filled_in, **stated}
        missing = [name for name in self.conditions if name not in stated and name not in columns]
        if missing and self.own:
            raise InputError(f"{self.name} is learned from {', '.join(missing)}; state them in the request")
        if missing:
            raise InputError(
                f"{self.name} means nothing without {' and '.join(missing)}; state them in the request"
            )
        return StatedConditions(**stated)


def served_property(name: str, cards: Cards, scope: Scope) -> ServedProperty:
    """Return a property that a model predicts.

    Models that the scope may not see do not exist for it: the message is that of an unknown name.

    Raises:
        UnknownNameError: no model predicts it; the message lists the close matches.
    """
    shipped = shipped_properties()
    if name in shipped:
        return shipped[name]
    known = {**shipped, **own_properties(cards, scope)}
    if name not in known:
        raise unknown_name("predicted property", name, known)
    return known[name]


@cache
def shipped_properties() -> Mapping[str, ServedProperty]:
    """Return name -> property, for those that the shipped models predict."""
    from hstore_models.training import FROM_DESCRIPTORS, MODELS

    found = {}
    for model, names in MODELS.items():
        source: Literal["formula", "descriptors"] = "descriptors" if model in FROM_DESCRIPTORS else "formula"
        for name in names:
            known = get_property(name)
            found[name] = ServedProperty(name, model, known.unit, known.conditions, source)
    return MappingProxyType(found)


def own_properties(cards: Cards, scope: Scope) -> dict[str, ServedProperty]:
    """Return name -> property, for those that only a spec of the operator's own predicts and that are in use.

    Args:
        cards: cards of the models.
        scope: in whose name; models of a lab are left out for everybody else.
    """
    shipped = shipped_properties()
    own = [card for card in cards.visible(scope) if card.spec.get("kind") == "property"]
    in_use = [card for card in own if cards.in_use(card.model, scope) == card.model_id]
    return {name: _own(name, card) for card in in_use for name in card.properties if name not in shipped}


def _own(name: str, card: ModelCard) -> ServedProperty:
    target = card.spec["targets"][name]
    columns = tuple(target["columns"])
    stated = all(column in StatedConditions.model_fields for column in columns)
    return ServedProperty(
        name=name,
        model=card.model,
        unit=PROPERTIES[name].unit if name in PROPERTIES else card.spec["unit"],
        conditions=columns,
        predicted_from="formula" if stated else "descriptors",
        summary=card.summary or card.model,
        low=target["low"],
        high=target["high"],
    )
