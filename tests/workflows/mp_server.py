"""A Materials Project on loopback: heartbeat, summary and thermo documents, with faults to order."""

from __future__ import annotations

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np

KEY = "0123456789abcdef0123456789abcdef"
VERSION = "2026.02.03"
HEARTBEAT = {"status": "OK", "version": "0.90.0", "db_version": VERSION, "access_controlled_batch_ids": []}
FORMULAS = ["LaNi5", "LaNi5H6", "MgH2", "NaAlH4", "Li3PS4", "LaNiO3", "TiFe"]

RESET, CUT, JUNK, STALL, DRIP = "reset", "cut", "junk", "stall", "drip"
"""Ways to answer a search badly: break off, cut the JSON, send another text, be silent, send byte by byte."""

JUNK_TEXT = b"<html>try later</html>"


def summary(number, formula="LaNi5", **fields):
    """One summary document with a structure that fits its formula and is like no other's."""
    from pymatgen.core import Composition, Lattice, Structure

    species = [el for el, n in Composition(formula).items() for _ in range(int(n))]
    places = np.random.default_rng(number).random((len(species), 3))
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
        "band_gap": 0.5,
        "bulk_modulus": {"vrh": 100.0},
        "ordering": "NM",
    } | fields


def thermo(identifier, formula, energy_ev_per_atom, *, kind="GGA_GGA+U", correction=0.0, **fields):
    """One thermo document whose entry has this corrected energy."""
    from pymatgen.core import Composition

    composition = Composition(formula)
    energy = energy_ev_per_atom * composition.num_atoms
    entry = {
        "@module": "pymatgen.entries.computed_entries",
        "@class": "ComputedStructureEntry",
        "composition": {str(el): n for el, n in composition.items()},
        "energy": energy - correction,
        "correction": correction,
        "entry_id": f"{identifier}-GGA",
        "parameters": {"run_type": "GGA"},
    }
    return {
        "material_id": identifier,
        "thermo_type": kind,
        "formula_pretty": formula,
        "elements": sorted(entry["composition"]),
        "energy_per_atom": energy_ev_per_atom,
        "energy_type": "GGA",
        "entries": {"GGA": entry},
    } | fields


def many(count=91, formulas=FORMULAS):
    """So many summary documents, formulas in turn."""
    return [summary(n, formulas[n % len(formulas)]) for n in range(1, count + 1)]


class MPServer:
    """The server; set its public fields to make it misbehave."""

    def __init__(self, documents=(), thermo_documents=()):
        self.documents = list(documents)
        self.thermo = list(thermo_documents)
        self.page_cap = lambda _skip: 1000
        """Rows of a page at most, whatever was asked for, after so many rows."""
        self.extra_total = lambda _search: 0
        """Added to the total announced in the n-th search request."""
        self.faults = []
        """What the next search requests get: (status, headers), one of the words, or None for no fault."""
        self.url_max = 10**6
        """Longest path with query that is answered; longer ones get 414."""
        self.ids_max = 10**6
        """Most identifiers in one request; more get 422."""
        self.delay_s = 0.0
        """Wait before each search is answered."""
        self.stall = set()
        """Paths that get no answer until the server closes."""
        self.stall_after = 0
        """Requests of a stalling path that are still answered."""
        self.heartbeat = HEARTBEAT
        self.requests = []
        """(path, query, headers) of every request."""
        self.release = threading.Event()
        """Set when the server closes."""
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.daemon_threads = True
        self._http.owner = self
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.release.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def searches(self):
        """Queries of the search requests, in order."""
        return [query for path, query, _ in self.requests if "materials" in path]

    def answer(self, path, query, headers):
        """Status, headers and body for a request."""
        if "heartbeat" in path:
            return 200, {}, self.heartbeat
        held = {"/materials/summary/": self.documents, "/materials/thermo/": self.thermo}.get(path)
        if held is None:
            return 404, {}, {"detail": f"no {path}"}
        if headers.get("x-api-key") != KEY:
            return 401, {}, {"detail": f"wrong key {headers.get('x-api-key')}"}
        if len(query.get("material_ids", "").split(",")) > self.ids_max:
            return 422, {}, {"detail": [{"loc": ["query", "material_ids"], "msg": "too many"}]}
        found = [doc for doc in held if _matches(doc, query)]
        fields = query["_fields"].split(",")
        skip = int(query.get("_skip", 0))
        limit = min(int(query.get("_limit", 100)), self.page_cap(skip))
        page = [{k: doc[k] for k in fields if k in doc} for doc in found[skip : skip + limit]]
        total = len(found) + self.extra_total(len(self.searches))
        return 200, {}, {"data": page, "meta": {"total_doc": total, "asked_by": headers.get("x-api-key")}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        owner = self.server.owner
        parts = urlsplit(self.path)
        query = {k: v[-1] for k, v in parse_qs(parts.query).items()}
        owner.requests.append((parts.path, query, dict(self.headers)))
        seen = sum(path == parts.path for path, *_ in owner.requests)
        if any(name in parts.path for name in owner.stall) and seen > owner.stall_after:
            return self.say_nothing()
        fault = None
        if "materials" in parts.path:
            time.sleep(owner.delay_s)
            fault = owner.faults.pop(0) if owner.faults else None
        headers = {k.lower(): v for k, v in self.headers.items()}
        if isinstance(fault, tuple):
            answer = *fault, {"detail": f"fault {fault[0]}; your key is {headers.get('x-api-key')}"}
            fault = None
        elif len(self.path) > owner.url_max:
            answer = 414, {}, {"detail": "Request-URI Too Large"}
        else:
            answer = owner.answer(parts.path, query, headers)
        return self.say_nothing() if fault == STALL else self.reply(*answer, fault)

    def say_nothing(self):
        self.server.owner.release.wait(30)
        self.close_connection = True

    def reply(self, status, extra, body, fault):
        data = json.dumps(body).encode()
        data = {CUT: data[: len(data) // 2], JUNK: JUNK_TEXT}.get(fault, data)
        self.send_response(status)
        for name, value in {"content-length": str(len(data)), **extra}.items():
            self.send_header(name, value)
        self.end_headers()
        if fault == RESET:
            self.wfile.write(data[: len(data) // 2])
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif fault == DRIP:
            for byte in data:
                self.wfile.write(bytes([byte]))
                if self.server.owner.release.wait(0.05):
                    break
        else:
            self.wfile.write(data)

    def log_message(self, *_):
        """Keep the test output clean."""

    def handle(self):
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            """The client was killed, or gave up."""


def _matches(doc, query):
    elements = set(doc["elements"])
    systems = [set(system.split("-")) for system in query.get("chemsys", "").split(",") if system]
    hull = float(query.get("energy_above_hull_max", "inf"))
    ids = query.get("material_ids")
    kinds = query.get("thermo_types")
    return (
        set(filter(None, query.get("elements", "").split(","))) <= elements
        and not set(filter(None, query.get("exclude_elements", "").split(","))) & elements
        and (not systems or elements in systems)
        and float(doc.get("energy_above_hull") or 0.0) <= hull
        and (ids is None or doc["material_id"] in ids.split(","))
        and (kinds is None or doc["thermo_type"].upper() in kinds.upper().split(","))
    )
