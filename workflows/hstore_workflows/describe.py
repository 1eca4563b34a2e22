"""Descriptors of materials: structure features through worker processes and cache, rows that fail with causes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore.formula import parse_amounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from hstore.arrays import FloatArray
    from hstore.records import Material
    from hstore_models.features.structure.compute import Describer
    from hstore_models.features.structure.featurizer import StructureFeaturizer

BATCH_MATERIALS = 1000
"""Materials described at once; bounds memory, and makes parts of the cache worth reading."""

_NEEDS_STRUCTURE = "needs a structure, and only a formula is known; give a structure file"


@dataclass(frozen=True)
class DescribedMaterials:
    """Some materials with their descriptors."""

    materials: tuple[Material, ...]
    """The materials, in the order given."""
    columns: tuple[str, ...]
    """Names, ``group.column``."""
    values: FloatArray
    """Shape (materials, columns); NaN where a value does not apply or could not be computed."""
    failures: tuple[dict[str, str], ...]
    """For each material: group -> why it has no values."""
    computed: int
    """Group results computed now."""
    cached: int
    """Group results found in the cache."""

    def record(self, row: int) -> dict[str, Any]:
        """Return one material as plain data; values that do not apply are None."""
        material = self.materials[row]
        return {
            "material_id": material.material_id,
            "formula": material.formula,
            "features": dict(zip(self.columns, _plain(self.values[row]), strict=True)),
            "failures": self.failures[row],
        }

    def beside(self, row: int, featurizers: Iterable[StructureFeaturizer]) -> dict[str, dict[str, Any]]:
        """Return what groups tell of one material beside their columns.

        Returns:
            ``sites``: group -> name -> values in the order of the sites; ``details``: group -> plain data, such as
            which sites make a feature. Groups that tell nothing, and those that could not be computed, are left
            out, as is what no group tells.
        """
        structure = self.materials[row].structure
        asked = [f for f in featurizers if (f.sites or f.details) and f.name not in self.failures[row]]
        if structure is None or not asked:
            return {}
        from hstore_models.features.structure.geometry import Geometry

        geometry = Geometry(Crystal.from_dict(structure))
        found: dict[str, dict[str, Any]] = {
            "sites": {f.name: {k: _plain(v) for k, v in f.sites(geometry).items()} for f in asked if f.sites},
            "details": {f.name: f.details(geometry) for f in asked if f.details},
        }
        return {name: told for name, told in found.items() if told}


def _plain(values: FloatArray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def in_batches(items: Iterable[Any], size: int = BATCH_MATERIALS) -> Iterator[list[Any]]:
    """Cut a stream into lists of at most ``size``."""
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch


def describe(
    materials: Sequence[Material], describer: Describer, *, progress: Callable[[int], None] | None = None
) -> DescribedMaterials:
    """Compute the describer's groups for some materials.

    A material without a structure gets the groups that need only its composition; for the others, as for
    anything that cannot be computed, the failure says why.

    Args:
        materials: some hundred to some thousand.
        describer: the open :class:`~hstore_models.features.structure.compute.Describer`.
        progress: called with the number of crystals done since the last call.
    """
    rows, crystals, failures = [], [], [dict[str, str]() for _ in materials]
    for row, material in enumerate(materials):
        if material.structure is None:
            continue
        try:
            crystals.append(Crystal.from_dict(material.structure))
            rows.append(row)
        except InputError as error:
            failures[row] = {f.name: str(error) for f in describer.featurizers if not f.compute_amounts}
    found = describer.describe(crystals, progress=progress)
    values = np.full((len(materials), len(found.columns)), np.nan)
    values[rows] = found.values
    for failure in found.failures:
        failures[rows[failure.row]][failure.featurizer] = failure.cause
    _without_structure(materials, sorted(set(range(len(materials))) - set(rows)), describer, values, failures)
    return DescribedMaterials(
        tuple(materials), found.columns, values, tuple(failures), found.computed, found.cached
    )


def _without_structure(
    materials: Sequence[Material],
    rows: list[int],
    describer: Describer,
    values: FloatArray,
    failures: list[dict[str, str]],
) -> None:
    """Fill in what follows from the composition, and say what does not."""
    start = 0
    for featurizer in describer.featurizers:
        stop = start + len(featurizer.columns)
        if rows and featurizer.compute_amounts is not None:
            amounts = [parse_amounts(materials[row].formula) for row in rows]
            values[rows, start:stop] = featurizer.compute_amounts(amounts)
        else:
            for row in rows:
                failures[row].setdefault(featurizer.name, _NEEDS_STRUCTURE)
        start = stop


class DescriptorFile:
    """A CSV or Parquet file of descriptors, written batch by batch, complete or not at all.

    Columns: ``material_id``, ``formula``, the descriptors, ``failures`` (``group: cause``, joined by ``; ``).
    """

    def __init__(self, path: Path) -> None:
        """Take the place to write to.

        Raises:
            InputError: nothing can be written there (see :func:`~hstore_workflows.tables.check_destination`).
        """
        from hstore_workflows.tables import check_destination

        check_destination(path)
        self._path = path
        self._scratch = path.with_name(f".{path.name}.part")
        self._writer: Any = None

    def __enter__(self) -> Self:
        """Return the file, which appears under its name at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the file its name, or leave nothing after an error."""
        if self._writer is not None:
            self._writer.close()
        if kind is None and self._writer is not None:
            self._scratch.replace(self._path)
        with suppress(FileNotFoundError):
            self._scratch.unlink()

    def add(self, described: DescribedMaterials) -> None:
        """Append some materials."""
        import pyarrow as pa
        from pyarrow.csv import CSVWriter
        from pyarrow.parquet import ParquetWriter

        columns = {
            "material_id": pa.array([m.material_id for m in described.materials], pa.string()),
            "formula": pa.array([m.formula for m in described.materials], pa.string()),
            **{
                name: pa.array(column, from_pandas=True)
                for name, column in zip(described.columns, described.values.T, strict=True)
            },
            "failures": pa.array(
                ["; ".join(f"{group}: {why}" for group, why in f.items()) for f in described.failures], pa.string()
            ),
        }
        table = pa.table(columns)
        if self._writer is None:
            kind = ParquetWriter if self._path.suffix == ".parquet" else CSVWriter
            self._writer = kind(self._scratch, table.schema)
        self._writer.write_table(table)
