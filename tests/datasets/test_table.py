"""A table beside an npz archive gives its rows groups and attributes, or is refused by reason."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from activesynth.datasets.registry import SOURCES
from activesynth.domain.exchange import SourceData
from activesynth.domain.registry import Catalog
from activesynth.errors import InputError
from fakes import make_pictures, write_npz

CATALOG = Catalog({"source": SOURCES})
LINES = 'patient,sex,note\np1,F,"a, b"\np1,,\np2,M,c\np3,M,d\n'


def read(folder: Path, content: bytes, name: str = "meta.csv", **parameters: Any) -> SourceData:
    x = make_pictures(4)
    write_npz(folder / "x.npz", x, np.array([0, 1, 0, 1]), age=np.array([40.0, np.nan, 60.0, 7.0]))
    (folder / name).write_bytes(content)
    given = {"path": str(folder / "x.npz"), "table": str(folder / name), "groups": "patient"}
    data: SourceData = CATALOG.create("source", "npz", given | parameters).read()
    return data


@pytest.mark.parametrize("name", ["meta.csv", "meta.csv.gz"])
def test_columns_join_the_rows_in_order_beside_the_archive(tmp_path: Path, name: str) -> None:
    content = LINES.encode()
    packed = gzip.compress(content) if name.endswith(".gz") else content

    samples = read(tmp_path, packed, name, attributes=["sex", "age"]).samples

    with np.load(tmp_path / "x.npz", allow_pickle=False) as archive:
        place = [
            next(k for k, x in enumerate(archive["x"]) if np.array_equal(x.ravel(), row.ravel()))
            for row in samples.x
        ]
    assert samples.groups.tolist() == [["p1", "p1", "p2", "p3"][k] for k in place]
    assert samples.columns["attribute.sex"].tolist() == [["F", "", "M", "M"][k] for k in place]
    assert samples.columns["attribute.age"].tolist() == [["40", "", "60", "7"][k] for k in place]


@pytest.mark.parametrize(
    ("content", "parameters", "reason"),
    [
        (LINES.encode()[:-8], {}, "shape"),
        (b"patient,patient\n" + b"a,b\n" * 4, {}, "ambiguous"),
        (b"patient,sex\n" + b"a\n" * 4, {}, "unreadable"),
        (b"patient\n\xff\xfe\n", {}, "unreadable"),
        (b"", {}, "unreadable"),
        (b"person\n" + b"a\n" * 4, {}, "missing_array"),
        (b"patient\n" + b"a\n" * 4, {"y": "patient"}, "missing_array"),
        (b"patient\n" + b"a\n" * 4000, {"max_bytes": 1024}, "too_large"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(
    tmp_path: Path, content: bytes, parameters: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, content, **parameters)

    assert caught.value.reason == reason


def test_a_packed_table_is_never_unpacked_beyond_the_budget(tmp_path: Path) -> None:
    bomb = gzip.compress(b"patient\n" + b"a" * (1 << 24))

    with pytest.raises(InputError) as caught:
        read(tmp_path, bomb, "meta.csv.gz", max_bytes=1 << 20)

    assert caught.value.reason == "too_large"


def test_a_table_that_is_not_there_is_missing_under_its_own_field(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"`source\.parameters\.table`: there is nothing"
    ) as caught:
        read(tmp_path, LINES.encode(), table=str(tmp_path / "other.csv"))

    assert caught.value.reason == "missing_path"
