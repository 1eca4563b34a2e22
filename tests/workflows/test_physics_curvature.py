"""``hstore physics curvature`` on files and on what cannot be used."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from hstore.crystal import Crystal
from hstore_workflows.cli import main
from hstore_workflows.sources.carbon.source import CarbonQuery, CarbonSource


@pytest.fixture
def tube(tmp_path):
    (material,) = CarbonSource(CarbonQuery(tubes=((10, 10),)))
    path = tmp_path / "tube.cif"
    Crystal.from_dict(material.structure).to_pymatgen().to(filename=str(path))
    return path


def test_a_tube_is_told_beside_what_has_no_sheet(tube, tmp_path):
    bad = tmp_path / "broken.cif"
    bad.write_text("not a structure", encoding="utf-8")
    plot = tmp_path / "wells.png"
    result = CliRunner().invoke(main, ["physics", "curvature", str(tube), str(bad), "--plot", str(plot), "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    one, other = told["carbons"]
    assert one["atoms"] == 40
    assert len(one["rows"]["site"]) == one["wells"] == 80
    assert one["depth_towards_kj_per_mol"] > one["depth_away_kj_per_mol"]
    assert one["depth_flat_kj_per_mol"] is None
    assert one["heat_at_zero_kj_per_mol"] > one["depth_away_kj_per_mol"]
    assert told["law"]["wells"] == 80
    assert "cause" in other
    assert plot.stat().st_size > 5000


def test_nothing_to_look_at_is_a_wrong_use_and_nothing_usable_a_failure(tmp_path):
    result = CliRunner().invoke(main, ["physics", "curvature"])
    assert result.exit_code == 2
    assert "--known" in result.output
    bad = tmp_path / "broken.cif"
    bad.write_text("not a structure", encoding="utf-8")
    result = CliRunner().invoke(main, ["physics", "curvature", str(bad)])
    assert result.exit_code == 1
    assert "broken" in result.output
