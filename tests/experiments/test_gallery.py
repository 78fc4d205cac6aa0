from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from activesynth.domain.dataset_access import write_rows
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.effects import Unwatched
from activesynth.domain.samples import SampleSet
from activesynth.experiments.gallery import Gallery, data_uri, galleries
from activesynth.modalities.image import ImageModality
from activesynth.storage.directory import DirectoryObjectStore
from lineage_rows import RowReader, make_sample

Row = dict[str, Any]


def make_rows(names: list[str], shade: int) -> SampleSet:
    """Return one even picture per name, each a little brighter than the one before."""
    count = len(names)
    x = np.zeros((count, 4, 4, 1), np.uint8) + shade
    x += np.arange(count, dtype=np.uint8)[:, None, None, None]
    return SampleSet(np.array(names), x, np.zeros(count, np.int64), np.array(names))


def colour(uri: str) -> int:
    """Return the brightness of the first pixel of a picture in the page."""
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        pixel = image.convert("L").getpixel((0, 0))
    assert isinstance(pixel, int)
    return pixel


@pytest.fixture
def store(tmp_path: Path) -> DirectoryObjectStore:
    return DirectoryObjectStore(tmp_path, Unwatched())


def collect(store: DirectoryObjectStore, rows: list[Row], count: int = 12) -> tuple[Gallery, ...]:
    real = write_rows(store, make_rows(["real0", "real1"], 100))
    head = DatasetManifest(
        modality="image", classes=("zero", "one"), parent=None, splits={"train": real}
    )
    reader = RowReader(sample_rows=rows)
    return galleries(reader, store, ImageModality(), head, "digits", [0], count=count)


def test_a_sample_stands_beside_its_parent(store: DirectoryObjectStore) -> None:
    shard = store.put(make_rows(["a", "b"], 10).encode())

    found = collect(store, [make_sample("b", shard=shard, row=1, label=1, parents=("real1",))])

    picture = found[0].accepted[0]
    assert colour(picture.image) == 11
    assert colour(picture.neighbour) == 101
    assert picture.label == "one"


def test_a_sample_whose_neighbour_is_gone_is_shown_alone(store: DirectoryObjectStore) -> None:
    shard = store.put(make_rows(["a"], 10).encode())

    found = collect(store, [make_sample("a", shard=shard, parents=("erased",))])

    assert found[0].accepted[0].neighbour == ""


def test_a_sample_whose_shard_is_gone_is_left_out(store: DirectoryObjectStore) -> None:
    assert collect(store, [make_sample("a", shard="0" * 64)]) == ()


def test_rejected_samples_are_spread_over_the_reasons(store: DirectoryObjectStore) -> None:
    names = [f"s{n}" for n in range(10)]
    shard = store.put(make_rows(names, 10).encode())
    rows = [
        make_sample(
            name,
            "rejected",
            shard=shard,
            row=n,
            verdict_reason="too_easy" if n < 9 else "unrealistic",
        )
        for n, name in enumerate(names)
    ]

    found = collect(store, rows, count=4)

    reasons = [picture.reason for picture in found[0].rejected]
    assert reasons == ["too_easy", "unrealistic", "too_easy", "too_easy"]


def test_pixels_are_scaled_by_whole_numbers() -> None:
    checks = np.indices((8, 8)).sum(axis=0) % 2 * 255
    pixels = np.repeat(checks[..., None], 3, axis=2).astype(np.uint8)

    uri = data_uri(pixels)

    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        shown = np.asarray(image)
    assert shown.shape == (64, 64, 3)
    np.testing.assert_array_equal(shown[4::8, 4::8], pixels)
