"""Specs: those that are shipped, what a user's own may say, and what is refused with its place."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from hstore.errors import InputError, UnknownNameError
from hstore.formula import parse_amounts
from hstore_models.learners import KINDS
from hstore_models.prediction import Query
from hstore_models.spec import SHIPPED, Spec, read_spec, shipped_spec
from hstore_models.table_property import fit_table_property

OWN = """
name = "mine"
kind = "property"
summary = "Mine."
unit = "GPa"
[targets.modulus_gpa]
features = ["magpie"]
[[targets.modulus_gpa.learners]]
kind = "sklearn.svm.SVR"
parameters = { C = 10.0 }
"""


@pytest.fixture
def written(tmp_path):
    """Write a spec and return its path."""

    def write(text):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_specs_are_complete_and_their_learners_can_be_built(name):
    spec = shipped_spec(name)
    assert (spec.name, spec.kind) == (name, name)
    spec.check()
    assert spec.summary
    assert spec.limits
    assert spec.data.curated
    assert Spec.model_validate(spec.model_dump(mode="json")) == spec  # as a card keeps it
    for target, recipe in spec.recipes(seed=3).items():
        assert recipe.seed == 3
        assert len(recipe.learners) == len(spec.targets[target].learners)


def test_a_name_that_is_not_shipped_lists_those_that_are():
    with pytest.raises(UnknownNameError, match="did you mean 'hydride_capacity'"):
        shipped_spec("hydride_capacty")


def test_a_spec_of_your_own_trains_any_estimator(written):
    spec = read_spec(written(OWN))
    rng = np.random.default_rng(0)
    amounts = [parse_amounts(f"{a}{x:.3f}{b}") for a in ("Ti", "Zr", "La", "V") for b in ("Fe", "Ni", "Mn")
               for x in rng.uniform(0.5, 3, 4)]  # fmt: skip
    rows = pd.DataFrame({"chemical_system": ["-".join(sorted(a)) for a in amounts]})
    rows["amounts"] = pd.Series(amounts, dtype=object)
    rows["modulus_gpa"] = [100 + 10 * next(iter(a.values())) for a in amounts]
    model = fit_table_property(rows, spec)
    assert list(model.ensemble.learners) == ["SVR"]
    answer = model.predict("modulus_gpa", Query.of(amounts))
    assert np.isfinite(answer.mean).all()
    assert np.ptp(answer.mean) > 0


def test_files_are_relative_to_the_spec(written, tmp_path):
    (tmp_path / "rows.csv").write_text("formula,modulus_gpa\n")
    spec = read_spec(written('[data]\nfiles = ["rows.csv"]\n'.join(OWN.split("[targets.modulus_gpa]\n", 1)[:1])
                             + '[data]\nfiles = ["rows.csv"]\n[targets.modulus_gpa]\n'
                             + OWN.split("[targets.modulus_gpa]\n", 1)[1]))  # fmt: skip
    assert spec.data.files == ((tmp_path / "rows.csv").resolve(),)
    (tmp_path / "rows.csv").unlink()
    with pytest.raises(InputError, match=r"rows\.csv, which is not a file; correct data\.files"):
        read_spec(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("name = ", "nam = ", "name: Field required"),
        ('name = "mine"', 'name = "My model"', "name: .*pattern"),
        ('name = "mine"', 'name = "conductivity"', "takes the name of the shipped spec 'conductivity'"),
        ('kind = "property"', 'kind = "properties"', "did you mean 'property'"),
        ("unit = ", "units = ", "units: Extra inputs are not permitted"),
        ("features = ", "feature = ", r"targets\.modulus_gpa\.features: Field required"),
        ('features = ["magpie"]', "features = []", "needs features or columns"),
        ('features = ["magpie"]', 'features = ["magpie"]\ntransform = "logs"', "did you mean 'log'"),
        ('features = ["magpie"]', 'features = ["magpie"]\nlow = 3\nhigh = 1', "low must be below high, got 3"),
        ('features = ["magpie"]', 'features = ["magpie"]\nmonotonic = { x = 1 }', "kept by 'boosting' only"),
        ('features = ["magpie"]', 'features = ["magpie"]\nmonotonic = { x = 2 }', r"monotonic\.x"),
        ('unit = "GPa"', 'unit = "GPa"\nmetric = "mea"', "did you mean 'mae'"),
        ('unit = "GPa"', 'unit = "GPa"\nsplit = { n_folds = 1 }', r"split\.n_folds: .*greater than or equal to 2"),
        ("sklearn.svm.SVR", "sklearn.svm.SVX", "cannot be imported"),
        ("sklearn.svm.SVR", "extra_trees", r"extra_trees cannot be built with .*'C'"),
        ("C = 10.0", "C = -1.0", "'C' parameter of SVR"),
        ("C = 10.0", "C = ", "is not TOML"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_their_place(written, old, new, words):
    assert old in OWN
    with pytest.raises(InputError, match=words) as caught:
        read_spec(written(OWN.replace(old, new)))
    assert "mine.toml" in str(caught.value) or "SVR" in words or "extra_trees" in words or "import" in words


def test_what_is_no_text_or_no_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not a file; give a spec in TOML"):
        read_spec(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not text in UTF-8"):
        read_spec(tmp_path / "binary.toml")


def test_a_property_has_one_target(written):
    second = OWN.split("[targets.modulus_gpa]\n", 1)[1].replace("modulus_gpa", "other")
    with pytest.raises(InputError, match="has one target, got 2; write one spec each"):
        read_spec(written(OWN + "[targets.other]\n" + second))


def test_constraints_find_their_features_by_name():
    target = {"features": ["magpie"], "monotonic": {"b": -1}, "learners": [{"kind": "boosting"}]}
    spec = Spec(name="x", kind="property", summary="", targets={"t": target})
    assert spec.recipe("t", names=("a", "b", "c")).monotonic == {1: -1}
    assert spec.recipe("t").monotonic == {}
    with pytest.raises(UnknownNameError, match="feature of a monotonic constraint 'b'"):
        spec.recipe("t", names=("a", "c"))
    with pytest.raises(UnknownNameError, match="target of x"):
        spec.recipe("u")


def test_a_spec_cannot_be_changed():
    with pytest.raises(ValidationError):
        shipped_spec("conductivity").name = "x"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_learner_may_stand_in_a_spec(written, kind):
    assert read_spec(written(OWN.replace("sklearn.svm.SVR", kind).replace("{ C = 10.0 }", "{}")))
