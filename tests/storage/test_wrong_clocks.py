"""A clock that is wrong is told from wrong keys, which S3 refuses with the same words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from typing import Any

import pytest

from false_clocks import PACKAGE, environment, library
from s3_fixtures import S3Server

needs_false_clocks = pytest.mark.skipif(library() is None, reason=f"needs the package {PACKAGE}")

ASK = """
import json, sys
from datetime import UTC, datetime
from activesynth.domain.collection import REMOVAL
from activesynth.domain.effects import Unwatched
from activesynth.errors import ActiveSynthError
from activesynth.storage.s3 import Bucket, S3ObjectStore

asked, endpoint, access_key, secret_key, name = sys.argv[1:]
bucket = Bucket(endpoint=endpoint, name=name, prefix="", access_key=access_key,
    secret_key=secret_key, secure=False, attempts=2)
store = S3ObjectStore(bucket, Unwatched())
answers = {
    "put": lambda: store.put(b"bytes"),
    "get": lambda: store.get("0" * 64),
    "delete": lambda: store.delete("0" * 64, before=datetime.now(UTC) + REMOVAL),
    "list": lambda: list(store.digests()),
}
try:
    answers[asked]()
    print(json.dumps({"reason": "", "message": ""}))
except ActiveSynthError as error:
    print(json.dumps({"reason": error.reason, "message": str(error)}))
"""


def ask(server: S3Server, asked: str, seconds: float, *, key: str = "") -> dict[str, Any]:
    """Send one request from a process whose clock is ``seconds`` ahead."""
    bucket = f"clocks-{uuid.uuid4().hex[:8]}"
    arguments = (asked, server.endpoint, server.access_key, key or server.secret_key, bucket)
    done = subprocess.run(
        [sys.executable, "-c", ASK, *arguments],
        env={**os.environ, **environment(seconds)},
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@needs_false_clocks
@pytest.mark.parametrize("asked", ["put", "get", "list"])
def test_a_clock_that_is_hours_off_is_named_with_its_way_out(
    s3_server: S3Server, asked: str
) -> None:
    found = {hours: ask(s3_server, asked, hours * 3600.0) for hours in (-26, 26)}

    assert {answer["reason"] for answer in found.values()} == {"clock_wrong"}
    assert "1560 minutes behind" in found[-26]["message"]
    assert "1560 minutes ahead" in found[26]["message"]
    assert "follow a time server" in found[26]["message"]


@needs_false_clocks
def test_a_removal_by_a_clock_that_is_behind_is_refused_with_its_way_out(
    s3_server: S3Server,
) -> None:
    # Not every server refuses one from the future; `gc` does, by the database's clock.
    assert ask(s3_server, "delete", -26 * 3600.0)["reason"] == "clock_wrong"


@needs_false_clocks
def test_a_clock_that_is_minutes_off_does_no_harm(s3_server: S3Server) -> None:
    assert (
        ask(s3_server, "put", 300.0)
        == ask(s3_server, "put", -300.0)
        == {
            "reason": "",
            "message": "",
        }
    )


@needs_false_clocks
def test_wrong_keys_under_a_right_clock_are_still_named_as_keys(s3_server: S3Server) -> None:
    assert ask(s3_server, "put", 0.0, key="wrong")["reason"] == "store_refused"
