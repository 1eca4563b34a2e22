"""The project's own enumeration of candidates: alloys, hydrides, sorbents and electrolytes that rules allow."""

from __future__ import annotations

from hstore_workflows.sources.enumeration.electrolytes import mobile_ion
from hstore_workflows.sources.enumeration.hazards import cost_notes, is_discounted, safety_notes
from hstore_workflows.sources.enumeration.pool import enumerate_pool, pool_summary

__all__ = ["cost_notes", "enumerate_pool", "is_discounted", "mobile_ion", "pool_summary", "safety_notes"]
