"""Databases and stores that are away, half made, or refuse."""

from __future__ import annotations

from bad_inputs.case import RUN, Case, Place, Words

DATABASE = "ACTIVESYNTH_DATABASE_URL"
SHOW = ("show", "campaigns")


def _database(title: str, code: int, reason: str, address: str) -> Case:
    def give(place: Place) -> Words:
        place.campaign()
        place.environment[DATABASE] = place.addresses[address]
        return SHOW

    return Case("database", title, "environment", code, reason, "/", give)


def _store(title: str, code: int, reason: str, address: str, field: str) -> Case:
    def give(place: Place) -> Words:
        place.npz()
        place.environment |= {
            "ACTIVESYNTH_OBJECTS_URL": "s3://some-bucket/x",
            "ACTIVESYNTH_S3_ENDPOINT": place.addresses[address],
            "ACTIVESYNTH_S3_ACCESS_KEY": "access",
            "ACTIVESYNTH_S3_SECRET_KEY": "very-secret-key",
            "ACTIVESYNTH_S3_SECURE": "false",
            "ACTIVESYNTH_S3_TIMEOUT_SECONDS": "0.5",
            "ACTIVESYNTH_S3_ATTEMPTS": "2",
        }
        return RUN

    return Case("object store", title, "environment", code, reason, field, give)


CASES = [
    _database("a stopped Postgres", 7, "no_database", "stopped"),
    _database("a database without our tables", 8, "not_migrated", "empty"),
    _database("a server without the database", 7, "no_database", "unknown"),
    _store("an S3 server that is away", 7, "no_store", "away", "127.0.0.1"),
    _store("an S3 server that knows no such key", 2, "store_refused", "refusing", "ACCESS_KEY"),
]
