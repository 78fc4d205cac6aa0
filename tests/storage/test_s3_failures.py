"""What a task sees when the S3 server is away, slow, or refuses."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from activesynth.domain.effects import Unwatched
from activesynth.errors import ConfigurationError, TransientError
from activesynth.storage.s3 import Bucket, S3ObjectStore
from s3_fixtures import S3Server


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Return a port that accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def make_bucket(endpoint: str, **changes: float) -> Bucket:
    bucket = Bucket(
        endpoint=endpoint,
        name="some-bucket",
        prefix="",
        access_key="access",
        secret_key="very-secret-key",
        secure=False,
        timeout=0.2,
        attempts=2,
    )
    return replace(bucket, **changes)  # type: ignore[arg-type]


def test_a_server_that_refuses_connections_is_a_passing_failure() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{unused.getsockname()[1]}"
    store = S3ObjectStore(make_bucket(endpoint), Unwatched())

    with pytest.raises(TransientError, match=endpoint):
        store.put(b"x")


def test_a_server_that_never_answers_costs_its_timeout_per_attempt(silent_port: int) -> None:
    store = S3ObjectStore(make_bucket(f"127.0.0.1:{silent_port}"), Unwatched())
    start = time.monotonic()

    with pytest.raises(TransientError, match="did not answer"):
        store.get("0" * 64)
    assert time.monotonic() - start < 3.0


def test_wrong_keys_are_the_operators_to_correct_and_stay_out_of_the_message(
    s3_server: S3Server,
) -> None:
    store = S3ObjectStore(make_bucket(s3_server.endpoint, timeout=10.0), Unwatched())

    with pytest.raises(ConfigurationError, match="ACTIVESYNTH_S3_ACCESS_KEY") as caught:
        store.put(b"x")
    assert "very-secret-key" not in str(caught.value)


def test_the_secret_key_is_not_shown_by_repr() -> None:
    assert "very-secret-key" not in repr(make_bucket("127.0.0.1:1"))
