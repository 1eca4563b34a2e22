"""Release a version of a model: find it, compare it with the one in use, promote it or leave it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hstore.errors import InputError, ModelError, unknown_name
from hstore.records import Scope
from hstore_models.gate import compare
from hstore_models.golden import check_golden
from hstore_models.registry import Registry, owner

if TYPE_CHECKING:
    from hstore.settings import Settings
    from hstore_models.card import ModelCard
    from hstore_models.golden import Drift
    from hstore_models.ledger import Promotion
    from hstore_models.registry import RefusedModel
    from hstore_models.verdict import Verdict

OPERATOR = Scope(everything=True)
"""Scope of the command line: whoever can write the folder of the models sees all of them."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Listed:
    """A version in a list of models."""

    card: ModelCard
    """Its card."""
    in_use: bool
    """True for the public champion."""
    labs: tuple[str, ...]
    """Labs whose champion it is."""


@dataclass(frozen=True)
class Release:
    """What became of a wish to release a version."""

    entry: Promotion
    """Entry of the history."""
    verdict: Verdict | None
    """What the gate said; None where there was nothing to compare with."""


@dataclass(frozen=True)
class Releases:
    """The versions of the models under ``HSTORE_HOME``, in the operator's scope."""

    registry: Registry
    """The models."""

    @classmethod
    def of(cls, settings: Settings) -> Releases:
        """Open the models of these settings."""
        return cls(Registry(settings.models_dir))

    def listed(self) -> list[Listed]:
        """Return all versions that can be used, by name, the newest first."""
        refused = {bad.model_id for bad in self.refused()}
        cards = [card for card in self.registry.cards(OPERATOR) if card.model_id not in refused]
        cards.sort(key=_saved, reverse=True)
        return [self._listed(card) for card in sorted(cards, key=lambda card: card.model)]

    def refused(self) -> list[RefusedModel]:
        """Return the versions whose files are refused."""
        return self.registry.refused()

    def find(self, text: str, lab_id: str | None = None) -> ModelCard:
        """Return the card of an id, or of the version in use of a name.

        Args:
            text: id of a version or name of a model.
            lab_id: lab whose champion is meant by a name.

        Raises:
            UnknownNameError: neither; the message lists what there is.
            ModelError: its files are refused.
        """
        in_use = self.registry.current_id(text, lab_id)
        return self._card(in_use or text)

    def challenger(self, text: str, lab_id: str | None = None) -> ModelCard:
        """Return the card of an id, or of the newest version of a name that is not in use.

        Raises:
            UnknownNameError: neither a name nor an id.
            ModelError: the name has no other version than the one in use, or its files are refused.
        """
        in_use = self.registry.current_id(text, lab_id)
        if in_use is None:
            return self._card(text)
        others = [
            card
            for card in self.registry.cards(OPERATOR)
            if card.model == text and card.model_id != in_use and _may_serve(card, lab_id)
        ]
        if not others:
            raise ModelError(f"{text} has no version but the one in use; make one with: hstore train {text}")
        return max(others, key=_saved)

    def compare(
        self, challenger: str, champion: str | None = None, *, metric: str | None = None, lab_id: str | None = None
    ) -> Verdict:
        """Compare two versions.

        Args:
            challenger: id, or name for its newest version that is not in use.
            champion: id or name; the version in use when None.
            metric: what errors are measured by; that of the spec when None.
            lab_id: lab whose champion is meant.

        Raises:
            UnknownNameError: no such version, or no such metric.
            InputError: they are one version, or versions of different models.
            ModelError: nothing is in use, or files are refused.
        """
        new = self.challenger(challenger, lab_id)
        old = self.find(champion, lab_id) if champion else self._in_use(new.model, lab_id)
        if new.model_id == old.model_id:
            raise InputError(f"{new.model_id} is in use itself; name another version to compare with it")
        chosen = metric or str(new.spec.get("metric", "mae"))
        load = self.registry.load
        return compare(
            load(old.model, old.model_id, OPERATOR), load(new.model, new.model_id, OPERATOR), metric=chosen
        )

    def promote(
        self, text: str, *, why: str | None = None, force: str | None = None, lab_id: str | None = None
    ) -> Release:
        """Put a version into use where the gate finds it better than the one in use.

        Args:
            text: id, or name for its newest version that is not in use.
            why: reason for the history; the verdict of the gate when None.
            force: reason to promote it although the gate is against it; noted in the history.
            lab_id: lab whose champion it becomes; None for the public one, or the lab that owns it.

        Raises:
            UnknownNameError: no such version.
            InputError: it is in use already, or it is forced without a reason.
            ModelError: it is not better and not forced, or its files are refused.
        """
        if force is not None and not force.strip():
            raise InputError("a forced promotion needs a reason, which is kept in the history; got none")
        card = self.challenger(text, lab_id)
        lab_id = lab_id or owner(card.access)
        verdict = self._verdict(card, lab_id)
        if verdict and not verdict.better and force is None:
            reasons = "\n".join(f"  {reason}" for reason in verdict.reasons)
            raise ModelError(
                f"{card.model_id} is not better than {verdict.champion_id}, which stays in use:\n{reasons}\n"
                f'promote it all the same with: hstore models promote {card.model_id} --force "REASON"'
            )
        forced = verdict is not None and not verdict.better
        reason = force if forced and force else why or force or _reason(verdict)
        entry = self.registry.promote(card.model, card.model_id, reason, lab_id=lab_id, forced=forced)
        return Release(entry, verdict)

    def rollback(self, name: str, why: str, lab_id: str | None = None) -> Promotion:
        """Put the champion before the present one back into use.

        Raises:
            UnknownNameError: no model of that name.
            ModelError: there is no earlier champion that can be used.
        """
        names = {model for model, _ in self.registry.versions()}
        if name not in names:
            raise unknown_name("model", name, names)
        return self.registry.rollback(name, why, lab_id=lab_id)

    def check(self, text: str | None = None) -> dict[str, Drift]:
        """Ask versions their golden predictions again: one, or all in use.

        Returns:
            Id -> what became of its answers.

        Raises:
            UnknownNameError: no such version.
            ModelError: files are refused, or nothing is in use.
        """
        cards = [self.find(text)] if text else [row.card for row in self.listed() if row.in_use or row.labs]
        if not cards:
            raise ModelError(f"no model is in use under {self.registry.folder}; train with: hstore train --all")
        return {card.model_id: self._drift(card) for card in cards}

    def _drift(self, card: ModelCard) -> Drift:
        loaded = self.registry.load(card.model, card.model_id, OPERATOR)
        golden = self.registry.golden(card.model, card.model_id, OPERATOR)
        return check_golden(loaded.model, golden, card.versions)

    def _verdict(self, card: ModelCard, lab_id: str | None) -> Verdict | None:
        """Compare with the version in use; None where nothing is, or what is cannot be used."""
        in_use = self.registry.current_id(card.model, lab_id)
        if in_use == card.model_id:
            raise InputError(f"{card.model_id} is in use already")
        if in_use is None or self.registry.refusal(card.model, in_use):
            return None
        return self.compare(card.model_id, in_use, lab_id=lab_id)

    def _in_use(self, name: str, lab_id: str | None) -> ModelCard:
        in_use = self.registry.current_id(name, lab_id)
        if in_use is None:
            raise ModelError(f"no version of {name} is in use; promote one with: hstore models promote ID")
        return self.registry.card(name, in_use, OPERATOR)

    def _card(self, model_id: str) -> ModelCard:
        names = {found: name for name, found in self.registry.versions()}
        if model_id in names:
            return self.registry.card(names[model_id], model_id, OPERATOR)
        raise unknown_name("trained model", model_id, [*names, *set(names.values())])

    def _listed(self, card: ModelCard) -> Listed:
        pointers = self.registry.pointers(card.model)
        labs = tuple(sorted(lab for lab, used in pointers.items() if lab is not None and used == card.model_id))
        return Listed(card, pointers.get(None) == card.model_id, labs)


def _saved(card: ModelCard) -> tuple[datetime, str]:
    return card.created or _LONG_AGO, card.model_id


def _may_serve(card: ModelCard, lab_id: str | None) -> bool:
    """Tell whether a version may become the champion of a lab, or the public one."""
    return owner(card.access) in {None, lab_id}


def _reason(verdict: Verdict | None) -> str:
    return "; ".join(verdict.reasons) if verdict else "nothing else is in use"
