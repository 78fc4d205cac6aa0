"""Work in blocks of one fixed size, so that a row's result does not depend on its company.

Matrix products choose their kernel by the number of rows, and the last bits differ between
kernels. Here every product sees the same number of rows, the last block filled up with zeros.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.ports import Progress, silent

ROWS = 128
"""Rows per block; also part of what makes two runs bit-equal, so it is no parameter."""


def in_blocks(
    function: Callable[..., Array],
    *arrays: Array,
    rows: int = ROWS,
    progress: Progress = silent,
) -> Array:
    """Apply ``function`` to aligned arrays, ``rows`` rows at a time, and join the results.

    Args:
        function: Takes as many arrays as are given, each with exactly ``rows`` rows, and returns
            one array with as many rows, each depending on its own row only.
        arrays: One array or more, aligned on the first axis.
        rows: Rows per block; another number may give other last bits.
        progress: Called with (rows done, rows in all) after every block.
    """
    count = len(arrays[0])
    if count == 0:
        return function(*(_padded(array, rows) for array in arrays))[:0]
    results = []
    for start in range(0, count, rows):
        block = [_padded(array[start : start + rows], rows) for array in arrays]
        results.append(function(*block)[: min(rows, count - start)])
        progress(min(start + rows, count), count)
    return np.concatenate(results)


def _padded(block: Array, rows: int) -> Array:
    missing = rows - len(block)
    if missing == 0:
        return block
    return np.concatenate([block, np.zeros((missing, *block.shape[1:]), block.dtype)])
