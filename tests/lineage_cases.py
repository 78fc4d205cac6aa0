"""Makers of small campaigns, bundles and commits for tests of the lineage database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from activesynth.domain.documents import Weakness
from activesynth.domain.ports import LineageStore
from activesynth.domain.records import (
    Bundle,
    Event,
    IterationCommit,
    IterationRecord,
    MemberRow,
    MetricRow,
    ModelRow,
    PlanRow,
    SampleRow,
    StepRecord,
    VersionRow,
)

CONFIG: Mapping[str, Any] = {
    "name": "digits",
    "evaluation": {"metric": "balanced_accuracy", "control": "reweighted"},
}
ROOT = "root-manifest"


def make_real(name: str, row: int = 0) -> SampleRow:
    """Return a labelled real sample."""
    return SampleRow(name, "real", "shard-real", row, 1)


def make_root(digest: str = ROOT) -> Bundle:
    """Return a root version of three real samples."""
    names = ("real-0", "real-1", "real-2")
    return Bundle(
        version=VersionRow(digest, None, "root", {"train": 2, "guide": 1}),
        samples=tuple(make_real(name, row) for row, name in enumerate(names)),
        members=tuple(MemberRow(digest, name, "train", 1.0) for name in names),
    )


def make_campaign(store: LineageStore, name: str = "digits") -> None:
    """Register a campaign and commit its root version."""
    store.register_campaign(name, CONFIG)
    store.commit_version(name, make_root(), expected_head=None)


def make_weakness(state: str = "open", gap: float = 0.3) -> Weakness:
    """Return the weakness called ``class-8``."""
    return Weakness(
        id="class-8",
        kind="class",
        key="8",
        title="digit 8",
        state=state,
        gap=gap,
        low=gap - 0.1,
        high=gap + 0.1,
        n=40,
        p_value=0.01,
        confirmed=True,
        class_share={3: 0.75, 5: 0.25},
        clusters=(2, 7),
    )


def make_synthetic(name: str, verdict: str = "accepted") -> SampleRow:
    """Return a synthetic sample made for ``class-8`` from ``real-0``, with a 64-bit seed."""
    return SampleRow(
        id=name,
        origin="synthetic",
        shard="shard-synthetic",
        row=0,
        label=8,
        generator="generator-card",
        weakness="class-8",
        seed=2**64 - 1,
        scores={"entropy": 0.5, "realism": 1.25},
        verdict=verdict,
        verdict_reason="on the manifold",
        parents=("real-0",),
    )


def make_metrics() -> tuple[MetricRow, ...]:
    """Return accuracies of three arms, the paired lift and a benefit."""
    return (
        MetricRow("targeted", "guide", "all", "balanced_accuracy", 0.90, 0.88, 0.92, 100),
        MetricRow("reweighted", "guide", "all", "balanced_accuracy", 0.85, 0.83, 0.87, 100),
        MetricRow("real", "guide", "all", "balanced_accuracy", 0.80, 0.78, 0.82, 100),
        MetricRow("targeted", "guide", "all", "balanced_accuracy", 0.91, None, None, 100, seed=0),
        MetricRow(
            "targeted", "guide", "all", "balanced_accuracy_lift:reweighted", 0.05, 0.01, 0.09, 100
        ),
        MetricRow("targeted", "guide", "class-8", "benefit", 0.1, 0.0, 0.2, 20),
    )


def make_commit(opened: IterationRecord, **changes: Any) -> IterationCommit:
    """Return a promoted iteration with one accepted and one rejected synthetic sample."""
    campaign, number = opened.ref.campaign, opened.ref.number
    manifest = f"manifest-{number}"
    names = (f"synthetic-{number}-a", f"synthetic-{number}-b")
    bundle = Bundle(
        version=VersionRow(manifest, opened.parent, "promoted", {"train": 2, "synthetic": 1}),
        samples=(make_synthetic(names[0]), make_synthetic(names[1], "rejected")),
        members=(
            MemberRow(manifest, "real-0", "train", 1.0),
            MemberRow(manifest, names[0], "synthetic", 0.5),
        ),
        weaknesses=(make_weakness(),),
        plan=(PlanRow("class-8", 2, 0.02, "prior"),),
        models=(ModelRow(f"model-{number}", "arm", "targeted", 0, manifest),),
        metrics=make_metrics(),
        events=(Event(f"{campaign}:{number}", "iteration.committed", {"number": number}),),
    )
    values: dict[str, Any] = {
        "ref": opened.ref,
        "parent": opened.parent,
        "decision": "promoted",
        "reason": "every bound holds",
        "head_model": f"model-{number}",
        "branches": {"random": f"branch-{number}"},
        "next_run": f"{campaign}__it{number + 1}",
        "bundle": bundle,
    }
    return IterationCommit(**{**values, **changes})


def make_step(name: str = "train", shard: int = 0, **changes: Any) -> StepRecord:
    """Return a step's result with two artifacts made from one input."""
    values: dict[str, Any] = {
        "name": name,
        "shard": shard,
        "derivation_key": f"key-{name}-{shard}",
        "artifacts": {"card": f"{name}-card-{shard}", "tensors": f"{name}-tensors-{shard}"},
        "facts": {"accuracy": 0.1, "zero": -0.0, "large": 1e22},
        "inputs": (ROOT,),
        "seconds": 1.5,
        "device": "cpu",
        "peak_memory_mb": 120.0,
        "host": "here",
    }
    return StepRecord(**{**values, **changes})
