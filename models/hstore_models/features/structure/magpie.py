"""The 132 Magpie numbers of a crystal's composition (:mod:`hstore_models.features.magpie`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore_models.features.composition import CompositionBatch
from hstore_models.features.magpie import MAGPIE_NAMES, magpie_features
from hstore_models.features.structure.featurizer import StructureFeaturizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore.arrays import FloatArray
    from hstore_models.features.structure.geometry import Geometry


def _compute_amounts(amounts: Sequence[dict[str, float]]) -> FloatArray:
    return magpie_features(CompositionBatch.from_amounts(amounts))


def _compute(geometry: Geometry) -> FloatArray:
    return np.asarray(_compute_amounts([geometry.crystal.amounts])[0])


MAGPIE = StructureFeaturizer(
    name="magpie",
    tier=1,
    columns=MAGPIE_NAMES,
    compute=_compute,
    compute_amounts=_compute_amounts,
    summary="Six statistics of 22 elemental properties, weighted by composition",
    source="Ward et al. 2016, doi 10.1038/npjcompumats.2016.28",
    matminer='matminer.featurizers.composition:ElementProperty.from_preset("magpie", impute_nan=True)',
    tolerance=1e-12,
    packages=("matminer", "numpy"),
)
