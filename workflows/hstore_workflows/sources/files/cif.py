"""Crystal structures in CIF (core dictionary): cell, symmetry, atom sites, what is known of their origin."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import FormulaError, InputError
from hstore.formula import parse_amounts
from hstore.partial import LONGEST_AXIS_ANGSTROM, PartialCrystal, checked_lattice, element_of
from hstore_workflows.sources.files.cif_syntax import Block, Span, read_block, spans
from hstore_workflows.sources.files.found import Found, settle
from hstore_workflows.sources.files.orbit import expanded
from hstore_workflows.sources.files.place import Place, Step
from hstore_workflows.sources.files.symmetry import (
    IDENTITY,
    Operations,
    hall_operations,
    named_operations,
    numbered_operations,
    operations_of,
)
from hstore_workflows.sources.files.text import decoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hstore.arrays import FloatArray
    from hstore_workflows.sources.files.place import Document

_UNCERTAIN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d{1,3})?)(?:\(\d*\))?\Z")
_LABEL = re.compile(r"[A-Za-z]+")
_MAGNETIC = ("_atom_site_moment", "_space_group_magn", "_space_group_symop_magn")
_MODULATED = ("_space_group_ssg", "_cell_wave_vector", "_atom_site_fourier", "_atom_site_displace_fourier")
_OPERATIONS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")
_HALL = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
_SYMBOL = ("_space_group_name_h-m_alt", "_symmetry_space_group_name_h-m", "_space_group_name_h-m_full")
_NUMBER_TAGS = ("_space_group_it_number", "_symmetry_int_tables_number")
_DOI = ("_journal_paper_doi", "_citation_doi", "_journal_doi", "_publ_section_doi", "_citation_database_id_doi")
_NAMES = ("_chemical_name_common", "_chemical_name_mineral")
_LICENCE = re.compile(r"_(?:audit|database|cod|publ|journal|citation)\w*licen[cs]e")
_ATOM_TAG = re.compile(r"_atom_site[_.]", re.IGNORECASE)
_LEAST_OCCUPANCY = 1e-6
_METRIC_TOLERANCE = 0.03
_WRONG_RATIO = 0.05
_ISOTOPE = re.compile(r"[DT](?![a-z])")
_CODE = re.compile(r"_database_code_(\w+)\Z|_(cod|amcsd|icsd)_database_code\Z")


@dataclass(frozen=True)
class AtomRow:
    """One row of the atom site loop."""

    symbol: str
    """Element."""
    occupancy: float
    """Share of time it is there."""
    assembly: str
    """Disorder assembly it belongs to, ``.`` for none."""
    group: str
    """Alternative within the assembly, ``.`` for none."""


def read_cif(document: Document, start: Place, *, most_sites: int) -> Iterator[Step]:
    """Yield one step for each data block that lists atoms.

    Args:
        document: the file.
        start: index of the block to begin with, as offset.
        most_sites: largest number of positions in a cell.
    """
    text = decoded(document.content())
    lines = text.splitlines()
    index = start.entries
    for number, span in enumerate(spans(lines)):
        if number < start.offset or not _lists_atoms(lines, span.first, span.end):
            continue
        load = _loader(lines, span, most_sites)
        index += 1
        yield Step(span.name or str(index), load, Place(number + 1, index))


def _lists_atoms(lines: list[str], first: int, end: int) -> bool:
    return any(_ATOM_TAG.search(lines[number]) for number in range(first, end) if "_" in lines[number])


def _loader(lines: list[str], span: Span, most_sites: int) -> Callable[[], Found]:
    def load() -> Found:
        return structure_of(read_block(lines, span), most_sites=most_sites)

    return load


def structure_of(block: Block, *, most_sites: int) -> Found:
    """Make the ordered structure of a data block.

    Raises:
        InputError: magnetic or modulated, no cell, no coordinates, wrong symmetry, hydrogen missing, or disorder
            that no rule resolves.
    """
    crystal, stated = partial_structure(block, most_sites=most_sites)
    _check_hydrogen(block, crystal)
    notes = _origin_notes(block, crystal)
    if stated is not None:
        notes.append("kept the most occupied of the disorder groups the file states")
    return settle(
        crystal,
        stated=stated,
        name=block.text(*_NAMES)[:120],
        notes=tuple(notes),
        known=bool(block.text(*_DOI) or _codes(block)),
        licence=next((block.text(tag)[:80] for tag in block.columns if _LICENCE.match(tag)), "") or None,
    )


def partial_structure(block: Block, *, most_sites: int) -> tuple[PartialCrystal, dict[str, float] | None]:
    """Make the crystal of a data block with its occupancies.

    Returns:
        The crystal, of alternative disorder groups the one occupied most; and, where there are any, the amounts
        of the elements with all of them.

    Raises:
        InputError: as :func:`structure_of`.
    """
    _refuse_other_kinds(block)
    lattice = _lattice(block)
    rows, fractional = atom_rows(block, most_sites)
    kept = majority_groups(rows)
    possible = _operations(block, lattice)
    crystals = [
        expanded(_listed(lattice, fractional, kept), operations, most_sites=most_sites) for operations in possible
    ]
    chosen = _fitting(crystals, block)
    if kept == rows:
        return crystals[chosen], None
    everything = expanded(_listed(lattice, fractional, rows), possible[chosen], most_sites=most_sites)
    return crystals[chosen], everything.amounts


def _listed(lattice: FloatArray, fractional: FloatArray, rows: list[AtomRow | None]) -> PartialCrystal:
    places = [place for place, row in enumerate(rows) if row is not None]
    shares = tuple({row.symbol: row.occupancy} for row in rows if row is not None)
    return PartialCrystal(lattice, fractional[places], shares)


def _refuse_other_kinds(block: Block) -> None:
    for tag in block.columns:
        if tag.startswith(_MAGNETIC):
            raise InputError("a magnetic CIF (mCIF); give the nuclear structure as an ordinary CIF")
        if tag.startswith(_MODULATED):
            raise InputError("a modulated structure; give a commensurate approximant")


def number_of(text: str, what: str) -> float:
    """Read a number with or without standard uncertainty, such as ``7.766(2)``.

    Raises:
        InputError: it is none, or not finite.
    """
    try:
        value = float(text)
    except ValueError:
        match = _UNCERTAIN.match(text)
        value = float(match.group(1).replace("d", "e").replace("D", "e")) if match else math.nan
    if not math.isfinite(value) or "_" in text:
        raise InputError(f"{what} must be a number, got {text[:24]!r}; correct the file")
    return value


def _lattice(block: Block) -> FloatArray:
    cell = []
    for name in ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma"):
        values = block.column(f"_cell_{name}")
        if len(values) != 1:
            raise InputError(f"_cell_{name} is {'missing' if not values else 'given more than once'}; state it")
        cell.append(number_of(values[0], f"_cell_{name}"))
    return lattice_of(cell)


def lattice_of(cell: list[float]) -> FloatArray:
    """Make cell vectors from lengths and angles: a along x, b in the x-y plane.

    Args:
        cell: a, b, c in angstrom; alpha, beta, gamma in degrees.

    Returns:
        vectors in rows, shape (3, 3), angstrom.

    Raises:
        InputError: an axis or angle is out of range, or the cell is flat.
    """
    if not all(0 < length <= LONGEST_AXIS_ANGSTROM for length in cell[:3]):
        raise InputError(f"cell axes must be above 0 and at most {LONGEST_AXIS_ANGSTROM:g} A, got {cell[:3]}")
    if not all(0 < angle < 180 for angle in cell[3:]):
        raise InputError(f"cell angles must lie between 0 and 180 degrees, got {cell[3:]}")
    a, b, c = cell[:3]
    cosines = [0.0 if angle == 90 else math.cos(math.radians(angle)) for angle in cell[3:]]
    sine = math.sqrt(1.0 - cosines[2] ** 2)
    along = (cosines[0] - cosines[1] * cosines[2]) / sine
    height = 1.0 - cosines[1] ** 2 - along**2
    if height <= 0:
        raise InputError(f"angles {cell[3:]} cannot meet in one corner; correct the cell")
    lattice = np.array(
        [
            [a, 0.0, 0.0],
            [b * cosines[2], b * sine, 0.0],
            [c * cosines[1], c * along, c * math.sqrt(height)],
        ]
    )
    return checked_lattice(lattice)


def atom_rows(block: Block, most_sites: int) -> tuple[list[AtomRow | None], FloatArray]:
    """Read the atom site loop; rows without an atom (occupancy 0, dummies) are None.

    Returns:
        rows, and their fractional coordinates, shape (n, 3).

    Raises:
        InputError: too many rows, coordinates are missing, or a value cannot be read.
    """
    columns = [block.column(f"_atom_site_fract_{axis}") for axis in "xyz"]
    count = len(columns[0])
    if not count or any(len(column) != count for column in columns):
        raise InputError("fractional coordinates of the atoms are missing; give _atom_site_fract_x, _y and _z")
    if count > most_sites:
        raise InputError(f"{count} atoms are listed; at most {most_sites} are read (--max-sites)")
    labels = block.column("_atom_site_label") or [""] * count
    symbols = _symbols(block, labels, count)
    occupancies = [
        1.0 if text in {"?", "."} else number_of(text, "_atom_site_occupancy")
        for text in block.column("_atom_site_occupancy") or ["1"] * count
    ]
    assemblies = block.column("_atom_site_disorder_assembly") or ["."] * count
    groups = block.column("_atom_site_disorder_group") or ["."] * count
    flags = block.column("_atom_site_calc_flag") or ["."] * count
    attached = block.column("_atom_site_attached_hydrogens") or ["0"] * count
    if any(text not in {"0", ".", "?"} for text in attached):
        raise InputError("some hydrogen atoms are only said to be attached; give their coordinates")
    rows: list[AtomRow | None] = []
    fractional = np.zeros((count, 3))
    for place in range(count):
        if occupancies[place] < 0:
            raise InputError(f"atom {labels[place] or place + 1} has the occupancy {occupancies[place]:g}")
        if flags[place] == "dum" or occupancies[place] < _LEAST_OCCUPANCY:
            rows.append(None)
            continue
        fractional[place] = [number_of(column[place], "an atom coordinate") for column in columns]
        rows.append(AtomRow(symbols[place], occupancies[place], assemblies[place], groups[place]))
    if not any(rows):
        raise InputError("no atom is left after dummies and empty positions; give the atoms")
    return rows, fractional


def _symbols(block: Block, labels: list[str], count: int) -> list[str]:
    types = block.column("_atom_site_type_symbol")
    if types:
        known = {text: element_of(text) for text in set(types)}
        return [known[text] for text in types]
    if not any(labels):
        raise InputError(f"{count} atoms have neither type symbol nor label; name their elements")
    formula = _formula(block)
    known = {text: element_of_label(text, formula) for text in set(labels)}
    return [known[text] for text in labels]


def element_of_label(label: str, formula: dict[str, float]) -> str:
    """Return the element of an atom label such as ``Li1``, ``O2W`` or ``CA12``.

    Two capitals may be one element or two (``CO1``): what the formula names decides, else the two-letter one.

    Raises:
        InputError: the label begins with no element.
    """
    match = _LABEL.match(label)
    letters = match.group() if match else ""
    tries = [letters[:2].capitalize(), letters[:1].upper()]
    if len(letters) > 1 and letters[1].isupper() and tries[1] in formula and tries[0] not in formula:
        tries.reverse()
    for text in tries:
        try:
            return element_of(text)
        except InputError:
            continue
    raise InputError(f"atom label {label[:20]!r} begins with no element; give _atom_site_type_symbol")


def majority_groups(rows: list[AtomRow | None]) -> list[AtomRow | None]:
    """Keep, of the alternative groups of each disorder assembly, the one occupied most.

    Its atoms take the occupancy of all alternatives together. Atoms without group, and assemblies with one group
    only, stay as they are.
    """
    members: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        if row is not None and row.group not in {".", "?", "0"}:
            members.setdefault(row.assembly, {}).setdefault(row.group, []).append(row.occupancy)
    means = {
        assembly: {group: sum(shares) / len(shares) for group, shares in groups.items()}
        for assembly, groups in members.items()
        if len(groups) > 1
    }
    kept: list[AtomRow | None] = []
    for row in rows:
        if row is None or row.assembly not in means or row.group not in means[row.assembly]:
            kept.append(row)
            continue
        groups = means[row.assembly]
        if row.group == min(groups, key=lambda group: (-round(groups[group], 6), group)):
            kept.append(replace(row, occupancy=min(1.0, sum(groups.values()))))
        else:
            kept.append(None)
    return kept


def _operations(block: Block, lattice: FloatArray) -> list[Operations]:
    """Return the stated operations, or those of the stated space group: two sets where its origin is open."""
    texts = block.column(*_OPERATIONS)
    found = [operations_of(texts)] if texts and texts != ["?"] else _named(block, lattice)
    metric = lattice @ lattice.T
    for operations in found:
        turned = np.einsum("kji,jl,klm->kim", operations.rotations, metric, operations.rotations)
        if np.abs(turned - metric).max() > _METRIC_TOLERANCE * np.abs(metric).max():
            raise InputError("the symmetry operations do not fit axes and angles of the cell; correct one of them")
    return found


def _named(block: Block, lattice: FloatArray) -> list[Operations]:
    cosine = lattice[0] @ lattice[1] / np.linalg.norm(lattice[0]) / np.linalg.norm(lattice[1])
    hexagonal = abs(math.degrees(math.acos(cosine)) - 120.0) < 1.0
    symbol, number = block.text(*_SYMBOL), block.text(*_NUMBER_TAGS)
    found = hall_operations(block.text(*_HALL)) or named_operations(symbol, hexagonal=hexagonal)
    if not found and number.isdecimal():
        found = numbered_operations(int(number[:4]), hexagonal=hexagonal)
    if not found and (symbol or number or block.text(*_HALL)):
        raise InputError(
            f"space group {(symbol or number or block.text(*_HALL))[:30]!r} is not known; list its operations"
        )
    return found or [IDENTITY]


def _fitting(crystals: list[PartialCrystal], block: Block) -> int:
    """Return which of the possible origins gives the stated formula."""
    if len(crystals) == 1:
        return 0
    formula = _formula(block)
    fitting = [place for place, crystal in enumerate(crystals) if formula and _same(crystal.amounts, formula)]
    if len(fitting) != 1:
        raise InputError(
            f"space group {block.text(*_SYMBOL, *_NUMBER_TAGS)[:30]!r} has two origins and the file does not say "
            "which; list the symmetry operations"
        )
    return fitting[0]


def _same(amounts: dict[str, float], formula: dict[str, float]) -> bool:
    if set(amounts) != set(formula):
        return False
    scale = sum(amounts.values()) / sum(formula.values())
    return all(
        abs(amounts[symbol] - scale * formula[symbol]) < _WRONG_RATIO * amounts[symbol] for symbol in amounts
    )


def _formula(block: Block) -> dict[str, float]:
    """Amounts by the stated formula; empty when there is none that can be read."""
    try:
        return parse_amounts(re.sub(r"\bD(?=\d|\s|$)", "H", block.text("_chemical_formula_sum")))
    except FormulaError:
        return {}


def _check_hydrogen(block: Block, crystal: PartialCrystal) -> None:
    formula = _formula(block)
    if "H" in formula and "H" not in crystal.amounts:
        raise InputError(
            f"the formula {block.text('_chemical_formula_sum')[:60]} has hydrogen but no hydrogen atom is placed; "
            "its composition can be screened by formula"
        )


def _origin_notes(block: Block, crystal: PartialCrystal) -> list[str]:
    symbol, number, doi = block.text(*_SYMBOL), block.text(*_NUMBER_TAGS), block.text(*_DOI)
    notes = [f"doi {doi[:120]}"] if doi else []
    notes += [f"{name} {code[:40]}" for name, code in _codes(block).items()]
    if symbol or number:
        notes.append(f"space group {symbol[:30]}" + (f" ({number[:4]})" if number else ""))
    formula = _formula(block)
    if formula and not _same(crystal.amounts, formula):
        notes.append(f"the file states the formula {block.text('_chemical_formula_sum')[:60]}")
    types = block.column("_atom_site_type_symbol") or block.column("_atom_site_label")
    if any(_ISOTOPE.match(text) for text in set(types)):
        notes.append("deuterium read as hydrogen")
    return notes


def _codes(block: Block) -> dict[str, str]:
    """Codes of the databases the structure is in: ICSD, COD, CSD and others."""
    found = {}
    for tag in block.columns:
        match = _CODE.match(tag)
        if match and block.text(tag):
            found[(match.group(1) or match.group(2)).replace("_", " ").upper()] = block.text(tag)
    return found
