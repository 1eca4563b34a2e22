"""The ranking in the terminal: formulas in one line, and pressures that read like pressures."""

from __future__ import annotations

import pandas as pd
import pytest

from hstore_workflows.cli.ranking import print_ranking


def ranking(formula, pressure_bar):
    """A ranking of one hydride."""
    properties = {"h2_capacity_wt_pct": 1.5, "plateau_pressure_bar": pressure_bar}
    ends = {f"{name}_{end}": value for name, value in properties.items() for end in ("mean", "lower", "upper")}
    return pd.DataFrame([{"rank": 1, "formula": formula, "score": 0.5, "domain_reason": "far away " * 9, **ends}])


@pytest.mark.parametrize("formula", ["TiFe", "Ti0.1V0.7Cr0.1Mn0.1"])
def test_a_formula_stands_in_one_line_whatever_is_remarked(capsys, formula):
    print_ranking("title", ranking(formula, 3.0), "hydride")
    assert f" {formula} " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("bar", "words"),
    [(1.8e-4, "0.00018"), (0.3, "0.3"), (137.0, "140"), (1130.0, "1100"), (3.2e6, "3.2e+06")],
)
def test_pressures_have_two_digits_and_no_power_of_ten_while_they_are_short(capsys, bar, words):
    print_ranking("title", ranking("TiFe", bar), "hydride")
    assert f"{words} {words} to {words}" in " ".join(capsys.readouterr().out.split())
