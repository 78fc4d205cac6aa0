"""A wait of days outlives a database that is away, and keeps what a person chose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from running_airflow import ROOT

PROGRAM = """
import json, sys
from airflow.providers.standard.operators.hitl import HITLOperator
from activesynth.errors import TransientError
from activesynth_airflow import doorways, questions

parked, written, failures = [], [], json.loads(sys.argv[1])
HITLOperator.execute = lambda self, context: parked.append(self.subject)
questions.PAUSES = (0, 0, 0)

def failing(name, then):
    def call(*given):
        if failures.get(name, 0) > 0:
            failures[name] -= 1
            raise TransientError("Postgres is away")
        return then(*given)
    return call

doorways.open_questions = failing("look", lambda iteration: 0 if written else 7)
doorways.close_questions = failing("close", lambda *given: written.append(given))
task = questions.AskPeople(task_id="annotate", iteration_id="mine:0:1")
person = {"responded_by_user": {"id": "1", "name": "ada"}}
try:
    if sys.argv[2] == "first":
        task.execute({})
    else:
        task.execute_complete({}, {"chosen_options": [getattr(questions, sys.argv[2])], **person})
    ended = "returned"
except TransientError:
    ended = "retried"
print("TOLD", json.dumps([ended, parked, written]))
"""


def told(home: Path, failures: dict[str, int], event: str) -> Any:
    paths = os.pathsep.join(str(ROOT / part) for part in ("", "plugins"))
    named = {"AIRFLOW_HOME": str(home), "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(failures), event],
        env={**os.environ, **named},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("TOLD ")]
    return json.loads(line.removeprefix("TOLD "))


@pytest.mark.parametrize(
    ("failures", "event", "ended", "is_parked", "is_written"),
    [
        ({}, "LOOK", "returned", True, False),
        ({"look": 1}, "LOOK", "returned", True, False),
        ({"look": 1}, "first", "retried", False, False),
        ({"close": 3}, "GO_ON", "returned", False, True),
        ({"close": 9}, "GO_ON", "retried", False, False),
    ],
)
def test_a_look_that_fails_is_made_again_and_a_choice_is_written(
    tmp_path: Path,
    failures: dict[str, int],
    event: str,
    ended: str,
    is_parked: bool,
    is_written: bool,
) -> None:
    found, parked, written = told(tmp_path, failures, event)

    assert found == ended
    assert bool(parked) is is_parked
    assert written == ([["mine:0:1", "ada"]] if is_written else [])
