"""From a source to a campaign's root dataset version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from activesynth.config.campaign import CampaignConfig, parse_campaign
from activesynth.domain.canonical import Array, derive_seed
from activesynth.domain.dataset_access import (
    write_oracle,
    write_quarantine,
    write_refused,
    write_rows,
)
from activesynth.domain.dataset_rows import member_rows, real_rows
from activesynth.domain.documents import SPLITS, DatasetManifest
from activesynth.domain.exchange import Refused, SourceData
from activesynth.domain.platform import Platform
from activesynth.domain.records import Bundle, CampaignRecord, VersionRow
from activesynth.domain.samples import UNLABELLED, SampleSet
from activesynth.errors import ConfigurationError, InputError
from activesynth.evaluation.folds import grouped_folds
from activesynth.evaluation.near_duplicates import scaled_rows
from activesynth.evaluation.scarcity import limit_labels, long_tail, wrong_labels
from activesynth.evaluation.splits import connected_groups, leaks, split_groups
from activesynth.operations.corpora import in_corpus
from activesynth.operations.reading import read_source

DRAWN_FROM = ("source", "sampling", "splits", "seed")
"""The fields of a campaign that its root version, and so its splits, come from."""


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What an ingest left.

    Attributes:
        version: Digest of the head dataset version.
        created: Whether this call made it.
        rows: Rows per split.
        duplicates: Exact copies that the source dropped.
        conflicts: Ids of rows whose copies carry another label.
        kept_out: Rows in no split, by reason.
        leaks: What splits share that they must not, a sentence each; empty when all is well.
        notice: What the edited campaign file asks for and an existing campaign cannot have, as a
            sentence for people; empty when there is nothing of the kind.
        refused: Items of the source that could not be used and were left out.
    """

    version: str
    created: bool
    rows: Mapping[str, int]
    duplicates: int = 0
    conflicts: tuple[str, ...] = ()
    kept_out: Mapping[str, int] | None = None
    leaks: tuple[str, ...] = ()
    notice: str = ""
    refused: tuple[Refused, ...] = ()


REASONS = ("", "group_in_guarded_split", "in_corpus", "long_tail")
"""Why a row is in no split, by number: all rows together are held in as few bytes as may be."""


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Row numbers per split, and for each row the number of the reason it is in none, or 0."""

    splits: Mapping[str, Array]
    reasons: Array


def ingest(config: CampaignConfig, platform: Platform) -> IngestResult:
    """Register the campaign and, where it has no data yet, draw splits and commit the root.

    Ingesting again changes nothing but the recorded config; new data comes by ``refresh``. The
    result's ``notice`` tells where the config now says something else about drawing splits.

    Raises:
        InputError: If the source cannot be read, has empty classes, or is too small for the
            splits. Nothing is recorded then.
        ConflictError: If somebody else committed another root meanwhile.
    """
    before = _recorded(config.name, platform)
    if before is not None and before.head is not None:
        return _already_there(config, before, platform)
    platform.report("ingest", 0, 3)
    data = read_source(config, platform)
    _refuse_empty_classes(data)
    platform.report("ingest", 1, 3)
    near_duplicate = config.splits.near_duplicate
    scaled = scaled_rows(data.samples.x)
    samples = SampleSet(
        data.samples.ids,
        data.samples.x,
        data.samples.y,
        connected_groups(data.samples.groups, scaled, near_duplicate),
        {**data.samples.columns, "source_group": data.samples.groups},
    )
    known = in_corpus(config.generator.artifact, samples, platform)
    groups = np.unique(samples.groups, return_inverse=True)[1]
    drawn = _draw(config, samples.y, groups, known)
    found = leaks(
        drawn.splits, np.arange(len(samples)), groups, scaled, near_duplicate=near_duplicate
    )
    platform.report("ingest", 2, 3)
    manifest = _write(config, data, samples, drawn, platform)
    # Nothing of the campaign is on record before its data is whole: a refusal leaves nothing.
    platform.lineage.register_campaign(config.name, config.model_dump(mode="json"))
    created = _commit(config.name, manifest, platform)
    platform.report("ingest", 3, 3)
    counts = np.bincount(drawn.reasons, minlength=len(REASONS)).tolist()
    return IngestResult(
        manifest.digest,
        created,
        _sizes(manifest),
        data.duplicates,
        data.conflicts,
        {reason: count for reason, count in zip(REASONS, counts, strict=True) if reason and count},
        tuple(found),
        refused=data.refused,
    )


def _recorded(campaign: str, platform: Platform) -> CampaignRecord | None:
    """Return the campaign as it is on record, None where it is not."""
    try:
        return platform.lineage.campaign(campaign)
    except ConfigurationError:
        return None


def _already_there(
    config: CampaignConfig, before: CampaignRecord, platform: Platform
) -> IngestResult:
    """Record the config of a campaign whose data is in, and say what cannot follow it."""
    record = platform.lineage.register_campaign(config.name, config.model_dump(mode="json"))
    head = record.head or str(before.head)
    manifest = DatasetManifest.decode(platform.objects.get(head))
    try:
        notice = _notice(config, parse_campaign(before.config, config.name))
    except ConfigurationError:  # an older version of activesynth wrote what this one cannot read
        notice = ""
    return IngestResult(head, False, _sizes(manifest), notice=notice)


def _refuse_empty_classes(data: SourceData) -> None:
    """Refuse classes that nothing could be learnt of.

    Raises:
        InputError: ``empty_class``, naming them.
    """
    there = set(np.unique(data.samples.y).tolist())
    empty = [name for code, name in enumerate(data.classes) if code not in there]
    if empty:
        raise InputError(
            f"`source`: {len(empty)} of {len(data.classes)} classes have no labelled row: "
            f"{empty[:5]}; give rows of them, or take them out of the class names (numbered "
            "labels count from 0 without a gap).",
            reason="empty_class",
            field="source",
        )


def _notice(config: CampaignConfig, before: CampaignConfig) -> str:
    """Say which changes cannot reach a dataset whose splits are drawn already."""
    changed = [name for name in DRAWN_FROM if getattr(before, name) != getattr(config, name)]
    if not changed:
        return ""
    return (
        f"{', '.join(f'`{name}`' for name in changed)} changed, but the splits of campaign "
        f"{config.name!r} are drawn already and stay as they are: drawing splits anew is not "
        "possible for an existing campaign. To draw them by the new file, copy it under another "
        "name and run that campaign. New rows of a changed source enter train or pool by "
        f"`activesynth refresh {config.name}`."
    )


def _draw(config: CampaignConfig, y: Array, groups: Array, known: Array) -> _Drawn:
    """Draw the splits from the rows that no generator has learnt from."""
    seed = derive_seed("splits", config.seed)
    free = np.flatnonzero(~known)
    splits = {
        name: free[rows] for name, rows in _splits(config, y[free], groups[free], seed).items()
    }
    reasons = np.full(len(y), REASONS.index("group_in_guarded_split"), np.int8)
    reasons[known] = REASONS.index("in_corpus")
    train = splits["train"]
    tail = train[long_tail(y[train], config.sampling.long_tail, seed)]
    kept = tail
    if config.sampling.label_budget is not None:
        kept = tail[limit_labels(y[tail], config.sampling.label_budget, seed)]
    splits["pool"] = np.union1d(splits["pool"], np.setdiff1d(tail, kept))
    splits["train"] = kept
    for rows in splits.values():
        reasons[rows] = 0
    reasons[np.setdiff1d(train, tail)] = REASONS.index("long_tail")
    return _Drawn(splits, reasons)


def _splits(config: CampaignConfig, y: Array, groups: Array, seed: int) -> dict[str, Array]:
    """Draw the splits; groups are connected already."""
    shares = {name: getattr(config.splits, name) for name in SPLITS}
    apart = _test_apart(config, y, groups)
    if apart is None:
        return split_groups(y, groups, shares, seed=seed)
    test = shares.pop("test")
    rest = np.setdiff1d(np.arange(len(y)), apart)
    # Unlabelled rows of a group that stands in test are in no split at all.
    rest = rest[~np.isin(groups[rest], groups[apart])]
    left = {name: share / (1.0 - test) for name, share in shares.items()}
    drawn = split_groups(y[rest], groups[rest], left, seed=seed)
    return {**{name: rest[rows] for name, rows in drawn.items()}, "test": apart}


def _test_apart(config: CampaignConfig, y: Array, groups: Array) -> Array | None:
    """Return the rows of `test` where another seed than the campaign's draws them, or a fold is."""
    fixed, fold = config.splits.test_seed, config.splits.test_fold
    if fold is not None:
        dealt = grouped_folds(y, groups, fold.count, seed=derive_seed("folds", fold.seed))
        return np.flatnonzero(dealt == fold.number)
    if fixed is None:
        return None
    shares = {"rest": 1.0 - config.splits.test, "test": config.splits.test}
    return split_groups(y, groups, shares, seed=derive_seed("test rows", fixed))["test"]


def _write(
    config: CampaignConfig,
    data: SourceData,
    samples: SampleSet,
    drawn: _Drawn,
    platform: Platform,
) -> DatasetManifest:
    """Write all shards, then the manifest; the pool's labels go to the oracle only."""
    objects = platform.objects
    pool, train = drawn.splits["pool"], drawn.splits["train"]
    labels = samples.y.copy()
    labels[pool] = UNLABELLED
    labels[train] = _with_noise(config, data.classes, samples.y[train])
    visible = samples.with_labels(labels)
    # Where labels are wrong on purpose, the oracle knows the truth of train as well.
    told = np.concatenate([pool, train]) if _is_noisy(config) else pool
    told = told[samples.y[told] != UNLABELLED]
    out = np.flatnonzero(drawn.reasons)
    reasons = np.array(REASONS)[drawn.reasons[out]]
    manifest = DatasetManifest(
        modality=config.modality,
        classes=data.classes,
        parent=None,
        splits={
            name: write_rows(objects, visible, rows=rows) for name, rows in drawn.splits.items()
        },
        oracle=write_oracle(objects, samples.ids[told], samples.y[told]),
        quarantine=(
            *write_quarantine(
                objects, samples.ids[out], samples.columns["source_group"][out], reasons
            ),
            *write_refused(objects, data.refused),
        ),
    )
    objects.put(manifest.encode())
    return manifest


def _is_noisy(config: CampaignConfig) -> bool:
    return config.sampling.label_noise.share > 0


def _with_noise(config: CampaignConfig, classes: tuple[str, ...], y: Array) -> Array:
    """Plant the wrong labels that an experiment asks for in those of train.

    Raises:
        ConfigurationError: If a class to be touched is not in the source.
    """
    noise = config.sampling.label_noise
    unknown = sorted(set(noise.classes) - set(classes))
    if unknown:
        raise ConfigurationError(
            f"`sampling.label_noise.classes` names {', '.join(unknown)}, which the source has not; "
            f"its classes are {', '.join(classes[:20])}."
        )
    if not _is_noisy(config):
        return y
    chosen = [label for label, name in enumerate(classes) if name in (noise.classes or classes)]
    seed = derive_seed("label_noise", config.seed)
    return wrong_labels(y, len(classes), noise.share, np.array(chosen, np.int64), seed)


def _commit(campaign: str, manifest: DatasetManifest, platform: Platform) -> bool:
    bundle = Bundle(
        version=VersionRow(manifest.digest, None, "root", _sizes(manifest)),
        samples=real_rows(
            platform.objects, [ref for refs in manifest.splits.values() for ref in refs]
        ),
        members=member_rows(platform.objects, manifest),
    )
    return platform.lineage.commit_version(campaign, bundle, expected_head=None)


def _sizes(manifest: DatasetManifest) -> dict[str, int]:
    return {name: sum(ref.rows for ref in refs) for name, refs in manifest.splits.items()}
