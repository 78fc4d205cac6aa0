"""Progress on stderr: bars on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO, cast

from activesynth.cli.logs import Stream, said_to

if TYPE_CHECKING:
    from activesynth.domain.platform import Report

LINE_SECONDS = 5.0


@contextmanager
def progress(stream: Stream | None = None) -> Iterator[Report]:
    """Give a report that shows step, rate and remaining time while the block runs.

    A total of 0 takes a piece of work off the display without a word.
    """
    stream = stream or said_to()
    if not stream.isatty():
        yield Lines(stream)
        return
    with _bars(cast(TextIO, stream)) as report:
        yield report


def notice(text: str) -> None:
    """Tell a person something that is no result; secrets are hidden."""
    from activesynth.config.redaction import redacted

    print(redacted(text), file=said_to(), flush=True)


@dataclass(slots=True)
class _Work:
    began: float
    spoken: float
    first: int
    total: int


@dataclass(slots=True)
class Lines:
    """One line when work starts, when it ends, and every few seconds in between."""

    stream: Stream
    now: Callable[[], float] = time.monotonic
    _work: dict[str, _Work] = field(default_factory=dict)

    def __call__(self, what: str, done: int, total: int) -> None:
        """Take one report of the running step."""
        if total < 1:
            self._work.pop(what, None)
            return
        moment = self.now()
        work = self._work.get(what)
        if work is None and done >= total:
            return  # its end was told already: a step reports its parts, and then itself
        if work is None or work.total != total:
            self._work[what] = work = _Work(moment, moment, done, total)
        elif done < total and moment - work.spoken < LINE_SECONDS:
            return
        work.spoken = moment
        if done >= total:
            del self._work[what]
        text = line(what, done, total, seconds=moment - work.began, first=work.first)
        print(text, file=self.stream, flush=True)


def line(what: str, done: int, total: int, *, seconds: float, first: int = 0) -> str:
    """Say how far work is: share, rate per second, and the seconds that remain at that rate.

    Args:
        what: The step and its shard.
        done: How many parts are done.
        total: How many parts there are.
        seconds: How long the parts after ``first`` took.
        first: How many parts were done when the time began to run.
    """
    if done >= total:
        return f"{what}: done in {duration(seconds)}"
    if done <= first or seconds <= 0:
        return f"{what}: {done}/{total}"
    rate = (done - first) / seconds
    left = duration((total - done) / rate)
    return f"{what}: {done}/{total}, {rate:.3g}/s, {left} left"


def duration(seconds: float) -> str:
    """Return ``12 s`` or ``3 min 05 s``."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


@contextmanager
def _bars(stream: TextIO) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskID,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(show_speed=True),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(file=stream),
        # Results that go into a file or a pipe must not end up among the bars.
        redirect_stdout=sys.stdout.isatty(),
    )
    tasks: dict[str, TaskID] = {}

    def remove(what: str) -> None:
        bars.remove_task(tasks.pop(what))
        if not tasks:
            bars.stop()  # or it goes on painting over whoever talks with the person

    def report(what: str, done: int, total: int) -> None:
        if total < 1:
            if what in tasks:
                remove(what)
            return
        if what not in tasks and done >= total:
            return  # its end was told already: a step reports its parts, and then itself
        if what not in tasks:
            tasks[what] = bars.add_task(what, total=total)
            bars.start()
        bars.update(tasks[what], completed=done, total=total)
        if done >= total:
            seconds = bars.tasks[bars.task_ids.index(tasks[what])].elapsed or 0.0
            bars.console.print(line(what, done, total, seconds=seconds), markup=False)
            remove(what)

    try:
        yield report
    finally:
        bars.stop()
