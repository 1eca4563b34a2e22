"""Text that others wrote, made safe for HTML and for plots, and names made readable."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Mapping

_SUBSCRIPT = re.compile(r"(?<=[A-Za-z)\]}])(\d+\.?\d*|\.\d+)")
_MAX_NAME = 60
_NO_BREAK_SPACE = "\u00a0"
_MAGPIE = re.compile(r"MagpieData (minimum|maximum|range|mean|avg_dev|mode) (\w+)")
_STATISTICS = {
    "minimum": "lowest",
    "maximum": "highest",
    "range": "range of",
    "mean": "mean",
    "avg_dev": "spread of",
    "mode": "main element's",
}
_ELEMENTAL = {
    "Number": "atomic number",
    "MendeleevNumber": "Mendeleev number",
    "AtomicWeight": "atomic weight",
    "MeltingT": "melting temperature",
    "Column": "periodic column",
    "Row": "periodic row",
    "CovalentRadius": "covalent radius",
    "Electronegativity": "electronegativity",
    "NsValence": "s valence electrons",
    "NpValence": "p valence electrons",
    "NdValence": "d valence electrons",
    "NfValence": "f valence electrons",
    "NValence": "valence electrons",
    "NsUnfilled": "unfilled s states",
    "NpUnfilled": "unfilled p states",
    "NdUnfilled": "unfilled d states",
    "NfUnfilled": "unfilled f states",
    "NUnfilled": "unfilled states",
    "GSvolume_pa": "atomic volume of the element",
    "GSbandgap": "band gap of the element",
    "GSmagmom": "magnetic moment of the element",
    "SpaceGroupNumber": "space group of the element",
}
_UNITS = {
    "_kj_per_mol_h2_atom": " (kJ/mol H₂, per atom)",
    "_kj_per_mol_h2": " (kJ/mol H₂)",
    "_kj_per_mol_a": " (kJ/mol A)",
    "_kj_per_mol": " (kJ/mol)",
    "_amu_per_a3": " (u/Å³)",
    "_per_amu": " (per u)",
    "_per_pm": " (per pm)",
    "_pm": " (pm)",
    "_m2_g": " (m²/g)",
    "_m2_cm3": " (m²/cm³)",
    "_cm3_g": " (cm³/g)",
    "_g_cm3": " (g/cm³)",
    "_a3": " (Å³)",
    "_A": " (Å)",
    "_gpa": " (GPa)",
    "_wt_pct": " (wt%)",
    "_deg": " (°)",
    "_bar": " (bar)",
    "_v": " (V)",
    "_k": " (K)",
    "_r": " (R)",
}
_WORDS = {
    "a": "A",
    "b": "B",
    "ab": "AB",
    "gsa": "gravimetric surface area",
    "vsa": "volumetric surface area",
    "lcd": "largest cavity diameter",
    "pld": "pore limiting diameter",
    "root": "(Miedema, root)",
}
_SHARES = {"a_share_": "on the A sites", "b_share_": "on the B sites", "anion_share_": "among the anions"}
_KINDS = {"a2b": "A2B", "ab": "AB", "ab2": "AB2", "ab3": "AB3", "a2b7": "A2B7", "ab5": "AB5"}


def formula_html(text: str) -> Markup:
    """Write a formula with subscripts, everything else escaped; long texts are shortened."""
    text = shortened(text)
    parts: list[Markup] = []
    start = 0
    for match in _SUBSCRIPT.finditer(text):
        parts += [escape(text[start : match.start()]), Markup("<sub>{}</sub>").format(match.group())]
        start = match.end()
    return Markup("").join([*parts, escape(text[start:])])


def breakable(html: Markup) -> Markup:
    """Let a browser break a long formula between its elements."""
    return html.replace(Markup("</sub>"), Markup("</sub><wbr>"))


def name_html(row: Mapping[str, Any], kind: str) -> Markup:
    """Write the name of a candidate: its formula, or for sorbents the name by which they are known.

    Shipped sorbents carry their name in the identifier (``hstore:mof:MOF-5``), users' rows in ``formula``.
    """
    text = str(row["formula"])
    if kind != "sorbent":
        return formula_html(text)
    shipped = re.fullmatch(r"hstore:[^:]+:(.+)", str(row["material_id"]))
    name = shipped.group(1) if shipped else text
    return escape(shortened(name)) if name.strip() else escape(row["material_id"])


def shortened(text: str) -> str:
    """Cut a text which would break a table or a legend."""
    return text if len(text) <= _MAX_NAME else text[: _MAX_NAME - 1] + "…"


def feature_words(name: str) -> str:
    """Say the name of a feature in words.

    >>> feature_words("MagpieData avg_dev NdValence")
    'spread of d valence electrons'
    >>> feature_words("reversed_stability_kj_per_mol_a")
    'reversed stability (kJ/mol A)'
    """
    magpie = _MAGPIE.fullmatch(name)
    if magpie:
        statistic, elemental = magpie.groups()
        return f"{_STATISTICS[statistic]} {_ELEMENTAL.get(elemental, elemental)}"
    if name.startswith("distance_from_"):
        kind = name.removeprefix("distance_from_")
        return f"distance of B/A from {_KINDS.get(kind, kind)}"
    for prefix, place in _SHARES.items():
        if name.startswith(prefix):
            return f"share of {name.removeprefix(prefix).capitalize()} {place}"
    unit = next((suffix for suffix in _UNITS if name.endswith(suffix)), "")
    stem = name.removesuffix(unit)
    words = [_WORDS.get(word, word) for word in re.split(r"[_ ]", stem)]
    return " ".join(words) + _UNITS.get(unit, "")


def percent(share: float) -> str:
    """Print a share in percent."""
    return f"{100 * share:.0f} %"


def pretty(text: str) -> str:
    """Write degrees and molecular hydrogen as print does; the project's plain texts keep to ASCII.

    >>> pretty("kJ/mol H2")
    'kJ/mol H₂'
    """
    return re.sub(r"\bH2\b", "H₂", re.sub(r" ?degC", _NO_BREAK_SPACE + "°C", text))


def capitalized(text: str) -> str:
    """Begin a text with a capital letter and leave the rest as it is."""
    return text[:1].upper() + text[1:]


def plural(count: int, noun: str) -> str:
    """Count things in words.

    >>> plural(1, "candidate"), plural(1200, "candidate")
    ('1 candidate', '1,200 candidates')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
