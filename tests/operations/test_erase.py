"""A patient withdraws: nothing of the patient is left, and nothing else is touched."""

from __future__ import annotations

import json
import os
import uuid
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from activesynth.cli import main
from activesynth.config.object_roles import ObjectRoles
from activesynth.domain.canonical import sha256
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.effects import Unwatched
from activesynth.domain.erasure import name_hash
from activesynth.domain.samples import SampleSet
from activesynth.errors import (
    ConfigurationError,
    ConflictError,
    MissingArtifactError,
    PlatformStateError,
)
from activesynth.lineage.archive import PostgresArchive
from activesynth.operations.backup import create
from activesynth.operations.backup_folder import snapshots
from activesynth.operations.collect import collect
from activesynth.operations.erase import Request, erase
from activesynth.operations.erase_plan import find_people, plan, survey
from activesynth.operations.export import export_version
from activesynth.operations.fsck import fsck
from activesynth.operations.ingest import ingest
from activesynth.operations.person import Person, Withdrawn
from activesynth.steps.begin import begin
from activesynth.steps.loop import run
from activesynth.storage.erased import ErasureAwareStore
from activesynth.storage.roles import prepare
from activesynth.storage.s3 import Bucket, S3ObjectStore
from backup_cases import all_rows, bring_back, elsewhere, vault_in
from clinic_fixtures import Clinic, cleaning
from collection_race import NO_TIME
from erasure_cases import (
    CLINIC,
    EACH,
    GROWN,
    ClinicParameters,
    ClinicSource,
    Traces,
    by_group,
    change,
    clinic_config,
    clinic_platform,
    erase_patient,
    grow,
    killed,
    misplaced,
    patients_in,
    rows_by_place,
    traces_left,
)
from false_clocks import Apart
from platform_fixtures import PostgresServer
from s3_fixtures import CephGateway, S3Server

STRIDE = int(os.environ.get("ACTIVESYNTH_TEST_STRIDE", "17"))
"""How many effects lie between two kills; 1 kills at every one."""
SPLITS = ("train", "pool", "guide", "judge", "gate", "test")
ALL_CLAIMED = """
    INSERT INTO activesynth.annotation_claims
    SELECT id, 'ada', now() + interval '1 hour' FROM activesynth.annotation_items
"""
ALL_SEEN_TWICE = """
    INSERT INTO activesynth.second_opinions (item, annotator, number, action)
    SELECT id, 'bob', 0, 'reject' FROM activesynth.annotation_items
"""


def claimed_items(url: str) -> int:
    engine = create_engine(url)
    with engine.connect() as connection:
        query = "SELECT count(*) FROM activesynth.annotation_claims"
        found = int(connection.execute(text(query)).scalar_one())
    engine.dispose()
    return found


def bucket_of(server: S3Server, name: str) -> Bucket:
    return Bucket(
        endpoint=server.endpoint,
        name=name,
        prefix="team",
        access_key=server.access_key,
        secret_key=server.secret_key,
        secure=server.secure,
        attempts=2,
    )


def values(rows: SampleSet) -> dict[str, list[object]]:
    """Return every row by id, all but the names of ancestors, which may be blanked."""
    columns = {n: c for n, c in rows.columns.items() if n not in ("parents",)}
    return {
        sample: [
            rows.x[n].tobytes(),
            int(rows.y[n]),
            str(rows.groups[n]),
            *(columns[name][n].item() for name in sorted(columns)),
        ]
        for n, sample in enumerate(rows.ids.tolist())
    }


def test_nothing_is_left_of_patients_of_every_split_and_all_others_stay(clinic: Clinic) -> None:
    platform = clinic.platform
    chosen = {split: patients_in(platform, split)[0] for split in SPLITS}
    assert all(clinic.left_of(group) for group in chosen.values())
    change(clinic.url, ALL_CLAIMED)
    change(clinic.url, ALL_SEEN_TWICE)
    asked = len(all_rows(clinic.url)["annotation_items"])

    for split, group in chosen.items():
        before = {name: values(rows) for name, rows in rows_by_place(platform).items()}
        old = platform.lineage.campaign(CLINIC)
        own = {i for i, row in before[split].items() if f"note on {group}" in row}
        done = erase_patient(platform, group)

        assert clinic.left_of(group) == [], split
        after = {name: values(rows) for name, rows in rows_by_place(platform).items()}
        for name in before:
            lost = before[name].keys() - after[name].keys()
            copies = {i for i in lost if i in before.get("synthetic", {})}
            assert lost - copies <= own, (split, name)
            assert len(copies) <= done.certificate["erased"]["copies"]
            assert after[name] == {i: r for i, r in before[name].items() if i in after[name]}
        assert own
        if split == "train":
            assert done.certificate["erased"]["copies"]
        assert done.certificate["erased"]["samples"] >= len(own)
        assert platform.reader.ancestry(str(platform.lineage.campaign(CLINIC).head))
        assert platform.lineage.campaign(CLINIC).head != old.head
        assert misplaced(platform, clinic.url) == [], split
        report = fsck(platform)
        assert report.is_clean, (split, report)
        assert report.erased
    rest = all_rows(clinic.url)
    assert 0 < len(rest["second_opinions"]) == len(rest["annotation_items"]) < asked
    assert claimed_items(clinic.url) == len(rest["annotation_items"])
    run(platform, conf={"campaign": CLINIC, "iterations": 1})
    assert fsck(platform).is_clean
    assert [clinic.left_of(group) for group in chosen.values()] == [[]] * len(chosen)


def test_a_dry_run_tells_the_same_and_changes_nothing(clinic: Clinic) -> None:
    group = patients_in(clinic.platform, "train")[0]
    before = all_rows(clinic.url), sorted(clinic.platform.objects.digests())

    told = erase(by_group(group), clinic.platform).certificate

    assert (all_rows(clinic.url), sorted(clinic.platform.objects.digests())) == before
    done = erase_patient(clinic.platform, group).certificate
    differing = {"id", "at", "asked", "verified"}
    assert {k: v for k, v in told.items() if k not in differing} == {
        k: v for k, v in done.items() if k not in differing
    }


def test_rows_deleted_from_the_head_alone_are_found_by_the_same_look(clinic: Clinic) -> None:
    """What a naive erase does: a new head, and everything else as it was."""
    group = patients_in(clinic.platform, "train")[0]
    request = by_group(group)
    surveys = [survey(CLINIC, clinic.platform)]
    person = Person(request.who, request.salt)
    find_people(surveys, person, clinic.platform)
    made = plan(surveys, person, [], [], clinic.platform, is_writing=True)

    (change_of,) = made.changes
    assert change_of.version is not None
    head = clinic.platform.objects.get(change_of.version.digest)
    shards = {ref.blob for ref in DatasetManifest.decode(head).shards}
    left = clinic.left_of(group)
    assert not any(Path(place).name in shards for place in left)
    assert len([place for place in left if "/blobs/" in place]) > 15
    assert any(place.startswith("samples: ") for place in left)


def test_the_certificate_names_nobody_and_is_checked_by_who_asks(clinic: Clinic) -> None:
    group = patients_in(clinic.platform, "train")[0]

    certificate = erase_patient(clinic.platform, group).certificate

    asked = certificate["asked"]
    assert asked["hashes"] == [name_hash(asked["salt"], "group", group)]
    assert asked["hashes"] == [sha256(f"{asked['salt']}|group|{group}".encode())]  # as documented
    assert group not in json.dumps(certificate)
    what = {entry["what"] for entry in certificate["remains"]}
    assert {"encoder", "generator", "model", "iteration", "codebook"} <= what
    assert certificate["verified"]["blobs_there"] == []
    assert certificate["verified"]["blobs_gone"] == len(certificate["erased"]["digests"]) > 20
    (known,) = clinic.platform.lineage.erasures(CLINIC)
    assert known.certificate == certificate
    assert known.finished_at is not None


def test_with_descendants_no_weights_remain_and_the_next_iteration_learns_anew(
    clinic: Clinic,
) -> None:
    group = patients_in(clinic.platform, "train")[0]

    done = erase_patient(clinic.platform, group, with_descendants=True).certificate

    assert done["erased"]["descendants"]
    assert {entry["what"] for entry in done["remains"]} <= {"iteration", "codebook"}
    assert done["erased"]["kinds"]["weights"] > 5
    run(clinic.platform, conf={"campaign": CLINIC, "iterations": 2})
    assert clinic.left_of(group) == []
    assert fsck(clinic.platform).is_clean


def test_a_source_that_still_holds_the_patient_brings_nothing_back(clinic: Clinic) -> None:
    new = ClinicSource(ClinicParameters(rows=GROWN + 3 * EACH)).read().samples
    later = str(new.groups[-1])
    first = patients_in(clinic.platform, "train")[0]
    erase_patient(clinic.platform, first)
    grow(clinic.platform, "2026-09-02", GROWN + 3 * EACH)
    assert clinic.left_of(later)
    erase_patient(clinic.platform, later)
    before = clinic.platform.lineage.campaign(CLINIC).head
    found = grow(clinic.platform, "2026-09-03", GROWN + 3 * EACH)

    assert not found.created
    assert clinic.platform.lineage.campaign(CLINIC).head == before
    assert (clinic.left_of(first), clinic.left_of(later)) == ([], [])


def test_samples_are_erased_by_their_ids(clinic: Clinic) -> None:
    rows = rows_by_place(clinic.platform)["pool"]
    group = str(rows.columns["source_group"][0])
    own = rows.ids[rows.columns["source_group"] == group].tolist()
    who = Withdrawn(None, tuple(own))

    erase(Request(who, (CLINIC,), "withdrew"), clinic.platform, is_deleting=True)

    assert len(own) == EACH
    assert clinic.left_of(group) == []
    assert fsck(clinic.platform).is_clean


@pytest.mark.parametrize(
    ("who", "reason", "code"),
    [
        (Withdrawn("nobody", ()), "why", "unknown_group"),
        (Withdrawn(None, ("0" * 32,)), "why", "unknown_sample"),
        (Withdrawn(None, ()), "why", "nobody_named"),
        (Withdrawn("", ()), "why", "nobody_named"),
        (Withdrawn("patient 0001", ()), " ", "no_reason"),
        (Withdrawn("patient 0001", ()), "patient 0001 asked", "names_the_person"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is(
    clinic: Clinic, who: Withdrawn, reason: str, code: str
) -> None:
    before = all_rows(clinic.url), sorted(clinic.platform.objects.digests())
    with pytest.raises(ConfigurationError) as caught:
        erase(Request(who, (CLINIC,), reason), clinic.platform, is_deleting=True)

    assert caught.value.reason == code
    assert (all_rows(clinic.url), sorted(clinic.platform.objects.digests())) == before


def test_nothing_is_erased_by_a_wrong_clock(clinic: Clinic) -> None:
    before = all_rows(clinic.url), sorted(clinic.platform.objects.digests())
    wrong = replace(clinic.platform, clock=Apart(timedelta(hours=26)))

    with pytest.raises(PlatformStateError, match="1560 minutes ahead") as caught:
        erase(by_group(patients_in(clinic.platform, "train")[0]), wrong, is_deleting=True)

    assert caught.value.reason == "clock_wrong"
    assert (all_rows(clinic.url), sorted(clinic.platform.objects.digests())) == before


def test_an_open_iteration_and_a_campaign_on_the_same_data_are_named(clinic: Clinic) -> None:
    group = patients_in(clinic.platform, "train")[0]
    ingest(clinic_config(name="other"), clinic.platform)
    with pytest.raises(ConfigurationError, match="other campaigns: other; name them") as caught:
        erase_patient(clinic.platform, group)
    assert caught.value.reason == "shared_samples"

    both = replace(by_group(group), campaigns=(CLINIC, "other"))
    begin("manual", {"campaign": "other"}, clinic.platform)
    with pytest.raises(ConflictError, match="wait until it is committed") as open_one:
        erase(both, clinic.platform, is_deleting=True)
    assert open_one.value.reason == "iteration_open"
    failed = "UPDATE activesynth.iterations SET state = 'failed' WHERE run_key = 'manual'"
    change(clinic.url, failed)
    erase(both, clinic.platform, is_deleting=True)

    assert clinic.left_of(group) == []
    assert fsck(clinic.platform).is_clean


def test_blobs_that_work_holds_are_left_and_removed_later(clinic: Clinic) -> None:
    group = patients_in(clinic.platform, "train")[0]
    held = erase(by_group(group), clinic.platform).certificate["erased"]["digests"][:2]
    with clinic_platform(clinic.url, clinic.folder) as other:
        other.lineage.hold(held)
        with pytest.raises(ConflictError, match="2 blobs that are to go are held") as caught:
            erase_patient(clinic.platform, group)
        between = fsck(clinic.platform)
    done = erase_patient(clinic.platform, group)

    assert caught.value.reason == "blobs_held"
    assert between.returned == tuple(sorted(held))
    assert not between.is_clean
    assert done.is_resumed
    assert clinic.left_of(group) == []
    assert fsck(clinic.platform).is_clean


def test_an_old_version_says_that_it_was_erased_and_what_to_use_instead(
    clinic: Clinic, tmp_path: Path
) -> None:
    group = patients_in(clinic.platform, "train")[0]
    old = str(clinic.platform.lineage.campaign(CLINIC).head)
    done = erase_patient(clinic.platform, group)

    with pytest.raises(MissingArtifactError, match="was erased on 20") as caught:
        export_version(old, clinic.platform, tmp_path / "old")

    assert caught.value.reason == "erased"
    assert done.id in str(caught.value)
    assert "its other rows lie in blob" in str(caught.value)
    export_version(
        str(clinic.platform.lineage.campaign(CLINIC).head), clinic.platform, tmp_path / "new"
    )


def test_the_collector_takes_nothing_that_took_the_place_of_what_went(clinic: Clinic) -> None:
    erase_patient(clinic.platform, patients_in(clinic.platform, "train")[0])
    before = set(clinic.platform.objects.digests())

    for _ in range(2):
        collect(clinic.platform, grace=NO_TIME, is_deleting=True)

    gone = before - set(clinic.platform.objects.digests())
    assert gone == set()
    assert fsck(clinic.platform).is_clean


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_erasure_killed_at_any_effect_is_finished_by_the_next(
    clinic: Clinic, moment: str
) -> None:
    """Each patient is erased by one process that is killed, one effect later than the last."""
    groups = patients_in(clinic.platform, "train") + patients_in(clinic.platform, "guide")
    number, deaths = 1, 0
    for group in groups:
        if not killed(clinic.url, clinic.folder, group, number, moment):
            break
        deaths += 1
        long_ago = "UPDATE activesynth.blob_leases SET taken_at = now() - interval '8 days'"
        change(clinic.url, long_ago)
        erase_patient(clinic.platform, group)
        assert clinic.left_of(group) == [], number
        assert fsck(clinic.platform).is_clean, number
        number += STRIDE
    assert deaths * STRIDE > 30
    run(clinic.platform, conf={"campaign": CLINIC, "iterations": 1})


@pytest.mark.parametrize("with_blobs", [True, False])
def test_a_patient_goes_from_backups_that_are_named_and_restores_do_not_bring_back(
    clinic: Clinic, postgres_server: PostgresServer, tmp_path: Path, with_blobs: bool
) -> None:
    group = patients_in(clinic.platform, "train")[0]
    folder = tmp_path / "backup"
    vault = vault_in(folder)
    for _ in range(2):
        with closing(PostgresArchive(clinic.url)) as archive:
            create(folder, clinic.platform, archive, vault if with_blobs else None)
        run(clinic.platform, conf={"campaign": CLINIC, "iterations": 1})
    assert traces_left(group, clinic.url, folder)

    cleaned = cleaning(clinic, group, folder, vault, postgres_server)
    done = erase_patient(clinic.platform, group, clean_backups=cleaned)
    again = erase_patient(clinic.platform, group, clean_backups=cleaned)

    assert done.certificate["backups"][0]["cleaned"] == 2
    assert again.certificate["backups"][0]["cleaned"] == 0
    assert traces_left(group, clinic.url, folder, clinic.folder) == []
    for name in snapshots(folder):
        with elsewhere(postgres_server, tmp_path / name) as (url, there):
            parts = there if with_blobs else replace(there, objects=clinic.platform.objects)
            restored = bring_back(url, parts, folder, snapshot=name)
            assert restored.is_whole, restored
            assert traces_left(group, url, tmp_path / name) == []
            run(parts, conf={"campaign": CLINIC, "iterations": 1})


def test_a_patient_goes_from_a_bucket_by_the_keys_that_may_delete_and_by_no_other(
    clinic: Clinic, ceph_gateway: CephGateway
) -> None:
    """Workers write what takes the place of blobs, and the collector removes them."""
    bucket = bucket_of(ceph_gateway.server, f"erase-{uuid.uuid4().hex[:8]}")
    prepare(bucket, ObjectRoles(users="policy"))
    worker, collector = (
        S3ObjectStore(
            replace(bucket, access_key=keys.access_key, secret_key=keys.secret_key), Unwatched()
        )
        for keys in (ceph_gateway.add_user("worker"), ceph_gateway.add_user("collector"))
    )
    for digest in clinic.platform.objects.digests():
        worker.put(clinic.platform.objects.get(digest))
    store = ErasureAwareStore(worker, clinic.platform.lineage.erased_blob)
    platform = replace(clinic.platform, objects=store)
    group = patients_in(platform, "train")[0]
    with pytest.raises(ConfigurationError, match="only the collector's keys may"):
        erase_patient(platform, group)
    between = fsck(platform)
    done = erase_patient(platform, group, remover=collector)

    assert between.losses == ()
    assert between.returned
    assert done.is_resumed
    traces = Traces.of(group)
    assert not [d for d in worker.digests() if traces.found_in(worker.get(d))]
    assert fsck(platform).is_clean


def test_the_command_tells_then_erases_from_store_and_backup_and_writes_the_certificate(
    clinic: Clinic,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ACTIVESYNTH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ACTIVESYNTH_DATABASE_URL", clinic.url)
    monkeypatch.setenv("ACTIVESYNTH_OBJECTS_URL", (clinic.folder / "objects").as_uri())
    group = patients_in(clinic.platform, "train")[0]
    backup, certificate = tmp_path / "backup", tmp_path / "certificate.json"
    assert main(["backup", "create", str(backup), "--blobs"]) == 0
    words = ["erase", CLINIC, "--group", group, "--reason", "consent withdrawn"]
    words += ["--backup", str(backup), "--certificate", str(certificate)]
    nowhere = str(tmp_path / "nowhere" / "certificate.json")
    for path in (nowhere, str(tmp_path)):
        assert main([*words, "--delete", "--certificate", path]) == 2
        assert "[not_writable]" in capsys.readouterr().err
    assert clinic.platform.lineage.erasures() == []
    capsys.readouterr()
    assert main(words) == 0
    told = capsys.readouterr().out
    assert main([*words, "--delete"]) == 0
    done = capsys.readouterr().out
    assert main([*words, "--delete"]) == 0
    again = capsys.readouterr().out
    assert main([*words, "--delete", "--descendants"]) == 2
    assert "error [erased_before]" in capsys.readouterr().err

    assert "would be erased: 3 samples" in told
    assert "Nothing was changed; the same with --delete does it." in told
    assert "\nerased: 3 samples" in f"\n{done}"
    assert "backup cleaned: backup" in done
    assert "is done and on record, as before." in again
    written = json.loads(certificate.read_text())
    assert written["backups"][0]["snapshots"] == 1
    assert group not in done + certificate.read_text()
    assert traces_left(group, clinic.url, clinic.folder, backup) == []
    assert main(["fsck"]) == 0
    assert "erased on purpose" in capsys.readouterr().out
    assert main(["backup", "drill", str(backup)]) == 0
    assert main(["erase", CLINIC, "--group", "nobody", "--reason", "x"]) == 2
    assert main(["erase", CLINIC, "--group", group]) == 2
    assert certificate.stat().st_mode & 0o777 == 0o600
    assert "Missing option '--reason'" in capsys.readouterr().err
