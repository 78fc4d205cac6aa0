"""Commands that are told to end: promptly, with what they hold released, and to be run again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import yaml

from tiny_campaign import SMALLEST

# Slower than the smallest, so that a signal comes in the middle of the training.
SLOW = {**SMALLEST, "training": {"replicates": 2}, "audits": {"run": []}}


@pytest.fixture
def folder(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "campaigns" / "tiny.yaml").write_text(yaml.safe_dump({"name": "tiny", **SLOW}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACTIVESYNTH_DATABASE_URL", database_url)
    monkeypatch.setenv("ACTIVESYNTH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ACTIVESYNTH_CAMPAIGNS", raising=False)
    return tmp_path


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with closing(psycopg2.connect(url.replace("+psycopg2", ""))) as connection:
        cursor = connection.cursor()
        cursor.execute(query)
        return cursor.fetchall()


def start() -> subprocess.Popen[str]:
    def answer_interrupts() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where tests run in the background

    command = [sys.executable, "-m", "activesynth.cli", "run", "tiny"]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=answer_interrupts,
        env=dict(os.environ),
    )


def wait_for(url: str, query: str) -> None:
    deadline = time.monotonic() + 240
    while not rows(url, query)[0][0]:
        assert time.monotonic() < deadline, query
        time.sleep(0.05)


@pytest.mark.usefixtures("folder")
def test_a_run_that_is_told_to_end_lets_go_says_how_to_go_on_and_ends_when_run_again(
    database_url: str,
) -> None:
    leased = "select count(*) from activesynth.blob_leases"
    head = "select iterations from activesynth.campaigns where name = 'tiny'"
    told = {}
    for number, step in ((signal.SIGTERM, "judge"), (signal.SIGINT, "generate")):
        with start() as process:
            wait_for(
                database_url,
                f"select count(*) from activesynth.steps where campaign = 'tiny' "
                f"and name = '{step}'",
            )
            process.send_signal(number)
            said = process.communicate(timeout=120)[1]
        told[number] = (process.returncode, said, rows(database_url, leased)[0][0])
        head = "select iterations from activesynth.campaigns where name = 'tiny'"
        assert rows(database_url, head) == [(0,)]
    with start() as process:
        process.communicate(timeout=600)

    assert [told[n][0] for n in (signal.SIGTERM, signal.SIGINT)] == [143, 130], told
    assert "ended by SIGTERM: what was recorded stays" in told[signal.SIGTERM][1]
    assert "interrupted: what was recorded stays" in told[signal.SIGINT][1]
    assert "Traceback" not in told[signal.SIGTERM][1] + told[signal.SIGINT][1]
    assert [told[n][2] for n in (signal.SIGTERM, signal.SIGINT)] == [0, 0]
    assert process.returncode == 0
    assert rows(database_url, head) == [(1,)]
    assert rows(database_url, leased) == [(0,)]
