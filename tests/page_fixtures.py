"""A server of our pages without an Airflow, shared by the tests of a session: it loads once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from served_pages import PageServer


@pytest.fixture(scope="session")
def page_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """Return a server that serves nothing yet; ``serving`` names a database and a store."""
    with PageServer(tmp_path_factory.mktemp("pages")) as server:
        yield server
