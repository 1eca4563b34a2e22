"""Persistence of images on their grid: counts on hand-made images, duality, Euler numbers, and invariance."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.ndimage import label

from hstore.errors import InputError
from hstore_models.images.cubical import checked_image, components, euler_curve, grey_shares
from hstore_models.images.synthetic import boolean_model, boolean_model_euler, gaussian_field


def picture(text):
    """Return greys 0 to 9 of lines of digits."""
    return np.array([[float(c) for c in line] for line in text.split()])


TWO_PITS = picture("99999999 91199229 91199229 99999999 99955999 99999999 99999999 99999999")
RING = picture("99999999 91111199 91999199 91999199 91999199 91111199 99999999 99999999")


def test_two_pits_begin_at_their_greys_and_the_younger_ends_where_they_meet():
    shares = grey_shares(TWO_PITS)
    dark = components(shares)
    greys = {grey: shares[grey == TWO_PITS][0] for grey in (1.0, 2.0, 5.0, 9.0)}
    found = sorted(zip(dark.birth.tolist(), dark.death.tolist(), strict=True))
    assert found == [(greys[1], 1.0), (greys[2], greys[9]), (greys[5], greys[9])]
    assert sorted(TWO_PITS.flat[dark.pixel]) == [1, 2, 5]


def test_a_dark_ring_encloses_one_bright_component():
    shares = grey_shares(RING)
    enclosed = components(shares, bright=True, outside=True)
    assert len(enclosed.birth) == 1
    assert RING.flat[enclosed.pixel[0]] == 9
    assert enclosed.birth[0] < enclosed.death[0] < 1
    assert euler_curve(shares, np.array([shares.min()])).tolist() == [0]


def test_dark_pixels_touch_at_corners_and_bright_ones_do_not():
    board = np.indices((8, 8)).sum(axis=0) % 2.0
    shares = grey_shares(board)
    assert len(components(shares).birth) == 1
    assert len(components(shares, bright=True).birth) == 32


@pytest.mark.parametrize("shape", [(40, 31), (12, 14, 13)], ids=["2-D", "3-D"])
def test_components_at_each_level_are_those_that_labelling_finds(shape):
    shares = grey_shares(np.random.default_rng(0).integers(0, 40, shape).astype(float))
    dark, bright = components(shares), components(shares, bright=True)
    for level in (0.1, 0.3, 0.5, 0.8):
        alive = ((dark.birth <= level) & (level < dark.death)).sum()
        assert alive == label(shares <= level, np.ones((3,) * len(shape)))[1]
        alive = ((bright.birth < 1 - level) & (1 - level <= bright.death)).sum()
        assert alive == label(shares > level)[1]


def test_in_two_dimensions_components_and_enclosed_ones_make_the_euler_number():
    shares = grey_shares(gaussian_field((60, 50), correlation_length=3, seed=2))
    dark, holes = components(shares), components(shares, bright=True, outside=True)
    levels = np.linspace(0.01, 0.99, 40)
    for level, euler in zip(levels, euler_curve(shares, levels), strict=True):
        pieces = ((dark.birth <= level) & (level < dark.death)).sum()
        enclosed = ((holes.birth < 1 - level) & (1 - level <= holes.death)).sum()
        assert pieces - enclosed == euler


def test_a_ball_a_shell_and_a_torus_have_their_euler_numbers_in_three_dimensions():
    z, y, x = np.indices((24, 24, 24)) - 11.5
    radius = np.sqrt(x**2 + y**2 + z**2)
    around = np.sqrt((np.hypot(x, y) - 7) ** 2 + z**2)
    for inside, expected in ((radius < 8, 1), ((radius < 9) & (radius > 5), 2), (around < 3, 0)):
        shares = grey_shares(np.where(inside, 0.0, 1.0))
        assert euler_curve(shares, np.array([0.5 * (shares.min() + shares.max())])).tolist() == [expected]


def test_the_share_at_which_a_phase_spans():
    image = np.full((10, 10), 9.0)
    image[4] = np.arange(10)  # a row that darkens pixel by pixel
    dark = components(grey_shares(image))
    assert dark.spans_at[1] == grey_shares(image)[4, 9]
    assert dark.spans_at[0] > 0.5


def test_any_growing_change_of_greys_changes_nothing():
    image = np.random.default_rng(1).random((30, 30))
    shares = grey_shares(image)
    for changed in (
        image**3,
        7 * image - 2,
        np.exp(5 * image),
        np.argsort(np.argsort(image.ravel())).reshape(30, 30),
    ):
        assert np.array_equal(grey_shares(np.asarray(changed, float)), shares)


def of_half_open(inside, euler):
    """Take off what the upper borders add, so that the mean is that for each pixel of an endless image."""
    return sum(
        (-1) ** sum(last) * euler(inside[tuple(-1 if end else slice(None) for end in last)])
        for last in itertools.product((0, 1), repeat=inside.ndim)
    )


def euler_of_set(inside):
    if inside.ndim == 0:
        return int(inside)
    return int(euler_curve(np.where(inside, 0.0, 1.0), np.array([0.5]))[0])


@pytest.mark.parametrize(
    ("shape", "density", "radius"),
    [((1200, 1200), 8e-5, 16.0), ((150, 150, 150), 1.2e-5, 9.0)],
    ids=["2-D", "3-D"],
)
def test_boolean_models_have_the_euler_number_of_miles(shape, density, radius):
    found = [
        of_half_open(boolean_model(shape, density=density, radius=radius, seed=seed), euler_of_set)
        for seed in range(6)
    ]
    expected = boolean_model_euler(density=density, radius=radius, dimensions=len(shape)) * np.prod(shape)
    error = np.std(found) / math.sqrt(len(found))
    assert np.mean(found) == pytest.approx(expected, abs=3 * error + 0.08 * expected)


def test_a_boolean_model_covers_what_it_should():
    inside = boolean_model((900, 900), density=0.001, radius=12.0, seed=4)
    assert inside.mean() == pytest.approx(1 - math.exp(-0.001 * math.pi * 144), abs=0.02)


def test_a_gaussian_field_has_its_covariance_and_its_euler_number():
    length, level = 6.0, 1.0
    fields = [gaussian_field((500, 500), correlation_length=length, seed=seed) for seed in range(8)]
    covariance = np.mean([np.mean(f * np.roll(f, 6, axis=1)) for f in fields])
    assert covariance == pytest.approx(math.exp(-0.5), abs=0.03)
    # Adler and Taylor, Random Fields and Geometry (2007): the mean for each area above a level
    expected = level * math.exp(-(level**2) / 2) / ((2 * math.pi) ** 1.5 * length**2)
    found = [of_half_open(f >= level, euler_of_set) / f.size for f in fields]
    assert np.mean(found) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros(9), "two or three dimensions, got 1"),
        (np.zeros((3, 40)), "at least 8 pixels along each side"),
        (np.ones((9, 9)), "all pixels have the same grey, 1"),
        (np.full((9, 9), np.nan), "81 pixels are not finite"),
        (np.full((9, 9), "a"), "array of numbers"),
    ],
)
def test_what_is_no_image_is_refused(image, message):
    with pytest.raises(InputError, match=message):
        checked_image(image)
