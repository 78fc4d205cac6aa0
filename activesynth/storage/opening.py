"""From settings to the store they name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from activesynth.config.settings import Settings
from activesynth.domain.collection import held_by_nobody
from activesynth.domain.effects import Effects
from activesynth.domain.ports import ObjectStore
from activesynth.errors import ConfigurationError
from activesynth.storage.directory import DirectoryObjectStore

if TYPE_CHECKING:
    from activesynth.storage.s3 import Bucket

Opened = TypeVar("Opened")


def open_store(
    settings: Settings, effects: Effects, hold: Callable[[str], None] = held_by_nobody
) -> ObjectStore:
    """Open the store of ``settings.objects_url``, or ``<home>/objects`` when that is unset.

    Every put calls ``hold`` with the digest before it looks whether the blob is there.

    Raises:
        ConfigurationError: If the address is of another kind, or S3 lacks endpoint or keys or is
            given what is none; names the variable.
    """
    if settings.objects_url is None:
        return DirectoryObjectStore(settings.home / "objects", effects, hold)
    address = _split(settings.objects_url)
    if address.scheme == "file" and address.netloc in ("", "localhost") and address.path:
        return DirectoryObjectStore(Path(unquote(address.path)), effects, hold)
    if address.scheme == "s3" and address.netloc:
        return _open_s3(settings, effects, hold)
    raise ConfigurationError(
        f"ACTIVESYNTH_OBJECTS_URL is {settings.objects_url!r}; it must be file:///folder or "
        "s3://bucket/prefix, or unset for a folder under ACTIVESYNTH_HOME.",
        reason="bad_address",
        field="ACTIVESYNTH_OBJECTS_URL",
    )


def named_bucket(settings: Settings) -> Bucket:
    """Return the bucket that ``settings`` name, with the keys beside it.

    Raises:
        ConfigurationError: If objects do not lie on S3, or endpoint, keys, name or region are
            missing or none; names the variable.
    """
    from minio import Minio
    from minio.helpers import check_bucket_name

    from activesynth.storage.s3 import Bucket

    address = _split(settings.objects_url or "")
    if address.scheme != "s3" or not address.netloc:
        raise ConfigurationError(
            f"ACTIVESYNTH_OBJECTS_URL is {settings.objects_url!r}; it must be s3://bucket/prefix.",
            reason="bad_address",
            field="ACTIVESYNTH_OBJECTS_URL",
        )
    bucket = address.netloc
    endpoint, key, secret = settings.s3_endpoint, settings.s3_access_key, settings.s3_secret_key
    if not endpoint or not key or not secret:
        needed = {
            "ACTIVESYNTH_S3_ENDPOINT": endpoint,
            "ACTIVESYNTH_S3_ACCESS_KEY": key,
            "ACTIVESYNTH_S3_SECRET_KEY": secret,
        }
        absent = [name for name, value in needed.items() if not value]
        raise ConfigurationError(
            f"objects are at {settings.objects_url}, but {', '.join(absent)} is not set; set all "
            f"of {', '.join(needed)}.",
            reason="missing_setting",
            field=absent[0],
        )
    _tried(
        "ACTIVESYNTH_OBJECTS_URL",
        settings.objects_url,
        lambda: check_bucket_name(bucket, strict=True),
        "write s3://bucket/prefix with a name of 3 to 63 lower-case letters, digits and hyphens",
    )
    _tried(
        "ACTIVESYNTH_S3_REGION",
        settings.s3_region,
        lambda: Minio("localhost", region=settings.s3_region),
        "write a region such as us-east-1",
    )
    return Bucket(
        endpoint=endpoint,
        name=bucket,
        prefix=unquote(address.path).strip("/"),
        access_key=key.get_secret_value(),
        secret_key=secret.get_secret_value(),
        secure=settings.s3_secure,
        region=settings.s3_region,
        timeout=settings.s3_timeout_seconds,
        attempts=settings.s3_attempts,
    )


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # brackets that stay open
        return urlsplit("")


def _open_s3(settings: Settings, effects: Effects, hold: Callable[[str], None]) -> ObjectStore:
    # The client costs a fifth of a second to import, which a folder store should not pay.
    from activesynth.storage.s3 import S3ObjectStore

    described = named_bucket(settings)
    return _tried(
        "ACTIVESYNTH_S3_ENDPOINT",
        described.endpoint,
        lambda: S3ObjectStore(described, effects, hold=hold),
        "write host:port, and say by ACTIVESYNTH_S3_SECURE whether it speaks TLS",
    )


def _tried(variable: str, value: object, attempt: Callable[[], Opened], advice: str) -> Opened:
    """Return what ``attempt`` returns; what the client complains about is ``variable``."""
    try:
        return attempt()
    except ValueError as error:
        raise ConfigurationError(
            f"{variable} is {value!r}: {error}; {advice}.", reason="bad_address", field=variable
        ) from error
