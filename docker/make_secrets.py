#!/usr/bin/env python3
"""Make the secrets of the Compose deployment, each in a file of its own; what is there stays.

    python3 docker/make_secrets.py [FOLDER]

Needs nothing but Python. The folder is closed to others; the files in it can be read by
the users inside the containers, whose numbers the host does not know.
"""

from __future__ import annotations

import base64
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

DATABASE = "postgresql+psycopg2://{role}:{password}@postgres:5432/{database}"


def password() -> str:
    """Return 32 random bytes as text that any address, command line or file can hold."""
    return secrets.token_hex(32)


def fernet_key() -> str:
    """Return a key of the form that Fernet takes."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def make(folder: Path) -> list[str]:
    """Write the files that are missing; return their names."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    made: list[str] = []

    def keep(name: str, value: Callable[[], str]) -> str:
        path = folder / name
        if not path.exists():
            partial = folder / f".{name}.partial"
            partial.write_text(value())  # no line end: Airflow takes the whole file
            partial.chmod(0o444)
            partial.replace(path)
            made.append(name)
        return path.read_text().strip()

    keep("postgres_password", password)
    for role, database in (
        ("airflow", "airflow"),
        ("activesynth_owner", "activesynth"),
        ("activesynth", "activesynth"),
        ("activesynth_reader", "activesynth"),
    ):
        chosen = keep(f"{role}_password", password)
        address = DATABASE.format(role=role, password=chosen, database=database)
        keep(f"{role}_database_url", lambda address=address: address)
    chosen = keep("redis_password", password)
    keep("redis_users.acl", lambda: redis_users(chosen))
    keep("celery_broker_url", lambda: f"redis://celery:{chosen}@redis:6379/0")
    keep("celery_result_backend", lambda: f"redis://celery:{chosen}@redis:6379/1")
    keep("fernet_key", fernet_key)
    keep("jwt_secret", password)
    keep("session_key", password)
    keep("admin_password", lambda: secrets.token_urlsafe(18))
    for role in ("admin", "worker", "web", "collector"):
        keep(f"s3_{role}_access_key", lambda role=role: f"activesynth-{role}")
        keep(f"s3_{role}_secret_key", lambda: secrets.token_hex(20))
    return made


def redis_users(chosen: str) -> str:
    """Return Redis's list of users: nobody without a password, Celery without administration."""
    return (
        "user default off resetpass nocommands\n"
        f"user celery on >{chosen} ~* &* +@all -@admin -@dangerous +info"
    )


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "secrets"
    new = make(target)
    print(f"{len(new)} secrets made in {target}; the others were there.")
