"""Try every door of a running Compose stack without a key, and with the key of another door.

    docker compose run --rm --no-deps --user 0 --entrypoint python \\
      --volume $PWD/tests/deployment:/probes:ro --volume $PWD/docker/secrets:/all:ro \\
      cli /probes/stack_probes.py

Prints one line per attempt, and ends with 1 if one of them got in. The container is on every
internal network, where nothing but passwords and rights stands between it and the services.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

SECRETS = Path("/all")
BUCKET = "activesynth"
API = "http://api-server:8080"
OPEN_PORTS = {
    "postgres": {5432},
    "redis": {6379},
    "minio": {9000},
    "api-server": {8080},
    "scheduler": set(),
    "dag-processor": set(),
    "triggerer": set(),
    "worker": set(),
}


@dataclass(frozen=True, slots=True)
class Probe:
    """One attempt that must fail; ``attempt`` returns what it got, or raises."""

    door: str
    what: str
    attempt: Callable[[], Any]
    told: tuple[str, ...]


def secret(name: str) -> str:
    return (SECRETS / name).read_text().strip()


def postgres_probes() -> Iterator[Probe]:
    import psycopg2

    def ask(user: str, password: str, database: str, statement: str = "SELECT 1") -> Any:
        connection = psycopg2.connect(
            host="postgres", user=user, password=password, dbname=database, connect_timeout=5
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.statusmessage

    worker, reader = secret("activesynth_password"), secret("activesynth_reader_password")
    airflow = secret("airflow_password")
    strangers: list[tuple[str, str, str]] = [
        ("activesynth", "", "activesynth"),
        ("activesynth", "wrong", "activesynth"),
        ("postgres", "", "postgres"),
        ("postgres", secret("postgres_password"), "postgres"),  # from inside only
        ("airflow", airflow, "activesynth"),
        ("airflow", airflow, "postgres"),
        ("activesynth", worker, "airflow"),
        ("activesynth_reader", reader, "airflow"),
        ("activesynth_reader", worker, "activesynth"),
        ("nobody", "x", "activesynth"),
    ]
    for user, password, database in strangers:
        yield Probe(
            "postgres",
            f"{user} with {'a' if password else 'no'} password into {database}",
            partial(ask, user, password, database),
            ("no password supplied", "password authentication failed", "no pg_hba.conf entry"),
        )
    forbidden = [
        ("activesynth", worker, "DROP TABLE activesynth.dataset_versions"),
        ("activesynth", worker, "CREATE TABLE activesynth.mine (x int)"),
        ("activesynth", worker, "ALTER TABLE activesynth.models ADD mine int"),
        ("activesynth", worker, "TRUNCATE activesynth.annotations"),
        ("activesynth", worker, "SELECT * FROM pg_authid"),
        ("activesynth", worker, "COPY (SELECT 1) TO PROGRAM 'id'"),
        ("activesynth", worker, "CREATE ROLE other SUPERUSER"),
        ("activesynth_reader", reader, "UPDATE activesynth.metrics SET value = 1"),
        ("activesynth_reader", reader, "DELETE FROM activesynth.annotations"),
        ("activesynth_reader", reader, "INSERT INTO activesynth.outbox DEFAULT VALUES"),
        ("activesynth_reader", reader, "CREATE TEMPORARY TABLE mine (x int)"),
    ]
    for user, password, statement in forbidden:
        yield Probe(
            "postgres",
            f"{user}: {statement}",
            partial(ask, user, password, "activesynth", statement),
            ("permission denied", "must be owner", "must be superuser"),
        )


def redis_probes() -> Iterator[Probe]:
    import redis

    password = secret("redis_password")

    def ask(user: str | None, given: str | None, *command: str) -> Any:
        client = redis.Redis("redis", username=user, password=given, socket_timeout=5)
        return client.execute_command(*command)

    refusals = (
        *("Authentication required", "already authenticated", "NOPERM", "no permissions"),
        *("WRONGPASS", "invalid user", "command not allowed"),
    )
    strangers: list[tuple[str | None, str | None]] = [
        (None, None),
        (None, password),
        ("celery", "wrong"),
        ("default", "wrong"),
    ]
    for user, given in strangers:
        yield Probe(
            "redis",
            f"PING as {user or 'nobody'} with {'a' if given else 'no'} password",
            partial(ask, user, given, "PING"),
            refusals,
        )
    for command in (
        ("CONFIG", "GET", "*"),
        ("CONFIG", "SET", "dir", "/tmp"),
        ("ACL", "LIST"),
        ("FLUSHALL",),
        ("DEBUG", "SLEEP", "0"),
        ("SHUTDOWN", "NOSAVE"),
        ("REPLICAOF", "postgres", "5432"),
        ("MODULE", "LOAD", "/tmp/x.so"),
    ):
        yield Probe(
            "redis",
            f"{' '.join(command)} as celery",
            partial(ask, "celery", password, *command),
            refusals,
        )


def bucket_probes() -> Iterator[Probe]:
    import io

    from minio import Minio

    def client(role: str | None, wrong: bool = False) -> Minio:
        if role is None:
            return Minio("minio:9000", secure=False, region="us-east-1")
        key = "0" * 40 if wrong else secret(f"s3_{role}_secret_key")
        return Minio(
            "minio:9000",
            access_key=secret(f"s3_{role}_access_key"),
            secret_key=key,
            secure=False,
            region="us-east-1",
        )

    blobs = client("worker").list_objects(BUCKET, recursive=True)
    known = str(next(iter(blobs)).object_name)
    refusals = ("AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId")

    def put(role: str | None, wrong: bool = False) -> Any:
        return client(role, wrong).put_object(BUCKET, "blobs/zz/probe", io.BytesIO(b"x"), 1)

    attempts: list[tuple[str, Callable[[], Any]]] = [
        ("nobody lists", lambda: list(client(None).list_objects(BUCKET))),
        ("nobody reads", lambda: client(None).get_object(BUCKET, known)),
        ("nobody writes", lambda: put(None)),
        (
            "worker with another's key lists",
            lambda: list(client("worker", True).list_objects(BUCKET)),
        ),
        ("worker deletes", lambda: client("worker").remove_object(BUCKET, known)),
        ("worker sets the policy", lambda: client("worker").set_bucket_policy(BUCKET, "{}")),
        ("worker removes the bucket", lambda: client("worker").remove_bucket(BUCKET)),
        ("web writes", lambda: put("web")),
        ("web deletes", lambda: client("web").remove_object(BUCKET, known)),
        ("collector writes", lambda: put("collector")),
        (
            "collector makes a bucket's policy",
            lambda: client("collector").delete_bucket_policy(BUCKET),
        ),
    ]
    for what, attempt in attempts:
        yield Probe("bucket", what, attempt, refusals)


def api_probes() -> Iterator[Probe]:
    def ask(method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{API}{path}", method=method, data=data, headers=headers)
        with urlopen(request, timeout=10) as answer:
            return answer.read()[:100]

    # Signed by nobody: {"alg": "none"} and an administrator's name.
    forged = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIiwiYXVkIjoiYXBhY2hlLWFpcmZsb3cifQ."
    for method, path, body, token in (
        ("GET", "/api/v2/dags", None, None),
        ("GET", "/api/v2/connections", None, None),
        ("GET", "/api/v2/variables", None, None),
        ("GET", "/api/v2/config", None, None),
        ("GET", "/api/v2/dags", None, forged),
        ("GET", "/api/v2/dags", None, secret("jwt_secret")),
        ("POST", "/api/v2/dags/active_synthesis/dagRuns", {"conf": {}}, None),
        ("POST", "/auth/token", {"username": "admin", "password": "admin"}, None),
        ("POST", "/auth/token", {"username": "admin", "password": "airflow"}, None),
        ("GET", "/execution/variables/x", None, None),
        ("GET", "/execution/connections/x", None, forged),
    ):
        with_token = " with a forged token" if token else ""
        yield Probe(
            "api",
            f"{method} {path}{with_token}",
            partial(ask, method, path, body, token),
            ("401", "403"),
        )


def port_probes() -> Iterator[Probe]:
    def is_open(host: str, port: int) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            return probe.connect_ex((host, port)) == 0

    def unexpected(host: str) -> list[int]:
        try:
            address = socket.gethostbyname(host)
        except OSError:
            raise ConnectionError("not reachable from here: none") from None
        with ThreadPoolExecutor(64) as pool:
            ports = range(1, 10_001)
            found = [
                port
                for port, listens in zip(
                    ports, pool.map(lambda port: is_open(address, port), ports), strict=True
                )
                if listens
            ]
        surplus = sorted(set(found) - OPEN_PORTS[host])
        if not surplus:
            raise ConnectionError(f"open: {found or 'none'}, none besides")
        return surplus

    for host in OPEN_PORTS:
        yield Probe("ports", host, partial(unexpected, host), ("none",))


def outcome(probe: Probe) -> tuple[bool, str]:
    """Return whether the attempt failed for a reason that is a refusal, and its last words."""
    try:
        got = probe.attempt()
    except HTTPError as error:
        told = f"{error.code} {error.reason}"
    except Exception as error:  # whatever it is, it is judged by its words
        told = " ".join(str(error).split())
    else:
        return False, f"GOT IN: {got!r}"
    return any(word in told for word in probe.told), told


def main() -> int:
    """Run all probes; return 1 if one got in or ended in an unknown way."""
    failed = 0
    tried = 0
    for probes in (postgres_probes, redis_probes, bucket_probes, api_probes, port_probes):
        for probe in probes():
            is_refused, told = outcome(probe)
            tried += 1
            failed += not is_refused
            word = "refused" if is_refused else "FAILED "
            print(f"{word} {probe.door:9} {probe.what}: {told[:110]}")
    print(f"{tried} attempts, {failed} that were not refused")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
