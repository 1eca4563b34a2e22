"""Strategies by name: ours, plain ones to compare with, and those of other libraries."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from hstore.errors import unknown_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore_workflows.campaign.landscape import Strategy

_HERE = "hstore_workflows.campaign.strategies"

DEFAULT = "hstore"
"""Strategy of a campaign that names none."""

STRATEGIES: Mapping[str, str] = {
    "hstore": "portfolio:Portfolio",
    "random": "plain:Random",
    "forest-thompson": "plain:forest_thompson",
    "forest-ei": "plain:forest_improvement",
    "gp-thompson": "plain:process_thompson",
    "gp-ei": "plain:process_improvement",
    "optuna-tpe": "optuna_samplers:Tpe",
    "optuna-gp": "optuna_samplers:Gp",
    "botorch-logei": "botorch:LogEi",
    "botorch-nehvi": "botorch:Nehvi",
    "baybe": "baybe:BayBe",
}
"""Name -> module, and the class or function that makes it. The last five are other libraries'; all but
``optuna-tpe`` need an extra."""


def strategy(name: str) -> Strategy:
    """Return a strategy.

    Args:
        name: a key of :data:`STRATEGIES`, or ``default``.

    Raises:
        UnknownNameError: no such strategy.
    """
    name = DEFAULT if name == "default" else name
    if name not in STRATEGIES:
        raise unknown_name("strategy", name, STRATEGIES)
    module, _, kind = STRATEGIES[name].partition(":")
    made: Strategy = getattr(import_module(f"{_HERE}.{module}"), kind)()
    return made
