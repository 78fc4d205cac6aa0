"""A clinic whose patients withdraw: a campaign with groups, and a look for what is left of one.

Run as a program it erases and kills itself at an effect: ``erasure_cases.py <database> <folder>
<group> <number> <moment>``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict
from sqlalchemy import create_engine, text

from activesynth.config.campaign import CampaignConfig
from activesynth.domain.canonical import Array, content_id
from activesynth.domain.dataset_access import load_rows
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.effects import EffectKind, Effects
from activesynth.domain.exchange import GenerationRequest, SourceData, State, SyntheticBatch
from activesynth.domain.platform import Platform
from activesynth.domain.ports import Progress, silent
from activesynth.domain.registry import Row
from activesynth.domain.samples import SampleSet
from activesynth.operations.erase import Erased, Request, erase
from activesynth.operations.ingest import ingest
from activesynth.operations.person import Withdrawn
from activesynth.operations.refresh import refresh
from activesynth.steps.loop import run
from activesynth.storage.erased import ErasureAwareStore
from backup_cases import all_rows
from toy_plane import (
    PlaneGenerator,
    PlaneModality,
    PlaneTrainer,
    plane_config,
    plane_parts,
    plane_platform,
)

CLINIC = "clinic"
EACH = 3
ROWS, GROWN, ALL = 480, 540, 600
LABELS = ("left", "middle", "far")


class ClinicParameters(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: int = ROWS


class ClinicSource:
    """Patients of three rows; each row carries a note about its patient."""

    def __init__(self, parameters: ClinicParameters) -> None:
        self._parameters = parameters

    def read(self) -> SourceData:
        generator = np.random.default_rng(12)
        number = np.arange(ALL)
        y = (number // EACH) % 3
        centres = np.array([[0.0, 0.0], [1.6, 0.0], [4.0, 3.0]])
        x = (centres[y] + generator.normal(size=(ALL, 2))).astype(np.float32)
        patient = np.array([f"patient {n:04d}" for n in number // EACH])
        note = np.array([f"note on {name}" for name in patient.tolist()])
        ids = np.array([content_id(row) for row in x])
        rows = SampleSet(ids, x, y.astype(np.int64), patient, {"note": note})
        return SourceData(rows.take(number < self._parameters.rows), LABELS)


class JitteredCopies(PlaneGenerator):
    """Real rows under a little noise."""

    def generate(
        self, state: State, request: GenerationRequest, *, progress: Progress = silent
    ) -> SyntheticBatch:
        assert request.anchors is not None
        noise = [np.random.default_rng(int(s)).normal(scale=0.05, size=2) for s in request.seeds]
        x = (request.anchors.x + np.array(noise)).astype(np.float32)
        return SyntheticBatch(x, request.anchors.y, np.ones(len(x)))

    def confidence(self, state: State, x: Array, y: Array) -> Array:
        return np.ones(len(x))


class ClinicModality(PlaneModality):
    name = "clinic"

    def generator_for(self, weakness_kind: str, chosen: str) -> str:
        return "jittered" if weakness_kind == "corruption" else chosen


def clinic_config(**changes: Any) -> CampaignConfig:
    own: dict[str, Any] = {
        "name": CLINIC,
        "modality": "clinic",
        "source": {"name": "clinic"},
        "sampling": {"label_budget": 100},
        "splits": {
            "train": 0.25,
            "pool": 0.25,
            "guide": 0.2,
            "judge": 0.1,
            "gate": 0.1,
            "test": 0.1,
        },
        "gate": {"margin": 1.0, "guarded": {}},
        "refresh": {"max_drift": 1.0},
    }
    return plane_config(**(own | changes))


@contextmanager
def clinic_platform(
    database_url: str, folder: Path, effects: Effects | None = None
) -> Iterator[Platform]:
    parts = plane_parts()
    here = __name__
    parts.add("source", "clinic", Row(f"{here}:ClinicSource", f"{here}:ClinicParameters"))
    parts.add("generator", "jittered", Row(f"{here}:JitteredCopies"))
    parts.add("modality", "clinic", Row(f"{here}:ClinicModality"))
    with plane_platform(database_url, folder, effects) as platform:
        store = ErasureAwareStore(platform.objects, platform.lineage.erased_blob)
        yield replace(platform, objects=store)


def run_clinic(platform: Platform) -> None:
    """Two promoted iterations and a refresh, whose rows nobody has read yet."""
    ingest(clinic_config(), platform)
    run(platform, conf={"campaign": CLINIC, "iterations": 2})
    grow(platform, "2026-09-01")


def grow(platform: Platform, date: str, rows: int = GROWN) -> Any:
    """Offer the grown source."""
    source = {"name": "clinic", "parameters": {"rows": rows}}
    ingest(clinic_config(source=source), platform)
    return refresh(CLINIC, date, platform)


def head_of(platform: Platform) -> DatasetManifest:
    return DatasetManifest.decode(platform.objects.get(str(platform.lineage.campaign(CLINIC).head)))


def rows_by_place(platform: Platform) -> dict[str, SampleSet]:
    head = head_of(platform)
    places = {**head.splits, "synthetic": head.synthetic}
    places |= {"oracle": head.oracle, "quarantine": head.quarantine}
    return {name: load_rows(platform.objects, refs) for name, refs in places.items() if refs}


def patients_in(platform: Platform, split: str) -> list[str]:
    """Return the groups that stand in a split; those with descendants or answers first."""
    rows = rows_by_place(platform)
    groups = rows[split].columns["source_group"].tolist()
    ids = rows[split].ids.tolist()
    parents = set(rows["synthetic"].columns["parents"].tolist())
    first = [g for g, i in zip(groups, ids, strict=True) if i in parents]
    return list(dict.fromkeys([*first, *groups]))


def by_group(group: str, **more: Any) -> Request:
    return Request(Withdrawn(group, ()), (CLINIC,), "withdrew consent", **more)


def erase_patient(
    platform: Platform, group: str, *, with_descendants: bool = False, **how: Any
) -> Erased:
    request = by_group(group, with_descendants=with_descendants)
    return erase(request, platform, is_deleting=True, **how)


@dataclass(frozen=True)
class Traces:
    """What must be found nowhere: names as text, inputs and embeddings as bytes."""

    texts: tuple[str, ...]
    data: tuple[bytes, ...]

    @classmethod
    def of(cls, group: str) -> Traces:
        rows = ClinicSource(ClinicParameters(rows=ALL)).read().samples
        own = rows.take(rows.groups == group)
        vectors = PlaneTrainer().embed(State({}), own.x)
        return cls(
            (group, f"note on {group}", *own.ids.tolist()),
            tuple(row.tobytes() for row in (*own.x, *vectors)),
        )

    def found_in(self, data: bytes) -> bool:
        written = [t.encode(code) for t in self.texts for code in ("utf-8", "utf-32-le")]
        return any(piece in data for piece in (*written, *self.data))


def traces_left(group: str, url: str, *folders: Path) -> list[str]:
    """Return every blob, file and row in which anything of a patient is found."""
    traces = Traces.of(group)
    found = [
        str(path)
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and traces.found_in(path.read_bytes())
    ]
    for table, rows in all_rows(url).items():
        found += [f"{table}: {row[:200]}" for row in rows if any(t in row for t in traces.texts)]
    return found


def misplaced(platform: Platform, url: str) -> list[str]:
    """Return the samples on record that do not lie in the row of the shard that is named."""
    engine = create_engine(url)
    with engine.connect() as connection:
        query = 'SELECT id, shard, "row" FROM activesynth.samples ORDER BY shard'
        rows = connection.execute(text(query)).all()
    engine.dispose()
    shards: dict[str, list[str]] = {}
    for _, shard, _ in rows:
        if shard not in shards:
            there = platform.objects.has(shard)
            data = platform.objects.get(shard) if there else b""
            shards[shard] = SampleSet.decode(data).ids.tolist() if there else []
    return [s for s, shard, row in rows if shards[shard][row : row + 1] != [s]]


def change(url: str, statement: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


@dataclass
class KillAt:
    """Ends the process before or after its n-th effect."""

    number: int
    moment: str
    seen: int = 0

    def before(self, kind: EffectKind, key: str) -> None:
        self.seen += 1
        self._act("before")

    def after(self, kind: EffectKind, key: str) -> None:
        self._act("after")

    def _act(self, moment: str) -> None:
        if (self.seen, self.moment) == (self.number, moment):
            os.kill(os.getpid(), signal.SIGKILL)


def killed(url: str, folder: Path, group: str, number: int, moment: str) -> bool:
    """Erase in a process of its own that dies at an effect; return False where it has fewer."""
    command = [sys.executable, __file__, url, str(folder), group, str(number), moment]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


if __name__ == "__main__":
    database, place, name, at, when = sys.argv[1:]
    with clinic_platform(database, Path(place), KillAt(int(at), when)) as opened:
        erase_patient(opened, name, readers=1)
