"""What goes wrong with an S3 server, sorted by who has to act."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError

from activesynth.domain.collection import CLOCKS_MAY_DIFFER
from activesynth.errors import (
    ActiveSynthError,
    ConfigurationError,
    PlatformStateError,
    TransientError,
)

ABSENT = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchObject", "ResourceNotFound"})
"""Codes that say that a blob, or the whole bucket, is not there."""

FAILURES = (MinioException, HTTPError)
"""Everything the client raises about the server; ``ValueError`` is about our own arguments."""

_PASSING = frozenset(
    {
        "InternalError",
        "OperationAborted",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "SlowDownRead",
        "SlowDownWrite",
        "Throttling",
        "XMinioServerNotInitialized",
    }
)


_FULL = frozenset(
    {
        "InsufficientStorage",
        "QuotaExceeded",
        "XMinioAdminBucketQuotaExceeded",
        "XMinioStorageFull",
    }
)
"""Codes of a server that has no room, or grants this bucket none."""

_DAMAGED_ON_THE_WAY = frozenset({"BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch"})
"""Codes of a 400 that tells of our bytes as they arrived, not of what we asked for."""


def code_of(error: Exception) -> str:
    """Return the S3 error code, or an empty text for errors that carry none."""
    return (error.code or "") if isinstance(error, S3Error) else ""


def explained(error: Exception, place: str) -> ActiveSynthError:
    """Return our error for a failure of the server at ``place`` (endpoint and bucket)."""
    if isinstance(error, S3Error) and error.code in _FULL:
        return PlatformStateError(
            f"object store {place} is full ({_summary(error)}); free space or raise the bucket's "
            "quota, then run again.",
            reason="store_full",
            field="ACTIVESYNTH_OBJECTS_URL",
        )
    if _is_passing(error):
        return no_answer(place, _summary(error))
    if isinstance(error, S3Error):
        wrong = wrong_clock(place, getattr(error.response, "headers", None) or {})
        if wrong is not None or error.code == "RequestTimeTooSkewed":
            return wrong or _clock_error(place, "further than the server allows")
    return ConfigurationError(
        f"object store {place} refused the request ({_summary(error)}); check "
        "ACTIVESYNTH_OBJECTS_URL, ACTIVESYNTH_S3_ENDPOINT, ACTIVESYNTH_S3_ACCESS_KEY, "
        "ACTIVESYNTH_S3_SECRET_KEY, ACTIVESYNTH_S3_SECURE and ACTIVESYNTH_S3_REGION.",
        reason="store_refused",
        field="ACTIVESYNTH_S3_ACCESS_KEY",
    )


def no_answer(place: str, summary: str) -> TransientError:
    """Return the error for a server that did not answer, or not as it should."""
    return TransientError(
        f"object store {place} did not answer ({summary}); the task is tried again.",
        reason="no_store",
        field="ACTIVESYNTH_S3_ENDPOINT",
    )


def wrong_clock(place: str, headers: Mapping[str, str]) -> PlatformStateError | None:
    """Return the error for a clock too far from that of a server that refused, or None.

    The answer's own ``Date`` tells: an answer to HEAD carries no code.
    """
    try:
        told = parsedate_to_datetime(headers.get("Date") or "")
    except ValueError:
        return None
    ahead = datetime.now(UTC) - told.replace(tzinfo=told.tzinfo or UTC)
    if abs(ahead) < CLOCKS_MAY_DIFFER:
        return None
    minutes = abs(ahead).total_seconds() / 60
    return _clock_error(place, f"{minutes:.0f} minutes {'ahead' if ahead > -ahead else 'behind'}")


def _clock_error(place: str, apart: str) -> PlatformStateError:
    return PlatformStateError(
        f"object store {place} refused the request, for the clock of this machine is {apart} of "
        "the server's; let both follow a time server (`timedatectl set-ntp true`), then run again.",
        reason="clock_wrong",
        field="ACTIVESYNTH_S3_ENDPOINT",
    )


def denied_removal(place: str, headers: Mapping[str, str]) -> ActiveSynthError:
    """Return the error for keys that may not delete, or a clock too far from the server's."""
    return wrong_clock(place, headers) or ConfigurationError(
        f"object store {place} refused to remove a blob; only the collector's keys may "
        "(ACTIVESYNTH_S3_COLLECTOR_ACCESS_KEY, ACTIVESYNTH_S3_COLLECTOR_SECRET_KEY).",
        reason="store_refused",
        field="ACTIVESYNTH_S3_COLLECTOR_ACCESS_KEY",
    )


def _is_passing(error: Exception) -> bool:
    if isinstance(error, S3Error):
        status = getattr(error.response, "status", 0) or 0
        return error.code in _PASSING | _DAMAGED_ON_THE_WAY or status >= 500 or status == 429
    if isinstance(error, InvalidResponseError):
        # No S3 server speaks like this: a proxy in trouble, or an address that is something else.
        return int(getattr(error, "_code", 500)) >= 500
    return isinstance(error, (ServerError, HTTPError))


def _summary(error: Exception) -> str:
    """Name the failure without the request, whose headers hold the signature."""
    if isinstance(error, S3Error):
        return f"{error.code}: {error.message}"
    return f"{type(error).__name__}: {str(error)[:200]}"
