"""Computation-ready metal-organic frameworks: the CoRE MOF databases as the package ``core-mof`` carries them.

Structures come from one pass over the archive of a data set, descriptors from its table. Areas, void fraction and
pore volume there are geometric (Zeo++). The hydrogen capacity table (``mof_h2_usable``) has the same densities,
diameters and pore volumes, but smaller areas (by 153 m2/g in the median) and void fractions (by 0.09); usable
capacities predicted from the descriptors here come out 0.07 wt% higher on average.
"""

from __future__ import annotations

import csv
import io
import math
import re
import tarfile
from collections import deque
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from typing import TYPE_CHECKING

from hstore.errors import InputError, MissingExtraError, unknown_name
from hstore.records import Family, Material, Provenance
from hstore.workers import Crew, Limits
from hstore_workflows.sources.files.found import Found
from hstore_workflows.sources.files.place import Document
from hstore_workflows.sources.files.reading import PRELOAD, Piece, read_piece
from hstore_workflows.sources.intake import Rejected

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from importlib.resources.abc import Traversable

    import pandas as pd

    from hstore.workers import Outcome
    from hstore_workflows.sources.files.reading import Answer

LICENCE = "CC-BY-4.0"
LINK_COLUMN = "core_mof_2019_asr"
"""Column of other tables that names entries of 2019-ASR."""


@dataclass(frozen=True)
class Dataset:
    """One of the data sets in the package."""

    name: str
    """Name in the package."""
    doi: str
    """Publication."""
    about: str
    """What was done to the structures."""


DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset("2019-ASR", "10.1021/acs.jced.9b00835", "all solvent removed"),
        Dataset("2019-FSR", "10.1021/acs.jced.9b00835", "free solvent removed, bound solvent kept"),
        Dataset("2014", "10.1021/cm502594j", "solvent removed"),
    )
}
"""Data sets by name; the publication is the one to cite."""

DESCRIPTOR_COLUMNS = {
    "cm3_g": "density_g_cm3",  # named for its inverse upstream; it is the mass of the cell over its volume
    "ASA_m2_g": "gsa_m2_g",
    "ASA_m2_cm3": "vsa_m2_cm3",
    "AV_VF": "void_fraction",
    "AV_cm3_g": "pore_volume_cm3_g",
    "LCD": "lcd_A",
    "PLD": "pld_A",
}
"""Columns of the tables of 2019 (accessible to the probe) and our names; the table of 2014 holds names only."""

_P1 = re.compile(r"space group P ?1 \(1\)")
"""What all files say, for the package holds whole cells."""
_MOST_SITES = 20_000
_READ_LIMITS = Limits(seconds=20.0, memory_mib=2048)


def read_core_mof(
    dataset: str = "2019-ASR",
    *,
    entries: Collection[str] | None = None,
    limit: int | None = None,
    workers: int | None = None,
) -> Iterator[Material | Rejected]:
    """Read structures with their descriptors, in the order of the archive.

    Args:
        dataset: name in :data:`DATASETS`.
        entries: only these; one that is not in the data set comes out rejected, at the end.
        limit: at most so many of those in the data set.
        workers: reading processes; None takes one for each core.

    Raises:
        UnknownNameError: there is no such data set.
        MissingExtraError: the package is not installed.
    """
    table = _table(_known(dataset))
    return _read(_known(dataset), table, _wanted(table, entries, limit), workers)


def count_core_mof(
    dataset: str = "2019-ASR", *, entries: Collection[str] | None = None, limit: int | None = None
) -> int:
    """Return how many items :func:`read_core_mof` yields, without reading structures."""
    wanted = _wanted(_table(_known(dataset)), entries, limit)
    return wanted.count + len(wanted.unknown)


def material_id(dataset: str, entry: str) -> str:
    """Return the identifier of an entry, such as ``core-mof:2019-ASR:UNIGEE_clean``."""
    return f"core-mof:{dataset}:{entry}"


def structures_of(table: pd.DataFrame) -> pd.Series[str]:
    """Return which materials the rows of a table are of, by its column :data:`LINK_COLUMN`.

    The store finds the structures by these identifiers, also of frameworks that were merged into others.

    Args:
        table: such as ``mof_h2_usable``.

    Returns:
        Identifier of a material by the index of the row; rows that name none are left out.

    Raises:
        InputError: there is no such column.
    """
    if LINK_COLUMN not in table:
        raise InputError(f"the table has no column {LINK_COLUMN!r} that names entries of CoRE MOF 2019-ASR")
    named = table[LINK_COLUMN].dropna().astype(str).str.strip()
    return named[named != ""].map(lambda entry: material_id("2019-ASR", entry)).rename("material_id")


@dataclass(frozen=True)
class _Wanted:
    names: frozenset[str] | None
    """Entries to read; None reads all."""
    count: int
    """Entries that will be read."""
    unknown: tuple[str, ...]
    """Entries asked for that are not in the data set."""


def _wanted(table: dict[str, dict[str, str]], entries: Collection[str] | None, limit: int | None) -> _Wanted:
    if entries is None:
        return _Wanted(None, min(len(table), limit or len(table)), ())
    names = frozenset(entries) & table.keys()
    unknown = tuple(sorted(set(entries) - names))
    return _Wanted(names, min(len(names), limit or len(names)), unknown)


def _known(name: str) -> Dataset:
    if name not in DATASETS:
        raise unknown_name("CoRE MOF data set", name, DATASETS)
    return DATASETS[name]


def _file(name: str) -> Traversable:
    if find_spec("CoRE_MOF") is None:
        raise MissingExtraError(
            "the CoRE MOF databases need the package core-mof, which is not installed; "
            "run: pip install 'hstore[core-mof]'"
        )
    return resources.files("CoRE_MOF") / "data" / name


def _table(dataset: Dataset) -> dict[str, dict[str, str]]:
    """Return the rows of a data set's table by entry."""
    text = _file(f"{dataset.name}.csv").read_text(encoding="utf-8")
    return {row["filename"]: row for row in csv.DictReader(io.StringIO(text, newline=""))}


def _read(
    dataset: Dataset, table: dict[str, dict[str, str]], wanted: _Wanted, workers: int | None
) -> Iterator[Material | Rejected]:
    waiting: deque[str] = deque()

    def pieces() -> Iterator[Piece]:
        for entry, content in _documents(dataset, wanted):
            waiting.append(entry)
            yield Piece(Document(f"{entry}.cif", None, content), _MOST_SITES)

    with Crew(read_piece, workers=workers, limits=_READ_LIMITS, preload=PRELOAD) as crew:
        for outcome in crew.map(pieces()):
            entry = waiting.popleft()
            yield _item(dataset, entry, table.get(entry, {}), outcome)
    for entry in wanted.unknown:
        cause = f"{dataset.name} has no such entry; names are case-sensitive and end like UNIGEE_clean"
        yield Rejected(material_id(dataset.name, entry), cause)


def _documents(dataset: Dataset, wanted: _Wanted) -> Iterator[tuple[str, bytes]]:
    """Yield entry and CIF, unpacking the archive once and no further than needed."""
    left = wanted.count
    with _file(f"{dataset.name}.tar.xz").open("rb") as file, tarfile.open(fileobj=file, mode="r|xz") as archive:
        for member in archive:
            if not left:
                return
            entry = member.name.rpartition("/")[2].removesuffix(".cif")
            is_entry = member.isfile() and member.name.endswith(".cif") and not entry.startswith(".")
            if is_entry and (wanted.names is None or entry in wanted.names):
                content = archive.extractfile(member)
                assert content is not None
                left -= 1
                yield entry, content.read()


def _item(dataset: Dataset, entry: str, row: dict[str, str], outcome: Outcome[Answer]) -> Material | Rejected:
    name = material_id(dataset.name, entry)
    if outcome.value is None:
        return Rejected(name, outcome.cause)
    found = outcome.value.entries[0][1]
    if not isinstance(found, Found) or found.crystal is None:
        return Rejected(name, found.cause if not isinstance(found, Found) else "it holds no structure")
    marks = (
        f"entry {entry} of {dataset.name} ({dataset.about})",
        f"structure from {row['DOI_public'].strip()}" if (row.get("DOI_public") or "").strip() else "",
        "CoRE MOF marks it as disordered" if "DISORDER" in (row.get("DISORDER"), row.get("State")) else "",
        *(note for note in found.notes if not _P1.match(note)),
    )
    return Material(
        material_id=name,
        formula=found.formula,
        name=entry,
        family=Family.SORBENT,
        structure=found.crystal.to_dict(),
        descriptors=_descriptors(row),
        known=True,
        reason=f"synthesised framework, computation-ready structure with {dataset.about}",
        provenance=Provenance(
            source=f"CoRE MOF {dataset.name}",
            reference=dataset.doi,
            licence=LICENCE,
            note="; ".join(mark for mark in marks if mark),
        ),
    )


def _descriptors(row: dict[str, str]) -> dict[str, float]:
    """Return the descriptors of a row of the table; what is no number is left out."""
    found = {}
    for column, name in DESCRIPTOR_COLUMNS.items():
        try:
            value = float(row.get(column) or math.nan)
        except ValueError:
            continue
        if math.isfinite(value):
            found[name] = value
    return found
