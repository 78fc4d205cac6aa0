"""What commands say on stderr: lines for people, or one JSON object per line for collectors."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Protocol

logger = logging.getLogger("activesynth.cli")
FIELDS = ("run", "campaign", "iteration", "step")


class Stream(Protocol):
    """As much of a text stream as is written to."""

    def write(self, text: str, /) -> object:
        """Take a piece of text."""
        ...

    def flush(self) -> object:
        """Let go of what was written."""
        ...

    def isatty(self) -> bool:
        """Tell whether a person watches."""
        ...


class JsonLines(logging.Formatter):
    """Writes a record as JSON: time, level, logger, message, and what is worked at."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line; fields that are empty are left out."""
        document = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: getattr(record, name, "") for name in FIELDS},
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps({name: value for name, value in document.items() if value != ""})


class LogStream:
    """Takes what is printed for people and logs it, line by line."""

    def write(self, text: str, /) -> int:
        """Log the lines of ``text``."""
        for line in text.splitlines():
            if line.strip():
                logger.info(line.strip())
        return len(text)

    def flush(self) -> None:
        """Do nothing: nothing is kept back."""

    def isatty(self) -> bool:
        """Return False: bars would be no lines."""
        return False


def say_in_json() -> None:
    """Write all that is said on stderr, log records and progress, as JSON from here on."""
    if is_json():
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.getLogger().addHandler(handler)
    logging.getLogger("activesynth").setLevel(logging.INFO)


def is_json() -> bool:
    """Tell whether :func:`say_in_json` was called."""
    return any(isinstance(found.formatter, JsonLines) for found in logging.getLogger().handlers)


def said_to() -> Stream:
    """Return where progress and notices go."""
    return LogStream() if is_json() else sys.stderr
