"""Small structure files written for the tests."""

CELL = """\
_cell_length_a {a}
_cell_length_b {b}
_cell_length_c {c}
_cell_angle_alpha {alpha}
_cell_angle_beta {beta}
_cell_angle_gamma {gamma}
"""
SITES = """\
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
"""


def cif(name, cell, rows, *, symmetry="_symmetry_space_group_name_H-M 'P 1'\n", extra=""):
    a, b, c, alpha, beta, gamma = cell
    lines = "".join(f"{row}\n" for row in rows)
    return (
        f"data_{name}\n{extra}{symmetry}"
        + CELL.format(a=a, b=b, c=c, alpha=alpha, beta=beta, gamma=gamma)
        + SITES
        + lines
    )


def operations(*texts):
    return "loop_\n_symmetry_equiv_pos_as_xyz\n" + "".join(f"'{text}'\n" for text in texts)


CUBIC = (5.64, 5.64, 5.64, 90, 90, 90)
SALT = cif("NaCl", CUBIC, ["Na1 Na 0 0 0 1", "Cl1 Cl 0.5 0.5 0.5 1"], symmetry="_space_group_IT_number 225\n")
RUTILE = cif(
    "MgH2",
    (4.517, 4.517, "3.0205(4)", 90, 90, 90),
    ["Mg1 Mg2+ 0 0 0 1", "H1 H1- 0.304 0.304 0 1"],
    symmetry=operations(
        "x,y,z", "-x,-y,z", "-y+1/2,x+1/2,z+1/2", "y+1/2,-x+1/2,z+1/2",
        "-x+1/2,y+1/2,-z+1/2", "x+1/2,-y+1/2,-z+1/2", "y,x,-z", "-y,-x,-z",
        "-x,-y,-z", "x,y,-z", "y+1/2,-x+1/2,-z+1/2", "-y+1/2,x+1/2,-z+1/2",
        "x+1/2,-y+1/2,z+1/2", "-x+1/2,y+1/2,z+1/2", "-y,-x,z", "y,x,z",
    ),
    extra="_journal_paper_doi 10.1000/example\n_cod_database_code 1234567\n",
)  # fmt: skip
HEXAGONAL = cif(
    "LaNi5",
    (5.017, 5.017, 3.982, 90, 90, 120),
    ["La1 La 0 0 0 1", "Ni1 Ni 0.333 0.667 0 1", "Ni2 Ni 0.5 0 0.5 1"],
    symmetry="_symmetry_space_group_name_H-M 'P 6/m m m'\n",
)
HALF_LITHIUM = cif(
    "LiCoO2",
    (2.816, 2.816, 14.05, 90, 90, 120),
    ["Li1 Li 0 0 0.5 0.5", "Co1 Co 0 0 0 1", "O1 O 0 0 0.2605 1"],
    symmetry="_symmetry_space_group_name_H-M 'R -3 m'\n",
)
SHARED = cif(
    "alloy",
    (3.0, 3.0, 3.0, 90, 90, 90),
    ["Ti1 Ti 0 0 0 0.6", "V1 V 0 0 0 0.4"],
    symmetry="_space_group_IT_number 229\n",
)
ALL = {"salt": SALT, "rutile": RUTILE, "hexagonal": HEXAGONAL, "half": HALF_LITHIUM, "shared": SHARED}

POSCAR = """\
MgO rock salt
1.0
0.0 2.106 2.106
2.106 0.0 2.106
2.106 2.106 0.0
Mg O
1 1
Selective dynamics
Direct
0.0 0.0 0.0 T T T
0.5 0.5 0.5 F F F
"""
XYZ = """\
2
Lattice="0.0 2.0 2.0 2.0 0.0 2.0 2.0 2.0 0.0" Properties=species:S:1:pos:R:3 pbc="T T T"
Li 0.0 0.0 0.0
H 2.0 2.0 2.0
"""
