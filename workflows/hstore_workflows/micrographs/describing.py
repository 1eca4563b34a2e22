"""Descriptors of many images in worker processes, and their relation to a property from a table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError
from hstore.workers import Limits, run
from hstore_models.compiled import PRELOAD
from hstore_models.images.descriptors import COLUMNS, ImageSettings, describe_image
from hstore_models.images.relation import Relation, relate
from hstore_workflows.micrographs.reading import read_image

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_LIMITS = Limits(seconds=600.0, memory_mib=6144, items_per_worker=1000)
_NOT_COMPARED = frozenset({"axes", "dark_count", "bright_count"})
"""Descriptors that depend on the size of the image, and are kept out of relations."""


@dataclass(frozen=True)
class DescribedImage:
    """One image with its descriptors, or why it has none."""

    path: Path
    """The file."""
    descriptors: dict[str, float] | None
    """Name -> value, NaN where it does not apply; None where the image could not be described."""
    cause: str = ""
    """Why not; empty where it was described."""

    def record(self) -> dict[str, Any]:
        """Return it as plain data; values that do not apply are None."""
        values: dict[str, float | None] | None = None
        if self.descriptors is not None:
            values = {name: None if np.isnan(value) else value for name, value in self.descriptors.items()}
        return {"image": str(self.path), "descriptors": values, "cause": self.cause}


def describe_images(
    paths: Sequence[Path], settings: ImageSettings, *, cut_bottom: int = 0, workers: int | None = None
) -> Iterator[DescribedImage]:
    """Describe images, each in a worker process; one that fails is told with its cause.

    Args:
        paths: of the files.
        settings: how to read them, the same for all.
        cut_bottom: rows to leave out below in each.
        workers: processes; one for each core when None.
    """
    outcomes = run(
        partial(_describe_one, settings=settings, cut_bottom=cut_bottom),
        paths,
        workers=workers,
        limits=_LIMITS,
        piece=1,
        preload=(*PRELOAD, "scipy.ndimage"),
    )
    for path, outcome in zip(paths, outcomes, strict=True):
        yield DescribedImage(path, outcome.value, outcome.cause)


def _describe_one(path: Path, *, settings: ImageSettings, cut_bottom: int) -> dict[str, float]:
    return describe_image(read_image(path, cut_bottom=cut_bottom), settings)


@dataclass(frozen=True)
class PropertyRelation:
    """What a property has to do with images."""

    target: str
    """Column of the table."""
    relation: Relation
    """Over the specimens that have both."""
    specimens: tuple[str, ...]
    """Their names, in the order of ``relation.predicted``."""
    measured: tuple[float, ...]
    """Their property."""
    notes: tuple[str, ...]
    """What was left out."""

    def record(self) -> dict[str, Any]:
        """Return it as plain data."""
        found = self.relation
        rows = zip(self.specimens, self.measured, found.predicted.tolist(), strict=True)
        return {
            "target": self.target,
            "words": found.words,
            "specimens": [{"specimen": name, "measured": y, "predicted": p} for name, y, p in rows],
            "descriptors": list(found.descriptors),
            "q2": found.q2,
            "q2_interval_90": [found.q2_low, found.q2_high],
            "mae": found.mae,
            "mae_mean_predictor": found.mae_mean,
            "p_value": found.p_value,
            "q2_of_chance_95": found.q2_of_chance,
            "strongest_rank_correlations": dict(found.strongest),
            "notes": list(self.notes),
        }


def relate_property(
    described: Iterable[DescribedImage], table: Path, target: str, *, seed: int = 0
) -> PropertyRelation:
    """Look for a relation between images and a property.

    Args:
        described: images with their descriptors.
        table: CSV or Parquet with a column ``image`` (names of the files, with or without ending), the property,
            and maybe ``specimen``: images of one specimen are averaged, for they are not independent.
        target: column of the property.
        seed: of the permutation test.

    Raises:
        InputError: columns are missing, a specimen has several values, or there are too few specimens.
    """
    from hstore_workflows.tables import read_table

    frame = read_table(table)
    missing = [name for name in ("image", target) if name not in frame.columns]
    if missing:
        raise InputError(f"{table.name} lacks {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}")
    known = {}
    for one in described:
        if one.descriptors is not None:
            values = np.array([one.descriptors[name] for name in COLUMNS])
            known.update({one.path.name: values, one.path.stem: values})
    notes: list[str] = []
    groups: dict[str, list[Any]] = {}
    for place, row in enumerate(frame.to_dict("records"), start=1):
        name = str(row["image"]).strip()
        value = _number(row[target])
        if value is None or name not in known:
            why = f"{target} {row[target]!r} is no number" if value is None else "no such image was described"
            notes.append(f"row {place}, {name}: {why}")
            continue
        groups.setdefault(str(row.get("specimen") or name), []).append((known[name], value))
    for name, held in groups.items():
        if len({value for _, value in held}) > 1:
            raise InputError(f"specimen {name!r} has several values of {target}; give one for all its images")
    columns = [place for place, name in enumerate(COLUMNS) if name not in _NOT_COMPARED]
    empty = np.empty((0, len(COLUMNS)))
    values = np.array([np.mean([v for v, _ in held], axis=0) for held in groups.values()]) if groups else empty
    measured = [held[0][1] for held in groups.values()]
    names = tuple(COLUMNS[place] for place in columns)
    relation = relate(values[:, columns], names, np.array(measured), seed=seed)
    return PropertyRelation(target, relation, tuple(groups), tuple(measured), tuple(notes))


def _number(cell: Any) -> float | None:
    try:
        value = float(cell)
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) else None
