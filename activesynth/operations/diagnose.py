"""A diagnosis on demand: the head model on guide, without opening an iteration."""

from __future__ import annotations

from typing import Any

from activesynth.config.campaign import parse_campaign
from activesynth.domain.canonical import derive_seed
from activesynth.domain.dataset_access import load_split
from activesynth.domain.documents import DatasetManifest, WeaknessProfile
from activesynth.domain.platform import Platform
from activesynth.domain.records import (
    CampaignRecord,
    DiagnosisRecord,
    IterationRecord,
    IterationRef,
)
from activesynth.errors import ConfigurationError
from activesynth.steps.artifacts import Artifacts
from activesynth.steps.embed import assign, embed_rows
from activesynth.steps.examine import Subject, examine, fixed_tau, half_of
from activesynth.steps.turn import Turn


def diagnose(campaign: str, run_key: str, platform: Platform) -> DiagnosisRecord:
    """Diagnose the campaign's model as it stands, and keep the profile under the run's key.

    The head model is looked at; where the last iteration was refused and left none, the base
    model that it diagnosed. Only ``guide`` is read: the half that the next iteration would search
    finds, the other confirms. Asking again under the same key returns what the first time found.

    Raises:
        ConfigurationError: If there is no such campaign, or it has no trained model yet.
    """
    record = platform.lineage.campaign(campaign)
    known = platform.lineage.find_diagnosis(campaign, run_key)
    if known is not None:
        return known
    turn = _as_turn(record, run_key, platform)
    model = record.head_model or _last_base_model(campaign, platform)
    embedded = platform.reader.artifacts(campaign, "embed")
    encoder = platform.reader.artifacts(campaign, "train").get("encoder")
    if model is None or encoder is None:
        raise ConfigurationError(
            f"campaign {campaign!r} has no trained model yet; run an iteration first, as with "
            f"`activesynth run {campaign}`, or diagnose a table of predictions with "
            "`activesynth diagnose --predictions FILE`."
        )
    platform.report("diagnose", 0, 1)
    centroids = turn.artifacts.arrays(embedded["codebook"])["centroids"]
    state = turn.state(encoder)
    clusters = {}
    for split in ("guide", "train"):
        rows = load_split(platform.objects, turn.manifest, split)
        vectors = embed_rows(turn, state, rows.x, centroids.shape[1])
        clusters[split] = assign(turn, centroids, vectors)
    subject = Subject(
        model=model,
        found_on=half_of(turn.ref.number),
        tau=fixed_tau(turn),
        previous=platform.lineage.weakness_states(campaign),
        declared=platform.lineage.declared_weaknesses(campaign),
        guide_clusters=clusters["guide"],
        train_clusters=clusters["train"],
        cluster_count=len(centroids),
        seed=derive_seed(turn.config.seed, "on_demand"),
    )
    profile, _ = examine(turn, subject)
    # Bytes first: the row must not point at a profile that was not written.
    digest = turn.artifacts.put_document(profile)
    document: dict[str, Any] = profile.model_dump(mode="json")
    platform.report("diagnose", 1, 1)
    return platform.lineage.record_diagnosis(
        DiagnosisRecord(campaign, run_key, turn.record.parent, model, digest, document)
    )


def profile_of(record: DiagnosisRecord, platform: Platform) -> WeaknessProfile:
    """Read the profile that a diagnosis names, verified by its digest."""
    return Artifacts(platform.objects).document(record.profile, WeaknessProfile)


def _as_turn(record: CampaignRecord, run_key: str, platform: Platform) -> Turn:
    """Return the campaign as the steps see it, though no iteration is open."""
    if record.head is None:
        raise ConfigurationError(
            f"campaign {record.name!r} has no dataset version yet; run it first, as with "
            f"`activesynth run {record.name}`."
        )
    config = parse_campaign(record.config, f"campaign {record.name!r}")
    artifacts = Artifacts(platform.objects)
    iteration = IterationRecord(
        ref=IterationRef(record.name, record.iterations, 0),
        run_key=run_key,
        state="open",
        config=record.config,
        config_version=record.config_version,
        overrides={},
        parent=record.head,
        parent_model=record.head_model,
        branches=record.branches,
    )
    manifest = artifacts.document(record.head, DatasetManifest)
    return Turn(platform, iteration, config, manifest, artifacts)


def _last_base_model(campaign: str, platform: Platform) -> str | None:
    """Return the base model of the newest committed iteration."""
    rows = [row for row in platform.reader.models(campaign) if row["role"] == "base"]
    newest = max(rows, key=lambda row: int(row["iteration"]), default=None)
    return None if newest is None else str(newest["digest"])
