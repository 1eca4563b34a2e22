"""The alpha complex of the atoms of a crystal: the Delaunay triangulation of all their images, one cell of it.

Balls grow around the atoms. A simplex of the triangulation enters at the radius at which the balls of its corners
meet within their Voronoi polyhedra (Edelsbrunner and Mucke, doi 10.1145/174462.156635): half the length of an
edge, the circumradius of a triangle or a tetrahedron, or, where another atom lies inside that sphere, the least
radius of the simplices it bounds. The union of the balls and the simplices that have entered have the same shape.

Atoms of a crystal lie on common spheres. They are moved by at most :data:`NUDGE_ANGSTROM`, all images of an atom
alike, and the cell is strained by at most :data:`STRAIN`, so that the triangulation is unique and the same in
every cell. Radii change by less than 1e-5 angstrom up to 10 angstrom.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError

if TYPE_CHECKING:
    from hstore.arrays import FloatArray, IntArray

NUDGE_ANGSTROM = 1e-6
"""Farthest an atom is moved."""
STRAIN = 3e-7
"""Largest component of the strain, which tells the images of one atom apart."""
MOST_POINTS = 60_000
"""Images of atoms in one triangulation."""

_SEEDS = 6
_FIRST_MARGIN = 1.9
"""First guess of how far images are needed, in cube roots of the volume per atom; suits packed crystals."""
_SLACK = 1.0001
_LEAST_DISTANCE_ANGSTROM = 1e-3
_FACES = {1: ((1,), (0,)), 2: ((1, 2), (0, 2), (0, 1)), 3: ((1, 2, 3), (0, 2, 3), (0, 1, 3), (0, 1, 2))}
"""Dimension -> corners of the faces, the one that lacks corner j at place j."""


@dataclass(frozen=True, eq=False)
class Simplices:
    """Simplices of one dimension k, each once for all its translates."""

    atoms: IntArray
    """Site of each corner, ascending, shape (m, k + 1)."""
    cells: IntArray
    """Cell of each corner, the first one's being 0, shape (m, k + 1, 3)."""
    faces: IntArray
    """Index of the face that lacks each corner, among those one dimension lower, shape (m, k + 1).

    Only the face that lacks the first corner lies in another cell, that of the second; vertices have no faces."""
    radius_angstrom: FloatArray
    """Radius at which each enters, shape (m,), angstrom."""

    def __len__(self) -> int:
        """Return the number of simplices in one cell."""
        return len(self.atoms)


@dataclass(frozen=True, eq=False)
class AlphaComplex:
    """One cell of the alpha complex of a crystal."""

    lattice: FloatArray
    """Reduced cell vectors in rows, shape (3, 3), angstrom; the cells of the simplices count in them."""
    home: FloatArray
    """Sites in the reduced cell, moved by the nudge, shape (n, 3), angstrom."""
    to_given: FloatArray
    """Reduced cell vectors in terms of the given ones, shape (3, 3)."""
    simplices: tuple[Simplices, Simplices, Simplices, Simplices]
    """Vertices, edges, triangles and tetrahedra."""
    centres: FloatArray
    """Centres of the spheres through the corners of the tetrahedra, shape (tetrahedra, 3), angstrom."""

    @property
    def volume_angstrom3(self) -> float:
        """Volume of the cell."""
        return float(abs(np.linalg.det(self.lattice)))

    def euler_characteristic(self, radius_angstrom: float) -> int:
        """Return vertices - edges + triangles - tetrahedra of one cell that have entered at a radius."""
        return sum(
            (-1) ** k * int((s.radius_angstrom <= radius_angstrom).sum()) for k, s in enumerate(self.simplices)
        )


def alpha_complex(
    lattice_angstrom: FloatArray, fractional: FloatArray, *, seed: int = 0, most_points: int = MOST_POINTS
) -> AlphaComplex:
    """Triangulate the images of some sites.

    Args:
        lattice_angstrom: cell vectors in rows, shape (3, 3), angstrom.
        fractional: coordinates of the sites, shape (n, 3), n at least 1.
        seed: of the nudge.
        most_points: images of atoms at most; bounds time and memory, which grow in proportion.

    Raises:
        InputError: two sites coincide, or the cell is too empty or too large for so many images.
    """
    lattice, home, to_given = _reduced(np.asarray(lattice_angstrom, float), np.asarray(fractional, float))
    for attempt in range(_SEEDS):
        rng = np.random.default_rng([seed, attempt])
        strain = rng.uniform(-STRAIN, STRAIN, (3, 3))
        deform = np.eye(3) + 0.5 * (strain + strain.T)
        moved = rng.uniform(-1.0, 1.0, home.shape) * (NUDGE_ANGSTROM / np.sqrt(3.0))
        strained, nudged = lattice @ deform, home @ deform + moved
        corners, cells, centres, radius = _tetrahedra(strained, nudged, most_points)
        found = _complex((strained, nudged, to_given), (corners, cells), centres, radius)
        if found is not None:
            return found
    raise InputError(
        f"rounding errors keep {len(home)} sites from being triangulated the same way in every cell; "
        "look for sites that nearly coincide or a cell that is extremely flat"
    )


def _reduced(lattice: FloatArray, fractional: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return a compact cell of the same lattice, Cartesian sites in it, and what it combines of the given one."""
    import moyopy

    try:
        basis, transformation = moyopy.niggli_reduce(lattice.tolist())
    except ValueError as error:
        raise InputError(f"the cell cannot be reduced ({error}); correct the lattice") from error
    reduced = np.asarray(basis, dtype=float)
    to_given = np.asarray(transformation, dtype=float).T
    return reduced, (fractional @ np.linalg.inv(to_given)) % 1.0 @ reduced, to_given


def _tetrahedra(
    lattice: FloatArray, home: FloatArray, most_points: int
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Return the tetrahedra of one cell: atoms, cells, centres of the spheres around them and their radii.

    A tetrahedron at an atom of the cell is right if no image is left out that could lie in its sphere, that is,
    none within twice its radius of the atom.
    """
    from scipy.spatial import Delaunay, QhullError

    spacing = (abs(np.linalg.det(lattice)) / len(home)) ** (1 / 3)
    # no place is farther from a lattice point than half the diagonal of the box of the cell's edges (Babai)
    enough = float(np.sqrt((lattice**2).sum())) * _SLACK + 4 * NUDGE_ANGSTROM
    margin = min(_FIRST_MARGIN * spacing, enough)
    while True:
        atoms, cells, is_home = _images(lattice, home, margin, most_points)
        points = home[atoms] + cells @ lattice
        middle = home.mean(axis=0)
        try:
            corners = np.sort(
                Delaunay(points - middle, qhull_options="Qbb Qc Qz Q12").simplices.astype(np.int64), axis=1
            )
        except QhullError:  # so few points that they lie in a plane
            corners = np.empty((0, 4), dtype=np.int64)
        corners = corners[is_home[corners].any(axis=1)]
        centres, radius = _spheres(points, corners)
        widest = float(radius.max(initial=0.0))
        if len(corners) and (2 * widest <= margin or margin >= enough):
            break
        margin = min(enough, max(1.2 * margin, min(2 * widest * _SLACK, 1.7 * margin)))
    canonical = is_home[corners[:, 0]]
    corners = corners[canonical]
    return atoms[corners], cells[corners], centres[canonical], radius[canonical]


def _images(
    lattice: FloatArray, home: FloatArray, margin: float, most_points: int
) -> tuple[IntArray, IntArray, IntArray]:
    """Return atom and cell of the images up to a distance from the cell, and which lie at home.

    They are in the order of atom and then cell, so that the order of the corners of a simplex is the same in
    every cell.
    """
    inverse = np.linalg.inv(lattice)
    reach = margin * np.linalg.norm(inverse, axis=0)
    fractional = home @ inverse
    low, high = fractional.min(axis=0) - reach, fractional.max(axis=0) + reach
    first, last = np.floor(low - 1e-6).astype(int), np.ceil(high + 1e-6).astype(int)
    spans = last - first + 1
    if np.prod(spans.astype(float)) * len(home) > 40 * most_points:
        raise InputError(
            f"{len(home)} sites in a cell of {abs(np.linalg.det(lattice)):.4g} A^3 need too many images; "
            "the cell is too flat or too empty"
        )
    shifts = np.indices(spans).reshape(3, -1).T + first
    places = fractional[:, None] + shifts[None]
    atoms, rows = np.nonzero(((places >= low) & (places <= high)).all(axis=2))
    if len(atoms) > most_points:
        raise InputError(
            f"the triangulation needs {len(atoms)} images of atoms, at most {most_points} are allowed"
        )
    cells = shifts[rows]
    return atoms, cells, ~cells.any(axis=1)


def _spheres(points: FloatArray, corners: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return centres and radii of the spheres through four points each."""
    first = points[corners[:, 0]]
    edges = points[corners[:, 1:]] - first[:, None]
    volume = np.abs(np.einsum("mi,mi->m", edges[:, 0], np.cross(edges[:, 1], edges[:, 2])))
    flat = volume < 1e-13
    edges[flat] = np.eye(3)
    half = 0.5 * np.einsum("mij,mij->mi", edges, edges)
    away = np.linalg.solve(edges, half[:, :, None])[:, :, 0]
    radius = np.linalg.norm(away, axis=1)
    radius[flat] = np.inf
    return first + away, radius


def _complex(
    cell: tuple[FloatArray, FloatArray, FloatArray],
    tetrahedra: tuple[IntArray, IntArray],
    centres: FloatArray,
    radius: FloatArray,
) -> AlphaComplex | None:
    """Find the faces and their radii; None where the tetrahedra do not fill the cell exactly once."""
    lattice, home, to_given = cell
    atoms, cells = tetrahedra
    levels = [(atoms, cells, np.empty(0, np.int64))]
    for dimension in (3, 2):
        above_atoms, above_cells, _ = levels[-1]
        lower, faces = _faces(above_atoms, above_cells, dimension)
        levels[-1] = (above_atoms, above_cells, faces)
        levels.append((*lower, np.empty(0, np.int64)))
    (three, two, one) = levels
    ends = np.ascontiguousarray(one[0][:, ::-1])
    counts = len(home), len(one[0]), len(two[0]), len(three[0])
    shared = np.bincount(three[2].ravel(), minlength=counts[2])
    if (shared != 2).any() or counts[0] - counts[1] + counts[2] - counts[3] or not np.isfinite(radius).all():
        return None
    two_radius = _triangle_radii(lattice, home, two, three, radius)
    one_radius = _edge_radii(lattice, home, one, two, two_radius)
    if len(one_radius) and one_radius.min() < 0.5 * _LEAST_DISTANCE_ANGSTROM:
        first, second = one[0][one_radius.argmin()]
        raise InputError(
            f"sites {first} and {second} are {2 * one_radius.min():.2g} A apart; remove one of the two"
        )
    vertices = Simplices(
        np.arange(len(home))[:, None], np.zeros((len(home), 1, 3), np.int64), np.empty((len(home), 0), np.int64),
        np.zeros(len(home)),
    )  # fmt: skip
    return AlphaComplex(
        lattice,
        home,
        to_given,
        (
            vertices,
            Simplices(one[0], one[1], ends, one_radius),
            Simplices(*two, two_radius),
            Simplices(*three, radius),
        ),
        centres,
    )


def _faces(atoms: IntArray, cells: IntArray, dimension: int) -> tuple[tuple[IntArray, IntArray], IntArray]:
    """Return the distinct faces of some simplices, and which each simplex has, shape (m, dimension + 1)."""
    face_atoms = np.concatenate([atoms[:, kept] for kept in _FACES[dimension]])
    face_cells = np.concatenate([cells[:, kept] for kept in _FACES[dimension]])
    face_cells = face_cells - face_cells[:, :1]
    keys = _keys(face_atoms, face_cells)
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    faces = inverse.reshape(dimension + 1, len(atoms)).T
    return (face_atoms[first], face_cells[first]), np.ascontiguousarray(faces)


def _keys(atoms: IntArray, cells: IntArray) -> IntArray:
    """Return one number for each row of corners, equal for equal rows."""
    low = cells.min(axis=(0, 1))
    spans = cells.max(axis=(0, 1)) - low + 1
    size = int(atoms.max()) + 1
    inside = (((cells - low) * np.array([spans[1] * spans[2], spans[2], 1])).sum(axis=2)) * size + atoms
    base = int(np.prod(spans)) * size
    if float(base) ** atoms.shape[1] < 2**62:
        return np.asarray(inside @ (base ** np.arange(atoms.shape[1], dtype=np.int64)))
    return np.unique(inside, axis=0, return_inverse=True)[1].reshape(-1)


def _triangle_radii(
    lattice: FloatArray,
    home: FloatArray,
    triangles: tuple[IntArray, IntArray, IntArray],
    tetrahedra: tuple[IntArray, IntArray, IntArray],
    radius: FloatArray,
) -> FloatArray:
    """Return circumradii, or the least radius of the two tetrahedra where one's fourth corner lies inside."""
    a, b, c = (home[triangles[0][:, k]] + triangles[1][:, k] @ lattice for k in range(3))
    u, v = b - a, c - a
    uu, vv, uv = (np.einsum("mi,mi->m", x, y) for x, y in ((u, u), (v, v), (u, v)))
    gram = 2 * (uu * vv - uv * uv)
    s, t = vv * (uu - uv) / gram, uu * (vv - uv) / gram
    away = s[:, None] * u + t[:, None] * v
    own = np.einsum("mi,mi->m", away, away)
    inside = np.zeros(len(own), dtype=bool)
    least = np.full(len(own), np.inf)
    for corner in range(4):
        face = tetrahedra[2][:, corner]
        apex = home[tetrahedra[0][:, corner]] + tetrahedra[1][:, corner] @ lattice
        apex = apex - tetrahedra[1][:, 1 if corner == 0 else 0] @ lattice
        gap = apex - (a + away)[face]
        inside[face[np.einsum("mi,mi->m", gap, gap) < own[face]]] = True
        np.minimum.at(least, face, radius)
    return np.where(inside, least, np.minimum(np.sqrt(own), least))


def _edge_radii(
    lattice: FloatArray,
    home: FloatArray,
    edges: tuple[IntArray, IntArray, IntArray],
    triangles: tuple[IntArray, IntArray, IntArray],
    radius: FloatArray,
) -> FloatArray:
    """Return half lengths, or the least radius of the triangles around where one's third corner lies inside."""
    a, b = (home[edges[0][:, k]] + edges[1][:, k] @ lattice for k in range(2))
    own = 0.25 * np.einsum("mi,mi->m", b - a, b - a)
    inside = np.zeros(len(own), dtype=bool)
    least = np.full(len(own), np.inf)
    for corner in range(3):
        face = triangles[2][:, corner]
        apex = home[triangles[0][:, corner]] + triangles[1][:, corner] @ lattice
        apex = apex - triangles[1][:, 1 if corner == 0 else 0] @ lattice
        gap = apex - (0.5 * (a + b))[face]
        inside[face[np.einsum("mi,mi->m", gap, gap) < own[face]]] = True
        np.minimum.at(least, face, radius)
    return np.where(inside, least, np.minimum(np.sqrt(own), least))
