"""Uptake of hydrogen by many frameworks, simulated in processes; a state that fails is a record with its cause."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hstore.arrays import checked
from hstore.errors import InputError, unknown_name
from hstore.gas import h2_fugacity_bar
from hstore.records import Material
from hstore.workers import Crew, Limits
from hstore_models.physics.adsorption import (
    Uptake,
    Usable,
    Void,
    gas_g_per_l,
    look_into,
    uptake_from,
    usable_between,
)
from hstore_models.physics.force_field import ForceField, hydrogen_model
from hstore_models.physics.monte_carlo import Effort, Loading, simulate
from hstore_models.physics.raspa_system import SAMPLERS
from hstore_workflows.physics.pores import crystal_of, require

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hstore.crystal import Crystal
    from hstore_workflows.sources.intake import Rejected

CLASSICAL, QUANTUM = "classical", "feynman_hibbs"
"""Names of the two force fields whose results stand beside each other."""
_PRELOAD = ("numpy", "scipy.signal", "CoolProp.CoolProp", "hstore_models.physics.monte_carlo")
_MEMORY_MIB = 3072


@dataclass(frozen=True, order=True)
class GasState:
    """One state of the gas."""

    temperature_k: float
    """Temperature, K."""
    pressure_bar: float
    """Pressure, bar."""

    def __str__(self) -> str:
        """Return it as swings are written: 100@77 is 100 bar at 77 K."""
        return f"{self.pressure_bar:g}@{self.temperature_k:g}"


@dataclass(frozen=True)
class Question:
    """What is asked of every framework."""

    states: tuple[GasState, ...]
    """States whose uptakes are wanted."""
    swings: tuple[tuple[GasState, GasState], ...] = ()
    """Charged and discharged states whose difference is wanted; their uptakes are computed too."""
    force_field: ForceField = field(default_factory=ForceField)
    """Potentials without quantum correction."""
    effort: Effort = field(default_factory=Effort)
    """Error target and limits, or a given length of the runs."""
    models: tuple[str, ...] = (CLASSICAL, QUANTUM)
    """Without the quantum correction, with it, or both."""
    blocking: bool = True
    """Whether molecules are kept out of cavities that no channel leads to."""
    sampler: str = "raspa"
    """What does the Monte Carlo: ``raspa``, or ``compiled`` for a walk of our own that checks it."""
    seconds: float = 3600.0
    """Longest time for one state."""

    def __post_init__(self) -> None:
        """Refuse states that are none before anything is computed.

        Raises:
            InputError: there is no state, or one outside the range of the equation of state.
            UnknownNameError: there is no such sampler.
        """
        if self.sampler not in SAMPLERS:
            raise unknown_name("sampler of Monte Carlo", self.sampler, SAMPLERS)
        if not self.all_states:
            raise InputError("give at least one state, such as --temperature-k 77 --pressure-bar 1,100")
        for state in self.all_states:
            checked("pressure_bar", state.pressure_bar, above=0)
            h2_fugacity_bar(state.pressure_bar, state.temperature_k)

    @property
    def all_states(self) -> tuple[GasState, ...]:
        """States of the question and of its swings, each once, in order."""
        return tuple(sorted({*self.states, *(state for swing in self.swings for state in swing)}))

    @property
    def fields(self) -> dict[str, ForceField]:
        """Name -> force field of each model that is asked for."""
        known = {CLASSICAL: self.force_field}
        if hydrogen_model(self.force_field.hydrogen).corrected_at_k is None:
            known[QUANTUM] = replace(self.force_field, quantum=True)
        return {name: known[name] for name in self.models if name in known}


@dataclass(frozen=True)
class FrameworkUptakes:
    """What became of one framework."""

    name: str
    """Identifier of the material, or where it was to be read from."""
    formula: str
    """Formula; empty where nothing was read."""
    question: Question
    """What was asked."""
    voids: dict[tuple[str, float], Void] = field(default_factory=dict)
    """Model and temperature, K -> what a grid of energies says."""
    uptakes: dict[tuple[str, GasState], Uptake] = field(default_factory=dict)
    """Model and state -> uptakes."""
    causes: dict[tuple[str, GasState], str] = field(default_factory=dict)
    """Model and state -> why there is no uptake."""
    repeats: tuple[int, int, int] | None = None
    """Cells that were simulated."""
    cause: str = ""
    """Why there is nothing at all; empty when something is there."""

    def usable(self, model: str, swing: tuple[GasState, GasState]) -> Usable | None:
        """Return what a swing delivers, or None where a state of it is missing."""
        charged, discharged = (self.uptakes.get((model, state)) for state in swing)
        return None if charged is None or discharged is None else usable_between(charged, discharged)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        if self.cause:
            return {"name": self.name, "formula": self.formula, "cause": self.cause}
        void = next(iter(self.voids.values()))
        return {
            "name": self.name,
            "formula": self.formula,
            "cause": "",
            "density_g_cm3": void.density_g_per_cm3,
            "helium_void_fraction": void.helium_void_fraction,
            "pore_volume_cm3_g": void.pore_volume_cm3_per_g,
            "pockets": void.pockets,
            "pocket_fraction": void.pocket_fraction,
            "cells": list(self.repeats) if self.repeats else None,
            "force_field": {name: field.describe() for name, field in self.question.fields.items()},
            "zero_coverage": [self._zero(*key) for key in self.voids],
            "states": [self._state(state) for state in self.question.all_states],
            "swings": [self._swing(swing) for swing in self.question.swings],
        }

    def _zero(self, model: str, temperature_k: float) -> dict[str, Any]:
        void = self.voids[model, temperature_k]
        return {
            "model": model,
            "temperature_k": temperature_k,
            "henry_g_per_l_bar": void.henry_g_per_l_bar,
            "heat_kj_per_mol": _number(void.heat_at_zero_kj_per_mol),
            "henry_refitted_over_exact": _number(void.refit_ratio),
            "adsorbed_fraction": void.adsorbed_fraction,
        }

    def _state(self, state: GasState) -> dict[str, Any]:
        told: dict[str, Any] = {
            "temperature_k": state.temperature_k,
            "pressure_bar": state.pressure_bar,
            "fugacity_bar": float(h2_fugacity_bar(state.pressure_bar, state.temperature_k)),
            "gas_g_per_l": gas_g_per_l(state.pressure_bar, state.temperature_k),
        }
        for model in self.question.fields:
            found = self.uptakes.get((model, state))
            told[model] = found.as_json() if found else {"cause": self.causes[model, state]}
        return told

    def _swing(self, swing: tuple[GasState, GasState]) -> dict[str, Any]:
        told: dict[str, Any] = {"charged": str(swing[0]), "discharged": str(swing[1])}
        for model in self.question.fields:
            found = self.usable(model, swing)
            told[model] = asdict(found) if found else None
        return told


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def uptakes_of(
    materials: Iterable[Material | Rejected], question: Question, *, workers: int | None = None
) -> Iterator[FrameworkUptakes]:
    """Simulate materials, in their order.

    Args:
        materials: as a source reads them; what was rejected stays a record with its cause.
        question: what is asked of each.
        workers: processes; None takes one for each core.

    Raises:
        HstoreError: a worker cannot start.
        MissingExtraError: raspalib is not installed.
    """
    if question.sampler == "raspa":
        require("raspalib")
    limits = Limits(question.seconds, _MEMORY_MIB, items_per_worker=100)
    with (
        Crew(_look, workers=workers, limits=limits, piece=1, preload=_PRELOAD) as lookers,
        Crew(_simulate, workers=workers, limits=limits, piece=1, preload=_PRELOAD) as simulators,
    ):
        for one in materials:
            yield _ask(one, question, lookers, simulators)


def _ask(
    one: Material | Rejected,
    question: Question,
    lookers: Crew[Any, Void],
    simulators: Crew[Any, Loading],
) -> FrameworkUptakes:
    if not isinstance(one, Material):
        return FrameworkUptakes(one.reference, "", question, cause=one.cause)
    try:
        crystal = crystal_of(one)
    except InputError as error:
        return FrameworkUptakes(one.material_id, one.formula, question, cause=str(error))
    found = FrameworkUptakes(one.material_id, crystal.formula, question)
    wanted = [
        (model, temperature)
        for model in question.fields
        for temperature in sorted({state.temperature_k for state in question.all_states})
    ]
    looks = lookers.map(
        (crystal, temperature, question.fields[model], question.blocking) for model, temperature in wanted
    )
    for key, look in zip(wanted, looks, strict=True):
        if look.value is None:
            return replace(found, cause=look.cause)
        found.voids[key] = look.value
    tasks = [(model, state) for state in question.all_states for model in question.fields]
    outcomes = simulators.map(
        (
            crystal,
            state,
            question.fields[model],
            question.effort,
            found.voids[model, state.temperature_k].blocked,
            question.sampler,
        )
        for model, state in tasks
    )
    repeats = None
    for (model, state), outcome in zip(tasks, outcomes, strict=True):
        if outcome.value is None:
            found.causes[model, state] = outcome.cause
            continue
        repeats = outcome.value.repeats
        found.uptakes[model, state] = uptake_from(
            outcome.value,
            crystal,
            found.voids[model, state.temperature_k],
            pressure_bar=state.pressure_bar,
            temperature_k=state.temperature_k,
        )
    if not found.uptakes:
        return replace(found, cause=next(iter(found.causes.values())))
    return replace(found, repeats=repeats)


def _look(task: tuple[Crystal, float, ForceField, bool]) -> Void:
    crystal, temperature_k, force_field, blocking = task
    return look_into(crystal, temperature_k, force_field, blocking=blocking)


def _simulate(
    task: tuple[Crystal, GasState, ForceField, Effort, tuple[tuple[float, float, float, float], ...], str],
) -> Loading:
    crystal, state, force_field, effort, blocked, sampler = task
    return simulate(
        crystal,
        pressure_bar=state.pressure_bar,
        temperature_k=state.temperature_k,
        force_field=force_field,
        effort=effort,
        blocked=blocked,
        sampler=sampler,
    )


def text_of(found: FrameworkUptakes) -> Iterator[str]:
    """Yield the uptakes of one framework in words."""
    yield f"{found.name}  {found.formula}"
    if found.cause:
        yield f"  {found.cause}"
        return
    void = next(iter(found.voids.values()))
    pockets = f"{void.pockets} {'blocked' if found.question.blocking else 'filled'} pockets"
    yield (
        f"  {void.density_g_per_cm3:.3f} g/cm3, helium void {void.helium_void_fraction:.3f}, {pockets}; "
        f"{' x '.join(map(str, found.repeats or ()))} cells"
    )
    for state in found.question.all_states:
        yield f"  {state.pressure_bar:g} bar, {state.temperature_k:g} K"
        for model in found.question.fields:
            yield from (f"    {line}" for line in _state_lines(found, model, state))
    for swing in found.question.swings:
        for model in found.question.fields:
            usable = found.usable(model, swing)
            if usable is not None:
                litre = f"{usable.g_per_l:.1f} +- {usable.error_95_g_per_l:.1f} g/L"
                yield (
                    f"  usable {swing[0]} -> {swing[1]} {model}: {usable.wt_pct:.2f} wt% of all "
                    f"({usable.wt_pct_host:.2f} of host), {litre}"
                )


def _state_lines(found: FrameworkUptakes, model: str, state: GasState) -> Sequence[str]:
    uptake = found.uptakes.get((model, state))
    if uptake is None:
        return [f"{model}: {found.causes[model, state]}"]
    heat = f", heat {uptake.heat_kj_per_mol:.1f} kJ/mol" if math.isfinite(uptake.heat_kj_per_mol) else ""
    total = (
        f"{model}: total {uptake.total_wt_pct:.2f} +- {uptake.error_95_wt_pct:.2f} wt% of all "
        f"({uptake.total_wt_pct_host:.2f} of host), {uptake.total_g_per_l:.1f} g/L{heat}"
    )
    others = (
        f"  excess {uptake.excess_wt_pct:.2f} wt%, {uptake.excess_g_per_l:.1f} g/L; "
        f"absolute {uptake.absolute_wt_pct:.2f} wt%, {uptake.absolute_g_per_l:.1f} g/L"
    )
    return [total, others] if uptake.converged else [total, others, f"  {uptake.cause}"]
