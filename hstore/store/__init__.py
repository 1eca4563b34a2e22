"""The result store on SQLAlchemy: :func:`open_store` and the :class:`Store` it returns."""

from hstore.store.store import Store, open_store

__all__ = ["Store", "open_store"]
