"""The platform with Postgres alone; test_airflow.py has the whole one."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import activesynth
from activesynth.embedded import processes
from activesynth.embedded.platform import EmbeddedPlatform
from activesynth.errors import PlatformStateError
from embedded_fixtures import kill_and_wait

MakePlatform = Callable[..., EmbeddedPlatform]

_UP = """
import sys
from pathlib import Path
from activesynth.embedded.platform import EmbeddedPlatform

info = EmbeddedPlatform(Path(sys.argv[1]), Path(sys.argv[2])).up(lambda _: None, with_airflow=False)
print(info.parts["postgres"])
"""


def silent(_: str) -> None:
    """Report nothing."""


def ask(platform: EmbeddedPlatform, statement: str) -> str:
    command = [*platform.psql_command(), "-XqAtc", statement]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_up_without_airflow_starts_only_postgres_and_migrates_our_database(
    make_platform: MakePlatform,
) -> None:
    platform = make_platform()
    migrated: list[str] = []

    info = platform.up(silent, with_airflow=False, migrate=migrated.append)

    assert migrated == [info.database_url]
    assert [part for part, pid in info.parts.items() if pid is not None] == ["postgres"]
    assert info.url is None
    assert ask(platform, "SELECT current_database()") == "activesynth"


def test_up_again_says_so_and_keeps_the_process(make_platform: MakePlatform) -> None:
    platform = make_platform()
    told: list[str] = []
    first = platform.up(silent, with_airflow=False)

    second = platform.up(told.append, with_airflow=False)

    assert second == first
    assert told == ["PostgreSQL is up already"]


def test_up_after_kill_keeps_the_address(make_platform: MakePlatform) -> None:
    platform = make_platform()
    first = platform.up(silent, with_airflow=False)
    kill_and_wait(first.parts["postgres"])

    second = platform.up(silent, with_airflow=False)

    assert second.database_url == first.database_url
    assert second.parts["postgres"] != first.parts["postgres"]


def test_ups_that_race_end_with_one_server(make_platform: MakePlatform, tmp_path: Path) -> None:
    make_platform()
    source = str(Path(activesynth.__path__[0]).parent)
    command = [sys.executable, "-c", _UP, "project/.activesynth", "project"]
    racers = [
        subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": source},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]

    answers = {racer.communicate(timeout=120)[0] for racer in racers}

    assert len(answers) == 1
    assert {racer.returncode for racer in racers} == {0}


def test_down_ends_everything_and_a_second_down_is_harmless(
    make_platform: MakePlatform, tmp_path: Path
) -> None:
    platform = make_platform()
    platform.up(silent, with_airflow=False)
    home = tmp_path / "project/.activesynth"

    platform.down()
    platform.down()

    assert platform.status().is_down
    assert not (home / "state.json").exists()
    data = home / "postgres"
    assert not [found for found in processes.running() if processes.stands_in(found, data)]


def test_down_after_kill_removes_the_socket_folder_too(make_platform: MakePlatform) -> None:
    platform = make_platform()
    info = platform.up(silent, with_airflow=False)
    sockets = Path(str(info.database_url).rpartition("=")[2])
    assert sockets.is_dir()
    kill_and_wait(info.parts["postgres"])

    platform.down()

    assert not sockets.exists()


def test_a_damaged_state_stops_up_but_not_down(make_platform: MakePlatform, tmp_path: Path) -> None:
    platform = make_platform()
    platform.up(silent, with_airflow=False)
    (tmp_path / "project/.activesynth/state.json").write_text("{")

    with pytest.raises(PlatformStateError, match="activesynth down"):
        platform.up(silent, with_airflow=False)
    platform.down()

    assert platform.status().is_down


def test_a_lost_state_is_made_anew_around_the_running_server(
    make_platform: MakePlatform, tmp_path: Path
) -> None:
    platform = make_platform()
    first = platform.up(silent, with_airflow=False)
    (tmp_path / "project/.activesynth/state.json").unlink()

    assert platform.up(silent, with_airflow=False) == first


def test_a_copied_home_neither_uses_nor_ends_the_original(
    make_platform: MakePlatform, tmp_path: Path
) -> None:
    original = make_platform()
    first = original.up(silent, with_airflow=False)
    shutil.copytree(tmp_path / "project/.activesynth", tmp_path / "copy")
    copy = make_platform("copy")

    with pytest.raises(PlatformStateError, match="copied or moved"):
        copy.up(silent, with_airflow=False)
    copy.down()

    assert original.status().parts == first.parts


def test_two_platforms_run_side_by_side_and_end_apart(make_platform: MakePlatform) -> None:
    one, other = make_platform("one"), make_platform("the other, with spaces")
    one.up(silent, with_airflow=False)
    other.up(silent, with_airflow=False)

    one.down()

    assert one.status().is_down
    assert ask(other, "SELECT 1") == "1"


def test_everything_in_home_is_closed_to_others(
    make_platform: MakePlatform, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    platform = make_platform()
    project.chmod(0o755)
    parents = [project, *project.parents]
    before = [parent.stat().st_mode for parent in parents]

    platform.up(silent, with_airflow=False)

    assert [parent.stat().st_mode for parent in parents] == before
    home = project / ".activesynth"
    opened = [
        path for path in (home, *home.rglob("*")) if stat.S_IMODE(path.lstat().st_mode) & 0o077
    ]
    assert opened == []


@pytest.mark.parametrize("home", [".", "project", "project/.."])
def test_a_home_that_holds_the_project_is_refused_and_keeps_its_mode(
    tmp_path: Path, home: str
) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project").chmod(0o755)

    with pytest.raises(PlatformStateError, match="a folder of its own"):
        EmbeddedPlatform(tmp_path / home, tmp_path / "project").up(silent)

    assert stat.S_IMODE((tmp_path / "project").stat().st_mode) == 0o755


def test_the_environment_points_programs_at_this_platform(
    make_platform: MakePlatform, tmp_path: Path
) -> None:
    platform = make_platform()
    info = platform.up(silent, with_airflow=False)

    environment = platform.environment()

    assert environment["ACTIVESYNTH_DATABASE_URL"] == info.database_url
    assert environment["ACTIVESYNTH_HOME"] == str(tmp_path / "project/.activesynth")
    assert environment["OMP_NUM_THREADS"] == "1"


def test_what_needs_a_running_platform_says_how_to_start_it(make_platform: MakePlatform) -> None:
    platform = make_platform()

    for asked in (platform.environment, platform.psql_command, platform.client):
        with pytest.raises(PlatformStateError, match="start it with `activesynth up`"):
            asked()
