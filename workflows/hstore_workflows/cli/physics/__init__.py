"""``hstore physics``: what the physics of one structure says; one module per question."""

from __future__ import annotations

from hstore_workflows.cli import LazyGroup

command = LazyGroup(
    "physics",
    package=__name__,
    commands={
        "barrier": "Compute barriers of ion migration.",
        "curvature": "Hydrogen on curved carbon, atom by atom.",
        "enthalpy": "Enthalpies of hydrogen release by a potential.",
        "hull": "Products and steps of release from formation energies.",
        "hydride-set": "Write the computed hydrides, or compute them.",
        "next": "Choose frameworks to simulate next.",
        "pores": "Cavities, windows, surface and void of frameworks.",
        "diffusion": "Compute diffusion of an ion by molecular dynamics.",
        "hop": "Compute barriers of single hops with a potential.",
        "relax": "Relax structures with a potential.",
        "search": "Search for crystal structures of compositions.",
        "uptake": "Simulate hydrogen uptake of frameworks.",
        "window": "Compute electrochemical windows against the hull.",
    },
    help="Ask physics of structures: enthalpies, uptakes, pores, barriers.",
    epilog="Example: hstore physics uptake MOF-5.cif --temperature-k 77 --pressure-bar 1,100 --json",
)
