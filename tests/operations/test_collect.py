"""What garbage collection takes and what it leaves: on a real campaign, interrupted, and on S3."""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from activesynth.cli import main
from activesynth.domain.collection import SETTLED
from activesynth.domain.effects import EffectKind
from activesynth.domain.platform import Platform
from activesynth.domain.records import IterationRef
from activesynth.errors import ConfigurationError, MissingArtifactError, TransientError
from activesynth.lineage import quarantine
from activesynth.operations.collect import BATCH, CollectionReport, collect
from activesynth.operations.fsck import fsck
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.turn import open_turn
from activesynth.storage.directory import DirectoryObjectStore
from collection_race import NO_TIME, make_record, spawn
from damage_laboratory import Laboratory, laboratory, on_s3
from raw_stores import RawDirectory
from s3_fixtures import S3Server
from toy_plane import plane_platform

ORPHANS = [f"left by an attempt that died: {number}".encode() for number in range(7)]
OPEN = (
    "UPDATE activesynth.iterations SET state = 'open', decision = NULL, commit_digest = NULL "
    "WHERE number = 1"
)


def change(lab: Laboratory, *statements: str) -> None:
    engine = create_engine(lab.database_url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def rows_of(lab: Laboratory, table: str) -> int:
    engine = create_engine(lab.database_url)
    with engine.connect() as connection:
        found = connection.execute(text(f"SELECT count(*) FROM activesynth.{table}")).scalar_one()
    engine.dispose()
    return int(found)


def plant(platform: Platform, blobs: Sequence[bytes] = ORPHANS) -> set[str]:
    """Leave blobs as an attempt does that put them and died; its leases are gone."""
    planted = {platform.objects.put(data) for data in blobs}
    platform.lineage.release()
    return planted


def sweep(platform: Platform, grace: timedelta = NO_TIME) -> CollectionReport:
    return collect(platform, grace=grace, is_deleting=True)


def there(platform: Platform) -> set[str]:
    return set(platform.objects.digests())


def assert_orphans_go_and_nothing_else(platform: Platform, count: int) -> None:
    before = there(platform)
    blobs = [f"orphan {number}".encode() for number in range(count)]
    planted = plant(platform, blobs)
    first, second, third = sweep(platform), sweep(platform), sweep(platform)

    sizes = sum(map(len, blobs))
    assert (first.found.blobs, first.found.bytes, first.removed.blobs) == (len(planted), sizes, 0)
    assert (second.removed.blobs, second.removed.bytes) == (len(planted), sizes)
    assert second.reachable.blobs == len(before)
    assert (third.found.blobs, third.due.blobs, third.removed.blobs) == (0, 0, 0)
    assert there(platform) == before
    report = fsck(platform)
    assert report.is_clean
    assert report.orphans == 0


def test_orphans_go_in_two_runs_and_nothing_reachable_does(lab: Laboratory) -> None:
    assert_orphans_go_and_nothing_else(lab.platform, 2 * BATCH + 3)
    assert rows_of(lab, "blob_quarantine") == 0


def test_orphans_go_from_a_real_s3_server_and_nothing_reachable_does(
    lab: Laboratory, s3_server: S3Server
) -> None:
    bucket = on_s3(lab, s3_server, f"t-{uuid.uuid4().hex[:12]}")

    assert_orphans_go_and_nothing_else(bucket.platform, BATCH + 3)


def test_a_dry_run_tells_what_would_be_done_and_changes_nothing(lab: Laboratory) -> None:
    planted = plant(lab.platform)
    before = there(lab.platform)

    told = [collect(lab.platform, grace=NO_TIME) for _ in range(2)]

    assert [report.found.blobs for report in told] == [len(planted)] * 2
    assert there(lab.platform) == before
    assert rows_of(lab, "blob_quarantine") == 0
    sweep(lab.platform)
    assert collect(lab.platform, grace=NO_TIME).due.blobs == len(planted)
    assert there(lab.platform) == before


def test_young_blobs_and_a_young_quarantine_wait(lab: Laboratory) -> None:
    planted = plant(lab.platform)
    hour = timedelta(hours=1)

    young = sweep(lab.platform, hour)
    sweep(lab.platform)
    waiting = sweep(lab.platform, hour)

    assert (young.young.blobs, young.found.blobs) == (len(planted), 0)
    assert (waiting.waiting.blobs, waiting.removed.blobs) == (len(planted), 0)
    assert planted <= there(lab.platform)
    sweep(lab.platform)


def test_what_an_open_iteration_has_staged_stays(lab: Laboratory) -> None:
    change(lab, OPEN)
    before = there(lab.platform)

    sweep(lab.platform), sweep(lab.platform)

    assert there(lab.platform) == before
    assert fsck(lab.platform).losses == ()


def test_a_put_takes_a_blob_out_of_quarantine_and_the_record_keeps_it(lab: Laboratory) -> None:
    change(lab, OPEN)
    planted = plant(lab.platform)
    sweep(lab.platform)
    wanted = lab.platform.objects.put(ORPHANS[0])  # is there already: nothing is written
    held = sweep(lab.platform)
    ref = IterationRef(lab.campaign, 1, 1)
    lab.platform.lineage.record_step(
        ref, replace(make_record("new", wanted, 9), name="later", artifacts={"it": wanted})
    )
    lab.platform.lineage.release()
    after = sweep(lab.platform), sweep(lab.platform)

    assert (held.held.blobs, held.removed.blobs) == (1, len(planted) - 1)
    assert [report.removed.blobs for report in after] == [0, 0]
    assert lab.platform.objects.get(wanted) == ORPHANS[0]
    lab.raw.remove(wanted)


def test_a_held_blob_stays_however_often_the_collector_comes(lab: Laboratory) -> None:
    wanted = lab.platform.objects.put(b"put days before its record")

    for _ in range(3):
        sweep(lab.platform)

    assert lab.platform.objects.has(wanted)
    lab.platform.lineage.release()
    sweep(lab.platform), sweep(lab.platform)
    assert not lab.platform.objects.has(wanted)


def test_a_held_blob_is_not_condemned_even_where_it_is_in_quarantine(lab: Laboratory) -> None:
    plant(lab.platform)
    lineage, blobs = lab.platform.lineage, list(lab.platform.objects.listed())
    wanted = lab.platform.objects.put(ORPHANS[0])
    recorded = lab.kinds["diagnose/profile"][0].digest
    lineage.quarantine(blobs)  # as a collector would whose mark was made long before

    rows = [row for row in lineage.quarantined(NO_TIME) if row.digest in (wanted, recorded)]
    condemned = lineage.condemn(rows, NO_TIME, "late")
    lineage.release()
    after = lineage.condemn(rows, NO_TIME, "late")

    assert len(rows) == 2
    assert (condemned, after) == ([], [wanted])
    settle(lab)
    lineage.pardon([blob.digest for blob in blobs])
    sweep(lab.platform), sweep(lab.platform)


def test_a_reused_result_is_held_with_what_its_manifests_list(lab: Laboratory) -> None:
    change(lab, OPEN)
    turn = open_turn(f"{lab.campaign}:1:1", lab.platform)
    (manifest,) = {blob.digest for blob in lab.kinds["integrate/targeted"] if blob.iteration == 0}
    shards = {b.digest for b in lab.blobs if b.manifest == manifest}
    step, inputs = Step("integrate"), {"rows": "abc"}

    def link(outputs: Outputs) -> None:
        outputs.link("targeted", manifest)

    execute(turn, step, inputs=inputs, settings={}, compute=link, shard=5)
    lab.platform.lineage.release()
    execute(turn, step, inputs=inputs, settings={}, compute=link, shard=5)
    assert not lab.platform.lineage.held(timedelta(days=1))  # its own record: nothing to hold
    change(lab, "UPDATE activesynth.steps SET fence = 99 WHERE shard = 5")  # another holder's
    execute(turn, step, inputs=inputs, settings={}, compute=link, shard=5)

    held = set(lab.platform.lineage.held(timedelta(days=1)))
    assert shards
    assert held >= {manifest, *shards}


def test_who_was_taken_for_dead_cannot_record_what_may_be_gone(lab: Laboratory) -> None:
    change(lab, OPEN)
    wanted = lab.platform.objects.put(b"by a process that then stood still for a week")
    change(lab, "UPDATE activesynth.blob_leases SET taken_at = now() - interval '8 days'")
    with laboratory(lab.database_url, lab.raw.root.parent, is_run=True) as other:  # type: ignore[attr-defined]
        reports = [sweep(other.platform), sweep(other.platform)]

    assert [report.expired for report in reports] == [1, 0]
    assert not lab.platform.objects.has(wanted)
    with pytest.raises(TransientError, match="start the task again"):
        lab.platform.lineage.record_step(
            IterationRef(lab.campaign, 1, 1), make_record("dead", wanted, 9)
        )
    lab.platform.lineage.release()


@dataclass
class StopAt:
    """Ends the run at the n-th removal, before or after it."""

    number: int
    moment: str
    seen: int = 0

    def before(self, kind: EffectKind, key: str) -> None:
        if kind == "blob.delete":
            self.seen += 1
            self._act("before")

    def after(self, kind: EffectKind, key: str) -> None:
        if kind == "blob.delete":
            self._act("after")

    def _act(self, moment: str) -> None:
        if (self.seen, self.moment) == (self.number, moment):
            raise KeyboardInterrupt


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", range(1, len(ORPHANS) + 1))
def test_a_run_that_ends_between_any_two_removals_is_finished_by_a_later_one(
    lab: Laboratory, number: int, moment: str
) -> None:
    before = there(lab.platform)
    planted = plant(lab.platform)
    sweep(lab.platform)
    root = lab.raw.root  # type: ignore[attr-defined]
    stopped = DirectoryObjectStore(root, StopAt(number, moment))
    with pytest.raises(KeyboardInterrupt):
        collect(replace(lab.platform, objects=stopped), grace=NO_TIME, is_deleting=True, readers=1)
    between = fsck(lab.platform)
    at_once = sweep(lab.platform)
    settle(lab)
    later = sweep(lab.platform)

    assert between.is_clean
    # Removals that were waiting for the thread that was interrupted may still happen.
    assert between.orphans is not None
    assert between.orphans <= len(planted) - number + (moment == "before")
    assert at_once.removed.blobs == 0  # the one that was stopped may still be at it
    assert later.removed.blobs == between.orphans
    assert there(lab.platform) == before
    assert rows_of(lab, "blob_quarantine") == 0


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", [1, 4, len(ORPHANS)])
def test_a_collector_that_is_killed_at_a_removal_loses_nothing_and_is_run_again(
    lab: Laboratory, number: int, moment: str
) -> None:
    before = there(lab.platform)
    planted = plant(lab.platform)
    sweep(lab.platform)
    folder = lab.raw.root.parent  # type: ignore[attr-defined]
    killed = spawn(f"killed {moment}", lab.database_url, folder, number)
    killed.communicate(timeout=120)
    between = fsck(lab.platform)
    settle(lab)
    sweep(lab.platform)

    assert killed.returncode == -signal.SIGKILL
    assert between.is_clean
    assert between.orphans is not None
    assert 0 <= between.orphans <= len(planted) - number + (moment == "before")
    assert there(lab.platform) == before
    assert rows_of(lab, "blob_quarantine") == 0


def settle(lab: Laboratory) -> None:
    """Let the time pass in which a removal that was condemned may still arrive."""
    late = f"now() - interval '{SETTLED.total_seconds()} seconds'"
    condemned = "condemned_by IS NOT NULL"
    change(lab, f"UPDATE activesynth.blob_quarantine SET condemned_at = {late} WHERE {condemned}")


def test_a_blob_whose_collector_died_is_refused_for_a_while_and_then_put_anew(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "PATIENCE", 0.3)
    plant(lab.platform)
    sweep(lab.platform)
    rows = lab.platform.lineage.quarantined(NO_TIME)
    lab.platform.lineage.condemn(rows, NO_TIME, "dead")

    with pytest.raises(TransientError, match="is being removed by `activesynth gc`") as caught:
        lab.platform.objects.put(ORPHANS[0])
    settle(lab)
    wanted = lab.platform.objects.put(ORPHANS[0])

    assert caught.value.reason == "being_removed"
    sweep(lab.platform), sweep(lab.platform)
    assert there(lab.platform) >= {wanted}
    lab.platform.lineage.release()
    sweep(lab.platform), sweep(lab.platform)


@pytest.mark.parametrize("kind", ["version", "retrain/model"])
def test_nothing_is_removed_while_a_manifest_or_card_is_lost(lab: Laboratory, kind: str) -> None:
    planted = plant(lab.platform)
    sweep(lab.platform)

    with (
        lab.damaged(lab.kinds[kind][0].digest, None),
        pytest.raises(MissingArtifactError, match="nothing is removed; `activesynth fsck`"),
    ):
        sweep(lab.platform)

    assert planted <= there(lab.platform)
    sweep(lab.platform)


def test_the_store_of_another_database_is_left_alone(
    lab: Laboratory, database_url: str, tmp_path: Path
) -> None:
    with plane_platform(database_url, tmp_path) as empty:
        foreign = replace(empty, objects=lab.platform.objects)
        with pytest.raises(ConfigurationError, match="the store of another database"):
            sweep(foreign)


def test_the_command_removes_in_two_runs_and_prints_what_it_did(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = lab.raw.root  # type: ignore[attr-defined]
    monkeypatch.setenv("ACTIVESYNTH_DATABASE_URL", lab.database_url)
    monkeypatch.setenv("ACTIVESYNTH_OBJECTS_URL", root.as_uri())
    planted = plant(lab.platform)
    told = []
    for arguments in ([], ["--delete"], ["--delete", "--json"]):
        assert main(["gc", "--grace-hours", "0", *arguments]) == 0
        told.append(capsys.readouterr().out)

    assert "Nothing was changed; `activesynth gc --delete` does it." in told[0]
    assert "put into quarantine" in told[1]
    assert json.loads(told[2])["removed"]["blobs"] == len(planted)
    assert not planted & there(lab.platform)


def test_a_blob_written_again_behind_our_back_waits_anew(
    lab: Laboratory, make_time_pass: Callable[[Path], None]
) -> None:
    plant(lab.platform)
    sweep(lab.platform)
    raw = lab.raw
    assert isinstance(raw, RawDirectory)
    written = next(iter(d for d in there(lab.platform) if raw.read(d) == ORPHANS[0]))
    make_time_pass(raw.path(written))
    report = sweep(lab.platform)

    assert report.removed.blobs == len(ORPHANS) - 1
    assert lab.platform.objects.has(written)
    sweep(lab.platform), sweep(lab.platform)
    assert not lab.platform.objects.has(written)


@pytest.fixture
def make_time_pass() -> Callable[[Path], None]:
    """Return what gives a file another time of writing."""

    def touch(path: Path) -> None:
        found = path.stat()
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1_000_000))

    return touch
