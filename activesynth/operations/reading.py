"""Reading a campaign's source, checked and capped."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from activesynth.config.campaign import CampaignConfig, rows_seed
from activesynth.domain.canonical import Array
from activesynth.domain.erasure import Erasure
from activesynth.domain.exchange import SourceData
from activesynth.domain.platform import Platform
from activesynth.domain.ports import DatasetSource, Modality, Trainer
from activesynth.domain.samples import SampleSet
from activesynth.errors import InputError
from activesynth.evaluation.scarcity import first_rows
from activesynth.operations.person import path_parts

logger = logging.getLogger(__name__)


def read_source(config: CampaignConfig, platform: Platform) -> SourceData:
    """Read the source, cap it to ``sampling.rows``, and let modality and trainer check the rows.

    Rows that were erased for a withdrawn person, and later ones of a group that was, are left out.

    Raises:
        InputError: From the source, the modality or the trainer, or ``too_few_classes``.
    """
    source: DatasetSource = platform.parts.create(
        "source", config.source.name, config.source.parameters
    )
    data = source.read()
    if len(data.classes) < 2:
        raise InputError(
            f"`source`: {list(data.classes)} is the only class there is; a classifier needs two "
            "or more.",
            reason="too_few_classes",
            field="source",
        )
    kept = first_rows(data.samples.ids, config.sampling.rows, rows_seed(config))
    modality: Modality = platform.parts.create("modality", config.modality)
    modality.check(data.samples)
    trainer: Trainer = platform.parts.create(
        "trainer", config.trainer.name, config.trainer.parameters
    )
    trainer.check(data.samples.x)
    samples = data.samples if len(kept) == len(data.samples) else data.samples.take(kept)
    own = platform.lineage.erasures(config.name)
    refused = tuple(item for item in data.refused if not _names_withdrawn(item.name, own))
    samples = without_withdrawn(samples, config.name, own, platform)
    return replace(data, samples=samples, refused=refused)


def without_withdrawn(
    samples: SampleSet, name: str, own: Sequence[Erasure], platform: Platform
) -> SampleSet:
    """Return the rows of a source without those of people who withdrew.

    Args:
        samples: The rows.
        name: What reads them: a campaign or a corpus.
        own: Erasures whose group values mean something in this source.
        platform: The ports.
    """
    is_erased = _withdrawn_rows(samples, platform.lineage.erasures(), own)
    if not is_erased.any():
        return samples
    logger.warning("source of %s: %d rows of withdrawn people were left out", name, is_erased.sum())
    return samples.take(~is_erased)


def _names_withdrawn(name: str, own: Sequence[Erasure]) -> bool:
    """Tell whether the name of an item in the source holds the group of a withdrawn person."""
    return any(erasure.knows("group", part) for erasure in own for part in path_parts(name))


def _withdrawn_rows(
    samples: SampleSet, erasures: Sequence[Erasure], own: Sequence[Erasure]
) -> Array:
    """Tell which rows of a source were erased, ``(n,)`` bool.

    A sample is known everywhere, since its id comes from its content; a group's value means
    something in the campaigns that it was erased from, to which ``own`` belong.
    """
    found: Array = np.zeros(len(samples), bool)
    for erasure in erasures:
        found |= [erasure.knows("sample", sample) for sample in samples.ids.tolist()]
    for erasure in own:
        found |= [erasure.knows("group", group) for group in samples.groups.tolist()]
    return found
