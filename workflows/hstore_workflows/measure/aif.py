"""Isotherms in adsorption information files (AIF), read and written.

The format is that of Evans, Bon, Senkovska and Kaskel (2021, doi 10.1021/acs.langmuir.1c00122): a CIF-like text
with names such as ``_exptl_temperature`` and a loop of points for each branch. It has no name for whether an
uptake is an excess one or for the mass basis; those stand under names of our own, ``_hstore_uptake_kind`` and so
on, and where a file of others has none, ``unless_stated`` says it.
"""

from __future__ import annotations

import re
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hstore.errors import HstoreError, InputError, MissingExtraError
from hstore_models.added_columns import normalised
from hstore_workflows.measure.cells import is_yes
from hstore_workflows.measure.isotherms import ToldIsotherm
from hstore_workflows.measure.rows import Unusable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_BRANCHES = {"_adsorp_": "adsorption", "_desorp_": "desorption"}
_ADSORPTIVES = {"h2", "hydrogen", "normalhydrogen", "parahydrogen", "nh2"}
_OURS = "_hstore_"
_WORDS = {
    "material_id": (), "formula": (), "uptake_kind": (), "mass_basis": (), "note": (), "licence": (), "row_id": (),
    "confirmed": (),
    "sample": ("_adsnt_sample_id", "_sample_id", "_adsnt_material_id", "_sample_material_id", "_material_id"),
    "instrument": ("_exptl_instrument",),
    "measured_on": ("_exptl_date",),
    "reference": ("_citation_doi",),
}  # fmt: skip
"""Our word -> names of the format, the first that is there counts; ``_hstore_WORD`` before them."""
_LOADINGS = {
    "cm3_stp_g": "cm3(STP)/g", "cc_stp_g": "cm3(STP)/g", "cm3_g": "cm3(STP)/g", "cc_g": "cm3(STP)/g",
    "ml_stp_g": "cm3(STP)/g", "ml_g": "cm3(STP)/g", "cm_g_stp": "cm3(STP)/g", "cm3_g_stp": "cm3(STP)/g",
    "wt": "wt%", "wt_pct": "wt%", "percent_mass": "wt%", "pct_mass": "wt%", "mass": "wt%",
}  # fmt: skip
"""Unit of an amount, normalised -> ours. A volume of gas is taken at 0 degrees Celsius and 1 atm, as instruments
write it."""
_VERSION = "d546195"
"""Version of the format's dictionary, as pyGAPS 4.6 writes it."""
_KELVIN_OF_ZERO_C = 273.15


def looks_like_aif(body: bytes) -> bool:
    """Tell whether a file is an AIF or another file of the CIF family, from its beginning."""
    text = re.sub(rb"(?m)^\s*#[^\n]*\n", b"", body.removeprefix(b"\xef\xbb\xbf")[:4000])
    return text.lstrip().lower().startswith(b"data_")


def read_aif(
    body: bytes, *, unless_stated: Mapping[str, str] = MappingProxyType({})
) -> list[ToldIsotherm | Unusable]:
    """Read the isotherms of a file, adsorption and desorption of each block.

    Args:
        body: the file.
        unless_stated: words that hold where the file does not state them, such as ``uptake_kind``.

    Raises:
        InputError: it is no such file, or holds no isotherm.
        MissingExtraError: gemmi, which comes with pyGAPS, is not installed.
    """
    cif = _cif()
    try:
        document = cif.read_string(body.decode("utf-8-sig", errors="replace"))
    except (ValueError, RuntimeError) as error:
        raise InputError(f"the AIF file cannot be read: {' '.join(str(error).split())[:200]}") from error
    found: list[ToldIsotherm | Unusable] = []
    for block in document:
        for prefix, branch in _BRANCHES.items():
            if block.find_loop(f"{prefix}pressure"):
                found.append(_isotherm(len(found) + 1, block, prefix, branch, unless_stated))
    if not found:
        raise InputError(
            "the AIF file holds no isotherm: no loop has _adsorp_pressure or _desorp_pressure; a crystal's CIF "
            "is none"
        )
    return found


def write_aif(isotherms: Sequence[ToldIsotherm]) -> str:
    """Write isotherms, each in a block of its own, in the units they were told in.

    Raises:
        MissingExtraError: gemmi, which comes with pyGAPS, is not installed.
    """
    cif = _cif()
    document = cif.Document()
    for place, told in enumerate(isotherms, 1):
        block = document.add_new_block(_block_name(place, told))
        for name, value in _pairs(told):
            block.set_pair(name, cif.quote(value))
        prefix = next(prefix for prefix, branch in _BRANCHES.items() if branch == told.branch)
        loop = block.init_loop(prefix, ["pressure", "amount"])
        for pressure, uptake in told.points:
            loop.add_row([repr(float(pressure)), repr(float(uptake))])
    text: str = document.as_string()
    return text


def _cif() -> Any:
    try:
        from gemmi import cif
    except ImportError as error:
        raise MissingExtraError(
            "AIF files need gemmi, which is not installed; run: pip install 'hstore[isotherms]', or send a CSV"
        ) from error
    return cif


def _isotherm(
    place: int, block: Any, prefix: str, branch: str, unless_stated: Mapping[str, str]
) -> ToldIsotherm | Unusable:
    words = {name: text for name, text in unless_stated.items() if text}
    named = _text(block, "_adsnt_material_id") or _text(block, "_sample_material_id") or str(block.name)
    try:
        for word, names in _WORDS.items():
            told = next((text for name in (_OURS + word, *names) if (text := _text(block, name))), "")
            if told:
                words[word] = told
        _check_adsorptive(_text(block, "_exptl_adsorptive"))
        if "uptake_kind" not in words:
            raise InputError(
                "the file does not state whether uptakes are excess, absolute or total; say uptake_kind"
            )
        pressure_unit = _text(block, "_units_pressure")
        if normalised(pressure_unit) in {"relative", "p_p0", ""}:
            raise InputError(f"_units_pressure must be a unit of pressure, got {pressure_unit or 'none'}")
        loading, basis = _loading(_text(block, "_units_loading"))
        if basis:
            words.setdefault("mass_basis", basis)
        return ToldIsotherm(
            _points(block, prefix),
            _kelvin(block),
            words.pop("uptake_kind"),
            pressure_unit=pressure_unit,
            uptake_unit=loading,
            branch=branch,
            measured_on=_day(words.pop("measured_on", "")),
            confirmed=is_yes(words.pop("confirmed", "")),
            **{name: text for name, text in words.items() if name in _WORDS},
        )
    except HstoreError as error:
        return Unusable(place, named[:80], str(error))


def _text(block: Any, name: str) -> str:
    """Return the text of a name; empty where there is none or it is unknown (``?``, ``.``)."""
    from gemmi import cif

    value = block.find_value(name)
    return "" if value is None or cif.is_null(value) else str(cif.as_string(value)).strip()


def _check_adsorptive(name: str) -> None:
    if name and re.sub(r"[^a-z0-9]", "", name.lower()) not in _ADSORPTIVES:
        raise InputError(f"isotherms of hydrogen are taken, this one is of {name[:40]}")


def _kelvin(block: Any) -> float:
    value, unit = _text(block, "_exptl_temperature"), _text(block, "_units_temperature") or "K"
    try:
        number = float(value)
    except ValueError as error:
        raise InputError(f"_exptl_temperature must be a number, got {value or 'none'}") from error
    short = unit.lower().replace("°", "").replace("deg", "").strip()
    if short not in {"k", "kelvin", "c", "celsius"}:
        raise InputError(f"_units_temperature must be K or C, got {unit}")
    return number if short.startswith("k") else number + _KELVIN_OF_ZERO_C


def _loading(unit: str) -> tuple[str, str]:
    """Return our word for a unit of the amount, and the mass basis where the unit implies it."""
    if not unit:
        raise InputError("_units_loading is needed, such as mmol/g")
    short = normalised(unit.replace("³", "3").replace("%", "pct"))
    ours = _LOADINGS.get(short, unit)
    return ours, "sorbent" if ours == "wt%" and short != "wt_pct" else ""


def _points(block: Any, prefix: str) -> list[tuple[float, float]]:
    columns = [list(block.find_loop(prefix + name)) for name in ("pressure", "amount")]
    if len(columns[0]) != len(columns[1]):
        raise InputError(f"the loop {prefix}pressure needs {prefix}amount beside it, with as many values")
    points = []
    for number, (pressure, amount) in enumerate(zip(*columns, strict=True), 1):
        try:
            points.append((float(pressure), float(amount)))
        except ValueError as error:
            raise InputError(f"point {number} must be two numbers, got {pressure} and {amount}") from error
    return points


def _day(text: str) -> date | None:
    """Return the day of an ISO date or time; other spellings are ambiguous and left out."""
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError:
        return None


def _block_name(place: int, told: ToldIsotherm) -> str:
    name = re.sub(r"[^A-Za-z0-9]+", "_", told.sample or told.formula or told.material_id or "isotherm").strip("_")
    return f"{name[:40]}_{told.temperature_k:g}K_{told.branch}_{place}"


def _pairs(told: ToldIsotherm) -> Iterator[tuple[str, str]]:
    yield "_audit_aif_version", _VERSION
    yield "_audit_creation_method", "hstore"
    yield "_exptl_adsorptive", "hydrogen"
    yield "_exptl_temperature", repr(float(told.temperature_k))
    if told.measured_on is not None:
        yield "_exptl_date", told.measured_on.isoformat()
    if told.instrument:
        yield "_exptl_instrument", told.instrument
    name = told.sample or told.formula or told.material_id
    if name:
        yield "_adsnt_material_id", told.formula or name
        yield "_adsnt_sample_id", name
    if told.reference:
        yield "_citation_doi", told.reference
    yield "_units_temperature", "K"
    yield "_units_pressure", told.pressure_unit
    yield "_units_loading", told.uptake_unit
    yield _OURS + "uptake_kind", told.uptake_kind
    for word in ("mass_basis", "material_id", "formula", "sample", "note", "licence", "row_id"):
        if text := getattr(told, word):
            yield _OURS + word, text
    if told.confirmed:
        yield _OURS + "confirmed", "yes"
