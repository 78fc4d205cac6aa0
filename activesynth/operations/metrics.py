"""What the platform exports for Prometheus, from committed facts.

Labels hold names that a config or the code gives (campaign, arm, metric, step, split, state): how
many there are does not grow with iterations or samples. Moments are exported instead of ages, so
that ``time() - x`` is right whenever it is asked. Scores on gate are part of a commit, and
appear with its decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from activesynth import __version__
from activesynth.domain.ports import LineageReader
from activesynth.domain.standing import Standing
from activesynth.operations.exposition import Family, exposition

DECISIONS = ("promoted", "refused", "not_gated")
STATES = ("open", "closed", "regressed")
ACTIVE = ("open", "waiting", "failed")


def metrics_text(reader: LineageReader) -> str:
    """Return everything that is exported, in Prometheus' text format."""
    return exposition(families(reader.standings()))


def families(standings: Iterable[Standing]) -> list[Family]:
    """Return every family that is exported, also those nobody has a value of yet."""
    found = list(standings)
    build = Family("activesynth_build_info", "gauge", "The version that exports, always 1.")
    build.add(1.0, version=__version__)
    return [build, *_loop(found), *_data(found), *_quality(found), *_cost(found), *_waiting(found)]


def _loop(standings: list[Standing]) -> list[Family]:
    done = Family(
        "activesynth_iterations_total", "counter", "Committed iterations, by the gate's decision."
    )
    last = Family(
        "activesynth_last_iteration", "gauge", "Number of the newest committed iteration."
    )
    commit = Family(
        "activesynth_last_commit_timestamp_seconds",
        "gauge",
        "When an iteration or a dataset version was last committed.",
    )
    active = Family(
        "activesynth_active_iterations",
        "gauge",
        "Iterations that are not committed: open, waiting for people, or failed.",
    )
    since = Family(
        "activesynth_active_iteration_opened_timestamp_seconds",
        "gauge",
        "When the iteration that is not committed was opened.",
    )
    for one in standings:
        _counts(done, one.campaign, "decision", one.iterations, DECISIONS)
        _moment(commit, one.campaign, one.last_commit)
        now = {} if one.active_state is None else {one.active_state: 1}
        _counts(active, one.campaign, "state", now, ACTIVE)
        _moment(since, one.campaign, one.active_since)
        if one.last_iteration is not None:
            last.add(one.last_iteration, campaign=one.campaign)
    return [done, last, commit, active, since]


def _data(standings: list[Standing]) -> list[Family]:
    labels = Family(
        "activesynth_labels_bought_total", "counter", "Labels that committed iterations bought."
    )
    samples = Family(
        "activesynth_samples", "gauge", "Samples on record, by origin and verdict of the screen."
    )
    weak = Family("activesynth_weaknesses", "gauge", "Weaknesses, by their latest state.")
    for one in standings:
        labels.add(one.labels, campaign=one.campaign)
        for (origin, verdict), count in sorted(one.samples.items()):
            samples.add(count, campaign=one.campaign, origin=origin, verdict=verdict)
        _counts(weak, one.campaign, "state", one.weaknesses, STATES)
    return [labels, samples, weak]


def _quality(standings: list[Standing]) -> list[Family]:
    about = "of the newest committed iteration, over all of guide or gate."
    value = Family("activesynth_metric_value", "gauge", f"Metric of an arm {about}")
    low = Family("activesynth_metric_low", "gauge", f"Lower end of the metric's interval {about}")
    high = Family("activesynth_metric_high", "gauge", f"Upper end of the metric's interval {about}")
    for one in standings:
        for row in one.metrics:
            labels = {
                "campaign": one.campaign,
                "split": row.split,
                "arm": row.arm,
                "metric": row.name,
            }
            value.add(row.value, **labels)
            for family, end in ((low, row.low), (high, row.high)):
                if end is not None:
                    family.add(end, **labels)
    return [value, low, high]


def _cost(standings: list[Standing]) -> list[Family]:
    last = Family(
        "activesynth_last_step_seconds",
        "gauge",
        "Seconds a step worked in the newest committed iteration, all shards together.",
    )
    every = Family(
        "activesynth_step_seconds_total",
        "counter",
        "Seconds a step worked in all committed iterations.",
    )
    for one in standings:
        for family, seconds in ((last, one.last_seconds), (every, one.all_seconds)):
            for step, spent in sorted(seconds.items()):
                family.add(spent, campaign=one.campaign, step=step)
    return [last, every]


def _waiting(standings: list[Standing]) -> list[Family]:
    outbox = Family("activesynth_outbox_events", "gauge", "Events that have not left the outbox.")
    oldest = Family(
        "activesynth_outbox_oldest_timestamp_seconds",
        "gauge",
        "When the oldest event that waits in the outbox was committed.",
    )
    reads = Family(
        "activesynth_split_reads",
        "gauge",
        "Reads of a guarded split in this epoch.",
    )
    limit = Family(
        "activesynth_split_reads_limit", "gauge", "Reads of a guarded split that the config allows."
    )
    for one in standings:
        outbox.add(one.waiting_events, campaign=one.campaign)
        _moment(oldest, one.campaign, one.oldest_event)
        _counts(reads, one.campaign, "split", one.split_reads, ("gate", "test"))
        for split, allowed in sorted(one.split_limits.items()):
            limit.add(allowed, campaign=one.campaign, split=split)
    return [outbox, oldest, reads, limit]


def _counts(
    family: Family, campaign: str, label: str, counts: Mapping[str, int], known: Iterable[str]
) -> None:
    """Add a count for every known name, so that a series starts at 0 and not in the middle."""
    for name in known:
        family.add(counts.get(name, 0), campaign=campaign, **{label: name})


def _moment(family: Family, campaign: str, moment: datetime | None) -> None:
    if moment is not None:
        family.add(moment.timestamp(), campaign=campaign)
