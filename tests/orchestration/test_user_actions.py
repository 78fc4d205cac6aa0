"""What people do to a run that goes on, and parts of Airflow that are away meanwhile.

Every campaign ends where an undisturbed run of it ends, by nothing but what a person would do next:
clear what failed, or trigger again.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from activesynth.embedded import processes
from activesynth.errors import TransientError
from activesynth.lineage.migrate import upgrade
from running_airflow import (
    ARTIFACTS,
    DAG,
    DOUBLED,
    ITERATIONS,
    VERSIONS,
    Running,
    kill_part,
    plain_driver,
    rows_of,
    running_airflow,
    write_campaign,
)
from tiny_campaign import SMALLEST

pytestmark = pytest.mark.airflow

AWAY_SECONDS = float(os.environ.get("ACTIVESYNTH_TEST_AWAY_SECONDS", "60"))
"""How long the api-server is away; `make faults` sets ten minutes."""

CAMPAIGNS = {"handled": 3, "skipped": 3, "away": 5}
"""By seed: campaigns with equal settings reuse each other's steps, which saves time."""

VISIBLE = (
    "select (select count(*) from activesynth.iteration_cost where campaign = %s),"
    " (select count(*) from activesynth.dataset_versions where campaign = %s)"
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Run one platform with campaigns of this module's own."""
    folder = tmp_path_factory.mktemp("actions")
    for name, seed in CAMPAIGNS.items():
        write_campaign(folder / "campaigns", name, **{**SMALLEST, "seed": seed})
    with running_airflow(folder) as found:
        yield found


class User:
    """What a person does in the UI, by the same API."""

    def __init__(self, running: Running, run_id: str) -> None:
        self._running, self._run_id = running, run_id
        self._run = f"/api/v2/dags/{DAG}/dagRuns/{run_id}"

    def clear(self, *tasks: str, only_failed: bool = False) -> None:
        """Clear tasks with what follows them, or whatever failed."""
        body: dict[str, Any] = {
            "dry_run": False,
            "dag_run_id": self._run_id,
            "only_failed": only_failed,
            "include_downstream": True,
            "reset_dag_runs": True,
        }
        if tasks:
            body["task_ids"] = list(tasks)
        self._ask("POST", f"/api/v2/dags/{DAG}/clearTaskInstances", body)

    def mark(self, task: str, state: str) -> None:
        """Mark a task as it was not."""
        self._ask("PATCH", f"{self._run}/taskInstances/{task}", {"new_state": state})

    def mark_run(self, state: str) -> None:
        """Mark the whole run."""
        self._ask("PATCH", self._run, {"state": state})

    def delete_run(self) -> None:
        """Delete the run with its history."""
        self._ask("DELETE", self._run)

    def wait_for(self, task: str, *states: str) -> None:
        """Wait until a task is in one of the states."""
        self._running.wait_until(
            lambda: self._running.states(self._run_id).get(task) in states, seconds=240
        )

    def ended(self) -> str:
        """Return how the run ended."""
        return self._running.client.wait_for_run(DAG, self._run_id, seconds=400)

    def log(self, task: str) -> str:
        """Return what the task's last attempt logged."""
        tasks = self._running.client.task_instances(DAG, self._run_id)
        attempt = next(t.attempt for t in tasks if t.task_id == task)
        return "\n".join(
            self._running.client.task_log(DAG, self._run_id, task, attempt=max(1, attempt))
        )

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        """Ask again, as a person does, where Airflow's own transactions got in each other's way."""
        for attempt in range(5):
            try:
                self._running.client._ask(method, path, body)
                return
            except TransientError:
                if attempt == 4:
                    raise
                time.sleep(1)


def visible(running: Running, campaign: str) -> tuple[int, int]:
    """Return how many iterations and versions the views show."""
    ((iterations, versions),) = running.rows(VISIBLE, campaign, campaign)
    return iterations, versions


@pytest.fixture(scope="module")
def undisturbed(
    running: Running, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str, int], str]]:
    """Give what runs a campaign by command line, without anybody in its way."""
    with plain_driver(tmp_path_factory.mktemp("plain") / "home") as run:
        yield run


def assert_as_undisturbed(running: Running, campaign: str, url: str) -> None:
    """Compare artifacts, versions and the number of iterations with those at ``url``."""
    assert [row[:2] for row in running.rows(ITERATIONS, campaign)] == [(0, "committed")]
    assert running.rows(DOUBLED, campaign) == []
    assert running.rows(ARTIFACTS, campaign) == rows_of(url, ARTIFACTS, campaign)
    assert running.rows(VERSIONS, campaign) == rows_of(url, VERSIONS, campaign)


def reconcile(running: Running, name: str) -> None:
    running.client.wait_for_dag("reconcile")
    running.client.trigger("reconcile", name, {})
    assert running.client.wait_for_run("reconcile", name, seconds=120) == "success"


def test_a_run_that_is_cleared_failed_deleted_and_doubled_ends_as_undisturbed(
    running: Running, undisturbed: Callable[[str, int], str]
) -> None:
    user = User(running, "handled__it0")
    running.start("handled", "handled__it0")
    user.wait_for("train", "running")
    user.clear("train")
    user.wait_for("embed", "running", "success")
    user.wait_for("embed", "success")
    # A task that is done, with what follows it and runs.
    user.clear("embed")
    user.wait_for("diagnose", "running")
    user.mark("diagnose", "failed")
    failed = user.ended()
    after_failure = visible(running, "handled")

    user.clear(only_failed=True)
    user.wait_for("generate", "running", "success")
    running.start("handled", "handled__again")
    second = User(running, "handled__again").ended()
    user.mark_run("failed")
    reconcile(running, "after_the_run_was_failed")
    given_up = running.rows(ITERATIONS, "handled")

    third = User(running, "handled__third")
    running.start("handled", "handled__third")
    third.wait_for("integrate", "running", "success")
    before_deletion = visible(running, "handled")
    third.mark_run("failed")
    third.delete_run()
    running.start("handled", "handled__third")
    ended = third.ended()

    assert (failed, second, ended) == ("failed", "failed", "success")
    assert "handled__it0" in User(running, "handled__again").log("begin")
    assert given_up == [(0, "failed", 1)]
    assert after_failure == before_deletion == (0, 1)
    assert_as_undisturbed(running, "handled", undisturbed("handled", 1))
    # Whoever clears the first run once more starts what is the next iteration by now.
    assert running.states("handled__it0").get("promote") != "success"


def test_a_step_that_was_marked_done_and_did_not_run_lets_no_later_one_commit(
    running: Running, undisturbed: Callable[[str, int], str]
) -> None:
    user = User(running, "skipped__it0")
    running.start("skipped", "skipped__it0")
    user.wait_for("train", "running", "success")
    user.mark("screen", "success")
    first = user.ended()
    after_first = visible(running, "skipped")
    complaint = user.log("select")
    user.clear("screen")
    user.wait_for("integrate", "running", "success")
    user.mark("promote", "success")
    second = user.ended()
    after_second = visible(running, "skipped")
    uncommitted = user.log("decide")
    states = running.states("skipped__it0")
    user.clear("promote")
    third = user.ended()

    assert (first, second, third) == ("failed", "failed", "success")
    # It starts as soon as what it waits for is marked done, beside steps that come before it.
    assert "has no result in iteration 0 of campaign 'skipped'" in complaint
    assert states["promote"] == "success"
    assert "is not committed" in uncommitted
    assert after_first == after_second == (0, 1)
    assert_as_undisturbed(running, "skipped", undisturbed("skipped", 1))


def test_a_run_outlives_its_api_server_and_its_triggerer(
    running: Running, undisturbed: Callable[[str, int], str]
) -> None:
    user = User(running, "away__it0")
    running.start("away", "away__it0")
    user.wait_for("embed", "running", "success")
    kill_part(running, "triggerer")
    leader = running.platform.status().parts["api-server"]
    stopped = [p for p in processes.running() if p.session == leader]
    processes.end(stopped, signal.SIGSTOP)
    time.sleep(AWAY_SECONDS)
    meanwhile = visible(running, "away")
    processes.end(stopped, signal.SIGCONT)
    ended = user.ended()
    if ended == "failed":  # tries are spent where it was away for longer than they last
        reconcile(running, "after_the_server_was_away")
        user.clear(only_failed=True)
        ended = user.ended()
    kill_part(running, "api-server")
    running.platform.up(lambda _: None, migrate=upgrade)

    assert stopped
    assert ended == "success"
    assert meanwhile == (0, 1)
    assert_as_undisturbed(running, "away", undisturbed("away", 1))
