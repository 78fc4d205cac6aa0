"""How a campaign stands, for whoever watches the platform: counts and dates, no sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from activesynth.domain.records import MetricRow


@dataclass(frozen=True, slots=True)
class Standing:
    """One campaign at one moment, without the campaigns of experiments' cells.

    ``iterations`` counts committed ones by decision, ``samples`` by origin and verdict, and
    ``weaknesses`` the weaknesses by their latest state. ``metrics`` are those of
    ``last_iteration`` over all of guide and gate, ``last_seconds`` and ``all_seconds`` what its
    steps and those of all committed iterations took. ``last_commit`` is that of the newest
    iteration or dataset version. ``active_state`` and ``active_since`` tell of the iteration that
    is not committed, ``waiting_events`` of the outbox, and ``split_reads`` of guarded splits in
    this epoch, each against the limit of the config.
    """

    campaign: str
    iterations: Mapping[str, int] = field(default_factory=dict)
    last_iteration: int | None = None
    last_commit: datetime | None = None
    metrics: tuple[MetricRow, ...] = ()
    labels: int = 0
    samples: Mapping[tuple[str, str], int] = field(default_factory=dict)
    weaknesses: Mapping[str, int] = field(default_factory=dict)
    last_seconds: Mapping[str, float] = field(default_factory=dict)
    all_seconds: Mapping[str, float] = field(default_factory=dict)
    active_state: str | None = None
    active_since: datetime | None = None
    waiting_events: int = 0
    oldest_event: datetime | None = None
    split_reads: Mapping[str, int] = field(default_factory=dict)
    split_limits: Mapping[str, int] = field(default_factory=dict)


class StandingReader(Protocol):
    """A part of :class:`activesynth.domain.ports.LineageReader`."""

    def standings(self) -> list[Standing]:
        """Return how each campaign stands, by name, all as of one moment."""
        ...
