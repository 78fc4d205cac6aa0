"""Plans that people propose: checked, kept, used once or withdrawn, and what they cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from activesynth.config.proposal import PlanProposal, parse_amounts, parse_proposal
from activesynth.domain.canonical import canonical_json, sha256
from activesynth.domain.documents import Plan
from activesynth.domain.platform import Platform
from activesynth.domain.samples import SampleSet
from activesynth.errors import ConfigurationError
from activesynth.operations.declare import declare
from activesynth.operations.declare import withdraw as withdraw_weakness
from activesynth.operations.ingest import ingest
from activesynth.operations.next_plan import NOT_MEASURED, next_plan
from activesynth.operations.propose import propose, withdraw
from activesynth.steps.loop import run
from activesynth.steps.plan import plan as plan_step
from activesynth.steps.turn import Turn, open_turn
from toy_plane import plane_config, plane_platform

WINTER = "corruption:jitter@0.9"
SETTINGS: dict[str, Any] = {
    "source": {"name": "plane", "parameters": {"rows": 1200}},
    "splits": {"train": 0.15, "pool": 0.15, "guide": 0.3},
    "diagnosis": {"corruptions": ["jitter"], "severities": [0.5, 1.0], "margin": 0.005},
    "training": {"replicates": 1},
}


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    with plane_platform(database_url, tmp_path) as opened:
        ingest(plane_config(**SETTINGS), opened)
        declare("plane", WINTER, "it is always open", opened)
        yield opened


def start(platform: Platform) -> Turn:
    (iteration_id,) = run(platform, conf={"campaign": "plane"})
    return open_turn(iteration_id, platform)


def make_proposal(amounts: dict[str, int], **changes: Any) -> PlanProposal:
    return PlanProposal(amounts=amounts, **({"reason": "the customer complained"} | changes))


def ask(platform: Platform, amounts: dict[str, int], **changes: Any) -> int:
    return propose("plane", make_proposal(amounts, **changes), platform, proposed_by="otto").number


def planned(turn: Turn) -> dict[str, int]:
    plan = turn.artifacts.document(turn.step("plan").artifacts["plan"], Plan)
    return {item.weakness: item.count for item in plan.items}


def budget_of(turn: Turn) -> int:
    rows = sum(ref.rows for ref in turn.manifest.splits["train"])
    return round(turn.config.plan.growth * rows)


def made(turn: Turn) -> Counter[str]:
    rows = [
        SampleSet.decode(turn.platform.objects.get(record.artifacts["targeted"]))
        for record in turn.platform.lineage.steps(turn.ref, "generate")
    ]
    return Counter(np.concatenate([part.columns["weakness"] for part in rows]).tolist())


def test_a_committed_iteration_makes_what_a_person_asked_for(platform: Platform) -> None:
    before = start(platform)
    number = ask(platform, {WINTER: 3, "corruption:jitter": 17})

    turn = start(platform)

    facts = turn.step("plan").facts
    assert planned(turn)[f"declared:{WINTER}"] == 3
    assert planned(turn)["corruption:jitter"] == 17
    assert len(planned(turn)) > 2
    assert facts["proposal"] == {
        "number": number, "rows": 20, "dropped": {}, "cut": 0, "unspent": 0
    }  # fmt: skip
    assert facts["budget"] == budget_of(turn)
    oversample = turn.config.plan.oversample
    for name, rows in planned(turn).items():
        assert made(turn)[name] == int(np.ceil(rows * oversample - 1e-9))
    assert sum(planned(turn).values()) == facts["budget"]
    (row,) = platform.reader.proposed_plans("plane")
    assert (row["state"], row["used_in"], row["proposed_by"]) == ("used", 1, "otto")
    assert "proposal" not in before.step("plan").facts
    assert "proposal" not in start(platform).step("plan").facts


def test_a_plan_without_a_proposal_keeps_its_key(platform: Platform) -> None:
    ask(platform, {WINTER: 1})
    withdraw("plane", "a mistake", platform, withdrawn_by="otto")
    turn = start(platform)

    diagnosed, embedded = turn.step("diagnose").artifacts, turn.step("embed").artifacts
    as_before = {
        "step": "plan",
        "version": 2,
        "shard": 0,
        "inputs": {
            "profile": diagnosed["profile"],
            "scores": diagnosed["scores"],
            "guide": embedded["guide"],
            "pool": embedded["pool"],
        },
        "settings": {
            "budget": budget_of(turn),
            "labels": turn.config.selection.labels,
            "retrieve": turn.config.selection.retrieve,
            "explore": turn.config.plan.explore,
            "history": [],
            "pressure": {},
        },
        "seed": turn.seed("plan"),
        "profile": "toy",
    }
    (row,) = platform.reader.proposed_plans("plane")
    assert (row["state"], row["used_in"]) == ("withdrawn", None)
    assert turn.step("plan").derivation_key == sha256(canonical_json(as_before))
    assert "proposal" not in turn.step("plan").facts


def test_what_is_proposed_after_the_plan_waits_for_the_next_iteration(platform: Platform) -> None:
    first = ask(platform, {WINTER: 2}, rest="none")
    reached: list[dict[str, int]] = []

    def stop(what: str, done: int, total: int) -> None:
        if what == "generate" and not reached:
            turn = open_turn("plane:0:1", platform)
            reached.append(planned(turn))
            withdraw("plane", "changed my mind", platform, withdrawn_by="otto")
            ask(platform, {WINTER: 5}, rest="none")
            assert plan_step("plane:0:1", platform) == turn.step("plan")

    (iteration_id,) = run(replace(platform, report=stop), conf={"campaign": "plane"})
    turn = open_turn(iteration_id, platform)
    rows = platform.reader.proposed_plans("plane")
    states = {row["number"]: (row["state"], row["used_in"]) for row in rows}

    assert reached == [planned(turn)]
    assert turn.step("plan").facts["proposal"]["number"] == first
    assert states == {first: ("used", 0), first + 2: ("standing", None)}


def test_another_run_that_takes_over_plans_with_what_stands_then(platform: Platform) -> None:
    ask(platform, {WINTER: 2})

    def die(what: str, done: int, total: int) -> None:
        if what == "generate":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(replace(platform, report=die), conf={"campaign": "plane"})
    before = open_turn("plane:0:1", platform)
    assert before.step("plan").facts["proposal"]["number"] == 1
    assert platform.reader.proposed_plans("plane")[0]["state"] == "standing"
    platform.lineage.fail_iteration(before.ref, "its run is dead")
    other = ask(platform, {WINTER: 6})

    (iteration_id,) = run(platform, conf={"campaign": "plane"}, run_key="another")
    turn = open_turn(iteration_id, platform)

    states = {row["number"]: row["state"] for row in platform.reader.proposed_plans("plane")}
    assert turn.ref.fence == 2
    assert planned(turn)[f"declared:{WINTER}"] == 6
    assert states == {1: "replaced", other: "used"}
    assert plan_step(str(turn.ref), platform) == turn.step("plan")


def test_the_rest_is_not_spent_where_that_is_asked(platform: Platform) -> None:
    ask(platform, {WINTER: 4}, rest="none")

    turn = start(platform)

    facts = turn.step("plan").facts
    assert planned(turn) == {f"declared:{WINTER}": 4}
    assert facts["budget"] == facts["proposal"]["rows"] == 4
    assert facts["proposal"]["unspent"] == budget_of(turn) - 4


def test_rows_for_what_is_not_weak_any_more_go_to_the_rest_and_that_is_told(
    platform: Platform,
) -> None:
    declare("plane", "class:2", "far", platform)
    ask(platform, {"class:2": 6, WINTER: 1})
    withdraw_weakness("plane", "class:2", "it is not", platform)

    turn = start(platform)

    told = turn.step("plan").facts["proposal"]
    assert told == {
        "number": 1, "rows": 1, "dropped": {"declared:class:2": 6}, "cut": 0, "unspent": 0
    }  # fmt: skip
    assert sum(planned(turn).values()) == budget_of(turn)
    assert planned(turn)[f"declared:{WINTER}"] == 1


def test_what_no_longer_fits_is_cut_in_proportion_and_that_is_told(platform: Platform) -> None:
    start(platform)
    ask(platform, {WINTER: 30, "corruption:jitter": 10})

    (iteration_id,) = run(platform, conf={"campaign": "plane", "growth": 0.1})

    turn = open_turn(iteration_id, platform)
    budget = budget_of(turn)
    told = turn.step("plan").facts["proposal"]
    assert budget == 11
    assert planned(turn) == {f"declared:{WINTER}": 8, "corruption:jitter": 3}
    assert (told["rows"], told["cut"], told["unspent"]) == (11, 29, 0)


def test_more_than_the_budget_is_refused_and_the_limit_named(platform: Platform) -> None:
    budget = next_plan("plane", platform).budget

    with pytest.raises(ConfigurationError, match=f"the limit is {budget}: `plan.growth`") as e:
        ask(platform, {WINTER: budget + 1})

    assert (e.value.reason, e.value.field) == ("over_budget", "amounts")
    assert ask(platform, {WINTER: budget}) == 1


@pytest.mark.parametrize(
    ("amounts", "changes", "says"),
    [
        ({"class:9": 1}, {}, "no open or declared weakness 'class:9'; there are: "),
        ({WINTER: 1, f"declared:{WINTER}": 1}, {}, "is named twice"),
        ({WINTER: 0}, {"rest": "none"}, "nothing would be made"),
        ({WINTER: 1}, {"reason": "  "}, "say why in 1 to 500"),
    ],
)
def test_what_cannot_be_planned_is_refused(
    platform: Platform, amounts: dict[str, int], changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        ask(platform, amounts, **changes)
    assert platform.reader.proposed_plans("plane") == []


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"amounts": {}, "reason": "x"}, "amounts"),
        ({"amounts": {"class:1": -1}, "reason": "x"}, "amounts.class:1"),
        ({"amounts": {"class:1": 1.5}, "reason": "x"}, "amounts.class:1"),
        ({"amounts": {"class:1": 1}}, "reason"),
        ({"amounts": {"class:1": 1}, "reason": "x", "rest": "some"}, "rest"),
        ({"amounts": {"class:1": 1}, "reason": "x", "speed": 1}, "speed"),
    ],
)
def test_a_bad_value_is_named(document: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError, match="proposal") as caught:
        parse_proposal(document)

    assert caught.value.field.startswith(field)


def test_amounts_are_read_from_texts() -> None:
    assert parse_amounts(["class:3=12", "slice:camera=left=0"]) == {
        "class:3": 12,
        "slice:camera=left": 0,
    }
    for text in ("class:3", "class:3=", "=4", "class:3=-1", "class:3=²", f"class:3={'9' * 5000}"):
        with pytest.raises(ConfigurationError, match="not of the form weakness=rows"):
            parse_amounts([text])


def test_a_proposal_sent_again_is_kept_once_and_another_takes_its_place(platform: Platform) -> None:
    with ThreadPoolExecutor(4) as pool:
        numbers = set(pool.map(lambda _: ask(platform, {WINTER: 3}), range(8)))
    other = ask(platform, {WINTER: 4})

    states = {row["number"]: row["state"] for row in platform.reader.proposed_plans("plane")}
    assert numbers == {1}
    assert states == {1: "replaced", other: "standing"}
    assert next_plan("plane", platform).parts[0].proposed == 4
    withdraw("plane", "no", platform, withdrawn_by="otto")
    with pytest.raises(ConfigurationError, match="no proposed plan stands"):
        withdraw("plane", "no", platform, withdrawn_by="otto")


def test_the_cost_is_that_of_measured_iterations_and_told_before_there_is_one(
    platform: Platform,
) -> None:
    before = next_plan("plane", platform).cost({WINTER: 3}, "none")
    turn = start(platform)
    found = next_plan("plane", platform)

    one, two = (found.cost({WINTER: rows}, "none").seconds for rows in (10, 20))
    everything = found.cost({part.weakness: part.planned or 0 for part in found.parts}, "automatic")

    spent = sum(
        record.seconds
        for name in ("generate", "screen")
        for record in platform.lineage.steps(turn.ref, name)
    )
    assert (before.seconds, before.told) == (None, NOT_MEASURED)
    assert one is not None
    assert two == pytest.approx(2 * one)
    assert everything.automatic == 0  # every weakness is named
    assert everything.seconds is not None
    assert spent / 2 < everything.seconds < 2 * spent
    assert found.measured == 1
    with pytest.raises(ConfigurationError, match="the limit is"):
        found.cost({WINTER: 10_000}, "none")
