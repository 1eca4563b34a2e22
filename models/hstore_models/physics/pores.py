"""Pore geometry of a framework by Zeo++ (pyzeo): cavities, windows, surface and void, with hard spheres.

Zeo++ ends its process on some exactly symmetric cells, so :func:`pore_geometry` is for a worker process
(:mod:`hstore.workers`); a second attempt displaces the atoms by a little, which breaks the symmetry and changes
diameters by as much.

Willems et al. 2012, doi 10.1016/j.micromeso.2011.08.020; through pyzeo.
"""

from __future__ import annotations

import math
import os
import re
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.arrays import checked
from hstore.crystal import Crystal
from hstore.errors import HstoreError, MissingExtraError
from hstore.units import AVOGADRO_PER_MOL

if TYPE_CHECKING:
    from collections.abc import Iterator

PROBE_ANGSTROM = 1.86
"""Radius of the probe of surfaces, angstrom: nitrogen, as in the CoRE MOF tables."""
SAMPLES_PER_ATOM = 500
"""Points on each atom that sample the surface."""
SAMPLES_OF_VOLUME = 10_000
"""Points that sample the volume."""
DISPLACEMENTS_ANGSTROM = (0.0, 1e-4, 1e-3, 1e-2)
"""Largest random displacement of an atom in each attempt, angstrom."""
_LEAST_NUMBERS = 4
_FAST = False
"""Whether atoms are replaced by clusters of small ones, which is slow and matters for atoms of unlike size."""


@dataclass(frozen=True)
class PoreGeometry:
    """Geometry of the pores of one framework; columns as in tables of sorbents."""

    density_g_cm3: float
    """Density of the crystal, g/cm3."""
    gsa_m2_g: float
    """Surface that the probe can come to, m2/g."""
    vsa_m2_cm3: float
    """The same for each volume of crystal, m2/cm3."""
    void_fraction: float
    """Share of the volume that the centre of a probe of no size can come to and is outside all atoms."""
    pore_volume_cm3_g: float
    """That volume for each mass, cm3/g."""
    lcd_A: float  # noqa: N815 - the name of the column in tables of sorbents
    """Diameter of the largest sphere inside, angstrom."""
    pld_A: float  # noqa: N815 - the name of the column in tables of sorbents
    """Diameter of the largest sphere that can go through, angstrom."""
    displaced_angstrom: float
    """Largest displacement of an atom that was needed, angstrom; 0 for the structure as given."""

    def as_json(self) -> dict[str, float]:
        """Return the columns."""
        return asdict(self)


def pore_geometry(crystal: Crystal, *, displaced_angstrom: float = 0.0, seed: int = 0) -> PoreGeometry:
    """Compute the geometry in this process, which Zeo++ may end.

    Args:
        crystal: ordered framework without solvent.
        displaced_angstrom: largest random displacement of an atom, angstrom, at least 0.
        seed: seed of the displacements.

    Raises:
        MissingExtraError: pyzeo is not installed.
        HstoreError: Zeo++ gives an answer that is none.
    """
    checked("displaced_angstrom", displaced_angstrom, low=0)
    zeo = _zeo()
    moved = _displaced(crystal, displaced_angstrom, seed)
    with _quiet(), tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "framework.cssr"
        path.write_text(_cssr(moved), encoding="ascii")
        network = zeo.AtomNetwork.read_from_CSSR(str(path), rad_flag=True)
        diameters = Path(scratch) / "diameters"
        network.calculate_free_sphere_parameters(str(diameters))
        largest, limiting = (float(part) for part in diameters.read_text(encoding="utf-8").split()[1:3])
        surface = _numbers(zeo.surface_area(network, PROBE_ANGSTROM, PROBE_ANGSTROM, SAMPLES_PER_ATOM, _FAST))
        volume = _numbers(zeo.volume(network, 0.0, 0.0, SAMPLES_OF_VOLUME, _FAST))
    density = 1e24 * crystal.mass_g_per_mol / AVOGADRO_PER_MOL / crystal.volume_angstrom3
    void = volume["AV_Volume_fraction"] + volume["NAV_Volume_fraction"]
    return PoreGeometry(
        density_g_cm3=density,
        gsa_m2_g=surface["ASA_m^2/g"],
        vsa_m2_cm3=surface["ASA_m^2/cm^3"],
        void_fraction=void,
        pore_volume_cm3_g=void / density,
        lcd_A=largest,
        pld_A=limiting,
        displaced_angstrom=displaced_angstrom,
    )


def _zeo() -> Any:
    try:
        import pyzeo
        import pyzeo.area_volume
        import pyzeo.extension
    except ImportError as error:
        raise MissingExtraError(
            "pore geometry needs pyzeo, which is not installed; run: pip install 'hstore[gcmc]'"
        ) from error
    return pyzeo.extension


def _displaced(crystal: Crystal, largest_angstrom: float, seed: int) -> Crystal:
    if largest_angstrom == 0.0:
        return crystal
    steps = np.random.default_rng(seed).uniform(-1.0, 1.0, (len(crystal), 3))
    steps *= largest_angstrom / np.maximum(np.linalg.norm(steps, axis=1), 1.0)[:, None]
    moved = crystal.cartesian_angstrom + steps
    fractional = np.asarray(np.linalg.solve(crystal.lattice_angstrom.T, moved.T).T, np.float64)
    return Crystal(crystal.lattice_angstrom, fractional, crystal.numbers)


def _cssr(crystal: Crystal) -> str:
    """Return the crystal as CSSR, which Zeo++ reads without looking for symmetry."""
    lattice = crystal.lattice_angstrom
    lengths = np.linalg.norm(lattice, axis=1)
    angles = [
        math.degrees(math.acos(float(lattice[i] @ lattice[j] / (lengths[i] * lengths[j]))))
        for i, j in ((1, 2), (0, 2), (0, 1))
    ]
    lines = [
        " ".join(f"{length:.6f}" for length in lengths),
        " ".join(f"{angle:.6f}" for angle in angles) + " SPGR = 1 P 1 OPT = 1",
        f"{len(crystal)} 0",
        "0 framework : framework",
    ]
    for number, (symbol, place) in enumerate(zip(crystal.symbols, crystal.fractional % 1.0, strict=True), 1):
        x, y, z = place
        lines.append(f"{number} {symbol} {x:.8f} {y:.8f} {z:.8f} 0 0 0 0 0 0 0 0 0.0")
    return "\n".join(lines) + "\n"


def _numbers(told: bytes | str) -> dict[str, float]:
    """Read what Zeo++ tells as ``name: number``.

    Raises:
        HstoreError: it tells no numbers.
    """
    text = told.decode() if isinstance(told, bytes) else told
    pairs = re.findall(r"(\S+): (-?[\d.]+(?:e[-+]?\d+)?)", text.splitlines()[0] if text else "")
    found = {name: float(number) for name, number in pairs}
    if len(found) < _LEAST_NUMBERS:
        raise HstoreError(f"Zeo++ gave no numbers ({text[:80]!r}); another displacement may help")
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Send what the C++ of Zeo++ prints nowhere: it writes to the descriptors of output and errors."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {stream: os.dup(stream) for stream in (1, 2)}
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for stream in kept:
            os.dup2(nowhere, stream)
        yield
    finally:
        for stream, copy in kept.items():
            os.dup2(copy, stream)
            os.close(copy)
        os.close(nowhere)
