"""What a structure feature is: a name, its columns, its cost and the function that computes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hstore.arrays import FloatArray
    from hstore_models.features.structure.geometry import Geometry


@dataclass(frozen=True)
class StructureFeaturizer:
    """One group of columns computed together from a crystal."""

    name: str
    """Name in commands and caches, such as ``density``."""
    tier: int
    """Cost: 1 about a millisecond a crystal, 2 tens of them, 3 a second or more."""
    columns: tuple[str, ...]
    """Column names; the unit is in the name where there is one."""
    compute: Callable[[Geometry], FloatArray]
    """Values of the columns, shape (len(columns),), NaN where a value does not apply.

    Raises an :class:`~hstore.errors.InputError` where the whole group cannot be computed."""
    summary: str
    """What it describes, in one line for the menu."""
    source: str
    """DOI or where the definition comes from."""
    matminer: str = ""
    """The matminer featurizer with the same values, as ``module:Class(parameters)``; empty for our own."""
    tolerance: float = 1e-6
    """Largest relative difference from the matminer values."""
    seconds: float = 30.0
    """Time limit for one crystal, seconds."""
    parameters: tuple[tuple[str, float | str], ...] = ()
    """Name and value of each parameter the columns do not tell."""
    compute_amounts: Callable[[Sequence[dict[str, float]]], FloatArray] | None = None
    """The same values from compositions alone, shape (compositions, columns); None where a structure is needed.

    Such values take microseconds: they are computed for many materials at once, and not kept in the cache."""
    sites: Callable[[Geometry], dict[str, FloatArray]] | None = None
    """Name -> values of every site, shape (sites,), NaN where a site has none; None where there are none at all.

    Raises what ``compute`` raises."""
    details: Callable[[Geometry], dict[str, Any]] | None = None
    """What else there is to tell, such as which sites make a feature, as plain data; None where there is nothing.

    Raises what ``compute`` raises."""
    packages: tuple[str, ...] = ()
    """Distributions whose version the values depend on, besides hstore."""
    extra: str = ""
    """Optional extra that must be installed, such as ``soap``."""
    preload: tuple[str, ...] = ()
    """Modules that take long to import and that ``compute`` imports: loaded once, before the workers start."""
    version: int = 1
    """Raised whenever the values change."""
