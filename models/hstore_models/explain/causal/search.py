"""Search for a graph of causes: DirectLiNGAM, and the PC and FCI algorithms.

DirectLiNGAM (Shimizu et al. 2011, JMLR 12, 1225) finds an order of causes from linear relations whose disturbances
are not Gaussian and independent, with no common cause left out; then it names every arrow. PC (Spirtes, Glymour
and Scheines 2000) asks only which partial correlations vanish, and leaves open what they cannot tell; FCI does the
same without assuming that no common cause is hidden. They fail in unlike ways, so what both find deserves more
belief.
"""

from __future__ import annotations

import warnings
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError, MissingExtraError
from hstore_models.explain.causal.graph import CauseGraph
from hstore_models.explain.causal.knowledge import Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hstore.arrays import FloatArray
    from hstore_models.explain.causal.graph import Matrix

    Search = Callable[[FloatArray, Sequence[str], Rules | None], CauseGraph]

SIGNIFICANCE = 0.01
"""Level of the tests that keep an arrow or a tie."""
_ROWS_PER_VARIABLE = 5
_TIE, _HEAD = -1, 1
"""Ends of an edge as causal-learn codes them: a tail and an arrowhead."""


def search_lingam(values: FloatArray, names: Sequence[str], rules: Rules | None = None) -> CauseGraph:
    """Find a graph by DirectLiNGAM.

    The order of causes is LiNGAM's, under the tiers. For each variable an adaptive lasso chooses among those
    before it; arrows whose coefficient in the ordinary least-squares fit differs from 0 at the level
    ``SIGNIFICANCE`` stay.

    Args:
        values: shape ``(n, p)``, without gaps.
        names: the p variables.
        rules: what is known.

    Raises:
        MissingExtraError: lingam is not installed.
        InputError: too few rows, or a variable that does not vary.
    """
    lingam = _lingam()
    scaled = _scaled(values, names)
    known = rules or Rules.nothing(len(names))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Of an arrow that cannot be, LiNGAM would make an order: it is told of tiers and needed arrows alone.
        prior = np.full((len(names), len(names)), -1)
        prior[(known.tiers[:, None] < known.tiers[None, :])] = 0
        prior[known.must.T] = 1
        np.fill_diagonal(prior, -1)
        model = lingam.DirectLiNGAM(random_state=0, prior_knowledge=prior if (prior >= 0).any() else None)
        model.fit(scaled)
        arrows = _arrows(scaled, list(model.causal_order_), known)
    return CauseGraph(tuple(names), arrows, np.zeros_like(arrows))


def _arrows(scaled: FloatArray, order: list[int], known: Rules) -> Matrix:
    from lingam.utils import predict_adaptive_lasso

    arrows = np.zeros((len(order), len(order)), dtype=bool)
    for place, effect in enumerate(order):
        before = [cause for cause in order[:place] if not known.barred[cause, effect]]
        if not before:
            continue
        weights = predict_adaptive_lasso(scaled, before, effect)
        chosen = [c for c, weight in zip(before, weights, strict=True) if weight or known.must[c, effect]]
        for cause, doubt in zip(chosen, _doubts(scaled[:, chosen], scaled[:, effect]), strict=True):
            arrows[cause, effect] = doubt < SIGNIFICANCE or known.must[cause, effect]
    return arrows


def _doubts(causes: FloatArray, effect: FloatArray) -> FloatArray:
    """Return the two-sided p of each coefficient of a least-squares fit with intercept, shape ``(k,)``."""
    from scipy import stats

    n, k = causes.shape
    if not k:
        return np.empty(0)
    design = np.column_stack([np.ones(n), causes])
    coefficients, *_ = np.linalg.lstsq(design, effect, rcond=None)
    free = max(n - k - 1, 1)
    variance = float(((effect - design @ coefficients) ** 2).sum()) / free
    errors = np.sqrt(np.maximum(variance * np.diagonal(np.linalg.pinv(design.T @ design)), 1e-300))
    return np.asarray(2 * stats.t.sf(np.abs(coefficients / errors), free)[1:])


def search_pc(values: FloatArray, names: Sequence[str], rules: Rules | None = None) -> CauseGraph:
    """Find a graph by the PC algorithm with Fisher's test of partial correlations.

    Args:
        values: shape ``(n, p)``, without gaps.
        names: the p variables.
        rules: what is known.

    Raises:
        MissingExtraError: causal-learn is not installed.
        InputError: too few rows, or a variable that does not vary.
    """
    ends = _constraint("PC", values, names, rules)
    arrows = (ends.T == _HEAD) & (ends == _TIE)
    ties = (ends != 0) & ~arrows & ~arrows.T
    return _under_rules(CauseGraph(tuple(names), arrows, ties | ties.T), rules)


def hidden_causes(values: FloatArray, names: Sequence[str], rules: Rules | None = None) -> list[tuple[str, str]]:
    """Return the pairs of variables for which FCI says that a hidden common cause ties them.

    Args:
        values: shape ``(n, p)``, without gaps.
        names: the p variables.
        rules: what is known.
    """
    ends = _constraint("FCI", values, names, rules)
    both = (ends == _HEAD) & (ends.T == _HEAD)
    return [(names[i], names[j]) for i, j in np.argwhere(np.triu(both, 1)).tolist()]


def _constraint(method: str, values: FloatArray, names: Sequence[str], rules: Rules | None) -> Any:
    """Run PC or FCI and return the ends of the edges, shape ``(p, p)``."""
    try:
        from causallearn.search.ConstraintBased.FCI import fci
        from causallearn.search.ConstraintBased.PC import pc
    except ImportError as error:
        raise MissingExtraError(f"{method} needs causal-learn; pip install 'hstore[explain]'") from error
    scaled = _scaled(values, names)
    knowledge = None if rules is None else _background(names, rules)
    quiet: dict[str, Any] = {"verbose": False, "show_progress": False, "background_knowledge": knowledge}
    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        try:
            if method == "PC":
                return pc(scaled, SIGNIFICANCE, "fisherz", node_names=list(names), **quiet).G.graph
            return fci(scaled, "fisherz", SIGNIFICANCE, node_names=list(names), **quiet)[0].graph
        except ValueError as error:
            raise InputError(
                f"{method} cannot tell the variables apart ({error}); one of {', '.join(names)} follows from "
                "others, leave it out"
            ) from error


def _background(names: Sequence[str], rules: Rules) -> Any:
    from causallearn.graph.GraphNode import GraphNode
    from causallearn.utils.PCUtils.BackgroundKnowledge import BackgroundKnowledge

    nodes, knowledge = [GraphNode(name) for name in names], BackgroundKnowledge()
    for i, j in np.argwhere(rules.barred & ~np.eye(len(names), dtype=bool)).tolist():
        knowledge.add_forbidden_by_node(nodes[i], nodes[j])
    for i, j in np.argwhere(rules.must).tolist():
        knowledge.add_required_by_node(nodes[i], nodes[j])
    return knowledge


def _under_rules(graph: CauseGraph, rules: Rules | None) -> CauseGraph:
    """Direct or drop what a search left against what is known, and put in what must be."""
    if rules is None:
        return graph
    arrows, ties = graph.arrows.copy(), graph.ties.copy()
    for i, j in np.argwhere(np.triu(graph.joined | rules.must | rules.must.T, 1)).tolist():
        forth, back = not rules.barred[i, j], not rules.barred[j, i]
        if rules.must[i, j] or rules.must[j, i]:
            arrows[i, j], arrows[j, i] = rules.must[i, j], rules.must[j, i]
            ties[i, j] = ties[j, i] = False
        elif forth != back or not (forth or back):
            arrows[i, j], arrows[j, i] = forth, back
            ties[i, j] = ties[j, i] = False
    return CauseGraph(graph.names, arrows, ties)


def _scaled(values: FloatArray, names: Sequence[str]) -> FloatArray:
    """Return variables of mean 0 and standard deviation 1."""
    n, p = values.shape
    if n < _ROWS_PER_VARIABLE * p:
        raise InputError(
            f"{n} rows say nothing of {p} variables; give at least {_ROWS_PER_VARIABLE} rows for each, or fewer "
            "variables"
        )
    spread = values.std(axis=0)
    if (spread <= 1e-12 * np.maximum(1.0, np.abs(values).max(axis=0))).any():
        still = names[int(np.argmin(spread))]
        raise InputError(f"{still} is the same in all {n} rows, so it explains nothing; leave it out")
    return np.asarray((values - values.mean(axis=0)) / spread)


def _lingam() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a package that it brings, on literals
            import lingam
    except ImportError as error:
        raise MissingExtraError("LiNGAM needs lingam; pip install 'hstore[explain]'") from error
    return lingam


METHODS: dict[str, Search] = {"lingam": search_lingam, "pc": search_pc}
"""Name of a method -> search."""
