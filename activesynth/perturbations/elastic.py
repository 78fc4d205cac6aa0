"""A scene seen through uneven glass."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array

SMOOTHNESS = 0.12  # of the shorter side: width of the Gaussian that smooths the displacements
DISPLACEMENT = 0.12  # of the shorter side: largest shift of a pixel at severity 1


def elastic(image: Array, severity: float, rng: np.random.Generator) -> Array:
    """Shift every pixel by a smooth random field; the edge is continued outwards.

    References:
        Simard, Steinkraus and Platt 2003, doi:10.1109/ICDAR.2003.1227801.
    """
    from scipy.ndimage import gaussian_filter, map_coordinates

    side = min(image.shape[:2])
    field = rng.standard_normal((2, *image.shape[:2]))
    field = gaussian_filter(field, (0.0, SMOOTHNESS * side, SMOOTHNESS * side), mode="reflect")
    largest = np.sqrt((field**2).sum(axis=0)).max()
    shift = field * (DISPLACEMENT * side * severity / max(float(largest), 1e-12))
    place = np.indices(image.shape[:2]) + shift
    channels = [
        map_coordinates(image[:, :, channel], place, order=1, mode="nearest")
        for channel in range(image.shape[2])
    ]
    shifted: Array = np.stack(channels, axis=2)
    return shifted
