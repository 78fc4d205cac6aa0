"""The values that no log, message or page may show, as the environment gives them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import get_args
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from activesynth.config.object_roles import ObjectRoles
from activesynth.config.settings import SECRETS, Settings

_TELLING = ("password", "passwd", "secret", "token", "key", "signature")


def secrets_of_environment() -> Iterator[str]:
    """Yield the values of all secret variables, from the environment and from secret files.

    They are read as they stand, so that also what is refused as a setting is known.
    """
    given = {name.upper(): value for name, value in os.environ.items()}
    folder = given.get(SECRETS)
    for variable in _secret_variables():
        yield from _parts(given.get(variable, ""))
        if folder:
            yield from _parts(_file(Path(folder) / variable.lower()))
    for name, value in given.items():
        if name.startswith("ACTIVESYNTH_") and "://" in value:
            yield from passwords_in(value)


def secrets_of(settings: Settings) -> Iterator[str]:
    """Yield the values of all secrets of ``settings``, and passwords inside of addresses."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            yield from _parts(value.get_secret_value())
        elif isinstance(value, str) and "://" in value:
            yield from passwords_in(value)


def passwords_in(address: str) -> Iterator[str]:
    """Yield what an address holds that is secret: its password, and telling query values."""
    rest = address.partition("://")[2]
    login = rest.partition("?")[0].rpartition("@")[0]
    password = login.partition(":")[2]
    if password:
        yield from (password, unquote(password))
    try:
        query = parse_qsl(urlsplit(address).query)
    except ValueError:
        return
    for name, value in query:
        if any(word in name.lower() for word in _TELLING):
            yield value


def _secret_variables() -> Iterator[str]:
    kinds: tuple[type[BaseSettings], ...] = (Settings, ObjectRoles)
    for kind in kinds:
        prefix = str(kind.model_config.get("env_prefix", ""))
        for name, field in kind.model_fields.items():
            if field.annotation is SecretStr or SecretStr in get_args(field.annotation):
                yield f"{prefix}{name}".upper()


def _parts(value: str) -> Iterator[str]:
    yield value
    if "://" in value:
        yield from passwords_in(value)


def _file(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
