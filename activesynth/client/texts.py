"""Bounds that every message keeps: how long texts are, and which characters they may hold."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

LARGEST = 2**31 - 1
"""Postgres keeps whole numbers of four bytes."""
PRINTED = r"^[^\x00-\x1f\x7f]*$"
"""Of texts: no control characters, which Postgres cannot keep or nobody can see."""

Given = Annotated[str, Field(min_length=1, max_length=300, pattern=PRINTED)]
Reason = Annotated[
    str, Field(min_length=1, max_length=500, pattern=PRINTED, description="Kept on record.")
]
Count = Annotated[int, Field(ge=0, le=LARGEST)]


class Strict(BaseModel):
    """What somebody sends: a field that is not known, or of another type, is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)
