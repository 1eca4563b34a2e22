"""Take out of the text of a formula what is no formula: phase notes, prototypes, remarks, odd characters.

Everything that is dropped or replaced is said in a note. What could change the composition (an additive, a range,
the word hydride) is never dropped, so that :mod:`hstore.formula` refuses it with the cause.
"""

from __future__ import annotations

import re

from hstore.elements import ATOMIC_MASS_G_PER_MOL

_CHARACTERS = str.maketrans(
    "₀₁₂₃₄₅₆₇₈₉（）［］％＋þ−‐‑‒–—⋅∙•‧∗\u00a0\u2009\u202f",
    "0123456789()[]%++" + "-" * 6 + "·" * 4 + "*" + "   ",
    "\u200b\u200c\u200d\u2060\ufeff",
)
_MARKS = (
    r"M\?|M|Am\??|amorp\.?|LT|HT|RT|ss|hcp|fcc|bcc|bct|hex\.?|tetr\.?|ortho\.?|cryst\.?|nano|glass|"
    r"[αβγδε]'?|C14|C15b?|C36|A15|B2|B1|B20|D8b|D2d|L12|L2"
)
_PROTOTYPES = (
    "CaCu5|MgZn2|MgCu2|MgNi2|CsCl|NaCl|CrB|FeB|PuNi3|CeNi3|Ce2Ni7|Gd2Co7|Pr5Co19|Ce5Co19|Th2Zn17|Th2Ni17|"
    "ThMn12|Th6Mn23|Ti2Ni|MoSi2|CuAl2|Al2Cu|Zr2Fe|TiNiSi|ZrNiAl|Fe2P|La2Mg17|AuBe5|Cr3Si|MgSnCu4|Th7Fe3"
)
_SPACE_GROUP = r"[PIFCRA]-?[1-6m][-\d/_mnabcd]{1,7}"
_MARK = re.compile(rf"\s*([(\[](?:{_MARKS})[)\]])\s*\Z", re.IGNORECASE)
_PROTOTYPE = re.compile(rf"\s*(\((?:{_PROTOTYPES})(?:[ -]type)?\))\s*\Z")
_GROUP = re.compile(rf"\s*([(\[]({_SPACE_GROUP})[)\]])\s*\Z")
_REMARK = re.compile(r"\s*([(\[][^()\[\]%=<>~+]*[a-z]{3,}[^()\[\]%=<>~+]*[)\]])\s*\Z")
_TRAILING = re.compile(r"(?:\s*[,;]\s*|\s+)((?:[a-z][a-z'-]{2,}[\s,]*)+)\Z")
_CHANGES = re.compile(r"hydrid|hydrogenat|deuter|tritid|mixed|alloy|doped|with\b", re.IGNORECASE)
_LETTER_O = re.compile(r"([A-Z][a-z]?)o(?=\.\s*\d)")
_HYDRATE = re.compile(r"(?<=[1-9)\]])\.(\d{1,2})(?=H2O\Z)")
_ADDITIVE = re.compile(r"\(\s*\+?\s*(\d[^()]*%\s*[A-Z][A-Za-z0-9.]*)\s*\)\s*\Z")
_OVER = re.compile(r"(?<=\d)\s*(w|a)/o\b")


def clean(text: str) -> tuple[str, list[str]]:
    """Return the formula within a text, and a note on everything dropped or replaced.

    Args:
        text: cell of a table, such as ``"LaNi5 (CaCu5), annealed"``.
    """
    notes: list[str] = []
    body = re.sub(r"\s+", " ", text.translate(_CHARACTERS)).strip().strip("'\"").strip()
    body = _OVER.sub(lambda match: "wt%" if match.group(1) == "w" else "at%", body)
    body = _ADDITIVE.sub(r"+ \1", body)
    body = _without_notes(body, notes)
    body = _with_zeros(body, notes)
    return _with_dots(body, notes), notes


def is_hydrate(text: str) -> bool:
    """Tell whether a text of symbols and numbers ends in crystal water, such as ``CuSO4.5H2O``."""
    return text.endswith("H2O") and _HYDRATE.search(text) is not None


def _without_notes(body: str, notes: list[str]) -> str:
    """Drop marks, prototypes, space groups and remarks from the end, as long as there are any."""
    while True:
        found = _note_at_end(body)
        if found is None:
            return body
        kind, start, words = found
        notes.append(f"{kind} {words} dropped")
        body = body[:start].rstrip()


def _note_at_end(body: str) -> tuple[str, int, str] | None:
    for kind, pattern in (("phase note", _MARK), ("prototype", _PROTOTYPE)):
        match = pattern.search(body)
        if match and match.start() > 0:
            return kind, match.start(), match.group(1)
    match = _GROUP.search(body)
    if match and match.start() > 0 and not _is_made_of_elements(match.group(2)):
        return "space group", match.start(), match.group(1)
    for pattern in (_REMARK, _TRAILING):
        match = pattern.search(body)
        if match and match.start() > 0 and not _CHANGES.search(match.group(1)):
            return "remark", match.start(), match.group(1).strip(" ,")
    return None


def _is_made_of_elements(text: str) -> bool:
    """Tell whether symbols and whole numbers make up all of a text; ``Cd2`` is no space group."""
    if not re.fullmatch(r"(?:[A-Z][a-z]?\d*)+", text):
        return False
    return all(symbol in ATOMIC_MASS_G_PER_MOL for symbol in re.findall(r"[A-Z][a-z]?", text))


def _with_zeros(body: str, notes: list[str]) -> str:
    """Replace the letter o that stands for a zero, as in ``Cro.8``, where no element can be meant."""

    def replace(match: re.Match[str]) -> str:
        symbol = match.group(1)
        if symbol not in ATOMIC_MASS_G_PER_MOL or f"{symbol}o" in ATOMIC_MASS_G_PER_MOL:
            return match.group()
        notes.append(f"letter o behind {symbol} read as zero")
        return f"{symbol}0"

    replaced = _LETTER_O.sub(replace, body)
    return replaced if replaced == body else re.sub(r"(?<=\d\.)\s+(?=\d)", "", replaced)


def _with_dots(body: str, notes: list[str]) -> str:
    """Tell the dot of crystal water from a decimal point: blanks around it, or ``.5H2O`` behind an amount."""
    dotted = re.sub(r"\s\.\s", "·", body)
    if _HYDRATE.search(dotted):
        notes.append("dot before the water read as a hydrate dot, not as a decimal point")
        return _HYDRATE.sub(r"·\1", dotted)
    return dotted
