"""Rows of a source that the corpus of a generator holds as well, or comes near to."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_split
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.platform import Platform
from activesynth.domain.samples import SampleSet
from activesynth.evaluation.near_duplicates import has_near_duplicate, unit_scaled


def in_corpus(artifact: str | None, samples: SampleSet, platform: Platform) -> Array:
    """Tell which rows a generator has learnt from, whole groups at a time, ``(n,)`` bool.

    Such a row can be in no split: what the generator makes would carry its answer into training.

    Raises:
        ConfigurationError: If there is no such generator.
    """
    if artifact is None:
        return np.zeros(len(samples), bool)
    record = platform.lineage.generator(artifact)
    manifest = DatasetManifest.decode(platform.objects.get(record.corpus))
    corpus = load_split(platform.objects, manifest, "train")
    known = np.isin(samples.ids, corpus.ids)
    if samples.x.shape[1:] == corpus.x.shape[1:]:
        own = unit_scaled(samples.x, corpus.x)
        distance = float(record.document["near_duplicate"])
        known |= has_near_duplicate(own, unit_scaled(corpus.x), distance)
    return np.isin(samples.groups, samples.groups[known])
