"""Relax the structures of files: what cannot be read or relaxed is told with its cause."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore.records import Material
from hstore.settings import load_settings
from hstore_workflows.physics.relaxation import relax_many
from hstore_workflows.physics.row import Row
from hstore_workflows.sources.files.source import read_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from hstore_models.physics.relaxing import Relaxed, RelaxSettings

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def crystals_of_files(paths: Sequence[Path]) -> list[tuple[str, Crystal | str]]:
    """Read structures: reference -> crystal, or why there is none."""
    found: list[tuple[str, Crystal | str]] = []
    for item in read_files(paths, workers=1):
        if not isinstance(item, Material):
            found.append((item.reference, item.cause))
        elif item.structure is None:
            found.append((item.material_id, "only a formula is known; give a structure file such as a CIF"))
        else:
            reference = item.provenance.reference or item.material_id
            try:
                found.append((reference, Crystal.from_dict(item.structure)))
            except InputError as error:  # disorder, most of all
                found.append((reference, str(error)))
    return found


def relax_files(
    paths: Sequence[Path],
    potential: str,
    *,
    settings: RelaxSettings,
    workers: int = 1,
    weights: Path | None = None,
    sha256: str | None = None,
) -> Iterator[Row[Relaxed]]:
    """Relax every structure of some files, in their order."""
    read = crystals_of_files(paths)
    results = relax_many(
        [crystal for _, crystal in read if isinstance(crystal, Crystal)],
        potential,
        home=load_settings(),
        settings=settings,
        workers=workers,
        weights=weights,
        sha256=sha256,
    )
    for reference, crystal in read:
        yield Row(reference, None, crystal) if isinstance(crystal, str) else Row(reference, next(results))


def write_cif(found: Relaxed, folder: Path, reference: str) -> Path:
    """Write a relaxed structure as a CIF without symmetry, named after its reference."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = _UNSAFE.sub("_", reference.rpartition("/")[2]) or "structure"
    path = folder / f"{stem.removesuffix('.cif')}.relaxed.cif"
    path.write_text(found.crystal.to_pymatgen().to(fmt="cif"), encoding="utf-8")
    return path
