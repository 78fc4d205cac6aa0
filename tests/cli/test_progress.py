from __future__ import annotations

import io
import os
import pty
import subprocess
import sys

import pytest

from activesynth.cli.progress import Lines, duration, line, progress


class Watch:
    """A clock that is set by hand, in seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_off_a_terminal_progress_is_lines_without_control_characters() -> None:
    stream = io.StringIO()

    with progress(stream) as report:
        report("train", 0, 10)
        report("train", 10, 10)

    assert stream.getvalue().splitlines()[0] == "train: 0/10"
    assert stream.getvalue().splitlines()[1].startswith("train: done in ")
    assert "\x1b" not in stream.getvalue()
    assert "\r" not in stream.getvalue()


def test_a_line_appears_only_every_five_seconds() -> None:
    stream, watch = io.StringIO(), Watch()
    lines = Lines(stream, watch)

    for second in range(12):
        watch.seconds = float(second)
        lines("train", second, 100)

    assert stream.getvalue().splitlines() == [
        "train: 0/100",
        "train: 5/100, 1/s, 1 min 35 s left",
        "train: 10/100, 1/s, 1 min 30 s left",
    ]


def test_two_pieces_of_work_at_once_have_their_own_lines() -> None:
    stream = io.StringIO()
    lines = Lines(stream, Watch())

    lines("generate 1", 0, 2)
    lines("generate 2", 0, 2)
    lines("generate 1", 2, 2)

    assert [text.split(":")[0] for text in stream.getvalue().splitlines()] == [
        "generate 1",
        "generate 2",
        "generate 1",
    ]


def test_the_rate_counts_only_what_was_done_while_watching() -> None:
    assert line("train", 60, 100, seconds=10.0, first=50) == "train: 60/100, 1/s, 40 s left"


def test_no_rate_is_invented_before_anything_was_done() -> None:
    assert line("train", 0, 100, seconds=3.0) == "train: 0/100"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.96, "10.0 s"), (42, "42 s"), (185, "3 min 05 s")]
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_step_that_ends_after_its_parts_is_told_once() -> None:
    stream, watch = io.StringIO(), Watch()
    lines = Lines(stream, watch)

    lines("train", 0, 1)
    watch.seconds = 8.0
    lines("train", 1, 200)
    watch.seconds = 18.0
    lines("train", 51, 200)
    watch.seconds = 28.0
    lines("train", 200, 200)
    lines("train", 1, 1)

    assert stream.getvalue().splitlines() == [
        "train: 0/1",
        "train: 1/200",
        "train: 51/200, 5/s, 30 s left",
        "train: done in 20 s",
    ]


def test_results_stay_on_stdout_and_nothing_is_painted_while_no_work_is_shown() -> None:
    script = (
        "import time\n"
        "from activesynth.cli.progress import progress\n"
        "with progress() as report:\n"
        "    report('train', 0, 2)\n"
        "    print('meanwhile')\n"
        "    report('train', 2, 2)\n"
        "    import sys; sys.stderr.write('>'); sys.stderr.flush()\n"
        "    time.sleep(0.5)\n"
        "    print('result')\n"
    )
    terminal, theirs = pty.openpty()
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    painted = os.read(terminal, 65536).decode()
    os.close(terminal)

    assert done.stdout == b"meanwhile\nresult\n"
    assert "train: done in" in painted
    assert painted.endswith(">")
