"""Train a model anew, from the data present or with a lab's own measurements beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from hstore.errors import InputError
from hstore.keys import Permission
from hstore_workflows.jobs.kind import Kind, Parameters, Step, Work, write_whole

if TYPE_CHECKING:
    from hstore.records import Scope
    from hstore.settings import Settings
    from hstore_models.card import ModelCard

_CARD = "card.json"


class TrainParameters(Parameters):
    """What to train, and from what."""

    model: str = Field(max_length=200, examples=["hydride_thermodynamics"])
    """Name of a model, or of a property that one predicts."""
    own_measurements: bool = False
    """Whether the lab's measurements are learned from as well; the version is then the lab's alone."""
    promote: bool = False
    """Whether a version with the lab's measurements is put into use for the lab where it is found better."""


def _check(asked: TrainParameters, settings: Settings, scope: Scope) -> None:
    from hstore_workflows.train import model_named

    model_named(asked.model, settings)
    if asked.own_measurements and scope.lab_id is None:
        raise InputError("own_measurements needs a key of a lab; this one has none")
    if asked.promote and not asked.own_measurements:
        raise InputError("promote goes with own_measurements; public models are put into use at /v1/models")


def _train(work: Work[TrainParameters]) -> dict[str, Any]:
    asked = work.parameters
    card, better = _for_lab(work) if asked.own_measurements else _public(work)
    write_whole(work.files / _CARD, card.model_dump_json(indent=1))
    return {"model": card.model, "model_id": card.model_id, "better": better}


def _public(work: Work[TrainParameters]) -> tuple[ModelCard, bool | None]:
    from hstore_workflows.train import TrainingRequest, run

    trained = run(TrainingRequest(work.parameters.model), work.settings, say=work.say)
    for added in trained.added:
        for line in added.lines():
            work.say(line)
    if trained.verdict is not None:
        work.say(str(trained.verdict))
    return trained.loaded.card, None if trained.verdict is None else trained.verdict.better


def _for_lab(work: Work[TrainParameters]) -> tuple[ModelCard, bool | None]:
    from hstore_workflows.lab_training import train_for_lab

    asked, lab = work.parameters, work.job.access.lab_id
    assert lab is not None  # checked before the job was accepted
    card = train_for_lab(work.settings, work.store, asked.model, lab, promote=asked.promote, say=work.say)
    return card, None


def _tell(work: Work[TrainParameters]) -> dict[str, Any]:
    from hstore_models.registry import Registry

    found, lab = work.before["train"], work.job.access.lab_id
    in_use = Registry(work.settings.models_dir).current_id(found["model"], lab)
    return {**found, "in_use": in_use == found["model_id"]}


TRAIN = Kind(
    name="train",
    summary="Trains a version of a model and leaves its card; it is put into use where nothing was.",
    permission=Permission.TRAIN,
    parameters=TrainParameters,
    steps=(
        Step("train", "train the model and compare it with the one in use", _train),
        Step("tell", "note what is in use", _tell),
    ),
    files=(_CARD,),
    check=_check,
)
