from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from activesynth.cli import main
from activesynth.errors import ConfigurationError, PlatformStateError

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a folder with one good campaign, so that no platform of the developer is touched."""
    monkeypatch.chdir(tmp_path)
    for name in ("ACTIVESYNTH_CAMPAIGNS", "ACTIVESYNTH_DATABASE_URL", "ACTIVESYNTH_OBJECTS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ACTIVESYNTH_HOME", str(tmp_path / "home"))
    (tmp_path / "campaigns").mkdir()
    shutil.copy(ROOT / "campaigns" / "digits.yaml", tmp_path / "campaigns")


def examined(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = main(["doctor", "--json"])
    rows = json.loads(capsys.readouterr().out)
    return code, {row["what"]: row for row in rows}


def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def test_a_place_where_nothing_runs_yet_is_no_problem(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = examined(capsys)

    assert code == 0
    assert {row["state"] for row in found.values()} <= {"ok", "warning"}
    assert "`activesynth up`" in found["airflow"]["told"]
    assert "start it" in found["database"]["told"]


def test_a_database_with_tables_is_well(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ACTIVESYNTH_DATABASE_URL", database_url)

    code, found = examined(capsys)

    assert code == 0
    assert found["database"]["state"] == found["clock"]["state"] == found["outbox"]["state"] == "ok"


def test_every_fault_is_found_though_others_are_there_and_each_says_what_to_do(
    empty_database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ACTIVESYNTH_DATABASE_URL", empty_database_url)
    monkeypatch.setenv("ACTIVESYNTH_OBJECTS_URL", "s3://some-bucket")
    monkeypatch.setenv("ACTIVESYNTH_AIRFLOW_URL", f"http://127.0.0.1:{closed_port()}")
    (tmp_path / "campaigns" / "broken.yaml").write_text("name: broken\nnonsense: 1\n")

    code, found = examined(capsys)

    problems = {what for what, row in found.items() if row["state"] == "problem"}
    assert code == PlatformStateError.exit_code
    assert problems == {"database", "objects", "campaigns", "airflow"}
    assert "`activesynth database upgrade`" in found["database"]["told"]
    assert "ACTIVESYNTH_S3_ENDPOINT" in found["objects"]["told"]
    assert "broken.yaml" in found["campaigns"]["told"]
    assert "did not answer" in found["airflow"]["told"]


def test_a_gpu_that_is_asked_for_and_not_there_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from activesynth.nn.device_choice import detected_device

    if detected_device() == "cuda":
        pytest.skip("this machine has a GPU")
    monkeypatch.setenv("ACTIVESYNTH_DEVICE", "cuda")

    code, found = examined(capsys)

    assert code == PlatformStateError.exit_code
    assert found["device"]["state"] == "problem"


def test_a_variable_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ACTIVESYNTH_THREADS", "none")

    code, found = examined(capsys)

    assert code in (ConfigurationError.exit_code, PlatformStateError.exit_code)
    assert "ACTIVESYNTH_THREADS" in found["settings"]["told"]


def test_a_person_gets_a_line_for_each_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith(("ok ", "warning ")) for line in lines)
    assert len(lines) == 7
