"""Judges labels with a model that the loop does not improve."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.ports import Predictor
from activesynth.errors import ShapeError


class ReferenceVerifier:
    """A verifier that asks a reference model, trained on ``judge`` rows."""

    def __init__(self, predictor: Predictor) -> None:
        """Wrap the fitted reference model."""
        self._predictor = predictor

    def label_probability(self, x: Array, y: Array) -> Array:
        """Return the reference model's probability of label ``y``, ``(n,)`` in ``[0, 1]``.

        Raises:
            ShapeError: If ``x`` and ``y`` do not align or a label is no class of the model.
        """
        labels = np.asarray(y, np.int64)
        probs = self._predictor.predict_proba(x)
        if labels.shape != probs.shape[:1]:
            raise ShapeError(f"`y` must have shape {probs.shape[:1]} like `x`, got {labels.shape}.")
        if len(labels) and not (labels.min() >= 0 and labels.max() < probs.shape[1]):
            raise ShapeError(
                f"`y` must lie in [0, {probs.shape[1]}), got {labels.min()} to {labels.max()}; "
                "leave unlabelled rows out."
            )
        chosen: Array = probs[np.arange(len(labels)), labels]
        return chosen
