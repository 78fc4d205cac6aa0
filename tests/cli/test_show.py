from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from activesynth.cli import main
from activesynth.domain.effects import Unwatched
from activesynth.domain.records import Annotation, QueueItem
from activesynth.lineage.lineage import open_lineage
from lineage_cases import make_campaign, make_commit


@pytest.fixture(autouse=True)
def _platform(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the commands at an empty database and at an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACTIVESYNTH_DATABASE_URL", database_url)
    monkeypatch.setenv("ACTIVESYNTH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ACTIVESYNTH_CAMPAIGNS", raising=False)


def register(name: str, database_url: str) -> None:
    """Put a campaign without data on record."""
    from activesynth.bootstrap import open_platform
    from activesynth.config.campaign import parse_campaign

    config = parse_campaign({"name": name, "source": {"name": "digits"}}, name)
    with open_platform() as platform:
        platform.lineage.register_campaign(name, config.model_dump(mode="json"))


def test_no_campaigns_are_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["show", "campaigns", "--json"])

    assert code == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    "noun",
    [
        *("iterations", "weaknesses", "samples", "lineage", "metrics", "models", "costs"),
        *("retrieved", "suspects", "diagnoses", "agreement"),
    ],
)
def test_an_unknown_campaign_ends_with_2_and_those_there_are(
    noun: str, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    register("letters", database_url)

    code = main(["show", noun, "digits", "--json"])

    shown = capsys.readouterr()
    assert code == 2
    assert "'digits'" in shown.err
    assert "letters" in shown.err
    assert shown.out == ""


@pytest.mark.parametrize(
    "noun",
    [
        *("iterations", "weaknesses", "samples", "lineage", "metrics", "models", "costs"),
        *("retrieved", "suspects", "diagnoses", "agreement"),
    ],
)
def test_an_empty_campaign_has_no_rows(
    noun: str, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    register("letters", database_url)

    as_json = main(["show", noun, "letters", "--json"])
    document = capsys.readouterr().out
    as_text = main(["show", noun, "letters"])
    sentence = capsys.readouterr().out

    assert (as_json, as_text) == (0, 0)
    assert json.loads(document) == []
    assert "'letters' has no" in sentence


def test_an_unknown_sample_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["show", "sample", "0" * 32])

    assert code == 2
    assert "activesynth show samples" in capsys.readouterr().err


def test_an_empty_campaign_has_a_report(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register("letters", database_url)

    code = main(["report", "letters", "--output", str(tmp_path / "out.html")])

    assert code == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "out.html")
    assert "no iteration of this campaign" in (tmp_path / "out.html").read_text()


def test_the_campaigns_are_those_with_a_file_and_those_with_data_on_record(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from activesynth.bootstrap import open_platform

    with open_platform() as platform:
        make_campaign(platform.lineage, "letters")
    register("refused", database_url)
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "campaigns" / "digits.yaml").touch()

    code = main(["campaign", "list", "--json"])

    names = [row["name"] for row in json.loads(capsys.readouterr().out)]
    assert code == 0
    assert names == ["digits", "letters"]


def test_an_iteration_id_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["iteration", "fail", "digits-3", "--reason", "dead"])

    assert code == 2
    assert "campaign:number:fence" in capsys.readouterr().err


def test_a_database_that_does_not_answer_ends_with_7(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"postgresql+psycopg2://nobody@/nowhere?host={tmp_path}"
    monkeypatch.setenv("ACTIVESYNTH_DATABASE_URL", address)

    code = main(["show", "campaigns"])

    assert code == 7
    assert "Traceback" not in capsys.readouterr().err


def test_agreement_is_shown_over_everybody_and_per_pair_and_undefined_is_said(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(open_lineage(database_url, Unwatched())) as lineage:
        make_campaign(lineage.store)
        opened = lineage.store.open_iteration("digits", "run-0", {})
        items = [
            QueueItem(f"item-{n}", f"sample-{n}", "label", "shard", n, None, second=True)
            for n in range(2)
        ]
        lineage.queue.enqueue(opened.ref, items)
        for item in items:
            lineage.queue.answer(Annotation(item.id, item.sample, "relabel", 3, "ada", 0))
            lineage.queue.second_opinion(item.id, "bob", "relabel", 3)
        lineage.store.commit_iteration(make_commit(opened))

    as_json = main(["show", "agreement", "digits", "--json"])
    everybody, pair = json.loads(capsys.readouterr().out)
    as_text = main(["show", "agreement", "digits"])

    assert (as_json, as_text) == (0, 0)
    assert (everybody["between"], pair["between"]) == ("everybody", "ada, bob")
    assert (everybody["n"], everybody["agreement"], everybody["alpha"]) == (2, 1.0, None)
    assert pair["kappa"] is None
    assert "both gave one and the same answer throughout" in capsys.readouterr().out
