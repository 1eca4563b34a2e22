import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hstore.formula import parse_amounts
from hstore_models.features.composition import SYMBOLS, CompositionBatch
from hstore_models.features.magpie import MAGPIE_NAMES, magpie_features


@pytest.fixture(scope="module")
def matminer():
    """matminer's own featurizer, and its values for rows of amounts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside matminer and pymatgen are not ours
        from matminer.featurizers.composition import ElementProperty
        from pymatgen.core import Composition

        featurizer = ElementProperty.from_preset("magpie", impute_nan=True)

    def values(rows):
        return np.array([featurizer.featurize(Composition(row)) for row in rows])

    featurizer.values = values
    return featurizer


def ours(rows):
    return magpie_features(CompositionBatch.from_amounts(rows))


def random_rows(count, *, seed, elements=range(1, 104), most=8, whole=False):
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        numbers = rng.choice(np.array(elements), rng.integers(1, most + 1), replace=False)
        amounts = rng.integers(1, 7, len(numbers)) if whole else rng.random(len(numbers)) * 5 + 1e-3
        rows.append({SYMBOLS[z]: float(n) for z, n in zip(numbers, amounts, strict=True)})
    return rows


def test_names_are_those_of_matminer(matminer):
    assert tuple(matminer.feature_labels()) == MAGPIE_NAMES
    assert len(MAGPIE_NAMES) == 132


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([{symbol: 1.0} for symbol in SYMBOLS[1:]], id="every single element"),
        pytest.param(random_rows(1200, seed=1), id="fractional amounts"),
        pytest.param(random_rows(1000, seed=2, whole=True), id="whole amounts with ties"),
        pytest.param(
            random_rows(300, seed=3, elements=[2, 10, 18, 36, 54, 86, 87, *range(84, 104)]),
            id="elements with missing data",
        ),
        pytest.param(random_rows(500, seed=4, most=20), id="wide enough for pairwise sums"),
    ],
)
def test_values_are_bit_for_bit_those_of_matminer(matminer, rows):
    np.testing.assert_array_equal(ours(rows), matminer.values(rows), strict=True)


def test_nearly_equal_amounts_count_as_a_tie(matminer):
    rows = [{"Ni": 1.0, "La": 1.0 + 1e-6}, {"La": 1.0, "Ni": 1.0 - 1e-3}, {"Zr": 0.1 + 0.2, "Fe": 0.3}]
    np.testing.assert_array_equal(ours(rows), matminer.values(rows))


def test_values_do_not_depend_on_the_other_rows():
    rows = random_rows(200, seed=5, most=12)
    together = ours(rows)
    alone = np.concatenate([ours([row]) for row in rows])
    np.testing.assert_array_equal(together, alone)


def test_large_batches_are_computed_in_pieces_without_seams():
    rows = random_rows(300, seed=6)
    np.testing.assert_array_equal(ours(rows * 20), np.tile(ours(rows), (20, 1)))


def test_mean_atomic_weight_is_the_molar_mass_per_atom():
    column = MAGPIE_NAMES.index("MagpieData mean AtomicWeight")
    assert ours([{"La": 1.0, "Ni": 5.0}])[0, column] == pytest.approx((138.90547 + 5 * 58.6934) / 6, rel=1e-5)


def test_no_rows_give_no_rows():
    assert magpie_features(CompositionBatch.from_amounts([])).shape == (0, 132)


def test_matminer_is_not_imported():
    code = (
        "import sys; from hstore_models.features.table import featurize, CompositionBatch as C;"
        "featurize(C.from_amounts([{'Ni': 1.0}]), ('magpie', 'hydride', 'electrolyte'));"
        "assert not {'matminer', 'pymatgen', 'sklearn', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.long
@pytest.mark.mirror
def test_formulas_of_public_sets_agree_with_matminer(matminer):
    mirror = os.environ.get("HSTORE_DATA_MIRROR")
    if not mirror:
        pytest.skip("HSTORE_DATA_MIRROR is not set")
    columns = {
        "ml_hydpark/ml_hydpark.csv": "formula",
        "hystor/hystor.csv": "formula",
        "obelix/all.csv": "True Composition",
        "liverpool_liion/liverpool_liion.csv": "formula",
    }
    formulas = [f for path, column in columns.items() for f in pd.read_csv(Path(mirror) / path)[column].unique()]
    batch, rejected = CompositionBatch.from_formulas(formulas)
    skipped = {r.index for r in rejected}
    rows = [parse_amounts(f) for index, f in enumerate(formulas) if index not in skipped]
    assert len(rows) > 1500
    assert len(rejected) < 0.05 * len(formulas)
    np.testing.assert_array_equal(magpie_features(batch), matminer.values(rows))
