"""Declaring, listing and withdrawing a weakness from the command line, on a real dataset."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from activesynth.bootstrap import open_platform
from activesynth.cli import main
from activesynth.config.campaign import parse_campaign
from activesynth.operations.ingest import ingest
from tiny_campaign import TINY


@pytest.fixture(autouse=True)
def _campaign(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ingest the campaign ``letters`` into an empty platform."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACTIVESYNTH_DATABASE_URL", database_url)
    monkeypatch.setenv("ACTIVESYNTH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ACTIVESYNTH_CAMPAIGNS", raising=False)
    with open_platform() as platform:
        ingest(parse_campaign({"name": "letters", **TINY}, "letters"), platform)


def test_a_declaration_is_listed_with_its_reason_and_can_be_withdrawn(
    capsys: pytest.CaptureFixture[str],
) -> None:
    declared = main(
        ["weakness", "declare", "letters", "--class", "3", "--reason", "it is read as 8"]
    )
    again = main(["weakness", "declare", "letters", "--class", "3", "--reason", "once more"])
    blurred = ["--corruption", "blur@0.66", "--reason", "winter"]
    assert main(["weakness", "declare", "letters", *blurred]) == 0
    withdrawn = main(["weakness", "withdraw", "letters", "class:3", "--reason", "solved"])
    told = capsys.readouterr().out
    listed = main(["weakness", "list", "letters", "--json"])

    rows = json.loads(capsys.readouterr().out)
    assert (declared, again, withdrawn, listed) == (0, 0, 0, 0)
    assert [(row["action"], row["target"]) for row in rows] == [
        ("declare", "class:3"),
        ("declare", "corruption:blur@0.66"),
        ("withdraw", "class:3"),
    ]
    assert rows[0]["reason"] == "it is read as 8"
    assert "class:3 was declared already; nothing changed." in told


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--class", "x"], "no such class; there are: 0, 1"),
        (["--attribute", "site=A"], "no attribute 'site'; there are: none"),
        (["--attribute", "site"], "not of the form name=value"),
        (["--cluster", "8"], "has the clusters 0 to 7"),
        (["--corruption", "hail"], "hail"),
        (["--corruption", "blur@much"], "not of the form name@severity"),
        (["--corruption", "blur@2"], "up to 1"),
        ([], "declare one weakness at a time"),
        (["--class", "1", "--cluster", "1"], "declare one weakness at a time"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_there_is(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["weakness", "declare", "letters", *arguments, "--reason", "why"])

    shown = capsys.readouterr()
    assert code == 2
    assert says in shown.err
    assert "Traceback" not in shown.err


def test_a_campaign_that_never_ran_is_not_diagnosed(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["diagnose", "letters"])

    assert code == 2
    assert "has no trained model yet; run an iteration first" in capsys.readouterr().err
