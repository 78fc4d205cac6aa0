"""Scikit-learn's handwritten digits: real pictures that need no download."""

from __future__ import annotations

import numpy as np

from activesynth.datasets.assembly import assemble
from activesynth.datasets.rows import Rows
from activesynth.domain.exchange import SourceData


class DigitsSource:
    """1797 digits of 8 x 8 pixels in ten classes (Alpaydin and Kaynak, UCI 1998)."""

    def read(self) -> SourceData:
        """Return the digits as uint8 pictures, ``(1797, 8, 8, 1)``, scaled from 0-16 to 0-255."""
        from sklearn.datasets import load_digits

        bunch = load_digits()
        x = np.rint(bunch.images * (255.0 / 16.0)).astype(np.uint8)[..., np.newaxis]
        return assemble(Rows(x, bunch.target, tuple(str(name) for name in bunch.target_names)))
