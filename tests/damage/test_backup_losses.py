"""What a backup lost is named when it is restored; the long form is `suite.py` beside this."""

from __future__ import annotations

import uuid
from pathlib import Path

from activesynth.domain.ports import ObjectStore
from backup_cases import back_up, planted_in_backup
from damage_laboratory import Laboratory
from platform_fixtures import PostgresServer
from raw_stores import s3_store
from s3_fixtures import S3Server


def test_losses_planted_in_a_backup_are_named_when_it_is_restored_and_nothing_else_is(
    one_lab: Laboratory, tmp_path: Path, postgres_server: PostgresServer, s3_server: S3Server
) -> None:
    back_up(one_lab.database_url, one_lab.platform, tmp_path / "backup")

    def bucket() -> ObjectStore:
        return s3_store(s3_server, f"t-{uuid.uuid4().hex[:12]}")[0]

    folders = [("directory", size, None) for size in (1, 1, 1, 1, 60)]
    targets = [*folders, ("s3", 24, bucket)]
    done = list(
        planted_in_backup(postgres_server, one_lab, tmp_path / "backup", tmp_path, targets, seed=5)
    )

    assert sum(len(planting.planted) for planting in done) == 88
    assert [planting for planting in done if planting.misnamed] == []
