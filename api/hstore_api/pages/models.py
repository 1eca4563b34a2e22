"""Model cards with what lies behind their figures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from hstore.errors import ModelError
from hstore_api.access import ReadCaller  # noqa: TC001 - FastAPI reads annotations
from hstore_api.dependencies import PredictorDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import NotFoundError
from hstore_api.pages.rendering import render

if TYPE_CHECKING:
    from pathlib import Path

    from hstore.records import Scope
    from hstore_api.cards import Cards
    from hstore_models.card import ModelCard
    from hstore_models.score import Score
    from hstore_workflows.report.plot import Plot

router = APIRouter(include_in_schema=False)

_PLOTS_KEPT = 32


@dataclass(frozen=True)
class ModelEntry:
    """A model with the version in use."""

    name: str
    """Name of the model."""
    card: ModelCard
    """Card of the version in use, or of the newest where none is."""
    n_versions: int
    """Versions there are."""


@dataclass(frozen=True)
class ScoreBlock:
    """One property of a model: its figures and plots."""

    name: str
    """Canonical name of the property."""
    score: Score
    """Figures on held-out rows."""
    plots: tuple[Plot, ...]
    """Parity, errors by family, calibration."""


@router.get("/models", response_class=HTMLResponse)
def models_page(request: Request, caller: ReadCaller, predictor: PredictorDep) -> HTMLResponse:
    """List the models, each with the version in use."""
    return render(request, "models.html", caller=caller, models=_entries(predictor.cards, caller.scope))


@router.get("/models/{name}", response_class=HTMLResponse)
def model_page(
    request: Request, name: str, caller: ReadCaller, predictor: PredictorDep, version: str = ""
) -> HTMLResponse:
    """Show the card of a version, by default of the one in use."""
    from hstore_models.registry import Registry

    folder = predictor.models.folder
    versions = [card for card in predictor.cards.visible(caller.scope) if card.model == name]
    in_use = predictor.cards.in_use(name, caller.scope)
    card = next((c for c in versions if c.model_id == (version or in_use)), None)
    if card is None and not version:
        card = _newest(versions)
    if card is None:
        raise NotFoundError(f"no model {name!r} that you may see; /models lists those there are")
    return render(
        request,
        "model.html",
        caller=caller,
        card=card,
        in_use=in_use,
        versions=sorted(versions, key=lambda c: str(c.created or ""), reverse=True),
        history=Registry(folder).history(name, caller.scope)[::-1],
        blocks=_blocks(folder, card),
    )


def _entries(cards: Cards, scope: Scope) -> list[ModelEntry]:
    by_name: dict[str, list[ModelCard]] = {}
    for card in cards.visible(scope):
        by_name.setdefault(card.model, []).append(card)
    entries = []
    for name, versions in sorted(by_name.items()):
        in_use = cards.in_use(name, scope)
        serving = next((card for card in versions if card.model_id == in_use), None) or _newest(versions)
        assert serving is not None
        entries.append(ModelEntry(name, serving, len(versions)))
    return entries


def _newest(cards: list[ModelCard]) -> ModelCard | None:
    return max(cards, key=lambda card: str(card.created or ""), default=None)


def _blocks(folder: Path, card: ModelCard) -> list[ScoreBlock]:
    """Return what lies behind the figures of a card that the reader was found to see."""
    plots = _plots(folder, card.model, card.model_id)
    return [ScoreBlock(name, score, plots.get(name, ())) for name, score in card.scores.items()]


@lru_cache(maxsize=_PLOTS_KEPT)
def _plots(folder: Path, name: str, model_id: str) -> dict[str, tuple[Plot, ...]]:
    """Draw the held-out predictions of a version, which never change; nothing where they are damaged."""
    from hstore.records import Scope
    from hstore_api.pages.model_plots import calibration_plot, residual_plot
    from hstore_models.registry import Registry
    from hstore_workflows.report.parity import parity_plot

    try:
        table = Registry(folder).held_out(name, model_id, Scope(everything=True))
    except ModelError:
        return {}
    kind = "sorbent" if name == "sorbent_uptake" else "hydride"
    found: dict[str, tuple[Plot, ...]] = {}
    for key, frame in table.groupby("property", sort=False):
        rows = frame.dropna(subset=["measured", "predicted", "lower", "upper"])
        if len(rows):
            found[str(key)] = (
                parity_plot(str(key), rows, kind),
                residual_plot(str(key), rows),
                calibration_plot(str(key), rows),
            )
    return found
