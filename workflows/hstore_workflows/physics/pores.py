"""Pore geometry of many frameworks in processes that Zeo++ may end; each that fails is a record with its cause."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore.records import Material
from hstore.workers import Crew, Limits
from hstore_models.physics.pores import DISPLACEMENTS_ANGSTROM, PoreGeometry, pore_geometry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from hstore_workflows.sources.intake import Rejected

_LIMITS = Limits(seconds=120.0, memory_mib=3072)
_ORDERED = "ordered by rule"
"""What a reader of files notes of a structure whose disorder it resolved."""
_PRELOAD = ("numpy", "hstore_models.physics.pores")


@dataclass(frozen=True)
class Pores:
    """Pores of one framework, or why they are not known."""

    name: str
    """Identifier of the material, or where it was to be read from."""
    formula: str
    """Formula; empty where nothing was read."""
    geometry: PoreGeometry | None
    """The geometry; None where it could not be had."""
    cause: str = ""
    """Why not; empty when it is there."""
    attempts: int = 0
    """Attempts that were made, each with a larger displacement of the atoms."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        told = self.geometry.as_json() if self.geometry else {}
        return {"name": self.name, "formula": self.formula, "cause": self.cause, "attempts": self.attempts} | told


def pores_of(
    materials: Iterable[Material | Rejected],
    *,
    workers: int | None = None,
    compute: Callable[..., PoreGeometry] = pore_geometry,
) -> list[Pores]:
    """Compute the pores of materials, in their order.

    Args:
        materials: as a source reads them; what was rejected stays a record with its cause.
        workers: processes; None takes one for each core.
        compute: what is run in the processes, with ``displaced_angstrom`` for each attempt.

    Raises:
        HstoreError: a worker cannot start.
        MissingExtraError: pyzeo is not installed.
    """
    require("pyzeo")
    known, found = _readable(materials)
    waiting = [place for place, record in enumerate(found) if record is None]
    attempts = dict.fromkeys(waiting, 0)
    for displaced in DISPLACEMENTS_ANGSTROM:
        if not waiting:
            break
        task = partial(compute, displaced_angstrom=displaced)
        with Crew(task, workers=workers, limits=_LIMITS, piece=1, preload=_PRELOAD) as crew:
            outcomes = list(crew.map(known[place][1] for place in waiting))
        for place, outcome in zip(waiting, outcomes, strict=True):
            attempts[place] += 1
            material, crystal = known[place]
            found[place] = Pores(
                material.material_id, crystal.formula, outcome.value, outcome.cause, attempts[place]
            )
        waiting = [place for place in waiting if (one := found[place]) is not None and one.geometry is None]
    return [record for record in found if record is not None]


def _readable(
    materials: Iterable[Material | Rejected],
) -> tuple[dict[int, tuple[Material, Crystal]], list[Pores | None]]:
    """Return crystals by place, and for every place a record of failure or None."""
    known: dict[int, tuple[Material, Crystal]] = {}
    found: list[Pores | None] = []
    for place, one in enumerate(materials):
        if not isinstance(one, Material):
            found.append(Pores(one.reference, "", None, one.cause))
            continue
        try:
            known[place] = (one, crystal_of(one))
            found.append(None)
        except InputError as error:
            found.append(Pores(one.material_id, one.formula, None, str(error)))
    return known, found


def crystal_of(material: Material) -> Crystal:
    """Return the crystal of a material.

    Raises:
        InputError: it has none, or one that was disordered in its file.
    """
    if material.structure is None:
        raise InputError(
            f"{material.formula} has no structure, and pores and uptakes need one: give a CIF or the like"
        )
    if material.provenance is not None and _ORDERED in (material.provenance.note or ""):
        raise InputError(
            f"{material.formula} is disordered; a rule that fills its sites makes no linker whole, so pores and "
            "uptakes would be of another material: give an ordered structure"
        )
    return Crystal.from_dict(material.structure)


def text_of(pores: Sequence[Pores]) -> Iterator[str]:
    """Yield pores in words."""
    for one in pores:
        yield f"{one.name}  {one.formula}"
        if one.geometry is None:
            yield f"  {one.cause}"
            continue
        g = one.geometry
        yield f"  largest cavity {g.lcd_A:.2f} A, largest window {g.pld_A:.2f} A"
        yield f"  surface {g.gsa_m2_g:,.0f} m2/g, {g.vsa_m2_cm3:,.0f} m2/cm3"
        yield f"  void fraction {g.void_fraction:.3f}, pore volume {g.pore_volume_cm3_g:.3f} cm3/g"
        yield f"  density {g.density_g_cm3:.3f} g/cm3"
        if g.displaced_angstrom:
            yield f"  atoms displaced by up to {g.displaced_angstrom:g} A, for Zeo++ failed on the cell as given"


def write_pores(pores: Iterable[Pores], path: Path) -> None:
    """Write the pores that are known as a table that ``hstore predict`` and ``hstore physics next`` read.

    Args:
        pores: any number; those without geometry are left out.
        path: .csv or .parquet.
    """
    import pandas as pd

    columns = ["name", "formula", *PoreGeometry.__dataclass_fields__]
    table = pd.DataFrame([one.as_json() for one in pores if one.geometry is not None], columns=columns)
    if path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    else:
        table.to_csv(path, index=False)


def require(package: str) -> None:
    """Say at once that an optional package is absent, before processes start.

    Raises:
        MissingExtraError: it is.
    """
    from importlib.util import find_spec

    from hstore.errors import MissingExtraError

    if find_spec(package) is None:
        raise MissingExtraError(
            f"pores and uptakes need {package}, which is not installed; run: pip install 'hstore[gcmc]'"
        )
