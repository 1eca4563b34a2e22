"""``hstore image``: files of many kinds, images that fail with causes, tables, and relations to a property."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from hstore.errors import InputError
from hstore_models.images.synthetic import boolean_model, rendered
from hstore_workflows.cli import main
from hstore_workflows.micrographs import reading
from hstore_workflows.micrographs.describing import DescribedImage, relate_property
from hstore_workflows.micrographs.reading import read_image


def run(*arguments):
    return CliRunner().invoke(main, ["image", *map(str, arguments)])


@pytest.fixture(scope="module")
def grey():
    inside = boolean_model((96, 120), density=2e-3, radius=6.0, seed=2)
    return (255 * rendered(inside, blur=0.7, noise=0.1, seed=0)).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, grey):
    """Images of many kinds with the same greys, a stack, and two that are none."""
    path = tmp_path_factory.mktemp("images")
    Image.fromarray(grey).save(path / "grey.png")
    Image.fromarray(grey.astype(np.uint16) * 200).save(path / "deep.tif")
    Image.merge("RGB", [Image.fromarray(grey)] * 3).save(path / "colour.png")
    np.save(path / "array.npy", grey)
    slices = [Image.fromarray(np.roll(grey[:40, :40], k, axis=0)) for k in range(12)]
    slices[0].save(path / "stack.tif", save_all=True, append_images=slices[1:])
    (path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (path / "words.txt").write_text("no image")
    np.save(path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    return path


def test_files_of_all_kinds_have_the_same_descriptors(folder, tmp_path):
    names = ("grey.png", "deep.tif", "colour.png", "array.npy")
    done = run(*(folder / name for name in names), "--nm-per-pixel", 5, "--json", "--workers", 1)
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert told["settings"]["nm_per_pixel"] == 5
    first, *others = (one["descriptors"] for one in told["images"])
    assert first["axes"] == 2
    assert first["dark_count"] > 5
    assert all(other == first for other in others)


def test_what_cannot_be_read_is_told_and_the_rest_goes_on(folder, tmp_path):
    out = tmp_path / "found.csv"
    names = ("broken.png", "words.txt", "none.png", "objects.npy", "stack.tif")
    done = run(*(folder / name for name in names), "--nm-per-pixel", 5, "--out", out, "--workers", 1)
    assert done.exit_code == 0, done.output
    assert "1 described, 4 failed" in done.output
    table = pd.read_csv(out).set_index("image")
    assert table.loc["stack.tif", "axes"] == 3
    causes = table["cause"]
    assert "cannot be read as an image" in causes["broken.png"]
    assert "ending that is not read" in causes["words.txt"]
    assert "is not a file" in causes["none.png"]
    assert "objects.npy" in causes["objects.npy"]
    assert run(folder / "broken.png", "--nm-per-pixel", 5, "--workers", 1).exit_code == 1


def test_the_bar_below_is_cut_off(folder, grey):
    assert read_image(folder / "grey.png", cut_bottom=16).shape == (80, 120)
    assert np.array_equal(
        read_image(folder / "stack.tif", cut_bottom=4)[3], np.roll(grey[:40, :40], 3, axis=0)[:36]
    )
    with pytest.raises(InputError, match=r"cut_bottom must be from 0 to 95 rows of grey.png, got 96"):
        read_image(folder / "grey.png", cut_bottom=96)


def test_images_that_are_too_large_are_refused_before_they_are_read(folder, monkeypatch):
    monkeypatch.setattr(reading, "MOST_PIXELS", 1000)
    for name in ("grey.png", "array.npy"):
        with pytest.raises(InputError, match="11520 pixels, at most 1000 are allowed"):
            read_image(folder / name)


def test_wrong_use_is_told(folder, tmp_path):
    wrong = run(folder / "grey.png", "--nm-per-pixel", -1)
    assert wrong.exit_code == 2
    assert "nm_per_pixel must be above 0, got -1" in wrong.output
    alone = run(folder / "grey.png", "--nm-per-pixel", 1, "--target", "x")
    assert (alone.exit_code, "go together" in alone.output) == (2, True)


@pytest.fixture(scope="module")
def described():
    """Thirty images whose pores differ, two for each specimen."""
    from pathlib import Path

    from hstore_models.images.descriptors import ImageSettings, describe_image

    rng, found = np.random.default_rng(0), []
    for place in range(15):
        radius, covered = rng.uniform(4, 9), rng.uniform(0.08, 0.35)
        for copy in "ab":
            inside = boolean_model(
                (160, 160),
                density=-np.log(1 - covered) / (np.pi * radius**2),
                radius=radius,
                seed=2 * place + (copy == "b"),
            )
            image = rendered(inside, blur=0.7, noise=0.1, seed=place)
            values = describe_image(image, ImageSettings(nm_per_pixel=5.0))
            found.append(DescribedImage(Path(f"s{place:02d}{copy}.png"), values))
    return found


def table_of(path, described, value):
    rows = [
        {"image": one.path.stem, "specimen": one.path.stem[:3], "y": value(place // 2), "x": 1.0}
        for place, one in enumerate(described)
    ]
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_a_property_that_follows_porosity_is_found_over_specimens(described, tmp_path):
    porosity = [np.mean([d.descriptors["dark_fraction"] for d in described[k : k + 2]]) for k in range(0, 30, 2)]
    noise = np.random.default_rng(1).normal(scale=0.5, size=15)
    found = relate_property(
        described, table_of(tmp_path / "t.csv", described, lambda k: 40 * np.exp(-3 * porosity[k]) + noise[k]), "y"
    )
    assert found.relation.specimens == 15
    assert found.relation.words.startswith("A relation is there (15 specimens")
    record = json.loads(json.dumps(found.record()))
    assert record["q2"] > 0.5
    assert record["p_value"] <= 0.01
    assert len(record["specimens"]) == 15


def test_a_property_that_follows_nothing_is_not_found(described, tmp_path):
    values = np.random.default_rng(4).normal(size=15)
    found = relate_property(described, table_of(tmp_path / "t.csv", described, lambda k: values[k]), "y")
    assert not found.relation.words.startswith("A relation is there")


def test_tables_that_do_not_fit_are_refused_or_noted(described, tmp_path):
    path = table_of(tmp_path / "t.csv", described, float)
    with pytest.raises(InputError, match=r"t\.csv lacks z; it has image, specimen, y, x"):
        relate_property(described, path, "z")
    frame = pd.read_csv(path)
    frame.loc[0, "y"] = 99.0
    frame.to_csv(path, index=False)
    with pytest.raises(InputError, match="specimen 's00' has several values of y"):
        relate_property(described, path, "y")
    frame["y"] = frame["y"].astype(object)
    frame.loc[[0, 1], "y"] = "broken"
    frame.loc[2, "image"] = "nowhere"
    frame.to_csv(path, index=False)
    notes = relate_property(described, path, "y").notes
    assert "row 1, s00a: y 'broken' is no number" in notes
    assert "row 3, nowhere: no such image was described" in notes
    with pytest.raises(InputError, match="4 specimens have both"):
        relate_property(described[:8], path, "x")
