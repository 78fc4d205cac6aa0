"""What a batch reached: versions, models, and the numbers that tell of those models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from activesynth.domain.platform import Platform
from activesynth.domain.recalls import Interval, LinedVersion, Selection
from activesynth.operations.recall_batch import Batch, find_batch, intervals

LIMIT = 200
"""How many versions, models and numbers are listed; all are counted."""


@dataclass(frozen=True, slots=True)
class ReachedVersion:
    """A manifest that holds ``samples`` of the batch, or was changed by so many answers of it.

    ``origin`` is that of a dataset version, ``candidate`` for what an arm trained on and was no
    version, and ``branch`` for an arm's branch that a recall or an erasure wrote anew.
    """

    digest: str
    iteration: int | None
    origin: str
    samples: int


@dataclass(frozen=True, slots=True)
class ReachedModel:
    """A model that learnt from the batch."""

    iteration: int
    role: str
    arm: str
    replicate: int
    digest: str
    trained_on: str


@dataclass(frozen=True, slots=True)
class ReachedMetric:
    """A number on guide or gate, over all rows, that tells of such a model."""

    iteration: int
    arm: str
    split: str
    name: str
    value: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Reach:
    """What a batch reached; lists are in the order of history and end after a limit.

    Attributes:
        selection: What named the batch.
        samples: How many samples it has; of an annotator, those whose standing answer is theirs.
        accepted: How many of them ever were in a manifest that somebody trained on, or were changed
            by an answer.
        in_head: How many of these the head version holds.
        in_branches: How many synthetic branches of arms hold, by arm; arms without any left out.
        versions, models, metrics: What was reached, the first of it.
        totals: How many ``versions``, ``models`` and ``metrics`` there are.
        is_head_model: Whether the model that the next iteration would go on from learnt from them.
    """

    selection: Selection
    samples: int
    accepted: int
    in_head: int
    in_branches: Mapping[str, int]
    versions: tuple[ReachedVersion, ...]
    models: tuple[ReachedModel, ...]
    metrics: tuple[ReachedMetric, ...]
    totals: Mapping[str, int]
    is_head_model: bool

    def document(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        plain = {name: getattr(self, name) for name in ("samples", "accepted", "in_head")}
        return {
            "campaign": self.selection.campaign,
            "selection": self.selection.document(),
            **plain,
            "in_branches": dict(self.in_branches),
            "is_head_model": self.is_head_model,
            "totals": dict(self.totals),
            "versions": [asdict(version) for version in self.versions],
            "models": [asdict(model) for model in self.models],
            "metrics": [asdict(metric) for metric in self.metrics],
        }


def reached(selection: Selection, platform: Platform, *, limit: int = LIMIT) -> Reach:
    """Tell what a batch reached, by reading records alone.

    Raises:
        ConfigurationError: As :func:`activesynth.operations.recall_batch.find_batch`.
    """
    return reach_of(find_batch(selection, platform), platform, limit=limit)


def reach_of(batch: Batch, platform: Platform, *, limit: int = LIMIT) -> Reach:
    """Tell what a batch that was looked up reached."""
    reader, selection = platform.reader, batch.selection
    record = platform.lineage.campaign(selection.campaign)
    line = reader.version_line(selection.campaign)
    kept, out = intervals(batch, line, reader.recalls(selection.campaign))
    synthetic = reader.batch_members(selection, batch.synthetic)
    real = _changed(reader.train_members(selection.campaign, kept, line), kept, out, line)
    counts = {digest: count for digest, (count, _) in synthetic.items()}
    for digest, count in real.items():
        counts[digest] = counts.get(digest, 0) + count
    models = [
        ReachedModel(**row)
        for row in reader.models_on(selection.campaign, sorted(counts), sorted(real))
    ]
    # Differences name an arm, and the model that the iteration started from `head`.
    arms = {(model.iteration, model.arm) for model in models}
    arms |= {(model.iteration, "head") for model in models if model.role == "base"}
    total, metrics = reader.moved_metrics(selection.campaign, sorted(arms), limit)
    size, accepted = reader.batch_sizes(selection, batch.synthetic)
    versions = _versions(counts, synthetic, line)
    return Reach(
        selection,
        samples=len(batch.answers) if selection.annotator else size + len(batch.real),
        accepted=accepted + len(batch.real),
        in_head=counts.get(str(record.head), 0),
        in_branches={
            arm: synthetic[digest][0]
            for arm, digest in sorted(record.branches.items())
            if digest in synthetic
        },
        versions=tuple(versions[:limit]),
        models=tuple(models[:limit]),
        metrics=tuple(ReachedMetric(**row) for row in metrics),
        totals={"versions": len(versions), "models": len(models), "metrics": total},
        is_head_model=any(model.digest == record.head_model for model in models),
    )


def _changed(
    there: Mapping[str, int],
    kept: Sequence[Interval],
    out: Sequence[Interval],
    line: Sequence[LinedVersion],
) -> dict[str, int]:
    """Count the real rows that answers changed in each version; what is out is no member."""
    found = {}
    for place, version in enumerate(line):
        absent = {one.sample for one in out if one.first <= place <= one.last}
        count = there.get(version.digest, 0) + len(absent)
        if count:
            found[version.digest] = count
    return found


def _versions(
    counts: Mapping[str, int],
    synthetic: Mapping[str, tuple[int, int | None]],
    line: Sequence[LinedVersion],
) -> list[ReachedVersion]:
    """Return versions in their order, and then what arms trained on."""
    found = [
        ReachedVersion(version.digest, version.iteration, version.origin, counts[version.digest])
        for version in line
        if version.digest in counts
    ]
    known = {version.digest for version in line}
    others = [
        ReachedVersion(digest, number, "branch" if number is None else "candidate", count)
        for digest, (count, number) in synthetic.items()
        if digest not in known
    ]
    others.sort(key=lambda one: (one.iteration is None, one.iteration or 0, one.digest))
    return [*found, *others]
