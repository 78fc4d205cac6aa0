"""Campaigns, steps, history and the outbox, as written and read back."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from activesynth.domain.canonical import canonical_json, sha256
from activesynth.domain.effects import Unwatched
from activesynth.domain.ports import AnnotationQueue, LineageReader, LineageStore
from activesynth.domain.records import Bundle, MetricRow, SampleRow, Streamed, VersionRow
from activesynth.errors import (
    ConfigurationError,
    ConflictError,
    InputError,
    PlatformStateError,
    TransientError,
)
from activesynth.lineage import bulk
from activesynth.lineage.bundles import commit_digest
from activesynth.lineage.lineage import Lineage, open_lineage
from activesynth.lineage.plain import attributes, plain
from lineage_cases import (
    CONFIG,
    ROOT,
    make_campaign,
    make_commit,
    make_root,
    make_step,
    make_synthetic,
)


def count(lineage: Lineage, table: str) -> int:
    with lineage.database.reading() as connection:
        return int(
            connection.execute(text(f"SELECT count(*) FROM activesynth.{table}")).scalar_one()
        )


def test_the_three_classes_are_what_the_ports_ask_for(lineage: Lineage) -> None:
    store: LineageStore = lineage.store
    queue: AnnotationQueue = lineage.queue
    reader: LineageReader = lineage.reader

    assert all((store, queue, reader))


def test_registering_the_same_config_twice_keeps_one_version(lineage: Lineage) -> None:
    first = lineage.store.register_campaign("digits", CONFIG)
    second = lineage.store.register_campaign("digits", dict(CONFIG))

    assert first == second
    assert (first.config_version, first.head, first.iterations) == (1, None, 0)


def test_every_edit_of_a_config_is_a_version_also_when_it_goes_back(lineage: Lineage) -> None:
    lineage.store.register_campaign("digits", CONFIG)
    edited = lineage.store.register_campaign("digits", {**CONFIG, "seed": 1})
    back = lineage.store.register_campaign("digits", CONFIG)

    assert (edited.config_version, back.config_version) == (2, 3)
    assert back.config == CONFIG
    assert count(lineage, "campaign_configs") == 3


def test_an_unknown_campaign_is_answered_with_those_there_are(lineage: Lineage) -> None:
    lineage.store.register_campaign("digits", CONFIG)

    with pytest.raises(ConfigurationError, match=r"'letters'.*there are: digits"):
        lineage.store.campaign("letters")


def test_committing_the_root_version_twice_changes_nothing(lineage: Lineage) -> None:
    lineage.store.register_campaign("digits", CONFIG)
    first = lineage.store.commit_version("digits", make_root(), expected_head=None)
    second = lineage.store.commit_version("digits", make_root(), expected_head=None)

    assert (first, second) == (True, False)
    assert lineage.store.campaign("digits").head == ROOT
    assert count(lineage, "dataset_versions") == 1
    assert count(lineage, "dataset_members") == 3


def test_a_version_on_another_head_is_refused(lineage: Lineage) -> None:
    make_campaign(lineage.store)
    other = Bundle(version=VersionRow("other", None, "root", {}))

    with pytest.raises(ConflictError, match="start again from the new head"):
        lineage.store.commit_version("digits", other, expected_head=None)


def test_a_refreshed_version_waits_while_an_iteration_is_open(lineage: Lineage) -> None:
    make_campaign(lineage.store)
    refreshed = Bundle(version=VersionRow("refreshed", ROOT, "refresh", {"train": 3}))
    opened = lineage.store.open_iteration("digits", "run-0", {})
    with pytest.raises(ConflictError, match="'run-0'"):
        lineage.store.commit_version("digits", refreshed, expected_head=ROOT)

    lineage.store.fail_iteration(opened.ref, "stopped")

    assert lineage.store.commit_version("digits", refreshed, expected_head=ROOT)
    assert lineage.store.campaign("digits").head == "refreshed"


def test_two_campaigns_may_start_from_the_same_data(lineage: Lineage) -> None:
    make_campaign(lineage.store, "digits")
    make_campaign(lineage.store, "numbers")

    assert lineage.store.campaign("numbers").head == ROOT
    assert count(lineage, "samples") == 6


def test_a_step_comes_back_as_it_was_recorded_down_to_minus_zero(lineage: Lineage) -> None:
    make_campaign(lineage.store)
    ref = lineage.store.open_iteration("digits", "run-0", {}).ref
    record = make_step()

    lineage.store.record_step(ref, record)

    found = lineage.store.step(ref, "train")
    assert found == record
    assert math.copysign(1.0, found.facts["zero"]) == -1.0
    assert isinstance(found.facts["large"], float)
    assert lineage.store.find_step("key-train-0") == record
    assert lineage.store.find_step("another key") is None


def attempts(lineage: Lineage) -> int:
    with lineage.database.reading() as connection:
        found = connection.execute(text("SELECT attempts FROM activesynth.steps")).scalar_one()
    return int(found)


def test_the_first_result_of_the_same_work_stands_and_the_attempt_is_counted(
    lineage: Lineage,
) -> None:
    make_campaign(lineage.store)
    ref = lineage.store.open_iteration("digits", "run-0", {}).ref
    first = lineage.store.record_step(ref, make_step())
    second = lineage.store.record_step(ref, make_step(artifacts={"card": "another"}, inputs=("a",)))

    assert (first, second) == (make_step(), make_step())
    assert lineage.store.step(ref, "train") == make_step()
    assert count(lineage, "artifacts") == 2
    assert attempts(lineage) == 2


def test_other_work_replaces_a_steps_result_artifacts_and_edges(lineage: Lineage) -> None:
    make_campaign(lineage.store)
    ref = lineage.store.open_iteration("digits", "run-0", {}).ref
    lineage.store.record_step(ref, make_step())
    changed = make_step(
        derivation_key="other", artifacts={"card": "another"}, inputs=("a", "b", "a")
    )

    stands = lineage.store.record_step(ref, changed)

    assert stands == lineage.store.step(ref, "train") == changed
    assert count(lineage, "artifacts") == 1
    assert count(lineage, "artifact_edges") == 2
    assert attempts(lineage) == 2


def test_the_same_work_under_a_later_fence_replaces_what_the_earlier_holder_left(
    lineage: Lineage,
) -> None:
    make_campaign(lineage.store)
    old = lineage.store.open_iteration("digits", "run-0", {}).ref
    lineage.store.record_step(old, make_step())
    lineage.store.fail_iteration(old, "stopped")
    taken = lineage.store.open_iteration("digits", "run-1", {}).ref

    stands = lineage.store.record_step(taken, make_step(artifacts={"card": "another"}))

    assert stands.artifacts == {"card": "another"}
    assert lineage.store.step(taken, "train") == stands


def test_a_recorded_step_reopens_a_failed_iteration_and_keeps_others_out(
    lineage: Lineage,
) -> None:
    make_campaign(lineage.store)
    ref = lineage.store.open_iteration("digits", "run-0", {}).ref
    lineage.store.fail_iteration(ref, "a task failed")

    lineage.store.record_step(ref, make_step())

    assert lineage.store.iteration(ref).state == "open"
    with pytest.raises(ConflictError, match="'run-0' holds iteration 0"):
        lineage.store.open_iteration("digits", "run-1", {})


def test_a_failed_iteration_that_the_dataset_has_left_behind_is_not_reopened(
    lineage: Lineage,
) -> None:
    make_campaign(lineage.store)
    ref = lineage.store.open_iteration("digits", "run-0", {}).ref
    lineage.store.fail_iteration(ref, "a task failed")
    refreshed = Bundle(version=VersionRow("refreshed", ROOT, "refresh", {"train": 3}))
    lineage.store.commit_version("digits", refreshed, expected_head=ROOT)

    with pytest.raises(ConflictError, match=r"moved on since; start run 'run-0' again"):
        lineage.store.record_step(ref, make_step())
    assert lineage.store.open_iteration("digits", "run-0", {}).parent == "refreshed"


def test_shards_of_a_step_come_back_by_shard(lineage: Lineage) -> None:
    make_campaign(lineage.store)
    ref = lineage.store.open_iteration("digits", "run-0", {}).ref
    for shard in (2, 0, 1):
        lineage.store.record_step(ref, make_step("generate", shard))

    assert [record.shard for record in lineage.store.steps(ref, "generate")] == [0, 1, 2]
    with pytest.raises(ConfigurationError, match=r"'generate', shard 3.*run that step first"):
        lineage.store.step(ref, "generate", 3)


def test_a_committed_result_stays_but_the_committing_step_may_record_itself(
    lineage: Lineage,
) -> None:
    make_campaign(lineage.store)
    opened = lineage.store.open_iteration("digits", "run-0", {})
    lineage.store.record_step(opened.ref, make_step())
    lineage.store.commit_iteration(make_commit(opened))

    lineage.store.record_step(opened.ref, make_step())
    lineage.store.record_step(opened.ref, make_step("promote"))

    with pytest.raises(ConflictError, match="committed, and its step 'train' has another"):
        lineage.store.record_step(opened.ref, make_step(derivation_key="other"))
    late = lineage.store.record_step(opened.ref, make_step(artifacts={"card": "other"}))
    assert late == make_step()
    assert lineage.store.step(opened.ref, "promote") == make_step("promote")


def test_a_guarded_read_counts_once_per_purpose(lineage: Lineage) -> None:
    make_campaign(lineage.store)
    read = lineage.store.count_split_read

    counts = [
        read("digits", "gate", "iteration 0", 0),
        read("digits", "gate", "iteration 0", 0),
        read("digits", "gate", "iteration 1", 1),
        read("digits", "test", "report", None),
    ]

    assert counts == [1, 1, 2, 1]
    found = [(row.split, row.purpose, row.count) for row in lineage.store.split_reads("digits")]
    assert found == [("gate", "iteration 0", 1), ("gate", "iteration 1", 1), ("test", "report", 1)]


def test_history_tells_what_committed_iterations_found(lineage: Lineage) -> None:
    make_campaign(lineage.store)
    for number in range(2):
        opened = lineage.store.open_iteration("digits", f"run-{number}", {})
        lineage.store.commit_iteration(make_commit(opened))

    store = lineage.store
    assert store.benefit_history("digits") == [(0, "class-8", 0.1), (1, "class-8", 0.1)]
    assert store.weakness_states("digits") == {"class-8": "open"}
    assert store.metric_history("digits", "balanced_accuracy", "real") == [(0, 0.8), (1, 0.8)]


def test_an_event_is_pending_until_it_is_marked_as_sent(lineage: Lineage) -> None:
    make_campaign(lineage.store)
    opened = lineage.store.open_iteration("digits", "run-0", {})
    none = lineage.store.pending_events()
    lineage.store.commit_iteration(make_commit(opened))
    some = lineage.store.pending_events()
    lineage.store.mark_sent("digits:0")
    lineage.store.mark_sent("digits:0")

    assert none == []
    assert [(event.key, event.payload) for event in some] == [("digits:0", {"number": 0})]
    assert lineage.store.pending_events() == []


def test_ten_thousand_samples_arrive_in_one_commit(lineage: Lineage) -> None:
    lineage.store.register_campaign("digits", CONFIG)
    odd = "a tab\t, a newline\n, a backslash \\N and ünïcode"
    rows = tuple(
        SampleRow(
            f"sample-{row:05d}",
            "real",
            "shard",
            row,
            None if row % 2 else row % 10,
            scores={"entropy": row / 7, "odd": math.nan},
            verdict_reason=odd,
        )
        for row in range(10_000)
    )
    bundle = Bundle(version=VersionRow(ROOT, None, "root", {"train": 10_000}), samples=rows)

    lineage.store.commit_version("digits", bundle, expected_head=None)

    assert count(lineage, "samples") == 10_000
    seventh = lineage.reader.sample("sample-00007")[0]
    assert (seventh["label"], seventh["row"], seventh["verdict_reason"]) == (None, 7, odd)
    assert seventh["scores"] == {"entropy": 1.0, "odd": None}


def test_a_row_given_twice_is_one_row_and_what_the_driver_sends_in_pieces_is_whole(
    lineage: Lineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "CHUNK", 7)
    lineage.store.register_campaign("digits", CONFIG)
    rows = tuple(SampleRow(f"größe-{row}", "real", "s", row, 1) for row in range(50))
    bundle = Bundle(version=VersionRow(ROOT, None, "root", {"train": 50}), samples=rows + rows)

    lineage.store.commit_version("digits", bundle, expected_head=None)

    assert count(lineage, "samples") == 50
    assert lineage.reader.sample("größe-49")[0]["row"] == 49


def test_rows_are_made_before_a_transaction_begins_and_never_held(lineage: Lineage) -> None:
    lineage.store.register_campaign("digits", CONFIG)
    alive: list[weakref.ref[SampleRow]] = []

    def rows() -> Iterator[SampleRow]:
        pool: Any = lineage.database._engine.pool
        for number in range(1000):
            assert pool.checkedout() == 0
            row = Weak(f"sample-{number}", "real", "s", number, 1)
            alive.append(weakref.ref(row))
            yield row
            assert sum(known() is not None for known in alive[-100:]) <= 2

    bundle = Bundle(VersionRow(ROOT, None, "root", {"train": 1000}), samples=Streamed(rows))

    lineage.store.commit_version("digits", bundle, expected_head=None)

    assert count(lineage, "samples") == 1000


class Weak(SampleRow):
    """A row that tells whether somebody still holds it."""


def test_the_digest_of_a_commit_is_that_of_one_document(lineage: Lineage) -> None:
    make_campaign(lineage.store)
    commit = make_commit(lineage.store.open_iteration("digits", "run-0", {}))
    rows = attributes(commit.bundle)
    document = {
        name: getattr(commit, name)
        for name in ("parent", "decision", "reason", "head_model", "branches")
    }
    version = attributes(rows.pop("version"))
    listed = {name: [attributes(row) for row in group] for name, group in rows.items()}
    document.update(campaign="digits", number=0, version=version, rows=listed)

    assert commit_digest(commit) == sha256(canonical_json(plain(document)))


def test_a_sample_written_again_takes_new_facts_and_keeps_the_iteration_that_brought_it(
    lineage: Lineage,
) -> None:
    make_campaign(lineage.store)
    first = lineage.store.open_iteration("digits", "run-0", {})
    lineage.store.commit_iteration(make_commit(first))
    second = lineage.store.open_iteration("digits", "run-1", {})
    again = replace(make_synthetic("synthetic-0-b"), verdict_reason="reconsidered")
    commit = make_commit(second)
    lineage.store.commit_iteration(
        replace(commit, bundle=replace(commit.bundle, samples=(*commit.bundle.samples, again)))
    )

    (row,) = lineage.reader.sample("synthetic-0-b")
    assert (row["iteration"], row["verdict"]) == (0, "accepted")
    assert (row["verdict_reason"], row["parents"]) == ("reconsidered", ["real-0"])


@pytest.mark.parametrize(
    ("samples", "complaint"),
    [
        ((SampleRow("a", "real", "s", 0, 1), SampleRow("a", "real", "s", 1, 1)), "share the key"),
        ((SampleRow("a\0", "real", "s", 0, 1),), "zero byte"),
        ((SampleRow("a", "real", "s", 2**40, 1),), "out of range"),
    ],
)
def test_a_row_the_database_cannot_hold_is_refused_and_nothing_is_left(
    lineage: Lineage, samples: tuple[SampleRow, ...], complaint: str
) -> None:
    lineage.store.register_campaign("digits", CONFIG)
    bundle = replace(make_root(), samples=samples, members=())

    with pytest.raises(InputError, match=complaint):
        lineage.store.commit_version("digits", bundle, expected_head=None)
    assert lineage.store.campaign("digits").head is None
    assert count(lineage, "samples") == 0


def test_a_member_that_is_no_known_sample_is_refused(lineage: Lineage) -> None:
    lineage.store.register_campaign("digits", CONFIG)

    with pytest.raises(InputError, match="real-0"):
        lineage.store.commit_version("digits", replace(make_root(), samples=()), expected_head=None)


def test_numbers_without_an_iteration_are_refused(lineage: Lineage) -> None:
    lineage.store.register_campaign("digits", CONFIG)
    metrics = (MetricRow("real", "guide", "all", "accuracy", 0.5),)

    with pytest.raises(InputError, match="metrics belong to an iteration"):
        lineage.store.commit_version(
            "digits", replace(make_root(), metrics=metrics), expected_head=None
        )


def test_a_server_that_refuses_connections_is_a_passing_failure_without_the_password() -> None:
    lineage = open_lineage("postgresql://me:sesame@127.0.0.1:1/lineage", Unwatched())

    with pytest.raises(TransientError, match=r"127\.0\.0\.1:1/lineage") as caught:
        lineage.store.campaign("digits")
    assert "sesame" not in str(caught.value)


def test_a_database_without_our_schema_says_how_to_migrate_it(empty_database_url: str) -> None:
    lineage = open_lineage(empty_database_url, Unwatched())

    with pytest.raises(PlatformStateError, match="activesynth database upgrade"):
        lineage.store.campaign("digits")
    lineage.close()


@pytest.mark.parametrize("url", ["", "sqlite:///x", "no address", "http://me:sesame@host/"])
def test_an_address_of_something_else_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"postgresql\+psycopg2://") as caught:
        open_lineage(url, Unwatched())
    assert "sesame" not in str(caught.value)


def test_connections_left_dead_by_a_restart_are_replaced(
    lineage: Lineage, postgres_server: Any
) -> None:
    make_campaign(lineage.store)
    postgres_server.kill()
    postgres_server.start()

    assert lineage.store.campaign("digits").head == ROOT
