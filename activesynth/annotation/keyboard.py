"""Single keys from a real terminal, without waiting for Enter."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_KEYS = re.compile(r"\x1b(?:[\[O][0-?]*[ -/]*[@-~]|.)?|.", re.DOTALL)


def split_keys(text: str) -> list[str]:
    """Divide what was typed into keys; an arrow or function key is one key, not its letters."""
    return _KEYS.findall(text)


@contextmanager
def single_keys() -> Iterator[Callable[[], str]]:
    """Yield a function that returns the next key, or an empty text at the end of input.

    The terminal is restored on the way out, whatever happens. Without a terminal, characters are
    read from standard input as they come.
    """
    descriptor = sys.stdin.fileno()
    if not os.isatty(descriptor):
        yield _reader(descriptor)
        return
    import termios
    import tty

    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield _reader(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _reader(descriptor: int) -> Callable[[], str]:
    waiting: list[str] = []

    def read_key() -> str:
        while not waiting:
            data = os.read(descriptor, 1024)
            if not data:
                return ""
            waiting.extend(split_keys(data.decode("utf-8", "replace")))
        return waiting.pop(0)

    return read_key
