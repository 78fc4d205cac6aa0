"""Train a generator on a corpus of its own, once, for any campaign to name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from activesynth.config.corpus import CorpusConfig
from activesynth.domain.canonical import Array, derive_seed
from activesynth.domain.dataset_access import write_rows
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.exchange import GeneratorData, SourceData, State
from activesynth.domain.experiments import GeneratorRecord
from activesynth.domain.platform import Platform
from activesynth.domain.ports import DatasetSource, Modality, SampleGenerator
from activesynth.errors import ConflictError, InputError
from activesynth.evaluation.scarcity import first_rows
from activesynth.operations.reading import without_withdrawn
from activesynth.steps.artifacts import Artifacts

SPLIT = "train"
DECIDING = ("generator", "seed", "licence", "near_duplicate")
"""What, beside its rows, makes a generator another one; a better description does not."""


def train_generator(config: CorpusConfig, platform: Platform) -> GeneratorRecord:
    """Write the corpus, fit the generator on it, and record both under the corpus's name.

    The conditions learnt are the corpus's labels alone: clusters and uncertainty belong to a
    campaign's own model. A generator that stands under the name with the same corpus, part and
    seed is returned as it is; one that differs is refused before anything is trained.

    Raises:
        InputError: If the source cannot be read, or holds no labelled row.
        ConflictError: If the name stands for another generator.
    """
    data = _read(config, platform)
    artifacts = Artifacts(platform.objects)
    manifest = DatasetManifest(
        modality=config.modality,
        classes=data.classes,
        parent=None,
        splits={SPLIT: write_rows(platform.objects, data.samples)},
    )
    artifacts.put_document(manifest)
    stands = _standing(config, manifest.digest, platform)
    if stands is not None:
        return stands
    part = config.generator
    generator: SampleGenerator = platform.parts.create("generator", part.name, part.parameters)
    state = generator.fit(
        _unconditioned(data),
        seed=derive_seed("corpus", config.seed),
        progress=lambda done, total: platform.report("train generator", done, total),
    )
    provenance = {
        "name": config.name,
        "licence": config.licence,
        "manifest": manifest.digest,
        "rows": len(data.samples),
        "classes": list(data.classes),
        "near_duplicate": config.near_duplicate,
    }
    card, _ = artifacts.put_model(
        State(state.tensors, {**state.facts, "corpus": provenance}),
        part=part.name,
        role="generator",
        parameters=platform.parts.check("generator", part.name, part.parameters),
    )
    record = GeneratorRecord(
        config.name,
        card,
        manifest.digest,
        config.licence,
        len(data.samples),
        config.model_dump(mode="json"),
    )
    platform.lineage.record_generator(record)
    return record


def _standing(config: CorpusConfig, corpus: str, platform: Platform) -> GeneratorRecord | None:
    """Return the generator on record under the corpus's name, or None where there is none.

    Raises:
        ConflictError: If it learnt from other rows, or in another way; it names what differs.
    """
    named = (found for found in platform.lineage.generators() if found.name == config.name)
    stands = next(named, None)
    if stands is None:
        return None
    document = config.model_dump(mode="json")
    differs = [name for name in DECIDING if stands.document.get(name) != document[name]]
    if stands.corpus != corpus:
        differs.append("the corpus's rows")
    if differs:
        raise ConflictError(
            f"the name {config.name!r} stands for another generator, {stands.card[:12]}, and "
            f"campaigns may have used it; what differs: {', '.join(differs)}. Give the changed "
            "corpus file another name.",
            field="name",
        )
    return stands


def _read(config: CorpusConfig, platform: Platform) -> SourceData:
    source: DatasetSource = platform.parts.create(
        "source", config.source.name, config.source.parameters
    )
    data = source.read()
    modality: Modality = platform.parts.create("modality", config.modality)
    modality.check(data.samples)
    # A corpus is no campaign, so a withdrawn person is known in it by samples alone.
    data = replace(data, samples=without_withdrawn(data.samples, config.name, (), platform))
    kept = data.samples.take(first_rows(data.samples.ids, config.rows, config.seed))
    if not (kept.y >= 0).any():
        raise InputError(
            "`source`: no row of the corpus has a label, so the generator could not be asked for a "
            "class; name the array or column of the labels.",
            reason="no_labels",
            field="source",
        )
    empty = [name for code, name in enumerate(data.classes) if not (kept.y == code).any()]
    if empty:
        raise InputError(
            f"`source`: the corpus has no row of {', '.join(map(repr, empty[:5]))}, and a campaign "
            "that has the class would ask for it; raise `rows`, or take the class out.",
            reason="empty_class",
            field="source",
        )
    return replace(data, samples=kept)


def _unconditioned(data: SourceData) -> GeneratorData:
    """Return the corpus with one cluster and one uncertainty level for every row."""
    nothing: Array = np.zeros(len(data.samples), np.int64)
    counts = np.bincount(data.samples.y[data.samples.y >= 0], minlength=len(data.classes))
    known = np.where(data.samples.y >= 0, counts[np.maximum(data.samples.y, 0)], 0)
    # Between as-it-is and class-balanced, as `fit_generator` weighs a campaign's own rows.
    weight = np.where(known > 0, np.sqrt(len(data.samples) / np.maximum(known, 1)), 1.0)
    return GeneratorData(data.samples, nothing, nothing, weight, len(data.classes), 1)
