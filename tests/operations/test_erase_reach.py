"""How far an erasure goes: what it must not take from others, and what it must not miss."""

from __future__ import annotations

import numpy as np

from activesynth.operations.person import is_telling


def test_a_blank_row_is_no_trace_of_anybody() -> None:
    """Zeros stand in every bias, so they would remove all weights there are."""
    rows = np.zeros((3, 28, 28), np.float32)
    rows[1] = np.linspace(0, 1, 28)
    bias = np.zeros(1000, np.float32).tobytes()

    blank, drawn, _ = (row.tobytes() for row in rows)

    assert blank in bias
    assert not is_telling(blank)
    assert is_telling(drawn)
    assert not is_telling(drawn[:60])
