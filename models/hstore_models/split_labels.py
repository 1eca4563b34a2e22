"""What rows share: the labels by which they are kept on one side of a split."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.errors import InputError
from hstore.formula import canonical_formula
from hstore.pairing import host_amounts
from hstore_models.representation import molecular_hydrogen_ratio

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray, IntArray
    from hstore_models.invariants import Fingerprint

    Amounts = Mapping[str, float]

COMPOSITION_CLUSTER = 0.10
"""Largest total difference of atomic fractions within one cluster of compositions."""

STRUCTURE_CLUSTER = 0.10
"""Largest distance of fingerprints within one cluster of structures; one relaxed twice differs by up to 0.03."""

N_PORE_CLUSTERS = 100
"""Clusters of pore descriptors."""

_MOST_CLUSTERED = 12_000
_DOI = re.compile(r"10\.\d{4,9}/[^\s\])]+", re.IGNORECASE)
_CITED = re.compile(r"\[[^\]]*\]")
_NO_PAPER = frozenset({"", "nan", "none", "us doe hydpark", "doe_data_url"})
_ANIONS = ("N", "O", "F", "P", "S", "Cl", "Se", "Br", "Te", "I", "H")


def material_key(amounts: Amounts, *, hydrogen: bool = False) -> str:
    """Name what a composition model sees.

    LaNi5 and LaNi5H6 are one material to the models of hydrides, LiB and LiBH4 are two.

    Args:
        amounts: amounts of elements.
        hydrogen: True where hydrogen counts as any other element, as in electrolytes.
    """
    if hydrogen:
        return canonical_formula(dict(amounts))
    ratio = molecular_hydrogen_ratio(dict(amounts))
    return canonical_formula(host_amounts(dict(amounts))) + (f" H{ratio:.3f}" if ratio else "")


def fractions(amounts: Sequence[Amounts], *, hydrogen: bool = False) -> FloatArray:
    """Return atomic fractions of each material, shape ``(n, 119)``, column = atomic number.

    Args:
        amounts: amounts of elements of each material.
        hydrogen: True where hydrogen counts as any other element. Otherwise fractions are those of the host, and
            the first column holds H atoms per other atom where they belong to a molecular anion.
    """
    from hstore_models.features.composition import ATOMIC_NUMBER

    table = np.zeros((len(amounts), 119))
    for row, given in enumerate(amounts):
        seen = dict(given) if hydrogen else host_amounts(dict(given))
        total = sum(seen.values())
        for element, amount in seen.items():
            table[row, ATOMIC_NUMBER[element]] = amount / total
        if not hydrogen:
            table[row, 0] = molecular_hydrogen_ratio(dict(given))
    return table


def composition_clusters(
    amounts: Sequence[Amounts], *, threshold: float = COMPOSITION_CLUSTER, hydrogen: bool = False
) -> NDArray[np.str_]:
    """Cluster compositions by complete linkage, so that no two of a cluster differ by more than a threshold.

    Args:
        amounts: amounts of elements of each row, ``(n,)``.
        threshold: largest sum of absolute differences of atomic fractions.
        hydrogen: True where hydrogen counts as any other element.

    Returns:
        Label of the cluster of each row, shape ``(n,)``.

    Raises:
        InputError: more different compositions than pairs of them fit into memory.
    """
    distinct, place = np.unique(fractions(amounts, hydrogen=hydrogen).round(6), axis=0, return_inverse=True)
    numbers = _complete_linkage(distinct, "cityblock", threshold)
    return np.array([f"composition cluster {number}" for number in numbers[np.ravel(place)]])


def structure_clusters(
    fingerprints: Sequence[Fingerprint | None],
    amounts: Sequence[Amounts],
    *,
    threshold: float = STRUCTURE_CLUSTER,
    hydrogen: bool = False,
) -> NDArray[np.str_]:
    """Cluster crystals by complete linkage of their fingerprints; rows without one by their composition.

    Fingerprints hold the sublattice of each element, so only crystals with equally many elements are compared.

    Args:
        fingerprints: fingerprint of each row (:func:`hstore_models.invariants.fingerprint`), ``(n,)``.
        amounts: amounts of elements of each row, ``(n,)``.
        threshold: largest distance of two fingerprints of one cluster.
        hydrogen: True where hydrogen counts as any other element.

    Returns:
        Label of the cluster of each row, shape ``(n,)``.
    """
    labels = np.empty(len(fingerprints), dtype=object)
    by_length: dict[int, list[int]] = {}
    for row, known in enumerate(fingerprints):
        by_length.setdefault(0 if known is None else len(known.distances), []).append(row)
    for length, rows in by_length.items():
        if not length:
            labels[rows] = composition_clusters([amounts[row] for row in rows], hydrogen=hydrogen)
            continue
        points = np.array([known.distances for row in rows if (known := fingerprints[row]) is not None])
        numbers = _complete_linkage(points, "chebyshev", threshold)
        labels[rows] = [f"structure cluster {length}-{number}" for number in numbers]
    return labels.astype(str)


def pore_clusters(
    descriptors: FloatArray, *, n_clusters: int = N_PORE_CLUSTERS, seed: int = 0
) -> NDArray[np.str_]:
    """Cluster sorbents by their standardised descriptors (k-means), shape ``(n, d)``; missing values are means."""
    from sklearn.cluster import KMeans

    filled = np.where(np.isnan(descriptors), np.nanmean(descriptors, axis=0), descriptors)
    spread = filled.std(axis=0)
    points = (filled - filled.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    wanted = min(n_clusters, len(np.unique(points, axis=0)))
    numbers = KMeans(wanted, n_init=1, random_state=seed).fit_predict(points)
    return np.array([f"pore cluster {number}" for number in numbers])


def _complete_linkage(points: FloatArray, metric: str, threshold: float) -> IntArray:
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import pdist

    if len(points) > _MOST_CLUSTERED:
        raise InputError(
            f"{len(points)} different materials are too many to cluster (at most {_MOST_CLUSTERED}); "
            "split by chemical_system or composition instead"
        )
    if len(points) == 1:
        return np.ones(1, dtype=np.int64)
    tree = linkage(pdist(points, metric), "complete")
    return np.asarray(fcluster(tree, threshold * (1.0 + 1e-9), "distance"), dtype=np.int64)


def paper(reference: Any, otherwise: str) -> str:
    """Name the paper a value is from: its DOI in small letters, with the citation number of a review if given.

    Args:
        reference: what the source states.
        otherwise: name where it states none.
    """
    text = re.sub(r"\s+", " ", str(reference).replace("\ufeff", "")).strip()
    if text.lower() in _NO_PAPER:
        return otherwise
    found = _DOI.search(text)
    cited = "".join(_CITED.findall(text[: found.start()])) if found else ""
    return (cited + found.group().lower().rstrip(".,;")) if found else text.lower()


def broad_family(family: Any) -> str:
    """Name a family without its subclass, in small letters: ``AB2(C14)`` is ``ab2``, ``Garnets`` is ``garnet``."""
    text = "" if pd.isna(family) else str(family)
    text = re.sub(r"\(.*?\)", "", text).strip().lower()
    plural = len(text) > 4 and text.endswith("s") and not text.endswith("ss")
    return text[:-1] if plural else text


def inferred_families(amounts: Sequence[Amounts], *, electrolyte: bool = False) -> list[str]:
    """Infer the family of each material from its composition.

    Args:
        amounts: amounts of elements of each material.
        electrolyte: True for electrolytes, whose family is that of their most abundant anion; else the alloy
            class, or the class of the molecular anion.
    """
    if electrolyte:
        return [_anion_family(given) for given in amounts]
    from hstore.pairing import anion_class
    from hstore_models.features.alloy import infer_alloy_class
    from hstore_models.features.composition import CompositionBatch

    classes = infer_alloy_class(CompositionBatch.from_amounts([host_amounts(dict(a)) for a in amounts]))
    return [anion_class(dict(a)) or name for a, name in zip(amounts, classes, strict=True)]


def _anion_family(amounts: Amounts) -> str:
    names = {"O": "oxide", "S": "sulfide", "Se": "selenide", "Te": "telluride", "N": "nitride", "P": "phosphide"}
    present = {element: amounts[element] for element in _ANIONS if element in amounts}
    if not present:
        return "other"
    return names.get(most := max(present, key=lambda el: present[el]), "hydride" if most == "H" else "halide")
