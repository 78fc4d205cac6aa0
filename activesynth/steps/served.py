"""Which model of an arm would be deployed."""

from __future__ import annotations

from activesynth.steps.turn import Turn

SERVED = 0
"""The replicate that would be deployed."""


def served_model(turn: Turn, arm: str) -> str:
    """Return the digest of the card of the arm's model that would be deployed."""
    number = turn.config.evaluation.arms.index(arm)
    return turn.step("retrain", number).artifacts[f"model{SERVED}"]
