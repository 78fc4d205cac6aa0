"""How real synthetic rows look to a classifier that tries to tell them from real ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import InputError, ShapeError

FOLDS = 5


@dataclass(frozen=True, slots=True)
class Discriminated:
    """What the discriminator said of rows it was not fitted to.

    Attributes:
        realism: Probability of being real per synthetic row, ``(m,)`` in ``[0, 1]``, as if both
            kinds were equally many; 0.5 is what cannot be told apart.
        auc: Area under the ROC curve over real and synthetic rows, in ``[0, 1]``; about 0.5 where
            nothing tells them apart, 1 where all can be told apart.
    """

    realism: Array
    auc: float


def discriminator_quality(
    real_embeddings: Array, synthetic_embeddings: Array, *, seed: int
) -> Discriminated:
    """Tell real from synthetic rows by cross-fitted logistic regression.

    Every row is judged by a model of the other folds, so no row is called synthetic because it
    was learnt by heart. The two kinds weigh the same however many there are.

    Args:
        real_embeddings: ``(n, d)``.
        synthetic_embeddings: ``(m, d)``.
        seed: Seed of the folds.

    Returns:
        Realism of the synthetic rows and the discriminator's AUC; 0.5 everywhere where there are
        fewer than two rows of either kind, which nothing can be fitted to.

    Raises:
        ShapeError: If the two are not matrices of one width.
        InputError: If an embedding is NaN or infinite.

    References:
        Lopez-Paz and Oquab 2017, arXiv:1610.06545 (classifier two-sample tests).
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    real, made = np.asarray(real_embeddings), np.asarray(synthetic_embeddings)
    if real.ndim != 2 or made.ndim != 2 or real.shape[1] != made.shape[1]:
        raise ShapeError(
            f"real and synthetic embeddings must be matrices of one width, got {real.shape} and "
            f"{made.shape}; embed both by the same encoder."
        )
    x = np.concatenate([real, made]).astype(np.float64)
    if not np.isfinite(x).all():
        raise InputError(
            "embeddings must be finite to tell real from synthetic rows by them; look for NaN in "
            "the generated rows.",
            reason="not_finite",
        )
    folds = min(FOLDS, len(real), len(made))
    if folds < 2:
        return Discriminated(np.full(len(made), 0.5), 0.5)
    is_real = np.arange(len(x)) < len(real)
    model = make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000)
    )
    split = StratifiedKFold(folds, shuffle=True, random_state=seed % 2**32)
    likely = cross_val_predict(model, x, is_real, cv=split, method="predict_proba")[:, 1]
    return Discriminated(likely[~is_real], float(roc_auc_score(is_real, likely)))
