"""Watch a DAG run over the REST API until it ends."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

from activesynth.domain.platform import Report
from activesynth.embedded.airflow_client import AirflowClient, TaskInstance
from activesynth.errors import ActiveSynthError, TransientError

DAG = "active_synthesis"
POLL_SECONDS = 1.0
_PATIENCE_SECONDS = 60.0
_TAIL_LINES = 15
_ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
_PROGRESS = re.compile(r"progress step=(.+?) done=(\d+) total=(\d+)")


@dataclass(slots=True)
class RunFollower:
    """Reports what the tasks of one run do: the run as a whole, and the work inside each task."""

    client: AirflowClient
    run_id: str
    report: Report
    _shown: dict[str, tuple[str, int, int]] = field(default_factory=dict)

    def follow(self) -> None:
        """Return when the run has succeeded.

        Raises:
            ActiveSynthError: If the run failed; with the failing task's name and last words.
            TransientError: If the server does not answer for a minute.
        """
        answered = time.monotonic()
        while True:
            try:
                state = self.client.run_state(DAG, self.run_id)
                tasks = self.client.task_instances(DAG, self.run_id)
                self._show(tasks)
                answered = time.monotonic()
            except TransientError:
                if time.monotonic() - answered > _PATIENCE_SECONDS:
                    raise
            else:
                if state == "failed":
                    raise ActiveSynthError(self._failure(tasks))
                if state == "success":
                    return
            time.sleep(POLL_SECONDS)

    def _show(self, tasks: list[TaskInstance]) -> None:
        for task in tasks:
            label = f"{self.run_id} {task_name(task)}"
            if task.state == "running":
                self._show_running(label, task)
            elif task.state in _ENDED and label in self._shown:
                what, _, total = self._shown.pop(label)
                self.report(what, total, total)
        ended = sum(task.state in _ENDED for task in tasks)
        if tasks:
            self.report(f"{self.run_id}: tasks", ended, len(tasks))

    def _show_running(self, label: str, task: TaskInstance) -> None:
        lines = self.client.task_log(
            DAG, self.run_id, task.task_id, map_index=task.map_index, attempt=task.attempt
        )
        matches = (_PROGRESS.search(text) for text in reversed(lines))
        found = next((m for m in matches if m and (m[1], m[3]) != (task.task_id, "1")), None)
        shown = _shown(label, task.task_id, found)
        before = self._shown.get(label)
        if before == shown:
            return
        if before is not None and before[0] != shown[0]:
            was_counted = before[2] > 1  # otherwise it only said that the task had begun
            self.report(before[0], before[2], before[2] if was_counted else 0)
        self._shown[label] = shown
        self.report(*shown)

    def _failure(self, tasks: list[TaskInstance]) -> str:
        failed = [task for task in tasks if task.state == "failed"]
        first = next((task for task in failed if task.task_id != "release"), None)
        if first is None:
            return f"run {self.run_id!r} failed; see it in Airflow's pages."
        lines = self.client.task_log(
            DAG, self.run_id, first.task_id, map_index=first.map_index, attempt=first.attempt
        )
        tail = "\n".join(lines[-_TAIL_LINES:])
        return f"task {task_name(first)} of run {self.run_id!r} failed:\n{tail}"


def _shown(label: str, task_id: str, found: re.Match[str] | None) -> tuple[str, int, int]:
    """Return what to report of a running task: the part its log speaks of, or just the task."""
    if found is None:
        return label, 0, 1
    step, done, total = found[1], int(found[2]), max(1, int(found[3]))
    what = label if step == task_id else f"{label}, {step.removeprefix(task_id).strip()}"
    # The task is shown as ended when it has: more parts may follow.
    return what, min(done, total - 1), total


def task_name(task: TaskInstance) -> str:
    """Return the task's id, with its number where it is one of several."""
    return task.task_id if task.map_index < 0 else f"{task.task_id} {task.map_index + 1}"
