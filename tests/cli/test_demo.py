"""Following the demo's runs, those of an earlier try included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from activesynth.cli.demo import run_iterations
from activesynth.embedded.airflow_client import AirflowClient, TaskInstance


class RunsInMemory(AirflowClient):
    """An Airflow whose runs end at once, well unless they failed before they were cleared."""

    def __init__(self, states: dict[str, str]) -> None:
        super().__init__("http://127.0.0.1:1", "admin", "secret")
        self.states = states
        self.cleared: list[str] = []

    def wait_for_dag(self, dag_id: str, *, seconds: float = 120.0) -> None:
        """Have every DAG."""

    def unpause(self, dag_id: str) -> None:
        """Pause none."""

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> bool:
        is_new = run_id not in self.states
        self.states.setdefault(run_id, "success")
        return is_new

    def run_state(self, dag_id: str, run_id: str) -> str | None:
        return self.states.get(run_id)

    def task_instances(self, dag_id: str, run_id: str) -> list[TaskInstance]:
        return []

    def clear_run(self, dag_id: str, run_id: str) -> None:
        self.cleared.append(run_id)
        self.states[run_id] = "success"


def test_every_run_that_failed_earlier_is_run_again() -> None:
    client = RunsInMemory({"digits__it1": "failed", "digits__it2": "failed"})

    run_iterations(client, range(1, 3))

    assert client.cleared == ["digits__it1", "digits__it2"]


def test_the_demo_ends_where_the_loop_decided_to_stop() -> None:
    client = RunsInMemory({})

    run_iterations(client, range(0, 2))

    assert client.states == {"digits__it0": "success"}
    assert client.cleared == []
