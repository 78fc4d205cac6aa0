"""The long form of damage (`make damage`): 300 flipped bits, cut and empty blobs, planted losses.

100 losses are planted in stores and named by `fsck`, 200 in the blobs of a backup and named when
it is restored.

Starts a PostgreSQL and an S3 server of its own, or uses the S3 server that the environment names.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from activesynth.domain.ports import ObjectStore
from activesynth.lineage.migrate import upgrade
from activesynth.operations.fsck import fsck
from backup_cases import back_up, bring_back, elsewhere, planted_in_backup
from damage_laboratory import Laboratory, laboratory, on_s3, real_laboratory
from damage_trials import HARMS, Planting, Trial, damage_trials, planted_losses, table
from platform_fixtures import PostgresServer
from raw_stores import s3_store
from s3_fixtures import CephGateway, S3Server, server_from_environment

TRIALS = (("flipped", 300), ("truncated", 48), ("empty", 48))
LOSSES = (1,) * 64 + (6,) * 6
LOSSES_OF_BACKUP = (1,) * 40 + (40,) * 4


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Give the environment's S3 server, or one of our own."""
    given = server_from_environment()
    if given is not None:
        yield given
        return
    sockets = Path(tempfile.mkdtemp(prefix="asy-"))
    gateway = CephGateway(folder, sockets)
    try:
        gateway.start()
        yield gateway.server
    finally:
        gateway.stop()
        shutil.rmtree(sockets, ignore_errors=True)


def detect_for_real(lab: Laboratory, seed: int) -> bool:
    """Flip two bits in every kind of blob that the campaign on digits leaves, and use them."""
    done = list(damage_trials(lab, "directory", "flipped", 2 * len(lab.kinds), seed))
    missed = [trial for trial in done if not trial.finding.is_found]
    print(
        f"digits by torch: {len(done) - len(missed)} of {len(done)} flipped bits in "
        f"{len(lab.kinds)} kinds of blob found before use",
        flush=True,
    )
    for trial in missed:
        print(f"MISSED {trial}", file=sys.stderr)
    return not missed


def detect(stores: dict[str, Laboratory], seed: int) -> bool:
    """Damage blobs and use them; a third of the trials on S3."""
    everything: list[Trial] = []
    for harm, count in TRIALS:
        for name, share in (("directory", count - count // 3), ("s3", count // 3)):
            done = list(damage_trials(stores[name], name, harm, share, seed))
            everything += done
            found = sum(trial.finding.is_found for trial in done)
            print(f"{harm}, {name}: {found} of {len(done)} found before use", flush=True)
            seed += 1
    print(f"\nAll harms by kind of blob:\n\n{table(everything)}\n")
    missed = [trial for trial in everything if not trial.finding.is_found]
    for trial in missed:
        print(f"MISSED {trial}", file=sys.stderr)
    return not missed


def name(stores: dict[str, Laboratory], seed: int) -> bool:
    """Plant losses and compare what `fsck` names; half of them on S3."""
    done: list[Planting] = []
    quiet = True
    for store, lab in stores.items():
        sizes = LOSSES[store == "s3" :: 2]
        done += planted_losses(lab, store, sizes, seed)
        seed += 1
        for is_deep in (True, False):
            report = fsck(lab.platform, is_deep=is_deep)
            quiet &= report.is_clean and report.orphans == 0
    planted = [(p.store, harm, p.is_exact) for p in done for _, harm in p.planted]
    print("| loss | planted | of them on S3 | named, and nothing else |\n|---|---|---|---|")
    for harm in (*HARMS, None):
        own = [one for one in planted if harm in (None, one[1])]
        on_bucket = sum(store == "s3" for store, _, _ in own)
        named = sum(exact for _, _, exact in own)
        print(f"| {harm or 'all'} | {len(own)} | {on_bucket} | {named} |")
    kinds = Counter(blob.kind for p in done for blob, _ in p.planted)
    print(f"\n{len(kinds)} kinds of blob; on the intact stores no alarm: {quiet}.\n")
    for planting in done:
        if not planting.is_exact:
            print(f"MISNAMED {planting}", file=sys.stderr)
    return quiet and all(planting.is_exact for planting in done)


def restore_damaged(
    server: PostgresServer, lab: Laboratory, s3: S3Server, folder: Path, seed: int
) -> bool:
    """Plant losses in a backup's blobs and compare what restoring it names; half go to S3."""
    back_up(lab.database_url, lab.platform, folder / "backup")

    def bucket() -> ObjectStore:
        return s3_store(s3, f"restored-{uuid.uuid4().hex[:12]}")[0]

    targets: list[tuple[str, int, Callable[[], ObjectStore] | None]] = [
        ("s3", size, bucket) if number % 2 else ("directory", size, None)
        for number, size in enumerate(LOSSES_OF_BACKUP)
    ]
    done = list(planted_in_backup(server, lab, folder / "backup", folder / "there", targets, seed))
    print("| loss in a backup | planted | of them restored to S3 | named, and nothing else |")
    print("|---|---|---|---|")
    for harm in (*HARMS, None):
        own = [p for p in done for one in p.planted.values() if harm in (None, one)]
        on_bucket = sum(p.store == "s3" for p in own)
        print(
            f"| {harm or 'all'} | {len(own)} | {on_bucket} | {sum(not p.misnamed for p in own)} |"
        )
    missed = [p for p in done if p.misnamed]
    for planting in missed:
        print(f"MISNAMED {planting}", file=sys.stderr)
    with elsewhere(server, folder / "whole") as (url, platform):
        whole = bring_back(url, platform, folder / "backup").is_whole
    print(f"\nThe undamaged backup restores whole: {whole}.\n")
    return whole and not missed


def main() -> int:
    """Run everything; 0 when all damage was found and named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    seed = parser.parse_args().seed
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for part in ("postgres", "ceph"):
            (folder / part).mkdir()
        server = PostgresServer(folder / "postgres")
        server.start()
        try:
            url = server.url(server.create_database())
            upgrade(url)
            with s3_server(folder / "ceph") as s3, laboratory(url, folder) as lab:
                bucket = on_s3(lab, s3, f"damage-{uuid.uuid4().hex[:12]}")
                stores = {"directory": lab, "s3": bucket}
                passed = [detect(stores, seed), name(stores, seed)]
                passed.append(restore_damaged(server, lab, s3, folder, seed))
            url = server.url(server.create_database())
            upgrade(url)
            with real_laboratory(url, folder / "real") as lab:
                passed.append(detect_for_real(lab, seed))
        finally:
            server.close()
    return 0 if all(passed) else 1


if __name__ == "__main__":
    raise SystemExit(main())
