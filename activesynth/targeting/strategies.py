"""Query strategies: which candidates a label is worth most for."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import pairwise_distances_argmin_min

from activesynth.domain.canonical import Array
from activesynth.domain.exchange import SelectionContext
from activesynth.errors import InputError, ShapeError
from activesynth.targeting.covering import greedy_cover, pure_radius
from activesynth.targeting.diversity import gradient_kmeans_pp, greedy_k_center
from activesynth.targeting.parameters import (
    MixedParameters,
    ProbCoverParameters,
    ScoreParameters,
    TypiClustParameters,
)
from activesynth.targeting.sampling import draw_in_proportion
from activesynth.targeting.typicality import typical_rows
from activesynth.uncertainty.scores import mutual_information, predictive_entropy, rank_normalise


def most_wanted(scores: Array, count: int, *, seed: int) -> Array:
    """Return the rows with the highest scores, ``(count,)`` int64; ties in a seeded order."""
    tie = np.random.default_rng(seed).permutation(len(scores))
    order: Array = np.lexsort((tie, -scores))[:count]
    return order.astype(np.int64)


def _available(context: SelectionContext, count: int) -> int:
    """Return how many rows can be chosen, after checking that the context aligns and is finite.

    Raises:
        ShapeError: If probabilities, draws and embeddings are not of the same candidates.
        InputError: If a number is NaN or infinite, which no order of candidates survives.
    """
    rows = len(context.probs)
    if len(context.embeddings) != rows or context.draws.shape[1] != rows:
        raise ShapeError(
            f"candidates must align, got {rows} rows of probabilities, {len(context.embeddings)} "
            f"embeddings and {context.draws.shape[1]} rows of draws; build all from one set."
        )
    for name in ("probs", "draws", "embeddings", "centroids", "labelled"):
        broken = int((~np.isfinite(getattr(context, name))).sum())
        if broken:
            raise InputError(
                f"`{name}` of the candidates holds {broken} values that are NaN or infinite; no "
                "query strategy can order them. Train the model again with a lower learning rate, "
                "or leave these rows out.",
                reason="not_finite",
            )
    return max(0, min(count, rows))


class Badge:
    """Uncertain and diverse at once: k-means++ on hallucinated gradients. The default."""

    def select(self, context: SelectionContext, count: int, *, seed: int) -> Array:
        """Return rows in the order k-means++ chose them."""
        count = _available(context, count)
        return gradient_kmeans_pp(context.probs, context.embeddings, count, seed=seed)


class Entropy:
    """The highest predictive entropy of the mean prediction."""

    def select(self, context: SelectionContext, count: int, *, seed: int) -> Array:
        """Return the most undecided rows first."""
        count = _available(context, count)
        return most_wanted(predictive_entropy(context.probs[None]), count, seed=seed)


class Bald:
    """The highest mutual information between label and model."""

    def select(self, context: SelectionContext, count: int, *, seed: int) -> Array:
        """Return the rows first on which sure draws disagree most."""
        count = _available(context, count)
        return most_wanted(mutual_information(context.draws), count, seed=seed)


class Margin:
    """The smallest lead of the best class over the second best."""

    def select(self, context: SelectionContext, count: int, *, seed: int) -> Array:
        """Return the rows first whose two best classes are closest."""
        count = _available(context, count)
        best = np.sort(context.probs, axis=1)[:, ::-1]
        lead = best[:, 0] - best[:, 1] if best.shape[1] > 1 else best[:, 0]
        return most_wanted(-lead, count, seed=seed)


class Random:
    """Every row with the same chance: what the others are measured against."""

    def select(self, context: SelectionContext, count: int, *, seed: int) -> Array:
        """Return rows in a random order."""
        count = _available(context, count)
        return np.random.default_rng(seed).permutation(len(context.probs))[:count]


class CoreSet:
    """Rows that cover the space beside those already labelled."""

    def select(self, context: SelectionContext, count: int, *, seed: int) -> Array:
        """Return the least covered rows first."""
        count = _available(context, count)
        return greedy_k_center(context.embeddings, context.labelled, count, seed=seed)


class Score:
    """Uncertainty and novelty added up: alpha * H~ + (1 - alpha) * d~.

    Entropy (nats) and distance to the nearest centroid of the codebook do not add, so both are
    replaced by their ranks in ``[0, 1]`` first.
    """

    def __init__(self, parameters: ScoreParameters) -> None:
        """Keep the weight ``alpha`` and whether rows are drawn or taken from the top."""
        self._parameters = parameters

    def scores(self, context: SelectionContext) -> Array:
        """Return s(x) of every candidate, ``(n,)`` in ``[0, 1]``."""
        alpha = self._parameters.alpha
        entropy = rank_normalise(predictive_entropy(context.probs[None]))
        distance = pairwise_distances_argmin_min(
            np.asarray(context.embeddings, np.float64), np.asarray(context.centroids, np.float64)
        )[1]
        mixed: Array = alpha * entropy + (1.0 - alpha) * rank_normalise(distance)
        return mixed

    def select(self, context: SelectionContext, count: int, *, seed: int) -> Array:
        """Return the highest scores first, or a draw in proportion to them."""
        count = _available(context, count)
        if len(context.probs) == 0:
            return np.zeros(0, np.int64)
        scores = self.scores(context)
        if self._parameters.is_sampled:
            return draw_in_proportion(scores, count, seed=seed, mix=0.0)
        return most_wanted(scores, count, seed=seed)


class TypiClust:
    """Typical rows of clusters without a label: best while there are few labels."""

    def __init__(self, parameters: TypiClustParameters) -> None:
        """Keep how many neighbours tell density."""
        self._parameters = parameters

    def select(self, context: SelectionContext, count: int, *, seed: int) -> Array:
        """Return the most typical row of the largest unlabelled cluster first."""
        count = _available(context, count)
        neighbours = self._parameters.neighbours
        return typical_rows(
            context.embeddings, context.labelled, count, seed=seed, neighbours=neighbours
        )


class ProbCover:
    """Rows around which the most others lie that no labelled row is close to."""

    def __init__(self, parameters: ProbCoverParameters) -> None:
        """Keep the radius of the balls, or how pure they must be."""
        self._parameters = parameters

    def radius(self, context: SelectionContext, *, seed: int) -> float:
        """Return the radius that is used: the given one, or the largest pure one."""
        if self._parameters.radius is not None:
            return self._parameters.radius
        classes = context.probs.shape[1]
        return pure_radius(context.embeddings, classes, seed=seed, purity=self._parameters.purity)

    def select(self, context: SelectionContext, count: int, *, seed: int) -> Array:
        """Return the row first whose ball covers most."""
        count = _available(context, count)
        if count == 0:
            return np.zeros(0, np.int64)
        radius = self.radius(context, seed=seed)
        return greedy_cover(context.embeddings, context.labelled, count, radius=radius, seed=seed)


class Proportional:
    """Every row with a chance in proportion to its entropy, so that outliers do not fill the list.

    The very top is `entropy`; in between lies `mixed`.
    """

    def select(self, context: SelectionContext, count: int, *, seed: int) -> Array:
        """Return rows in the order they were drawn."""
        count = _available(context, count)
        scores = predictive_entropy(context.probs[None])
        return draw_in_proportion(scores, count, seed=seed, mix=0.0)


class Mixed:
    """A part in proportion to entropy and the rest at random: keeps seeing what looks easy."""

    def __init__(self, parameters: MixedParameters) -> None:
        """Keep the share that is drawn in proportion."""
        self._parameters = parameters

    def select(self, context: SelectionContext, count: int, *, seed: int) -> Array:
        """Return the rows drawn by entropy first, then the random ones."""
        count = _available(context, count)
        by_entropy = round(self._parameters.share * count)
        first = Proportional().select(context, by_entropy, seed=seed)
        rest = np.setdiff1d(np.arange(len(context.probs)), first)
        # A stream of its own: with the race's seed the first random numbers would repeat.
        rng = np.random.default_rng([seed, 1])
        return np.concatenate([first, rng.permutation(rest)[: count - by_entropy]])
