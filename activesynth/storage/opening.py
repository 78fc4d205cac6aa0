"""From settings to the store they name."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from activesynth.config.settings import Settings
from activesynth.domain.effects import Effects
from activesynth.domain.ports import ObjectStore
from activesynth.errors import ConfigurationError
from activesynth.storage.directory import DirectoryObjectStore


def open_store(settings: Settings, effects: Effects) -> ObjectStore:
    """Open the store of ``settings.objects_url``, or ``<home>/objects`` when that is unset.

    Raises:
        ConfigurationError: If the address is of another kind, or S3 lacks endpoint or keys.
    """
    if settings.objects_url is None:
        return DirectoryObjectStore(settings.home / "objects", effects)
    address = urlsplit(settings.objects_url)
    if address.scheme == "file" and address.netloc in ("", "localhost") and address.path:
        return DirectoryObjectStore(Path(unquote(address.path)), effects)
    if address.scheme == "s3" and address.netloc:
        return _open_s3(settings, address.netloc, unquote(address.path).strip("/"), effects)
    raise ConfigurationError(
        f"ACTIVESYNTH_OBJECTS_URL is {settings.objects_url!r}; it must be file:///folder or "
        "s3://bucket/prefix, or unset for a folder under ACTIVESYNTH_HOME."
    )


def _open_s3(settings: Settings, bucket: str, prefix: str, effects: Effects) -> ObjectStore:
    # The client costs a fifth of a second to import, which a folder store should not pay.
    from activesynth.storage.s3 import Bucket, S3ObjectStore

    endpoint, key, secret = settings.s3_endpoint, settings.s3_access_key, settings.s3_secret_key
    if endpoint is None or key is None or secret is None:
        needed = {
            "ACTIVESYNTH_S3_ENDPOINT": endpoint,
            "ACTIVESYNTH_S3_ACCESS_KEY": key,
            "ACTIVESYNTH_S3_SECRET_KEY": secret,
        }
        absent = [name for name, value in needed.items() if value is None]
        raise ConfigurationError(
            f"objects are at s3://{bucket}, but {', '.join(absent)} is not set; set all of "
            f"{', '.join(needed)}."
        )
    try:
        return S3ObjectStore(
            Bucket(
                endpoint=endpoint,
                name=bucket,
                prefix=prefix,
                access_key=key.get_secret_value(),
                secret_key=secret.get_secret_value(),
                secure=settings.s3_secure,
                region=settings.s3_region,
                timeout=settings.s3_timeout_seconds,
                attempts=settings.s3_attempts,
            ),
            effects,
        )
    except ValueError as error:
        raise ConfigurationError(
            f"ACTIVESYNTH_S3_ENDPOINT is {endpoint!r}: {error}; write host:port, and say by "
            "ACTIVESYNTH_S3_SECURE whether it speaks TLS."
        ) from error
