"""Reading a campaign's source, checked and capped."""

from __future__ import annotations

from dataclasses import replace

from activesynth.config.campaign import CampaignConfig, rows_seed
from activesynth.domain.exchange import SourceData
from activesynth.domain.platform import Platform
from activesynth.domain.ports import DatasetSource, Modality, Trainer
from activesynth.errors import InputError
from activesynth.evaluation.scarcity import first_rows


def read_source(config: CampaignConfig, platform: Platform) -> SourceData:
    """Read the source, cap it to ``sampling.rows``, and let modality and trainer check the rows.

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
    if len(kept) == len(data.samples):
        return data
    return replace(data, samples=data.samples.take(kept))
