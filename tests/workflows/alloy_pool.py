"""A labelled pool on which strategies are tried: quaternary alloys whose merit is a known function."""

from __future__ import annotations

import numpy as np
from pymatgen.core import Element

from hstore.formula import parse_amounts
from hstore_workflows.campaign.landscape import History, Landscape

SITE_A = ["Mg", "Ti", "Zr", "La", "Ca", "Y"]
SITE_B = ["Ni", "Fe", "Mn", "V", "Cr", "Co", "Al"]


def alloy_formulas(n=120, seed=7):
    """Formulas of n alloys of two elements on each of two sites."""
    rng = np.random.default_rng(seed)
    formulas = []
    for _ in range(n):
        a, b = rng.choice(SITE_A, 2, replace=False), rng.choice(SITE_B, 2, replace=False)
        x, y = rng.integers(1, 10, 2) / 10
        ratio = rng.choice([1, 2, 5])
        formulas.append(f"{a[0]}{x:.1f}{a[1]}{1 - x:.1f}{b[0]}{ratio * y:.2f}{b[1]}{ratio * (1 - y):.2f}")
    return formulas


def alloy_labels(formulas):
    """Columns ``merit``, with a narrow optimum, ``size`` and ``negativity``, each of shape (n,)."""
    merit, size, negativity = [], [], []
    for formula in formulas:
        amounts = parse_amounts(formula)
        total = sum(amounts.values())
        radius = sum(n * Element(el).atomic_radius for el, n in amounts.items()) / total
        pull = sum(n * Element(el).X for el, n in amounts.items()) / total
        peak = np.exp(-(((pull - 1.62) / 0.06) ** 2) - ((radius - 1.42) / 0.06) ** 2)
        merit.append(3 * peak + amounts.get("V", 0) / total + 0.3 * np.sin(9 * radius))
        size.append(radius)
        negativity.append(pull)
    return {"merit": np.array(merit), "size": np.array(size), "negativity": np.array(negativity)}


def alloy_landscape(formulas, objective, **others):
    """The pool as descriptors: amounts, and means and spreads of radius and electronegativity."""
    rows = []
    for formula in formulas:
        amounts = parse_amounts(formula)
        weights = np.array(list(amounts.values())) / sum(amounts.values())
        traits = np.array([[Element(el).atomic_radius, Element(el).X, Element(el).group] for el in amounts])
        means = weights @ traits
        rows.append([*means, *np.sqrt(weights @ (traits - means) ** 2)])
    values = np.array(rows, dtype=float)
    return Landscape({"alloy": (values - values.mean(axis=0)) / values.std(axis=0)}, objective, **others)


def measured(labels, rows, columns=("merit",)):
    """Results of rows, for a :class:`History`."""
    return {int(row): {column: float(labels[column][row]) for column in columns} for row in rows}


def best_found(strategy, landscape, labels, *, n_start=10, budget=40, batch=5, seed=0, top=10):
    """Run a campaign on the pool; return how many of the best ``top`` rows by merit it measured."""
    start = np.random.default_rng(seed).permutation(len(landscape))[:n_start]
    results = measured(labels, start)
    while len(results) < budget:
        picks = strategy.choose(landscape, History(results=results), batch, seed=seed)
        assert not {pick.row for pick in picks} & set(results)
        results |= measured(labels, [pick.row for pick in picks])
    return len(set(np.argsort(labels["merit"])[-top:].tolist()) & set(results))
