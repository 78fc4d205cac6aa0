"""A campaign backed up and brought back elsewhere, and losses planted in the backup's blobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import create_engine, text

from activesynth.domain.effects import Unwatched
from activesynth.domain.platform import Platform
from activesynth.domain.ports import ObjectStore
from activesynth.lineage.archive import PASSING, PostgresArchive
from activesynth.lineage.columns import metadata
from activesynth.operations.backup import Created, create
from activesynth.operations.restore import Restored, restore
from activesynth.storage.directory import DirectoryObjectStore
from damage_laboratory import Laboratory
from damage_trials import HARMS, flipped
from platform_fixtures import PostgresServer
from raw_stores import RawDirectory
from toy_plane import plane_platform


def vault_in(folder: Path) -> DirectoryObjectStore:
    return DirectoryObjectStore(folder, Unwatched())


def back_up(url: str, platform: Platform, folder: Path, **how: Any) -> Created:
    """Back up records and blobs."""
    with closing(PostgresArchive(url)) as archive:
        return create(folder, platform, archive, vault_in(folder), **how)


def bring_back(
    url: str, platform: Platform, folder: Path, vault: ObjectStore | None = None, **how: Any
) -> Restored:
    """Restore records and blobs."""
    with closing(PostgresArchive(url)) as archive:
        return restore(folder, platform, archive, vault or vault_in(folder), **how)


@contextmanager
def elsewhere(
    server: PostgresServer, folder: Path, objects: ObjectStore | None = None
) -> Iterator[tuple[str, Platform]]:
    """Give a new empty database and a platform on it, with a new folder store or ``objects``."""
    name = server.create_database()
    url = server.url(name)
    try:
        with plane_platform(url, folder) as platform:
            yield url, replace(platform, objects=objects or platform.objects)
    finally:
        server.drop_database(name)


def all_rows(url: str) -> dict[str, list[str]]:
    """Return every row of every table as JSON, sorted."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = {
            table.name: sorted(
                connection.execute(
                    text(f'SELECT to_json(t)::text FROM activesynth."{table.name}" t')
                ).scalars()
            )
            for table in metadata.sorted_tables
            if table.name not in PASSING
        }
    engine.dispose()
    return found


def views(platform: Platform, campaign: str) -> dict[str, Any]:
    """Return what people read of a campaign."""
    reader = platform.reader
    head = str(platform.lineage.campaign(campaign).head)
    samples = reader.samples(campaign, limit=20)
    return {
        "campaigns": reader.campaigns(),
        "iterations": reader.iterations(campaign),
        "metrics": reader.metrics(campaign),
        "weaknesses": reader.weaknesses(campaign),
        "models": reader.models(campaign),
        "costs": reader.step_costs(campaign),
        "ancestry": reader.ancestry(head),
        "samples": samples,
        "provenance": [reader.sample(str(row["sample"])) for row in samples],
    }


@dataclass(frozen=True)
class PlantedInBackup:
    """Losses planted in a backup's blobs at once, and what restoring said about them."""

    store: str
    planted: dict[str, str]
    misnamed: tuple[str, ...]


def planted_in_backup(
    server: PostgresServer,
    lab: Laboratory,
    backup: Path,
    scratch: Path,
    targets: Sequence[tuple[str, int, Callable[[], ObjectStore] | None]],
    seed: int,
) -> Iterator[PlantedInBackup]:
    """Harm as many of the backup's blobs as each target says, and restore the backup there.

    A target is the name of a store, a number of losses, and what makes a store that is none in a
    folder.
    """
    rng = np.random.default_rng(seed)
    whole = Laboratory(lab.platform, RawDirectory(backup), lab.blobs, lab.database_url)
    digests = sorted(vault_in(backup).digests())
    for number, (store, size, new_store) in enumerate(targets):
        objects = new_store() if new_store is not None else None
        chosen = [str(digest) for digest in rng.choice(digests, size, replace=False)]
        planted = {
            digest: HARMS[(number + place) % len(HARMS)] for place, digest in enumerate(chosen)
        }
        with ExitStack() as stack:
            for digest, harm in planted.items():
                data = _harmed(lab, digest, digests, harm, rng)
                stack.enter_context(whole.damaged(digest, data))
            with elsewhere(server, scratch / f"{seed}-{number}", objects) as (url, platform):
                done = bring_back(url, platform, backup)
        yield PlantedInBackup(store, planted, tuple(_misnamed(done, planted)))


def _harmed(
    lab: Laboratory, digest: str, digests: Sequence[str], harm: str, rng: np.random.Generator
) -> bytes | None:
    data = lab.platform.objects.get(digest)
    if harm == "deleted":
        return None
    if harm == "truncated":
        return data[: int(rng.integers(1, len(data)))]
    if harm == "flipped":
        return flipped(data, rng)
    others = [other for other in digests if other != digest]
    return lab.platform.objects.get(str(rng.choice(others)))


def _misnamed(done: Restored, planted: dict[str, str]) -> Iterator[str]:
    """Yield what a restore says too much, too little, or wrongly."""
    expected = {d: "missing" if h == "deleted" else "corrupt" for d, h in planted.items()}
    found = {damage.digest: damage.problem for damage in done.unusable}
    yield from (f"false alarm {digest}" for digest in found.keys() - expected.keys())
    yield from (f"not named {digest}" for digest in expected.keys() - found.keys())
    yield from (f"{d} is called {found[d]}" for d in found if found[d] != expected.get(d))
    after = {loss.digest for loss in done.fsck.losses}
    yield from (f"false alarm of fsck {digest}" for digest in after - expected.keys())
    # Where a manifest is lost at the same time, what it lists is not known to fsck.
    if len(expected) == 1 and after != expected.keys():
        yield "fsck does not name it"
    yield from (f"broken row {row}" for row in done.fsck.broken)
    yield from done.differences
    if done.is_whole:
        yield "it is called whole"
