"""Fixtures that several rooms share: a real PostgreSQL, a fresh database, a real S3 server."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from activesynth.domain.effects import Unwatched
from activesynth.lineage.lineage import Lineage, open_lineage
from activesynth.lineage.migrate import upgrade
from platform_fixtures import PostgresServer
from s3_fixtures import CephGateway, S3Server, missing_ceph_binaries, server_from_environment
from swift_fixtures import SwiftS3, missing_swift_binaries

# No test asserts a time: on a busy machine any example may take long once.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

pytest_plugins = [
    "clinic_fixtures",
    "embedded_fixtures",
    "laboratory_fixtures",
    "no_skips",
    "page_fixtures",
    "queue_cases",
    "ward_fixtures",
    "web_fixtures",
    "browsing",
    "fab_server",
]

SITE = ("test_figures", "test_pages", "test_from_form_to_version")
# What takes minutes comes first, so that no process is left alone with it at the end.
LONGEST = (
    "orchestration/test_feedback_runs",
    "orchestration/test_user_actions",
    "faults/test_faults",
    "faults/test_kills",
    "web/test_from_form",
    "web/test_pages",
    "web/test_figures",
    "web/",
    "outside/",
)


class ByServer(LoadFileScheduling):  # type: ignore[misc]
    """Gives a file to one process, and to the same one all files that use one Airflow."""

    def _split_scope(self, nodeid: str) -> str:
        path = str(super()._split_scope(nodeid))
        return "site" if Path(path).stem in SITE else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByServer:
    return ByServer(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort files by how long they take, as far as it matters; within a file nothing moves."""
    items.sort(
        key=lambda item: next(
            (place for place, part in enumerate(LONGEST) if part in item.path.as_posix()),
            len(LONGEST),
        )
    )


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """Run one PostgreSQL for the whole test session."""
    server = PostgresServer(tmp_path_factory.mktemp("postgres"))
    server.start()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """Return the address of the session's server, database ``postgres``."""
    return postgres_server.url()


@pytest.fixture(scope="session")
def migrated_template(postgres_server: PostgresServer) -> str:
    """Return the name of a database at the newest revision, to make copies of."""
    name = postgres_server.create_database()
    upgrade(postgres_server.url(name))
    return name


@pytest.fixture
def empty_database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Return the address of an empty database that nobody migrated."""
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def spare_databases() -> list[str]:
    """Return names of migrated databases that are empty again."""
    return []


@pytest.fixture
def database_url(
    postgres_server: PostgresServer, migrated_template: str, spare_databases: list[str]
) -> Iterator[str]:
    """Return the address of a migrated, empty database that no other test uses meanwhile."""
    spare = spare_databases.pop() if spare_databases else None
    name = spare or postgres_server.create_database(migrated_template)
    yield postgres_server.url(name)
    postgres_server.empty_database(name)
    spare_databases.append(name)


@pytest.fixture
def lineage(database_url: str) -> Iterator[Lineage]:
    """Return store, queue and reader over an empty migrated database."""
    opened = open_lineage(database_url, Unwatched())
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def ceph_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CephGateway]:
    """Return a gateway of this session's own, where its Debian packages are installed."""
    absent = missing_ceph_binaries()
    if absent:
        pytest.skip(
            f"no S3 server: {', '.join(absent)} not installed (Debian packages radosgw, ceph-mon, "
            "ceph-osd, ceph-common), and ACTIVESYNTH_TEST_S3_ENDPOINT, _ACCESS_KEY and "
            "_SECRET_KEY are not set"
        )
    sockets = Path(tempfile.mkdtemp(prefix="asy-"))
    gateway = CephGateway(tmp_path_factory.mktemp("ceph"), sockets)
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.stop()
        shutil.rmtree(sockets, ignore_errors=True)


@pytest.fixture(scope="session")
def s3_server(request: pytest.FixtureRequest) -> S3Server:
    """Return a real S3 server: the environment's, or a gateway of this session's own."""
    given = server_from_environment()
    if given is not None:
        return given
    gateway: CephGateway = request.getfixturevalue("ceph_gateway")
    return gateway.server


@pytest.fixture(scope="session")
def swift_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Return another make of S3 server, of this session's own."""
    absent = missing_swift_binaries()
    if absent:
        pytest.skip(
            f"no second S3 server: {', '.join(absent)} not installed (Debian packages "
            "swift-proxy, swift-account, swift-container, swift-object, memcached)"
        )
    swift = SwiftS3(tmp_path_factory.mktemp("swift"))
    try:
        swift.start()
        yield swift.server
    finally:
        swift.stop()
