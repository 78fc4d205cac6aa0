"""How far people who judged the same things agree, beyond what chance would give."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from activesynth.errors import ShapeError

Category = int | str


def cohen_kappa(first: Sequence[Category], second: Sequence[Category]) -> float | None:
    """Return Cohen's kappa of two people over the same things.

    1 where they always agree, 0 where they agree as often as chance would, below 0 where less.

    Args:
        first: What one of them said, one category per thing.
        second: What the other said, in the same order.

    Returns:
        A number in ``[-1, 1]``; None where it is undefined: there is nothing to compare, or both
        used one and the same category throughout, so that chance alone would always agree.

    Raises:
        ShapeError: If the two are not equally long.

    References:
        Cohen 1960, Educational and Psychological Measurement 20:37-46.
    """
    from sklearn.metrics import cohen_kappa_score

    if len(first) != len(second):
        raise ShapeError(f"cohen_kappa needs pairs, got {len(first)} and {len(second)} values.")
    if len({*first, *second}) < 2:
        return None
    # As text, because scikit-learn does not sort numbers and words together.
    return float(cohen_kappa_score([str(x) for x in first], [str(x) for x in second]))


def krippendorff_alpha(units: Sequence[Mapping[str, Category]]) -> float | None:
    """Return Krippendorff's alpha for nominal data, where not everybody judged everything.

    1 where all agree, 0 where what people say has nothing to do with what they look at, below 0
    where they disagree more than by chance. Each thing that ``m`` people judged puts its
    ``m (m - 1)`` ordered pairs of values into the coincidence matrix, each with weight
    ``1 / (m - 1)``.

    Args:
        units: Per thing, who said what. Things that one person judged do not count.

    Returns:
        A number of at most 1; None where it is undefined: nothing was judged twice, or one category
        only was ever used, so that no disagreement was possible.

    References:
        Krippendorff 2011, Computing Krippendorff's Alpha-Reliability,
        https://repository.upenn.edu/asc_papers/43.
    """
    coincidences: dict[tuple[Category, Category], float] = defaultdict(float)
    for unit in units:
        values = list(unit.values())
        counts = Counter(values)
        for c, n_c in counts.items():
            for k, n_k in counts.items():
                pairs = n_c * (n_k - (c == k))
                if pairs:
                    coincidences[c, k] += pairs / (len(values) - 1)
    margins: dict[Category, float] = defaultdict(float)
    for (c, _), weight in coincidences.items():
        margins[c] += weight
    if len(margins) < 2:
        return None
    n = sum(margins.values())
    expected = n**2 - sum(n_c**2 for n_c in margins.values())
    observed = sum(weight for (c, k), weight in coincidences.items() if c != k)
    return 1.0 - (n - 1) * observed / expected
