"""Sources of candidate materials."""
