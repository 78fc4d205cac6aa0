"""A generation that is killed anywhere makes what is missing, and nothing else than undisturbed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from platform_fixtures import PostgresServer

ROOT = Path(__file__).parents[2]
SHARDS, INSIDE = 3, 1
"""How many shards the program makes, and the one in whose middle one of its cases dies."""


@pytest.fixture(scope="module")
def told(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return what the program told; it runs once, in a process without native threads."""
    from activesynth.lineage.migrate import upgrade

    template = postgres_server.create_database()
    upgrade(postgres_server.url(template))
    folders = [ROOT, ROOT / "tests", ROOT / "tests" / "faults"]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "OMP_NUM_THREADS": "1",
    }
    program = ROOT / "tests" / "faults" / "killed_generation.py"
    folder = tmp_path_factory.mktemp("killed")
    words = [sys.executable, str(program), postgres_server.url(), template, str(folder)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_generation_was_killed_at_every_boundary_of_its_shards_and_inside_one(told: Any) -> None:
    places = [case["where"] for case in told["cases"]]

    assert places == [*({"boundary": n} for n in range(SHARDS + 1)), {"inside": INSIDE}]
    assert len(told["undisturbed"]["shards"]) == SHARDS
    assert all(case["was_killed"] for case in told["cases"])
    assert all(shard["rows"] > 0 for shard in told["undisturbed"]["shards"])


def test_only_the_shards_that_a_killed_generation_had_not_made_are_made_afterwards(
    told: Any,
) -> None:
    for case in told["cases"]:
        before = case["where"].get("boundary", INSIDE)
        makers = [shard["pid"] for shard in case["shards"]]

        assert makers == [case["killed"]] * before + [case["pid"]] * (SHARDS - before)


def test_a_killed_and_continued_generation_leaves_the_digests_of_an_undisturbed_one(
    told: Any,
) -> None:
    def left(run: Any) -> Any:
        shards = [(shard["artifacts"], shard["key"]) for shard in run["shards"]]
        return shards, run["screened"]

    expected = left(told["undisturbed"])

    assert len({json.dumps(artifacts) for artifacts, _ in expected[0]}) == SHARDS
    for case in told["cases"]:
        assert left(case) == expected, case["where"]
