"""Taking back a batch: its reach is complete, and the version without it is what goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine

from activesynth.cli import main
from activesynth.domain.dataset_access import load_quarantine, load_split
from activesynth.domain.platform import Platform
from activesynth.domain.recalls import KINDS, Selection
from activesynth.errors import ActiveSynthError, ConfigurationError
from activesynth.lineage.canonical import canonical_state
from activesynth.lineage.migrate import downgrade
from activesynth.operations.erase import erase
from activesynth.operations.fsck import fsck
from activesynth.operations.reach import reached
from activesynth.operations.recall import parse_selection, recall
from activesynth.steps.loop import run
from activesynth.steps.turn import open_turn
from erasure_cases import CLINIC, by_group, change, misplaced, traces_left
from recall_cases import (
    ADA,
    BOB,
    Meant,
    content,
    head_manifest,
    labels_of,
    manifest_of,
    meant,
    synthetic_of,
)
from ward_fixtures import Ward, batch, take_back

FILLED = 30_000
# Other samples, members and answers of the same campaign.
FILL = f"""
    INSERT INTO activesynth.samples
        (campaign, id, origin, shard, "row", scores, generator, weakness)
    SELECT '{CLINIC}', 'filler ' || n, 'synthetic', 'filler', n, '{{}}', 'filler', 'filler'
    FROM generate_series(1, {FILLED}) n;
    INSERT INTO activesynth.dataset_members (campaign, manifest, sample, split, weight)
    SELECT '{CLINIC}', 'filler', 'filler ' || n, 'synthetic', 1
    FROM generate_series(1, {FILLED}) n;
    INSERT INTO activesynth.annotation_items
        (id, campaign, iteration, fence, position, sample, kind, shard, "row", version,
         state, answered_by, second, awaits_second)
    SELECT 'filler ' || n, '{CLINIC}', 0, 1, n, 'filler ' || n, 'review', 'filler', n, 1,
           'labelled', 'zoe', false, false
    FROM generate_series(1, {FILLED}) n;
    INSERT INTO activesynth.annotations (item, item_version, sample, action, label, annotator)
    SELECT 'filler ' || n, 0, 'filler ' || n, 'accept', 0, 'zoe'
    FROM generate_series(1, {FILLED}) n;
"""
HOSTILE = (
    "'; DROP TABLE activesynth.recalls; --",
    "<script>alert(1)</script>",
    "100% of %s and %(reason)s, {0} and :campaign",
    'a "quoted" \\N \\. \t line\nand another',
    "\x1b[31mred\x07",
    "größer 日本 🙂 \u202eback",
)


def test_the_ward_has_batches_of_every_kind(ward: Ward) -> None:
    found = meant(ward.platform, batch(ward.platform, "annotator"))

    assert found.bought
    assert found.relabelled
    assert found.rejected
    assert found.synthetic
    record = ward.platform.lineage.campaign(CLINIC)
    assert [row["decision"] for row in ward.platform.reader.iterations(CLINIC)] == ["promoted"] * 3
    assert {"random", "static"} <= set(record.branches)


@pytest.mark.parametrize("kind", KINDS)
def test_the_reach_is_that_of_looking_into_every_manifest(ward: Ward, kind: str) -> None:
    platform, selection = ward.platform, batch(ward.platform, kind)
    found = meant(platform, selection)
    record = platform.lineage.campaign(CLINIC)

    reach = reached(selection, platform, limit=10_000)

    line = platform.reader.version_line(CLINIC)
    per_version = {
        v.digest: found.in_manifest(platform, manifest_of(platform, v.digest)) for v in line
    }
    assert {v.digest: v.samples for v in reach.versions if v.origin != "candidate"} == {
        digest: len(there) for digest, there in per_version.items() if there
    }
    assert reach.in_head == len(per_version[str(record.head)]) > 0
    models = platform.reader.models(CLINIC)
    touched = {}
    for digest in {row["trained_on"] for row in models} - {None}:
        touched[digest] = found.in_manifest(platform, manifest_of(platform, digest))
    expected = {
        (row["iteration"], row["role"], row["arm"], row["replicate"], row["digest"])
        for row in models
        if touched.get(row["trained_on"])
    }
    assert expected == {(m.iteration, m.role, m.arm, m.replicate, m.digest) for m in reach.models}
    assert len(expected) == reach.totals["models"] < len(models)
    for one in reach.versions:
        if one.origin == "candidate":
            synthetic = synthetic_of(platform, manifest_of(platform, one.digest))
            assert one.samples == len(synthetic & found.synthetic) > 0
    arms = {(number, arm) for number, _, arm, _, _ in expected}
    arms |= {(number, "head") for number, role, _, _, _ in expected if role == "base"}
    moved = {
        (row["iteration"], row["arm"], row["split"], row["name"], row["value"])
        for row in platform.reader.metrics(CLINIC)
        if row["split"] in ("guide", "gate")
        and row["slice"] == "all"
        and row["seed"] == -1
        and {(row["iteration"], row["arm"]), (row["iteration"], row["name"].partition(":")[2])}
        & arms
    }
    assert moved == {(m.iteration, m.arm, m.split, m.name, m.value) for m in reach.metrics}
    assert len(moved) == reach.totals["metrics"] > 0
    assert reach.is_head_model
    assert reach.in_branches == {
        arm: len(there)
        for arm, digest in record.branches.items()
        if (there := found.synthetic & synthetic_of(platform, manifest_of(platform, digest)))
    }


def test_lists_end_after_a_limit_and_are_counted_whole(ward: Ward) -> None:
    selection = batch(ward.platform, "generator")
    whole = reached(selection, ward.platform)

    short = reached(selection, ward.platform, limit=2)

    assert short.totals == whole.totals
    assert min(short.totals.values()) > 2
    assert (short.versions, short.models, short.metrics) == (
        whole.versions[:2],
        whole.models[:2],
        whole.metrics[:2],
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_batch_leaves_and_nothing_else_and_the_next_iteration_learns_anew(
    ward: Ward, kind: str
) -> None:
    platform, selection = ward.platform, batch(ward.platform, kind)
    found = meant(platform, selection)
    before, old = head_manifest(platform), platform.lineage.campaign(CLINIC)
    labels = labels_of(platform, before)

    done = take_back(platform, selection)

    after, record = head_manifest(platform), platform.lineage.campaign(CLINIC)
    assert record.head == done.version == after.digest
    assert after.parent == old.head
    assert platform.reader.ancestry(str(record.head))[0]["origin"] == "recalled"
    assert record.head_model is None
    assert done.trains_anew
    # A row that was bought and then taken out is in train no more, nor in quarantine.
    assert found.in_manifest(platform, after) <= found.bought & found.rejected
    assert not found.bought & labels_of(platform, after).keys()
    _nothing_else_changed(platform, found, before, after, done.copies)
    for sample, (first, _) in found.relabelled.items():
        assert labels_of(platform, after).get(sample, first) == first, labels[sample]
    for digest in record.branches.values():
        assert not found.synthetic & synthetic_of(platform, manifest_of(platform, digest))
    pool = set(load_split(platform.objects, after, "pool").ids.tolist())
    assert found.bought <= pool
    assert misplaced(platform, ward.url) == []
    assert fsck(platform).is_clean
    (iteration,) = run(platform, conf={"campaign": CLINIC, "iterations": 1})
    turn = open_turn(iteration, platform)
    assert turn.step("train").facts["is_inherited"] is False
    record = platform.lineage.campaign(CLINIC)
    for digest in (str(record.head), *record.branches.values()):
        assert not found.synthetic & synthetic_of(platform, manifest_of(platform, digest))
    assert fsck(platform).is_clean


def _nothing_else_changed(
    platform: Platform, found: Meant, before: Any, after: Any, copies: int
) -> None:
    was, now = content(platform, before), content(platform, after)
    for split in ("pool", "guide", "judge", "gate", "test", "oracle"):
        assert was[split] == now[split], split
    assert was["synthetic"].keys() - now["synthetic"].keys() >= (
        found.synthetic & was["synthetic"].keys()
    )
    left = was["synthetic"].keys() - now["synthetic"].keys() - found.synthetic
    assert len(left) <= copies
    assert now["synthetic"].items() <= was["synthetic"].items()
    touched = found.bought | found.relabelled.keys() | found.rejected
    for sample in (was["train"].keys() | now["train"].keys()) - touched:
        assert was["train"][sample] == now["train"][sample]
    assert found.rejected - found.bought <= now["train"].keys()
    gone = load_quarantine(platform.objects, before) - load_quarantine(platform.objects, after)
    assert gone == found.rejected


def test_it_stays_on_record_why_and_who_and_that_samples_were_taken_back(ward: Ward) -> None:
    platform, selection = ward.platform, batch(ward.platform, "weakness")
    left = synthetic_of(platform, head_manifest(platform))

    done = take_back(platform, selection, "  the prompts were wrong ")

    (record,) = platform.reader.recalls(CLINIC)
    assert (record.reason, record.recalled_by) == ("the prompts were wrong", "eve")
    assert record.selection == {"weakness": selection.weakness}
    assert record.samples >= done.synthetic > 0
    assert canonical_state(ward.url, CLINIC)["recalls"][0]["version"] == done.version
    left -= synthetic_of(platform, head_manifest(platform))
    verdicts = {
        (row["verdict"], row["verdict_reason"])
        for sample in left
        for row in platform.reader.sample(sample)
    }
    assert verdicts == {("rejected", "recalled")}
    (told,) = [e for e in platform.lineage.pending_events() if e.kind == "dataset_recalled"]
    assert told.payload["version"] == done.version


def test_a_dry_run_tells_the_same_and_changes_nothing(ward: Ward) -> None:
    selection = batch(ward.platform, "annotator")
    before = ward.state()

    told = recall(selection, "why", ward.platform, recalled_by="eve")

    assert ward.state() == before
    assert not told.is_done
    done = recall(selection, "why", ward.platform, recalled_by="eve", is_doing=True)
    assert replace(told, is_done=True) == done


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_again_says_that_nothing_is_left(ward: Ward, kind: str) -> None:
    selection = batch(ward.platform, kind)
    take_back(ward.platform, selection, "first")
    before = ward.state()

    again = take_back(ward.platform, selection, "second")

    assert again.is_nothing_left
    assert not again.is_done
    assert [one.reason for one in again.earlier] == ["first"]
    assert again.reach.in_head == 0
    assert ward.state() == before


def test_what_was_answered_wrongly_can_be_asked_about_again(ward: Ward) -> None:
    platform = ward.platform
    before = platform.reader.rechecks(CLINIC)

    take_back(platform, batch(platform, "annotator"))

    after = platform.reader.rechecks(CLINIC)
    assert {row["annotator"] for row in before} == {ADA, BOB}
    assert {row["annotator"] for row in after} == {BOB}


@pytest.mark.parametrize(
    ("values", "reason", "by", "code", "named"),
    [
        ({"iteration": 0}, " \n", "eve", "no_reason", "reason"),
        ({"iteration": 0}, "x" * 501, "eve", "long_reason", "reason"),
        ({"iteration": 0}, "a\0b", "eve", "bad_reason", "reason"),
        ({"iteration": 0}, "a\ud800b", "eve", "bad_reason", "reason"),
        ({"iteration": 0}, "why", " ", "no_reason", "recalled_by"),
        ({"iteration": 0}, "why", "e" * 201, "long_reason", "recalled_by"),
        ({}, "why", "eve", "bad_value", ""),
        ({"samples": []}, "why", "eve", "bad_value", ""),
        ({"iteration": 0, "annotator": ADA}, "why", "eve", "bad_value", ""),
        ({"iteration": -1}, "why", "eve", "out_of_range", "iteration"),
        ({"samples": ["x"] * 1001}, "why", "eve", "out_of_range", "samples"),
        ({"weakness": "w" * 201}, "why", "eve", "out_of_range", "weakness"),
        ({"weakness": "a\0"}, "why", "eve", "bad_value", "weakness"),
        ({"iteration": 9}, "why", "eve", "unknown_iteration", "iteration"),
        ({"generator": "0" * 64}, "why", "eve", "unknown_generator", "generator"),
        ({"weakness": "no"}, "why", "eve", "unknown_weakness", "weakness"),
        ({"annotator": "nobody"}, "why", "eve", "unknown_annotator", "annotator"),
        ({"samples": ["no"]}, "why", "eve", "unknown_sample", "samples"),
        ({"iteration": 0, "campaign": "no"}, "why", "eve", "unknown_campaign", "campaign"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is(
    ward: Ward, values: dict[str, Any], reason: str, by: str, code: str, named: str
) -> None:
    before = ward.state()

    with pytest.raises(ActiveSynthError) as caught:
        take_back_named({"campaign": CLINIC} | values, reason, by, ward.platform)

    assert (caught.value.reason, caught.value.field) == (code, named)
    assert len(str(caught.value)) < 1500
    assert ward.state() == before


def take_back_named(values: dict[str, Any], reason: str, by: str, platform: Platform) -> None:
    recall(parse_selection(values), reason, platform, recalled_by=by, is_doing=True)


def test_a_real_row_that_nobody_answered_about_is_no_batch(ward: Ward) -> None:
    sample = load_split(ward.platform.objects, head_manifest(ward.platform), "guide").ids[0]

    with pytest.raises(ConfigurationError, match="label nobody bought or corrected") as caught:
        take_back(ward.platform, Selection(campaign=CLINIC, samples=(str(sample),)))

    assert caught.value.reason == "not_recallable"


def test_hostile_reasons_stay_text(ward: Ward, capsys: pytest.CaptureFixture[str]) -> None:
    ids = sorted(synthetic_of(ward.platform, head_manifest(ward.platform)))
    for sample, reason in zip(ids, HOSTILE, strict=False):
        take_back(ward.platform, Selection(campaign=CLINIC, samples=(sample,)), reason)

    found = [record.reason for record in ward.platform.reader.recalls(CLINIC)]
    assert found == [reason.strip() for reason in HOSTILE]
    assert fsck(ward.platform).is_clean


def test_a_person_who_withdraws_goes_from_recalls_as_well(ward: Ward) -> None:
    platform = ward.platform
    answers = platform.reader.answers_about(Selection(campaign=CLINIC, annotator=ADA))
    bought = next(a.sample for a in answers if a.kind == "label" and a.annotator == ADA)
    own = load_split(platform.objects, head_manifest(platform), "train")
    group = str(own.columns["source_group"][own.ids.tolist().index(bought)])
    other = sorted(synthetic_of(platform, head_manifest(platform)))[0]
    take_back(platform, Selection(campaign=CLINIC, samples=(bought, other)))

    erase(by_group(group), platform, is_deleting=True)

    assert traces_left(group, ward.url, ward.folder) == []
    assert fsck(platform).is_clean
    (record,) = platform.reader.recalls(CLINIC)
    assert bought not in record.selection["samples"]


def test_no_look_up_of_a_batch_reads_a_large_table_from_end_to_end(ward: Ward) -> None:
    asked: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")):
            asked.append(cursor.mogrify(statement, values).decode())

    event.listen(Engine, "before_cursor_execute", note)
    try:
        for kind in KINDS:
            recall(batch(ward.platform, kind), "why", ward.platform, recalled_by="eve")
            ward.platform.reader.batch_names(CLINIC, kind, 10)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    ours = [query for query in asked if "LIMIT 10000" not in query]  # the test looks around, too
    change(ward.url, FILL)
    engine = create_engine(ward.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
        touched = {}
        for query in ours:
            escaped = query.replace("%", "%%")
            plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {escaped}")
            touched[query] = max(_touched(plan.scalar_one()), default=0)
    engine.dispose()

    assert len(ours) > 40
    assert any("dataset_members" in query for query in ours)
    slow = {query: rows for query, rows in touched.items() if rows > FILLED / 5}
    assert not slow, "\n".join(slow)
    assert max(touched.values()) > 10


def _touched(plan: Any) -> Iterator[float]:
    """Yield how many rows each node of a plan looked at in a table, kept or not."""
    if isinstance(plan, list):
        for part in plan:
            yield from _touched(part)
    elif isinstance(plan, dict):
        if "Relation Name" in plan:
            removed = plan.get("Rows Removed by Filter", 0) + plan.get(
                "Rows Removed by Index Recheck", 0
            )
            yield (plan["Actual Rows"] + removed) * plan["Actual Loops"]
        yield from _touched([part for part in plan.values() if isinstance(part, list | dict)])


def test_tables_are_not_brought_back_where_reasons_would_be_lost(ward: Ward) -> None:
    take_back(ward.platform, batch(ward.platform, "iteration"))

    with pytest.raises(ActiveSynthError):
        downgrade(ward.url, "0007")

    assert len(ward.platform.reader.recalls(CLINIC)) == 1


def test_the_command_tells_then_does(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ACTIVESYNTH_DATABASE_URL", ward.url)
    monkeypatch.setenv("ACTIVESYNTH_OBJECTS_URL", (ward.folder / "objects").as_uri())
    asked = ["recall", CLINIC, "--iteration", "0", "--reason", "it \x1b[31mlied"]

    assert main(asked) == 0
    told = capsys.readouterr().out
    assert main([*asked, "--do", "--by", "eve", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert main(asked) == 0
    again = capsys.readouterr().out
    refused = main(["recall", CLINIC, "--reason", "why"])

    assert "Nothing was changed; the same with --do does it." in told
    assert "the next iteration trains its base model anew" in told
    assert f"{done['synthetic']} synthetic samples leave the head version" in told
    assert done["is_done"]
    assert done["recalled_by"] == "eve"
    assert "Nothing of the batch is left" in again
    assert "\x1b" not in again
    assert refused == 2
    assert len(ward.platform.reader.recalls(CLINIC)) == 1
