"""Models of the pool that learn from a handful of results in milliseconds."""
