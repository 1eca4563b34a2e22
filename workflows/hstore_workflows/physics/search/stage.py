"""Searches in batches (``hstore batch``): a whole search for each candidate, or one try of a search for each.

A batch gives each candidate a time and a memory limit, and turns what fails into a rejected candidate.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hstore.errors import HstoreError, InputError
from hstore.settings import load_settings
from hstore_models.physics.potential import load_potential
from hstore_workflows.physics.search.report import report
from hstore_workflows.physics.search.search import counts_within, random_tasks, search
from hstore_workflows.physics.search.settings import SearchSettings
from hstore_workflows.physics.search.tries import do

if TYPE_CHECKING:
    from collections.abc import Mapping


def structure_search(
    candidate: Mapping[str, Any], *, folder: str | None = None, units: str = "1,2,4", **settings: Any
) -> dict[str, Any]:
    """Search for the structure of a candidate, as a stage of a funnel.

    Args:
        candidate: its ``formula`` has whole numbers of atoms.
        folder: where records and structures are kept, on every machine that works; a search that was stopped goes
            on there. None keeps none.
        units: formula units in the primitive cell, separated by commas.
        **settings: of :class:`~hstore_workflows.physics.search.settings.SearchSettings`, such as ``tries``.

    Returns:
        Energies and space group of the lowest structure; ``score`` is minus its energy above the other phases of
        its elements, eV/atom, or minus its energy where these have none.

    Raises:
        InputError: the formula or a setting cannot be used.
        HstoreError: nothing was found.
        MissingExtraError: PyXtal or the potential is not installed.
    """
    asked = _settings(units, settings)
    formula = str(candidate["formula"])
    place = None if folder is None else Path(folder) / formula
    found = search(formula, asked, folder=None if place is None else place / "tries")
    told = report(found, asked, home=load_settings(), folder=place, workers=0)
    if not found.structures:
        raise HstoreError(f"{len(found.tries)} tries of {formula} found no structure: {found.failures}")
    lowest = told["structures"][0]
    above = lowest["energy_above_other_phases_ev_per_atom"]
    kept = ("energy_ev_per_atom", "space_group", "atoms", "nearest_type", "known_type")
    return {
        **{name: lowest[name] for name in kept},
        "tries": told["tries"],
        "found_times": len(lowest["found_by"]),
        "search_core_hours": told["core_hours"],
        "score": -(lowest["energy_ev_per_atom"] if above is None else above),
    }


def random_try(
    candidate: Mapping[str, Any], *, folder: str, units: str = "1,2,4", **settings: Any
) -> dict[str, Any]:
    """Do one random try of a search, so that the tries of one composition run on many machines.

    ``hstore physics search`` with the same settings and ``--out FOLDER`` then finds the records and goes on.

    Args:
        candidate: its ``formula``, and ``try``, the number of the try from 0.
        folder: of the search, shared by all machines.
        units: formula units in the primitive cell, as in the search.
        **settings: as for :func:`structure_search`.

    Returns:
        Energy of the loosely relaxed structure, eV/atom; ``score`` is minus that.

    Raises:
        InputError: the candidate has no number, or a setting cannot be used.
        HstoreError: the try ended without a structure.
        MissingExtraError: PyXtal or the potential is not installed.
    """
    formula = str(candidate["formula"])
    try:
        number = int(candidate["try"])
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"{formula} needs a column try with the number of its try from 0") from error
    asked = _settings(units, {**settings, "tries": number + 1})
    task = random_tasks(counts_within(formula, asked), asked)[number]
    found = do(
        task,
        name=asked.potential,
        key=load_potential(asked.potential, weights=asked.weights, sha256=asked.sha256).key,
        folder=Path(folder) / formula / "tries",
        weights=asked.weights,
        sha256=asked.sha256,
    )
    if not found.usable:
        raise HstoreError(f"try {number} of {formula}: {found.cause}")
    energy = found.structure.energy_ev_per_atom
    return {"energy_ev_per_atom": energy, "atoms": len(found.structure.crystal), "score": -energy}


def _settings(units: str, settings: Mapping[str, Any]) -> SearchSettings:
    named = dict(settings)
    if named.get("weights"):
        named["weights"] = Path(named["weights"])
    try:
        return SearchSettings(units=tuple(int(part) for part in units.split(",")), **named)
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"a search cannot be set so ({error}); units are numbers such as 1,2,4, and "
            "docs/how-to/structure-search.md has the other settings"
        ) from error
