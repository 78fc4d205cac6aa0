"""Arrays in files without a name, and shards written from them."""

from __future__ import annotations

import tempfile

import numpy as np
import pytest

from activesynth.domain import spool
from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import write_rows
from activesynth.domain.samples import SampleSet
from activesynth.domain.spool import gathered, mapped, write_rows_of
from fakes import MemoryObjects


def make_x(count: int = 500) -> Array:
    return np.random.default_rng(0).integers(0, 256, (count, 4, 3, 1), dtype=np.uint8)


@pytest.mark.parametrize("in_memory", [10, 1 << 20])
def test_gathered_rows_are_the_rows_and_lie_in_a_file_where_they_are_large(
    in_memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", in_memory)
    x, rows = make_x(), np.random.default_rng(1).permutation(500)[:300]

    found = gathered(x, rows)

    assert np.array_equal(found, x[rows])
    assert (found.base is None) == (in_memory == 1 << 20)
    assert type(found) is np.ndarray
    assert gathered(x, rows[:0]).shape == (0, 4, 3, 1)


def test_an_array_in_a_file_is_what_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", 100)
    x = np.asfortranarray(make_x().astype(np.float32))
    with tempfile.TemporaryFile() as file:
        write_rows_of(file, x)
        found = mapped(file, x.shape, x.dtype)

    assert np.array_equal(found, x)


def test_shards_of_some_rows_are_those_of_a_set_of_them() -> None:
    ids = np.array([f"{n:03d}" for n in np.random.default_rng(2).permutation(500)])
    samples = SampleSet(ids, make_x(), np.arange(500), ids)
    rows = np.arange(0, 500, 3)
    objects = MemoryObjects()

    assert write_rows(objects, samples, rows=rows, rows_per_shard=30) == write_rows(
        objects, samples.take(rows), rows_per_shard=30
    )
    assert len(write_rows(objects, samples, rows=rows[:0])) == 1
