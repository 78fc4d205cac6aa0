"""A small campaign by the commands that people type, in processes of their own."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pyarrow.parquet as pq
import pytest
import yaml

from activesynth.domain.canonical import decode_tensors
from activesynth.errors import WaitingForPeople
from tiny_campaign import TINY

ROOT = Path(__file__).parents[2]
CAMPAIGN = "tiny"
# The gate lets anything pass, so that the second half of the commands has a promoted head.
DOCUMENT: dict[str, Any] = {
    **TINY,
    "name": CAMPAIGN,
    "selection": {"labels": 6, "review": 2},
    "gate": {"margin": 1.0, "guarded": {}},
}


@dataclass(frozen=True)
class Shell:
    """A project folder with a platform of its own, and the runs that were made in it."""

    folder: Path
    first: subprocess.CompletedProcess[str]
    second: subprocess.CompletedProcess[str]

    def __call__(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return activesynth(self.folder, *words, code=code)

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json").stdout)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        url = str(self.json("status")["database_url"])
        with closing(psycopg2.connect(url.replace("+psycopg2", ""))) as connection:
            cursor = connection.cursor()
            cursor.execute(query)
            return cursor.fetchall()


def environment() -> dict[str, str]:
    """Return the environment without the developer's own platform."""
    kept = {name: value for name, value in os.environ.items() if "ACTIVESYNTH" not in name}
    return kept | {"PYTHONPATH": str(ROOT)}


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "activesynth.cli", *words]


def activesynth(folder: Path, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run one command in ``folder``; it must end with ``code``, and without a traceback."""
    done = subprocess.run(
        command(*words), cwd=folder, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == code, f"{words} ended with {done.returncode}:\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done


def write_campaign(folder: Path, **changes: Any) -> Path:
    (folder / "campaigns").mkdir(exist_ok=True)
    file = folder / "campaigns" / f"{CAMPAIGN}.yaml"
    file.write_text(yaml.safe_dump(DOCUMENT | changes))
    return file


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Run two iterations, one command each; the first one starts PostgreSQL too."""
    folder = tmp_path_factory.mktemp("project")
    write_campaign(folder)
    try:
        first = activesynth(folder, "run", CAMPAIGN, "--iterations", "1")
        second = activesynth(folder, "run", CAMPAIGN, "--json")
        yield Shell(folder, first, second)
    finally:
        activesynth(folder, "down")


@pytest.fixture(scope="module")
def accepted(shell: Shell) -> str:
    """Return a synthetic sample that was made for a weakness and accepted."""
    made = shell.json("show", "samples", CAMPAIGN, "--limit", "1000")
    return next(str(s["sample"]) for s in made if s["verdict"] == "accepted" and s["weakness"])


def test_a_first_run_shows_its_tables_on_stdout_and_its_progress_on_stderr(shell: Shell) -> None:
    assert f"{CAMPAIGN}, iteration 0" in shell.first.stdout
    assert "promoted" in shell.first.stdout
    for arm in ("real", "reweighted", "random", "targeted"):
        assert re.search(rf"^ {arm} +0\.\d", shell.first.stdout, re.MULTILINE)
    assert "retrain targeted" in shell.first.stderr


def test_the_next_run_goes_on_with_the_next_iteration(shell: Shell) -> None:
    rows = json.loads(shell.second.stdout)

    assert [row["iteration"] for row in rows] == [1]
    assert [row["run_key"] for row in rows] == [f"{CAMPAIGN}__it1"]


@pytest.mark.parametrize(
    "words",
    [
        ("campaigns",),
        *((noun, CAMPAIGN) for noun in ("iterations", "weaknesses", "samples", "lineage")),
        *((noun, CAMPAIGN) for noun in ("metrics", "models", "costs")),
    ],
    ids=lambda words: words[0],
)
def test_what_was_committed_is_shown_as_rows_and_as_a_table(
    words: tuple[str, ...], shell: Shell
) -> None:
    rows = shell.json("show", *words)
    table = shell("show", *words).stdout

    assert len(rows) > 0
    assert len({frozenset(row) for row in rows}) == 1
    assert len(table.splitlines()) >= len(rows)
    assert "None" not in table


def test_a_sample_is_followed_from_its_weakness_to_its_models_and_verdict(
    shell: Shell, accepted: str
) -> None:
    rows = shell.json("show", "sample", accepted)
    table = shell("show", "sample", accepted).stdout

    first = rows[0]
    assert {row["sample"] for row in rows} == {accepted}
    assert first["weakness_title"]
    assert first["weakness_gap"] > 0
    assert (first["verdict"], first["split"]) == ("accepted", "synthetic")
    assert first["parents"]
    assert {(row["model_arm"], row["model_replicate"]) for row in rows} >= {
        ("targeted", 0),
        ("targeted", 1),
    }
    assert first["weakness_title"] in table
    assert str(first["model"])[:12] in table


def test_each_query_of_the_readme_gives_rows(shell: Shell) -> None:
    readme = (ROOT / "README.md").read_text()
    block = re.findall(r"```sql\n(.*?)```", readme, re.DOTALL)
    queries = [part for part in ";".join(block).split(";") if part.strip()]

    found = [shell.rows(query.replace("'digits'", f"'{CAMPAIGN}'")) for query in queries]

    assert len(queries) >= 3
    assert all(found)
    assert [row for row in found[0] if None in row]  # the root, which has no parent
    through_psql = shell("psql", "-X", "-At", "-c", queries[0].replace("'digits'", "'tiny'"))
    assert len(through_psql.stdout.splitlines()) == len(found[0])


def test_the_head_version_is_exported_as_parquet_and_as_folders(
    shell: Shell, tmp_path: Path
) -> None:
    counts = shell.json("export", "version", CAMPAIGN, str(tmp_path / "parquet"))["rows"]
    shell("export", "version", CAMPAIGN, str(tmp_path / "folders"), "--layout", "folders")

    table = pq.read_table(tmp_path / "parquet" / "data.parquet")
    assert table.num_rows == sum(counts.values())
    assert {"gate", "test"}.isdisjoint(table.column("split").to_pylist())
    pictures = [path for path in (tmp_path / "folders").rglob("*") if path.suffix == ".png"]
    assert len(pictures) == sum(counts.values())
    refused = shell("export", "version", CAMPAIGN, str(tmp_path / "parquet"), code=3)
    assert "nothing was overwritten" in refused.stderr


def test_the_head_model_is_exported_with_its_card(shell: Shell, tmp_path: Path) -> None:
    found = shell.json("export", "model", CAMPAIGN, str(tmp_path / "model"))

    head = shell.json("show", "campaigns")[0]["head_model"]
    assert found["model"] == head
    assert {path.name for path in (tmp_path / "model").iterdir()} >= {
        "README.md",
        "model.safetensors",
    }
    assert decode_tensors((tmp_path / "model" / "model.safetensors").read_bytes())


def test_the_report_is_one_file(shell: Shell) -> None:
    path = Path(shell("report", CAMPAIGN).stdout.strip())

    assert path == shell.folder / ".activesynth" / "reports" / f"{CAMPAIGN}.html"
    assert "guarded test split" not in path.read_text()


def test_the_guarded_split_is_scored_where_it_is_asked_for_and_counted_once(shell: Shell) -> None:
    first, again = (shell("report", CAMPAIGN, "--test").stdout for _ in range(2))

    path = Path(first.splitlines()[0])
    assert first == again
    assert re.search(r"^ head +0\.\d", first, re.MULTILINE)
    assert "test was read 1 time." in first
    assert "guarded test split" in path.read_text()


def test_a_campaign_that_does_not_exist_ends_with_2_and_names_those_that_do(
    shell: Shell,
) -> None:
    for words in (
        ("run", "nope"),
        ("refresh", "nope"),
        ("report", "nope"),
        ("export", "model", "nope", "out"),
        ("annotate", "nope", "--annotator", "ada"),
    ):
        error = shell(*words, code=2).stderr

        assert "nope" in error
        assert CAMPAIGN in error


def test_a_campaign_file_is_checked(shell: Shell) -> None:
    file = shell.folder / "campaigns" / f"{CAMPAIGN}.yaml"

    assert "is valid" in shell("config", "check", str(file)).stdout


def test_a_run_waits_for_people_and_goes_on_when_they_have_answered(shell: Shell) -> None:
    run = ("run", CAMPAIGN, "--annotator", "people", "--json")

    waiting = shell(*run, code=WaitingForPeople.exit_code)
    said = annotate(shell.folder, "ada")
    done = shell(*run)

    assert f"activesynth annotate {CAMPAIGN}" in waiting.stderr
    assert waiting.stdout == ""
    assert "No questions are open that nobody else has." in said
    [row] = json.loads(done.stdout)
    assert row["iteration"] == 2
    [(answers,)] = shell.rows(
        "select count(*) from activesynth.annotations where annotator = 'ada'"
    )
    asked = DOCUMENT["selection"]
    assert asked["labels"] < answers <= asked["labels"] + asked["review"]
    assert f"{answers} answers kept." in said
    [bought] = shell.json("show", "metrics", CAMPAIGN, "--iteration", "2",
                          "--name", "labels_bought")  # fmt: skip
    assert bought["value"] == asked["labels"]


def annotate(folder: Path, annotator: str) -> str:
    """Answer every question as somebody at a terminal: accept what is proposed, else label 3."""
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        command("annotate", CAMPAIGN, "--annotator", annotator),
        cwd=folder,
        env=environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said, seen = "", 0
    with suppress(OSError):  # EIO: the other end of a terminal was closed
        while select.select([terminal], [], [], 20)[0] and (data := os.read(terminal, 4096)):
            said += data.decode("utf-8", "replace")
            if re.search(r"\[[0-9a-f]{12}\] $", said):
                os.write(terminal, b"a" if "proposed:" in said[seen:] else b"3")
                seen = len(said)
    os.close(terminal)  # a process that still waits for a key is hung up
    assert process.wait(timeout=30) == 0, said[-2000:]
    return said


def test_new_rows_enter_by_refresh_and_their_event_leaves_by_outbox_send(shell: Shell) -> None:
    unchanged = shell.json("refresh", CAMPAIGN, "--date", "2026-09-01")
    write_campaign(shell.folder, sampling=DOCUMENT["sampling"] | {"rows": 1000})

    edited = shell("refresh", CAMPAIGN, "--date", "2026-09-02", "--json")
    grown = json.loads(edited.stdout)
    repeated = shell.json("refresh", CAMPAIGN, "--date", "2026-09-02")
    sent = [shell("outbox", "send").stdout for _ in range(2)]

    assert (unchanged["created"], grown["created"], repeated["created"]) == (False, True, False)
    assert sum(grown["added"].values()) + grown["quarantined"] == 100
    assert "drawing splits anew is not possible" in edited.stderr
    assert sent == ["1 events sent.\n", "0 events sent.\n"]
    events = list((shell.folder / ".activesynth" / "events").rglob("*"))
    assert any(grown["version"] in path.read_text() for path in events if path.is_file())
