"""`fsck` names what is lost and nothing else; the long form is `suite.py` beside this."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text

from activesynth.cli.checks import failure_of, print_report
from activesynth.domain.canonical import sha256
from activesynth.operations.fsck import fsck
from damage_laboratory import CAMPAIGN, Laboratory, on_s3
from damage_trials import planted_losses
from s3_fixtures import S3Server

NOWHERE = sha256(b"nobody wrote this")


def change(lab: Laboratory, *statements: str) -> None:
    """Change rows behind the loop's back, foreign keys notwithstanding."""
    engine = create_engine(lab.database_url)
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            connection.execute(text(statement), {"nowhere": NOWHERE})
    engine.dispose()


@pytest.mark.parametrize("is_deep", [True, False])
def test_an_intact_campaign_raises_no_alarm(lab: Laboratory, is_deep: bool) -> None:
    report = fsck(lab.platform, is_deep=is_deep)
    of_one = fsck(lab.platform, CAMPAIGN, is_deep=is_deep)

    assert report.is_clean
    assert failure_of(report) is None
    assert report.orphans == 0
    assert report.blobs == len(list(lab.platform.objects.digests()))
    assert replace(of_one, campaign=None, orphans=0) == report


def test_planted_losses_are_named_and_nothing_else_is(lab: Laboratory) -> None:
    done = list(planted_losses(lab, "directory", [1] * 20 + [5], seed=3))

    assert [planting for planting in done if not planting.is_exact] == []


def test_planted_losses_on_a_real_s3_server_are_named_and_nothing_else_is(
    lab: Laboratory, s3_server: S3Server
) -> None:
    bucket = on_s3(lab, s3_server, f"t-{uuid.uuid4().hex[:12]}")

    done = list(planted_losses(bucket, "s3", [1, 1, 1, 3], seed=4))

    assert [planting for planting in done if not planting.is_exact] == []
    assert fsck(bucket.platform).is_clean


def test_a_quick_check_finds_what_is_gone_and_what_has_another_size(lab: Laboratory) -> None:
    shard, tensors = lab.kinds["shard of train"][0], lab.kinds["judge/judge.tensors"][0]
    with (
        lab.damaged(shard.digest, lab.raw.read(shard.digest)[:-1]),
        lab.damaged(tensors.digest, None),
    ):
        losses = fsck(lab.platform, is_deep=False).losses

    assert {(loss.digest, loss.problem) for loss in losses} == {
        (shard.digest, "other_size"),
        (tensors.digest, "missing"),
    }


def test_a_lost_shard_is_named_with_all_that_it_reaches(lab: Laboratory) -> None:
    root = lab.platform.reader.ancestry(str(lab.platform.lineage.campaign(CAMPAIGN).head))[-1]
    shard = next(b for b in lab.kinds["shard of train"] if b.manifest == root["ancestor"])
    with lab.damaged(shard.digest, None):
        (loss,) = fsck(lab.platform).losses

    versions = {str(row["ancestor"]) for row in lab.platform.reader.ancestry(loss.versions[-1])}
    models = {str(row["digest"]) for row in lab.platform.reader.models(CAMPAIGN)}
    trained = {d for d in models if d not in {b.digest for b in lab.kinds["judge/judge"]}}
    assert loss.what == ("shard 0 of train",)
    assert root["ancestor"] in loss.versions
    assert set(loss.versions) >= versions
    assert set(loss.models) >= trained
    assert loss.samples > 50
    assert "from a backup" in loss.advice


def test_a_loss_of_an_open_iteration_says_which_step_computes_it_anew(lab: Laboratory) -> None:
    change(lab, "UPDATE activesynth.iterations SET state = 'open', decision = NULL, "
           "commit_digest = NULL WHERE number = 1")  # fmt: skip
    profile = next(blob for blob in lab.kinds["diagnose/profile"] if blob.iteration == 1)
    with lab.damaged(profile.digest, b"{}"):
        (loss,) = fsck(lab.platform).losses

    assert "delete it and run iteration 1 of plane again: its step diagnose" in loss.advice


def test_blobs_that_nothing_reaches_are_counted_and_are_no_fault(lab: Laboratory) -> None:
    stray = lab.platform.objects.put(b"left by an attempt that died")
    report = fsck(lab.platform)
    lab.raw.remove(stray)

    assert report.orphans == 1
    assert report.is_clean


BROKEN = {
    "campaigns": "UPDATE activesynth.campaigns SET head_model = :nowhere",
    "iterations": "UPDATE activesynth.iterations SET parent_model = :nowhere WHERE number = 1",
    "artifact_edges": "UPDATE activesynth.artifact_edges SET parent = :nowhere "
    "WHERE ctid = (SELECT min(ctid) FROM activesynth.artifact_edges)",
    "sample_parents": "UPDATE activesynth.sample_parents SET parent = 'nobody' "
    "WHERE ctid = (SELECT min(ctid) FROM activesynth.sample_parents)",
    "samples": "UPDATE activesynth.samples SET row = 100000 "
    "WHERE id = (SELECT min(id) FROM activesynth.samples)",
    "steps": "UPDATE activesynth.steps SET artifacts = artifacts || "
    "jsonb_build_object('more', CAST(:nowhere AS text)) "
    "WHERE ctid = (SELECT min(ctid) FROM activesynth.steps)",
    "models": "UPDATE activesynth.models SET trained_on = :nowhere "
    "WHERE ctid = (SELECT min(ctid) FROM activesynth.models)",
    "dataset_members": "INSERT INTO activesynth.dataset_members "
    "SELECT campaign, :nowhere, id, 'train', 1, NULL FROM activesynth.samples LIMIT 1",
}


@pytest.mark.parametrize("table", BROKEN)
def test_a_row_that_points_nowhere_is_named_and_nothing_else_is(
    lab: Laboratory, table: str
) -> None:
    change(lab, BROKEN[table])

    report = fsck(lab.platform)

    broken = [row for row in report.broken if row.table == table]
    assert len(broken) == len(report.broken) == 1, report.broken
    assert broken[0].campaign == CAMPAIGN
    assert {loss.digest for loss in report.losses} <= {NOWHERE}
    failure = failure_of(report)
    assert failure is not None
    assert failure.exit_code == 4


def test_the_head_manifest_that_is_missing_is_named_as_the_head(lab: Laboratory) -> None:
    head = str(lab.platform.lineage.campaign(CAMPAIGN).head)
    with lab.damaged(head, None):
        report = fsck(lab.platform)

    (loss,) = report.losses
    assert (loss.digest, loss.problem) == (head, "missing")
    assert {"head of plane", "dataset version"} <= set(loss.what)
    assert report.broken == ()


@pytest.mark.parametrize(("data", "code"), [(None, 4), (b"other bytes", 5)])
def test_the_command_tells_people_what_was_lost_and_scripts_by_its_exit_code(
    lab: Laboratory, capsys: pytest.CaptureFixture[str], data: bytes | None, code: int
) -> None:
    model = next(blob for blob in lab.kinds["retrain/model"] if blob.iteration == 1)
    with lab.damaged(model.digest, data):
        report = fsck(lab.platform)
    print_report(report)

    said = " ".join(capsys.readouterr().out.split())
    failure = failure_of(report)
    assert failure is not None
    assert failure.exit_code == code
    for words in (model.digest, model.named, "model card", "plane:1:retrain", "from a backup"):
        assert words in said
    assert f"{report.blobs} blobs" in said
    assert "1 lost, 0 broken rows, 0 orphans." in said


def test_an_interrupt_ends_the_check_at_once(lab: Laboratory) -> None:
    told: list[int] = []

    def interrupt(what: str, done: int, total: int) -> None:
        told.append(done)
        if len(told) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fsck(replace(lab.platform, report=interrupt), readers=2)

    assert len(told) == 5
