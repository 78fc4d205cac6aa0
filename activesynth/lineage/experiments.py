"""Generators with a corpus of their own, registered experiments, and what their arms scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from activesynth.domain.experiments import CellRecord, CellRef, GeneratorRecord, Phase, ScoreRow
from activesynth.errors import ConfigurationError, ConflictError
from activesynth.lineage.engine import Database
from activesynth.lineage.plain import attributes, plain
from activesynth.lineage.schema import experiment_cells, experiment_scores, experiments, generators

_SCORE_KEY = ("variant", "seed", "iteration", "arm", "metric")


class ExperimentRows:
    """Implements :class:`activesynth.domain.experiments.ExperimentStore`."""

    _database: Database

    def record_generator(self, record: GeneratorRecord) -> None:
        """Keep a generator under its name, unless it stands for another one."""
        values = {**attributes(record), "document": plain(record.document)}
        with self._database.writing(f"record_generator:{record.name}") as connection:
            connection.execute(upsert(generators).values(values).on_conflict_do_nothing())
            stands = _generator(connection, record.name)
        if stands is not None and stands.card != record.card:
            raise ConflictError(
                f"the name {record.name!r} stands for another generator, {stands.card[:12]}, and "
                "campaigns may have used it; give the changed corpus file another name.",
                field="name",
            )

    def generator(self, name: str) -> GeneratorRecord:
        """Return the generator of that name."""
        with self._database.reading() as connection:
            found = _generator(connection, name)
            if found is not None:
                return found
            names = connection.execute(select(generators.c.name).order_by("name")).scalars().all()
        raise ConfigurationError(
            f"no generator {name!r} on record; there are: {', '.join(names) or 'none'}. Train it "
            "by `activesynth generator train <corpus file>`.",
            reason="no_generator",
            field="generator.parameters.artifact",
        )

    def generators(self) -> list[GeneratorRecord]:
        """Return all of them, sorted by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(generators).order_by(generators.c.name))
            return [_record(row) for row in rows]

    def register_experiment(
        self,
        name: str,
        registration: str,
        document: Mapping[str, Any],
        *,
        confirmation: Sequence[int] = (),
    ) -> None:
        """Keep an experiment's document under its digest, before anything of it runs."""
        tuned = (
            select(experiment_cells.c.seed)
            .where(
                experiment_cells.c.experiment == name,
                experiment_cells.c.phase == "tuning",
                experiment_cells.c.seed.in_(list(confirmation)),
            )
            .limit(1)
        )
        values = {"name": name, "registration": registration, "document": plain(document)}
        with self._database.writing(f"register_experiment:{name}") as connection:
            _refuse_other_plan(connection, name, registration)
            seed = connection.execute(tuned).scalar_one_or_none()
            if seed is not None:
                raise ConflictError(
                    f"experiment {name!r} was tuned on seed {seed}, so that seed confirms nothing; "
                    "take other seeds for `seeds.confirmation`.",
                    field="seeds.confirmation",
                )
            connection.execute(upsert(experiments).values(values).on_conflict_do_nothing())

    def record_cell(self, record: CellRecord, rows: Sequence[ScoreRow]) -> None:
        """Keep a cell with its scores, unless it is there already."""
        cell = attributes(record.cell)
        values = {**cell, "campaign": record.campaign, "predictions": record.predictions}
        label = f"record_cell:{record.cell.experiment}:{record.campaign}"
        with self._database.writing(label) as connection:
            if record.cell.phase == "confirmation":
                _refuse_other_plan(connection, record.cell.experiment, record.cell.registration)
            kept = connection.execute(
                upsert(experiment_cells)
                .values(values)
                .on_conflict_do_nothing()
                .returning(experiment_cells.c.campaign)
            ).scalar_one_or_none()
            if kept is not None and rows:
                connection.execute(
                    insert(experiment_scores), [{**cell, **attributes(row)} for row in rows]
                )

    def cells(self, experiment: str, registration: str, phase: Phase) -> list[CellRecord]:
        """Return the cells that were scored, ordered by variant and seed."""
        table = experiment_cells
        query = select(table).where(*_owned(table, experiment, registration, phase))
        with self._database.reading() as connection:
            return [
                CellRecord(
                    CellRef(experiment, registration, phase, row.variant, row.seed),
                    row.campaign,
                    row.predictions,
                )
                for row in connection.execute(query.order_by(table.c.variant, table.c.seed))
            ]

    def scores(self, experiment: str, registration: str, phase: Phase) -> list[ScoreRow]:
        """Return the scores of one registration, ordered by its key."""
        table = experiment_scores
        query = (
            select(*(table.c[name] for name in (*_SCORE_KEY, "value", "n")))
            .where(*_owned(table, experiment, registration, phase))
            .order_by(*(table.c[name] for name in _SCORE_KEY))
        )
        with self._database.reading() as connection:
            return [ScoreRow(**row) for row in connection.execute(query).mappings()]


def _refuse_other_plan(connection: Connection, name: str, registration: str) -> None:
    """Refuse a plan of an experiment that another plan has confirmed."""
    other = (
        select(experiment_cells.c.registration)
        .where(
            experiment_cells.c.experiment == name,
            experiment_cells.c.phase == "confirmation",
            experiment_cells.c.registration != registration,
        )
        .limit(1)
    )
    # Two plans of one name must not both find that nothing was confirmed.
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"experiment:{name}"))))
    found = connection.execute(other).scalar_one_or_none()
    if found is not None:
        raise ConflictError(
            f"experiment {name!r} was confirmed as registered under {found[:12]}, and its file "
            "says something else now. A plan that was changed after its test scores were read is "
            "another experiment: give it another name, which draws other test rows.",
            field="name",
        )


def _owned(
    table: Table, experiment: str, registration: str, phase: Phase
) -> tuple[ColumnElement[bool], ...]:
    return (
        table.c.experiment == experiment,
        table.c.registration == registration,
        table.c.phase == phase,
    )


def _generator(connection: Connection, name: str) -> GeneratorRecord | None:
    row = connection.execute(select(generators).where(generators.c.name == name)).one_or_none()
    return None if row is None else _record(row)


def _record(row: Any) -> GeneratorRecord:
    return GeneratorRecord(row.name, row.card, row.corpus, row.licence, row.rows, row.document)
