from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from activesynth.embedded import processes

_SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_process_is_alive_until_it_ends_and_is_then_not_taken_for_another() -> None:
    child = subprocess.Popen(_SLEEP)
    process = processes.find(child.pid)
    assert process is not None
    assert process.is_alive

    child.kill()

    assert processes.wait_until(lambda: processes.find(child.pid) is None, seconds=5)  # a zombie
    assert child.wait() == -9
    assert not process.is_alive


def test_the_same_number_with_another_start_time_is_another_process() -> None:
    child = subprocess.Popen(_SLEEP)
    process = processes.find(child.pid)
    assert process is not None

    earlier = processes.Process(process.pid, process.started - 1, process.session)

    assert not earlier.is_alive
    child.kill()
    child.wait()


def test_looking_at_processes_leaves_their_exit_codes_to_their_parent() -> None:
    child = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"])

    assert processes.wait_until(lambda: processes.find(child.pid) is None, seconds=10)

    assert child.wait() == 7


def test_a_session_holds_the_groups_that_its_members_opened() -> None:
    script = "import os, time; os.fork() or os.setpgid(0, 0); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)

    def members() -> list[processes.Process]:
        return [found for found in processes.running() if found.session == child.pid]

    assert processes.wait_until(lambda: len(members()) == 2, seconds=10)
    processes.end(members(), signal.SIGKILL)
    child.wait()
    assert processes.wait_until(lambda: not members(), seconds=5)


def test_a_part_is_recognised_by_the_file_it_writes_to(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    with log.open("wb") as stream:
        child = subprocess.Popen(_SLEEP, stdout=stream)
    other = subprocess.Popen(_SLEEP)

    writers = {found.pid for found in processes.running() if processes.writes_to(found, log)}

    assert writers == {child.pid}
    for started in (child, other):
        started.kill()
        started.wait()
