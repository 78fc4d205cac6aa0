"""The annotators this room offers, by name."""

from __future__ import annotations

from activesynth.domain.registry import Row

_PARAMETERS = "activesynth.annotation.parameters"

ANNOTATORS: dict[str, Row] = {
    "oracle": Row("activesynth.annotation.oracle:OracleAnnotator", f"{_PARAMETERS}:Oracle"),
    "automatic": Row(
        "activesynth.annotation.automatic:AutomaticAnnotator", f"{_PARAMETERS}:Automatic"
    ),
    "people": Row("activesynth.annotation.people:PeopleAnnotator"),
}
