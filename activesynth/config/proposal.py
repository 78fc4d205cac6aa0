"""What a person may set when proposing a plan, on a page, by the API or on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from activesynth.config.campaign import Section
from activesynth.domain.documents import MAX_WEAKNESS_ID
from activesynth.domain.registry import invalid
from activesynth.errors import ConfigurationError

PRINTED = r"^[^\x00-\x1f\x7f]*$"
"""No control characters, which Postgres cannot keep or nobody can see."""
MAX_NAMED = 200
MAX_ROWS = 10_000_000
MAX_PREVIEWED = 8

WeaknessName = Annotated[str, Field(min_length=1, max_length=MAX_WEAKNESS_ID, pattern=PRINTED)]
Rows = Annotated[int, Field(ge=0, le=MAX_ROWS)]
Amounts = Annotated[dict[WeaknessName, Rows], Field(min_length=1, max_length=MAX_NAMED)]


class PlanProposal(Section):
    """How many synthetic rows the next iteration is to make for which weakness, and why.

    ``amounts`` maps the id of a weakness, or a declared target, to rows; ``rest`` says what becomes
    of the budget that is left: split over the other weaknesses as without a proposal, or not spent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    amounts: Amounts
    rest: Literal["automatic", "none"] = "automatic"
    reason: Annotated[str, Field(min_length=1, max_length=500, pattern=PRINTED)]


class PreviewRequest(Section):
    """Which weakness a few samples are wanted of, and how many."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    weakness: WeaknessName
    rows: Annotated[int, Field(ge=1, le=MAX_PREVIEWED)] = 4


def parse_proposal(document: Mapping[str, Any]) -> PlanProposal:
    """Check a proposal strictly.

    Raises:
        ConfigurationError: Naming each wrong or undeclared field.
    """
    try:
        return PlanProposal.model_validate(document)
    except ValidationError as error:
        raise invalid("proposal", error) from error


def parse_preview(document: Mapping[str, Any]) -> PreviewRequest:
    """Check what is asked of a preview strictly.

    Raises:
        ConfigurationError: Naming each wrong or undeclared field.
    """
    try:
        return PreviewRequest.model_validate(document)
    except ValidationError as error:
        raise invalid("preview", error) from error


def parse_amounts(parts: Iterable[str]) -> dict[str, int]:
    """Read texts of the form ``weakness=rows``; a weakness's id may have ``=`` in it.

    Raises:
        ConfigurationError: If a text has another form, or names a weakness again.
    """
    amounts: dict[str, int] = {}
    for text in parts:
        name, _, rows = text.rpartition("=")
        is_number = rows.isascii() and rows.isdecimal() and len(rows) <= len(str(MAX_ROWS))
        if not name or not is_number or int(rows) > MAX_ROWS:
            raise ConfigurationError(
                f"{text!r} is not of the form weakness=rows, as in class:3=12, with 0 to "
                f"{MAX_ROWS} rows.",
                reason="bad_value",
                field="amounts",
            )
        if name in amounts:
            raise ConfigurationError(
                f"{name!r} is named twice; say once how many rows it gets.",
                reason="bad_value",
                field="amounts",
            )
        amounts[name] = int(rows)
    return amounts
