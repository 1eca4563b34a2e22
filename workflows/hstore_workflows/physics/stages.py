"""Physics as stages of a funnel (``hstore batch``): functions that answer for one candidate, with a score.

A stage runs in a worker of the batch, which bounds time and memory and turns what fails into a rejected candidate.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hstore.crystal import Crystal
from hstore.errors import HstoreError, InputError
from hstore_models.physics.adsorption import look_into, uptake_from, usable_between
from hstore_models.physics.force_field import ForceField
from hstore_models.physics.monte_carlo import Effort, simulate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hstore_models.physics.adsorption import Uptake

_NAMED_BY = ("structure", "name", "material_id")
_ENDINGS = ("", ".cif", ".vasp", ".json")
_SCORES = ("usable_capacity_g_per_l", "usable_capacity_wt_pct")


def usable_capacity(
    candidate: Mapping[str, Any],
    *,
    folder: str,
    charged: Sequence[float] = (100.0, 77.0),
    discharged: Sequence[float] = (5.0, 77.0),
    score: str = "usable_capacity_g_per_l",
    quantum: bool = True,
    framework: str = "uff",
    hydrogen: str = "buch",
    cutoff_angstrom: float = 12.8,
    error: float = 0.03,
    most_cycles: int = 20_000,
    seed: int = 0,
) -> dict[str, Any]:
    """Simulate what a framework delivers between two states.

    Args:
        candidate: names its structure: a file in ``folder`` called as its ``structure``, ``name`` or
            ``material_id`` says, with the ending ``.cif``, ``.vasp``, ``.json`` or none.
        folder: where the structures are, on every machine that works.
        charged: pressure, bar, and temperature, K.
        discharged: pressure, bar, and temperature, K.
        score: what is ranked by: ``usable_capacity_g_per_l`` or ``usable_capacity_wt_pct`` (of framework and
            hydrogen).
        quantum: whether pairs have the Feynman-Hibbs correction.
        framework: parameters of framework atoms.
        hydrogen: model of hydrogen.
        cutoff_angstrom: cut-off of pairs, angstrom.
        error: share of an uptake that its 95 % error may be.
        most_cycles: Monte Carlo cycles of a state.
        seed: seed of the random numbers.

    Returns:
        Usable capacities with their error, the uptakes of both states, the heat of the first molecules, ``score``.

    Raises:
        InputError: there is no such structure, it is disordered, or a setting is not allowed.
        HstoreError: a state did not converge.
        MissingExtraError: raspalib is not installed.
    """
    if score not in _SCORES:
        raise InputError(f"score is {' or '.join(_SCORES)}, got {score!r}")
    crystal = _crystal(candidate, Path(folder))
    field = ForceField(framework, hydrogen, quantum=quantum, cutoff_angstrom=cutoff_angstrom)
    effort = Effort(error, most_cycles=most_cycles, seed=seed)
    full, empty = (_uptake(crystal, state, field, effort) for state in (charged, discharged))
    usable = usable_between(full, empty)
    found: dict[str, Any] = {
        "usable_capacity_g_per_l": usable.g_per_l,
        "usable_capacity_wt_pct": usable.wt_pct,
        "error_95_g_per_l": usable.error_95_g_per_l,
        "charged_total_g_per_l": full.total_g_per_l,
        "discharged_total_g_per_l": empty.total_g_per_l,
        "cycles": full.cycles + empty.cycles,
    }
    return found | {"score": found[score]}


def _uptake(crystal: Crystal, state: Sequence[float], field: ForceField, effort: Effort) -> Uptake:
    try:
        pressure, temperature = (float(part) for part in state)
    except (TypeError, ValueError) as error:
        raise InputError(f"a state is [pressure in bar, temperature in K], got {state!r}") from error
    void = look_into(crystal, temperature, field)
    loading = simulate(
        crystal,
        pressure_bar=pressure,
        temperature_k=temperature,
        force_field=field,
        effort=effort,
        blocked=void.blocked,
    )
    if not loading.converged:
        raise HstoreError(f"{pressure:g} bar, {temperature:g} K: {loading.cause}")
    return uptake_from(loading, crystal, void, pressure_bar=pressure, temperature_k=temperature)


def _crystal(candidate: Mapping[str, Any], folder: Path) -> Crystal:
    names = [str(candidate[key]) for key in _NAMED_BY if candidate.get(key)]
    for path in (folder / f"{name}{ending}" for name in names for ending in _ENDINGS):
        if path.is_file():
            return _read(path)
    raise InputError(
        f"{folder} has no structure of {' or '.join(names) or 'a candidate without a name'}; a stage looks for a "
        f"file named by the column {', '.join(_NAMED_BY[:-1])} or {_NAMED_BY[-1]}, with the ending "
        f"{', '.join(_ENDINGS[1:])} or none"
    )


def _read(path: Path) -> Crystal:
    import warnings

    from pymatgen.core import Structure

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about how the file is written
        return Crystal.from_pymatgen(Structure.from_file(str(path)))
