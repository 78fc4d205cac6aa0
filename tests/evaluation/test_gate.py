"""The gate: what it promotes, what it refuses and why, and how often it errs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from activesynth.domain.canonical import Array
from activesynth.errors import ConfigurationError, ShapeError
from activesynth.evaluation.gate import GateDecision, decide_gate
from activesynth.evaluation.metrics import (
    Accuracy,
    BalancedAccuracy,
    MacroF1,
    NegativeLogLikelihood,
)
from activesynth.statistics.corrections import alpha_at

CLASSES = 4


def make_arm(y: Array, errors: Array) -> Array:
    """Return probabilities ``(S, n, C)`` that are wrong exactly where ``errors`` ``(S, n)``."""
    predicted = np.where(errors, (y + 1) % CLASSES, y)
    probs: Array = np.eye(CLASSES)[predicted] * 0.8 + 0.05
    return probs


def make_arms(rates: dict[str, float], *, n: int = 400, seed: int = 0) -> tuple[Array, Any]:
    """Return labels and arms of two replicates whose errors are nested, the head having one."""
    rng = np.random.default_rng(seed)
    y, luck = np.arange(n) % CLASSES, rng.random((2, n))
    arms = {arm: make_arm(y, luck < rate) for arm, rate in rates.items()}
    if "head" in arms:
        arms["head"] = arms["head"][:1]
    return y, arms


def decide(y: Array, probs: Any, **changes: Any) -> GateDecision:
    arguments: dict[str, Any] = {
        "metric": BalancedAccuracy(),
        "guarded": {"macro_f1": 0.02},
        "metrics": {"macro_f1": MacroF1(), "nll": NegativeLogLikelihood()},
        "margin": 0.01,
        "alpha": 0.05,
        "t": 1,
        "control": "reweighted",
        "resamples": 500,
        "seed": 0,
    }
    return decide_gate(y, np.arange(len(y)), probs, **(arguments | changes))


def test_a_clearly_better_arm_is_promoted_and_superior() -> None:
    y, arms = make_arms({"targeted": 0.1, "real": 0.2, "reweighted": 0.2, "head": 0.2})

    decision = decide(y, arms)

    assert decision.is_promoted
    assert decision.is_superior
    assert decision.reason.startswith("promoted: balanced_accuracy against head +")
    assert [(bound.name, bound.against) for bound in decision.bounds] == [
        ("balanced_accuracy", "head"),
        ("balanced_accuracy", "real"),
        ("macro_f1", "head"),
    ]


def test_an_equal_arm_is_promoted_without_being_superior() -> None:
    y, arms = make_arms({"targeted": 0.2, "real": 0.2, "reweighted": 0.2, "head": 0.2})
    arms["head"] = arms["real"]

    decision = decide(y, arms)

    assert decision.is_promoted
    assert not decision.is_superior
    assert "Better than reweighted in balanced_accuracy: not shown" in decision.reason


def test_an_arm_worse_than_real_is_refused_with_the_numbers() -> None:
    y, arms = make_arms({"targeted": 0.2, "real": 0.1, "reweighted": 0.1, "head": 0.3})

    decision = decide(y, arms)

    assert not decision.is_promoted
    assert "worse than real, beyond the margin of 0.0100" in decision.reason
    failed = [bound for bound in decision.bounds if not bound.holds]
    assert [bound.against for bound in failed] == ["real"]
    assert failed[0].value == pytest.approx(-0.1, abs=0.03)


def test_a_guarded_metric_can_refuse_alone() -> None:
    y, arms = make_arms({"targeted": 0.1, "real": 0.1, "reweighted": 0.1, "head": 0.1})
    arms["targeted"][:, y == 0] = np.eye(CLASSES)[1] * 0.8 + 0.05

    decision = decide(y, arms, guarded={"macro_f1": 0.02}, margin=0.5)

    assert not decision.is_promoted
    assert [bound.name for bound in decision.bounds if not bound.holds] == ["macro_f1"]


def test_for_a_metric_where_lower_is_better_the_sign_is_turned() -> None:
    y, arms = make_arms({"targeted": 0.1, "real": 0.2, "reweighted": 0.2, "head": 0.2})

    better = decide(y, arms, metric=NegativeLogLikelihood(), guarded={"nll": 0.01})
    worse = decide(
        y,
        arms | {"targeted": arms["real"], "real": arms["targeted"]},
        metric=NegativeLogLikelihood(),
        guarded={},
    )

    assert better.is_promoted
    assert all(bound.value > 0 for bound in better.bounds)
    assert not worse.is_promoted


def test_without_a_head_everything_is_held_against_real() -> None:
    y, arms = make_arms({"targeted": 0.1, "real": 0.2, "reweighted": 0.2})

    decision = decide(y, arms | {"head": None})

    assert decision.is_promoted
    assert {bound.against for bound in decision.bounds} == {"real"}


def test_a_forgotten_head_is_refused_and_not_taken_for_none() -> None:
    y, arms = make_arms({"targeted": 0.1, "real": 0.2, "reweighted": 0.2})

    with pytest.raises(ShapeError, match="pass None as `head`"):
        decide(y, arms)


def test_only_the_head_may_be_none() -> None:
    y, arms = make_arms({"targeted": 0.1, "real": 0.2, "reweighted": 0.2, "head": 0.2})

    with pytest.raises(ShapeError, match="targeted with real"):
        decide(y, arms | {"real": None})


def test_an_unknown_guarded_metric_is_a_mistake_in_the_campaign() -> None:
    y, arms = make_arms({"targeted": 0.1, "real": 0.2, "reweighted": 0.2, "head": 0.2})

    with pytest.raises(ConfigurationError, match=r"`gate\.guarded` names \['auc'\]"):
        decide(y, arms, guarded={"auc": 0.1})


def test_superiority_costs_more_at_every_look() -> None:
    y, arms = make_arms({"targeted": 0.17, "real": 0.2, "reweighted": 0.2, "head": 0.2})

    first, tenth = decide(y, arms, t=1), decide(y, arms, t=10)

    assert first.superiority_alpha == alpha_at(1)
    assert tenth.superiority_alpha == alpha_at(10)
    assert tenth.superiority.low < first.superiority.low
    assert tenth.superiority.value == first.superiority.value


def test_equal_seeds_give_equal_decisions() -> None:
    y, arms = make_arms({"targeted": 0.15, "real": 0.2, "reweighted": 0.2, "head": 0.2})

    assert decide(y, arms) == decide(y, arms)


@pytest.mark.parametrize("runs", [1, 3])
def test_an_arm_worse_by_the_margin_is_promoted_at_most_as_often_as_promised(runs: int) -> None:
    rng = np.random.default_rng(1)
    trials, n, margin = 300, 300, 0.05
    y = np.arange(n) % CLASSES
    promoted = 0

    for _ in range(trials):
        arms = {
            arm: make_arm(y, rng.random((runs, n)) < rate)
            for arm, rate in {"targeted": 0.2 + margin, "real": 0.2}.items()
        }
        decision = decide(
            y,
            arms | {"head": None},
            metric=Accuracy(),
            guarded={},
            margin=margin,
            control="real",
            resamples=200,
        )
        promoted += decision.is_promoted

    # 3 standard errors of a share of 0.05 over 300 trials are 0.038; 0.01 for the percentiles.
    assert promoted / trials <= 0.05 + 0.048
