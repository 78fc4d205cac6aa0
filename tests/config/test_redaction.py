"""Secrets are hidden in records, messages and exceptions, in every form they are written in."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from activesynth.cli.logs import JsonLines
from activesynth.cli.platform import without_password
from activesynth.config import redaction
from activesynth.config.object_roles import ObjectRoles
from activesynth.config.redaction import Redaction, guard, scrub
from activesynth.config.secret_values import passwords_in, secrets_of, secrets_of_environment
from activesynth.config.settings import Settings
from activesynth.domain.work import at_step, current_work, lay_down, take_up, tell_work_to

SECRET = "s3cret/with+marks'and\"quotes"


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Iterator[Redaction]:
    """Return the process's redaction, knowing one secret, and forget everything afterwards."""
    fresh = Redaction()
    fresh.learn([SECRET])
    monkeypatch.setattr(redaction, "redacted", fresh)
    before = logging.getLogRecordFactory()
    yield fresh
    logging.setLogRecordFactory(before)
    lay_down()


@pytest.fixture
def written(own: Redaction) -> Iterator[io.StringIO]:
    """Return what a plain handler writes of a logger of its own."""
    guard(Settings(s3_secret_key=SecretStr(SECRET)))
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("some.library")
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


@pytest.mark.parametrize(
    "form",
    [SECRET, repr(SECRET), json.dumps(SECRET), quote(SECRET), quote(SECRET, safe="")],
)
def test_a_secret_is_hidden_in_every_form(own: Redaction, form: str) -> None:
    assert "s3cret" not in own(f"key={form}, and more")
    assert own(f"key={form}, and more").endswith(", and more")


@given(st.text(min_size=8), st.text(), st.text())
def test_no_secret_is_left_whatever_stands_around_it(secret: str, before: str, after: str) -> None:
    own = Redaction()
    own.learn([secret])

    if secret not in redaction.HIDDEN * 2:
        assert secret not in own(f"{before} {secret} {after}").replace(redaction.HIDDEN, "\0")


def test_short_secrets_are_hidden_as_words_and_the_shortest_in_addresses_alone() -> None:
    own = Redaction()
    own.learn(["admin", "abc"])

    assert own("user admin of administration") == "user *** of administration"
    assert own("abc in abcdef") == "abc in abcdef"
    assert own("postgresql://user:abc@host/db") == "postgresql://user:***@host/db"


def test_a_longer_secret_is_hidden_whole() -> None:
    own = Redaction()
    own.learn(["password-1", "password-12"])

    assert own("password-12 and password-1") == "*** and ***"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://user:pa55@host:1/x", "https://user:***@host:1/x"),
        ("at redis://:pa55@host, and more", "at redis://:***@host, and more"),
        ("https://host:8080/a?b=c", "https://host:8080/a?b=c"),
        ("https://user@host/", "https://user@host/"),
        ("mail me@host: now://", "mail me@host: now://"),
    ],
)
def test_a_password_in_an_address_is_hidden_without_being_known(address: str, shown: str) -> None:
    assert Redaction()(address) == shown


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("postgresql://u:p%40ss@h/d?password=other&sslmode=x", {"p%40ss", "p@ss", "other"}),
        ("postgresql://u:a@b/c@h/d", {"a@b/c"}),
        ("https://h/x?token=abc&page=2&X-Amz-Signature=def", {"abc", "def"}),
        ("s3://bucket/prefix", set()),
    ],
)
def test_addresses_tell_what_of_them_is_secret(address: str, found: set[str]) -> None:
    assert set(passwords_in(address)) == found


def test_every_secret_slot_is_known_from_environment_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = ((Settings, "ACTIVESYNTH_"), (ObjectRoles, "ACTIVESYNTH_S3_"))
    slots = [
        f"{prefix}{name}".upper()
        for kind, prefix in kinds
        for name, field in kind.model_fields.items()
        if "SecretStr" in str(field.annotation)
    ]
    for place, slot in enumerate(slots):
        if place % 2:
            monkeypatch.setenv(slot, f"value-of-{slot}")
        else:
            monkeypatch.delenv(slot, raising=False)
            (tmp_path / slot.lower()).write_text(f"value-of-{slot}\n")
    monkeypatch.setenv("ACTIVESYNTH_SECRETS", str(tmp_path))
    monkeypatch.setenv("ACTIVESYNTH_OBJECTS_URL", "s3://key:in-objects@bucket")
    monkeypatch.setenv("ACTIVESYNTH_THREADS", "no number, so settings cannot be read")

    found = set(secrets_of_environment())

    assert len(slots) >= 9
    assert {f"value-of-{slot}" for slot in slots} <= found
    assert "in-objects" in found


def test_settings_that_were_changed_by_hand_are_known_too() -> None:
    settings = Settings(
        database_url=SecretStr("postgresql://u:in-the-url@h/d"), events_api_key=SecretStr("a-key")
    )

    assert {"in-the-url", "a-key"} <= set(secrets_of(settings))


def test_a_record_shows_no_secret_in_message_arguments_or_exception(written: io.StringIO) -> None:
    logger = logging.getLogger("some.library")

    logger.warning("key %s of %r", SECRET, {"key": SECRET})
    logger.warning(f"{SECRET} in the message")
    try:
        try:
            raise ValueError(SECRET)
        except ValueError as cause:
            raise RuntimeError("wrapped") from cause
    except RuntimeError:
        logger.exception("failed")
    logger.warning("misfit %d", SECRET)

    text = written.getvalue()
    assert "s3cret" not in text
    assert text.count("***") == 5
    assert "RuntimeError: wrapped" in text
    assert "Traceback" in text


def test_a_record_without_a_secret_is_left_as_it_was_made(written: io.StringIO) -> None:
    record = logging.getLogRecordFactory()("n", 20, "f", 1, "%s of %s", ("a", "b"), None)

    assert (record.msg, record.args) == ("%s of %s", ("a", "b"))


def test_the_guard_is_put_up_once_and_again_where_it_was_taken_down(own: Redaction) -> None:
    guard()
    first = logging.getLogRecordFactory()
    guard()
    same = logging.getLogRecordFactory()
    logging.setLogRecordFactory(logging.LogRecord)
    guard()

    assert same is first
    assert logging.getLogRecordFactory() is not logging.LogRecord


def test_an_exception_is_scrubbed_with_all_that_led_to_it(own: Redaction) -> None:
    deepest = KeyError(SECRET, 3)
    error = RuntimeError(f"outer {SECRET}")
    error.__cause__ = deepest
    deepest.__context__ = error  # a ring must not hang

    scrub(error)

    assert (error.args, deepest.args) == (("outer ***",), ("***", 3))


def test_a_record_carries_what_is_worked_at(own: Redaction) -> None:
    guard()
    make = logging.getLogRecordFactory()
    heard: list[str] = []
    tell_work_to(lambda work: heard.append(work.step))
    take_up("digits__it3", "digits", 3)

    with at_step("train"):
        line = JsonLines().format(make("n", 20, "f", 1, "scored %d", (5,), None))
    after = make("n", 20, "f", 1, "m", (), None)

    document = json.loads(line)
    fields = {name: document[name] for name in ("run", "campaign", "iteration", "step", "message")}
    assert fields == {
        "run": "digits__it3",
        "campaign": "digits",
        "iteration": "3",
        "step": "train",
        "message": "scored 5",
    }
    assert (after.__dict__["step"], current_work().campaign) == ("", "digits")
    assert heard == ["", "train", ""]


@pytest.mark.parametrize(
    ("address", "without", "password"),
    [
        ("postgresql+psycopg2://u:p%40s@h:5/d?x=a@b", "postgresql://u@h:5/d?x=a@b", "p@s"),
        ("postgresql+psycopg2://u@h/d", "postgresql://u@h/d", None),
        ("postgresql:///d?host=/tmp", "postgresql:///d?host=/tmp", None),
    ],
)
def test_psql_gets_no_password_as_an_argument(
    address: str, without: str, password: str | None
) -> None:
    assert without_password(address) == (without, password)
