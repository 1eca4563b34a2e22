"""AIF files: what is written comes back, files of pyGAPS are read, and others say what they lack."""

from __future__ import annotations

import io
import json
import sys
import warnings
from datetime import date
from importlib.util import find_spec

import pytest
from click.testing import CliRunner

from hstore.errors import InputError, MissingExtraError
from hstore_workflows.cli import main
from hstore_workflows.measure.aif import looks_like_aif, read_aif, write_aif
from hstore_workflows.measure.isotherm_tables import read_isotherms
from hstore_workflows.measure.isotherms import ToldIsotherm
from hstore_workflows.measure.rows import Unusable

pytestmark = pytest.mark.skipif(find_spec("gemmi") is None, reason="the extra isotherms is not installed")

TOLD = ToldIsotherm(
    [(0.1, 1.25), (0.5, 2.5), (1.0, 3.125), (2.0, 3.3), (5.0, 3.4)],
    77.4,
    "excess",
    formula="Zn4O13C24H12",
    pressure_unit="kPa",
    uptake_unit="mmol/g",
    mass_basis="sorbent",
    measured_on=date(2026, 3, 1),
    sample="MOF-5 batch 'seven'",
    instrument="Sieverts # 2",
    note="degassed; 16 h",
    reference="10.1000/x",
    licence="CC-BY-4.0",
    row_id="A-7",
    confirmed=True,
)


def test_what_is_written_comes_back_with_units_temperature_branch_and_words():
    others = [
        ToldIsotherm([(5.0, 3.4), (1.0, 3.2), (0.1, 1.4)], 77.4, "excess", branch="desorption", sample="a",
                     mass_basis="sorbent"),
        ToldIsotherm([(1.0, 0.5), (2.0, 0.9)], 298.0, "total", sample="a", uptake_unit="cm3(STP)/g"),
    ]  # fmt: skip
    text = write_aif([TOLD, *others])
    assert read_aif(text.encode()) == [TOLD, *others]
    assert read_isotherms(io.BytesIO(text.encode())) == [TOLD, *others]


def test_pygaps_reads_what_is_written_and_the_other_way_round(tmp_path):
    pygaps_parsing = pytest.importorskip("pygaps.parsing")
    (file := tmp_path / "a.aif").write_text(write_aif([TOLD]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas about a call in pyGAPS that is deprecated
        theirs = pygaps_parsing.isotherm_from_aif(str(file))
    assert theirs.temperature == 77.4
    assert (theirs.pressure_unit, theirs.loading_unit, theirs.material_unit) == ("kPa", "mmol", "g")
    assert theirs.loading().tolist() == [uptake for _, uptake in TOLD.points]
    content = pygaps_parsing.isotherm_to_aif(theirs).encode()
    (back,) = read_aif(content, unless_stated={"uptake_kind": "excess"})
    assert (back.points, back.temperature_k, back.pressure_unit) == (TOLD.points, 77.4, "kPa")
    assert (back.uptake_unit, back.instrument) == ("mmol/g", TOLD.instrument)


FOREIGN = """data_x
_exptl_temperature -196
_exptl_adsorptive {gas}
_sample_material_id 'COF5'
_units_temperature C
_units_pressure {pressure}
_units_loading '{loading}'
loop_
_adsorp_pressure
_adsorp_p0
_adsorp_amount
0.1 1 20
0.2 1 {point}
0.4 1 40
"""


def foreign(gas="H2", pressure="bar", loading="cm³/g STP", point="30"):
    return FOREIGN.format(gas=gas, pressure=pressure, loading=loading, point=point).encode()


def test_files_of_others_are_read_with_their_old_names_and_units():
    (told,) = read_aif(foreign(), unless_stated={"uptake_kind": "excess"})
    assert told.temperature_k == pytest.approx(77.15)
    assert (told.uptake_unit, told.sample, told.formula) == ("cm3(STP)/g", "COF5", "")
    assert told.points == [(0.1, 20.0), (0.2, 30.0), (0.4, 40.0)]


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (foreign(gas="N2"), "isotherms of hydrogen are taken"),
        (foreign(pressure="p/p0"), "_units_pressure"),
        (foreign(point="much"), "point 2 must be two numbers"),
    ],
    ids=["nitrogen", "relative", "point"],
)
def test_an_isotherm_that_cannot_be_used_says_why(content, cause):
    (told,) = read_aif(content, unless_stated={"uptake_kind": "excess"})
    assert isinstance(told, Unusable)
    assert cause in told.cause


def test_the_kind_of_uptake_is_never_guessed():
    (told,) = read_aif(foreign())
    assert "uptake_kind" in told.cause


@pytest.mark.parametrize(
    "text", ["data_x\n_cell_length_a 5\n", "data_x\nloop_\n_a\n_b\n1\n"], ids=["cif", "broken"]
)
def test_what_holds_no_isotherm_is_refused(text):
    with pytest.raises(InputError, match="AIF file"):
        read_aif(text.encode())


def test_files_are_known_by_their_first_words():
    assert looks_like_aif(b"\xef\xbb\xbf# made by hand\n\ndata_x\n_a 1\n")
    assert not looks_like_aif(b"# sample: data_x\npressure_bar,uptake_wt_pct\n")


def test_without_gemmi_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "gemmi", None)
    with pytest.raises(MissingExtraError, match=r"hstore\[isotherms\]"):
        read_aif(foreign())


def test_the_commands_take_and_write_aif(tmp_path, monkeypatch):
    monkeypatch.setenv("HSTORE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HSTORE_DATABASE_URL", "")
    (file := tmp_path / "a.aif").write_text(write_aif([TOLD]))
    taken = CliRunner().invoke(main, ["measure", str(file), "--isotherms", "--lab", "north", "--json"])
    assert json.loads(taken.output)["counts"]["stored"] == 1, taken.output
    out = tmp_path / "out.aif"
    told = CliRunner().invoke(main, ["fit", "isotherm", str(file), "--aif", str(out), "--json"])
    assert told.exit_code == 0, told.output
    assert read_aif(out.read_bytes()) == [TOLD]
