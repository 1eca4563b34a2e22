"""Train a model, with rows or a spec of the user's own, and say how it compares with the one in use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hstore.errors import InputError
from hstore_models.registry import Registry
from hstore_models.spec import SHIPPED, read_spec, shipped_spec
from hstore_models.training import Trained, made_from, model_of, train
from hstore_models.tuning import tune_spec
from hstore_workflows.releases import Releases
from hstore_workflows.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from hstore.settings import Settings
    from hstore_models.spec import Spec


@dataclass(frozen=True)
class TrainingRequest:
    """What is asked of ``hstore train``."""

    name: str
    """Property, model, or path of a spec (ending in .toml)."""
    tables: tuple[Path, ...] = ()
    """Tables with rows to add."""
    tune: bool = False
    """Whether better parameters are searched for first."""
    trials: int | None = None
    """Trials of that search; as the spec says when None."""
    promote: bool = False
    """Whether the version is put into use where the gate finds it better."""


def model_named(text: str, settings: Settings) -> str:
    """Return the name of a model, shipped or trained from a spec of the user's own, from its name or a property's.

    Raises:
        UnknownNameError: it is neither; the message lists the properties that are predicted.
    """
    names = {*SHIPPED, *(card.model for card in Registry(settings.models_dir).cards())}
    return text if text in names else model_of(text, settings)


def spec_of(name: str, settings: Settings) -> tuple[Spec, dict[str, pd.DataFrame]]:
    """Return the spec that a property, a model or a path stands for, and the tables that belong to it.

    A property of a spec of the user's own, named without its file, keeps the rows it was trained on.

    Raises:
        InputError: the file is not a spec, or the name is not known.
    """
    if name.endswith(".toml"):
        return read_spec(Path(name)), {}
    model = model_named(name, settings)
    return (shipped_spec(model), {}) if model in SHIPPED else made_from(model, settings)


def run(request: TrainingRequest, settings: Settings, *, say: Callable[[str], None] = lambda _: None) -> Trained:
    """Train, compare, and put into use where that is asked for and earned.

    Raises:
        InputError: spec, tables or names cannot be used; nothing heavy has run then.
        ModelError: the version cannot be saved.
    """
    spec, kept = spec_of(request.name, settings)
    spec.check()
    tables = kept | {name: read_table(path) for name, path in _named(request.tables).items()}
    if request.tune:
        spec = tune_spec(spec, settings, tables=tables, trials=request.trials, say=say)
    say(f"training {spec.name}")
    trained = train(spec, settings, tables=tables)
    if request.promote and trained.verdict is not None and trained.verdict.better:
        Releases.of(settings).promote(trained.loaded.card.model_id)
    return trained


def _named(paths: Sequence[Path]) -> dict[str, Path]:
    """Return name -> table; rows are known by the name of their table, so no two may share it."""
    named: dict[str, Path] = {}
    for path in paths:
        if path.stem in named:
            raise InputError(f"{named[path.stem]} and {path} are both called {path.stem!r}; rename one")
        named[path.stem] = path
    return named


def train_all(settings: Settings, *, say: Callable[[str], None] = lambda _: None) -> Sequence[Trained]:
    """Train every shipped model from the data present."""
    return [run(TrainingRequest(name), settings, say=say) for name in SHIPPED]
