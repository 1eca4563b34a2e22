"""What a table says of the causes of one of its columns, and what it cannot say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.errors import FormulaError, InputError, unknown_name
from hstore.formula import parse_amounts
from hstore_data.curated import curated_table
from hstore_models.explain.causal.effects import COVERAGE, SIMULATIONS, Effect, estimate_effect
from hstore_models.explain.causal.knowledge import SETS, Knowledge, Variable, curated
from hstore_models.explain.causal.search import METHODS, hidden_causes
from hstore_models.explain.causal.stability import DRAWS, Stability, stability
from hstore_models.features.table import GROUPS
from hstore_models.prediction import Query
from hstore_workflows.tables import FORMULA_COLUMNS, read_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from hstore.arrays import FloatArray
    from hstore_models.explain.causal.graph import CauseGraph

STABLE = 0.8
"""Share of the draws from which on a pair is called stable."""
_SHOWN = 0.3
"""Share of the draws below which a pair is not told."""
_WORDS = {"lingam": "LiNGAM", "pc": "PC"}


@dataclass(frozen=True)
class Prepared:
    """A table made ready: numbers without gaps, one column for each variable."""

    table: pd.DataFrame
    """Variables of the rows that have them all, logarithms taken."""
    groups: tuple[str, ...] | None
    """Chemical system of each row, where there are formulas, or name of the sorbent; None without either."""
    dropped: dict[str, int]
    """Why rows were left out -> how many."""
    grouped_by: str = "chemical systems"
    """What the groups are."""


@dataclass(frozen=True)
class Causes:
    """What was found."""

    target: str
    """The column whose causes are asked for."""
    knowledge: Knowledge
    """Variables and background knowledge."""
    prepared: Prepared
    """The rows."""
    graphs: dict[str, CauseGraph]
    """Method -> graph of all rows."""
    stable: dict[str, Stability]
    """Method -> how often each pair is found again."""
    effects: tuple[Effect, ...]
    """Effects on the target, of the variables that do not come after it."""
    hidden: tuple[tuple[str, str], ...]
    """Pairs for which FCI says that a hidden common cause ties them."""
    failed: dict[str, str] = field(default_factory=dict)
    """What could not be done -> cause."""

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        names = list(self.prepared.table.columns)
        return {
            "target": self.target,
            "set": self.knowledge.name,
            "rows": len(self.prepared.table),
            "groups": None if self.prepared.groups is None else len(set(self.prepared.groups)),
            "dropped": self.prepared.dropped,
            "variables": [
                {"name": v.name, "words": v.words or v.name, "tier": v.tier, "reason": v.reason,
                 "logarithm": v.logarithm}
                for v in self.knowledge.variable if v.name in names
            ],
            "edges": {
                method: [self._edge(method, *pair) for pair in graph.pairs()]
                for method, graph in self.graphs.items()
            },
            "effects": [self._effect(effect) for effect in self.effects],
            "hidden_common_causes": [list(pair) for pair in self.hidden],
            "failed": self.failed,
            "limits": list(self.limits()),
        }  # fmt: skip

    def text(self) -> Iterator[str]:
        """Give the lines that are printed."""
        rows, groups = len(self.prepared.table), self.prepared.groups
        within = "" if groups is None else f" of {len(set(groups))} {self.prepared.grouped_by}"
        variables = self.prepared.table.shape[1]
        yield f"causes of {self.words(self.target)}: {rows} rows{within}, {variables} variables"
        for why, count in self.prepared.dropped.items():
            yield f"  left out: {count} rows, {why}"
        for method in self.graphs:
            yield f"\n{_WORDS[method]}: direct causes, and how often they are found again"
            yield from self._pair_lines(method) or ("  nothing stands out",)
        yield f"\neffects on {self.words(self.target)}, per standard deviation, with {COVERAGE:.0%} intervals:"
        for effect in self.effects:
            told = self._effect(effect)
            low, high = told["standardised_interval"]
            verdict = f"{effect.verdict}: {effect.why}" if effect.why else effect.verdict
            size = f"{effect.standardised:+.2f} ({low:+.2f} to {high:+.2f})"
            yield f"  {self.words(effect.cause)}: {size}, {verdict}"
            yield f"      a hidden cause must explain {effect.robustness:.0%} of what is left of both to undo it"
        for what, why in self.failed.items():
            yield f"  {what}: {why}"
        yield "\nwhat these data cannot say:"
        for line in self.limits():
            yield f"  - {line}"

    def limits(self) -> Iterator[str]:
        """Say in words what the data leave open."""
        if self.knowledge.unsaid:
            yield self.knowledge.unsaid
        yield (
            "LiNGAM takes relations as linear, disturbances as independent and not Gaussian, and no common cause "
            "as hidden; where one of these fails its arrows may point anywhere."
        )
        pc = self.graphs.get("pc")
        if pc is not None:
            ties = [f"{a} and {b}" for a, sign, b in pc.pairs() if sign == "--"]
            if ties:
                yield f"Independences leave the direction open between {', '.join(ties)}: graphs with either fit."
            elif pc.pairs():
                yield "All directions of PC follow from independences and from what was known before."
        for a, b in self.hidden:
            yield f"FCI finds signs of a hidden common cause of {a} and {b}."
        if not self.hidden:
            yield "FCI finds no sign of a hidden common cause; with so few rows that proves little."
        yield (
            "Noise of a measured cause makes its effect look smaller and lends it to what goes with it; the rows "
            "are those that somebody chose to measure."
        )
        yield (
            f"{len(self.effects)} effects were tested at once; a few in a hundred pass by chance, and an effect "
            "that is not refuted is not proved. An experiment that changes one thing settles it."
        )

    def _pair_lines(self, method: str) -> list[str]:
        names = list(self.prepared.table.columns)
        found, graph = self.stable[method], self.graphs[method]
        lines = []
        for i, one in enumerate(names):
            for j, other in enumerate(names):
                share = found.arrows[i, j]
                drawn = bool(graph.arrows[i, j])
                if share >= _SHOWN or drawn:
                    lines.append((share, f"  {one} -> {other}  {share:.0%}{self._mark(share, drawn=drawn)}"))
                share = found.ties[i, j]
                drawn = bool(graph.ties[i, j])
                if i < j and (share >= _SHOWN or drawn):
                    lines.append((share, f"  {one} -- {other}  {share:.0%}{self._mark(share, drawn=drawn)}"))
        return [line for _, line in sorted(lines, key=lambda pair: -pair[0])]

    @staticmethod
    def _mark(share: float, *, drawn: bool) -> str:
        if not drawn:
            return " (only in draws)"
        return " stable" if share >= STABLE else ""

    def _edge(self, method: str, one: str, sign: str, other: str) -> dict[str, Any]:
        names = list(self.prepared.table.columns)
        i, j = names.index(one), names.index(other)
        found = self.stable[method]
        share = found.arrows[i, j] if sign == "->" else found.ties[i, j]
        return {
            "from": one, "to": other, "directed": sign == "->", "stability": float(share),
            "reverse_stability": float(found.arrows[j, i]), "joined_stability": float(found.joined[i, j]),
            "stable": bool(share >= STABLE),
        }  # fmt: skip

    def _effect(self, effect: Effect) -> dict[str, Any]:
        scale = effect.standardised / effect.slope if effect.slope else 0.0
        return {
            "cause": effect.cause,
            "outcome": effect.outcome,
            "adjusted_for": list(effect.adjusted_for),
            "slope": effect.slope,
            "interval": list(effect.interval),
            "interval_99": list(effect.wide),
            "standardised": effect.standardised,
            "standardised_interval": [bound * scale for bound in effect.interval],
            "robustness_value": effect.robustness,
            "tests": [{"name": t.name, "effect": t.effect, "p": t.p, "passed": t.passed} for t in effect.trials],
            "refuted": effect.is_refuted,
            "verdict": effect.verdict,
            "why": effect.why,
        }

    def words(self, name: str) -> str:
        """Return what a chemist calls a variable."""
        found = next((v for v in self.knowledge.variable if v.name == name), None)
        words = found.words or name if found else name
        return f"log10 {words}" if found and found.logarithm else words


def find_causes(
    frame: pd.DataFrame,
    target: str,
    knowledge: Knowledge,
    *,
    draws: int = DRAWS,
    simulations: int = SIMULATIONS,
    seed: int = 0,
) -> Causes:
    """Search for the causes of a column by two methods, and test the effects on it.

    Args:
        frame: table of the materials; descriptors that are no columns are computed from its formulas.
        target: one of the variables.
        knowledge: the variables and what is known of them.
        draws: draws of the rows behind the stability of edges.
        simulations: repeats of each test of an effect.
        seed: seed of draws and tests.

    Raises:
        UnknownNameError: the target is no variable.
        MissingExtraError: lingam, causal-learn or dowhy is not installed.
        InputError: too few rows have all variables.
    """
    prepared = prepare(frame, target, knowledge)
    names = tuple(prepared.table.columns)
    values = prepared.table.to_numpy(dtype=float)
    rules = knowledge.of(names)
    graphs = {method: search(values, names, rules) for method, search in METHODS.items()}
    stable = {
        method: stability(search, values, names, rules, groups=prepared.groups, draws=draws, seed=seed)
        for method, search in METHODS.items()
    }
    failed: dict[str, str] = {}
    effects = []
    for name in _may_cause(names, target, graphs["lingam"], knowledge):
        try:
            effect = estimate_effect(
                prepared.table, name, target, graphs["lingam"].parents(name),
                groups=prepared.groups, simulations=simulations, seed=seed,
            )  # fmt: skip
        except InputError as error:
            failed[f"effect of {name}"] = str(error)
            continue
        effects.append(effect)
    effects.sort(key=lambda effect: -abs(effect.standardised))
    hidden = tuple(hidden_causes(values, names, rules))
    return Causes(target, knowledge, prepared, graphs, stable, tuple(effects), hidden, failed)


def _may_cause(names: Sequence[str], target: str, graph: CauseGraph, knowledge: Knowledge) -> list[str]:
    """Return the variables whose effect on the target is estimated: those that it does not cause itself."""
    tier = {variable.name: variable.tier for variable in knowledge.variable}
    reach, own = graph.reaches(), list(names).index(target)
    return [
        name
        for place, name in enumerate(names)
        if name != target and tier.get(name, 0) <= tier.get(target, 0) and not reach[own, place]
    ]


def prepare(frame: pd.DataFrame, target: str, knowledge: Knowledge) -> Prepared:
    """Compute the variables and keep the rows that have them all.

    Raises:
        UnknownNameError: the target is no variable, or a variable neither a column nor a descriptor.
        InputError: a descriptor is wanted and no formula given, or fewer than 20 rows are left.
    """
    variables = [v for v in knowledge.variable if v.name == target or not v.outcome]
    if target not in {v.name for v in variables}:
        raise unknown_name("target", target, [v.name for v in knowledge.variable])
    dropped: dict[str, int] = {}
    rows = frame
    for column, kept in knowledge.keep.items():
        rows = _kept(rows, _column(rows, column).astype(str).isin(kept), f"other {column}", dropped)
    for column, (low, high) in knowledge.between.items():
        number = pd.to_numeric(_column(rows, column), errors="coerce")
        rows = _kept(rows, number.between(low, high), f"{column} outside {low:g} to {high:g}", dropped)
    if "censored" in rows and target in {"conductivity_s_per_cm", "log10_conductivity_s_per_cm"}:
        uncensored = ~rows["censored"].astype(str).str.lower().isin(["true", "1", "yes"])
        rows = _kept(rows, uncensored, "only a bound of the value is known", dropped)
    rows = rows.reset_index(drop=True)
    amounts = _amounts(rows)
    table = pd.DataFrame({v.name: _values(v, rows, amounts) for v in variables})
    finite = np.isfinite(table.to_numpy(dtype=float)).all(axis=1)
    if not finite.all():
        dropped["a variable is not known"] = int((~finite).sum())
    if finite.sum() < _least_rows(len(variables)):
        raise InputError(
            f"{int(finite.sum())} rows have all of {', '.join(table.columns)}; at least "
            f"{_least_rows(len(variables))} are needed, give more rows or fewer variables"
        )
    groups = _groups(rows, amounts)
    own = None if groups is None else tuple(g for g, known in zip(groups, finite, strict=True) if known)
    by = "sorbents" if "sorbent_class" in rows else "chemical systems"
    return Prepared(table[finite].reset_index(drop=True), own, dropped, by)


def _least_rows(variables: int) -> int:
    return max(20, 5 * variables)


def _column(frame: pd.DataFrame, name: str) -> Any:
    if name not in frame:
        raise unknown_name("column", name, [str(column) for column in frame.columns])
    return frame[name]


def _kept(frame: pd.DataFrame, mask: Any, why: str, dropped: dict[str, int]) -> pd.DataFrame:
    if (count := int((~mask).sum())) > 0:
        dropped[why] = count
    kept: pd.DataFrame = frame[mask]
    return kept


def _amounts(frame: pd.DataFrame) -> list[dict[str, float] | None]:
    column = next((name for name in FORMULA_COLUMNS if name in frame), None)
    if column is None:
        return [None] * len(frame)
    found: list[dict[str, float] | None] = []
    for text in frame[column].fillna("").astype(str):
        try:
            found.append(parse_amounts(text) if text.strip() else None)
        except FormulaError:
            found.append(None)
    return found


def _values(variable: Variable, frame: pd.DataFrame, amounts: list[dict[str, float] | None]) -> FloatArray:
    if variable.name in frame:
        values = pd.to_numeric(frame[variable.name], errors="coerce").to_numpy(dtype=float)
    else:
        values = _descriptor(variable, amounts)
    if variable.logarithm:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.log10(values)
    return np.asarray(values, dtype=float)


def _descriptor(variable: Variable, amounts: list[dict[str, float] | None]) -> FloatArray:
    """Compute a descriptor of the formulas; NaN for rows without one."""
    group = next((name for name, own in GROUPS.items() if variable.name in own.names()), None)
    if group is None:
        known = [name for own in GROUPS.values() for name in own.names()]
        raise unknown_name("column or descriptor", variable.name, known)
    host = variable.of == "host"
    usable = [row for row, a in enumerate(amounts) if a and (not host or set(a) - {"H"})]
    values = np.full(len(amounts), np.nan)
    if not usable:
        raise InputError(f"{variable.name} is computed from formulas; give a formula column, or that column")
    query = Query.of([a for row in usable if (a := amounts[row]) is not None])
    values[usable] = query.features((group,), host=host).select([variable.name]).values[:, 0]
    return values


def _groups(frame: pd.DataFrame, amounts: list[dict[str, float] | None]) -> list[str] | None:
    """Return what rows belong together by: elements but hydrogen, else the name."""
    if "name" in frame and "sorbent_class" in frame:
        return frame["name"].astype(str).tolist()
    if any(amounts):
        return ["-".join(sorted(set(a) - {"H"})) if a else f"row {row}" for row, a in enumerate(amounts)]
    return None


def read_data(data: str | Path, background: Path | None) -> tuple[pd.DataFrame, Knowledge]:
    """Read a table with its knowledge: a curated set by name, or a file with a file of background knowledge.

    Args:
        data: name of a curated set, or path of a CSV or Parquet table.
        background: TOML file of variables and knowledge; may be left out for a curated set.

    Raises:
        InputError: a file cannot be read, or there is no background knowledge for it.
    """
    from pathlib import Path

    from hstore_models.explain.causal.knowledge import read_knowledge

    known = None if background is None else read_knowledge(background)
    name = str(data)
    if name in SETS:
        own = curated(name)
        return curated_table(own.table).frame, known or own
    path = Path(data)
    if not path.is_file():
        raise InputError(f"{name} is neither a file nor one of {', '.join(SETS)}; give either")
    if known is None:
        raise InputError(
            f"give --background FILE.toml with the variables of {path.name} and the reason for each; "
            "a search among columns nobody has thought about says nothing (form: docs/how-to/explanation.md)"
        )
    return read_table(path), known
