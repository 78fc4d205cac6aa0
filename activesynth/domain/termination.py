"""Being asked to end, by SIGTERM: the work stops where it is, and what it holds is let go of."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

REASON = "terminated"
"""The reason code of the error that a scheduler sees."""


class Terminated(BaseException):
    """SIGTERM arrived. Nothing that looks after errors of the work may take it for one."""


@contextmanager
def ending_when_asked() -> Iterator[None]:
    """Raise :class:`Terminated` inside of the block when SIGTERM arrives; a second one kills.

    Only the main thread of a process is interrupted by signals, so in another one nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    own = os.getpid()

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if os.getpid() != own:  # a fork inherits this, and has nothing to let go of
            os.kill(os.getpid(), number)
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
