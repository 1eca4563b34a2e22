"""Honest scores: a trained model on a table it has not seen, or a whole recipe by grouped cross-validation.

Every score states its subset and the hash of its split, stands beside baselines, and comes after a leak audit.
How scores are made is in docs/explanation/evaluation.md.
"""

from __future__ import annotations

from hstore_workflows.evaluate.cross_validation import cross_validate
from hstore_workflows.evaluate.protocol import Scoring
from hstore_workflows.evaluate.table import evaluate_table
from hstore_workflows.evaluate.target import Target, read_target

__all__ = ["Scoring", "Target", "cross_validate", "evaluate_table", "read_target"]
