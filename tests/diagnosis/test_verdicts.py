"""Alpha is split over the kinds, weaknesses have an order, what people declare stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from activesynth.diagnosis.slices import slice_finding
from activesynth.diagnosis.verdicts import judge, ranked
from activesynth.domain.documents import Weakness, WeaknessProfile
from activesynth.errors import ShapeError
from evidence_cases import CLASSES, ROWS, by_id, make_evidence, probs_with_errors, run


def make_weakness(name: str, **changes: Any) -> Weakness:
    kind, _, key = name.partition(":")
    values: dict[str, Any] = {"gap": 0.3, "low": 0.1, "high": 0.5, "n": 30, "p_value": 0.01}
    values |= {"confirmed": True, "kind": kind, "key": key, "id": name, "title": name}
    return Weakness(**(values | changes))


def test_a_p_value_counts_every_test_of_its_kind_and_every_kind() -> None:
    rng = np.random.default_rng(0)
    searches, is_error, owners = np.ones(400, bool), rng.random(400) < 0.2, np.arange(400)
    parts = [("class", rng.random(400) < 0.3) for _ in range(3)]
    parts += [("cluster", rng.random(400) < 0.3) for _ in range(2)]
    findings = [
        slice_finding(kind, str(k), "", rows, is_error, owners, searches, 0.0)  # type: ignore[arg-type]
        for k, (kind, rows) in enumerate(parts)
    ]
    findings[0] = replace(findings[0], found=replace(findings[0].found, p_value=0.001))

    verdicts = judge(findings, [], min_support=10)

    assert verdicts[0].p_value == pytest.approx(0.001 * 3 * 2)
    assert all(v.p_value >= v.finding.found.p_value for v in verdicts)


def test_a_kind_without_a_tested_slice_costs_nothing() -> None:
    rows = np.arange(400) < 100
    searches, owners = np.ones(400, bool), np.arange(400)
    tested = slice_finding("class", "0", "", rows, rows, owners, searches, 0.0)
    too_small = slice_finding("slice", "a=b", "", np.arange(400) < 3, rows, owners, searches, 0.0)

    verdicts = judge([tested, too_small], [], min_support=10)

    assert verdicts[0].p_value == pytest.approx(tested.found.p_value)
    assert verdicts[1].p_value == 1.0


def test_first_is_what_is_confirmed_and_known_to_be_large() -> None:
    weaknesses = [
        make_weakness("class:0", strength=0.9, state="closed"),
        make_weakness("class:1", strength=0.8, confirmed=False),
        make_weakness("uncertain:high", strength=0.7),
        make_weakness("class:2", strength=0.1),
        make_weakness("cluster:3", strength=0.2),
        make_weakness("corruption:blur", strength=0.15, state="regressed"),
    ]

    ordered = ranked(weaknesses)

    assert [one.id for one in ordered] == [
        *("cluster:3", "corruption:blur", "class:2", "uncertain:high", "class:1", "class:0"),
    ]
    assert [one.rank for one in ordered] == [1, 2, 3, 4, 5, 6]


def test_a_corruption_is_ranked_by_its_mean_over_severities() -> None:
    # Mild at its mildest found severity and terrible later, against one that is flat.
    profile = run(
        make_evidence(
            rows=1200, corrupted_rates={"early": (0.2, 0.7, 0.9), "late": (0.0, 0.0, 0.5)}
        )
    )

    assert [one.id for one in profile.weaknesses] == ["corruption:early", "corruption:late"]
    assert profile.weaknesses[0].gap < profile.weaknesses[1].gap


DECLARED = "declared:class:2"


def declare(state: str | None = None, **planted: Any) -> WeaknessProfile:
    previous = {} if state is None else {DECLARED: state}
    return run(make_evidence(**planted), declared=["class:2"], previous=previous)


def test_what_is_declared_is_reported_though_nothing_is_found() -> None:
    weakness = by_id(declare(rows=100))[DECLARED]

    assert (weakness.kind, weakness.state, weakness.title) == (
        "declared",
        "open",
        "declared: class c2",
    )
    assert (weakness.target_kind, weakness.target_key) == ("class", "2")
    assert weakness.n > 0


def test_what_is_declared_closes_stays_in_sight_and_regresses() -> None:
    assert by_id(declare(rows=2000, rate=0.02))[DECLARED].state == "closed"
    assert by_id(declare("closed", rows=2000, rate=0.02))[DECLARED].state == "closed"
    assert by_id(declare("closed", by_class={2: 0.6}))[DECLARED].state == "regressed"


def test_declaring_much_does_not_make_it_harder_to_find_the_rest() -> None:
    evidence = make_evidence(by_class={2: 0.5})
    declared = [f"cluster:{k}" for k in range(5)]

    alone, beside = run(evidence), run(evidence, declared=declared)

    assert by_id(alone)["class:2"].p_value == by_id(beside)["class:2"].p_value


@pytest.mark.parametrize("target", ["slice:gone=1", "cluster:99", "nonsense", "corruption:fog@1"])
def test_what_is_declared_and_not_there_is_unknown_and_no_failure(target: str) -> None:
    weakness = run(make_evidence(), declared=[target]).weaknesses[0]

    assert (weakness.n, weakness.low, weakness.high, weakness.state) == (0, -1.0, 1.0, "open")


def test_a_declared_corruption_is_measured_at_its_severity() -> None:
    evidence = make_evidence()
    wrong = np.random.default_rng(3).random(ROWS) < 0.6
    copies = {"blur@0.5": probs_with_errors(evidence.y, wrong)}

    profile = run(replace(evidence, corrupted_at=copies), declared=["corruption:blur@0.5"])

    weakness = profile.weaknesses[0]
    assert (weakness.target_kind, weakness.target_key) == ("corruption", "blur")
    assert (weakness.severity, weakness.confirmed, weakness.n > 150) == (0.5, True, True)
    assert weakness.title == "declared: corruption blur at severity 0.5"
    with pytest.raises(ShapeError, match=r"corrupted_at\[blur@1\]"):
        replace(evidence, corrupted_at={"blur@1": np.zeros((2, CLASSES))})
