"""Measure how near descriptors of micrographs come to what synthetic images are known to hold, and how fast.

Discs (a Boolean model), grains and cracks are rendered dark on bright with blur, noise and a contrast of their
own; descriptors are compared with the same numbers of the drawing itself, and its Euler number with that of Miles.
Relations: how often a property that follows nothing is said to follow, and how often a planted one is found, by
the number of specimens.

Example: ``python benchmarks/micrographs.py --images 20 --json``
"""

from __future__ import annotations

import argparse
import json
from time import perf_counter
from typing import Any

import numpy as np
from scipy.ndimage import zoom

from hstore_models.images.cubical import euler_curve, labelled
from hstore_models.images.descriptors import ImageSettings, describe_image
from hstore_models.images.relation import SIGNIFICANCE, relate
from hstore_models.images.synthetic import boolean_model, boolean_model_euler, cracks, grains, rendered

SHAPE = (400, 400)
NM = 4.0
NOISES = (0.1, 0.3)
SPECIMENS = (12, 24, 48)
COVERED = (0.05, 0.27)
"""Shares of the area that overlapping discs cover, for their Euler number beside that of Miles."""
_COMPARED = ("dark_count_per_um", "dark_diameter_p50_nm", "dark_chord_mean_nm", "interface_per_um", "euler_per_um")
STEADY = ("dark_fraction", *_COMPARED, "dark_diameter_p90_nm", "dark_widest_nm", "dark_elongation_mean")
"""Descriptors compared between two magnifications."""


def measure(images: int) -> dict[str, Any]:
    """Return all figures."""
    return {
        "images": images,
        "kinds": {kind: {str(noise): errors(kind, noise, images) for noise in NOISES} for kind in DRAWN},
        "uneven_brightness": {kind: uneven(kind, images) for kind in DRAWN},
        "twice_the_magnification": magnified(images),
        "relations": {str(n): relations(n, images * 10) for n in SPECIMENS},
        "euler_number_of_discs": {str(share): euler_of_discs(share, images) for share in COVERED},
        "seconds": {"1024 x 1024": seconds((1024, 1024)), "128 x 128 x 128": seconds((128, 128, 128))},
    }


def _discs(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    radius, covered = rng.uniform(6, 12), rng.uniform(0.05, 0.3)
    density = -np.log(1 - covered) / (np.pi * radius**2)
    return boolean_model(SHAPE, density=density, radius=radius, seed=seed)


def _grains(seed: int) -> Any:
    return grains(SHAPE, count=60, boundary=5, seed=seed)


def _cracks(seed: int) -> Any:
    return cracks(SHAPE, count=15, length=90, width=6, seed=seed)


DRAWN = {"discs": _discs, "grains": _grains, "cracks": _cracks}


def errors(kind: str, noise: float, images: int) -> dict[str, float]:
    """Return the median relative difference between descriptors of rendered images and of their drawings."""
    found: dict[str, list[float]] = {name: [] for name in _COMPARED} | {"dark_fraction": [], "components": []}
    for seed in range(images):
        drawn = DRAWN[kind](seed)
        gamma = float(np.random.default_rng(seed).uniform(0.5, 2.0))
        seen = describe_image(rendered(drawn, blur=1, noise=noise, gamma=gamma, seed=seed), ImageSettings(NM))
        exact = describe_image(np.where(drawn, 0.0, 1.0), ImageSettings(NM, smooth_nm=0, flatten_nm=0))
        for name in _COMPARED:
            found[name].append(abs(seen[name] / exact[name] - 1))
        found["dark_fraction"].append(abs(seen["dark_fraction"] - float(drawn.mean())))
        bright = kind == "grains"
        counted = seen["bright_count" if bright else "dark_count"]
        found["components"].append(abs(counted / labelled(~drawn if bright else drawn, bright=bright)[1] - 1))
    return {name: float(np.median(values)) for name, values in found.items()}


def uneven(kind: str, images: int) -> float:
    """Return the median error of the dark fraction where brightness changes by 0.6 of the contrast."""
    found = []
    for seed in range(images):
        drawn = DRAWN[kind](seed)
        image = rendered(drawn, blur=1, noise=0.1, seed=seed) + np.linspace(0, 0.3, SHAPE[1])
        found.append(abs(describe_image(image, ImageSettings(NM))["dark_fraction"] - float(drawn.mean())))
    return float(np.median(found))


def magnified(images: int) -> dict[str, float]:
    """Return the median relative change at twice the magnification with the same smoothing in nm."""
    changes: dict[str, list[float]] = {name: [] for name in STEADY}
    for seed in range(images):
        image = rendered(_discs(seed), blur=1, noise=0.1, seed=seed)
        coarse = describe_image(image, ImageSettings(NM, smooth_nm=2 * NM))
        larger = zoom(image, 2, order=1, grid_mode=True, mode="nearest")
        fine = describe_image(larger, ImageSettings(NM / 2, smooth_nm=2 * NM))
        for name in STEADY:
            changes[name].append(abs(fine[name] / coarse[name] - 1))
    return {name: float(np.median(values)) for name, values in changes.items()}


def relations(specimens: int, trials: int) -> dict[str, float]:
    """Return how often a relation is said to be there, or to be possible, for a null and for a planted one.

    The planted property follows one of 25 descriptors, seven of which go together; noise is as large as it.
    """
    said: dict[str, list[bool]] = {
        "null_there": [],
        "null_significant": [],
        "planted_there": [],
        "planted_significant": [],
    }
    for seed in range(trials):
        rng = np.random.default_rng([seed, specimens])
        values = rng.normal(size=(specimens, 25))
        values[:, 1:8] += 1.5 * values[:, :1]
        noise = rng.normal(size=specimens)
        for kind, target in (("null", noise), ("planted", values[:, 0] + noise)):
            found = relate(values, tuple(map(str, range(25))), target, permutations=199)
            said[f"{kind}_there"].append(found.words.startswith("A relation is there"))
            said[f"{kind}_significant"].append(found.p_value <= SIGNIFICANCE)
    return {name: float(np.mean(values)) for name, values in said.items()}


def euler_of_discs(covered: float, images: int) -> float:
    """Return the mean Euler number of a Boolean model on its grid over that of Miles, less 1."""
    radius, shape = 10.0, (1000, 1000)
    density = -np.log(1 - covered) / (np.pi * radius**2)
    found = []
    for seed in range(images):
        inside = boolean_model(shape, density=density, radius=radius, seed=seed)
        borders = euler(inside[-1]) + euler(inside[:, -1]) - int(inside[-1, -1])
        found.append((euler(inside) - borders) / inside.size)
    return float(np.mean(found) / boolean_model_euler(density=density, radius=radius, dimensions=2) - 1)


def euler(inside: Any) -> int:
    """Return the Euler characteristic of a set of pixels with their sides."""
    return int(euler_curve(np.where(inside, 0.0, 1.0), np.array([0.5]))[0])


def seconds(shape: tuple[int, ...]) -> float:
    """Return the shortest of three times of describing a rendered Boolean model."""
    radius = 10.0
    size = np.pi * radius**2 if len(shape) == len("yx") else 4 / 3 * np.pi * radius**3
    image = rendered(boolean_model(shape, density=0.2 / size, radius=radius, seed=0), blur=1, noise=0.2, seed=0)
    times = []
    for _ in range(3):
        started = perf_counter()
        describe_image(image, ImageSettings(NM))
        times.append(perf_counter() - started)
    return min(times)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=20, help="images of each kind")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    figures = measure(arguments.images)
    if arguments.json:
        print(json.dumps(figures, indent=1))
        return
    for name, value in flat(figures):
        print(f"{name:<60} {value:.4g}")


def flat(figures: dict[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    """Return nested figures as names and numbers."""
    rows: list[tuple[str, float]] = []
    for name, value in figures.items():
        rows += flat(value, f"{prefix}{name} / ") if isinstance(value, dict) else [(f"{prefix}{name}", value)]
    return rows


if __name__ == "__main__":
    main()
