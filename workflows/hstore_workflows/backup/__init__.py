"""Back-up and restoring of what cannot be computed again: store, campaigns, models and files of jobs."""
