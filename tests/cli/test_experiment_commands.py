"""Experiments and generators by the commands people type, on digits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml

from tiny_campaign import SMALLEST, TINY

ROOT = Path(__file__).parents[2]
SMALLER: dict[str, Any] = {
    **{part: SMALLEST[part] for part in ("trainer", "generator", "training")},
    "diagnosis": {"corruptions": ["blur"], "severities": [1.0]},
}
EXPERIMENT: dict[str, Any] = {
    "name": "digits_test",
    "campaign": "tiny",
    "variants": {"plain": {}},
    "contenders": {
        "targeted": {"variant": "plain", "arm": "targeted"},
        "real": {"variant": "plain", "arm": "real"},
    },
    "primary": {"better": "targeted", "than": "real", "metric": "balanced_accuracy"},
    "seeds": {"tuning": [1], "confirmation": [11, 12]},
}
CORPUS: dict[str, Any] = {
    "name": "more-digits",
    "licence": "CC-BY-4.0",
    "source": {"name": "digits"},
    "rows": 100,
    "generator": SMALLER["generator"],
}


class Shell:
    """Commands in one folder, on one database."""

    def __init__(self, folder: Path, database: str) -> None:
        for name, document in (
            ("campaigns/tiny", {"name": "tiny", **TINY, **SMALLER}),
            ("experiments/digits_test", EXPERIMENT),
            ("corpora/more", CORPUS),
        ):
            path = folder / f"{name}.yaml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(yaml.safe_dump(document))
        self.folder, self.database = folder, database
        kept = {name: value for name, value in os.environ.items() if "ACTIVESYNTH" not in name}
        self._environment = {
            **kept,
            "PYTHONPATH": str(ROOT),
            "ACTIVESYNTH_DATABASE_URL": database,
            "ACTIVESYNTH_HOME": str(folder / "home"),
        }

    def __call__(self, *words: str, code: int = 0) -> tuple[str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "activesynth.cli", *words],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stderr[-3000:]
        return done.stdout, done.stderr


@pytest.fixture
def shell(tmp_path: Path, database_url: str) -> Shell:
    """Return a project folder with a campaign, an experiment and a corpus."""
    return Shell(tmp_path, database_url)


def test_an_experiment_is_checked_run_reported_and_not_run_again(shell: Shell) -> None:
    checked, _ = shell("experiment", "check", "digits_test")
    out, err = shell("experiment", "run", "digits_test", "--workers", "2")
    again, quiet = shell("experiment", "run", "digits_test")
    document = json.loads(shell("experiment", "report", "digits_test", "--json")[0])

    assert checked == "digits_test: 1 variants, 2 cells to confirm; valid.\n"
    assert "2 cells to run, 2 at a time" in err
    assert "Primary: targeted against real in balanced accuracy: " in out
    assert again == out
    assert "cells to run" not in quiet
    assert document["seeds"] == [11, 12]
    page = shell.folder / "home" / "reports" / "digits_test-confirmation.html"
    assert "What holds, and what does not" in page.read_text()


def test_a_cell_that_fails_is_named_with_its_output(shell: Shell) -> None:
    nowhere = {"name": "npz", "parameters": {"path": "nowhere.npz"}}
    broken = EXPERIMENT | {"changes": {"source": nowhere}}
    (shell.folder / "experiments" / "digits_test.yaml").write_text(yaml.safe_dump(broken))

    _, err = shell("experiment", "run", "digits_test", "--phase", "tuning", code=1)

    log = shell.folder / "home" / "experiments" / "digits_test-tuning-plain-1.log"
    assert "error [cells_failed]: 1 of 1 cells failed: plain, seed 1" in err
    assert str(log) in err
    assert "error [missing_path]: `source.parameters.path`" in log.read_text()


def test_a_generator_is_trained_listed_and_used(shell: Shell) -> None:
    told, _ = shell("generator", "train", "corpora/more.yaml")
    listed = json.loads(shell("generator", "list", "--json")[0])
    named = {"name": "diffusion", "artifact": "more-digits"}
    campaign = {"name": "tiny", **TINY, **SMALLER, "generator": named}
    (shell.folder / "campaigns" / "tiny.yaml").write_text(yaml.safe_dump(campaign))

    shell("run", "tiny", "--iterations", "1")

    assert "generator: {name: diffusion, artifact: more-digits}" in told
    assert [(row["name"], row["rows"]) for row in listed] == [("more-digits", 100)]
    with closing(psycopg2.connect(shell.database.replace("+psycopg2", ""))) as connection:
        cursor = connection.cursor()
        cursor.execute(
            "SELECT digest FROM activesynth.artifacts "
            "WHERE step = 'fit_generator' AND kind = 'generator'"
        )
        assert cursor.fetchall() == [(listed[0]["card"],)]
