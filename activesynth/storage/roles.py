"""The bucket and who may do what in it.

Workers write and never delete, pages read, the collector deletes.
Rights are statements of S3's policy language, which MinIO attaches to users, and AWS and Ceph take
as the policy of a bucket.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import certifi
import urllib3
from minio import Minio, MinioAdmin
from minio.credentials.providers import StaticProvider
from minio.error import MinioAdminException

from activesynth.config.object_roles import ROLES, Keys, ObjectRoles, Role
from activesynth.errors import ConfigurationError
from activesynth.storage.s3 import Bucket
from activesynth.storage.s3_errors import FAILURES, code_of, explained

_READ = ("s3:GetObject",)
_WRITE = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
OBJECT_RIGHTS: Mapping[Role, tuple[str, ...]] = {
    "worker": (*_READ, *_WRITE),
    "web": _READ,
    "collector": (*_READ, "s3:DeleteObject"),
}
BUCKET_RIGHTS = ("s3:ListBucket", "s3:GetBucketLocation")

_ALREADY_THERE = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})


def prepare(bucket: Bucket, roles: ObjectRoles) -> list[str]:
    """Make the bucket, the users and their rights; running it again changes nothing.

    Args:
        bucket: Where the blobs lie, with the administrator's keys.
        roles: How users come to be, and the keys of those to make.

    Returns:
        What holds now, a sentence each.

    Raises:
        ConfigurationError: If keys are missing or the server refuses.
        TransientError: If the server does not answer.
    """
    place = f"{bucket.endpoint}/{bucket.name}"
    client = _client(bucket)
    try:
        done = [_make_bucket(client, bucket)]
        if roles.users == "minio":
            done += _make_users(bucket, roles)
        elif roles.users == "policy":
            client.set_bucket_policy(bucket.name, json.dumps(bucket_policy(bucket, roles)))
            done.append("the bucket's policy gives each role its rights.")
        else:
            done.append("users and rights are left alone (ACTIVESYNTH_S3_USERS is none).")
    except FAILURES as error:
        raise explained(error, place) from error
    return done


def statements(role: Role, bucket: Bucket) -> list[dict[str, Any]]:
    """Return what ``role`` may do, as statements of a policy without a principal."""
    objects = "/".join(part for part in (bucket.name, bucket.prefix, "*") if part)
    return [
        {
            "Effect": "Allow",
            "Action": list(BUCKET_RIGHTS),
            "Resource": [f"arn:aws:s3:::{bucket.name}"],
        },
        {
            "Effect": "Allow",
            "Action": list(OBJECT_RIGHTS[role]),
            "Resource": [f"arn:aws:s3:::{objects}"],
        },
    ]


def bucket_policy(bucket: Bucket, roles: ObjectRoles) -> dict[str, Any]:
    """Return one policy for the whole bucket, a principal for each role."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {**statement, "Principal": {"AWS": [roles.principal.format(role=role)]}}
            for role in ROLES
            for statement in statements(role, bucket)
        ],
    }


def _make_bucket(client: Minio, bucket: Bucket) -> str:
    # Some servers let the owner make a bucket again and say nothing.
    if client.bucket_exists(bucket.name):
        return f"bucket {bucket.name} is there."
    try:
        client.make_bucket(bucket.name, bucket.region)
    except FAILURES as error:
        if code_of(error) not in _ALREADY_THERE:
            raise
        return f"bucket {bucket.name} is there."
    return f"bucket {bucket.name} was made."


def _make_users(bucket: Bucket, roles: ObjectRoles) -> list[str]:
    keys: dict[Role, Keys] = {role: roles.keys(role) for role in ROLES}
    admin = MinioAdmin(
        endpoint=bucket.endpoint,
        credentials=StaticProvider(bucket.access_key, bucket.secret_key),
        region=bucket.region,
        secure=bucket.secure,
        http_client=_pool(bucket),
    )
    try:
        for role in ROLES:
            policy = {"Version": "2012-10-17", "Statement": statements(role, bucket)}
            name = f"{bucket.name}-{role}"
            admin.policy_add(name, policy=policy)
            admin.user_add(keys[role].access_key, keys[role].secret_key.get_secret_value())
            _attach(admin, name, keys[role].access_key)
    except MinioAdminException as error:
        raise ConfigurationError(
            f"object store {bucket.endpoint} refused to make users ({error}); is it a MinIO, and "
            "are ACTIVESYNTH_S3_ADMIN_ACCESS_KEY and _SECRET_KEY its administrator's? For another "
            "server set ACTIVESYNTH_S3_USERS to policy or none.",
            reason="store_refused",
            field="ACTIVESYNTH_S3_USERS",
        ) from None
    return [f"user {keys[role].access_key} has the rights of {role}." for role in ROLES]


def _attach(admin: MinioAdmin, policy: str, user: str) -> None:
    try:
        admin.attach_policy([policy], user=user)
    except MinioAdminException as error:
        if "XMinioAdminPolicyChangeAlreadyApplied" not in str(error):
            raise


def _client(bucket: Bucket) -> Minio:
    return Minio(
        bucket.endpoint,
        access_key=bucket.access_key,
        secret_key=bucket.secret_key,
        secure=bucket.secure,
        region=bucket.region,
        http_client=_pool(bucket),
    )


def _pool(bucket: Bucket) -> urllib3.PoolManager:
    return urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=bucket.timeout, read=bucket.timeout),
        retries=urllib3.Retry(total=2, redirect=0),
        cert_reqs="CERT_REQUIRED",
        ca_certs=os.environ.get("SSL_CERT_FILE") or certifi.where(),
    )
