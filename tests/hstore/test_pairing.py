"""Hydrides and hosts: published cells, capacities, expansions, and what complex hydrides leave instead."""

from __future__ import annotations

import numpy as np
import pytest

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore.formula import molar_mass_g_per_mol, parse_amounts
from hstore.pairing import Frame, compare_frames, dehydriding, host_structure, pair
from hstore.records import Family, Material, Provenance

Z = {"H": 1, "Mg": 12, "Ti": 22, "Fe": 26, "Ni": 28, "La": 57}


def cell(a, b=None, c=None, *, hexagonal=False):
    b, c = b or a, c or a
    return np.array([[a, 0, 0], [-a / 2, a * 3**0.5 / 2, 0] if hexagonal else [0, b, 0], [0, 0, c]])


def crystal(lattice, **sites):
    numbers = [Z[el] for el, places in sites.items() for _ in places]
    return Crystal(lattice, np.array([place for places in sites.values() for place in places], float), numbers)


def material(formula, structure=None, *, family=Family.INTERSTITIAL):
    return Material(
        material_id=f"test:{formula}",
        formula=formula,
        family=family,
        structure=structure.to_dict() if structure else None,
        provenance=Provenance(source="test"),
    )


THIRD = (1 / 3, 2 / 3)
LANI5 = crystal(
    cell(5.017, c=3.987, hexagonal=True),
    La=[(0, 0, 0)],
    Ni=[(1 / 3, 2 / 3, 0), (2 / 3, 1 / 3, 0), (0.5, 0, 0.5), (0, 0.5, 0.5), (0.5, 0.5, 0.5)],
)
"""doi:10.1103/PhysRevB.64.184105, as its hydride."""
LANI5_HYDRIDE = crystal(
    cell(5.409, c=4.300, hexagonal=True),
    La=[(0, 0, 0)],
    Ni=[(1 / 3, 2 / 3, 0), (2 / 3, 1 / 3, 0), (0.5, 0, 0.5), (0, 0.5, 0.5), (0.5, 0.5, 0.5)],
    H=[(0.5, 0, 0), (0, 0.5, 0), (0.5, 0.5, 0), (0.137, 0.863, 0.5), (0.137, 0.274, 0.5), (0.726, 0.863, 0.5)],
)
TIFE = crystal(cell(2.976), Ti=[(0, 0, 0)], Fe=[(0.5, 0.5, 0.5)])
"""doi:10.1016/j.cocom.2014.12.001, as its hydride."""
TIFE_HYDRIDE = crystal(
    cell(7.029, 6.233, 2.835),
    Ti=[(0.2223, 0, 0.5), (0.7777, 0, 0.5), (0.7223, 0.5, 0.5), (0.2777, 0.5, 0.5)],
    Fe=[(0, 0.2887, 0), (0, 0.7113, 0), (0.5, 0.7887, 0), (0.5, 0.2113, 0)],
    H=[(0.25, 0.25, 0), (0.75, 0.75, 0), (0.25, 0.75, 0), (0.75, 0.25, 0), (0.5, 0, 0.5), (0, 0.5, 0.5), (0, 0, 0),
       (0.5, 0.5, 0)],
)  # fmt: skip
MG = crystal(cell(3.209, c=5.211, hexagonal=True), Mg=[(1 / 3, 2 / 3, 0.25), (2 / 3, 1 / 3, 0.75)])
"""doi:10.1103/PhysRevB.73.224102, as its hydride."""
MG_HYDRIDE = crystal(
    cell(4.517, c=3.0205),
    Mg=[(0, 0, 0), (0.5, 0.5, 0.5)],
    H=[(0.306, 0.306, 0), (0.694, 0.694, 0), (0.194, 0.806, 0.5), (0.806, 0.194, 0.5)],
)


@pytest.mark.parametrize(
    ("hydride", "host", "structures", "expansion_pct", "dilation", "frame", "typical"),
    [
        ("LaNi5H6.7", "LaNi5", (LANI5_HYDRIDE, LANI5), 25.3, 3.29, Frame.KEPT, True),
        ("TiFeH2", "TiFe", (TIFE_HYDRIDE, TIFE), 17.8, 2.35, Frame.KEPT, True),
        ("MgH2", "Mg", (MG_HYDRIDE, MG), 32.6, 3.79, Frame.REBUILT, False),
    ],
)
def test_published_cells_give_published_expansions(
    hydride, host, structures, expansion_pct, dilation, frame, typical
):
    found = pair(material(hydride, structures[0]), material(host, structures[1]))
    assert found.expansion_pct == pytest.approx(expansion_pct, abs=0.5)
    assert found.dilation_angstrom3 == pytest.approx(dilation, abs=0.05)
    assert found.frame is frame
    assert found.typical_dilation is typical


@pytest.mark.parametrize(
    ("hydride", "host", "per_metal", "per_host", "wt_pct", "wt_pct_host"),
    [
        # masses by hand from 1.00794 g/mol H
        ("LaNi5H6", "LaNi5", 1.0, 6.0, 1.379, 1.398),
        ("TiFeH2", "TiFe", 1.0, 2.0, 1.907, 1.944),
        ("MgH2", "Mg", 2.0, 2.0, 7.658, 8.294),
        ("Mg2NiH4", "Mg2Ni", 4 / 3, 4.0, 3.622, 3.758),
        ("ZrV2H6", "ZrV2", 2.0, 6.0, 3.036, 3.131),
        ("Mg4Ni2H8", "MgNi0.5", 4 / 3, 2.0, 3.622, 3.758),
    ],
)
def test_capacities_follow_from_the_formulas_alone(hydride, host, per_metal, per_host, wt_pct, wt_pct_host):
    found = pair(material(hydride), material(host))
    assert found.hydrogen_to_metal == pytest.approx(per_metal)
    assert found.hydrogen_per_host == pytest.approx(per_host)
    assert found.capacity_wt_pct == pytest.approx(wt_pct, abs=0.002)
    assert found.capacity_wt_pct_host == pytest.approx(wt_pct_host, abs=0.002)
    assert (
        found.h2_density_g_per_l
        is found.expansion_pct
        is found.dilation_angstrom3
        is found.typical_dilation
        is None
    )
    assert found.frame is Frame.UNKNOWN


def test_volumetric_density_is_hydrogen_over_cell():
    found = pair(material("MgH2", MG_HYDRIDE), material("Mg"))
    # four H in 61.63 A3, by hand
    assert found.h2_density_g_per_l == pytest.approx(4 * 1.00794 / (0.602214 * 61.63) * 1000, rel=1e-3)
    assert found.h2_density_g_per_l == pytest.approx(108.6, abs=0.3)
    assert found.expansion_pct is None


def test_a_pair_of_published_volumes_of_mg2nih4():
    # Mg2Ni, P6_222, a 5.205 and c 13.236, 6 units; Mg2NiH4, C2/c, 8 units (doi:10.2533/chimia.1998.613)
    metals = {"Mg": [(0, 0, 0), (0.5, 0.5, 0)], "Ni": [(0.5, 0, 0.5)]}
    host = crystal(cell(51.76 ** (1 / 3)), **metals)
    hydrogen = [(0.1 * n, 0.3, 0.7) for n in range(4)]
    hydride = crystal(cell(68.25 ** (1 / 3)), **metals, H=hydrogen)
    found = pair(material("Mg2NiH4", hydride), material("Mg2Ni", host), match_frames=False)
    assert found.expansion_pct == pytest.approx(32, abs=0.5)
    assert found.dilation_angstrom3 == pytest.approx(4.1, abs=0.05)
    assert found.h2_density_g_per_l == pytest.approx(98, abs=0.5)


def test_a_frame_is_not_kept_when_the_metals_move_or_the_cell_grows_too_much():
    assert compare_frames(LANI5_HYDRIDE, LANI5) is Frame.KEPT
    grown = Crystal(1.2 * LANI5_HYDRIDE.lattice_angstrom, LANI5_HYDRIDE.fractional, LANI5_HYDRIDE.numbers)
    assert compare_frames(grown, LANI5) is Frame.REBUILT  # 117 % more volume
    assert compare_frames(TIFE_HYDRIDE, LANI5) is Frame.REBUILT


def test_removing_hydrogen_leaves_the_metals_where_they_were():
    metals = host_structure(TIFE_HYDRIDE)
    assert metals.amounts == {"Ti": 4.0, "Fe": 4.0}
    assert metals.volume_angstrom3 == TIFE_HYDRIDE.volume_angstrom3
    with pytest.raises(InputError, match="hydrogen only"):
        host_structure(crystal(cell(3.0), H=[(0, 0, 0)]))


@pytest.mark.parametrize(
    ("hydride", "host"), [("LaNi5", "LaNi5"), ("LaNi5H6", "LaNi5H"), ("LaNi5H6", "LaNi4Al"), ("LaNi5H6", "CaNi5")]
)
def test_what_is_no_pair_is_refused(hydride, host):
    with pytest.raises(InputError, match=r"holds no hydrogen|holds hydrogen|without hydrogen is"):
        pair(material(hydride), material(host))


@pytest.mark.parametrize(
    ("formula", "host"),
    [
        ("LaNi5H6", "LaNi5"),
        ("MgH2", "Mg"),
        ("CaH2", "Ca"),
        ("Mg2NiH4", "Mg2Ni"),
        ("CaNi5H6", "CaNi5"),
        ("NaH", "Na"),
    ],
)
def test_simple_hydrides_leave_their_host(formula, host):
    left = dehydriding(parse_amounts(formula))
    assert left.host == host
    assert left.h2_mol == parse_amounts(formula)["H"] / 2


@pytest.mark.parametrize(
    ("formula", "residue", "h2_mol"),
    [
        ("NaAlH4", {"NaH": 1, "Al": 1}, 1.5),
        ("Na3AlH6", {"NaH": 3, "Al": 1}, 1.5),
        ("LiBH4", {"LiH": 1, "B": 1}, 1.5),
        ("Ca(AlH4)2", {"CaH2": 1, "Al": 2}, 3),
        ("NaMgH3", {"NaH": 1, "Mg": 1}, 1),
        ("Ca2FeH6", {"CaH2": 2, "Fe": 1}, 1),
    ],
)
def test_complex_hydrides_leave_binary_hydrides_behind(formula, residue, h2_mol):
    left = dehydriding(parse_amounts(formula))
    assert left.host is None
    assert left.residue == residue
    assert left.h2_mol == h2_mol
    assert "names no host" in left.note


@pytest.mark.parametrize(
    "formula", ["NaAlH4", "LiBH4", "NaMgH3", "Mg(BH4)2", "K2PtH6", "MgH2", "LaNi5H6", "Mg2FeH6"]
)
def test_no_mass_is_lost_on_the_way(formula):
    amounts = parse_amounts(formula)
    left = dehydriding(amounts)
    mass = sum(n * molar_mass_g_per_mol(parse_amounts(name)) for name, n in left.residue.items())
    assert mass + left.h2_mol * 2 * 1.00794 == pytest.approx(molar_mass_g_per_mol(amounts))


def test_what_is_known_of_alanates_and_amides_is_said():
    assert dehydriding(parse_amounts("NaAlH4")).steps == (
        "3 NaAlH4 = Na3AlH6 + 2 Al + 3 H2",
        "Na3AlH6 = 3 NaH + Al + 1.5 H2",
    )
    assert len(dehydriding(parse_amounts("Na3AlH6")).steps) == 1
    assert "NH3" in dehydriding(parse_amounts("LiNH2")).note
    assert "no compound" in dehydriding(parse_amounts("Mg2FeH6")).note
    assert dehydriding(parse_amounts("BaLiH3")).h2_mol == 0
    with pytest.raises(InputError, match="holds no hydrogen"):
        dehydriding(parse_amounts("LaNi5"))


def test_a_structure_that_cannot_be_used_is_noted_not_raised():
    shared = LANI5.to_dict()
    shared["sites"][1]["species"] = [{"element": "Ni", "occu": 0.5}, {"element": "Co", "occu": 0.5}]
    host = material("LaNi5").model_copy(update={"structure": shared})
    found = pair(material("LaNi5H6", LANI5_HYDRIDE), host)
    assert found.expansion_pct is None
    assert "order the structure first" in found.notes[0]
