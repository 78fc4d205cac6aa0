"""The DAGs through a real scheduler and executor: equal to the plain driver, and hard to kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2
import pytest
import yaml
from sklearn.datasets import load_digits

from activesynth.domain.effects import Unwatched
from activesynth.embedded import processes
from activesynth.lineage.lineage import open_lineage
from activesynth.lineage.migrate import upgrade
from benchmarks.orchestration import accounted
from fakes import make_pictures, write_npz
from running_airflow import (
    ARTIFACTS,
    DAG,
    DOUBLED,
    ITERATIONS,
    ROOT,
    VERSIONS,
    Running,
    kill_part,
    plain_run,
    rows_of,
    running_airflow,
    write_campaign,
)

pytestmark = pytest.mark.airflow

CELLS = "select variant, seed, campaign, predictions from activesynth.experiment_cells"
NO_VERSION: dict[str, Any] = {
    "selection": {"labels": 0, "review": 0},
    "gate": {"margin": 0.0, "guarded": {"nll": 0.0}},
}


def read_every_night(archive: Path) -> dict[str, Any]:
    return {
        "source": {"name": "npz", "parameters": {"path": str(archive)}},
        "sampling": {},
        "refresh": {"schedule": "0 2 * * *", "max_drift": 1.0},
    }


def write_rows(archive: Path, count: int) -> None:
    digits = load_digits()
    pictures = (digits.images[:count, :, :, None] * 15).astype(np.uint8)
    write_npz(archive, pictures, digits.target[:count])


def write_experiment(folder: Path) -> None:
    arms = {arm: {"variant": "plain", "arm": arm} for arm in ("targeted", "real")}
    smaller = {"training": {"replicates": 1}, "selection": {"labels": 0, "review": 0}}
    document = {
        "name": "arms",
        "campaign": "twice",
        "changes": smaller,
        "variants": {"plain": {}},
        "contenders": arms,
        "primary": {"better": "targeted", "than": "real", "metric": "balanced_accuracy"},
        "seeds": {"tuning": [1], "confirmation": [11, 12]},
    }
    folder.mkdir()
    (folder / "arms.yaml").write_text(yaml.safe_dump(document))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Run one platform with campaigns of this module's own."""
    folder = tmp_path_factory.mktemp("feedback")
    campaigns = folder / "campaigns"
    write_campaign(campaigns, "twice")
    write_campaign(campaigns, "rival", **NO_VERSION)
    write_campaign(campaigns, "pair", **NO_VERSION)
    write_campaign(campaigns, "asked", annotation={"annotator": "people"})
    write_rows(campaigns / "nightly.npz", 900)
    write_campaign(campaigns, "nightly", **read_every_night(campaigns / "nightly.npz"))
    write_npz(campaigns / "alike.npz", make_pictures(60), np.zeros(60, np.int64))
    alike = {"name": "npz", "parameters": {"path": str(campaigns / "alike.npz")}}
    write_campaign(campaigns, "alike", source=alike, sampling={})
    write_experiment(folder / "experiments")
    with running_airflow(folder) as found:
        yield found


def test_the_tasks_that_train_or_run_a_model_want_a_gpu(running: Running) -> None:
    running.client.wait_for_dag(DAG)

    tasks = running.client._ask("GET", f"/api/v2/dags/{DAG}/tasks")["tasks"]

    elsewhere = {"begin", "plan", "annotate", "integrate", "decide", "start_next", "release"}
    wanted = {task["task_id"]: (task["queue"], task["pool"]) for task in tasks}
    assert {name for name, place in wanted.items() if place != ("gpu", "gpu")} == elsewhere


def test_a_run_whose_parts_are_killed_leaves_the_addresses_of_the_plain_driver(
    running: Running, tmp_path: Path
) -> None:
    running.start("twice", "twice__it0", iterations=2)
    running.wait_until(lambda: running.states("twice__it0").get("train") == "running")
    os.kill(task_process(running), signal.SIGKILL)
    running.wait_until(lambda: running.states("twice__it0").get("embed") == "success")
    for part in ("scheduler", "postgres"):
        kill_part(running, part)
        running.platform.up(lambda _: None, migrate=upgrade)
    # Between the commit of an iteration and the trigger of the next run.
    running.wait_until(lambda: running.states("twice__it0").get("decide") == "success")
    kill_part(running, "scheduler")
    running.platform.up(lambda _: None, migrate=upgrade)
    first = running.client.wait_for_run(DAG, "twice__it0", seconds=300)
    second = running.client.wait_for_run(DAG, "twice__it1", seconds=300)

    assert (first, second) == ("success", "success")
    assert running.rows(ITERATIONS, "twice") == [(0, "committed", 1), (1, "committed", 1)]
    assert running.rows(DOUBLED, "twice") == []
    told = [run for run in running.told("activesynth://versions") if run.startswith("twice")]
    assert told == ["twice__it0", "twice__it1"]
    scheduled = running.rows(ARTIFACTS, "twice")
    assert {row[0] for row in scheduled} == {0, 1}
    assert len(scheduled) > 80
    with plain_run(tmp_path / "plain", "twice", 2) as url:
        assert scheduled == rows_of(url, ARTIFACTS, "twice")
        assert running.rows(VERSIONS, "twice") == rows_of(url, VERSIONS, "twice")


def task_process(running: Running) -> int:
    """Return the process that runs a task: the youngest one in the scheduler's session."""
    leader = running.platform.status().parts["scheduler"]
    found = [p for p in processes.running() if p.session == leader and p.pid != leader]
    assert found
    return max(found, key=lambda process: process.started).pid


def has_run(running: Running) -> str:
    """Return the last run of `twice`; where a test is run alone, run what the first has left."""
    committed = (
        "select max(number) from activesynth.iterations where campaign = 'twice' and state = %s"
    )
    ((number,),) = running.rows(committed, "committed")
    if number is None:
        running.start("twice", "twice__it0")
        running.client.wait_for_run(DAG, "twice__it0", seconds=300)
    return f"twice__it{number or 0}"


def test_the_time_of_a_run_is_accounted_for(running: Running) -> None:
    last = has_run(running)
    tasks = running.client.task_instances(DAG, last)
    working = sum(task.seconds or 0.0 for task in tasks)

    whole, inside, around, idle = accounted(
        "twice", last, running.platform.status(), seconds=10_000.0
    )

    assert whole.seconds == 10_000.0
    assert 0.0 < inside.seconds < working
    assert inside.seconds + around.seconds == pytest.approx(working, abs=0.1)
    # Two tasks run at once at most, so at least half of what they worked is covered.
    assert 10_000.0 - working <= idle.seconds <= 10_000.0 - working / 2 + 0.1


def test_an_experiment_runs_its_cells_as_mapped_tasks_and_says_what_holds(running: Running) -> None:
    conf = {"experiment": "arms", "phase": "confirmation"}

    running.client.wait_for_dag("experiment")
    running.client.trigger("experiment", "first", conf)
    first = running.client.wait_for_run("experiment", "first", seconds=600)
    kept = running.rows(CELLS)
    running.client.trigger("experiment", "again", conf)
    again = running.client.wait_for_run("experiment", "again", seconds=300)

    tasks = running.client.task_instances("experiment", "first")
    assert (first, again) == ("success", "success")
    assert sorted(t.task_id for t in tasks) == ["cell", "cell", "cells", "report"]
    assert [(variant, seed, name[:13]) for variant, seed, name, _ in sorted(kept)] == [
        ("plain", 11, "arms_plain_11"),
        ("plain", 12, "arms_plain_12"),
    ]
    assert running.rows(CELLS) == kept
    assert {t.state for t in running.client.task_instances("experiment", "again")} == {
        "success",
        "skipped",
    }
    page = running.campaigns.parent / "home" / "reports" / "arms-confirmation.html"
    assert "Primary: targeted against real" in page.read_text()


def test_a_diagnosis_on_demand_is_kept_once_though_its_run_is_cleared(running: Running) -> None:
    has_run(running)
    before = running.rows("select * from activesynth.iterations where campaign = 'twice'")

    running.client.wait_for_dag("diagnose")
    running.client.trigger("diagnose", "by_hand", {"campaign": "twice"})
    first = running.client.wait_for_run("diagnose", "by_hand", seconds=300)
    kept = running.rows("select * from activesynth.diagnoses")
    running.client.clear_run("diagnose", "by_hand")
    again = running.client.wait_for_run("diagnose", "by_hand", seconds=300)

    assert (first, again) == ("success", "success")
    assert len(kept) == 1
    assert running.rows("select * from activesynth.diagnoses") == kept
    assert running.rows("select * from activesynth.iterations where campaign = 'twice'") == before
    guarded = "select count(*) from activesynth.split_reads where campaign = 'twice'"
    assert running.rows(guarded) == [(len(before),)]


def test_a_run_waits_for_people_without_a_worker_and_goes_on_with_their_answers(
    running: Running,
) -> None:
    running.start("asked", "asked__it0", iterations=1)
    running.wait_until(lambda: running.states("asked__it0").get("annotate") == "awaiting_input")
    waiting = running.rows("select id from activesynth.annotation_items limit 1")
    busy = [t for t in running.client.task_instances(DAG, "asked__it0") if t.state == "running"]

    script = (
        "from activesynth.bootstrap import open_platform\n"
        "from activesynth.domain.records import Annotation\n"
        "with open_platform() as p:\n"
        "    for item in p.queue.pending('asked'):\n"
        "        label = 0 if item.proposed is None else item.proposed\n"
        "        p.queue.answer(Annotation(item.id, item.sample, 'relabel', label, 'ada', "
        "item.version))\n"
    )
    subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **running.platform.environment()},
        cwd=ROOT,
        check=True,
    )
    state = running.client.wait_for_run(DAG, "asked__it0", seconds=300)

    assert waiting
    assert busy == []
    assert state == "success"
    answers = running.rows("select count(*) from activesynth.annotations where annotator = 'ada'")
    assert answers[0][0] >= 10


def test_a_run_that_came_too_early_is_refused_and_started_again_when_it_is_its_turn(
    running: Running,
) -> None:
    running.start("rival", "rival__it0", iterations=2)
    running.wait_until(lambda: running.states("rival__it0").get("begin") == "success")

    running.start("rival", "rival__it1", iterations=1)
    early = running.client.wait_for_run(DAG, "rival__it1", seconds=120)
    logs = {
        name: "\n".join(running.client.task_log(DAG, "rival__it1", name, attempt=1))
        for name in ("begin", "release")
    }
    first = running.client.wait_for_run(DAG, "rival__it0", seconds=300)
    second = running.client.wait_for_run(DAG, "rival__it1", seconds=300)

    assert early == "failed"
    assert "rival__it0" in logs["begin"]
    assert "activesynth iteration fail rival:0:1" in logs["begin"]
    assert "no iteration was opened" in logs["release"]
    assert (first, second) == ("success", "success")
    assert running.rows(
        "select run_key, state, version from activesynth.iterations where campaign = 'rival' "
        "order by 1"
    ) == [("rival__it0", "committed", None), ("rival__it1", "committed", None)]
    told = running.told("activesynth://versions")
    assert [run for run in told if run.startswith("rival")] == []


def test_of_two_runs_triggered_at_once_one_commits_and_the_other_is_told_which(
    running: Running,
) -> None:
    running.client.wait_for_dag(DAG)
    keys = ("pair__one", "pair__other")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda key: running.start("pair", key, iterations=1), keys))
    ended = {key: running.client.wait_for_run(DAG, key, seconds=300) for key in keys}

    assert sorted(map(str, ended.values())) == ["failed", "success"]
    winner, loser = sorted(keys, key=lambda key: ended[key] != "success")
    assert running.rows(
        "select number, run_key, state, fence from activesynth.iterations where campaign = 'pair'"
    ) == [(0, winner, "committed", 1)]
    log = "\n".join(running.client.task_log(DAG, loser, "begin", attempt=1))
    assert f"run '{winner}' holds iteration 0" in log
    assert 'activesynth iteration fail pair:0:1 --reason "its run is dead"' in log
    assert running.states(loser)["train"] == "upstream_failed"


def test_what_a_lost_trigger_and_a_dead_run_left_is_finished_and_given_up(
    running: Running,
) -> None:
    address = str(running.platform.status().database_url)
    with closing(open_lineage(address, Unwatched())) as lineage:
        # The run that lost the race above is over: as if its worker had died after `begin`.
        abandoned = lineage.store.open_iteration("pair", running.ended_run("pair"), {})
    with closing(psycopg2.connect(address.replace("+psycopg2", ""))) as connection, connection:
        connection.cursor().execute(
            "update activesynth.iterations set next_run = 'rival__it2' "
            "where campaign = 'rival' and number = 1"
        )

    running.client.wait_for_dag("reconcile")
    for attempt in ("first", "second"):
        running.client.trigger("reconcile", attempt, {})
        assert running.client.wait_for_run("reconcile", attempt, seconds=120) == "success"

    assert running.client.wait_for_run(DAG, "rival__it2", seconds=300) == "success"
    assert running.rows(
        "select state from activesynth.iterations where campaign = 'pair' and number = %s",
        abandoned.ref.number,
    ) == [("failed",)]
    assert running.rows(
        "select state, run_key from activesynth.iterations where campaign = 'rival' and number = 2"
    ) == [("committed", "rival__it2")]


def test_bad_triggers_and_bad_data_fail_the_first_task_with_their_reason_alone(
    running: Running,
) -> None:
    bad: dict[str, tuple[str, dict[str, Any], str]] = {
        "bad__undeclared": ("pair", {"budget": 5}, "[unknown_field] trigger parameters: `budget`"),
        "bad__type": ("pair", {"iterations": 5.0}, "[wrong_type] trigger parameters: `iterations`"),
        "bad__alike": ("alike", {}, "[too_few_classes] `source`"),
    }
    opened_before = running.rows("select count(*) from activesynth.iterations")

    for run_id, (campaign, conf, _) in bad.items():
        running.start(campaign, run_id, **conf)
    ended = {run_id: running.client.wait_for_run(DAG, run_id, seconds=300) for run_id in bad}

    assert set(ended.values()) == {"failed"}
    for run_id, (_, _, message) in bad.items():
        first, *rest = (t for t in running.client.task_instances(DAG, run_id) if t.attempt)
        assert (first.task_id, first.state, first.attempt) == ("begin", "failed", 1)
        assert {task.task_id for task in rest} <= {"release"}
        assert running.states(run_id)["train"] == "upstream_failed"
        log = "\n".join(running.client.task_log(DAG, run_id, "begin", attempt=1))
        assert message in log
        assert "Traceback" not in log
    assert running.rows("select count(*) from activesynth.iterations") == opened_before
    assert running.rows("select name from activesynth.campaigns where name = 'alike'") == []


def test_a_nightly_refresh_waits_for_an_open_iteration_and_takes_new_rows_in_once(
    running: Running,
) -> None:
    dag = "dataset_refresh__nightly"
    running.client.wait_for_dag(dag)

    def refresh(run_id: str) -> str | None:
        running.client.trigger(dag, run_id, {})
        assert running.client.wait_for_run(dag, run_id, seconds=120) == "success"
        tasks = running.client.task_instances(dag, run_id)
        return next(task.state for task in tasks if task.task_id == "refresh")

    def versions() -> int:
        query = "select count(*) from activesynth.dataset_versions where campaign = 'nightly'"
        return int(running.rows(query)[0][0])

    unchanged = (refresh("unchanged"), versions())
    write_rows(running.campaigns / "nightly.npz", 960)
    with closing(open_lineage(str(running.platform.status().database_url), Unwatched())) as lineage:
        ref = lineage.store.open_iteration("nightly", "by-hand", {}).ref
        skipped = (refresh("busy"), versions())
        lineage.store.fail_iteration(ref, "done with it")
    changed = (refresh("changed"), versions())
    again = (refresh("again"), versions())

    assert unchanged == ("success", 1)
    assert skipped == ("skipped", 1)
    log = "\n".join(running.client.task_log(dag, "busy", "refresh", attempt=1))
    assert "the next refresh takes the new rows in" in log
    assert (changed, again) == (("success", 2), ("success", 2))
    assert running.told("activesynth://nightly/dataset") == ["changed"]
