"""What the columns of a table of predictions are called, for those who read and those who check."""

from __future__ import annotations

FIELD = "--predictions"
PROB = "prob."
"""Before the name of a class: its probability."""
DRAW = "draw."
"""Before ``<number>.<class>``: the probability of a single dropout pass or member."""
