"""The query strategies a campaign can name under ``selection.strategy``."""

from __future__ import annotations

from collections.abc import Mapping

from activesynth.domain.registry import Row

_ROOM = "activesynth.targeting.strategies"
_PARAMETERS = "activesynth.targeting.parameters"

STRATEGIES: Mapping[str, Row] = {
    "badge": Row(f"{_ROOM}:Badge"),
    "entropy": Row(f"{_ROOM}:Entropy"),
    "bald": Row(f"{_ROOM}:Bald"),
    "margin": Row(f"{_ROOM}:Margin"),
    "random": Row(f"{_ROOM}:Random"),
    "coreset": Row(f"{_ROOM}:CoreSet"),
    "score": Row(f"{_ROOM}:Score", f"{_PARAMETERS}:ScoreParameters"),
    "typiclust": Row(f"{_ROOM}:TypiClust", f"{_PARAMETERS}:TypiClustParameters"),
    "probcover": Row(f"{_ROOM}:ProbCover", f"{_PARAMETERS}:ProbCoverParameters"),
    "proportional": Row(f"{_ROOM}:Proportional"),
    "mixed": Row(f"{_ROOM}:Mixed", f"{_PARAMETERS}:MixedParameters"),
}
