"""A campaign that ran once, and copies of it in which tests may do as they like."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from activesynth.domain.platform import Platform
from platform_fixtures import PostgresServer

Opener = Callable[[str, Path], AbstractContextManager[Platform]]


def run_once(
    server: PostgresServer, template: str, folder: Path, opener: Opener, run: Callable[..., Any]
) -> tuple[str, Path]:
    """Return the database's name and the folder of a campaign that ran."""
    name = server.create_database(template)
    with opener(server.url(name), folder) as platform:
        run(platform)
    return name, folder


@contextmanager
def copy_of(
    ran: tuple[str, Path], server: PostgresServer, folder: Path, opener: Opener
) -> Iterator[tuple[Platform, str, Path]]:
    """Open a copy of a campaign's database on a copy of its folder."""
    name, original = ran
    copy = server.create_database(name)
    shutil.copytree(original, folder)
    url = server.url(copy)
    with opener(url, folder) as platform:
        yield platform, url, folder
    server.drop_database(copy)
