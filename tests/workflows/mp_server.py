"""A Materials Project on loopback: heartbeat and summary documents, with faults to order."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

KEY = "0123456789abcdef0123456789abcdef"
VERSION = "2026.02.03"
HEARTBEAT = {"status": "OK", "version": "0.90.0", "db_version": VERSION, "access_controlled_batch_ids": []}


def summary(number, formula="LaNi5", **fields):
    """One summary document with a structure that fits its formula."""
    from pymatgen.core import Composition, Lattice, Structure

    species = [el for el, n in Composition(formula).items() for _ in range(int(n))]
    places = [[(k + 0.5) / len(species), 0.1 * k % 1, 0.0] for k in range(len(species))]
    structure = Structure(Lattice.cubic(3.0 * len(species) ** (1 / 3)), species, places)
    return {
        "material_id": f"mp-{number}",
        "formula_pretty": formula,
        "structure": structure.as_dict(),
        "elements": sorted({str(el) for el in species}),
        "energy_above_hull": 0.001 * number,
        "formation_energy_per_atom": -0.3,
        "symmetry": {"symbol": "P1", "number": 1},
        "deprecated": False,
        "last_updated": "2025-01-01T00:00:00",
        "theoretical": False,
    } | fields


class MPServer:
    """The server; set its public fields to make it misbehave."""

    def __init__(self, documents):
        self.documents = list(documents)
        self.page_cap = 1000
        """Rows of a page at most, whatever was asked for."""
        self.extra_total = 0
        """Added to the total announced."""
        self.faults = []
        """(status, headers) given to the next summary requests, first come first served."""
        self.stall = set()
        """Paths that get no answer until the server closes."""
        self.stall_after = 0
        """Requests of a stalling path that are still answered."""
        self.heartbeat = HEARTBEAT
        self.requests = []
        """(path, query, headers) of every request."""
        self._release = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/"
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
        """Queries of the summary requests, in order."""
        return [query for path, query, _ in self.requests if "summary" in path]

    def answer(self, path, query, headers):
        """Status, headers and body for a request."""
        if "heartbeat" in path:
            return 200, {}, self.heartbeat
        if "summary" not in path:
            return 404, {}, {"detail": f"no {path}"}
        if self.faults:
            status, extra = self.faults.pop(0)
            return status, extra, {"detail": f"fault {status}; your key is {headers.get('x-api-key')}"}
        if headers.get("x-api-key") != KEY:
            return 401, {}, {"detail": f"wrong key {headers.get('x-api-key')}"}
        found = [doc for doc in self.documents if _matches(doc, query)]
        fields = query["_fields"].split(",")
        limit = min(int(query.get("_limit", 100)), self.page_cap)
        skip = int(query.get("_skip", 0))
        page = [{k: doc[k] for k in fields if k in doc} for doc in found[skip : skip + limit]]
        return 200, {}, {"data": page, "meta": {"total_doc": len(found) + self.extra_total}}

    def _handler(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                parts = urlsplit(self.path)
                query = {k: v[-1] for k, v in parse_qs(parts.query).items()}
                server.requests.append((parts.path, query, dict(self.headers)))
                seen = sum(path == parts.path for path, *_ in server.requests)
                if any(name in parts.path for name in server.stall) and seen > server.stall_after:
                    server._release.wait(30)
                    return
                headers = {k.lower(): v for k, v in self.headers.items()}
                status, extra, body = server.answer(parts.path, query, headers)
                data = json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"content-length": str(len(data)), **extra}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                """Keep the test output clean."""

        return Handler


def _matches(doc, query):
    elements = set(doc["elements"])
    systems = [set(system.split("-")) for system in query.get("chemsys", "").split(",") if system]
    hull = float(query.get("energy_above_hull_max", "inf"))
    return (
        set(filter(None, query.get("elements", "").split(","))) <= elements
        and not set(filter(None, query.get("exclude_elements", "").split(","))) & elements
        and (not systems or elements in systems)
        and (doc.get("energy_above_hull") or 0.0) <= hull
    )
