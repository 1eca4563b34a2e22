"""OPTIMADE providers on loopback: one of our own with faults to order, and the library's own server."""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np

from hstore.crystal import Crystal
from hstore.formula import canonical_formula, parse_amounts
from hstore_workflows.sources.optimade.fetch import FetchPlan, fetch_providers
from hstore_workflows.sources.optimade.providers import resolve_providers
from hstore_workflows.sources.optimade.query import OptimadeQuery
from hstore_workflows.sources.optimade.transport import Patience

QUICK = Patience(timeout_s=2.0, retries=3, backoff_s=0.01)
MG_H = OptimadeQuery(elements=("Mg", "H"))
METALS = [
    "Li", "Na", "K", "Rb", "Cs", "Be", "Ca", "Sr", "Ba", "Sc", "Y", "La", "Ce", "Ti", "Zr", "Hf", "V", "Nb", "Cr",
    "Mn",
]  # fmt: skip


def formula(n):
    """A composition for each number, two of the same never; three of five hold Mg and H."""
    metal = METALS[n // 5]
    return [f"Mg{metal}H4", f"Mg2{metal}H6", f"{metal}MgH3", f"{metal}Ni5", f"{metal}O"][n % 5]


INFO = {
    "api_version": "1.2.0",
    "license": {"href": "http://example.org/terms"},
    "available_licenses": ["CC-BY-4.0"],
}
PROVIDER = {"name": "Testing House", "description": "for tests", "prefix": "oqmd"}


def entry(number, formula="MgH2", **attributes):
    """One structure entry whose positions are spread over a cube."""
    amounts = parse_amounts(formula)
    names = [el for el, n in amounts.items() for _ in range(int(n))]
    edge = (14.0 * len(names)) ** (1 / 3) + 0.001 * number
    places = [[(k + 0.5) / len(names) * edge, 0.1 * k % 1 * edge, 0.0] for k in range(len(names))]
    return {
        "id": f"t/{number}",
        "type": "structures",
        "attributes": {
            "chemical_formula_reduced": canonical_formula(amounts),
            "elements": sorted(amounts),
            "nelements": len(amounts),
            "nsites": len(names),
            "lattice_vectors": (np.eye(3) * edge).tolist(),
            "dimension_types": [1, 1, 1],
            "nperiodic_dimensions": 3,
            "cartesian_site_positions": places,
            "species": [{"name": el, "chemical_symbols": [el], "concentration": [1.0]} for el in sorted(amounts)],
            "species_at_sites": names,
            "structure_features": [],
            "last_modified": "2025-03-04T05:06:07Z",
            "_oqmd_stability": 0.001 * number,
            "_oqmd_delta_e": -0.3,
        }
        | attributes,
    }


def crystal(made):
    """The crystal that an entry stands for, from its definition."""
    attributes = made["attributes"]
    cell = np.asarray(attributes["lattice_vectors"])
    from hstore.elements import SYMBOLS

    numbers = [SYMBOLS.index(name) + 1 for name in attributes["species_at_sites"]]
    return Crystal(cell, np.asarray(attributes["cartesian_site_positions"]) @ np.linalg.inv(cell), numbers)


def fetch(home, *servers, query=MG_H, page_rows=7, patience=QUICK, **plan):
    """Fetch from servers (or URLs) with little patience."""
    urls = [s if isinstance(s, str) else s.url for s in servers]
    plan = FetchPlan(patience=patience, page_rows=page_rows, **plan)
    return fetch_providers(resolve_providers(urls), query, home=home, plan=plan)


def fetch_one(home, server, **settings):
    """Fetch from one server; return what became of it and its items."""
    (fetched,) = fetch(home, server, **settings)
    return fetched, list(fetched.items())


class OptimadeServer:
    """The server; set its public fields to make it misbehave."""

    def __init__(self, entries=()):
        self.entries = list(entries)
        self.page_cap = 1000
        """Rows of a page at most, whatever was asked for."""
        self.refuse_above = None
        """A page limit above this is refused with 403, as the specification has it."""
        self.info = INFO
        """Attributes of ``/info``; None answers 404."""
        self.mangle = lambda _number, answer: answer
        """Changes the answer to the n-th request for structures, from 0."""
        self.faults = []
        """(status, headers) for the next requests for structures; 0 drops the connection, "cut" breaks it off
        half way, "short" ends the text half way, "stall" never answers, "drip" sends a byte now and then."""
        self.on_request = lambda _number: None
        """Called at each request for structures with its number, before it is answered."""
        self.requests = []
        """(path, query) of every request."""
        self._release = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._release.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def searches(self):
        """Queries for structures, in order."""
        return [query for path, query in self.requests if path.endswith("/structures")]

    def answer(self, path, query):
        """Status and body for a request."""
        if path == "/v1/info" and self.info is not None:
            return 200, {"data": {"attributes": self.info}, "meta": {"provider": PROVIDER}}
        if path != "/v1/structures":
            return 404, _errors("Not Found", f"no {path}")
        limit = int(query.get("page_limit", 20))
        if self.refuse_above is not None and limit > self.refuse_above:
            return 403, _errors("Forbidden", f"Max allowed page_limit is {self.refuse_above}")
        limit = min(limit, self.page_cap)
        skip = int(query.get("page_offset", 0))
        wanted = mongo_query(query.get("filter", ""))
        found = [e for e in self.entries if not isinstance(e, dict) or matches(e, wanted)]
        rows = [_with_fields(e, query["response_fields"].split(",")) for e in found[skip : skip + limit]]
        more = skip + limit < len(found)
        following = f"{self.url}{path}?{urlencode({**query, 'page_offset': skip + limit})}" if more else None
        meta = {
            "data_returned": len(found),
            "more_data_available": more,
            "api_version": "1.2.0",
            "provider": PROVIDER,
        }
        answer = {"data": rows, "meta": meta, "links": {"next": following}}
        return 200, self.mangle(len(self.searches) - 1, answer)

    def reply_to(self, handler):
        """Answer one request, with the fault that is next in line."""
        parts = urlsplit(handler.path)
        query = {k: v[-1] for k, v in parse_qs(parts.query).items()}
        self.requests.append((parts.path, query))
        asked = parts.path.endswith("/structures")
        if asked:
            self.on_request(len(self.searches) - 1)
        fault, headers = self.faults.pop(0) if asked and self.faults else (200, {})
        if fault == "stall":
            self._release.wait(30)
            return
        status, body = self.answer(parts.path, query)
        data = json.dumps(body).encode()
        half = data[: len(data) // 2]
        if fault == "drip":
            self._drip(handler, data)
        elif fault == "short":
            handler.reply(200, {}, half)
        elif fault == "cut":
            handler.reply(200, {"content-length": str(len(data))}, half)
        elif fault == 200:
            handler.reply(status, {}, data)
        elif fault:
            handler.reply(fault, headers, json.dumps(_errors("Fault", f"ordered {fault}")).encode())

    def _drip(self, handler, data):
        handler.reply(200, {"content-length": str(len(data))}, b"")
        for byte in data:
            if self._release.wait(0.1):
                return
            try:
                handler.wfile.write(bytes([byte]))
            except OSError:
                return


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.owner.reply_to(self)
        self.close_connection = True

    def reply(self, status, headers, data):
        self.send_response(status)
        for name, value in {"content-length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Keep the test output clean."""


@contextmanager
def reference_server(raw_structures):
    """Run the server of the library ``optimade`` with its own paging, mapping and metadata.

    Its storage alone is replaced, for MongoDB and mongomock are not at hand: a list, searched with the query that
    the library makes for MongoDB.

    Set ``OPTIMADE_LOG_DIR`` before: the library writes a log when it is imported.

    Args:
        raw_structures: documents as the library's own test data has them.
    """
    import uvicorn
    from optimade.filtertransformers.mongo import MongoTransformer
    from optimade.server import create_app as factory
    from optimade.server.config import ServerConfig
    from optimade.server.entry_collections import entry_collections as collections

    class ListCollection(collections.EntryCollection):
        def __init__(self, name, resource_cls, resource_mapper, config):  # noqa: ARG002 - as called
            super().__init__(resource_cls, resource_mapper, MongoTransformer(mapper=resource_mapper), config)
            self.documents = []

        def __len__(self):
            return len(self.documents)

        def insert(self, data):
            self.documents += data

        def count(self, **kwargs):
            return sum(matches({"attributes": d, "id": None}, kwargs["filter"]) for d in self.documents)

        def _run_db_query(self, criteria, single_entry=False):  # noqa: ARG002 - as called
            query = criteria["filter"]
            found = [d for d in self.documents if matches({"attributes": d, "id": d.get("task_id")}, query)]
            skip = criteria.get("skip", 0)
            page = found[skip : skip + criteria.get("limit", len(found))]
            return [dict(d) for d in page], len(found), skip + len(page) < len(found)

    made = collections.create_collection
    collections.create_collection = ListCollection
    try:
        config = ServerConfig(
            insert_test_data=False,
            page_limit_max=30,
            # as in the configuration that belongs to the library's test data
            aliases={
                "structures": {
                    "id": "task_id",
                    "chemical_formula_reduced": "pretty_formula",
                    "chemical_formula_anonymous": "formula_anonymous",
                }
            },
        )
        app = factory.create_app(config)
    finally:
        collections.create_collection = made
    app.state.entry_collections["structures"].insert(
        [{name: value for name, value in raw.items() if name != "_id"} for raw in raw_structures]
    )
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def matches(made, query):
    """Evaluate a MongoDB query, as far as the library makes such, on an entry."""
    fields = {"id": made.get("id"), **(made.get("attributes") or {})}
    return all(_holds(fields, key, wanted) for key, wanted in query.items())


@cache
def mongo_query(text):
    """The MongoDB query that the library makes of a filter."""
    from optimade.filterparser import LarkParser
    from optimade.filtertransformers.mongo import MongoTransformer

    return MongoTransformer().transform(LarkParser().parse(text)) if text else {}


_TESTS = {
    "$eq": lambda held, wanted: held == wanted,
    "$ne": lambda held, wanted: held != wanted,
    "$lt": lambda held, wanted: held is not None and held < wanted,
    "$lte": lambda held, wanted: held is not None and held <= wanted,
    "$gt": lambda held, wanted: held is not None and held > wanted,
    "$gte": lambda held, wanted: held is not None and held >= wanted,
    "$in": lambda held, wanted: bool(set(held if isinstance(held, list) else [held]) & set(wanted)),
    "$all": lambda held, wanted: set(wanted) <= set(held or ()),
    "$size": lambda held, wanted: len(held) == wanted,
    "$not": lambda held, wanted: not _holds({"it": held}, "it", wanted),
    "$regex": lambda held, wanted: re.search(wanted, held or "") is not None,
}


def _holds(fields, key, wanted):
    if key in {"$and", "$or", "$nor"}:
        parts = [all(_holds(fields, k, v) for k, v in part.items()) for part in wanted]
        return all(parts) if key == "$and" else any(parts) is (key == "$or")
    return all(_TESTS[test](fields.get(key), value) for test, value in wanted.items())


def _with_fields(made, fields):
    """An entry with the fields asked for alone; those it does not have are null."""
    if not isinstance(made, dict) or not isinstance(made.get("attributes"), dict):
        return made
    return made | {"attributes": {name: made["attributes"].get(name) for name in fields}}


def _errors(title, detail):
    return {"errors": [{"title": title, "detail": detail}], "meta": {}}
