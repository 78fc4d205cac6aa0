"""From a source to a campaign's root dataset version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from activesynth.config.campaign import CampaignConfig, parse_campaign
from activesynth.domain.canonical import Array, derive_seed
from activesynth.domain.dataset_access import write_oracle, write_quarantine, write_rows
from activesynth.domain.dataset_rows import member_rows, real_rows
from activesynth.domain.documents import SPLITS, DatasetManifest
from activesynth.domain.platform import Platform
from activesynth.domain.records import Bundle, VersionRow
from activesynth.domain.samples import UNLABELLED, SampleSet, concatenate
from activesynth.errors import ConfigurationError
from activesynth.evaluation.near_duplicates import unit_scaled
from activesynth.evaluation.scarcity import limit_labels, long_tail, wrong_labels
from activesynth.evaluation.splits import connected_groups, draw_splits, leaks
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
    """

    version: str
    created: bool
    rows: Mapping[str, int]
    duplicates: int = 0
    conflicts: tuple[str, ...] = ()
    kept_out: Mapping[str, int] | None = None
    leaks: tuple[str, ...] = ()
    notice: str = ""


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Row numbers per split, and for each row the reason it is in none (empty text if it is)."""

    splits: Mapping[str, Array]
    reasons: Array


def ingest(config: CampaignConfig, platform: Platform) -> IngestResult:
    """Register the campaign and, where it has no data yet, draw splits and commit the root.

    Ingesting again changes nothing but the recorded config; new data comes by ``refresh``. The
    result's ``notice`` tells where the config now says something else about drawing splits.

    Raises:
        InputError: If the source cannot be read or is too small for the splits.
        ConflictError: If somebody else committed another root meanwhile.
    """
    before = _recorded(config.name, platform)
    record = platform.lineage.register_campaign(config.name, config.model_dump(mode="json"))
    if record.head is not None:
        manifest = DatasetManifest.decode(platform.objects.get(record.head))
        notice = "" if before is None else _notice(config, before)
        return IngestResult(record.head, False, _sizes(manifest), notice=notice)
    platform.report("ingest", 0, 3)
    data = read_source(config, platform)
    platform.report("ingest", 1, 3)
    near_duplicate = config.splits.near_duplicate
    scaled = unit_scaled(data.samples.x)
    samples = SampleSet(
        data.samples.ids,
        data.samples.x,
        data.samples.y,
        connected_groups(data.samples.groups, scaled, near_duplicate),
        {**data.samples.columns, "source_group": data.samples.groups},
    )
    drawn = _draw(config, samples, scaled)
    found = leaks(
        {name: samples.ids[rows] for name, rows in drawn.splits.items()},
        {name: samples.groups[rows] for name, rows in drawn.splits.items()},
        {name: scaled[rows] for name, rows in drawn.splits.items()},
        near_duplicate=near_duplicate,
    )
    platform.report("ingest", 2, 3)
    manifest = _write(config, data.classes, samples, drawn, platform)
    created = _commit(config.name, manifest, platform)
    platform.report("ingest", 3, 3)
    reasons, counts = np.unique(drawn.reasons[drawn.reasons != ""], return_counts=True)
    return IngestResult(
        manifest.digest,
        created,
        _sizes(manifest),
        data.duplicates,
        data.conflicts,
        dict(zip(reasons.tolist(), counts.tolist(), strict=True)),
        tuple(found),
    )


def _recorded(campaign: str, platform: Platform) -> CampaignConfig | None:
    """Return the config that the campaign had so far, None where it has none that can be read."""
    try:
        return parse_campaign(platform.lineage.campaign(campaign).config, campaign)
    except ConfigurationError:
        return None


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


def _draw(config: CampaignConfig, samples: SampleSet, scaled: Array) -> _Drawn:
    shares = {name: getattr(config.splits, name) for name in SPLITS}
    seed = derive_seed("splits", config.seed)
    splits = draw_splits(samples.y, samples.groups, scaled, shares, near_duplicate=0.0, seed=seed)
    reasons = np.full(len(samples), "group_in_guarded_split")
    train = splits["train"]
    tail = train[long_tail(samples.y[train], config.sampling.long_tail, seed)]
    kept = tail
    if config.sampling.label_budget is not None:
        kept = tail[limit_labels(samples.y[tail], config.sampling.label_budget, seed)]
    splits["pool"] = np.union1d(splits["pool"], np.setdiff1d(tail, kept))
    splits["train"] = kept
    for rows in splits.values():
        reasons[rows] = ""
    reasons[np.setdiff1d(train, tail)] = "long_tail"
    return _Drawn(splits, reasons)


def _write(
    config: CampaignConfig,
    classes: tuple[str, ...],
    samples: SampleSet,
    drawn: _Drawn,
    platform: Platform,
) -> DatasetManifest:
    """Write all shards, then the manifest; the pool's labels go to the oracle only."""
    objects = platform.objects
    pool = samples.take(drawn.splits["pool"])
    visible = {name: samples.take(rows) for name, rows in drawn.splits.items()}
    visible["pool"] = pool.with_labels(np.full(len(pool), UNLABELLED))
    visible["train"] = _with_noise(config, classes, visible["train"])
    # Where labels are wrong on purpose, the oracle knows the truth of train as well.
    told = [pool, samples.take(drawn.splits["train"])] if _is_noisy(config) else [pool]
    hidden = concatenate(told)
    has_label = hidden.y != UNLABELLED
    out = drawn.reasons != ""
    manifest = DatasetManifest(
        modality=config.modality,
        classes=classes,
        parent=None,
        splits={name: write_rows(objects, rows) for name, rows in visible.items()},
        oracle=write_oracle(objects, hidden.ids[has_label], hidden.y[has_label]),
        quarantine=write_quarantine(
            objects, samples.ids[out], samples.groups[out], drawn.reasons[out]
        ),
    )
    objects.put(manifest.encode())
    return manifest


def _is_noisy(config: CampaignConfig) -> bool:
    return config.sampling.label_noise.share > 0


def _with_noise(config: CampaignConfig, classes: tuple[str, ...], train: SampleSet) -> SampleSet:
    """Plant the wrong labels that an experiment asks for.

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
        return train
    chosen = [label for label, name in enumerate(classes) if name in (noise.classes or classes)]
    seed = derive_seed("label_noise", config.seed)
    return train.with_labels(
        wrong_labels(train.y, len(classes), noise.share, np.array(chosen, np.int64), seed)
    )


def _commit(campaign: str, manifest: DatasetManifest, platform: Platform) -> bool:
    bundle = Bundle(
        version=VersionRow(manifest.digest, None, "root", _sizes(manifest)),
        samples=tuple(
            row for refs in manifest.splits.values() for row in real_rows(platform.objects, refs)
        ),
        members=member_rows(platform.objects, manifest),
    )
    return platform.lineage.commit_version(campaign, bundle, expected_head=None)


def _sizes(manifest: DatasetManifest) -> dict[str, int]:
    return {name: sum(ref.rows for ref in refs) for name, refs in manifest.splits.items()}
