"""Tables of predictions cross from the process that reads them as they were read there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from activesynth.datasets.prediction_files import (
    ERRORS,
    PredictionParameters,
    predictions_apart,
    read_columns,
)
from activesynth.datasets.sandbox import decode_arrays_apart
from activesynth.domain.canonical import Array
from activesynth.errors import InputError

TABLE: dict[str, Any] = {
    "label": ["å", "b", "å"],
    "prob.å": [0.25, 0.5, 1.0],
    "prob.b": [0.75, 0.5, 0.0],
    "file": ["x", "", "names"],
    "attribute.a/b": ["1", "2", "3"],
}


def write(path: Path) -> Path:
    if path.suffix == ".csv":
        rows = [",".join(TABLE), *(",".join(map(str, row)) for row in zip(*TABLE.values()))]  # noqa: B905
        path.write_text("\n".join(rows), encoding="utf-8")
    elif path.suffix == ".parquet":
        pq.write_table(pa.table(TABLE), path)
    else:
        kept: dict[str, Any] = {
            name: np.array(cells) for name, cells in TABLE.items() if name != "file"
        }
        np.savez(path, **kept)
    return path


@pytest.mark.parametrize("name", ["p.csv", "p.parquet", "p.npz"])
def test_what_is_read_apart_is_what_is_read_here(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name)
    here: dict[str, Array] = read_columns(path)

    there = predictions_apart(path)

    assert list(there) == list(here)
    for column, cells in here.items():
        assert there[column].dtype == cells.dtype
        np.testing.assert_array_equal(there[column], cells)
    assert there["prob.å"].dtype == np.float64


def test_a_refusal_crosses_too(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("label,prob.a,prob.b\na,1\n")

    with pytest.raises(InputError, match="row 1 has 2 cells, the header has 3") as caught:
        predictions_apart(path)

    assert caught.value.reason == "shape"
    assert caught.value.field == "--predictions"


@pytest.mark.parametrize(
    ("reader", "reason", "says"),
    [("crash", "decoder_crashed", "SIGSEGV"), ("grow", "decoder_memory", "diagnose a sample")],
)
def test_a_reader_that_dies_or_grows_is_a_refusal_of_the_table(
    tmp_path: Path, reader: str, reason: str, says: str
) -> None:
    limits = PredictionParameters(path=tmp_path, max_bytes=1 << 20, max_seconds=60)

    with pytest.raises(InputError, match=says) as caught:
        decode_arrays_apart(f"hostile_readers:{reader}", limits, ERRORS)

    assert caught.value.reason == reason
    assert caught.value.field == "--predictions"
