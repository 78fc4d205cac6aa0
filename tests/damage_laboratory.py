"""A committed campaign whose blobs can be damaged one at a time, in a folder or in a bucket."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import create_engine, text

from activesynth.bootstrap import open_platform
from activesynth.config.campaign import parse_campaign
from activesynth.config.settings import Settings
from activesynth.domain.documents import DatasetManifest, ModelCard
from activesynth.domain.platform import Platform
from activesynth.operations.diagnose import diagnose
from activesynth.operations.ingest import ingest
from activesynth.operations.refresh import refresh
from activesynth.steps.loop import run
from raw_stores import RawDirectory, RawStore, s3_store
from s3_fixtures import S3Server
from tiny_campaign import TINY
from toy_plane import plane_config, plane_platform

CAMPAIGN = "plane"
_ARTIFACTS = "SELECT step, kind, shard, iteration, digest FROM activesynth.artifacts ORDER BY 1, 2"
_VERSIONS = """
    SELECT digest, iteration, origin FROM activesynth.dataset_versions ORDER BY committed_at
"""
_DIAGNOSES = "SELECT run_key, profile FROM activesynth.diagnoses"


@dataclass(frozen=True)
class Blob:
    """One blob in one role; a blob with several roles stands several times.

    ``kind`` is what the tables are by: ``step/artifact``, ``version``, ``shard of <place>``, or
    ``refreshed shard of <place>`` where a refresh wrote it and no iteration has read it yet.
    ``manifest`` lists a shard, ``iteration`` wrote an artifact, ``part`` is the step's shard.
    """

    kind: str
    digest: str
    named: str
    iteration: int | None = None
    part: int = 0
    manifest: str = ""
    place: str = ""


@dataclass(frozen=True)
class Laboratory:
    """The campaign on one store."""

    platform: Platform
    raw: RawStore
    blobs: tuple[Blob, ...]
    database_url: str
    campaign: str = CAMPAIGN

    @property
    def kinds(self) -> dict[str, list[Blob]]:
        found: dict[str, list[Blob]] = {}
        for blob in self.blobs:
            found.setdefault(blob.kind, []).append(blob)
        return found

    @contextmanager
    def damaged(self, digest: str, data: bytes | None) -> Iterator[None]:
        """Put other bytes, or none at all, in the place of a blob for a while."""
        before = self.raw.read(digest)
        if data is None:
            self.raw.remove(digest)
        else:
            self.raw.write(digest, data)
        try:
            yield
        finally:
            self.raw.write(digest, before)


def run_campaign(platform: Platform) -> None:
    """Leave every kind of blob: two promoted iterations, a diagnosis on demand, a refresh."""
    config = plane_config(gate={"margin": 1.0, "guarded": {}})
    ingest(config, platform)
    run(platform, conf={"campaign": CAMPAIGN, "iterations": 2})
    diagnose(CAMPAIGN, "asked", platform)
    grown = {"name": "plane", "parameters": {"rows": 660}}
    ingest(plane_config(gate={"margin": 1.0, "guarded": {}}, source=grown), platform)
    refresh(CAMPAIGN, "2026-09-01", platform)


@contextmanager
def laboratory(database_url: str, folder: Path, *, is_run: bool = False) -> Iterator[Laboratory]:
    """Run the campaign into a folder, unless database and folder hold it already."""
    with plane_platform(database_url, folder) as platform:
        if not is_run:
            run_campaign(platform)
        raw = RawDirectory(folder / "objects")
        yield Laboratory(platform, raw, tuple(_blobs(database_url, platform)), database_url)


@contextmanager
def real_laboratory(database_url: str, folder: Path) -> Iterator[Laboratory]:
    """Run the tiny campaign on digits into a folder: torch, diffusion and pictures for real."""
    config = parse_campaign(
        {**TINY, "name": "tiny", "gate": {"margin": 1.0, "guarded": {}}}, "tiny"
    )
    settings = Settings(home=folder, database_url=SecretStr(database_url))
    with open_platform(settings) as platform:
        ingest(config, platform)
        run(platform, conf={"campaign": "tiny", "iterations": 2})
        raw = RawDirectory(folder / "objects")
        blobs = tuple(_blobs(database_url, platform))
        yield Laboratory(platform, raw, blobs, database_url, "tiny")


def on_s3(lab: Laboratory, server: S3Server, bucket: str) -> Laboratory:
    """Return the same campaign with all of its blobs copied into a bucket."""
    store, raw = s3_store(server, bucket)
    for digest in lab.platform.objects.digests():
        store.put(lab.platform.objects.get(digest))
    return Laboratory(
        replace(lab.platform, objects=store), raw, lab.blobs, lab.database_url, lab.campaign
    )


def _blobs(database_url: str, platform: Platform) -> Iterator[Blob]:
    """List every role of every blob: from the tables, and from what documents list."""
    engine = create_engine(database_url)
    with engine.connect() as connection:
        artifacts = connection.execute(text(_ARTIFACTS)).all()
        versions = connection.execute(text(_VERSIONS)).all()
        diagnoses = connection.execute(text(_DIAGNOSES)).all()
    engine.dispose()
    manifests: dict[str, int | None] = {}
    refreshed = {digest for digest, _, origin in versions if origin == "refresh"}
    for digest, iteration, _ in versions:
        yield Blob("version", digest, "dataset version", iteration)
        manifests[digest] = iteration
    for step, name, part, iteration, digest in artifacts:
        kind = re.sub(r"(?<=model)\d+", "", f"{step}/{name}")
        yield Blob(kind, digest, f"artifact {step}/{name}", iteration, part)
        if step == "integrate":
            manifests.setdefault(digest, iteration)
    for run_key, digest in diagnoses:
        yield Blob("diagnosis", digest, f"profile of diagnosis {run_key}")
    seen = set()
    for digest, iteration in manifests.items():
        for place, number, shard in _shards(platform, digest):
            if (place, shard) not in seen:
                seen.add((place, shard))
                named = f"shard {number} of {place}"
                kind = f"{'refreshed ' if digest in refreshed else ''}shard of {place}"
                yield Blob(kind, shard, named, iteration, 0, digest, place)


def _shards(platform: Platform, manifest: str) -> Iterator[tuple[str, int, str]]:
    found = DatasetManifest.decode(platform.objects.get(manifest))
    places = {**found.splits, "synthetic": found.synthetic}
    places |= {"oracle": found.oracle, "quarantine": found.quarantine}
    for place, refs in places.items():
        for number, ref in enumerate(refs):
            yield place, number, ref.blob


def card_of(platform: Platform, blob: Blob, lab: Laboratory) -> str:
    """Return the card that names these tensors."""
    for other in lab.blobs:
        if f"{other.kind}.tensors" == blob.kind and other.iteration == blob.iteration:
            card = ModelCard.decode(platform.objects.get(other.digest))
            if card.tensors == blob.digest:
                return other.digest
    raise LookupError(blob)
