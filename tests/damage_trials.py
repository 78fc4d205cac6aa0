"""Trials with damaged blobs: is damage found before use, and does `fsck` name what is lost?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from activesynth.operations.fsck import FsckReport, fsck
from activesynth.operations.losses import Loss
from damage_consumers import Finding, use
from damage_laboratory import Blob, Laboratory

HARMS = ("deleted", "truncated", "flipped", "swapped")


@dataclass(frozen=True)
class Trial:
    """One damaged blob, how it was harmed, and what came of it."""

    store: str
    blob: Blob
    harm: str
    finding: Finding


@dataclass(frozen=True)
class Planting:
    """Some losses planted at once, and what `fsck` said about them."""

    store: str
    planted: tuple[tuple[Blob, str], ...]
    misnamed: tuple[str, ...]

    @property
    def is_exact(self) -> bool:
        return not self.misnamed


def flipped(data: bytes, rng: np.random.Generator) -> bytes:
    """Return the bytes with one bit changed, anywhere."""
    place, bit = int(rng.integers(len(data))), int(rng.integers(8))
    return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]


def harmed(lab: Laboratory, blob: Blob, harm: str, rng: np.random.Generator) -> bytes | None:
    """Return what lies in the blob's place after the harm; None where nothing does."""
    data = lab.raw.read(blob.digest)
    if harm == "deleted":
        return None
    if harm == "truncated":
        return data[: int(rng.integers(1, len(data)))]
    if harm == "empty":
        return b""
    if harm == "flipped":
        return flipped(data, rng)
    others = sorted({other.digest for other in lab.blobs} - {blob.digest})
    return lab.raw.read(str(rng.choice(others)))


def damage_trials(lab: Laboratory, store: str, harm: str, count: int, seed: int) -> Iterator[Trial]:
    """Harm blobs of every kind in turn, and have each used by its real consumers in turn."""
    rng = np.random.default_rng(seed)
    kinds = lab.kinds
    order = [str(kind) for kind in rng.permutation(sorted(kinds))]
    for number in range(count):
        blobs = kinds[order[number % len(order)]]
        blob = blobs[int(rng.integers(len(blobs)))]
        with lab.damaged(blob.digest, harmed(lab, blob, harm, rng)):
            yield Trial(store, blob, harm, use(lab, blob, number // len(order) + number))


def planted_losses(
    lab: Laboratory, store: str, sizes: Sequence[int], seed: int
) -> Iterator[Planting]:
    """Plant as many losses as each size says, of kinds in turn, and compare what `fsck` names."""
    rng = np.random.default_rng(seed)
    order = [str(kind) for kind in rng.permutation(sorted(lab.kinds))]
    number = 0
    for size in sizes:
        planted: list[tuple[Blob, str]] = []
        with ExitStack() as stack:
            while len(planted) < size:
                blobs = lab.kinds[order[number % len(order)]]
                blob, harm = blobs[int(rng.integers(len(blobs)))], HARMS[number % len(HARMS)]
                number += 1
                if any(other.digest == blob.digest for other, _ in planted):
                    continue
                stack.enter_context(lab.damaged(blob.digest, harmed(lab, blob, harm, rng)))
                planted.append((blob, harm))
            report = fsck(lab.platform)
        yield Planting(store, tuple(planted), tuple(misnamed(report, planted, lab.campaign)))


def misnamed(
    report: FsckReport, planted: Sequence[tuple[Blob, str]], campaign: str
) -> Iterator[str]:
    """Yield what a report says too much, too little, or wrongly."""
    expected = {blob.digest: (blob, harm) for blob, harm in planted}
    found = {loss.digest: loss for loss in report.losses}
    yield from (f"false alarm {digest}" for digest in found.keys() - expected.keys())
    yield from (f"broken row {row}" for row in report.broken)
    for digest, (blob, harm) in expected.items():
        if digest not in found:
            yield f"not named: {blob}"
        else:
            yield from _wrong(found[digest], blob, harm, campaign, is_alone=len(planted) == 1)


def _wrong(loss: Loss, blob: Blob, harm: str, campaign: str, *, is_alone: bool) -> Iterator[str]:
    """Yield what is wrong with the name of a loss."""
    if loss.problem != ("missing" if harm == "deleted" else "corrupt"):
        yield f"{harm} blob is called {loss.problem}"
    # Where a manifest is lost at the same time, the places that it lists are not known.
    if is_alone and blob.named not in loss.what:
        yield f"{blob.named!r} is not among {loss.what}"
    if is_alone and campaign not in loss.campaigns:
        yield f"campaign is not among {loss.campaigns}"
    if blob.kind.count("/") and f"{campaign}:{blob.iteration}" not in loss.iterations:
        yield f"iteration {blob.iteration} is not among {loss.iterations}"
    if blob.kind == "version" and blob.digest not in loss.versions:
        yield f"{blob.digest} is not among {loss.versions}"
    if not loss.advice:
        yield "there is no advice"


def table(trials: Sequence[Trial]) -> str:
    """Return a Markdown table of found damage by kind of blob."""
    kinds = sorted({trial.blob.kind for trial in trials})
    lines = [
        "| blob | trials | of them on S3 | found before use | used by |",
        "|---|---|---|---|---|",
    ]
    for kind in kinds:
        own = [trial for trial in trials if trial.blob.kind == kind]
        used = Counter(trial.finding.consumer for trial in own)
        lines.append(
            f"| {kind} | {len(own)} | {sum(t.store == 's3' for t in own)} | "
            f"{sum(t.finding.is_found for t in own)} | {', '.join(sorted(used))} |"
        )
    lines.append(
        f"| all | {len(trials)} | {sum(t.store == 's3' for t in trials)} | "
        f"{sum(t.finding.is_found for t in trials)} | |"
    )
    return "\n".join(lines)
