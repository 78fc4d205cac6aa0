"""Keep secrets out of what is written: log records, messages and exceptions.

Every value that is known to be secret becomes ``***``, also where it stands as part of a quoted,
escaped or percent-encoded text, and so does the password in any address. A value under
8 characters is hidden where it stands as a word of its own; one under 4 would hide half of all
text, and is hidden in addresses alone.
"""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

from activesynth.config.secret_values import secrets_of, secrets_of_environment
from activesynth.config.settings import Settings
from activesynth.domain.work import current_work

HIDDEN = "***"
SHORTEST = 4
WHOLE = 8

_LOGIN = re.compile(r"(?P<kept>\w://[^\s/:@?#'\"]*:)[^\s@]+(?=@)")


class Redaction:
    """Knows secrets and hides them; what it was told once it never forgets."""

    def __init__(self) -> None:
        """Know nothing yet but that addresses hold passwords."""
        self._known: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None

    @property
    def known(self) -> frozenset[str]:
        """Return the values that are hidden, as they were told."""
        return self._known

    def learn(self, secrets: Iterable[str]) -> None:
        """Hide these values too; empty and very short ones are passed over."""
        known = self._known | {value for value in secrets if len(value) >= SHORTEST}
        if known == self._known:
            return
        forms = {form for value in known for form in _forms(value)}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(_hidden, longest_first)))
        self._known = known

    def __call__(self, text: str) -> str:
        """Return ``text`` with ``***`` in place of every secret."""
        if self._pattern is not None:
            text = self._pattern.sub(HIDDEN, text)
        return _LOGIN.sub(rf"\g<kept>{HIDDEN}", text) if "://" in text else text


redacted = Redaction()
"""Hides everything this process was told by :func:`guard`."""


class RedactingFilter(logging.Filter):
    """Hides secrets in a record, and adds run, campaign, iteration and step to it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record and let it pass; what holds no secret is left as it was made."""
        for name, value in current_work().fields().items():
            record.__dict__.setdefault(name, value)
        message = _message(record)
        shown = redacted(message)
        if record.exc_info and record.exc_info[0] is not None:
            told = "".join(traceback.format_exception(*record.exc_info)).rstrip()
            # Not as `exc_text`, which some of those who write records down do not look at.
            if redacted(told) != told:
                shown, record.exc_info, record.exc_text = f"{shown}\n{redacted(told)}", None, None
        if record.stack_info:
            record.stack_info = redacted(record.stack_info)
        if shown != message:
            record.msg, record.args = shown, ()
        return True


def guard(settings: Settings | None = None) -> None:
    """Hide the secrets of the environment, and of ``settings``, in all log records from now on."""
    redacted.learn(secrets_of_environment())
    if settings is not None:
        redacted.learn(secrets_of(settings))
    made_by = logging.getLogRecordFactory()
    if not getattr(made_by, "is_redacting", False):
        logging.setLogRecordFactory(_redacting(made_by))


def scrub(error: BaseException) -> None:
    """Hide secrets in the messages of an exception and of all that led to it, in place."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        shown = tuple(redacted(part) if isinstance(part, str) else part for part in one.args)
        if shown != one.args:
            one.args = shown
        waiting += [one.__cause__, one.__context__]


def _redacting(make: Any) -> Any:
    """Return a factory that makes records with ``make`` and hides what they may not show.

    A filter on a logger sees its own records alone, and one on a handler only what goes there.
    """
    guarded = RedactingFilter()

    def redacting(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = make(*args, **kwargs)
        guarded.filter(record)
        return record

    redacting.is_redacting = True  # type: ignore[attr-defined]
    return redacting


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        # Arguments that do not fit are told by `logging` itself, with what they are.
        record.msg, record.args = f"{record.msg} {record.args!r}", ()
        return str(record.msg)


def _forms(value: str) -> set[str]:
    """Return how a value is written: as it is, quoted, in JSON, and in an address."""
    return {
        value,
        repr(value)[1:-1],
        json.dumps(value)[1:-1],
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
    }


def _hidden(form: str) -> str:
    pattern = re.escape(form)
    return pattern if len(form) >= WHOLE else rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])"
