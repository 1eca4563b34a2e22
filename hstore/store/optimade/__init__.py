"""What OPTIMADE asks of the store: entries, filters over them, and the index that answers quickly."""
