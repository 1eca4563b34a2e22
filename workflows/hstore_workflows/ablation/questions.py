"""The shipped questions: usable capacity of MOFs, enthalpy of hydrides, conductivity of electrolytes.

Each gives materials with structures, values and groups of which none is trained on and predicted. Values come from
public sets (``HSTORE_DATA_MIRROR``) and from the tables of the package.
"""

from __future__ import annotations

import io
import tarfile
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.crystal import Crystal
from hstore.errors import InputError, unknown_name
from hstore.formula import parse_amounts
from hstore.records import Material
from hstore_models.features.composition import ATOMIC_NUMBER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from hstore.arrays import FloatArray
    from hstore.settings import Settings

USABLE = "usable_capacity_g_per_l"
ENTHALPY = "desorption_enthalpy_kj_per_mol_h2"
CONDUCTIVITY = "log10_conductivity_s_per_cm"
COMPOSITION = "composition"
_OCCUPIED = 0.5
"""Sites of the frame that are occupied by less than this are left out of a skeleton."""

_SKELETONS = (
    "Structures are skeletons: every site holds the element that is on it most, and all sites of the mobile ion "
    "are kept. Barriers need whole atoms: they are computed for structures without disorder."
)


@dataclass(frozen=True)
class Rows:
    """Structures, and what is known of them."""

    crystals: tuple[Crystal, ...]
    values: FloatArray
    """Known values, shape (n,)."""
    groups: tuple[str, ...]
    """Group of each row."""
    blocks: Mapping[str, FloatArray] = field(default_factory=dict)
    """Blocks of descriptors that are not computed from structures, each of n rows."""
    doubts: tuple[str, ...] = ()
    """What a reader of the comparison should know."""


@dataclass(frozen=True)
class Question:
    """One comparison: on which rows, what counts as known, what is added."""

    name: str
    value: str
    """What is predicted, with its unit."""
    rows: Callable[[Settings, int | None], Rows]
    """Reads at most so many rows."""
    base: tuple[str, ...]
    """Blocks that count as known."""
    described: Mapping[str, tuple[str, ...]]
    """Block -> groups of structure features that make it."""


def question(name: str) -> Question:
    """Return a shipped question by name.

    Raises:
        UnknownNameError: there is none.
    """
    if name not in QUESTIONS:
        raise unknown_name("question", name, QUESTIONS)
    return QUESTIONS[name]


def _chosen(count: int, most: int | None) -> Any:
    """Places of at most so many of ``count`` rows, drawn once and for all."""
    if most is None or most >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).permutation(count)[:most])


def system_of(formula: str) -> str:
    """Return the chemical system of a formula without hydrogen: rows that share it are on one side of a split."""
    return "-".join(sorted(set(parse_amounts(formula)) - {"H"}))


def _mofs(settings: Settings, most: int | None) -> Rows:
    from hstore_data.readers import read
    from hstore_models.features.pores import PORE_DESCRIPTORS, pore_features
    from hstore_workflows.sources.core_mof import LINK_COLUMN, read_core_mof

    table = read("mof_h2_usable", settings).frame
    table = table[table[LINK_COLUMN].notna() & (table[LINK_COLUMN] != "")].sort_values(LINK_COLUMN)
    table = table.iloc[_chosen(len(table), most)].set_index(LINK_COLUMN)
    read_in = (one for one in read_core_mof(entries=set(table.index)) if isinstance(one, Material))
    crystals = {str(one.name): Crystal.from_dict(one.structure) for one in read_in if one.structure}
    table = table.loc[list(crystals)]
    texture = {name: table[name].to_numpy(dtype=float) for name in PORE_DESCRIPTORS}
    return Rows(
        tuple(crystals.values()),
        table[USABLE].to_numpy(dtype=float),
        tuple(table["group"].astype(str)),
        {"pore geometry": pore_features(texture)[0]},
    )


def _measured_hydrides(_settings: Settings, most: int | None) -> Rows:
    from hstore_workflows.physics.known_hydrides import known_reactions
    from hstore_workflows.physics.phases import canonical, published_phases

    phases = published_phases()
    known = [one for one in known_reactions() if canonical(one.formula) in phases]  # others are mixtures
    known = [known[place] for place in _chosen(len(known), most)]
    raw = _computed_by_formula()
    formulas = [canonical(one.formula) for one in known]
    return Rows(
        tuple(phases[formula] for formula in formulas),
        np.array([one.measured_kj_per_mol_h2 for one in known]),
        tuple(system_of(one.formula) for one in known),
        {
            COMPOSITION: _of_composition(formulas),
            "physics": np.array([raw.get(formula, [np.nan, np.nan]) for formula in formulas]),
        },
        ("Physics is the raw enthalpy of the shipped computed set, which holds some of these hydrides only.",),
    )


def _of_composition(formulas: Iterable[object]) -> FloatArray:
    """Descriptors of compositions as the shipped models of hydrides see them, shape (n, d)."""
    from hstore_models.features.composition import CompositionBatch
    from hstore_models.features.table import featurize

    return featurize(CompositionBatch.from_amounts([parse_amounts(str(formula)) for formula in formulas])).values


def _computed_by_formula() -> dict[str, list[float]]:
    """Formula -> raw enthalpies of its lowest computed structure: of the first step, and into the elements."""
    from hstore_data.computed import computed_hydrides
    from hstore_workflows.physics.phases import canonical

    table = computed_hydrides()
    table = table[table["enthalpy_to_elements_kj_per_mol_h2"].notna()].sort_values("energy_ev_per_atom")
    columns = ["first_step_raw_kj_per_mol_h2", "enthalpy_to_elements_kj_per_mol_h2"]
    found: dict[str, list[float]] = {}
    for formula, values in zip(table["formula"], table[columns].to_numpy(dtype=float).tolist(), strict=True):
        found.setdefault(canonical(str(formula)), values)
    return found


def _computed_hydrides(_settings: Settings, most: int | None) -> Rows:
    from hstore_data.computed import computed_hydrides
    from hstore_workflows.physics.prototype_hydrides import prototype_hydrides

    table = computed_hydrides()
    table = table[table["enthalpy_to_elements_kj_per_mol_h2"].notna()].reset_index(drop=True)
    table = table.iloc[_chosen(len(table), most)]
    drawn = {hydride.material_id: hydride.crystal for hydride in prototype_hydrides()}
    table = table[table["material_id"].isin(drawn)]
    return Rows(
        tuple(_with_cell(drawn[row.material_id], row) for row in _rows(table)),
        table["enthalpy_to_elements_kj_per_mol_h2"].to_numpy(dtype=float),
        tuple(system_of(str(formula)) for formula in table["formula"]),
        {COMPOSITION: _of_composition(table["formula"])},
        ("The values are computed by CHGNet, so no physics is added; atoms are where the prototype has them.",),
    )


def _rows(table: pd.DataFrame) -> Iterator[Any]:
    return table.itertuples(index=False)


def _with_cell(crystal: Crystal, row: Any) -> Crystal:
    """The crystal with the lengths and angles of the relaxed cell."""
    from pymatgen.core import Lattice

    lattice = Lattice.from_parameters(row.a, row.b, row.c, row.alpha, row.beta, row.gamma)
    return Crystal(lattice.matrix, crystal.fractional, crystal.numbers)


def _electrolytes(settings: Settings, most: int | None) -> Rows:
    from hstore_data.readers import read
    from hstore_models.features.cache import FeatureCache
    from hstore_models.features.composition import CompositionBatch
    from hstore_models.features.electrolyte import electrolyte_features
    from hstore_models.features.structure.compute import Describer
    from hstore_models.features.structure.ion_barriers import BARRIERS

    table = read("obelix", settings).frame.set_index("id")
    skeletons = (
        dict(_skeletons(settings.data_mirror / "obelix" / "all_cifs.tar.gz")) if settings.data_mirror else {}
    )
    if not skeletons:
        raise InputError(
            "this question needs the structures of OBELiX: set HSTORE_DATA_MIRROR to a folder with obelix"
        )
    table = table[table.index.isin(skeletons)]
    table = table.iloc[_chosen(len(table), most)]
    crystals = tuple(skeletons[str(name)].crystal for name in table.index)
    ordered = np.array([skeletons[str(name)].is_ordered for name in table.index])
    barriers = np.full((len(table), len(BARRIERS.columns)), np.nan)
    with Describer([BARRIERS], cache=FeatureCache(settings.features_dir)) as describer:
        barriers[ordered] = describer.describe(
            [c for c, whole in zip(crystals, ordered, strict=True) if whole]
        ).values
    batch = CompositionBatch.from_amounts([parse_amounts(str(formula)) for formula in table["formula"]])
    return Rows(
        crystals,
        table[CONDUCTIVITY].to_numpy(dtype=float),
        tuple(system_of(str(formula)) for formula in table["formula"]),
        {"ions": electrolyte_features(batch), "physics": barriers},
        (_SKELETONS,),
    )


@dataclass(frozen=True)
class _Skeleton:
    """Sites of a structure, each with one element."""

    crystal: Crystal
    is_ordered: bool
    """Whether every site was full and of one element."""


def _skeletons(archive: Path) -> Iterator[tuple[str, _Skeleton]]:
    """Yield name and sites of every CIF of an archive, disordered ones with the element that is on a site most."""
    from pymatgen.io.cif import CifParser

    with tarfile.open(archive) as files:
        for member in files:
            held = files.extractfile(member) if member.name.endswith(".cif") else None
            if held is None:
                continue
            text = held.read().decode("utf-8", "replace")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    (structure, *_) = CifParser(io.StringIO(text), occupancy_tolerance=10).parse_structures(
                        primitive=False
                    )
                    yield member.name.rpartition("/")[2].removesuffix(".cif"), _skeleton(structure)
                except (ValueError, InputError):
                    continue


def _skeleton(structure: Any) -> _Skeleton:
    from hstore_models.features.electrolyte import MOBILE_IONS

    held = [{specie.symbol: share for specie, share in site.species.items()} for site in structure]
    elements = {element for site in held for element in site}
    mobile = next((ion for ion in MOBILE_IONS if ion in elements), "")
    kept, symbols = [], []
    for site, shares in zip(structure, held, strict=True):
        element = max(shares, key=lambda one: (shares[one], one))
        if mobile in shares:
            element = mobile
        elif sum(shares.values()) < _OCCUPIED:
            continue
        kept.append(site.frac_coords)
        symbols.append(element)
    numbers = np.array([ATOMIC_NUMBER[symbol] for symbol in symbols])
    return _Skeleton(Crystal(structure.lattice.matrix, np.array(kept), numbers), bool(structure.is_ordered))


_HYDRIDE = {"geometry": ("density", "hydrogen"), "topology": ("topology",)}
QUESTIONS: Mapping[str, Question] = {
    one.name: one
    for one in (
        Question(
            "mof-uptake",
            "usable capacity of MOFs, 100 to 5 bar at 77 K, g/L",
            _mofs,
            (COMPOSITION, "pore geometry"),
            {
                COMPOSITION: ("magpie",),
                "topology": ("topology",),
                "curvature": ("curvature",),
                "physics": ("adsorption",),
            },
        ),
        Question(
            "hydride-enthalpy",
            "measured desorption enthalpy, kJ/mol H2",
            _measured_hydrides,
            (COMPOSITION,),
            _HYDRIDE,
        ),
        Question(
            "computed-enthalpy",
            "enthalpy into the elements, computed by CHGNet, kJ/mol H2",
            _computed_hydrides,
            (COMPOSITION,),
            _HYDRIDE,
        ),
        Question(
            "conductivity",
            "log10 of the conductivity at 25 degC, S/cm",
            _electrolytes,
            (COMPOSITION, "ions"),
            {
                COMPOSITION: ("magpie",),
                "geometry": ("density", "symmetry"),
                "topology": ("topology",),
            },
        ),
    )
}
"""Shipped questions by name."""


def names(asked: Sequence[str]) -> tuple[str, ...]:
    """Return the questions asked for; all of them when none is named."""
    return tuple(question(name).name for name in asked) or tuple(QUESTIONS)
