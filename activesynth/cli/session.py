"""What a command needs before it can work: settings, a database that runs, the platform."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from activesynth.cli.logs import say_in_json
from activesynth.cli.progress import notice, progress

if TYPE_CHECKING:
    from activesynth.client.client import Client
    from activesynth.config.settings import Settings
    from activesynth.domain.platform import Platform
    from activesynth.embedded.platform import EmbeddedPlatform


def settings() -> Settings:
    """Read the environment; its secrets are hidden in what is logged from here on."""
    from activesynth.config.redaction import guard
    from activesynth.config.settings import Settings

    guard()
    found = Settings.read()
    if found.logs == "json":
        say_in_json()
    return found


def embedded() -> EmbeddedPlatform:
    """Return the embedded platform of this project folder; nothing is started."""
    from activesynth.embedded.platform import EmbeddedPlatform

    found = settings()
    return EmbeddedPlatform(found.home, Path.cwd(), threads=found.threads)


def remote() -> Client | None:
    """Return a client of the platform that ACTIVESYNTH_API_URL names, or None where it names none.

    Raises:
        ConfigurationError: If it is no address, or neither token nor login is set.
    """
    found = settings()
    if found.api_url is None:
        return None
    from activesynth.client.client import Client

    token, password = found.api_token, found.airflow_password
    return Client(
        found.api_url,
        token=None if token is None else token.get_secret_value(),
        user=None if password is None else found.airflow_user,
        password=None if password is None else password.get_secret_value(),
    )


@contextmanager
def connected(
    campaign: str | None = None,
    *,
    address: str | None = None,
    with_settings: Settings | None = None,
) -> Iterator[Platform]:
    """Open the platform; the embedded PostgreSQL is started where no other one is named.

    It stays up afterwards: the next command may be running already, and needs it.

    Args:
        campaign: A campaign that must be on record.
        address: The database, where it is another than the one the environment names.
        with_settings: What the environment says, or the same with other keys.

    Raises:
        ConfigurationError: If the campaign is unknown; the message names those there are.
        PlatformStateError: If the database lacks our tables, or has older ones.
    """
    from activesynth.bootstrap import open_platform
    from activesynth.lineage.revision import check_tables

    found = with_database(with_settings or settings(), address)
    if found.database_url is not None:
        check_tables(found.database_url.get_secret_value())
    with progress() as report, open_platform(found, report=report) as platform:
        if campaign is not None:
            platform.lineage.campaign(campaign)
        yield platform


def with_database(found: Settings, address: str | None = None) -> Settings:
    """Return the settings with the address of a database that runs."""
    from pydantic import SecretStr

    if address is None and found.database_url is not None:
        return found
    address = address or embedded().status().database_url
    if address is None:
        from activesynth.lineage.migrate import upgrade

        address = embedded().up(notice, with_airflow=False, migrate=upgrade).database_url
        notice("`activesynth down` stops it.")
    return found.model_copy(update={"database_url": SecretStr(str(address))})
