"""Score a model: on a table with known answers, or its recipe by cross-validation on a public set."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from hstore.keys import Permission
from hstore_workflows.jobs.kind import Kind, Parameters, Step, Work, write_whole
from hstore_workflows.jobs.rows import Rows, write_rows

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from hstore.records import Scope
    from hstore.settings import Settings

_REPORT = "report.json"
_ANSWERS = "answers.csv"
_TABLE = "table.csv"


class EvaluateParameters(Parameters):
    """What to score, on what."""

    property: str = Field(max_length=200, examples=["desorption_enthalpy_kj_per_mol_h2"])
    """Property whose predictions are scored."""
    rows: Rows | None = Field(None, examples=[[{"formula": "LaNi5", "measured": 30.8}]])
    """A table with known answers."""
    target: str | None = Field(None, max_length=200, examples=["measured"])
    """Column of ``rows`` with the known answers, in the unit of the property."""
    cross_validate: str | None = Field(None, max_length=200, examples=["ml_hydpark"])
    """Public data set on which the recipe is cross-validated, in place of a table."""
    seeds: Annotated[int, Field(ge=1, le=5, examples=[1], json_schema_extra={"unit": "seeds"})] = 1
    """Seeds that a cross-validation averages over."""

    @model_validator(mode="after")
    def _one_subject(self) -> EvaluateParameters:
        if (self.rows is None) == (self.cross_validate is None) or (self.rows is None) != (self.target is None):
            raise ValueError("give rows with target, or cross_validate alone")
        return self


def _check(asked: EvaluateParameters, settings: Settings, _scope: Scope) -> None:
    from hstore_models.training import model_of

    model_of(asked.property, settings)


def _score(work: Work[EvaluateParameters]) -> dict[str, Any]:
    from hstore_workflows.evaluate import Scoring, cross_validate, evaluate_table
    from hstore_workflows.tables import read_table

    asked = work.parameters
    how = Scoring(seeds=tuple(range(asked.seeds)))
    say, keep = work.say, partial(_write_answers, work.files / _ANSWERS)
    if asked.rows is None:
        subject = str(asked.cross_validate)
        report = cross_validate(asked.property, subject, work.settings, how, say=say, keep=keep)
    else:
        write_rows(asked.rows, work.folder / _TABLE)
        table = read_table(work.folder / _TABLE)
        target = str(asked.target)
        report = evaluate_table(asked.property, table, target, work.settings, how, say=say, keep=keep)
    write_whole(work.files / _REPORT, json.dumps(report, indent=1))
    plain: dict[str, Any] = json.loads(json.dumps(report), parse_constant=lambda _: None)
    return plain


def _write_answers(path: Path, answers: pd.DataFrame) -> None:
    write_whole(path, answers.to_csv(index=False, lineterminator="\n"))


EVALUATE = Kind(
    name="evaluate",
    summary="Scores the predictions of a property beside baselines; the scores are its result.",
    permission=Permission.TRAIN,
    parameters=EvaluateParameters,
    steps=(Step("score", "score the predictions", _score),),
    files=(_REPORT, _ANSWERS),
    check=_check,
)
