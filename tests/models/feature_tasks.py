"""Featurizers that behave as a test needs; a module of its own, for worker processes import it by name."""

import os
import signal
import time

import numpy as np

from hstore.errors import InputError
from hstore_models.features.structure.featurizer import StructureFeaturizer


def volume(geometry):
    crystal = geometry.crystal
    return np.array([crystal.volume_angstrom3, len(crystal)])


def volume_drifted(geometry):
    return volume(geometry) + np.array([0.5, 0.0])


def picky(geometry):
    """Refuses hydrogen, spins on lithium, sleeps on sodium, dies on potassium, errs on iron."""
    symbol = geometry.crystal.symbols[0]
    if symbol == "H":
        raise InputError("hydrogen is not wanted")
    if symbol == "Li":
        while True:
            pass
    if symbol == "Na":
        time.sleep(60)
    if symbol == "K":
        os.kill(os.getpid(), signal.SIGKILL)
    if symbol == "Fe":
        raise ZeroDivisionError
    if symbol == "Ni":
        return np.zeros(7)
    return np.array([1.0])


def atoms(amounts):
    return np.array([[sum(a.values())] for a in amounts])


VOLUME = StructureFeaturizer("volume", 1, ("a3", "sites"), volume, "volume", "none", seconds=1.0)
PICKY = StructureFeaturizer("picky", 2, ("one",), picky, "trouble", "none", seconds=0.4)
ATOMS = StructureFeaturizer(
    "atoms", 1, ("n",), lambda _: None, "atoms", "none", seconds=1.0, compute_amounts=atoms
)
