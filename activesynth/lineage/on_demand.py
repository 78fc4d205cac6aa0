"""What people add between iterations: declared weaknesses, and diagnoses made on demand."""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from activesynth.domain.records import DiagnosisRecord
from activesynth.lineage.locks import lock_campaign
from activesynth.lineage.plain import attributes, plain
from activesynth.lineage.schema import diagnoses, weakness_declarations


def declare(
    connection: Connection, campaign: str, target: str, reason: str, is_withdrawn: bool
) -> bool:
    """Append a declaration or a withdrawal, unless the weakness stands so already."""
    lock_campaign(connection, campaign)
    if (target in declared(connection, campaign)) != is_withdrawn:
        return False
    own = weakness_declarations.c.campaign == campaign
    newest = select(func.coalesce(func.max(weakness_declarations.c.number), 0)).where(own)
    connection.execute(
        insert(weakness_declarations).values(
            campaign=campaign,
            number=int(connection.execute(newest).scalar_one()) + 1,
            action="withdraw" if is_withdrawn else "declare",
            target=target,
            reason=reason,
        )
    )
    return True


def declared(connection: Connection, campaign: str) -> list[str]:
    """Return the targets whose latest action is a declaration, sorted."""
    query = (
        select(weakness_declarations.c.target, weakness_declarations.c.action)
        .where(weakness_declarations.c.campaign == campaign)
        .order_by(weakness_declarations.c.number)
    )
    latest = {row.target: row.action for row in connection.execute(query)}
    return sorted(target for target, action in latest.items() if action == "declare")


def find_diagnosis(connection: Connection, campaign: str, run_key: str) -> DiagnosisRecord | None:
    """Return the diagnosis that a run asked for, or None."""
    query = select(diagnoses).where(
        diagnoses.c.campaign == campaign, diagnoses.c.run_key == run_key
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return DiagnosisRecord(
        row.campaign, row.run_key, row.version, row.model, row.profile, row.document
    )


def record_diagnosis(connection: Connection, record: DiagnosisRecord) -> DiagnosisRecord:
    """Insert a diagnosis, or leave the one that its run has; return what stands."""
    values = {**attributes(record), "document": plain(record.document)}
    connection.execute(upsert(diagnoses).values(values).on_conflict_do_nothing())
    return find_diagnosis(connection, record.campaign, record.run_key) or record
