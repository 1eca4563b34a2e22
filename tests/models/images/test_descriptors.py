"""Descriptors of micrographs: known structures, contrast, magnification, direction, and known relations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import zoom

from hstore.errors import InputError
from hstore_models.images.descriptors import COLUMNS, ImageSettings, describe_image
from hstore_models.images.relation import relate
from hstore_models.images.synthetic import boolean_model, cracks, grains, rendered

FOUR = ImageSettings(nm_per_pixel=4.0)


@pytest.fixture(scope="module")
def porous():
    return boolean_model((400, 400), density=6e-4, radius=9.0, seed=7)


def discs(shape, places, radius):
    y, x = np.indices(shape)
    return np.any([np.hypot(y - a, x - b) <= radius for a, b in places], axis=0)


def test_four_round_pores_are_counted_and_measured():
    inside = discs((120, 120), [(30, 30), (30, 90), (90, 30), (90, 90)], 10)
    found = describe_image(rendered(inside, blur=0.7, noise=0.1, seed=0), FOUR)
    assert tuple(found) == COLUMNS
    assert (found["dark_count"], found["bright_count"], found["axes"]) == (4, 1, 2)
    assert found["dark_count_per_um"] == pytest.approx(4 / 0.48**2)
    assert found["dark_diameter_p50_nm"] == pytest.approx(80, rel=0.04)
    assert found["dark_fraction"] == pytest.approx(inside.mean(), abs=0.005)
    assert found["dark_elongation_mean"] == pytest.approx(1, abs=0.05)
    assert found["dark_widest_nm"] == pytest.approx(80, rel=0.15)
    assert found["interface_per_um"] == pytest.approx(4 * math.pi * 0.08 / 0.48**2, rel=0.08)
    assert (found["dark_spanning_axes_share"], found["bright_spanning_axes_share"]) == (0, 1)
    assert found["euler_per_um"] * 0.48**2 == pytest.approx(4)


def test_balls_are_counted_and_measured_in_three_dimensions():
    z, y, x = np.indices((48, 48, 48))
    inside = np.zeros((48, 48, 48), dtype=bool)
    for a, b, c in ((12, 12, 12), (34, 34, 14), (30, 12, 34)):
        inside |= (z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2 <= 49
    large = ImageSettings(nm_per_pixel=4.0, flatten_nm=0)  # a ball fills a third of the side
    found = describe_image(rendered(inside, blur=0.7, noise=0.1, seed=0), large)
    assert (found["dark_count"], found["axes"]) == (3, 3)
    assert found["dark_diameter_p50_nm"] == pytest.approx(56, rel=0.08)
    assert found["interface_per_um"] == pytest.approx(3 * 4 * math.pi * 0.028**2 / 0.192**3, rel=0.12)
    flat = describe_image(
        rendered(inside[::2], blur=0.7, noise=0.05, seed=0),
        ImageSettings(nm_per_pixel=4.0, nm_per_slice=8.0, flatten_nm=0),
    )
    assert flat["dark_count"] == 3
    assert flat["dark_diameter_p50_nm"] == pytest.approx(56, rel=0.15)


def test_rings_and_tunnels_are_loops():
    y, x = np.indices((100, 100))
    ring = (np.hypot(y - 50, x - 50) < 35) & (np.hypot(y - 50, x - 50) > 20)
    found = describe_image(rendered(ring, blur=0.7, noise=0.05, seed=0), FOUR)
    assert found["dark_loops_per_um"] * 0.4**2 == pytest.approx(1)
    z, y, x = np.indices((40, 40, 40)) - 19.5
    torus = np.hypot(np.hypot(x, y) - 10, z) < 5
    shell = (np.sqrt(x**2 + y**2 + z**2) < 16) & (np.sqrt(x**2 + y**2 + z**2) > 8)
    for inside, loops in ((torus, 1), (shell, 0)):
        found = describe_image(rendered(inside, blur=0.7, noise=0.05, seed=0), FOUR)
        assert found["dark_loops_per_um"] * 0.16**3 == pytest.approx(loops)
        assert found["euler_per_um"] * 0.16**3 == pytest.approx(0 if loops else 2)


def test_grains_between_dark_boundaries_are_counted():
    found = describe_image(
        rendered(grains((400, 400), count=50, boundary=5, seed=1), blur=0.7, noise=0.15, seed=2), FOUR
    )
    assert 50 <= found["bright_count"] <= 85  # those at the border are cut into more
    assert found["dark_largest_share"] > 0.95
    assert found["dark_spanning_axes_share"] == 1


def test_cracks_are_long_and_their_direction_shows():
    along = cracks((300, 300), count=12, length=90, width=5, spread=0.3, seed=3)
    any_way = cracks((300, 300), count=12, length=90, width=5, seed=3)
    found, other = (describe_image(rendered(c, blur=0.7, noise=0.1, seed=1), FOUR) for c in (along, any_way))
    assert found["dark_elongation_mean"] > 4
    assert found["anisotropy"] > 2 * other["anisotropy"]


def test_contrast_changes_nothing_at_all(porous):
    image = rendered(porous, blur=1, noise=0.2, seed=0)
    plain = describe_image(image, FOUR)
    assert describe_image(200 * image**2.2 + 17, FOUR) == plain
    assert describe_image(np.sqrt(image), FOUR) == plain


@pytest.mark.parametrize(("slope", "flatten_nm"), [(0.3, None), (1.0, 200.0)])
def test_brightness_that_changes_across_the_image_is_taken_off(porous, slope, flatten_nm):
    image = rendered(porous, blur=1, noise=0.1, seed=0)
    even = describe_image(image, FOUR)
    image += np.linspace(0, slope, 400)
    uneven, flat = (
        describe_image(image, ImageSettings(nm_per_pixel=4.0, flatten_nm=nm)) for nm in (0, flatten_nm)
    )
    assert uneven["dark_fraction"] > 2 * porous.mean()
    assert flat["dark_fraction"] == pytest.approx(porous.mean(), abs=0.02)
    assert flat["dark_count"] == pytest.approx(even["dark_count"], rel=0.1)
    assert flat["dark_diameter_p50_nm"] == pytest.approx(even["dark_diameter_p50_nm"], rel=0.05)


def test_noise_changes_little(porous):
    one, other = (describe_image(rendered(porous, blur=1, noise=n, seed=1), FOUR) for n in (0.05, 0.3))
    assert other["dark_fraction"] == pytest.approx(one["dark_fraction"], abs=0.03)
    assert other["dark_count"] == pytest.approx(one["dark_count"], rel=0.12)
    assert other["dark_diameter_p50_nm"] == pytest.approx(one["dark_diameter_p50_nm"], rel=0.08)


def test_twice_the_magnification_changes_little(porous):
    image = rendered(porous, blur=1, noise=0.1, seed=0)
    coarse = describe_image(image, ImageSettings(nm_per_pixel=4.0, smooth_nm=8.0))
    fine = describe_image(
        zoom(image, 2, order=1, grid_mode=True, mode="nearest"), ImageSettings(nm_per_pixel=2.0, smooth_nm=8.0)
    )
    for name in ("dark_fraction", "dark_count_per_um", "dark_diameter_p50_nm", "dark_diameter_p90_nm",
                 "dark_chord_mean_nm", "dark_widest_nm", "dark_elongation_mean", "interface_per_um",
                 "bright_chord_mean_nm", "dark_lifetime_p90", "euler_per_um"):  # fmt: skip
        assert fine[name] == pytest.approx(coarse[name], rel=0.04), name


def test_a_quarter_turn_changes_nothing_but_the_order_of_axes(porous):
    image = rendered(porous, blur=1, noise=0.1, seed=0)
    one, turned = describe_image(image, FOUR), describe_image(np.rot90(image), FOUR)
    for name in COLUMNS:
        assert turned[name] == pytest.approx(one[name], rel=1e-6, nan_ok=True), name


def test_a_known_dark_fraction_is_kept(porous):
    found = describe_image(
        rendered(porous, blur=1, noise=0.1, seed=0), ImageSettings(nm_per_pixel=4.0, dark_fraction=0.1)
    )
    assert found["dark_fraction"] == pytest.approx(0.1, abs=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"nm_per_pixel": 0.0}, "nm_per_pixel must be above 0, got 0"),
        ({"nm_per_pixel": 1.0, "nm_per_slice": -2.0}, "nm_per_slice must be above 0, got -2"),
        ({"nm_per_pixel": 1.0, "flatten_nm": -1.0}, "flatten_nm must be 0 or more, got -1"),
        ({"nm_per_pixel": 1.0, "smooth_nm": -1.0}, "smooth_nm must be 0 or more, got -1"),
        ({"nm_per_pixel": 1.0, "dark_fraction": 1.0}, "above 0 and below 1, got 1"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        ImageSettings(**settings)


def planted(seed, *, specimens=24, strength=1.0):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(specimens, 25))
    values[:, 1:8] += 1.5 * values[:, :1]  # descriptors go together
    target = strength * values[:, 0] + 0.4 * rng.normal(size=specimens)
    return values, tuple(f"d{k}" for k in range(25)), target


def test_a_planted_relation_is_found():
    found = relate(*planted(0))
    assert found.p_value <= 0.01
    assert found.q2_low > 0
    assert found.mae < 0.7 * found.mae_mean
    assert found.words.startswith("A relation is there (24 specimens, 25 descriptors)")
    assert "d0" in dict(found.strongest)


def test_a_planted_null_is_found_about_as_often_as_the_p_value_says():
    found = [relate(*planted(seed, strength=0.0), permutations=99) for seed in range(1, 41)]
    assert np.mean([r.p_value <= 0.05 for r in found]) <= 0.15
    assert np.mean([r.q2 for r in found]) < 0.05
    assert sum(r.words.startswith("A relation is there") for r in found) <= 2
    assert any("No relation can be told from chance" in r.words for r in found)


def test_too_few_specimens_are_told_so():
    values, names, target = planted(0, specimens=7)
    with pytest.raises(InputError, match="7 specimens have both images and the property; from 8"):
        relate(values, names, target)


def test_no_specimen_is_predicted_by_a_model_that_saw_it():
    values, names, target = planted(3)
    changed = target.copy()
    changed[5] += 100.0
    one, other = relate(values, names, target, permutations=9), relate(values, names, changed, permutations=9)
    assert other.predicted[5] == one.predicted[5]
    assert not np.allclose(other.predicted[:5], one.predicted[:5])


def test_descriptors_that_are_missing_or_the_same_for_all_are_left_out():
    values, names, target = planted(1)
    values[3, 2] = np.nan
    values[:, 4] = 7.0
    assert relate(values, names, target, permutations=9).descriptors == tuple(
        n for n in names if n not in ("d2", "d4")
    )
    with pytest.raises(InputError, match="no descriptor is known"):
        relate(np.full((24, 2), np.nan), ("a", "b"), target)
