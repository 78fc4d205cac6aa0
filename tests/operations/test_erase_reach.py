"""How far an erasure goes: what it must not take from others, and what it must not miss."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from activesynth.config.corpus import CorpusConfig, parse_corpus
from activesynth.domain.canonical import encode_arrays
from activesynth.domain.dataset_access import load_rows, write_quarantine, write_rows
from activesynth.domain.documents import DatasetManifest, ModelCard
from activesynth.domain.records import IterationRef
from activesynth.domain.samples import SampleSet
from activesynth.errors import ConflictError, TransientError
from activesynth.lineage.archive import PostgresArchive
from activesynth.operations.backup import create
from activesynth.operations.erase import erase
from activesynth.operations.erase_plan import find_people, survey
from activesynth.operations.fsck import fsck
from activesynth.operations.ingest import ingest
from activesynth.operations.person import Person, Withdrawn, is_telling
from activesynth.operations.train_generator import train_generator
from activesynth.steps.begin import begin
from activesynth.steps.corrections import Corrections
from activesynth.steps.embed import embed
from activesynth.steps.loop import run
from activesynth.steps.train import train
from activesynth.steps.turn import open_turn
from backup_cases import vault_in
from clinic_fixtures import Clinic, cleaning
from erasure_cases import (
    CLINIC,
    EACH,
    ROWS,
    by_group,
    change,
    clinic_config,
    clinic_platform,
    erase_patient,
    patients_in,
    rows_by_place,
    traces_left,
)
from platform_fixtures import PostgresServer

REFUSED = """
    UPDATE activesynth.iterations SET state = 'committed', committed_at = now(),
           decision = 'refused', reason = 'on purpose', commit_digest = repeat('0', 64)
    WHERE run_key = 'meanwhile';
    UPDATE activesynth.campaigns SET iterations = iterations + 1
"""


def corpus(**changes: Any) -> CorpusConfig:
    document = {
        "name": "clouds",
        "licence": "CC0-1.0",
        "modality": "clinic",
        "source": {"name": "clinic"},
        "generator": {"name": "plane"},
        "near_duplicate": 0.0,
    }
    return parse_corpus(document | changes, "test")


def test_a_blank_row_is_no_trace_of_anybody() -> None:
    """Zeros stand in every bias, so they would remove all weights there are."""
    rows = np.zeros((3, 28, 28), np.float32)
    rows[1] = np.linspace(0, 1, 28)
    bias = np.zeros(1000, np.float32).tobytes()

    blank, drawn, _ = (row.tobytes() for row in rows)

    assert blank in bias
    assert not is_telling(blank)
    assert is_telling(drawn)
    assert not is_telling(drawn[:60])


def test_a_generator_of_all_campaigns_is_judged_by_its_own_corpus(clinic: Clinic) -> None:
    """It is linked as the campaign's generator, and has not learnt from the campaign's train."""
    platform = clinic.platform
    apart = train_generator(corpus(source={"name": "plane", "parameters": {"rows": 300}}), platform)
    named = {"generator": {"name": "plane", "artifact": "clouds"}}
    ingest(clinic_config(name="named", **named), platform)
    run(platform, conf={"campaign": "named", "iterations": 1})
    group = patients_in(platform, "train")[0]
    card = ModelCard.decode(platform.objects.get(apart.card))

    both = replace(by_group(group, with_descendants=True), campaigns=(CLINIC, "named"))
    done = erase(both, platform, is_deleting=True).certificate

    assert done["erased"]["kinds"]["weights"] > 5
    assert platform.objects.has(card.tensors)
    assert apart.card not in {entry["name"] for entry in done["remains"]}
    run(platform, conf={"campaign": "named", "iterations": 1})
    assert fsck(platform).is_clean


@pytest.mark.parametrize("ends", ["fails", "is refused"])
def test_what_an_iteration_made_during_the_look_is_looked_at_too(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    """The head is the same afterwards, and new models and results lie there."""
    platform = clinic.platform
    look = Person.cleaned
    ran: list[str] = []

    def meanwhile(person: Person, rows: SampleSet) -> SampleSet | None:
        if not ran:
            ran.append(begin("meanwhile", {"campaign": CLINIC}, platform))
            train(ran[0], platform)
            if ends == "fails":
                platform.lineage.fail_iteration(IterationRef.parse(ran[0]), "on purpose")
            else:
                change(clinic.url, REFUSED)
        return look(person, rows)

    monkeypatch.setattr(Person, "cleaned", meanwhile)
    group = patients_in(platform, "train")[0]
    with pytest.raises(ConflictError, match="run again") as caught:
        erase_patient(platform, group)

    assert caught.value.reason == "campaign_moved"
    assert platform.lineage.erasures() == []
    erase_patient(platform, group)
    assert clinic.left_of(group) == []


def test_a_near_duplicate_in_quarantine_under_the_persons_name_is_another_person(
    clinic: Clinic,
) -> None:
    """Joined groups bear the first name of them; a row's own group stands where its source did."""
    platform = clinic.platform
    rows = rows_by_place(platform)["train"]
    own_groups = rows.columns["source_group"]
    group = str(own_groups[0])
    other = rows.take(own_groups != group).take([0])
    (ref,) = write_quarantine(
        platform.objects, other.ids, np.array([group]), np.array(["label_rejected"])
    )
    one = survey(CLINIC, platform)
    one.shards[ref.blob] = {"quarantine"}
    person = Person(by_group(group).who, "salt")

    find_people([one], person, platform)

    named = person.cleaned(load_rows(platform.objects, [ref]))
    assert set(rows.ids[own_groups == group].tolist()) <= person.ids
    assert not person.ids.intersection(other.ids.tolist())
    assert not one.people[ref.blob]
    assert named is not None
    assert named.ids.tolist() == other.ids.tolist()
    assert named.groups[0].startswith("erased-")


def test_a_rejected_row_stands_in_quarantine_under_the_group_of_its_source(
    clinic: Clinic,
) -> None:
    objects = clinic.platform.objects
    rows = rows_by_place(clinic.platform)["train"].take([0, 1, 2])
    joined = SampleSet(rows.ids, rows.x, rows.y, np.full(3, "patient 0001"), rows.columns)
    refs = write_rows(objects, joined)

    out = Corrections({}, frozenset(rows.ids.tolist())).quarantine(objects, refs)

    written = load_rows(objects, out)
    assert sorted(written.groups.tolist()) == sorted(rows.columns["source_group"].tolist())


def test_what_waits_for_its_removal_is_not_learnt_from_again(clinic: Clinic) -> None:
    group = patients_in(clinic.platform, "train")[0]
    told = erase(by_group(group), clinic.platform).certificate["erased"]["digests"]
    with clinic_platform(clinic.url, clinic.folder) as other:
        other.lineage.hold(told)
        with pytest.raises(ConflictError, match="are held by work"):
            erase_patient(clinic.platform, group)
        root = open_turn(begin("next", {"campaign": CLINIC}, other), other).root_manifest()

        assert all(other.objects.has(digest) for digest in told)
        assert not {ref.blob for ref in root.shards} & set(told)


def test_indexes_of_a_failed_iteration_stay_where_nobody_of_the_person_is_in_them(
    clinic: Clinic,
) -> None:
    """The next run puts the same bytes again."""
    platform = clinic.platform
    iteration = begin("fails", {"campaign": CLINIC}, platform)
    train(iteration, platform)
    made = embed(iteration, platform).artifacts
    platform.lineage.fail_iteration(IterationRef.parse(iteration), "on purpose")
    in_test, in_train = (patients_in(platform, split)[0] for split in ("test", "train"))

    erase_patient(platform, in_test)
    assert platform.objects.has(made["index"])
    assert platform.objects.has(made["pool_index"])
    run(platform, conf={"campaign": CLINIC, "iterations": 1})
    assert fsck(platform).is_clean

    erase_patient(platform, in_train)
    assert not platform.objects.has(made["index"])
    assert fsck(platform).is_clean


def test_an_erasure_removes_what_an_earlier_one_had_to_leave(clinic: Clinic) -> None:
    first, second = patients_in(clinic.platform, "train")[:2]
    held = erase(by_group(first), clinic.platform).certificate["erased"]["digests"]
    with clinic_platform(clinic.url, clinic.folder) as other:
        other.lineage.hold(held)
        for group in (first, second):
            with pytest.raises(ConflictError, match="are held by work"):
                erase_patient(clinic.platform, group)
    done = erase_patient(clinic.platform, second)

    assert done.certificate["verified"]["blobs_there"] == []
    assert clinic.left_of(first) + clinic.left_of(second) == []
    assert fsck(clinic.platform).is_clean


def test_a_holder_that_was_taken_for_dead_records_nothing_afterwards(clinic: Clinic) -> None:
    group = patients_in(clinic.platform, "train")[0]
    held = erase(by_group(group), clinic.platform).certificate["erased"]["digests"][:2]
    with clinic_platform(clinic.url, clinic.folder) as stood_still:
        iteration = begin("late", {"campaign": CLINIC}, stood_still)
        stood_still.lineage.fail_iteration(IterationRef.parse(iteration), "on purpose")
        stood_still.lineage.hold(held)
        change(
            clinic.url, "UPDATE activesynth.blob_leases SET taken_at = now() - interval '8 days'"
        )
        erase_patient(clinic.platform, group)

        with pytest.raises(TransientError, match="has stood still") as caught:
            ingest(clinic_config(seed=4), stood_still)
    assert caught.value.reason == "lease_expired"


def test_a_lost_blob_of_others_is_named_and_stops_nothing(clinic: Clinic) -> None:
    platform = clinic.platform
    train_generator(corpus(), platform)
    (record,) = platform.lineage.generators()
    group = patients_in(platform, "train")[0]
    gone = set(erase(by_group(group), platform).certificate["erased"]["digests"])
    listed = DatasetManifest.decode(platform.objects.get(record.corpus))
    places = {ref.blob for refs in listed.splits.values() for ref in refs}
    one = survey(CLINIC, platform)
    lost = [sorted({*one.others} - gone)[0], sorted(one.weights)[0], *sorted(places)]
    for digest in lost:
        (path,) = clinic.folder.glob(f"objects/blobs/*/{digest}")
        path.unlink()

    done = erase_patient(platform, group).certificate

    assert {e["name"] for e in done["remains"] if e["what"] == "unreadable blob"} == set(lost[:2])
    assert [e for e in done["remains"] if e["name"] == "clouds" and "cannot be read" in e["why"]]
    assert clinic.left_of(group) == []


def test_a_failed_iteration_does_not_go_on_from_a_model_that_an_erasure_took(
    clinic: Clinic,
) -> None:
    """The head may stay as it was, where the person's rows had left it before."""
    platform = clinic.platform
    ref = IterationRef.parse(begin("again", {"campaign": CLINIC}, platform))
    before = platform.lineage.iteration(ref)
    platform.lineage.fail_iteration(ref, "on purpose")
    change(clinic.url, "UPDATE activesynth.campaigns SET head_model = NULL")

    with pytest.raises(ConflictError, match="moved on since"):
        train(str(ref), platform)
    opened = IterationRef.parse(begin("again", {"campaign": CLINIC}, platform))

    assert before.parent_model is not None
    assert opened.fence == ref.fence + 1
    assert platform.lineage.iteration(opened).parent_model is None


def test_a_generator_is_not_trained_on_a_person_whom_its_source_still_holds(
    clinic: Clinic,
) -> None:
    group = patients_in(clinic.platform, "train")[0]
    erase_patient(clinic.platform, group)

    record = train_generator(corpus(), clinic.platform)

    assert record.rows == ROWS - EACH
    assert clinic.left_of(group) == []


def test_what_a_kill_left_of_a_cleaned_backup_goes_with_the_next(
    clinic: Clinic,
    postgres_server: PostgresServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The tables of the old snapshot have lost their name, and hold the person still."""
    group = patients_in(clinic.platform, "train")[0]
    folder = tmp_path / "backup"
    vault = vault_in(folder)
    with closing(PostgresArchive(clinic.url)) as archive:
        create(folder, clinic.platform, archive, vault)
    cleaned = cleaning(clinic, group, folder, vault, postgres_server)

    remove = shutil.rmtree

    def killed(place: Path, **how: Any) -> None:
        if str(place).endswith(".gone"):
            raise Killed(place)
        remove(place, **how)

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(Killed):
        erase_patient(clinic.platform, group, clean_backups=cleaned)
    monkeypatch.setattr(shutil, "rmtree", remove)
    half = folder / "snapshots" / ".half.partial"
    shutil.copytree(next(folder.glob("snapshots/.*.gone")), half)
    assert [place for place in traces_left(group, clinic.url, folder) if "/.half" in place]

    erase_patient(clinic.platform, group, clean_backups=cleaned)

    assert traces_left(group, clinic.url, folder) == []


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@pytest.mark.parametrize(
    ("group", "is_found"), [("patient 0001", True), ("left", False), ("7", False)]
)
def test_a_result_that_names_the_group_goes_and_one_that_means_something_else_stays(
    group: str, is_found: bool
) -> None:
    """Groups may be called as classes are, or by numbers that stand for clusters as well."""
    person = Person(Withdrawn(group, ()), "salt", ids={"a"}, groups={group}, classes={"left"})

    assert person.is_named_in(json.dumps({"worst": [{"group": group}]}).encode()) is is_found
    assert person.is_named_in(encode_arrays({"names": np.array([group, "x"])})) is is_found
    assert person.is_named_in(json.dumps({"a": 1}).encode())
    assert not person.is_named_in(json.dumps({"worst": "patient 0002"}).encode())


def test_a_removed_blob_that_came_back_goes_by_the_same_again(clinic: Clinic) -> None:
    platform = clinic.platform
    group = patients_in(platform, "train")[0]
    digest = erase(by_group(group), platform).certificate["erased"]["digests"][0]
    data = platform.objects.get(digest)
    erase_patient(platform, group)
    with clinic_platform(clinic.url, clinic.folder) as copied:
        copied.objects.put(data)
    assert fsck(platform).returned == (digest,)

    erase_patient(platform, group)

    assert not platform.objects.has(digest)
    assert fsck(platform).is_clean
