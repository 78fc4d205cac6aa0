"""Run a step's work once per derivation key, however often it is asked for."""

from __future__ import annotations

import logging
import os
import resource
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from activesynth.domain.canonical import Tensors, canonical_json, sha256
from activesynth.domain.documents import DatasetManifest, Document
from activesynth.domain.exchange import State
from activesynth.domain.records import StepRecord
from activesynth.domain.samples import SampleSet
from activesynth.domain.work import at_step
from activesynth.nn.memory import lack_of_memory
from activesynth.steps.artifacts import Artifacts
from activesynth.steps.turn import Turn

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """A step's name and the version of its own code; raise the version when results change."""

    name: str
    version: int = 1


@dataclass(slots=True)
class Outputs:
    """Collects what a step writes: bytes first, the record afterwards."""

    store: Artifacts
    artifacts: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def json(self, name: str, value: Any) -> str:
        """Write a JSON artifact."""
        return self.link(name, self.store.put_json(value))

    def arrays(self, name: str, arrays: Tensors) -> str:
        """Write an artifact of named arrays."""
        return self.link(name, self.store.put_arrays(arrays))

    def samples(self, name: str, samples: SampleSet) -> str:
        """Write an artifact of rows."""
        return self.link(name, self.store.put_samples(samples))

    def document(self, name: str, document: Document) -> str:
        """Write a document artifact."""
        return self.link(name, self.store.put_document(document))

    def model(
        self, name: str, state: State, *, part: str, role: str, parameters: dict[str, Any]
    ) -> str:
        """Write a fitted part: its card under ``name``, its tensors beside it."""
        card, blob = self.store.put_model(state, part=part, role=role, parameters=parameters)
        self.link(f"{name}.tensors", blob)
        return self.link(name, card)

    def link(self, name: str, digest: str) -> str:
        """Name a blob that is already stored as an output of this step."""
        self.artifacts[name] = digest
        return digest


def execute(
    turn: Turn,
    step: Step,
    *,
    inputs: Mapping[str, str],
    settings: Mapping[str, Any],
    compute: Callable[[Outputs], None],
    shard: int = 0,
    seed: int = 0,
) -> StepRecord:
    """Return the recorded result for these inputs, computing it only when there is none.

    A result whose blobs are gone counts as none: doing the work again puts the same bytes back.

    Args:
        turn: The iteration.
        step: Name and version of the work.
        inputs: Digests of everything that is read.
        settings: The part of the config that the result depends on.
        compute: Does the work; called at most once here, and its result is dropped when another
            delivery of the same work recorded one meanwhile.
        shard: Which part of a mapped step this is.
        seed: The seed of everything random in it.
    """
    key = sha256(
        canonical_json(
            {
                "step": step.name,
                "version": step.version,
                "shard": shard,
                "inputs": dict(inputs),
                "settings": dict(settings),
                "seed": seed,
                "profile": turn.platform.profile,
            }
        )
    )
    lineage = turn.platform.lineage
    # History that a step reads grows by its own iteration's commit, and with it the key changes:
    # what a committed iteration did is told again and never done again.
    is_final = turn.record.state == "committed"
    for own in lineage.steps(turn.ref, step.name):
        if own.shard == shard and (
            is_final or (own.derivation_key == key and _is_whole(own, turn))
        ):
            return own
    known = _held(key, turn)
    if known is not None and _is_whole(known, turn):
        record = replace(known, name=step.name, shard=shard, is_reused=True)
    else:
        record = _compute(turn, step, key, tuple(inputs.values()), compute, shard)
    # Another delivery of this work may have been first, with other bytes where the work is not
    # deterministic; what later steps read is what it recorded.
    return lineage.record_step(turn.ref, record)


def _held(key: str, turn: Turn) -> StepRecord | None:
    """Return a result with this key after leasing its blobs, also those its manifests list.

    It may be another iteration's, about to be replaced, and no put will name its blobs again. Only
    what stands after they were leased is known to be safe from the collector.
    """
    lineage, objects = turn.platform.lineage, turn.platform.objects
    known = lineage.find_step(key)
    if known is None:
        return None
    blobs = list(known.artifacts.values())
    lineage.hold(blobs)
    if known.name == "integrate":
        manifests = [d for d in blobs if objects.has(d)]
        listed = [turn.artifacts.document(d, DatasetManifest).shards for d in manifests]
        lineage.hold([ref.blob for shards in listed for ref in shards])
    again = lineage.find_step(key)
    return again if again is not None and again.artifacts == known.artifacts else None


def _is_whole(record: StepRecord, turn: Turn) -> bool:
    """Tell whether all blobs of a result are there; their bytes are compared when they are read."""
    lost = [n for n, d in record.artifacts.items() if not turn.platform.objects.has(d)]
    if lost:
        logger.warning(
            "step %s of iteration %s: %s lost, the work is done again",
            record.name,
            turn.ref,
            ", ".join(lost),
        )
    return not lost


def _compute(
    turn: Turn,
    step: Step,
    key: str,
    inputs: tuple[str, ...],
    compute: Callable[[Outputs], None],
    shard: int,
) -> StepRecord:
    outputs = Outputs(turn.artifacts)
    with at_step(step.name):
        turn.report(step.name, 0, 1)
        started = time.perf_counter()
        try:
            compute(outputs)
        except Exception as error:
            doing = f"step `{step.name}` of iteration {turn.ref}"
            lack = lack_of_memory(error, doing, iteration=str(turn.ref))
            if lack is None:
                raise
            raise lack from error
        seconds = time.perf_counter() - started
        turn.report(step.name, 1, 1)
    return StepRecord(
        name=step.name,
        shard=shard,
        derivation_key=key,
        artifacts=outputs.artifacts,
        facts=outputs.facts,
        inputs=tuple(sorted(set(inputs))),
        seconds=seconds,
        device=turn.platform.device,
        # ru_maxrss counts KiB on Linux; it is the whole process's peak, an upper bound.
        peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        host=f"{socket.gethostname()}:{os.getpid()}",
    )
