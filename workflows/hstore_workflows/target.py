"""What a screen ranks for: states, requirements and system targets, read from TOML."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hstore.errors import InputError, unknown_name
from hstore.records import Family
from hstore.targets import MaterialRequirement, SystemFactor, SystemTarget, material_requirement
from hstore.thermo import State, Swing

Pressure = Annotated[float, Field(gt=0, le=1e5)]
Temperature = Annotated[float, Field(gt=0, le=3000)]


FAMILIES_OF_KIND = {
    "hydride": frozenset({Family.INTERSTITIAL, Family.IONIC, Family.COMPLEX}),
    "sorbent": frozenset({Family.SORBENT}),
    "electrolyte": frozenset({Family.ELECTROLYTE}),
}
"""Kind of target -> families its models can answer for."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class SwingSpec(_Part):
    """The two states between which a material works."""

    charge_pressure_bar: Pressure
    """Pressure of charging, bar."""
    charge_temperature_k: Temperature
    """Temperature of charging, K."""
    discharge_pressure_bar: Pressure
    """Lowest pressure of delivery, bar."""
    discharge_temperature_k: Temperature
    """Highest temperature of delivery, K."""
    reason: str
    """Where the states come from."""

    def as_swing(self) -> Swing:
        """Return the swing in the words of :mod:`hstore.thermo`."""
        return Swing(
            charged=State(pressure_bar=self.charge_pressure_bar, temperature_k=self.charge_temperature_k),
            discharged=State(pressure_bar=self.discharge_pressure_bar, temperature_k=self.discharge_temperature_k),
        )


class SystemTargetSpec(_Part):
    """Which published system target is meant."""

    table: Literal["doe_onboard_targets"]
    """Curated table that holds it."""
    year: str
    """Target year the requirement is made from."""
    shown: tuple[str, ...]
    """Target years drawn in the report."""


class SystemFactorSpec(_Part):
    """Share of the system that is storage material; stated assumptions, adjustable."""

    mass_fraction: Annotated[float, Field(gt=0, le=1)]
    """Mass of material with its hydrogen / mass of the filled system."""
    volume_fraction: Annotated[float, Field(gt=0, le=1)]
    """Volume of the material bed / volume of the system."""
    packing_fraction: Annotated[float, Field(gt=0, le=1)]
    """Volume of solid / volume of the bed."""

    def as_factor(self) -> SystemFactor:
        """Return the factor in the words of :mod:`hstore.targets`."""
        return SystemFactor(
            mass_fraction=self.mass_fraction,
            volume_fraction=self.volume_fraction,
            packing_fraction=self.packing_fraction,
        )


class RequirementSpec(_Part):
    """Requirements on the material, where no system target gives them."""

    h2_capacity_wt_pct: Annotated[float, Field(gt=0, le=25)] | None = None
    """Capacity, wt% of the hydrogenated material."""
    h2_density_g_per_l: Annotated[float, Field(gt=0, le=250)] | None = None
    """Hydrogen per volume of the solid, g/L."""
    log10_conductivity_s_per_cm: Annotated[float, Field(ge=-20, le=2)] | None = None
    """log10 conductivity, S/cm."""
    temperature_k: Temperature | None = None
    """Temperature of the conductivity, K."""
    mobile_ions: tuple[str, ...] = ()
    """Mobile ions asked for, as element symbols; others score 0. Empty asks for any."""
    reason: str
    """Where the numbers come from."""


class Target(_Part):
    """What a screen ranks for."""

    name: str
    """Name on the command line."""
    title: str
    """Title of the report."""
    kind: Literal["hydride", "sorbent", "electrolyte"]
    """Which models and which score apply."""
    families: tuple[Family, ...]
    """Families of the shipped pool."""
    description: str
    """What is asked, in words."""
    swing: SwingSpec | None = None
    """States of hydrides and sorbents."""
    system_target: SystemTargetSpec | None = None
    """Published system target."""
    system_factor: SystemFactorSpec | None = None
    """Factor from system to material."""
    requirement: RequirementSpec | None = None
    """Material requirement where there is no system target."""

    @model_validator(mode="after")
    def _states_what_its_kind_needs(self) -> Target:
        if self.kind != "electrolyte" and self.swing is None:
            raise ValueError(f"a {self.kind} target needs a [swing] with charge and discharge states")
        if self.system_target is None and self.requirement is None:
            raise ValueError("give a [system_target] or a [requirement]")
        if (self.system_target is None) != (self.system_factor is None):
            raise ValueError("a [system_target] and a [system_factor] go together")
        if self.kind == "electrolyte" and (
            self.requirement is None or self.requirement.log10_conductivity_s_per_cm is None
        ):
            raise ValueError("an electrolyte target needs log10_conductivity_s_per_cm in [requirement]")
        if not self.families or not set(self.families) <= FAMILIES_OF_KIND[self.kind]:
            allowed = ", ".join(sorted(FAMILIES_OF_KIND[self.kind]))
            raise ValueError(f"families of a {self.kind} target are one or more of {allowed}")
        return self

    def system_targets(self) -> dict[str, SystemTarget]:
        """Return the published system targets to show, by year; empty where the target has none."""
        if self.system_target is None:
            return {}
        years = dict.fromkeys((self.system_target.year, *self.system_target.shown))
        return {year: _doe_target(year) for year in years}

    def material_requirements(self) -> dict[str, MaterialRequirement]:
        """Return what each system target asks of the material, by year."""
        if self.system_factor is None:
            return {}
        factor = self.system_factor.as_factor()
        return {year: material_requirement(target, factor) for year, target in self.system_targets().items()}

    def capacity_requirement(self) -> tuple[float, float | None]:
        """Return the required capacity of the material, wt%, and its density, g/L (None if not asked)."""
        if self.system_target is not None:
            needed = self.material_requirements()[self.system_target.year]
            return needed.usable_capacity_wt_pct, needed.usable_capacity_g_per_l
        assert self.requirement is not None
        if self.requirement.h2_capacity_wt_pct is None:
            raise InputError(f"target {self.name!r} asks for no capacity; add h2_capacity_wt_pct to [requirement]")
        return self.requirement.h2_capacity_wt_pct, self.requirement.h2_density_g_per_l


def shipped_targets() -> list[str]:
    """Return the names of the targets that come with hstore."""
    folder = resources.files("hstore_workflows") / "targets"
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))


def load_target(name_or_path: str) -> Target:
    """Load a shipped target by name, or a user's from a TOML file.

    Raises:
        UnknownNameError: neither a shipped name nor a file, or a target year that is not in the table.
        InputError: the file is not TOML, or a field is missing, unknown or out of range.
    """
    path = Path(name_or_path)
    if name_or_path in shipped_targets():
        content = (resources.files("hstore_workflows") / "targets" / f"{name_or_path}.toml").read_bytes()
        name = name_or_path
    elif path.suffix == ".toml" and path.is_file():
        content, name = path.read_bytes(), path.stem
    else:
        raise unknown_name("target", name_or_path, shipped_targets())
    try:
        target = Target.model_validate({"name": name, **tomllib.loads(content.decode("utf-8"))})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{name_or_path} is not valid TOML: {error}; correct the file") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "target"
        raise InputError(f"target {name_or_path}: {place}: {first['msg']}, got {first['input']!r:.80}") from error
    target.system_targets()  # an unknown year is refused here, before any model is trained
    if target.kind != "electrolyte":
        target.capacity_requirement()
    return target


@cache
def _doe_target(year: str) -> SystemTarget:
    from hstore_data.curated import curated_table

    table = curated_table("doe_onboard_targets").frame
    rows = table[table["target_year"].astype(str) == year]
    if rows.empty:
        raise unknown_name("DOE target year", year, table["target_year"].astype(str).unique())
    value = dict(zip(rows["quantity"], rows["value"].astype(float), strict=True))
    return SystemTarget(
        name="DOE onboard",
        year=year,
        gravimetric_wt_pct=value["system_gravimetric_capacity_wt_pct"],
        volumetric_g_per_l=value["system_volumetric_capacity_g_per_l"],
        delivery_temperature_k=(value["min_delivery_temperature_k"], value["max_delivery_temperature_k"]),
        citation=str(rows["citation"].iloc[0]),
    )
