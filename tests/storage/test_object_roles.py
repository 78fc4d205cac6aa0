"""Who may do what in the bucket, asked of a real S3 server that checks signatures and policies."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from minio import Minio
from minio.error import S3Error
from urllib3 import PoolManager

from activesynth.config.object_roles import ROLES, ObjectRoles, Role
from activesynth.domain.effects import Unwatched
from activesynth.errors import ConfigurationError
from activesynth.storage.roles import prepare
from activesynth.storage.s3 import Bucket, S3ObjectStore
from s3_fixtures import CephGateway, S3Server

SMALL_PARTS = 5 << 20


def bucket_of(server: S3Server, name: str, prefix: str = "team") -> Bucket:
    return Bucket(
        endpoint=server.endpoint,
        name=name,
        prefix=prefix,
        access_key=server.access_key,
        secret_key=server.secret_key,
        secure=server.secure,
        attempts=2,
    )


@pytest.fixture(scope="module")
def users(ceph_gateway: CephGateway) -> Mapping[Role, S3Server]:
    return {role: ceph_gateway.add_user(role) for role in ROLES}


@pytest.fixture(scope="module")
def prepared(ceph_gateway: CephGateway, users: Mapping[Role, S3Server]) -> Bucket:
    bucket = bucket_of(ceph_gateway.server, f"roles-{uuid.uuid4().hex[:8]}")
    prepare(bucket, ObjectRoles(users="policy"))
    return bucket


def clients(server: S3Server, bucket: Bucket) -> tuple[Minio, S3ObjectStore]:
    raw = Minio(
        server.endpoint,
        access_key=server.access_key,
        secret_key=server.secret_key,
        secure=server.secure,
    )
    signed = replace(bucket, access_key=server.access_key, secret_key=server.secret_key)
    return raw, S3ObjectStore(signed, Unwatched(), part_bytes=SMALL_PARTS)


def refused(request: Callable[..., Any], *arguments: Any) -> bool:
    try:
        request(*arguments)
    except (S3Error, ConfigurationError) as error:
        if "AccessDenied" not in str(error):
            raise
        return True
    return False


def keys_listed(client: Minio, bucket: str) -> list[str | None]:
    return [entry.object_name for entry in client.list_objects(bucket)]


@pytest.mark.parametrize(
    ("role", "writes", "deletes"),
    [("worker", True, False), ("web", False, False), ("collector", False, True)],
)
def test_a_role_can_do_what_it_needs_and_nothing_more(
    prepared: Bucket,
    users: Mapping[Role, S3Server],
    ceph_gateway: CephGateway,
    role: Role,
    writes: bool,
    deletes: bool,
) -> None:
    _, owner = clients(ceph_gateway.server, prepared)
    known = owner.put(f"known to {role}".encode())
    raw, store = clients(users[role], prepared)
    key = f"{prepared.prefix}/blobs/{known[:2]}/{known}"

    assert store.get(known) == f"known to {role}".encode()
    assert known in set(store.digests())
    assert refused(store.put, f"new from {role}".encode()) is not writes
    assert refused(raw.set_bucket_policy, prepared.name, "{}")
    assert refused(raw.remove_object, prepared.name, key) is not deletes
    assert owner.has(known) is not deletes


def test_only_the_collector_removes_by_a_request_that_expires(
    prepared: Bucket, users: Mapping[Role, S3Server], ceph_gateway: CephGateway
) -> None:
    _, owner = clients(ceph_gateway.server, prepared)
    known = owner.put(b"nobody needs this")
    soon = datetime.now(UTC) + timedelta(minutes=1)

    for role in ("worker", "web"):
        with pytest.raises(ConfigurationError, match="ACTIVESYNTH_S3_COLLECTOR_ACCESS_KEY") as told:
            clients(users[role], prepared)[1].delete(known, before=soon)
        assert "Signature" not in str(told.value)
    assert owner.has(known)
    clients(users["collector"], prepared)[1].delete(known, before=soon)
    assert not owner.has(known)


def test_the_server_itself_refuses_a_removal_that_was_held_back(
    prepared: Bucket, users: Mapping[Role, S3Server], ceph_gateway: CephGateway
) -> None:
    _, owner = clients(ceph_gateway.server, prepared)
    known = owner.put(b"put again while its removal was on the way")
    raw, _ = clients(users["collector"], prepared)
    key = f"{prepared.prefix}/blobs/{known[:2]}/{known}"
    signed = datetime.now(UTC) - timedelta(seconds=90)
    minute = timedelta(minutes=1)
    late = raw.get_presigned_url("DELETE", prepared.name, key, minute, request_date=signed)

    status = PoolManager().request("DELETE", late).status

    assert status == 403
    assert owner.has(known)


def test_a_worker_may_put_a_blob_in_parts(prepared: Bucket, users: Mapping[Role, S3Server]) -> None:
    _, store = clients(users["worker"], prepared)
    data = bytes(range(256)) * (SMALL_PARTS // 256 * 2)

    assert store.get(store.put(data)) == data


def test_nobody_leaves_the_prefix(
    prepared: Bucket, users: Mapping[Role, S3Server], ceph_gateway: CephGateway
) -> None:
    outside = replace(prepared, prefix="another")
    _, owner = clients(ceph_gateway.server, outside)
    foreign = owner.put(b"of another team")
    key = f"another/blobs/{foreign[:2]}/{foreign}"

    for role in ROLES:
        raw, store = clients(users[role], outside)
        assert refused(store.get, foreign), role
        assert refused(raw.remove_object, prepared.name, key), role


def test_strangers_and_the_anonymous_get_nothing(
    prepared: Bucket, ceph_gateway: CephGateway
) -> None:
    _, owner = clients(ceph_gateway.server, prepared)
    known = owner.put(b"not for strangers")
    stranger = ceph_gateway.add_user(f"stranger-{uuid.uuid4().hex[:6]}")
    raw, store = clients(stranger, prepared)
    anonymous = Minio(stranger.endpoint, secure=False)
    key = f"{prepared.prefix}/blobs/{known[:2]}/{known}"

    assert refused(store.get, known)
    assert refused(store.put, b"from a stranger")
    for client in (raw, anonymous):
        assert refused(client.get_object, prepared.name, key)
        assert refused(keys_listed, client, prepared.name)


def test_preparing_twice_changes_nothing(prepared: Bucket, ceph_gateway: CephGateway) -> None:
    raw, _ = clients(ceph_gateway.server, prepared)
    before = raw.get_bucket_policy(prepared.name)

    assert prepare(prepared, ObjectRoles(users="policy"))[0] == f"bucket {prepared.name} is there."
    assert raw.get_bucket_policy(prepared.name) == before


def test_missing_keys_are_named_before_anything_is_sent() -> None:

    with pytest.raises(ConfigurationError, match="ACTIVESYNTH_S3_WORKER_ACCESS_KEY is not set"):
        ObjectRoles(users="minio").keys("worker")


def test_a_server_that_is_no_minio_is_told_apart(ceph_gateway: CephGateway) -> None:
    bucket = bucket_of(ceph_gateway.server, f"roles-{uuid.uuid4().hex[:8]}")
    keys = {
        f"{role}_{kind}_key": f"some-{role}-key" for role in ROLES for kind in ("access", "secret")
    }

    with pytest.raises(ConfigurationError, match="is it a MinIO"):
        prepare(bucket, ObjectRoles(users="minio", **keys))  # type: ignore[arg-type]
