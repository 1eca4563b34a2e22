"""What may be asked of the property models: shipped ones, and those of the operator's own that are in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hstore.errors import InputError, unknown_name
from hstore.properties import PROPERTIES, get_property
from hstore.units import STANDARD_TEMPERATURE_K
from hstore_api.schemas import StatedConditions

if TYPE_CHECKING:
    from hstore.records import Scope
    from hstore.settings import Settings
    from hstore_models.card import ModelCard

FROM_DESCRIPTORS = frozenset({"sorbent_uptake"})
"""Models that need the texture of a sorbent and cannot answer for a formula."""


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

    def completed(self, given: StatedConditions) -> StatedConditions:
        """Check stated conditions, and fill in the standard temperature where the property needs one.

        A spec of the operator's own says which conditions it learns from; none is filled in for it.

        Raises:
            InputError: one is given that makes no difference to the property, or one that it needs is not.
        """
        stated = given.model_dump(exclude_none=True)
        allowed = self.conditions if self.own else ("temperature_k", *self.conditions)
        foreign = sorted(set(stated) - set(allowed))
        if foreign:
            words = " and ".join(self.conditions) or ("nothing" if self.own else "temperature_k or nothing")
            raise InputError(f"{self.name} does not depend on {', '.join(foreign)}; give {words}")
        if self.own:
            missing = [name for name in self.conditions if name not in stated]
            if missing:
                raise InputError(f"{self.name} is learned from {', '.join(missing)}; state them in the request")
        elif "temperature_k" in self.conditions:
            stated.setdefault("temperature_k", STANDARD_TEMPERATURE_K)
        return StatedConditions(**stated)


def served_property(name: str, settings: Settings, scope: Scope) -> ServedProperty:
    """Return a property that a model predicts.

    Models that the scope may not see do not exist for it: the message is that of an unknown name.

    Raises:
        UnknownNameError: no model predicts it; the message lists the close matches.
    """
    shipped = shipped_properties()
    if name in shipped:
        return shipped[name]
    known = shipped | own_properties(settings, scope)
    if name not in known:
        raise unknown_name("predicted property", name, known)
    return known[name]


def shipped_properties() -> dict[str, ServedProperty]:
    """Return name -> property, for those that the shipped models predict."""
    from hstore_models.training import MODELS

    found = {}
    for model, names in MODELS.items():
        source: Literal["formula", "descriptors"] = "descriptors" if model in FROM_DESCRIPTORS else "formula"
        for name in names:
            known = get_property(name)
            found[name] = ServedProperty(name, model, known.unit, known.conditions, source)
    return found


def own_properties(settings: Settings, scope: Scope) -> dict[str, ServedProperty]:
    """Return name -> property, for those that only a spec of the operator's own predicts and that are in use.

    Args:
        settings: where the models are.
        scope: in whose name; models of a lab are left out for everybody else.
    """
    from hstore_models.registry import Registry

    registry, shipped = Registry(settings.models_dir), shipped_properties()
    cards = [card for card in registry.cards(scope) if card.spec.get("kind") == "property"]
    in_use = [card for card in cards if registry.current_id(card.model) == card.model_id]
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
