"""What a batch screens, read from TOML."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

MAX_SITE_COMPOSITIONS = 2_000_000
"""Most compositions of one site of a grid; those of several sites multiply."""


class Part(BaseModel):
    """A part of a file that a user writes: frozen, and no unknown field."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


P = TypeVar("P")


class GridSite(Part):
    """One site of a grid: some of its elements share it, in steps."""

    elements: Annotated[tuple[str, ...], Field(min_length=1)]
    """Symbols that may share the site."""
    choose: Annotated[int, Field(ge=1, le=6)] = 1
    """How many of them do."""
    total: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Atoms on the site in one formula unit."""
    step: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Smallest amount, and the difference between two; ``total`` is a multiple of it."""

    @model_validator(mode="after")
    def _can_be_shared(self) -> GridSite:
        unknown = [symbol for symbol in self.elements if symbol not in ATOMIC_MASS_G_PER_MOL]
        if unknown:
            raise ValueError(f"unknown elements {', '.join(unknown)}")
        if len(set(self.elements)) < len(self.elements):
            raise ValueError("an element stands twice")
        if self.choose > len(self.elements):
            raise ValueError(f"choose is {self.choose}, but there are only {len(self.elements)} elements")
        steps = self.total / self.step
        if abs(steps - round(steps)) > 1e-6:
            raise ValueError(f"total {self.total:g} is not a multiple of step {self.step:g}")
        if self.choose > round(steps):
            raise ValueError(f"{self.choose} elements need at least {self.choose} steps, got {round(steps)}")
        return self


class GridSource(Part):
    """All compositions of some sites, numbered and never listed."""

    kind: Literal["grid"]
    """``grid``."""
    sites: Annotated[tuple[GridSite, ...], Field(min_length=1, max_length=6)]
    """The sites; every composition of one goes with every one of the others."""


class FilesSource(Part):
    """Tables of candidates, with the columns that ``hstore predict`` reads."""

    kind: Literal["files"]
    """``files``."""
    files: Annotated[tuple[str, ...], Field(min_length=1)]
    """Parquet or CSV files, or patterns such as ``pools/*.parquet``, from the folder of the specification."""


class Work(Part):
    """What is asked of each candidate instead of the models of the target: a function.

    It is called with a dictionary of the candidate's columns, and with ``arguments``, and returns a dictionary of
    numbers and texts, among them ``score`` (higher is better). What it raises is the cause why a candidate is
    rejected.
    """

    function: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    """Where it is: ``package.module:name``."""
    arguments: dict[str, bool | int | float | str] = Field(default_factory=dict)
    """What it is called with beside the candidate."""


class Stage(Work):
    """A stage of a funnel: work that is asked of the best of the stage before."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
    """Name of the stage, and of its folder."""
    take: Annotated[int, Field(ge=1, le=1_000_000)]
    """Candidates taken from the stage before: its best ones."""
    budget_core_hours: Annotated[float | None, Field(gt=0)] = None
    """Fewer are taken where so many would take longer, measured on the first ones; h."""
    audit: Annotated[int, Field(ge=0, le=10_000)] = 50
    """Candidates asked about beside them, to see what the stage before has cut: half from just below the cut, half
    from all others."""
    minutes: Annotated[float, Field(gt=0, le=100_000)] = 10.0
    """Longest time of one candidate, min; one that takes longer is rejected."""
    memory_mib: Annotated[int, Field(ge=64, le=1_000_000)] = 4_096
    """Memory one candidate may take beyond the libraries, MiB; one that takes more is rejected."""
    shard_rows: Annotated[int, Field(ge=1, le=100_000)] = 1
    """Candidates of a shard: more than one where each takes seconds at most."""


class Batch(Part):
    """What a batch screens."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    """Name of the run, and of its folder where none is given."""
    target: str
    """A shipped target, or a TOML file with one, from the folder of the specification."""
    source: GridSource | FilesSource = Field(discriminator="kind")
    """The candidates."""
    shard_rows: Annotated[int, Field(ge=1, le=10_000_000)] = 50_000
    """Candidates of a shard, which is done as a whole or again."""
    chunk_rows: Annotated[int, Field(ge=1, le=100_000)] = 8_000
    """Candidates predicted together; bounds the memory of a worker."""
    top: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000
    """Candidates of the ranked list."""
    tries: Annotated[int, Field(ge=1, le=20)] = 3
    """How often a shard is tried before the candidates that break it are looked for."""
    shard_minutes: Annotated[float, Field(gt=0, le=10_000)] = 60.0
    """Longest time of a shard, min; one that takes longer is tried again."""
    memory_mib: Annotated[int, Field(ge=64, le=1_000_000)] = 2_048
    """Memory a worker may take beyond its libraries, MiB."""
    work: Work | None = None
    """What is asked of each candidate; the models of the target when None."""
    stages: tuple[Stage, ...] = ()
    """What is asked of the best, from cheap to expensive; each stage is given the best of the one before."""

    @model_validator(mode="after")
    def _goes_down(self) -> Batch:
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise ValueError("a name of a stage stands twice")
        takes = [stage.take for stage in self.stages]
        if takes != sorted(takes, reverse=True):
            raise ValueError(f"a funnel gets narrower; its stages take {', '.join(map(str, takes))}")
        return self


def load_batch(path: Path) -> Batch:
    """Read a specification.

    Raises:
        InputError: there is no such file, it is not TOML, or a field is missing, unknown or out of range.
    """
    return read_part(TypeAdapter(Batch), path, "batch")


def read_part(form: TypeAdapter[P], path: Path, word: str) -> P:
    """Read a part from a TOML file.

    Args:
        form: what the file holds.
        path: the file.
        word: what it is called in errors.

    Raises:
        InputError: as for :func:`load_batch`.
    """
    try:
        return form.validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"{word} file {path} cannot be read ({error.strerror}); give a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}; correct the file") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or word
        raise InputError(f"{path}: {place}: {first['msg']}, got {first['input']!r:.80}") from error
