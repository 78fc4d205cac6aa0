from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from activesynth import errors
from activesynth.cli import main

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"

CAMPAIGN = """
name: tiny
source: {name: digits}
"""


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, so that no platform of the developer is touched."""
    monkeypatch.chdir(tmp_path)
    for name in ("ACTIVESYNTH_DATABASE_URL", "ACTIVESYNTH_CAMPAIGNS", "ACTIVESYNTH_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_an_unknown_command_is_named_and_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["frobnicate"])

    shown = capsys.readouterr()
    assert code == 2
    assert "No such command 'frobnicate'" in shown.err
    assert shown.out == ""


def test_a_wrong_option_value_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["run", "digits", "--iterations", "0"])

    assert code == 2
    assert "iterations" in capsys.readouterr().err


def test_a_misspelt_field_is_one_line_without_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(CAMPAIGN + "sede: 3\n")

    code = main(["config", "check", str(file)])

    shown = capsys.readouterr()
    assert code == errors.ConfigurationError.exit_code
    assert "`sede`" in shown.err
    assert "Traceback" not in shown.err
    assert shown.err.startswith("error [unknown_field]: ")
    assert shown.err.count("\n") == 1
    assert shown.out == ""


def test_a_part_that_does_not_exist_is_refused_with_those_that_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text("name: tiny\nsource: {name: punchcards}\n")

    code = main(["config", "check", str(file)])

    shown = capsys.readouterr().err
    assert code == 2
    assert "punchcards" in shown
    assert "digits" in shown


def test_a_valid_campaign_file_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(CAMPAIGN)

    code = main(["config", "check", str(file)])

    assert code == 0
    assert "'tiny' is valid" in capsys.readouterr().out


def test_a_missing_campaign_file_names_those_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "campaigns" / "letters.yaml").write_text(CAMPAIGN)

    code = main(["run", "digits"])

    shown = capsys.readouterr().err
    assert code == 2
    assert "letters" in shown
    assert not (tmp_path / ".activesynth").exists()


def test_a_bad_environment_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ACTIVESYNTH_THREADS", "many")

    code = main(["status"])

    assert code == 2
    assert "threads" in capsys.readouterr().err


def test_psql_without_a_database_says_how_to_start_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["psql"])

    assert code == errors.PlatformStateError.exit_code
    assert "activesynth up" in capsys.readouterr().err


def test_every_error_class_is_documented_with_its_exit_code() -> None:
    table = dict(re.findall(r"^\| (\d+) \| `(\w+)` ", REFERENCE.read_text(), re.MULTILINE))
    classes = [
        found
        for _, found in inspect.getmembers(errors, inspect.isclass)
        if issubclass(found, errors.ActiveSynthError) and "exit_code" in vars(found)
    ]

    assert table == {str(found.exit_code): found.__name__ for found in classes}


def test_every_command_is_documented() -> None:
    from typer.main import get_command

    from activesynth.cli.application import application

    root = get_command(application())
    groups = getattr(root, "commands", {})
    text = REFERENCE.read_text()
    missing = [
        f"{name} {verb}".strip()
        for name, command in groups.items()
        for verb in getattr(command, "commands", {"": None})
        if not re.search(rf"`[^`]*\b{name}\b[^`]*\b{verb}", text)
    ]

    assert missing == []


def test_the_schema_is_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    import json

    code = main(["config", "schema"])

    schema = json.loads(capsys.readouterr().out)
    assert code == 0
    assert schema["additionalProperties"] is False
    assert "source" in schema["required"]
