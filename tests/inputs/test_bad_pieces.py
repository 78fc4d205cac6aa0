"""Hundreds of bad inputs, each handed to the function that parses its kind.

One process hands them out (``bad_inputs.parsing``); where it dies, another goes on behind the piece
that killed it. What goes through the whole command is in ``test_bad_inputs.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bad_inputs.__main__ import CASES
from bad_inputs.case import Case
from bad_inputs.piece import Piece
from bad_inputs.pieces import PIECES

CAP = 1.2
"""Peak memory over what a kind of input may take."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pieces")
    (root / "pieces").mkdir()
    (root / "cwd").mkdir()
    return root


@pytest.fixture(scope="module")
def outcomes(place: Path) -> dict[int, dict[str, Any]]:
    """Return how every piece was answered, by its number."""
    environment = {
        **{name: value for name, value in os.environ.items() if "ACTIVESYNTH" not in name},
        "PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "ACTIVESYNTH_HOME": str(place / "home"),
    }
    start, lines = 0, place / "outcomes.jsonl"
    while start < len(PIECES):
        command = [sys.executable, "-m", "bad_inputs.parsing", str(place), str(start)]
        done = subprocess.run(
            command, cwd=place / "cwd", env=environment, capture_output=True, text=True
        )
        told = [json.loads(line) for line in lines.read_text().splitlines()]
        assert told, done.stderr[-2000:]
        last = told[-1]
        if "begun" in last:
            crash = {"number": last["begun"], "reason": f"crashed with {done.returncode}"}
            with lines.open("a") as file:
                print(json.dumps({**crash, "field": "", "message": done.stderr[-500:]}), file=file)
        start = last.get("begun", last.get("number")) + 1
    told = [json.loads(line) for line in lines.read_text().splitlines()]
    return {answer["number"]: answer for answer in told if "number" in answer}


@pytest.mark.parametrize(
    ("number", "piece"),
    enumerate(PIECES),
    ids=[piece.id.encode("unicode_escape").decode() for piece in PIECES],
)
def test_a_parser_refuses_with_reason_and_field_and_does_nothing_else(
    number: int, piece: Piece, outcomes: dict[int, dict[str, Any]]
) -> None:
    told = outcomes[number]

    assert told["reason"] == piece.reason, told["message"]
    assert told["field"]
    assert piece.field in told["field"] + told["message"]
    assert piece.says in told["message"]
    assert "Traceback" not in told["message"]
    assert told["seen"] == [], "written, started or connected meanwhile"
    assert told["grown"] <= CAP * piece.cap


def test_nothing_is_left_beside_what_was_given(
    place: Path, outcomes: dict[int, dict[str, Any]]
) -> None:
    assert len(outcomes) == len(PIECES)
    assert sorted(path.name for path in place.iterdir()) == ["cwd", "outcomes.jsonl", "pieces"]
    assert list((place / "cwd").iterdir()) == []
    assert not list(place.rglob("executed"))
    assert len(list((place / "pieces").iterdir())) == len(PIECES)


def test_the_matrix_is_as_large_as_it_must_be() -> None:
    every: list[Case | Piece] = [*CASES, *PIECES]

    assert len(every) >= 300
    assert len({one.kind for one in every}) >= 12
    assert len({one.id for one in every}) == len(every)


def test_the_watch_sees_what_a_parser_must_not_do(tmp_path: Path) -> None:
    program = (
        "import os, pickle, socket, subprocess, sys\n"
        "from bad_inputs.parsing import Watch\n"
        "watch = Watch()\n"
        "watch.is_on = True\n"
        "open('written', 'w').close()\n"
        "os.open('also', os.O_CREAT | os.O_WRONLY)\n"
        "os.mkdir('made')\n"
        "subprocess.run(['true'])\n"
        "pickle.loads(b'cos\\nsystem\\n.')\n"
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 9))\n"
        "open('written').close()\n"
        "watch.is_on = False\n"
        "print(len(watch.seen), *(word.split()[0] for word in watch.seen))\n"
    )
    search = os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path)

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": search},
        capture_output=True,
        text=True,
    )

    assert done.stderr == ""
    assert done.stdout.split()[1:4] == ["wrote", "wrote", "changed"]
    assert {"executed", "connected"} <= set(done.stdout.split())
