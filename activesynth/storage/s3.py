"""Blobs in a bucket of any S3 server.

No request is conditional: blobs are addressed by their content, so a repeated put writes the
same bytes, and Postgres alone decides races.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TypeVar

import certifi
import urllib3
from minio import Minio
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from urllib3.exceptions import HTTPError

from activesynth.domain.canonical import sha256
from activesynth.domain.collection import StoredBlob, held_by_nobody
from activesynth.domain.effects import Effects, watched
from activesynth.errors import CorruptArtifactError, TransientError
from activesynth.storage.addresses import (
    PIECE_BYTES,
    blob_key,
    is_digest,
    missing,
    remaining,
    verified,
    verified_size,
)
from activesynth.storage.s3_errors import (
    ABSENT,
    FAILURES,
    code_of,
    denied_removal,
    explained,
    no_answer,
)

PART_BYTES = 64 << 20
"""Above this size a blob goes up in parts; shards are about this large."""

PAGE_KEYS = 1000
"""How many keys S3 lists in one answer at most."""

_ALREADY_THERE = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where the blobs lie and how to get in; ``secret_key`` stays out of ``repr``.

    ``timeout`` is in seconds, for connecting and for each read; ``attempts`` counts tries of one
    request, the first included.
    """

    endpoint: str
    name: str
    prefix: str
    access_key: str
    secret_key: str = field(repr=False)
    secure: bool = True
    region: str = "us-east-1"
    timeout: float = 10.0
    attempts: int = 4


class S3ObjectStore:
    """Keeps each blob under ``<prefix>/blobs/<aa>/<sha256>``; the first put makes the bucket."""

    def __init__(
        self,
        bucket: Bucket,
        effects: Effects,
        *,
        hold: Callable[[str], None] = held_by_nobody,
        part_bytes: int = PART_BYTES,
        page_keys: int = PAGE_KEYS,
    ) -> None:
        """Prepare the client; nothing is sent before the first request.

        Each put calls ``hold`` before it looks whether the blob is there.
        """
        self._hold = hold
        self._bucket = bucket
        self._effects = effects
        self._part_bytes = part_bytes
        self._page_keys = page_keys
        self._place = f"{bucket.endpoint}/{bucket.name}"
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=bucket.timeout, read=bucket.timeout),
            # Retrying is done once, by tenacity around whole requests.
            retries=urllib3.Retry(total=0, redirect=0),
            cert_reqs="CERT_REQUIRED",
            ca_certs=os.environ.get("SSL_CERT_FILE") or certifi.where(),
        )
        self._client = Minio(
            bucket.endpoint,
            access_key=bucket.access_key,
            secret_key=bucket.secret_key,
            secure=bucket.secure,
            region=bucket.region,
            http_client=self._pool,
        )

    def put(self, data: bytes) -> str:
        """Store ``data`` and return its digest; a blob that the server knows to differ is replaced.

        Size and etag tell whether it differs. A server whose etags are no MD5 (some that encrypt)
        gets the bytes again, which is harmless.

        Raises:
            TransientError: If the server did not answer in all attempts.
            ConfigurationError: If it refused keys or bucket.
            CorruptArtifactError: If it stored another number of bytes than were sent.
        """
        digest = sha256(data)
        self._hold(digest)
        stored = self._stat(digest)
        if stored is None or stored != (len(data), etag_of(data, self._part_bytes)):
            with watched(self._effects, "blob.put", digest):
                self._request(lambda: self._upload(digest, data))
        return digest

    def get(self, digest: str) -> bytes:
        """Return the verified bytes; see :class:`activesynth.domain.ports.ObjectStore`."""
        data = self._request(lambda: self._download(digest), digest)
        if sha256(data) != digest:
            # Damaged on the way or where it lies: a second read tells.
            data = self._request(lambda: self._download(digest), digest)
        return verified(data, digest, self._place)

    def has(self, digest: str) -> bool:
        """Tell whether the blob is there."""
        return is_digest(digest) and self._stat(digest) is not None

    def digests(self) -> Iterator[str]:
        """List every blob under the prefix, page by page; a bucket that is not there holds none."""
        return (blob.digest for blob in self.listed())

    def listed(self) -> Iterator[StoredBlob]:
        """List every blob with its size and the time it was last written, page by page."""
        page = self._request(partial(self._page, None))
        while page:
            for key, size, modified in page:
                digest = key.rpartition("/")[2]
                if is_digest(digest):
                    yield StoredBlob(digest, size, modified)
            page = self._request(partial(self._page, page[-1][0]))

    def delete(self, digest: str, *, before: datetime) -> None:
        """Remove a blob, by a request that the server refuses once ``before`` has passed.

        A collector that was paused between asking and sending, or a proxy that holds the request
        back, thus cannot remove what somebody has put again meanwhile.
        """
        with watched(self._effects, "blob.delete", digest):
            self._request(lambda: self._remove(digest, before))

    def size(self, digest: str) -> int:
        """Return the size in bytes."""
        stored = self._stat(digest)
        if stored is None:
            raise missing(digest, self._place)
        return stored[0]

    def check(self, digest: str) -> int:
        """Return the size of a blob whose bytes have the digest, reading piece by piece."""
        try:
            return self._request(lambda: self._compare(digest), digest)
        except CorruptArtifactError:  # on the way or where it lies: a second read tells
            return self._request(lambda: self._compare(digest), digest)

    def _key(self, digest: str) -> str:
        return "/".join(part for part in (self._bucket.prefix, blob_key(digest)) if part)

    def _stat(self, digest: str) -> tuple[int, str] | None:
        """Return size and etag, or None where there is no such blob."""
        key = self._key(digest)

        def stat() -> tuple[int, str] | None:
            try:
                found = self._client.stat_object(self._bucket.name, key)
                return found.size or 0, (found.etag or "").strip('"')
            except FAILURES as error:
                if code_of(error) in ABSENT:
                    return None
                raise

        return self._request(stat)

    def _upload(self, digest: str, data: bytes) -> None:
        try:
            self._send(digest, data)
        except FAILURES as error:
            if code_of(error) != "NoSuchBucket":
                raise
            self._make_bucket()
            self._send(digest, data)

    def _send(self, digest: str, data: bytes) -> None:
        key = self._key(digest)
        self._client.put_object(
            self._bucket.name, key, io.BytesIO(data), len(data), part_size=self._part_bytes
        )
        # What a multipart put returns is not trustworthy on every server; what lies there is.
        found = self._client.stat_object(self._bucket.name, key).size
        if found != len(data):
            raise CorruptArtifactError(
                f"{self._place} stored {found} of {len(data)} bytes of blob {digest}; "
                "run the step again, and check the server if this repeats."
            )

    def _make_bucket(self) -> None:
        try:
            self._client.make_bucket(self._bucket.name, self._bucket.region)
        except FAILURES as error:
            if code_of(error) not in _ALREADY_THERE:
                raise

    def _download(self, digest: str) -> bytes:
        response = self._client.get_object(self._bucket.name, self._key(digest))
        try:
            return response.read()
        finally:
            response.close()
            response.release_conn()

    def _compare(self, digest: str) -> int:
        response = self._client.get_object(self._bucket.name, self._key(digest))
        try:
            return verified_size(response.stream(PIECE_BYTES), digest, self._place)
        finally:
            response.close()
            response.release_conn()

    def _remove(self, digest: str, before: datetime) -> None:
        now, left = remaining(before, digest)
        url = self._client.get_presigned_url(
            "DELETE", self._bucket.name, self._key(digest), expires=left, request_date=now
        )
        try:
            answer = self._pool.request("DELETE", url)
        except HTTPError as error:
            # Its text holds the address, and that the signature.
            raise no_answer(self._place, type(error).__name__) from None
        status = answer.status
        if status == 403:
            raise denied_removal(self._place, answer.headers)
        if status >= 300 and status != 404:
            raise no_answer(self._place, f"status {status} to a removal")

    def _page(self, after: str | None) -> list[tuple[str, int, datetime]]:
        """Return key, size and time of what follows ``after``, as much as one answer holds."""
        prefix = "/".join(part for part in (self._bucket.prefix, "blobs/") if part)
        try:
            found = self._client.list_objects(
                self._bucket.name, prefix=prefix, recursive=True, start_after=after
            )
            return [
                (e.object_name or "", e.size or 0, e.last_modified or datetime.now(UTC))
                for e in islice(found, self._page_keys)
            ]
        except FAILURES as error:
            if code_of(error) == "NoSuchBucket":
                return []
            raise

    def _request(self, send: Callable[[], _T], digest: str | None = None) -> _T:
        """Send with retries, turning the client's exceptions into ours."""

        def attempt() -> _T:
            try:
                return send()
            except FAILURES as error:
                if digest is not None and code_of(error) in ABSENT:
                    raise missing(digest, self._place) from error
                raise explained(error, self._place) from error

        retrying = Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=stop_after_attempt(self._bucket.attempts),
            wait=wait_random_exponential(multiplier=0.1, max=5.0),
            reraise=True,
        )
        return retrying(attempt)


def etag_of(data: bytes, part_bytes: int) -> str:
    """Return the etag S3 gives: MD5 of the bytes, or of the parts' MD5s and how many there are."""
    if len(data) <= part_bytes:
        return hashlib.md5(data, usedforsecurity=False).hexdigest()
    view = memoryview(data)
    parts = [
        hashlib.md5(view[start : start + part_bytes], usedforsecurity=False).digest()
        for start in range(0, len(data), part_bytes)
    ]
    whole = hashlib.md5(b"".join(parts), usedforsecurity=False).hexdigest()
    return f"{whole}-{len(parts)}"
