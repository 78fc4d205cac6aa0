"""One iteration as its steps see it: record, config, parent version, and seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from activesynth.config.campaign import CampaignConfig, parse_campaign
from activesynth.config.trigger import apply_trigger
from activesynth.domain.canonical import derive_seed
from activesynth.domain.documents import DatasetManifest, ModelCard, ShardRef
from activesynth.domain.erasure import ErasedBlob, standing
from activesynth.domain.exchange import State
from activesynth.domain.platform import Platform
from activesynth.domain.ports import Modality, Predictor, Trainer
from activesynth.domain.records import IterationRecord, IterationRef, StepRecord
from activesynth.domain.work import take_up
from activesynth.steps.artifacts import Artifacts


@dataclass(frozen=True, slots=True)
class Turn:
    """Everything that is fixed for one iteration once `begin` has run."""

    platform: Platform
    record: IterationRecord
    config: CampaignConfig
    manifest: DatasetManifest
    artifacts: Artifacts

    @property
    def ref(self) -> IterationRef:
        """Return the iteration's name."""
        return self.record.ref

    @property
    def classes(self) -> int:
        """Return the number of classes."""
        return len(self.manifest.classes)

    @property
    def trainer(self) -> Trainer:
        """Build the campaign's trainer."""
        part = self.config.trainer
        trainer: Trainer = self.platform.parts.create("trainer", part.name, part.parameters)
        return trainer

    @property
    def modality(self) -> Modality:
        """Build the campaign's modality."""
        modality: Modality = self.platform.parts.create("modality", self.config.modality)
        return modality

    def seed(self, *parts: object) -> int:
        """Derive a seed for a purpose within this iteration."""
        return derive_seed(self.config.seed, self.ref.number, *parts)

    def campaign_seed(self, *parts: object) -> int:
        """Derive a seed for a purpose that all iterations share."""
        return derive_seed(self.config.seed, "campaign", *parts)

    def step(self, name: str, shard: int = 0) -> StepRecord:
        """Return the result of an earlier step of this iteration."""
        return self.platform.lineage.step(self.ref, name, shard)

    def report(self, what: str, done: int, total: int) -> None:
        """Tell whoever watches how far the work is."""
        self.platform.report(what, done, total)

    def predictor(self, card_digest: str) -> Predictor:
        """Load a trained ensemble from its card."""
        return self.trainer.load(self.state(card_digest))

    def state(self, card_digest: str) -> State:
        """Load the tensors behind a card."""
        card = self.card(card_digest)
        return State(self.artifacts.tensors(card.tensors), card.facts)

    def card(self, digest: str) -> ModelCard:
        """Read a model card."""
        return self.artifacts.document(digest, ModelCard)

    def root(self) -> str:
        """Return the digest of the campaign's first dataset version."""
        digest, manifest = self.record.parent, self.manifest
        while manifest.parent is not None:
            digest = manifest.parent
            manifest = self.artifacts.document(digest, DatasetManifest)
        return digest

    def root_manifest(self) -> DatasetManifest:
        """Return the first dataset version, without the rows that were erased since.

        What is to go may still be there: work held it, or the erasure was killed.
        """
        manifest = self.artifacts.document(self.root(), DatasetManifest)
        return without_erased(manifest, self.platform.lineage.erased_blobs())


def without_erased(manifest: DatasetManifest, erased: Mapping[str, ErasedBlob]) -> DatasetManifest:
    """Return a manifest with what was written in the place of erased shards."""

    def instead(ref: ShardRef) -> ShardRef:
        return ref.model_copy(update={"blob": standing(ref.blob, erased) or ref.blob})

    def all_instead(refs: tuple[ShardRef, ...]) -> tuple[ShardRef, ...]:
        return tuple(map(instead, refs))

    return manifest.model_copy(
        update={
            "splits": {name: all_instead(refs) for name, refs in manifest.splits.items()},
            "synthetic": all_instead(manifest.synthetic),
            "oracle": all_instead(manifest.oracle),
            "quarantine": all_instead(manifest.quarantine),
        }
    )


def open_turn(iteration_id: str, platform: Platform) -> Turn:
    """Read what `begin` fixed.

    Raises:
        ConflictError: If another run has taken the iteration over.
    """
    record = platform.lineage.iteration(IterationRef.parse(iteration_id))
    take_up(record.run_key, record.ref.campaign, record.ref.number)
    config = apply_trigger(parse_campaign(record.config, "recorded config"), record.overrides)
    artifacts = Artifacts(platform.objects)
    manifest = artifacts.document(record.parent, DatasetManifest)
    return Turn(platform, record, config, manifest, artifacts)
