"""What is known before the data are looked at: which variables, why, and which arrows cannot or must be."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hstore.errors import InputError, unknown_name
from hstore_models.integrity import first_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Self

    from hstore_models.explain.causal.graph import Matrix

SETS = ("interstitial", "complex", "sorbent", "electrolyte")
"""Curated sets that ship."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Variable(_Strict):
    """A variable of a graph."""

    name: str = Field(min_length=1, description="Column of the table, or descriptor of its formulas.")
    words: str = Field("", description="What a chemist calls it; the name where empty.")
    tier: int = Field(0, ge=0, description="Variables of a later tier cannot cause those of an earlier one.")
    reason: str = Field(min_length=1, description="Why it may be a cause, with a source where there is one.")
    logarithm: bool = Field(default=False, description="True: its decimal logarithm is used.")
    of: Literal["host", "whole"] = Field(
        "host", description="A descriptor is of the formula without its hydrogen (host), or of the whole."
    )
    outcome: bool = Field(default=False, description="True: it is used only where it is the target.")


class Arrow(_Strict):
    """An arrow that is known not to be, or to be."""

    cause: str
    effect: str
    reason: str = Field(min_length=1, description="Why.")


class Knowledge(_Strict):
    """Variables and what is known of their arrows."""

    name: str = Field("own", description="Name of the set.")
    table: str = Field("", description="Curated table the set is about; empty for the user's own.")
    keep: dict[str, list[str]] = Field(default_factory=dict, description="Column -> values whose rows are kept.")
    between: dict[str, tuple[float, float]] = Field(
        default_factory=dict, description="Column -> lowest and highest value whose rows are kept."
    )
    unsaid: str = Field("", description="What these data in particular cannot say.")
    variable: tuple[Variable, ...] = Field(min_length=2, description="The variables.")
    forbidden: tuple[Arrow, ...] = Field((), description="Arrows that cannot be.")
    required: tuple[Arrow, ...] = Field((), description="Arrows that must be.")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        names = [variable.name for variable in self.variable]
        if len(set(names)) < len(names):
            raise ValueError(f"variable {next(n for n in names if names.count(n) > 1)!r} stands twice")
        tier = {variable.name: variable.tier for variable in self.variable}
        for arrow in (*self.forbidden, *self.required):
            for end in (arrow.cause, arrow.effect):
                if end not in tier:
                    raise ValueError(f"an arrow names {end!r}, which is no variable; there are {', '.join(names)}")
            if arrow.cause == arrow.effect:
                raise ValueError(f"{arrow.cause!r} cannot cause itself")
        barred = {(arrow.cause, arrow.effect) for arrow in self.forbidden}
        for arrow in self.required:
            if (arrow.cause, arrow.effect) in barred or tier[arrow.cause] > tier[arrow.effect]:
                raise ValueError(
                    f"{arrow.cause} -> {arrow.effect} is required and forbidden, or against the tiers"
                )
        return self

    def of(self, names: Sequence[str]) -> Rules:
        """Return what is known of some of the variables, in an order."""
        tier = {variable.name: variable.tier for variable in self.variable}
        place = {name: number for number, name in enumerate(names)}
        p = len(names)
        tiers = np.array([tier.get(name, 0) for name in names])
        barred, must = np.zeros((p, p), dtype=bool), np.zeros((p, p), dtype=bool)
        for arrows, matrix in ((self.forbidden, barred), (self.required, must)):
            for arrow in arrows:
                if arrow.cause in place and arrow.effect in place:
                    matrix[place[arrow.cause], place[arrow.effect]] = True
        return Rules(tiers, barred | (tiers[:, None] > tiers[None, :]) | np.eye(p, dtype=bool), must)


@dataclass(frozen=True, eq=False)
class Rules:
    """Knowledge of p variables as matrices."""

    tiers: np.ndarray[tuple[int], np.dtype[np.int64]]
    """Tier of each variable, shape ``(p,)``."""
    barred: Matrix
    """``barred[i, j]``: i does not cause j directly, shape ``(p, p)``."""
    must: Matrix
    """``must[i, j]``: i causes j directly, shape ``(p, p)``."""

    @classmethod
    def nothing(cls, p: int) -> Rules:
        """Return the knowledge of nothing, for p variables."""
        return cls(np.zeros(p, dtype=np.int64), np.eye(p, dtype=bool), np.zeros((p, p), dtype=bool))


def read_knowledge(path: Path) -> Knowledge:
    """Read variables and background knowledge from a TOML file.

    Raises:
        InputError: the file cannot be read, or what it says does not agree with itself.
    """
    try:
        return _read(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); give a TOML file (UTF-8)") from error


def curated(name: str) -> Knowledge:
    """Return a curated set of variables.

    Raises:
        UnknownNameError: there is no set of this name.
    """
    if name not in SETS:
        raise unknown_name("set of variables", name, SETS)
    text = files("hstore_models.explain.causal").joinpath("sets", f"{name}.toml").read_text(encoding="utf-8")
    return _read(text, f"{name}.toml")


def _read(text: str, where: str) -> Knowledge:
    try:
        return Knowledge.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where} is not TOML ({error})") from error
    except ValidationError as error:
        raise InputError(f"{where}: {first_of(error)}; see docs/how-to/explanation.md for the form") from error
