"""Whoever really reads a kind of blob: the steps, the exports, the report, the refresh.

A step of a committed iteration returns what is on record and reads nothing. So the lineage store
that a consumer sees has forgotten the one step that is to work, and writes nothing; blobs are not
written either, or a producer would mend what was damaged.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from activesynth.config.campaign import parse_campaign
from activesynth.domain.canonical import decode_arrays, sha256
from activesynth.domain.documents import SPLITS
from activesynth.domain.platform import Platform
from activesynth.domain.ports import AnnotationQueue, LineageStore, ObjectStore
from activesynth.domain.records import (
    Annotation,
    IterationCommit,
    IterationRecord,
    IterationRef,
    QueueItem,
    StepRecord,
)
from activesynth.errors import CorruptArtifactError
from activesynth.experiments.final_test import score_test
from activesynth.operations.diagnose import profile_of
from activesynth.operations.export import export_version
from activesynth.operations.export_model import export_model
from activesynth.operations.refresh import refresh
from activesynth.operations.suspects import suspects
from activesynth.steps.annotate import annotate
from activesynth.steps.diagnose import diagnose
from activesynth.steps.embed import embed
from activesynth.steps.evaluate import evaluate
from activesynth.steps.generate import generate
from activesynth.steps.integrate import integrate
from activesynth.steps.plan import plan
from activesynth.steps.promote import promote
from activesynth.steps.retrain import retrain
from activesynth.steps.screen import screen
from activesynth.steps.select import select
from activesynth.steps.train import train
from damage_laboratory import Blob, Laboratory, card_of

Use = Callable[[Platform, Blob, Laboratory], object]


class Forgetful:
    """A lineage store that has forgotten one step of its iterations and keeps nothing new."""

    def __init__(self, kept: LineageStore, step: str) -> None:
        self._kept = kept
        self._step = step

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kept, name)

    def find_step(self, derivation_key: str) -> StepRecord | None:
        return None

    def steps(self, ref: IterationRef, name: str) -> list[StepRecord]:
        return [] if name == self._step else self._kept.steps(ref, name)

    def record_step(self, ref: IterationRef, record: StepRecord) -> StepRecord:
        return record

    def iteration(self, ref: IterationRef) -> IterationRecord:
        return replace(self._kept.iteration(ref), state="open")

    def commit_iteration(self, commit: IterationCommit) -> bool:
        for rows in (commit.bundle.samples, commit.bundle.members):
            for _ in rows:  # read while they are written
                pass
        return True

    def count_split_read(self, campaign: str, split: str, purpose: str, n: int | None) -> int:
        return 1


class SilentQueue:
    """A queue in which nobody ever answered."""

    def enqueue(self, ref: IterationRef, items: Iterable[QueueItem]) -> None:
        pass

    def answers(self, ref: IterationRef) -> list[Annotation]:
        return []

    def answer(self, annotation: Annotation, *, holder: IterationRef | None = None) -> None:
        pass

    def waiting_since(self, ref: IterationRef) -> datetime | None:
        return None

    def closed(self, ref: IterationRef) -> None:
        pass


@dataclass
class HandedOut:
    """A store that remembers which blobs it gave to somebody, and takes none."""

    kept: ObjectStore
    digests: set[str] = field(default_factory=set)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.kept, name)

    def get(self, digest: str) -> bytes:
        data = self.kept.get(digest)
        self.digests.add(digest)
        return data

    def put(self, data: bytes) -> str:
        return sha256(data)


@dataclass(frozen=True)
class Finding:
    """Whether using a damaged blob ended with the right error, before anybody had its bytes."""

    consumer: str
    is_found: bool
    said: str


def use(lab: Laboratory, blob: Blob, number: int) -> Finding:
    """Have one of the blob's consumers read it; ``number`` chooses which."""
    step, work = consumers_of(blob)[number % len(consumers_of(blob))]
    objects = HandedOut(lab.platform.objects)
    platform = replace(
        lab.platform,
        objects=cast(ObjectStore, objects),
        lineage=cast(LineageStore, Forgetful(lab.platform.lineage, step)),
        queue=cast(AnnotationQueue, SilentQueue()),
    )
    try:
        work(platform, blob, lab)
    except CorruptArtifactError as error:
        is_found = blob.digest in str(error) and blob.digest not in objects.digests
        return Finding(step, is_found, str(error))
    return Finding(step, False, "was used as if nothing had happened")


def consumers_of(blob: Blob) -> tuple[tuple[str, Use], ...]:
    """Return the consumers of a kind of blob: name, or step that is to be done again, and work."""
    return tuple((step, _USES[step]) for step in _CONSUMERS[blob.kind])


def _ref(blob: Blob, lab: Laboratory) -> str:
    return str(IterationRef(lab.campaign, blob.iteration or 0, 1))


def _on(step: Callable[[str, Platform], object]) -> Use:
    return lambda platform, blob, lab: step(_ref(blob, lab), platform)


def _generate(platform: Platform, blob: Blob, lab: Laboratory) -> None:
    generate(_ref(blob, lab), 0, platform)


def _retrain(platform: Platform, blob: Blob, lab: Laboratory) -> None:
    retrain(_ref(blob, lab), "targeted", platform)


def _map(platform: Platform, blob: Blob, lab: Laboratory) -> None:
    """Read what the page of a campaign draws its map from."""
    decode_arrays(platform.objects.get(blob.digest))


def _export(platform: Platform, blob: Blob, lab: Laboratory) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        export_version(blob.manifest or blob.digest, platform, folder / "data", splits=SPLITS)
    finally:
        shutil.rmtree(folder)


def _export_model(platform: Platform, blob: Blob, lab: Laboratory) -> None:
    is_card = not blob.kind.endswith(".tensors")
    card = blob.digest if is_card else card_of(lab.platform, blob, lab)
    folder = Path(tempfile.mkdtemp())
    try:
        export_model(card, platform, folder / "model", campaign=lab.campaign)
    finally:
        shutil.rmtree(folder)


def _refresh(platform: Platform, blob: Blob, lab: Laboratory) -> None:
    refresh(lab.campaign, "2026-09-02", platform)


def _report(platform: Platform, blob: Blob, lab: Laboratory) -> None:
    recorded = platform.lineage.campaign(lab.campaign).config
    score_test(platform, parse_campaign(recorded, lab.campaign))


def _profile(platform: Platform, blob: Blob, lab: Laboratory) -> None:
    record = lab.platform.lineage.find_diagnosis(lab.campaign, "asked")
    assert record is not None
    profile_of(record, platform)


def _suspects(platform: Platform, blob: Blob, lab: Laboratory) -> None:
    suspects(lab.campaign, platform, iteration=blob.iteration)


_USES: dict[str, Use] = {
    "encoder": _on(train),
    "judge": _on(train),
    "train": _on(train),
    "codebook": _on(embed),
    "embed": _on(embed),
    "diagnose": _on(diagnose),
    "plan": _on(plan),
    "generate": _generate,
    "screen": _on(screen),
    "select": _on(select),
    "annotate": _on(annotate),
    "integrate": _on(integrate),
    "retrain": _retrain,
    "evaluate": _on(evaluate),
    "audit": _on(evaluate),  # `evaluate` is remembered, and what follows it in its task is done
    "watch": _on(evaluate),
    "promote": _on(promote),
    "commit": _on(promote),  # the score is remembered, and its decision read and committed
    "map": _map,
    "export": _export,
    "export model": _export_model,
    "refresh": _refresh,
    "report": _report,
    "profile": _profile,
    "suspects": _suspects,
}
_MODEL = ("export model", "evaluate", "promote")
_CONSUMERS: dict[str, tuple[str, ...]] = {
    "version": ("export",),
    "diagnosis": ("profile",),
    "shard of train": ("retrain", "export", "refresh"),
    "shard of pool": ("select", "embed", "export"),
    "refreshed shard of pool": ("refresh", "export"),
    "refreshed shard of oracle": ("refresh",),
    "refreshed shard of quarantine": ("refresh",),
    "shard of guide": ("diagnose", "evaluate", "export"),
    "shard of judge": ("judge", "export"),
    "shard of gate": ("promote", "export"),
    "shard of test": ("report", "export"),
    "shard of synthetic": ("retrain", "export"),
    "shard of oracle": ("annotate", "refresh"),
    "shard of quarantine": ("refresh",),
    "encoder/encoder": ("embed", "codebook", "retrain", "export model"),
    "encoder/encoder.tensors": ("embed", "codebook", "retrain"),
    "judge/judge": ("screen", "select", "watch", "export model"),
    "judge/judge.tensors": ("screen", "select", "watch"),
    "train/encoder": ("embed", "codebook", "retrain"),
    "train/model": ("diagnose", "retrain", "select", "promote", "export model"),
    "train/model.tensors": ("diagnose", "retrain", "select", "promote", "export model"),
    "codebook/codebook": ("embed", "diagnose", "screen", "select", "retrain"),
    "embed/codebook": ("embed", "diagnose", "evaluate"),
    "embed/train": ("diagnose", "screen", "select"),
    "embed/pool": ("select",),
    "embed/pool_index": ("plan",),
    "embed/guide": ("diagnose", "screen"),
    "embed/index": ("screen",),
    "diagnose/profile": ("plan", "generate", "evaluate", "commit"),
    "diagnose/scores": ("screen", "evaluate"),
    "plan/retrieved": ("select", "commit"),
    "plan/plan": ("generate", "select", "evaluate", "commit"),
    "fit_generator/generator": ("generate", "screen", "export model"),
    "fit_generator/generator.tensors": ("generate", "screen", "export model"),
    "generate/targeted": ("screen",),
    "generate/untargeted": ("screen",),
    "screen/targeted.samples": ("select", "annotate", "integrate", "commit"),
    "screen/map": ("map",),
    "screen/targeted.verdicts": ("select", "integrate", "commit"),
    "screen/untargeted.samples": ("select", "integrate", "watch", "commit"),
    "screen/untargeted.verdicts": ("select", "integrate", "commit"),
    "select/selection": ("annotate", "integrate"),
    "select/suspects": ("suspects",),
    "select/predictions": ("annotate",),
    "annotate/answers": ("integrate", "commit"),
    "integrate/targeted": ("retrain", "evaluate", "audit", "commit", "export"),
    "integrate/random": ("retrain", "watch", "commit", "export"),
    "integrate/labels_only": ("commit", "export"),
    "integrate/real": ("export",),
    "integrate/reweighted": ("export",),
    "retrain/model": _MODEL,
    "retrain/model.tensors": _MODEL,
    "evaluate/metrics": ("watch", "commit"),
    "evaluate/probs": ("watch",),
    "audit/metrics": ("commit",),
    "watch/alarms": ("promote",),
    "watch/metrics": ("commit",),
    "promote/decision": ("commit",),
}
