"""Jobs of the operator's own that give the embedded candidates their predicted properties."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstore.records import PUBLIC_SCOPE, Access
from hstore_workflows.jobs.start import start_job

if TYPE_CHECKING:
    from hstore.settings import Settings
    from hstore.store import Store
    from hstore_workflows.jobs.kind import Kinds

PROPERTIES = (
    "h2_capacity_wt_pct",
    "desorption_enthalpy_kj_per_mol_h2",
    "plateau_pressure_bar",
    "log10_conductivity_s_per_cm",
)
"""Properties predicted for all candidates of a new store, at 298.15 K where they depend on temperature."""

_FIRST = "first"


def seed_predictions(store: Store, settings: Settings, kinds: Kinds) -> list[str] | None:
    """Queue a prediction of each property for all public materials, once for each model.

    Args:
        store: the open store.
        settings: where the models are.
        kinds: what workers can do.

    Returns:
        Identifiers of the jobs, queued now or earlier; None where the store has no material yet.
    """
    if next(store.materials(scope=PUBLIC_SCOPE, limit=1), None) is None:
        return None
    from hstore_models.registry import Registry
    from hstore_models.training import model_of

    registry, queued = Registry(settings.models_dir), []
    for name in PROPERTIES:
        model_id = registry.current_id(model_of(name))
        known = model_id and next(store.predictions(scope=PUBLIC_SCOPE, property=name, model_id=model_id), None)
        if known:  # by the job of an earlier start, which saw the model being trained
            continue
        job_id = f"seed-predict-{name}-{model_id or _FIRST}"
        start_job(store, settings, kinds, "predict", {"property": name}, access=Access(), job_id=job_id)
        queued.append(job_id)
    return queued
