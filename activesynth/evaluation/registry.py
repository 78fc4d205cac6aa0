"""The table of metrics: names to classes that satisfy the ``Metric`` port."""

from __future__ import annotations

from activesynth.domain.registry import Row

METRICS: dict[str, Row] = {
    "accuracy": Row("activesynth.evaluation.metrics:Accuracy"),
    "balanced_accuracy": Row("activesynth.evaluation.metrics:BalancedAccuracy"),
    "macro_f1": Row("activesynth.evaluation.metrics:MacroF1"),
    "ece": Row("activesynth.evaluation.metrics:ExpectedCalibrationError"),
    "nll": Row("activesynth.evaluation.metrics:NegativeLogLikelihood"),
}
