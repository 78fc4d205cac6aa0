"""The side of Postgres that the loop writes and that decides every race."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, update

from activesynth.domain.recalls import RecallCommit
from activesynth.domain.records import (
    Bundle,
    CampaignRecord,
    DiagnosisRecord,
    IterationCommit,
    IterationRecord,
    IterationRef,
    OutboxEvent,
    SplitRead,
    StepRecord,
)
from activesynth.lineage import commit as protocol
from activesynth.lineage import history, on_demand, opening, recalls, step_results
from activesynth.lineage.engine import Database
from activesynth.lineage.erasures import ErasureRows
from activesynth.lineage.experiments import ExperimentRows
from activesynth.lineage.locks import check_fence, no_campaign, no_iteration
from activesynth.lineage.proposals import ProposalRows
from activesynth.lineage.quarantine import CollectionRows
from activesynth.lineage.rows import (
    campaign_query,
    campaign_record,
    iteration_query,
    iteration_record,
    last_iterations_query,
)
from activesynth.lineage.schema import outbox


class PostgresLineageStore(ExperimentRows, CollectionRows, ErasureRows, ProposalRows):
    """Implements :class:`activesynth.domain.ports.LineageStore`, which says what each promises."""

    def __init__(self, database: Database) -> None:
        """Write through ``database``, which must be migrated."""
        self._database = database

    def register_campaign(self, name: str, config: Mapping[str, Any]) -> CampaignRecord:
        """Create the campaign, or record an edited config as its next version."""
        with self._database.writing(f"register_campaign:{name}") as connection:
            opening.register_campaign(connection, name, config)
            return campaign_record(connection.execute(campaign_query(name)).one())

    def campaign(self, name: str) -> CampaignRecord:
        """Return the campaign as committed."""
        with self._database.reading() as connection:
            row = connection.execute(campaign_query(name)).one_or_none()
            if row is None:
                raise no_campaign(connection, name)
            return campaign_record(row)

    def commit_version(self, campaign: str, bundle: Bundle, *, expected_head: str | None) -> bool:
        """Commit a root or refreshed version outside an iteration, moving the head."""
        return protocol.commit_version(
            self._database, campaign, bundle, expected_head=expected_head
        )

    def open_iteration(
        self, campaign: str, run_key: str, overrides: Mapping[str, Any]
    ) -> IterationRecord:
        """Open the campaign's next iteration for a run, rejoin its own, or take a failed one."""
        with self._database.writing(f"open_iteration:{campaign}:{run_key}") as connection:
            number = opening.open_iteration(connection, campaign, run_key, overrides)
            return iteration_record(connection.execute(iteration_query(campaign, number)).one())

    def iteration(self, ref: IterationRef) -> IterationRecord:
        """Return the iteration, if it is still held under the fence of ``ref``."""
        with self._database.reading() as connection:
            query = iteration_query(ref.campaign, ref.number)
            row = connection.execute(query).one_or_none()
        if row is None:
            raise no_iteration(ref)
        check_fence(row, ref)
        return iteration_record(row)

    def last_iterations(self) -> list[IterationRecord]:
        """Return the last iteration of every campaign that has one, by campaign."""
        with self._database.reading() as connection:
            return [iteration_record(row) for row in connection.execute(last_iterations_query())]

    def fail_iteration(self, ref: IterationRef, reason: str) -> None:
        """Mark an open iteration failed, so that another run may take it over."""
        with self._database.writing(f"fail_iteration:{ref.campaign}:{ref.number}") as connection:
            opening.fail_iteration(connection, ref, reason)

    def find_step(self, derivation_key: str) -> StepRecord | None:
        """Return any recorded result with this derivation key."""
        with self._database.reading() as connection:
            return step_results.find_step(connection, derivation_key)

    def step(self, ref: IterationRef, name: str, shard: int = 0) -> StepRecord:
        """Return the iteration's own result of a step."""
        with self._database.reading() as connection:
            return step_results.one_result(connection, ref, name, shard)

    def steps(self, ref: IterationRef, name: str) -> list[StepRecord]:
        """Return the results of all shards of a step, by shard."""
        with self._database.reading() as connection:
            return step_results.shard_results(connection, ref, name)

    def record_step(self, ref: IterationRef, record: StepRecord) -> StepRecord:
        """Stage a step's result with its artifacts and edges; return the first one of this work."""
        label = f"record_step:{ref.campaign}:{ref.number}:{record.name}:{record.shard}"
        with self._database.writing(label) as connection:
            return step_results.record_step(connection, ref, record)

    def commit_iteration(self, commit: IterationCommit) -> bool:
        """Make everything of the iteration visible at once; return False if it already was."""
        return protocol.commit_iteration(self._database, commit)

    def commit_recall(self, commit: RecallCommit) -> bool:
        """Commit a version without a batch, and why; return False where it is the head already."""
        return recalls.commit_recall(self._database, commit)

    def count_split_read(
        self, campaign: str, split: str, purpose: str, iteration: int | None
    ) -> int:
        """Record that a guarded split is about to be read; return the reads in this epoch."""
        label = f"count_split_read:{campaign}:{split}:{purpose}"
        with self._database.writing(label) as connection:
            return history.count_split_read(connection, campaign, split, purpose, iteration)

    def split_reads(self, campaign: str) -> list[SplitRead]:
        """Return the counted reads per split and purpose of this epoch."""
        with self._database.reading() as connection:
            return history.counted_reads(connection, campaign)

    def benefit_history(self, campaign: str) -> list[tuple[int, str, float]]:
        """Return (iteration, weakness, measured benefit), oldest first."""
        with self._database.reading() as connection:
            return history.benefit_history(connection, campaign)

    def weakness_states(self, campaign: str) -> dict[str, str]:
        """Return the latest committed state of each weakness ever seen."""
        with self._database.reading() as connection:
            return history.weakness_states(connection, campaign)

    def declare_weakness(
        self, campaign: str, target: str, reason: str, *, is_withdrawn: bool = False
    ) -> bool:
        """Append that a person declares or withdraws a weakness; return False if it stood so."""
        with self._database.writing(f"declare_weakness:{campaign}:{target}") as connection:
            return on_demand.declare(connection, campaign, target, reason, is_withdrawn)

    def declared_weaknesses(self, campaign: str) -> list[str]:
        """Return the targets that are declared and not withdrawn, sorted."""
        with self._database.reading() as connection:
            return on_demand.declared(connection, campaign)

    def find_diagnosis(self, campaign: str, run_key: str) -> DiagnosisRecord | None:
        """Return the diagnosis that a run asked for, or None."""
        with self._database.reading() as connection:
            return on_demand.find_diagnosis(connection, campaign, run_key)

    def record_diagnosis(self, record: DiagnosisRecord) -> DiagnosisRecord:
        """Keep a diagnosis made on demand; the first one of a run stands and is returned."""
        label = f"record_diagnosis:{record.campaign}:{record.run_key}"
        with self._database.writing(label) as connection:
            return on_demand.record_diagnosis(connection, record)

    def metric_history(self, campaign: str, name: str, arm: str) -> list[tuple[int, float]]:
        """Return (iteration, value) of a metric on guide, slice ``all``, oldest first."""
        with self._database.reading() as connection:
            return history.metric_history(connection, campaign, name, arm)

    def pending_events(self) -> list[OutboxEvent]:
        """Return outbox events that have not been sent, oldest first."""
        with self._database.reading() as connection:
            return history.pending_events(connection)

    def mark_sent(self, key: str) -> None:
        """Record that an event left; the first time counts."""
        pending = (outbox.c.key == key) & outbox.c.sent_at.is_(None)
        with self._database.writing(f"mark_sent:{key}") as connection:
            connection.execute(update(outbox).where(pending).values(sent_at=func.clock_timestamp()))
