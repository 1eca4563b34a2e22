"""Campaigns: propose the next experiments over a pool of candidates, and learn from their results."""
