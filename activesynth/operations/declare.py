"""Weaknesses that a person declares: checked against the campaign, then kept for good."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from activesynth.config.campaign import parse_campaign
from activesynth.diagnosis.attributes import attribute_groups, slice_key
from activesynth.domain.dataset_access import load_split
from activesynth.domain.documents import MAX_WEAKNESS_ID, DatasetManifest
from activesynth.domain.platform import Platform
from activesynth.domain.records import CampaignRecord
from activesynth.errors import ConfigurationError

MAX_REASON = 500
SHOWN = 20


def class_target(campaign: str, label: str, platform: Platform) -> str:
    """Return the target of a class, given by its name or its number.

    Raises:
        ConfigurationError: If the campaign has no such class; the message names those there are.
    """
    _, manifest = _head(campaign, platform)
    if label in manifest.classes:
        return f"class:{manifest.classes.index(label)}"
    if label.isdecimal() and int(label) < len(manifest.classes):
        return f"class:{int(label)}"
    raise ConfigurationError(
        f"--class {label!r}: campaign {campaign!r} has no such class; there are: "
        f"{_listed(manifest.classes)}."
    )


def cluster_target(campaign: str, cluster: int, platform: Platform) -> str:
    """Return the target of a cluster of the campaign's codebook.

    Raises:
        ConfigurationError: If the number is no cluster.
    """
    record, _ = _head(campaign, platform)
    count = parse_campaign(record.config, f"campaign {campaign!r}").clusters.count
    if not 0 <= cluster < count:
        raise ConfigurationError(
            f"--cluster {cluster}: campaign {campaign!r} has the clusters 0 to {count - 1}; "
            "`activesynth show weaknesses` names them by number."
        )
    return f"cluster:{cluster}"


def slice_target(campaign: str, conditions: Mapping[str, str], platform: Platform) -> str:
    """Return the target of one or more attribute values that hold together.

    Raises:
        ConfigurationError: If guide has no such attribute or no row with that value; the message
            names those there are.
    """
    _, manifest = _head(campaign, platform)
    groups = attribute_groups(load_split(platform.objects, manifest, "guide").columns)
    for name, value in conditions.items():
        if name not in groups:
            raise ConfigurationError(
                f"--attribute {name}={value}: campaign {campaign!r} has no attribute {name!r}; "
                f"there are: {_listed(sorted(groups))}."
            )
        values = [text for text in np.unique(groups[name]).tolist() if text]
        if value not in values:
            raise ConfigurationError(
                f"--attribute {name}={value}: no guide row of campaign {campaign!r} has that "
                f"value; there are: {_listed(values)}."
            )
    return f"slice:{slice_key(conditions.items())}"


def corruption_target(campaign: str, name: str, severity: float, platform: Platform) -> str:
    """Return the target of a corruption at one severity.

    Raises:
        ConfigurationError: If there is no such corruption, or the severity is not in (0, 1].
    """
    _head(campaign, platform)
    platform.parts.check("corruption", name, {})
    if not 0.0 < severity <= 1.0:
        raise ConfigurationError(
            f"--corruption {name}@{severity:g}: the severity must lie over 0 and up to 1; "
            "1 is the strongest."
        )
    return f"corruption:{name}@{severity:g}"


def declare(campaign: str, target: str, reason: str, platform: Platform) -> bool:
    """Keep the declaration; return False where it stands already.

    Raises:
        ConfigurationError: If the reason is empty or too long.
    """
    _check(target, reason)
    return platform.lineage.declare_weakness(campaign, target, reason.strip())


def withdraw(campaign: str, target: str, reason: str, platform: Platform) -> None:
    """Take a declaration back; what it did so far stays on record.

    Raises:
        ConfigurationError: If nothing like that is declared; the message names what is.
    """
    _check(target, reason)
    target = target.removeprefix("declared:")
    if not platform.lineage.declare_weakness(campaign, target, reason.strip(), is_withdrawn=True):
        there = platform.lineage.declared_weaknesses(campaign)
        raise ConfigurationError(
            f"{target!r} is not declared for campaign {campaign!r}; declared are: {_listed(there)}."
        )


def _check(target: str, reason: str) -> None:
    if not reason.strip() or len(reason) > MAX_REASON:
        raise ConfigurationError(
            f"--reason has {len(reason.strip())} characters; say why in 1 to {MAX_REASON}."
        )
    if len(f"declared:{target}") > MAX_WEAKNESS_ID:
        raise ConfigurationError(
            f"{target[:60]!r}... has {len(target)} characters, the limit is "
            f"{MAX_WEAKNESS_ID - len('declared:')}; declare fewer or shorter attribute values."
        )


def _head(campaign: str, platform: Platform) -> tuple[CampaignRecord, DatasetManifest]:
    record = platform.lineage.campaign(campaign)
    if record.head is None:
        raise ConfigurationError(
            f"campaign {campaign!r} has no dataset version yet; run it first, as with "
            f"`activesynth run {campaign}`."
        )
    return record, DatasetManifest.decode(platform.objects.get(record.head))


def _listed(names: tuple[str, ...] | list[str]) -> str:
    shown = ", ".join(names[:SHOWN]) or "none"
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"
