"""Diversity, coverage and quality against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy

from activesynth.errors import ShapeError
from activesynth.evaluation.diversity import (
    cluster_entropy,
    coverage,
    entropy_share,
    quality,
    rare_class_coverage,
)

ASSIGNMENTS = st.lists(st.integers(0, 7), min_size=1, max_size=60)


@given(ASSIGNMENTS)
def test_cluster_entropy_agrees_with_scipy(assignments: list[int]) -> None:
    found = cluster_entropy(np.array(assignments), 8)

    assert found == pytest.approx(float(scipy_entropy(np.bincount(assignments))), abs=1e-12)
    assert 0 <= found <= math.log(8)


def test_an_even_spread_reaches_log_clusters_exactly() -> None:
    found = cluster_entropy(np.arange(30) % 6, 6)

    assert found <= math.log(6)
    assert entropy_share(found, 6) == pytest.approx(1.0)


def test_no_samples_have_no_diversity() -> None:
    assert cluster_entropy(np.zeros(0, dtype=np.int64), 4) == 0.0
    assert coverage(np.zeros(0, dtype=np.int64), 4) == 0.0


def test_a_single_cluster_leaves_nothing_to_spread() -> None:
    assert entropy_share(0.0, 1) == 1.0


def test_coverage_is_the_share_of_clusters_with_a_sample() -> None:
    assert coverage(np.array([0, 0, 3]), 4) == 0.5


def test_rare_classes_count_as_covered_by_one_sample() -> None:
    reference = np.repeat([0, 1, 2], [96, 2, 2])

    assert rare_class_coverage(np.array([0, 1]), reference, 4) == pytest.approx(1 / 3)
    assert rare_class_coverage(np.array([0]), np.array([0, 1]), 2) == 1.0


def test_quality_is_agreement_with_the_reference_model() -> None:
    probs = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])

    assert quality(probs, np.array([0, 1, 1])) == pytest.approx(2 / 3)


def test_quality_of_an_empty_set_is_refused() -> None:
    with pytest.raises(ShapeError, match="report no Q for an empty set"):
        quality(np.zeros((0, 2)), np.zeros(0))


def test_ids_beyond_the_codebook_are_refused() -> None:
    with pytest.raises(ShapeError, match="size of the codebook"):
        coverage(np.array([4]), 4)
