"""Work, readers and collectors on one database and one folder, a process each.

Run as ``python collection_race.py ROLE DATABASE FOLDER SEED``. Workers put and record blobs from a
handful of contents, so that the same ones are needed, given up and needed again all the time; what
they record lists other blobs, as a manifest lists shards. Readers read what is on record. A
collector removes what is not. Prints one JSON document: what was done, and what was lost.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from activesynth.domain.documents import DatasetManifest, ShardRef
from activesynth.domain.effects import EffectKind
from activesynth.domain.platform import Platform
from activesynth.domain.records import IterationRef, StepRecord
from activesynth.errors import MissingArtifactError, TransientError
from activesynth.operations.collect import collect
from activesynth.operations.reachable import reach
from raw_stores import RawDirectory
from toy_plane import plane_platform

CAMPAIGN = "plane"
CONTENTS = 5
PARTS = 3
ROUNDS = 80
NO_TIME = timedelta()


def recorded(platform: Platform, ref: IterationRef) -> list[StepRecord]:
    return platform.lineage.steps(ref, "integrate")


def lost_of(platform: Platform, record: StepRecord) -> list[str]:
    """Return what a record reaches and the store does not hold."""
    manifest = record.artifacts["manifest"]
    try:
        shards = DatasetManifest.decode(platform.objects.get(manifest)).shards
    except MissingArtifactError:
        return [manifest]
    return [ref.blob for ref in shards if not platform.objects.has(ref.blob)]


def work(platform: Platform, ref: IterationRef, seed: int) -> dict[str, Any]:
    rng = random.Random(seed)
    lost, again = [], 0
    for number in range(ROUNDS):
        name = f"content {rng.randrange(CONTENTS)}"
        try:
            data = name.encode()
            shard = ShardRef(blob=platform.objects.put(data), rows=1, bytes=len(data))
            time.sleep(rng.random() * 0.01)
            splits = {"train": (shard,)}
            manifest = DatasetManifest(modality=name, classes=(), parent=None, splits=splits)
            digest = platform.objects.put(manifest.encode())
            time.sleep(rng.random() * 0.01)
            record = platform.lineage.record_step(
                ref, make_record(f"{seed}:{number}", digest, rng.randrange(PARTS))
            )
        except TransientError:
            again += 1  # as a task is tried again
        else:
            if record.artifacts["manifest"] == digest:
                now = recorded(platform, ref)
                stands = any(r.derivation_key == record.derivation_key for r in now)
                lost += lost_of(platform, record) if stands else []
        platform.lineage.release()  # as a task does at its end
    return {"rounds": ROUNDS, "again": again, "lost": lost}


def make_record(key: str, manifest: str, part: int) -> StepRecord:
    return StepRecord(
        name="integrate",
        shard=part,
        derivation_key=key,
        artifacts={"manifest": manifest},
        facts={},
        inputs=(),
        seconds=0.0,
        device="cpu",
        peak_memory_mb=0.0,
        host="race",
    )


def read(platform: Platform, ref: IterationRef, stop: Path) -> dict[str, Any]:
    lost, reads = [], 0
    while not stop.exists():
        for record in recorded(platform, ref):
            missing, reads = lost_of(platform, record), reads + 1
            keys = {now.derivation_key for now in recorded(platform, ref)} if missing else set()
            if record.derivation_key in keys:
                lost += missing
    return {"reads": reads, "lost": lost}


def sweep(platform: Platform, stop: Path) -> dict[str, Any]:
    removed = runs = 0
    while not stop.exists():
        report = collect(platform, grace=NO_TIME, is_deleting=True, readers=2)
        removed, runs = removed + report.removed.blobs, runs + 1
    return {"runs": runs, "removed": removed}


def sweep_naively(platform: Platform, folder: Path, stop: Path) -> dict[str, Any]:
    """List, mark, and delete at once: the control, which must lose something."""
    raw, removed = RawDirectory(folder / "objects"), 0
    while not stop.exists():
        there = list(platform.objects.digests())
        kinds = reach(platform.reader.recorded_blobs(None), platform, readers=2).kinds
        for digest in there:
            if digest not in kinds:
                raw.remove(digest)
                removed += 1
    return {"removed": removed}


@dataclass(slots=True)
class Killed:
    """Ends this process at its n-th removal, before or after it."""

    moment: str
    number: int

    def before(self, kind: EffectKind, key: str) -> None:
        self._act(kind, "before")

    def after(self, kind: EffectKind, key: str) -> None:
        self._act(kind, "after")

    def _act(self, kind: EffectKind, moment: str) -> None:
        if kind == "blob.delete" and moment == self.moment:
            self.number -= 1
            if self.number == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def spawn(role: str, database: str, folder: Path, seed: int = 0) -> subprocess.Popen[str]:
    """Start a process in a role; what it says is on its standard output when it has ended."""
    command = [sys.executable, __file__, role, database, str(folder), str(seed)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def main(role: str, database: str, folder: Path, seed: int) -> dict[str, Any]:
    stop = folder / "stop"
    if role.startswith("killed"):
        with plane_platform(database, folder, Killed(role.split()[1], seed)) as platform:
            collect(platform, grace=NO_TIME, is_deleting=True, readers=1)
    with plane_platform(database, folder) as platform:
        ref = IterationRef(CAMPAIGN, 0, 1)
        if role == "worker":
            return work(platform, ref, seed)
        if role == "reader":
            return read(platform, ref, stop)
        if role == "naive":
            return sweep_naively(platform, folder, stop)
        return sweep(platform, stop)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))))
