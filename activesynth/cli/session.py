"""What a command needs before it can work: settings, a database that runs, the platform."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from activesynth.cli.progress import notice, progress

if TYPE_CHECKING:
    from activesynth.config.settings import Settings
    from activesynth.domain.platform import Platform
    from activesynth.embedded.platform import EmbeddedPlatform


def settings() -> Settings:
    """Read the environment."""
    from activesynth.config.settings import Settings

    return Settings.read()


def embedded() -> EmbeddedPlatform:
    """Return the embedded platform of this project folder; nothing is started."""
    from activesynth.embedded.platform import EmbeddedPlatform

    return EmbeddedPlatform(settings().home.absolute(), Path.cwd())


@contextmanager
def connected(campaign: str | None = None) -> Iterator[Platform]:
    """Open the platform; the embedded PostgreSQL is started where no other one is named.

    It stays up afterwards: the next command may be running already, and needs it.

    Args:
        campaign: A campaign that must be on record.

    Raises:
        ConfigurationError: If the campaign is unknown; the message names those there are.
    """
    from activesynth.bootstrap import open_platform

    found = settings()
    if found.database_url is None and embedded().start_postgres():
        notice("started PostgreSQL; `activesynth down` stops it.")
    with progress() as report, open_platform(found, report=report) as platform:
        if campaign is not None:
            platform.lineage.campaign(campaign)
        yield platform
