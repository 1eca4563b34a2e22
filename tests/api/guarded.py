"""The service on one store for all tests of a module, with as many settings as they ask for."""

from __future__ import annotations

from contextlib import ExitStack
from unittest.mock import patch

from fastapi.testclient import TestClient

from hstore.keys import permissions_of
from hstore.records import Family, Material, Provenance
from hstore.settings import Settings
from hstore.store import open_store
from hstore_api.app import create_app
from hstore_api.predictor import Predictor

SECRET = "kU0v8mQ2zX4nB6cR1tY7wE3pL5sA9dF0gH2jK4uI"
MATERIALS = (("a/LaNi5", "LaNi5", Family.INTERSTITIAL), ("d/MgH2", "MgH2", Family.IONIC))


class Guarded:
    """Apps by their settings, made when first asked for; each costs a second before its first answer."""

    def __init__(self, folder):
        self.settings = Settings(home=folder, database_url=f"sqlite:///{folder / 'api.sqlite'}", data_mirror=None)
        self._apps = {}
        self._open = ExitStack()

    def __enter__(self):
        self._open.enter_context(patch.object(Predictor, "start"))  # production trains what is missing
        self.store = self._open.enter_context(open_store(self.settings.store_url))
        source = Provenance(source="test")
        self.store.add_materials(
            Material(material_id=name, formula=formula, family=family, provenance=source)
            for name, formula, family in MATERIALS
        )
        return self

    def __exit__(self, *error):
        self._open.close()

    def client(self, *, base_url="http://testserver", address="testclient", **other):
        """Return a client without cookies; unexpected errors arrive as responses."""
        chosen = repr(sorted(other.items()))
        if chosen not in self._apps:
            if other.get("environment") == "production":
                other = {"secret_key": SECRET} | other
            app = create_app(Settings(**(self.settings.model_dump(exclude_unset=True) | other)))
            self._open.enter_context(TestClient(app))
            self._apps[chosen] = app
        return TestClient(
            self._apps[chosen], raise_server_exceptions=False, base_url=base_url, client=(address, 50000)
        )

    def key(self, lab, scopes="read", **limits):
        """Make a key and return the headers it is sent with."""
        return {"X-API-Key": self.store.keys.create(lab, permissions_of(scopes), lab_id=lab, **limits)[1]}
