from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg2
import pytest

import activesynth
from activesynth.embedded import processes
from activesynth.embedded.postgres import DATABASES, PostgresServer, RunningPostgres
from activesynth.embedded.programs import binaries
from activesynth.errors import PlatformStateError
from embedded_fixtures import kill_and_wait

MakeServer = Callable[..., PostgresServer]

_ORDINARY_USER = 65534
_ORDINARY_USER_SCRIPT = """
import sys
from pathlib import Path
from activesynth.embedded.postgres import PostgresServer

home = Path(sys.argv[1])
server = PostgresServer(home / "postgres", home / "postgres.log")
running = server.start()
print(running.query("activesynth", "SELECT current_user"))
server.stop()
print(server.running())
"""


def rows(running: RunningPostgres, statement: str) -> str:
    return running.query("activesynth", statement)


def test_a_started_server_has_one_database_and_one_role_for_each_of_us(
    make_server: MakeServer,
) -> None:
    running = make_server(is_new=True).start()

    for name in DATABASES:
        assert running.query(name, "SELECT current_user, current_database()") == f"{name}|{name}"


def test_the_address_opens_the_database_through_the_usual_driver(make_server: MakeServer) -> None:
    address = make_server().start().url("activesynth")

    connection = psycopg2.connect(address.replace("postgresql+psycopg2", "postgresql"))
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("activesynth",)
    connection.close()


def test_a_role_cannot_enter_the_database_of_the_other(make_server: MakeServer) -> None:
    running = make_server().start()
    command = running.psql_command("activesynth")
    command[command.index("-d") + 1] = "airflow"

    done = subprocess.run([*command, "-c", "SELECT 1"], capture_output=True, text=True)

    assert done.returncode != 0
    assert "permission denied for database" in done.stderr


def test_starting_a_running_server_gives_the_same_process(make_server: MakeServer) -> None:
    server = make_server()
    first = server.start()

    assert server.start() == first


def test_committed_rows_survive_kill_and_restart_on_the_same_socket(
    make_server: MakeServer,
) -> None:
    server = make_server()
    first = server.start()
    rows(first, "CREATE TABLE kept AS SELECT 7 AS n")
    kill_and_wait(first.process.pid)

    second = server.start(first.sockets)

    assert rows(second, "SELECT n FROM kept") == "7"
    assert second.sockets == first.sockets
    assert second.process != first.process


def test_a_stale_pid_file_that_names_a_foreign_process_does_not_block_the_start(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server()
    first = server.start()
    pid_file = tmp_path / "home/postgres/postmaster.pid"
    lines = pid_file.read_text().splitlines()
    server.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))

    assert server.running() is None
    assert server.start().process.pid not in (first.process.pid, os.getpid())


@pytest.mark.parametrize("remains", ["", "not a number\n", "1\n"])
def test_a_half_written_pid_file_does_not_block_the_start(
    make_server: MakeServer, tmp_path: Path, remains: str
) -> None:
    server = make_server()
    server.start()
    server.stop()
    (tmp_path / "home/postgres/postmaster.pid").write_text(remains)

    assert rows(server.start(), "SELECT 1") == "1"


def test_a_killed_initialisation_is_made_again(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server(is_new=True)
    draft = tmp_path / "home/postgres.new"
    draft.mkdir(mode=0o700)
    (draft / "PG_VERSION").write_text("18\n")

    assert rows(server.start(), "SELECT 1") == "1"
    assert not draft.exists()


def test_a_folder_of_somebody_else_is_not_taken_for_data(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server(is_new=True)
    (tmp_path / "home/postgres").mkdir()

    with pytest.raises(PlatformStateError, match="move it away and try again"):
        server.start()


@pytest.mark.parametrize("folder", ["with space and 'quote'", "/".join(["long" * 12] * 6)])
def test_any_path_serves_as_home(make_server: MakeServer, folder: str) -> None:
    running = make_server(folder, is_new=True).start()

    assert rows(running, "SELECT 1") == "1"
    assert len(str(running.sockets)) < 40


def test_two_servers_run_side_by_side(make_server: MakeServer) -> None:
    one, other = make_server("one").start(), make_server("other").start()
    rows(one, "CREATE TABLE only_in_one (n int)")

    assert rows(other, "SELECT count(*) FROM pg_tables WHERE tablename = 'only_in_one'") == "0"


def test_stop_ends_every_backend_and_removes_the_sockets(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server()
    running = server.start()
    busy = subprocess.Popen(
        [*running.psql_command("activesynth"), "-c", "SELECT pg_sleep(60)"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    server.stop()

    assert busy.wait(timeout=10) != 0
    data = tmp_path / "home/postgres"
    assert [found for found in processes.running() if processes.stands_in(found, data)] == []
    assert not running.sockets.exists()


def test_sockets_and_data_are_closed_to_others_and_parents_keep_their_modes(
    make_server: MakeServer, tmp_path: Path
) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    parents = [tmp_path / "open", *(tmp_path / "open").parents, *binaries().parents]
    before = [parent.stat().st_mode for parent in parents]

    running = make_server("open/home", is_new=True).start()

    assert [parent.stat().st_mode for parent in parents] == before
    for folder in (running.sockets, tmp_path / "open/home/postgres"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "open/home/postgres.log").stat().st_mode) == 0o600


def test_variables_of_another_server_do_not_lead_astray(
    make_server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOST", "database.invalid")
    monkeypatch.setenv("PGOPTIONS", "--no-such-option")

    assert rows(make_server().start(), "SELECT 1") == "1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs Postgres in a user namespace")
@pytest.mark.parametrize(
    ("unshare", "complaint"),
    [("#!/bin/sh\necho 'unshare failed' >&2; exit 1\n", "refuses user namespaces"), (None, "util")],
)
def test_root_without_user_namespaces_is_told_the_way_out(
    make_server: MakeServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    unshare: str | None,
    complaint: str,
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    if unshare is not None:
        (programs / "unshare").write_text(unshare)
        (programs / "unshare").chmod(0o755)
    server = make_server(is_new=True)
    monkeypatch.setenv("PATH", str(programs))
    if unshare is not None:
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}/usr/bin{os.pathsep}/bin")

    with pytest.raises(PlatformStateError, match=f"{complaint}.*run this as an ordinary user"):
        server.start()


def test_a_server_that_cannot_start_shows_its_last_words(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server()
    server.start()
    server.stop()
    (tmp_path / "home/postgres/postgresql.conf").write_text("no_such_setting = 1\n")

    with pytest.raises(PlatformStateError, match="no_such_setting"):
        server.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_runs_the_server_without_a_namespace() -> None:
    python = _python_for_the_ordinary_user()
    home = Path("/tmp") / f"activesynth-ordinary-{os.getpid()}"
    home.mkdir(mode=0o700)
    os.chown(home, _ORDINARY_USER, _ORDINARY_USER)
    try:
        done = subprocess.run(
            [*_as_ordinary_user(), python, "-c", _ORDINARY_USER_SCRIPT, str(home)],
            env=_ordinary_environment(),
            capture_output=True,
            text=True,
        )
        owners = {path.lstat().st_uid for path in home.rglob("*")}
    finally:
        shutil.rmtree(home)

    assert done.stdout.split() == ["activesynth", "None"], done.stderr
    assert owners == {_ORDINARY_USER}


def _as_ordinary_user() -> list[str]:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv (util-linux) is missing")
    identity = [f"--reuid={_ORDINARY_USER}", f"--regid={_ORDINARY_USER}", "--clear-groups"]
    return [setpriv, *identity, "--"]


def _ordinary_environment() -> dict[str, str]:
    source = Path(activesynth.__path__[0]).parent
    wheels = binaries().parents[2]
    return {"PATH": os.environ["PATH"], "PYTHONPATH": f"{source}{os.pathsep}{wheels}"}


def _python_for_the_ordinary_user() -> str:
    """This test needs no package but the wheel, so any Python that the user may run will do."""
    attempt = "import sys, activesynth; sys.exit(sys.version_info[:2] != (3, 11))"
    for python in (sys.executable, "/usr/bin/python3.11", "/usr/bin/python3"):
        tried = subprocess.run(
            [*_as_ordinary_user(), python, "-c", attempt],
            env=_ordinary_environment(),
            capture_output=True,
        )
        if tried.returncode == 0:
            return python
    pytest.skip("no Python 3.11 that an ordinary user may run can read this checkout")
