"""Read chemical formulas as they occur in the wild, fast and without objects.

The grammar: element symbols with optional decimal amounts, nested ``()``, ``[]`` and ``{}`` groups,
hydrate dots, phase notes and remarks such as ``(M)`` or ``(CaCu5)`` (:mod:`hstore.formula_notes`), LaTeX-style
subscripts, and compositions in percent. What cannot be read raises :class:`FormulaError` with the cause; nothing
is guessed.

Percentages have one rule, whatever sign joins the parts (``Mg-5 wt% Ni``, ``Mg + 5 wt% Ni``, ``Mg/5 wt.% Ni``,
``95Mg-5Ni (wt%)``): they are shares of the whole, and the part without one takes the rest to 100 %. Authors who
add to 100 % of the host are read a little low, by 0.24 of 5 %, which is within what weighing and milling lose; two
rules that hang on a sign would differ by more wherever tables are retyped.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.errors import FormulaError
from hstore.formula_notes import clean, is_hydrate

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_FORMULA_LENGTH = 500
"""Longest formula accepted, characters; real ones stay far below."""

MAX_CANONICAL_AMOUNT = 300
"""Largest integer in a canonical formula; fractions of integers up to it differ by more than 1e-5."""

_WRITTEN_ORDER = (
    "Rn Xe Kr Ar Ne He Fr Cs Rb K Na Li Ra Ba Sr Ca Mg Be "
    "Lr No Md Fm Es Cf Bk Cm Am Pu Np U Pa Th Ac Lu Yb Tm Er Ho Dy Tb Gd Eu Sm Pm Nd Pr Ce La Y Sc "
    "Hf Zr Ti Ta Nb V W Mo Cr Re Tc Mn Os Ru Fe Ir Rh Co Pt Pd Ni Au Ag Cu Hg Cd Zn "
    "Tl In Ga Al B Pb Sn Ge Si C Bi Sb As P N H Po Te Se S O At I Br Cl F"
)
_PLACE = {symbol: place for place, symbol in enumerate(_WRITTEN_ORDER.split())}
_MAX_AMOUNT = 1e6
_DECIMALS = 5
_EXACT = 1e-6
_MAX_DEPTH = 10
_MAX_LONE_FACTOR = 12
_TOKEN = re.compile(r"([A-Z][a-z]?)|([(\[{])|([)\]}])")
_AMOUNT = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?")
_BRACED_SUBSCRIPT = re.compile(r"_?\{(\d+\.?\d*|\.\d+)\}")
_PLAIN = re.compile(r"(?:[A-Z][a-z]?(?:\d+\.?\d*|\.\d+)?)+\Z")
_PLAIN_TERM = re.compile(r"([A-Z][a-z]?)(\d+\.?\d*|\.\d+)?")
_KIND = r"(atomic|at|mole|mol|weight|wt|mass|volume|vol)"
_NUMBER = r"(\d+\.?\d*|\.\d+)"
_PERCENT = rf"(?:{_KIND}\.?[\s-]*)?%"
_PERCENT_TERM = re.compile(rf"{_NUMBER}\s*{_PERCENT}\s*(?:of\s+)?([A-Z(\[{{][A-Za-z0-9.()\[\]{{}}]*)")
_PERCENT_BEHIND = re.compile(rf"([A-Z][a-z]?)\s*{_NUMBER}\s*{_PERCENT}")
_PERCENT_OF_ALL = re.compile(rf"[\s,;]*[(\[]?\s*(?:in\s+)?{_KIND}\.?[\s-]*%\s*[)\]]?\Z")
_SHARE = re.compile(rf"{_NUMBER}?\s*([A-Z(\[{{].*)\Z")
_BLANK_INSIDE = re.compile(rf"(?<=[A-Za-z0-9)])\s+(?=[A-Z])|(?<=[A-Za-z)])\s+(?=\d+\.?\d*(?![\d.]*\s*{_PERCENT}))")
_BETWEEN = re.compile(r"\s*[-+/,]?\s*")
_BASE_END = re.compile(r"(?:\s*[-+/,]\s*|\s+)\Z")
_NOT_FORMULAS = {"nan", "none", "null", "na", "n/a", "unknown", "-", "?"}
_MISCHMETAL = {"Mm", "Lm", "Ml"}
_PERCENT_SLACK = 1.0
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class ParsedFormula:
    """A formula as amounts of elements."""

    amounts: dict[str, float]
    """Amount of each element in the formula unit as written, all positive, in order of appearance."""
    notes: tuple[str, ...] = ()
    """What was dropped or interpreted on the way, for the record."""

    @property
    def reduced(self) -> str:
        """Canonical text, equal for equal compositions (see :func:`canonical_formula`)."""
        return canonical_formula(self.amounts)

    @property
    def chemical_system(self) -> str:
        """Elements in alphabetical order joined by hyphens, such as ``"La-Ni"``."""
        return "-".join(sorted(self.amounts))


def parse_formula(text: str) -> ParsedFormula:
    """Read a formula into amounts of elements.

    Args:
        text: a formula such as ``"Ti0.95Zr0.05Mn1.55V0.45"``, ``"Hf2Cu (M)"``, ``"Ca(BH4)2"``,
            ``"Mg-5 at.% Ni"`` or ``"MgH2 + 5 mol% TiF3"``.

    Returns:
        The amounts, and notes on anything dropped or interpreted (phase notes, remarks, percentages, elements
        with amount zero).

    Raises:
        FormulaError: empty, longer than ``MAX_FORMULA_LENGTH``, unknown element, unbalanced bracket,
            variable stoichiometry, mischmetal, percentages that do not say of what or do not add up, or no
            element with a positive amount.
    """
    if not isinstance(text, str) or not text.strip():
        raise FormulaError(f"formula is empty (got {text!r}); write one such as LaNi5 or Ca(BH4)2")
    if len(text) > MAX_FORMULA_LENGTH:
        raise FormulaError(
            f"formula has {len(text)} characters ({text[:24]!r}...); at most {MAX_FORMULA_LENGTH} are read"
        )
    if _PLAIN.match(text) and not _is_missing(text) and not is_hydrate(text):
        return _settle(_plain_amounts(text), text, [])
    return _parse_general(text)


def parse_amounts(text: str) -> dict[str, float]:
    """Read a formula into amounts of elements, without the notes (see :func:`parse_formula`)."""
    return parse_formula(text).amounts


def formula_text(amounts: dict[str, float]) -> str:
    """Write amounts as a formula, in the order given, with at most six significant digits."""
    return "".join(el + ("" if n == 1 else f"{n:.6g}") for el, n in amounts.items())


def written_formula(amounts: Mapping[str, float]) -> str:
    """Write amounts as chemists do: MgH2, NaAlH4, Mg2FeH6, LaNi5H6, NH3, H2O.

    Elements stand in the sequence of the IUPAC (Nomenclature of Inorganic Chemistry, Recommendations 2005, table
    VI), the most electronegative last; hydrogen is between nitrogen and polonium in it.
    """
    return formula_text({element: amounts[element] for element in sorted(amounts, key=_PLACE.__getitem__)})


def canonical_formula(amounts: dict[str, float]) -> str:
    """Write amounts in one canonical way, equal for equal compositions whatever their scale.

    Elements stand in alphabetical order with the smallest integers up to ``MAX_CANONICAL_AMOUNT``
    (``TiFe0.5`` and ``Ti2Fe`` both give ``FeTi2``). Compositions without such integers are written as
    multiples of the largest amount with five decimals; elements that round to zero there are left out.
    """
    thousandths = {el: round(1000 * amounts[el]) for el in sorted(amounts)}
    divisor = math.gcd(*thousandths.values())
    exact = all(n > 0 and abs(1000 * amounts[el] - n) < _EXACT for el, n in thousandths.items())
    if exact and max(thousandths.values()) <= MAX_CANONICAL_AMOUNT * divisor:
        return formula_text({el: float(n // divisor) for el, n in thousandths.items()})
    return _canonical_ratios(amounts)


def _canonical_ratios(amounts: dict[str, float]) -> str:
    """Canonical formula of amounts that are not plain thousandths, or not of small integers."""
    largest = max(amounts.values())
    # Rounded twice, so that noise in the last bits cannot decide a tie in the fifth decimal.
    rounded = {el: round(round(amounts[el] / largest, 10), _DECIMALS) for el in sorted(amounts)}
    ratios = {el: ratio for el, ratio in rounded.items() if ratio > 0}
    parts = {el: Fraction(ratio).limit_denominator(MAX_CANONICAL_AMOUNT) for el, ratio in ratios.items()}
    scale = math.lcm(*(part.denominator for part in parts.values()))
    if scale > MAX_CANONICAL_AMOUNT or any(round(float(parts[el]), _DECIMALS) != ratios[el] for el in parts):
        return formula_text(ratios)
    return formula_text({el: float(part * scale) for el, part in parts.items()})


def molar_mass_g_per_mol(amounts: dict[str, float]) -> float:
    """Return the mass of one formula unit, g/mol."""
    return sum(n * ATOMIC_MASS_G_PER_MOL[el] for el, n in amounts.items())


def _plain_amounts(text: str) -> dict[str, float]:
    amounts: dict[str, float] = {}
    for symbol, number in _PLAIN_TERM.findall(text):
        amounts[symbol] = amounts.get(symbol, 0.0) + (float(number) if number else 1.0)
    return amounts


def _is_missing(body: str) -> bool:
    """Tell words for a missing value from formulas; ``Na`` is sodium, ``NaN`` and ``na`` are not."""
    return body != "Na" and body.lower() in _NOT_FORMULAS


def _parse_general(text: str) -> ParsedFormula:
    if _is_missing(text.strip().strip("'\"").strip()):
        raise FormulaError(f"{text!r} is a word for a missing value, not a formula; fill in the formula")
    body, notes = clean(text)
    if "%" in body:
        return _settle(_percent_amounts(_BLANK_INSIDE.sub("", body), text, notes), text, notes)
    amounts: dict[str, float] = {}
    body = re.sub(r"[\s_$~]", "", _BRACED_SUBSCRIPT.sub(r"\1", body))
    parts = re.split(r"[·*]|(?<=\D)\.(?=\D)", body)
    for part in parts:
        lead = re.match(r"(\d+\.?\d*|\.\d+)(?=[A-Z(\[{])", part)
        factor = float(lead.group(1)) if lead else 1.0
        inner = _grouped_amounts(part[lead.end() :] if lead else part, text)
        if len(parts) == 1 and factor > _MAX_LONE_FACTOR:
            raise _percent_unclear(text)
        _add(amounts, inner, factor)
    return _settle(amounts, text, notes)


def _grouped_amounts(body: str, text: str) -> dict[str, float]:
    """Amounts of a body with brackets, by a stack of open groups."""
    stack: list[tuple[str, dict[str, float]]] = [("", {})]
    position = 0
    while position < len(body):
        match = _TOKEN.match(body, position)
        if match is None:
            raise _unreadable(body, position, text)
        symbol, opening, closing = match.groups()
        position = match.end()
        if opening:
            if len(stack) > _MAX_DEPTH:
                raise FormulaError(f"formula {text!r} nests brackets deeper than {_MAX_DEPTH}; simplify it")
            stack.append((_CLOSING[opening], {}))
            continue
        number = _AMOUNT.match(body, position)
        amount = float(number.group()) if number else 1.0
        position = number.end() if number else position
        if symbol:
            _add(stack[-1][1], {symbol: 1.0}, amount)
            continue
        if len(stack) == 1 or closing != stack[-1][0]:
            raise FormulaError(f"unbalanced bracket {closing!r} in formula {text!r}; close what was opened")
        group = stack.pop()[1]
        if not group:
            raise FormulaError(f"empty brackets in formula {text!r}; write what they hold or drop them")
        _add(stack[-1][1], group, amount)
    if len(stack) > 1:
        raise FormulaError(f"unbalanced bracket in formula {text!r}: {stack[-1][0]!r} is missing")
    return stack[0][1]


def _add(into: dict[str, float], amounts: dict[str, float], factor: float = 1.0) -> None:
    for el, n in amounts.items():
        into[el] = into.get(el, 0.0) + factor * n


def _percent_amounts(body: str, text: str, notes: list[str]) -> dict[str, float]:
    """Amounts of parts in percent of the whole; a part without percentage takes the rest."""
    parts, kinds = _percent_parts(body, text)
    total = sum(share for _, share in parts if share is not None)
    rests = sum(share is None for _, share in parts)
    if len(kinds) != 1 or rests > 1 or (total >= 100.0 if rests else abs(total - 100.0) > _PERCENT_SLACK):
        raise FormulaError(
            f"cannot read the percentages in {text!r}; write them as 'Mg-5 at.% Ni' or 'Mg-5 wt% Ni', "
            "one kind of percent, summing to at most 100"
        )
    word = kinds.pop()
    kind = _kind(word, text)
    notes.append(f"percentages{'' if word else ' that do not say of what'} read as {kind} percent of the whole")
    amounts: dict[str, float] = {}
    for formula, share in parts:
        part = _grouped_amounts(re.sub(r"\s", "", formula), text)
        _refuse_unknown(part, text)
        if sum(part.values()) <= 0:
            raise FormulaError(f"no positive amount in part of {text!r}; give every part an amount")
        size = {"atomic": sum(part.values()), "mole": 1.0, "weight": molar_mass_g_per_mol(part)}[kind]
        _add(amounts, part, (100.0 - total if share is None else share) / size)
    whole = sum(amounts.values())
    return {el: n / whole for el, n in amounts.items()}


def _percent_parts(body: str, text: str) -> tuple[list[tuple[str, float | None]], set[str]]:
    """Split ``Base-5 wt% X``, ``X 5 wt% Y 95 wt%`` or ``95X-5Y (wt%)`` into parts and kinds of percent.

    The share of a part that has none is None.
    """
    behind = list(_PERCENT_BEHIND.finditer(body))
    if behind and not _BETWEEN.sub("", _PERCENT_BEHIND.sub("", body)):
        return [(m.group(1), float(m.group(2))) for m in behind], {m.group(3) or "" for m in behind}
    unit = _PERCENT_OF_ALL.search(body)
    if unit and unit.start() > 0 and "%" not in body[: unit.start()]:
        return _shares_of_all(body[: unit.start()], text), {unit.group(1)}
    terms = list(_PERCENT_TERM.finditer(body))
    if not terms:
        return [], set()
    gaps = [body[one.end() : two.start()] for one, two in pairwise(terms)] + [body[terms[-1].end() :]]
    stray = next((gap for gap in gaps if not _BETWEEN.fullmatch(gap)), None)
    if stray is not None:
        raise FormulaError(
            f"cannot read {stray.strip()!r} behind a percentage in {text!r}; give every part its own"
        )
    parts: list[tuple[str, float | None]] = [(m.group(3), float(m.group(1))) for m in terms]
    base = _BASE_END.sub("", body[: terms[0].start()])
    return [(base, None), *parts] if base.strip() else parts, {m.group(2) or "" for m in terms}


def _shares_of_all(body: str, text: str) -> list[tuple[str, float | None]]:
    """Parts of ``95Mg-5Ni``, or of ``Mg95Ni5``, whose amounts are shares."""
    pieces = re.split(r"\s*[-+/]\s*", body.strip())
    if len(pieces) == 1:
        return [(el, n) for el, n in _grouped_amounts(re.sub(r"\s", "", body), text).items()]
    matches = [_SHARE.match(piece) for piece in pieces]
    if not all(matches):
        return []
    return [(m.group(2), float(m.group(1)) if m.group(1) else None) for m in matches if m]


def _kind(word: str, text: str) -> str:
    """Kind of percent; without a word, atomic."""
    if word.startswith("vol"):
        raise FormulaError(f"{text!r} is in volume percent, which needs densities; write it in 'wt%' or 'at.%'")
    return {"wt": "weight", "weight": "weight", "mass": "weight", "mol": "mole", "mole": "mole"}.get(
        word, "atomic"
    )


def _refuse_unknown(amounts: dict[str, float], text: str) -> None:
    unknown = [el for el in amounts if el not in ATOMIC_MASS_G_PER_MOL]
    if unknown:
        hint = "; mischmetal has no fixed composition, write it out" if _MISCHMETAL & set(unknown) else ""
        raise FormulaError(f"unknown element {', '.join(map(repr, unknown))} in formula {text!r}{hint}")


def _settle(amounts: dict[str, float], text: str, notes: list[str]) -> ParsedFormula:
    _refuse_unknown(amounts, text)
    zero = [el for el, n in amounts.items() if n == 0]
    kept = {el: n for el, n in amounts.items() if n > 0} if zero else amounts
    if not kept:
        raise FormulaError(f"all amounts are zero in formula {text!r}; give at least one positive amount")
    if any(not math.isfinite(n) or n > _MAX_AMOUNT for n in kept.values()):
        raise FormulaError(f"an amount in formula {text!r} is not a believable number (above {_MAX_AMOUNT:g})")
    notes.extend(f"element {el} with amount zero dropped" for el in zero)
    return ParsedFormula(kept, tuple(notes))


def _unreadable(body: str, position: int, text: str) -> FormulaError:
    found = body[position]
    if found.islower():
        return FormulaError(
            f"variable or unknown symbol {body[max(0, position - 1) : position + 1]!r} in formula {text!r}; "
            "write numbers instead of variables such as x and y"
        )
    if re.fullmatch(r"[A-Z][A-Za-z0-9]*(-\d+\.?\d*[A-Z][A-Za-z0-9.]*)+", body):
        return _percent_unclear(text)
    if found == "-":
        return FormulaError(
            f"unexpected '-' in formula {text!r}; a composition range or a negative amount is not read"
        )
    return FormulaError(f"unexpected {found!r} in formula {text!r}; use element symbols, numbers and brackets")


def _percent_unclear(text: str) -> FormulaError:
    return FormulaError(
        f"{text!r} does not say whether its amounts are atomic or weight percent; "
        "write it as 'Mg-25 wt% Ni' or 'Mg-25 at.% Ni'"
    )
