"""The generator of a campaign: fitted on its own rows, or an artifact trained on a corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.documents import ModelCard
from activesynth.domain.exchange import GenerationRequest, GeneratorData, State, SyntheticBatch
from activesynth.domain.ports import Progress, SampleGenerator, silent
from activesynth.errors import ConfigurationError
from activesynth.steps.turn import Turn

FREE = -1


@dataclass(frozen=True, slots=True)
class CorpusGenerator:
    """A generator that knows the classes of its corpus, asked in those of a campaign.

    ``codes`` holds the corpus's code of each of the campaign's classes, ``(classes,)`` int64.
    Clusters and uncertainty levels are the campaign's own, so the generator never hears of them.
    """

    inner: SampleGenerator
    codes: Array

    def fit(self, data: GeneratorData, *, seed: int, progress: Progress = silent) -> State:
        """Refuse: it was fitted on its corpus, and never learns from a campaign.

        Raises:
            ConfigurationError: Always.
        """
        raise ConfigurationError(
            "a generator artifact is not fitted again; train another by `activesynth generator "
            "train`, or leave `generator.artifact` out to fit one on the campaign's own rows.",
            field="generator.artifact",
        )

    def generate(
        self, state: State, request: GenerationRequest, *, progress: Progress = silent
    ) -> SyntheticBatch:
        """Return what the corpus's generator makes, under the campaign's labels.

        A free label stays free within the campaign's classes: it is drawn evenly from them by the
        row's own seed, since the corpus may have classes that the campaign has not.
        """
        labels = np.asarray(request.labels, np.int64).copy()
        for row in np.flatnonzero(labels == FREE).tolist():
            chance = np.random.default_rng((int(request.seeds[row]), 2))
            labels[row] = int(chance.integers(len(self.codes)))
        free = np.full(request.count, FREE, np.int64)
        asked = replace(request, labels=self.codes[labels], clusters=free, levels=free)
        batch = self.inner.generate(state, asked, progress=progress)
        return SyntheticBatch(batch.x, labels, batch.confidence)

    def confidence(self, state: State, x: Array, y: Array) -> Array:
        """Score rows under the campaign's labels, ``(n,)`` in [0, 1]."""
        labels = np.asarray(y, np.int64)
        codes = np.where(labels >= 0, self.codes[np.maximum(labels, 0)], FREE)
        return self.inner.confidence(state, x, codes)


def check_artifact(turn: Turn) -> None:
    """Check the artifact that a campaign names, if it names one, before any work is done.

    Raises:
        ConfigurationError: If there is no such generator, another part trained it, it cannot be
            sampled with these parameters, or its corpus lacks a class.
    """
    part = turn.config.generator
    if part.artifact is None:
        return
    card = turn.card(turn.platform.lineage.generator(part.artifact).card)
    if card.part != part.name:
        raise ConfigurationError(
            f"`generator.name` is {part.name!r}, but {part.artifact!r} is a {card.part!r}; write "
            "that name beside the artifact.",
            reason="other_part",
            field="generator.name",
        )
    merged = {**corpus_parameters(card, part.artifact), **part.parameters}
    turn.platform.parts.check("generator", part.name, merged)
    corpus_codes(turn.manifest.classes, card)


def campaign_generator(turn: Turn, card_digest: str) -> tuple[SampleGenerator, State]:
    """Return the fitted generator behind a card, with its state."""
    card, part = turn.card(card_digest), turn.config.generator
    generator: SampleGenerator = turn.platform.parts.create(
        "generator", part.name, {**corpus_parameters(card, part.artifact), **part.parameters}
    )
    if part.artifact is not None:
        codes = corpus_codes(turn.manifest.classes, card)
        generator = CorpusGenerator(generator, codes)
    return generator, turn.state(card_digest)


def sampled_by(turn: Turn) -> dict[str, Any]:
    """Return how an artifact is sampled: its card does not tell, as that of a fitted one does."""
    part = turn.config.generator
    return {} if part.artifact is None else {"sampling": dict(part.parameters)}


def corpus_parameters(card: ModelCard, artifact: str | None) -> Mapping[str, Any]:
    """Return what an artifact was trained with; a campaign may say how it is sampled."""
    return {} if artifact is None else card.parameters


def corpus_codes(classes: Sequence[str], card: ModelCard) -> Array:
    """Return the corpus's code of each of ``classes``, by name, ``(classes,)`` int64.

    Raises:
        ConfigurationError: ``foreign_classes`` if the corpus has not all of them.
    """
    corpus = card.facts.get("corpus", {})
    known = {str(name): code for code, name in enumerate(corpus.get("classes", ()))}
    missing = [name for name in classes if name not in known]
    if missing:
        there = ", ".join(map(repr, list(known)[:20]))
        raise ConfigurationError(
            f"`generator.artifact`: the corpus of {corpus.get('name')!r} has no class "
            f"{', '.join(map(repr, missing[:5]))}; it has {there}. Rename the classes of either "
            "source, or train a generator on a corpus with them.",
            reason="foreign_classes",
            field="generator.artifact",
        )
    return np.array([known[name] for name in classes], np.int64)
