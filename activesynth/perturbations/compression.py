"""What storing a picture in few bytes does to it: coarse pixels, and JPEG."""

from __future__ import annotations

import math

import numpy as np

from activesynth.domain.canonical import Array

LARGEST_BLOCK = 0.25  # of the shorter side at severity 1: four blocks per side are left
COARSEST = 10.0  # times the tables of ITU-T T.81 at severity 1, which is quality 5
MAX_QUANTUM = 255.0
BLOCK = 8

# ITU-T T.81 (1992), annex K.1: what the eye misses least in brightness, and in colour.
LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float64,
)
CHROMINANCE = np.full((BLOCK, BLOCK), 99.0)
CHROMINANCE[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]

# ITU-R BT.601 as JFIF uses it: full range, without offsets, which cancel.
TO_YCBCR = np.array(
    [
        [0.299, 0.587, 0.114],
        [-0.168735892, -0.331264108, 0.5],
        [0.5, -0.418687589, -0.081312411],
    ]
)


def pixelate(image: Array, severity: float, rng: np.random.Generator) -> Array:
    """Average over square blocks, whose side grows geometrically with the severity.

    Between two powers of two the images of both are mixed, so that blocks stay nested and the
    damage grows without jumps.
    """
    level = severity * math.log2(max(2.0, LARGEST_BLOCK * min(image.shape[:2])))
    finer = math.floor(level)
    share = level - finer
    coarse: Array = (
        _blocks(image, 2**finer) * (1.0 - share) + _blocks(image, 2 ** (finer + 1)) * share
    )
    return coarse


def _blocks(image: Array, side: int) -> Array:
    """Give every pixel the mean of its block; blocks at the far edges may be smaller."""
    averaged = image
    for axis in (0, 1):
        starts = np.arange(0, image.shape[axis], side)
        sizes = np.diff(np.append(starts, image.shape[axis]))
        shape = (-1, 1, 1) if axis == 0 else (1, -1, 1)
        means = np.add.reduceat(averaged, starts, axis=axis) / sizes.reshape(shape)
        averaged = np.repeat(means, sizes, axis=axis)
    return averaged


def jpeg(image: Array, severity: float, rng: np.random.Generator) -> Array:
    """Quantise the cosine transform of 8x8 blocks, as JPEG does.

    The tables grow with the square of the severity: about quality 80 at 0.2, 14 at 0.6 and 5 at
    1. Computed here instead of by libjpeg because a quality is a whole number, and because a
    library's next release must not change what a severity means. Colour keeps its resolution.
    """
    scale = COARSEST * severity**2
    return quantised(image, LUMINANCE * scale, CHROMINANCE * scale)


def quantised(image: Array, luminance: Array, chrominance: Array) -> Array:
    """Return what a JPEG file with these quantisation tables holds, before rounding to pixels.

    Args:
        image: ``(height, width, channels)`` in ``[0, 255]``, 1 or 3 channels (RGB).
        luminance: Table for brightness, ``(8, 8)``, above 0; at most 255 is used.
        chrominance: Table for both colour planes, ``(8, 8)``.

    Returns:
        Shape of ``image``, float64; may leave ``[0, 255]`` a little.

    References:
        Wallace 1991, doi:10.1145/103085.103089.
    """
    is_colour = image.shape[2] == TO_YCBCR.shape[0]
    planes = image @ TO_YCBCR.T if is_colour else image
    tables = (luminance, chrominance, chrominance)
    coded = [
        # Brightness is centred as in the standard; the two colour planes already are.
        _quantised_plane(planes[:, :, n], 128.0 if n == 0 or not is_colour else 0.0, tables[n])
        for n in range(image.shape[2])
    ]
    decoded = np.stack(coded, axis=2)
    result: Array = decoded @ np.linalg.inv(TO_YCBCR).T if is_colour else decoded
    return result


def _quantised_plane(plane: Array, centre: float, table: Array) -> Array:
    from scipy.fft import dctn, idctn

    height, width = plane.shape
    rows, columns = -height % BLOCK, -width % BLOCK
    padded = np.pad(plane - centre, ((0, rows), (0, columns)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // BLOCK, BLOCK, padded.shape[1] // BLOCK, BLOCK)
    quantum = np.minimum(table, MAX_QUANTUM)[None, :, None, :]
    coefficients = dctn(blocks, axes=(1, 3), norm="ortho")
    kept = np.rint(coefficients / quantum) * quantum
    restored: Array = idctn(kept, axes=(1, 3), norm="ortho").reshape(padded.shape)
    return restored[:height, :width] + centre
