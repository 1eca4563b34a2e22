"""Model specs: what a property model is made of, as a TOML file that is checked before anything heavy runs.

The specs that hstore ships are ``specs/*.toml`` beside this module; a spec of your own is a file of the same form
(``hstore train my_spec.toml``). ``kind`` says which physics wraps the learners:

* ``hydride_thermodynamics``: enthalpy, entropy and plateau pressure made consistent by van 't Hoff;
* ``hydride_capacity``: alloys learned, hydrides that state their hydrogen by stoichiometry;
* ``sorbent_uptake``: an isotherm from texture, ensembles of pore descriptors at the swing of a simulated set;
* ``conductivity``: an Arrhenius law whose activation energy and conductivity at 25 degC are learned;
* ``property``: no physics: any property of a table, from its formulas and columns.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hstore.errors import InputError, unknown_name
from hstore_models.ensemble import TRANSFORMS, Recipe
from hstore_models.learners import Learner

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = ("hydride_thermodynamics", "hydride_capacity", "sorbent_uptake", "conductivity", "property")
"""Every kind of model."""

SHIPPED = KINDS[:-1]
"""Names of the specs that hstore ships, one for each kind with physics."""

METRICS = ("mae", "median_error", "rmse")
"""What a challenger is compared by."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class LearnerSpec(_Part):
    """One learner of an ensemble."""

    kind: str
    """``extra_trees``, ``random_forest``, ``boosting``, ``gaussian_process``, or the import path of any estimator
    with scikit-learn's ``fit`` and ``predict``, such as ``sklearn.svm.SVR``."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Parameters that differ from the default ones."""
    blocks: tuple[str, ...] = ()
    """Blocks of features it sees, such as ``hydride``; all when empty. ``columns x10`` counts ten times."""


class TargetSpec(_Part):
    """How one target is learned."""

    features: tuple[str, ...]
    """Groups of descriptors of the composition (``magpie``, ``hydride``, ``electrolyte``), of the unit cell
    (``lattice``) or of the pores (``pores``); each is a block of the same name."""
    columns: tuple[str, ...] = ()
    """Columns of the table that are features too, such as ``temperature_k``; they are the block ``columns``."""
    host: bool = False
    """True for descriptors of the material without its hydrogen, by which an alloy and its hydride are one; read
    by kind ``property`` only, the kinds with physics know."""
    learners: tuple[LearnerSpec, ...] = Field(min_length=1)
    """Unlike learners, stacked out of fold."""
    transform: str = "none"
    """What is learned: the target (``none``), its natural logarithm (``log``) or its root (``sqrt``)."""
    low: float | None = None
    """Physical lower limit of the answer, in the unit of the target."""
    high: float | None = None
    """Physical upper limit of the answer."""
    monotonic: dict[str, Literal[-1, 1]] = Field(default_factory=dict)
    """Feature -> 1 where the answer may only rise with it, -1 where it may only fall; kept by ``boosting``."""

    @model_validator(mode="after")
    def _names_are_known(self) -> TargetSpec:
        if self.transform not in TRANSFORMS:
            raise unknown_name("transform of the target", self.transform, TRANSFORMS)
        if not self.features and not self.columns:
            raise ValueError("a target needs features or columns to be learned from; give at least one")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low must be below high, got {self.low:g} and {self.high:g}")
        if self.monotonic and not any(learner.kind == "boosting" for learner in self.learners):
            raise ValueError("monotonic constraints are kept by 'boosting' only; add such a learner or drop them")
        return self


class DataSpec(_Part):
    """Which rows train the model."""

    curated: str = ""
    """Curated table it always trains on; none when empty."""
    public: tuple[str, ...] = ()
    """Public sets that sharpen it when present."""
    files: tuple[Path, ...] = ()
    """Tables of your own, relative to the spec; see ``hstore train --help`` for the columns."""
    keep: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Column -> values that are kept; rows of another value in a column that has one are left out."""


class SplitSpec(_Part):
    """What is never on both sides of a split."""

    group: str = "chemical_system"
    """``chemical_system``, ``composition``, or a column of the rows such as ``group`` or ``reference``."""
    n_folds: int = Field(default=5, ge=2, le=50)
    """Folds of the out-of-fold answers."""


class TuningSpec(_Part):
    """What ``hstore train --tune`` may change."""

    trials: int = Field(default=40, ge=1)
    """Trials in all; a study that was ended goes on where it stopped."""
    space: dict[str, tuple[float, float]] = Field(default_factory=dict)
    """``learner.parameter`` -> lowest and highest value; whole numbers are searched as whole numbers."""


class Spec(_Part):
    """A property model as data."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    """Name of the model; a spec of your own must not take the name of a shipped one."""
    kind: str
    """Which physics wraps the learners, one of ``KINDS``."""
    summary: str
    """One sentence: what it is."""
    limits: tuple[str, ...] = ()
    """What it cannot do."""
    unit: str = ""
    """Unit of the target; needed where the target is not one of hstore's properties."""
    metric: str = "mae"
    """What a challenger is compared by, one of ``METRICS``, in the unit of the target."""
    data: DataSpec = DataSpec()
    """Rows."""
    split: SplitSpec = SplitSpec()
    """Groups."""
    targets: dict[str, TargetSpec] = Field(min_length=1)
    """Target column -> how it is learned."""
    tuning: TuningSpec = TuningSpec()
    """Search for better parameters."""

    @model_validator(mode="after")
    def _names_are_known(self) -> Spec:
        if self.kind not in KINDS:
            raise unknown_name("kind of model", self.kind, KINDS)
        if self.metric not in METRICS:
            raise unknown_name("metric", self.metric, METRICS)
        if self.kind == "property" and len(self.targets) != 1:
            raise ValueError(
                f"a spec of kind 'property' has one target, got {len(self.targets)}; write one spec each"
            )
        return self

    def recipe(self, target: str, *, seed: int = 0, names: Sequence[str] = ()) -> Recipe:
        """Return how a target is learned.

        Args:
            target: column it is in.
            seed: seed of learners and folds.
            names: names of the features, by which monotonic constraints find theirs.

        Raises:
            UnknownNameError: no such target, or a constraint on a feature that is not there.
        """
        if target not in self.targets:
            raise unknown_name(f"target of {self.name}", target, self.targets)
        wanted = self.targets[target]
        learners = tuple(Learner(part.kind, part.parameters, part.blocks) for part in wanted.learners)
        place = {name: column for column, name in enumerate(names)}
        for name in wanted.monotonic if names else ():
            if name not in place:
                raise unknown_name("feature of a monotonic constraint", name, names)
        return Recipe(
            learners,
            transform=wanted.transform,
            low=-np.inf if wanted.low is None else wanted.low,
            high=np.inf if wanted.high is None else wanted.high,
            monotonic={place[name]: sign for name, sign in wanted.monotonic.items()} if names else {},
            n_folds=self.split.n_folds,
            seed=seed,
        )

    def recipes(self, *, seed: int = 0) -> dict[str, Recipe]:
        """Return target -> how it is learned."""
        return {target: self.recipe(target, seed=seed) for target in self.targets}

    def check(self) -> None:
        """Check that every learner can be built.

        Raises:
            InputError: one cannot.
        """
        for target in self.targets:
            self.recipe(target).check()


@cache
def shipped_spec(name: str) -> Spec:
    """Return a spec that hstore ships.

    Raises:
        UnknownNameError: hstore ships no spec of that name.
    """
    if name not in SHIPPED:
        raise unknown_name("model", name, SHIPPED)
    text = (resources.files("hstore_models") / "specs" / f"{name}.toml").read_text(encoding="utf-8")
    return _parse(text, f"specs/{name}.toml")


def read_spec(path: Path) -> Spec:
    """Read a spec of the user's own.

    Files it names are taken relative to the spec.

    Raises:
        InputError: not a file, not TOML, or not of the form of a spec; the message says where and what is allowed.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file; give a spec in TOML or one of {', '.join(SHIPPED)}")
    try:
        spec = _parse(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8 ({error}); save it as UTF-8") from error
    if spec.name in SHIPPED:
        raise InputError(f"{path} takes the name of the shipped spec {spec.name!r}; give it a name of its own")
    spec.check()
    files = tuple((path.parent / file).resolve() for file in spec.data.files)
    absent = [str(file) for file in files if not file.is_file()]
    if absent:
        raise InputError(f"{path} names {', '.join(absent)}, which is not a file; correct data.files")
    return spec.model_copy(update={"data": spec.data.model_copy(update={"files": files})})


def _parse(text: str, where: str) -> Spec:
    try:
        return Spec.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where} is not TOML ({error}); correct it") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise InputError(
            f"{where}: {place}: {first['msg']}, got {str(first['input'])[:80]!r}; correct it"
        ) from error
