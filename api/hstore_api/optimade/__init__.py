"""OPTIMADE over the store: structures and references, filtered in SQL, each in the scope of who asks."""
