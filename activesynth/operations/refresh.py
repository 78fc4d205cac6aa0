"""Taking new rows of a campaign's source into its dataset, once per logical date."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from activesynth.config.campaign import CampaignConfig, parse_campaign
from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import (
    load_oracle,
    load_quarantine,
    load_rows,
    without_known,
    write_oracle,
    write_quarantine,
    write_refused,
    write_rows,
)
from activesynth.domain.dataset_rows import member_rows, real_rows
from activesynth.domain.documents import DatasetManifest, ShardRef
from activesynth.domain.exchange import Refused
from activesynth.domain.platform import Platform
from activesynth.domain.records import Bundle, Event, Streamed, VersionRow
from activesynth.domain.samples import UNLABELLED, SampleSet
from activesynth.errors import ConfigurationError, InputError
from activesynth.operations.arrivals import Arrivals, Held, sort_arrivals
from activesynth.operations.drift import Drift, measure_drift
from activesynth.operations.reading import read_source

_DATE = re.compile(r"[0-9A-Za-z_.:+-]{1,64}")


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """What a refresh found and left.

    Attributes:
        version: Digest of the head dataset version afterwards.
        created: Whether this call made it.
        added: Rows that entered, per split.
        known: Rows of the source that were already known.
        quarantined: New rows kept out because they resemble guarded ones.
        relabelled: Known train rows whose label in the source differs now; they are left alone.
        drift: Distance of the new rows from the head version.
        run_key: Deterministic id of the run to start now, or None where none is due. A repeated
            refresh of the same date names the same run, so starting it twice is harmless.
        refused: Items of the source that could not be used and were left out. Alone they make no
            version; a version made for new rows keeps those that were refused for the first time.
    """

    version: str
    created: bool
    added: Mapping[str, int]
    known: int
    quarantined: int
    relabelled: int
    drift: Drift
    run_key: str | None
    refused: tuple[Refused, ...] = ()

    @property
    def should_trigger(self) -> bool:
        """Tell whether an iteration is due."""
        return self.run_key is not None


def refresh(campaign: str, logical_date: str, platform: Platform) -> RefreshResult:
    """Read the source again and commit a version with its new rows, if there are any.

    New labelled rows enter train, unlabelled ones the pool; under a label budget all enter the
    pool, their labels hidden. Known pool rows that got a label since enter train.

    Raises:
        ConfigurationError: If the campaign has no data yet, or the date cannot be part of an id.
        InputError: ``drift`` above ``refresh.max_drift``, ``new_class``, or from the source.
        ConflictError: If an iteration is open or the head moved meanwhile.
    """
    if not _DATE.fullmatch(logical_date):
        raise ConfigurationError(
            f"logical date {logical_date!r} must be 1 to 64 letters, digits and any of _.:+-, "
            "for instance 2026-09-01; it becomes part of the run's id.",
            reason="bad_date",
            field="date",
        )
    record = platform.lineage.campaign(campaign)
    if record.head is None:
        raise ConfigurationError(
            f"campaign {campaign!r} has no dataset version yet; ingest it before refreshing.",
            reason="no_data",
            field="campaign",
        )
    config = parse_campaign(record.config, f"campaign {campaign}")
    manifest = DatasetManifest.decode(platform.objects.get(record.head))
    held = _held(manifest, platform)
    incoming, refused = _incoming(config, manifest, platform)
    arrivals = sort_arrivals(incoming, held, config)
    drift = measure_drift(held.growing.x, held.unbiased_labels, arrivals.new, len(manifest.classes))
    if drift.largest > config.refresh.max_drift:
        raise InputError(
            f"`refresh.max_drift`: {drift.rows} new rows differ from the head version by "
            f"{drift.largest:.3f} beyond chance (classes {drift.classes:.3f}, features "
            f"{drift.features:.3f}), the limit is {config.refresh.max_drift}; look at the new "
            "data, and raise the limit if the change is meant.",
            reason="drift",
            field="refresh.max_drift",
        )
    version, created = record.head, False
    if len(arrivals.train) + len(arrivals.pool):
        newly_refused = without_known(refused, held.quarantine)
        child = _written(manifest, arrivals, newly_refused, logical_date, platform)
        created = _commit(campaign, record.head, child, arrivals, platform)
        version, manifest = child.digest, child
    is_due = config.refresh.triggers_iteration and manifest.refreshed == logical_date
    return RefreshResult(
        version,
        created,
        {"train": len(arrivals.train), "pool": len(arrivals.pool)},
        arrivals.known,
        len(arrivals.quarantined),
        arrivals.relabelled,
        drift,
        f"{campaign}__refresh_{logical_date}" if is_due else None,
        refused,
    )


def _held(manifest: DatasetManifest, platform: Platform) -> Held:
    objects = platform.objects
    splits = {name: load_rows(objects, refs) for name, refs in manifest.splits.items() if refs}
    return Held(splits, load_oracle(objects, manifest), load_quarantine(objects, manifest))


def _incoming(
    config: CampaignConfig, manifest: DatasetManifest, platform: Platform
) -> tuple[SampleSet, tuple[Refused, ...]]:
    """Read the source and number its labels as the manifest does; return what it refused, too."""
    data = read_source(config, platform)
    unknown = sorted(set(data.classes) - set(manifest.classes))
    used = {data.classes[label] for label in np.unique(data.samples.y) if label != UNLABELLED}
    if used & set(unknown):
        raise InputError(
            f"`source`: the classes {sorted(used & set(unknown))[:5]} are new; the campaign knows "
            f"{list(manifest.classes)[:20]}. Correct the labels, or start a new campaign with "
            "all classes.",
            reason="new_class",
            field="source",
        )
    position = {name: code for code, name in enumerate(manifest.classes)}
    codes = np.array([position.get(name, UNLABELLED) for name in data.classes] + [UNLABELLED])
    labels = codes[data.samples.y]  # -1 reads the appended last entry
    return data.samples.with_labels(labels), data.refused


def _written(
    manifest: DatasetManifest,
    arrivals: Arrivals,
    refused: Sequence[Refused],
    logical_date: str,
    platform: Platform,
) -> DatasetManifest:
    objects, splits = platform.objects, dict(manifest.splits)
    pool = arrivals.pool
    if len(arrivals.train):
        splits["train"] = (*splits["train"], *write_rows(objects, arrivals.train))
    if len(pool):
        hidden = pool.with_labels(np.full(len(pool), UNLABELLED))
        splits["pool"] = (*splits["pool"], *write_rows(objects, hidden))
    has_label = pool.y != UNLABELLED
    out = arrivals.quarantined
    child = manifest.model_copy(
        update={
            "parent": manifest.digest,
            "splits": splits,
            "oracle": (
                *manifest.oracle,
                *write_oracle(objects, pool.ids[has_label], pool.y[has_label]),
            ),
            "quarantine": (
                *manifest.quarantine,
                *_quarantined(out, platform),
                *write_refused(objects, refused),
            ),
            "refreshed": logical_date,
        }
    )
    objects.put(child.encode())
    return child


def _quarantined(out: SampleSet, platform: Platform) -> tuple[ShardRef, ...]:
    reasons: Array = np.full(len(out), "resembles_guarded")
    return write_quarantine(platform.objects, out.ids, out.groups, reasons)


def _commit(
    campaign: str, head: str, child: DatasetManifest, arrivals: Arrivals, platform: Platform
) -> bool:
    added = [
        ref
        for name, before in (("train", len(arrivals.train)), ("pool", len(arrivals.pool)))
        for ref in child.splits[name]
        if before
    ]
    new = set(arrivals.train.ids.tolist()) | set(arrivals.pool.ids.tolist())
    sizes = {name: sum(ref.rows for ref in refs) for name, refs in child.splits.items()}
    bundle = Bundle(
        version=VersionRow(child.digest, head, "refresh", sizes),
        samples=Streamed(
            lambda: (row for row in real_rows(platform.objects, added) if row.id in new)
        ),
        members=member_rows(platform.objects, child),
        events=(
            Event(
                f"dataset_refreshed:{child.digest}",
                "dataset_refreshed",
                {"campaign": campaign, "version": child.digest, "rows": sizes},
            ),
        ),
    )
    return platform.lineage.commit_version(campaign, bundle, expected_head=head)
