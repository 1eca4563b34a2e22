"""Screens, models and campaigns as RO-Crates: to cite them, and to have the same numbers elsewhere."""
