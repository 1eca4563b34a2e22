"""Read greys from image files: PNG, TIFF with any number of slices, JPEG, BMP, and arrays of numpy."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError
from hstore_models.images.cubical import MOST_PIXELS

if TYPE_CHECKING:
    from pathlib import Path

    from hstore.arrays import FloatArray

ENDINGS = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".npy")
_FORMATS = ("PNG", "TIFF", "JPEG", "BMP")
_GREY_MODES = frozenset({"1", "L", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"})


def read_image(path: Path, *, cut_bottom: int = 0) -> FloatArray:
    """Read the greys of an image.

    Args:
        path: of the file; colours become their luminance, transparency is left out.
        cut_bottom: rows to leave out below, such as the bar with the scale.

    Returns:
        Shape (rows, columns), or (slices, rows, columns) for a TIFF or array with several.

    Raises:
        InputError: no such file, no image, too large, slices of different size, or nothing left.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file; give an image ({', '.join(ENDINGS)})")
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"{path.name} has an ending that is not read; allowed are {', '.join(ENDINGS)}")
    try:
        image = _array(path) if path.suffix.lower() == ".npy" else _picture(path)
    except InputError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError) as error:  # SyntaxError: Pillow's word for a broken PNG
        raise InputError(
            f"{path.name} cannot be read as an image ({str(error).strip()}); export it again"
        ) from error
    if cut_bottom < 0 or (image.ndim > 1 and cut_bottom >= image.shape[-2]):
        raise InputError(
            f"cut_bottom must be from 0 to {image.shape[-2] - 1} rows of {path.name}, got {cut_bottom}"
        )
    return image[..., : image.shape[-2] - cut_bottom, :] if cut_bottom else image


def _array(path: Path) -> FloatArray:
    found = np.load(path, allow_pickle=False, mmap_mode="r")
    if not isinstance(found, np.ndarray) or found.ndim not in (2, 3) or found.dtype.kind not in "buif":
        raise InputError(
            f"{path.name} must hold numbers with two or three axes, got {getattr(found, 'shape', '?')}"
        )
    _check_size(path, found.size)
    return np.asarray(found, dtype=np.float64)


def _picture(path: Path) -> FloatArray:
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path, formats=_FORMATS) as picture:
                slices = int(getattr(picture, "n_frames", 1))
                _check_size(path, slices * picture.width * picture.height)
                found = []
                for place in range(slices):
                    picture.seek(place)
                    found.append(_greys(picture))
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise InputError(f"{path.name} is too large ({error}); crop or resample it") from error
    if len({one.shape for one in found}) > 1:
        raise InputError(f"the {slices} slices of {path.name} have different sizes; keep those of one size")
    return found[0] if slices == 1 else np.stack(found)


def _greys(picture: Any) -> FloatArray:
    return np.asarray(picture if picture.mode in _GREY_MODES else picture.convert("L"), dtype=np.float64)


def _check_size(path: Path, pixels: int) -> None:
    if pixels > MOST_PIXELS:
        raise InputError(
            f"{path.name} has {pixels} pixels, at most {MOST_PIXELS} are allowed; crop or resample it"
        )
