"""Curated tables, provenance cards and public data sets."""
