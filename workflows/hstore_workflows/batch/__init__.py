"""Batch screening: any number of candidates, in shards that are done once, on whatever machines there are."""
