"""Which run, campaign, iteration and step a thread works at, for whoever writes a log line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True, slots=True)
class Work:
    """What is worked at; empty where there is nothing."""

    run: str = ""
    campaign: str = ""
    iteration: str = ""
    step: str = ""

    def fields(self) -> dict[str, str]:
        """Return the fields by name."""
        return asdict(self)


Listener = Callable[[Work], None]

_work: ContextVar[Work] = ContextVar("activesynth_work")
_listeners: list[Listener] = []


def current_work() -> Work:
    """Return what this thread or task works at."""
    return _work.get(Work())


def take_up(run: str, campaign: str, iteration: int) -> None:
    """Say which iteration is worked at from now on."""
    _change(Work(run, campaign, str(iteration)))


def lay_down() -> None:
    """Say that nothing is worked at any more."""
    _change(Work())


@contextmanager
def at_step(name: str) -> Iterator[None]:
    """Say which step is worked at inside of the block."""
    before = current_work()
    _change(replace(before, step=name))
    try:
        yield
    finally:
        _change(before)


def tell_work_to(listener: Listener) -> None:
    """Have every change told to ``listener``, once, however often it is named."""
    if listener not in _listeners:
        _listeners.append(listener)


def _change(work: Work) -> None:
    _work.set(work)
    for listener in _listeners:
        listener(work)
