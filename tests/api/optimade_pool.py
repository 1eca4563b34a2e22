"""Materials of every kind OPTIMADE must cope with, and the service over them on a port of its own."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager

import uvicorn

from hstore.formula import parse_amounts
from hstore.records import Access, Family, Kind, Material, Measurement, Prediction, PropertyValue, Provenance

METALS = ("Li", "Na", "K", "Mg", "Ca", "Sr", "Y", "La", "Ti", "Zr", "V", "Nb", "Fe", "Co", "Ni", "Al", "Zn", "Sc")
FAMILIES = tuple(Family)
WIDE = "Sc3Ti2VCrMnFeCoNiCuZnYZrNbMoRuRhPdAgLaCePrNdSmGdTbDyHoErTmYbLuHf"


def cell(sites, edge=4.0):
    """A cubic cell in the form of pymatgen; each site is a dictionary of shares."""
    return {
        "@module": "pymatgen.core.structure",
        "@class": "Structure",
        "lattice": {"matrix": [[edge, 0.0, 0.0], [0.0, edge, 0.0], [0.0, 0.0, edge]]},
        "sites": [
            {
                "species": [{"element": element, "occu": share} for element, share in held.items()],
                "abc": [place / len(sites), 0.5 * (place % 2), 0.25 * (place % 3)],
            }
            for place, held in enumerate(sites)
        ],
    }


def ordered(formula):
    """A cell with one atom on each site."""
    return cell([{element: 1} for element, n in parse_amounts(formula).items() for _ in range(int(n))], 6.0)


def material(number):
    """One material for each number: eight kinds in turn."""
    metal, other = METALS[number % 18], METALS[(number * 5 + 7) % 18]
    kind = number % 8
    formula = (
        f"{metal}H2",
        f"{metal}{other}2H{1 + number % 5}",
        f"{metal}0.9{other}0.1H2",
        f"{metal}Ni{number % 7 + 1}",
        f"{metal}0.333333{other}0.2718281",
        f"{metal}2FeH6",
        f"{other}(BH4)2",
        WIDE if number < 16 else f"{metal}C{number}H2",
    )[kind]
    structure = {
        0: lambda: ordered(formula),
        1: lambda: ordered(formula),
        2: lambda: cell([{metal: 0.9, other: 0.1} if metal != other else {metal: 1}, {"H": 1}, {"H": 1}]),
        5: lambda: cell([{metal: 1}, {metal: 1}, {"Fe": 1}]),
        6: lambda: {"lattice": {"a": 1.0}, "sites": []},
    }.get(kind, lambda: None)()
    reference = [None, f"doi:10.1000/J.Test.{number % 11}", f"see (10.1000/other({number % 3})x)", "Smith, 1999"][
        number % 4
    ]
    return Material(
        material_id=f"t:{number:03}:{formula}" if number % 9 else f"t:{number:03}/{formula}",
        formula=formula,
        name=f"Phase {number}" if number % 3 == 0 else "",
        family=FAMILIES[number % 5],
        structure=structure,
        descriptors={"formation_energy_ev_per_atom": -0.01 * number} if number % 6 == 0 else {},
        known=number % 2 == 0,
        reason="drawn 100%_of \\ times" if number % 5 == 0 else "",
        provenance=Provenance(source="pool", reference=reference),
        access=Access(lab_id="north", visibility="lab") if number % 10 == 9 else Access(),
    )


def pool(size=200):
    """So many materials; every tenth belongs to the lab ``north``."""
    return [material(number) for number in range(size)]


def fill(store, size=200):
    """Put the pool into a store, with measured and predicted capacities of some, one of them of a lab."""
    materials = pool(size)
    store.add_materials(materials)
    source = Provenance(source="pool")

    def value(number, kind):
        return PropertyValue(property="h2_capacity_wt_pct", value=number, kind=kind, provenance=source)

    public = [m for m in materials if m.access.lab_id is None]
    store.add_predictions(
        Prediction(
            material_id=m.material_id,
            value=value((0.05 if model == "a" else 0.3 / (place + 1)) * place, Kind.PREDICTED),
            model_id=model,
            in_domain=True,
        )
        for model in ("a", "b")
        for place, m in enumerate(public[::3])
    )
    store.add_measurements(
        Measurement(
            measurement_id=f"m{place}", material_id=m.material_id, value=value(1.5 + 0.01 * place, Kind.MEASURED)
        )
        for place, m in enumerate(public[::9])
    )
    private = Access(lab_id="north", visibility="lab")
    store.add_measurements(
        [
            Measurement(
                measurement_id=f"n{place}",
                material_id=m.material_id,
                value=value(9.0 + place, Kind.MEASURED),
                access=private,
            )
            for place, m in enumerate(public[1:4])
        ]
    )
    return materials


@contextmanager
def served(settings):
    """Run the service in a thread, on a free port; yields its address."""
    from hstore_api.app import create_app

    config = uvicorn.Config(create_app(settings), host="127.0.0.1", port=0, log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
