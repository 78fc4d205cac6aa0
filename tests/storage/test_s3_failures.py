"""What a task sees when the S3 server is away, slow, or refuses."""

from __future__ import annotations

import io
import json
import socket
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest
from minio.error import S3Error

from activesynth.domain.canonical import sha256
from activesynth.domain.effects import Unwatched
from activesynth.errors import ConfigurationError, TransientError
from activesynth.storage.s3 import Bucket, S3ObjectStore
from disturbed_relay import DisturbedRelay
from raw_stores import s3_store
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


def test_a_bucket_that_forbids_reading_is_the_operators_to_correct(s3_server: S3Server) -> None:
    name = f"t-{uuid.uuid4().hex[:12]}"
    store, raw = s3_store(s3_server, name)
    digest = store.put(b"secret")
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": f"arn:aws:s3:::{name}/*",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    try:
        raw.client.set_bucket_policy(name, json.dumps(policy))
    except S3Error as error:
        if error.code != "NotImplemented":
            raise
        pytest.skip("the S3 server given knows no bucket policies")

    for forbidden in (lambda: store.get(digest), lambda: store.put(b"more")):
        with pytest.raises(ConfigurationError, match=r"refused the request.*AccessDenied"):
            forbidden()


def test_blobs_of_another_prefix_are_no_blobs_of_this_store(s3_server: S3Server) -> None:
    name = f"t-{uuid.uuid4().hex[:12]}"
    store, raw = s3_store(s3_server, name)
    digest = store.put(b"ours")
    elsewhere = replace(raw, prefix="some/prefix-of-others")
    elsewhere.write(sha256(b"theirs"), b"theirs")
    raw.client.put_object(name, "some/prefix/blobs/notes.txt", io.BytesIO(b"x"), 1)

    assert list(store.digests()) == [digest]


@pytest.mark.parametrize("answered", [0, 300, 200_000])
def test_a_request_that_is_cut_anywhere_is_sent_again(s3_server: S3Server, answered: int) -> None:
    data = bytes(range(256)) * 2000
    digest = S3ObjectStore(bucket_on(s3_server, s3_server.endpoint), Unwatched()).put(data)
    with DisturbedRelay(s3_server.endpoint, times=2, after=answered) as proxy:
        patient = S3ObjectStore(bucket_on(s3_server, proxy.endpoint, attempts=3), Unwatched())
        read = patient.get(digest)
    with DisturbedRelay(s3_server.endpoint, times=2, after=answered) as proxy:
        hasty = S3ObjectStore(bucket_on(s3_server, proxy.endpoint, attempts=2), Unwatched())
        with pytest.raises(TransientError, match="did not answer"):
            hasty.get(digest)

    assert read == data


def test_a_put_whose_connection_is_cut_is_sent_again(s3_server: S3Server) -> None:
    data = uuid.uuid4().bytes * 10_000
    with DisturbedRelay(s3_server.endpoint, times=2, after=0) as proxy:
        store = S3ObjectStore(bucket_on(s3_server, proxy.endpoint, attempts=3), Unwatched())
        digest = store.put(data)

    direct = S3ObjectStore(bucket_on(s3_server, s3_server.endpoint), Unwatched())
    assert direct.get(digest) == data


def test_an_answer_flipped_on_the_way_is_read_a_second_time(s3_server: S3Server) -> None:
    data = uuid.uuid4().bytes * 10_000
    digest = S3ObjectStore(bucket_on(s3_server, s3_server.endpoint), Unwatched()).put(data)

    with DisturbedRelay(
        s3_server.endpoint, times=1, after=50_000, disturbance="flipped answer"
    ) as relay:
        store = S3ObjectStore(bucket_on(s3_server, relay.endpoint), Unwatched())
        read = store.get(digest)

    assert relay.disturbed == 1
    assert read == data


def test_an_upload_flipped_on_the_way_is_sent_again_and_never_stored(s3_server: S3Server) -> None:
    data = uuid.uuid4().bytes * 10_000
    direct = S3ObjectStore(bucket_on(s3_server, s3_server.endpoint), Unwatched())

    def flipping() -> DisturbedRelay:
        return DisturbedRelay(
            s3_server.endpoint, times=1, after=50_000, disturbance="flipped request"
        )

    with flipping() as relay:
        hasty = S3ObjectStore(bucket_on(s3_server, relay.endpoint), Unwatched())
        with pytest.raises(TransientError, match="tried again"):
            hasty.put(data)
    was_stored = direct.has(sha256(data))
    with flipping() as relay:
        patient = S3ObjectStore(bucket_on(s3_server, relay.endpoint, attempts=2), Unwatched())
        digest = patient.put(data)

    assert not was_stored
    assert relay.disturbed == 1
    assert direct.get(digest) == data


def bucket_on(server: S3Server, endpoint: str, *, attempts: int = 1) -> Bucket:
    return Bucket(
        endpoint=endpoint,
        name="cut-connections",
        prefix="",
        access_key=server.access_key,
        secret_key=server.secret_key,
        secure=server.secure,
        attempts=attempts,
    )


def test_the_secret_key_is_not_shown_by_repr() -> None:
    assert "very-secret-key" not in repr(make_bucket("127.0.0.1:1"))
