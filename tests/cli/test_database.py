from __future__ import annotations

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

import activesynth.lineage
from activesynth.cli import main
from activesynth.errors import PlatformStateError
from activesynth.lineage.migrate import current
from activesynth.lineage.revision import NEWEST


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, so that no platform of the developer is touched."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ACTIVESYNTH_CAMPAIGNS", raising=False)
    monkeypatch.setenv("ACTIVESYNTH_HOME", str(tmp_path / "home"))


def set_revision(url: str, revision: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        update = text("UPDATE activesynth.migrations SET version_num = :revision")
        connection.execute(update, {"revision": revision})
    engine.dispose()


def test_a_database_without_our_tables_is_named_with_the_command_that_makes_them(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ACTIVESYNTH_DATABASE_URL", empty_database_url)

    refused = main(["show", "campaigns", "--json"])
    error = capsys.readouterr().err
    made = main(["database", "upgrade"]), main(["database", "upgrade"])
    capsys.readouterr()
    shown = main(["show", "campaigns", "--json"])

    assert refused == PlatformStateError.exit_code
    assert "has no tables of activesynth yet" in error
    assert "`activesynth database upgrade`" in error
    assert error.count("\n") == 1
    assert (made, shown) == ((0, 0), 0)
    assert capsys.readouterr().out == "[]\n"
    assert current(empty_database_url) == NEWEST


@pytest.mark.parametrize(
    ("revision", "sentence"),
    [
        ("0000", "older activesynth (revision 0000, needed is 0012); bring them up to date with"),
        ("9999", "newer activesynth (revision 9999, this one knows 0012); update activesynth"),
    ],
)
def test_tables_of_another_version_are_refused_with_the_way_out(
    revision: str,
    sentence: str,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ACTIVESYNTH_DATABASE_URL", database_url)
    set_revision(database_url, revision)
    try:
        code = main(["campaign", "list"])
    finally:
        set_revision(database_url, NEWEST)

    assert code == PlatformStateError.exit_code
    assert sentence in capsys.readouterr().err


def test_the_newest_revision_is_the_last_script() -> None:
    config = Config()
    folder = Path(activesynth.lineage.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))

    assert ScriptDirectory.from_config(config).get_current_head() == NEWEST


def test_the_embedded_database_is_started_and_gets_its_tables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ACTIVESYNTH_DATABASE_URL", raising=False)
    try:
        code = main(["database", "upgrade"])
    finally:
        main(["down"])

    assert code == 0
    assert f"at revision {NEWEST}" in capsys.readouterr().out
