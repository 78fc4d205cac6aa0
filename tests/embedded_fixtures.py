"""Servers and folders for the tests of the embedded platform."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from activesynth.embedded import processes
from activesynth.embedded.platform import EmbeddedPlatform
from activesynth.embedded.postgres import PostgresServer


def kill_and_wait(pid: int | None) -> None:
    """Kill a process and wait until it is gone: a signal takes its time."""
    assert pid
    os.kill(pid, signal.SIGKILL)
    assert processes.wait_until(lambda: processes.find(pid) is None, seconds=30)


MakeServer = Callable[..., PostgresServer]
MakePlatform = Callable[..., EmbeddedPlatform]


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder with both databases, to copy: making one takes longer than a test."""
    home = tmp_path_factory.mktemp("initialised")
    server = PostgresServer(home / "postgres", home / "postgres.log")
    server.start()
    server.stop()
    return home / "postgres"


@pytest.fixture
def make_server(tmp_path: Path, initialised: Path) -> Iterator[MakeServer]:
    """Return a factory of servers in folders below the test's own; all are stopped at the end."""
    made: list[PostgresServer] = []

    def make(folder: str = "home", *, is_new: bool = False) -> PostgresServer:
        home = tmp_path / folder
        home.mkdir(parents=True, mode=0o700, exist_ok=True)
        if not is_new:
            shutil.copytree(initialised, home / "postgres")
        made.append(PostgresServer(home / "postgres", home / "postgres.log"))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def make_platform(tmp_path: Path, initialised: Path) -> Iterator[MakePlatform]:
    """Return a factory of platforms in one project; all are taken down at the end."""
    made: list[EmbeddedPlatform] = []

    def make(home: str = "project/.activesynth", project: str = "project") -> EmbeddedPlatform:
        (tmp_path / project).mkdir(exist_ok=True)
        if not (tmp_path / home).exists():
            (tmp_path / home).mkdir(parents=True, mode=0o700)
            shutil.copytree(initialised, tmp_path / home / "postgres")
        made.append(EmbeddedPlatform(tmp_path / home, tmp_path / project))
        return made[-1]

    yield make
    for platform in made:
        platform.down()
