"""Each source reads what it should and refuses what it must."""

from __future__ import annotations

import io
import os
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from activesynth.datasets import folder
from activesynth.datasets.parameters import FolderParameters
from activesynth.datasets.registry import SOURCES
from activesynth.domain.canonical import Array
from activesynth.domain.exchange import SourceData
from activesynth.domain.registry import Catalog
from activesynth.errors import ConfigurationError, InputError
from fakes import make_pictures, write_npz

CATALOG = Catalog({"source": SOURCES})


def read(name: str, **parameters: Any) -> SourceData:
    data: SourceData = CATALOG.create("source", name, parameters).read()
    return data


def reason_of(name: str, **parameters: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(name, **parameters)
    return caught.value.reason


def png(picture: Array) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture).save(buffer, "PNG")
    return buffer.getvalue()


def huge_png() -> bytes:
    """Return a valid header of a picture of 10 gigapixels, in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def write_folder(root: Path, pictures: dict[str, Array]) -> None:
    for name, x in pictures.items():
        (root / name).mkdir(parents=True)
        for number, picture in enumerate(x):
            (root / name / f"p{number % 2}_{number}.png").write_bytes(png(picture))


def test_digits_are_1797_pictures_in_ten_classes() -> None:
    data = read("digits")

    assert data.samples.x.shape == (1797, 8, 8, 1)
    assert data.samples.x.dtype == np.uint8
    assert (data.samples.x.min(), data.samples.x.max()) == (0, 255)
    assert data.classes == tuple("0123456789")
    assert set(data.samples.y) == set(range(10))


@pytest.mark.parametrize("name", ["npz", "folder", "parquet"])
def test_a_missing_path_names_the_field_the_value_and_the_way_out(name: str) -> None:
    with pytest.raises(InputError, match=r"`source.parameters.path`.*'no/such'.*campaign") as error:
        read(name, path="no/such")

    assert error.value.reason == "missing_path"


def test_a_relative_path_starts_at_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_npz(tmp_path / "data.npz", make_pictures(4), np.array([0, 1, 0, 1]))
    monkeypatch.chdir(tmp_path)

    data = read("npz", path="data.npz")

    assert len(data.samples) == 4


def test_a_relative_path_starts_at_the_data_folder_where_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sets").mkdir()
    write_npz(tmp_path / "sets" / "data.npz", make_pictures(4), np.array([0, 1, 0, 1]))
    monkeypatch.setenv("ACTIVESYNTH_DATA", str(tmp_path))

    data = read("npz", path="sets/data.npz")

    assert len(data.samples) == 4
    with pytest.raises(InputError, match=rf"looked for in {tmp_path}.*ACTIVESYNTH_DATA"):
        read("npz", path="sets/other.npz")


def test_npz_prefers_the_train_arrays_and_ignores_the_test_arrays(tmp_path: Path) -> None:
    x = make_pictures(6)
    arrays = {"x_train": x[:4, ..., 0], "y_train": np.array([[0], [1], [0], [1]])}
    np.savez(tmp_path / "d.npz", **arrays, x_test=x[4:], y_test=np.array([0, 9]))  # type: ignore[arg-type]

    data = read("npz", path=str(tmp_path / "d.npz"))

    assert data.samples.x.shape == (4, 8, 8, 1)
    assert data.classes == ("0", "1")


def test_npz_reads_groups_and_class_names(tmp_path: Path) -> None:
    write_npz(
        tmp_path / "d.npz",
        make_pictures(3),
        np.array([0, 1, -1]),
        groups=np.array(["ann", "ann", "bea"]),
        classes=np.array(["cat", "dog"]),
    )

    data = read("npz", path=str(tmp_path / "d.npz"))

    assert data.classes == ("cat", "dog")
    assert sorted(data.samples.groups) == ["ann", "ann", "bea"]
    assert sorted(data.samples.y) == [-1, 0, 1]


def test_an_array_that_is_not_there_is_named(tmp_path: Path) -> None:
    write_npz(tmp_path / "d.npz", make_pictures(3), np.array([0, 1, 1]))

    assert reason_of("npz", path=str(tmp_path / "d.npz"), x="pixels") == "missing_array"


def test_arrays_that_do_not_align_are_refused(tmp_path: Path) -> None:
    write_npz(tmp_path / "d.npz", make_pictures(3), np.array([0, 1]))

    assert reason_of("npz", path=str(tmp_path / "d.npz")) == "shape"


def test_a_pickle_in_an_npz_is_refused_before_it_is_read(tmp_path: Path) -> None:
    boxed = np.empty(1, object)
    boxed[0] = {"never": "loaded"}
    write_npz(tmp_path / "d.npz", boxed, np.array([0]))

    assert reason_of("npz", path=str(tmp_path / "d.npz")) == "pickled"


def test_an_npz_that_expands_beyond_the_budget_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    np.savez_compressed(path, x=np.zeros((4000, 32, 32), np.uint8), y=np.zeros(4000, np.int64))

    assert path.stat().st_size < 50_000
    assert reason_of("npz", path=str(path), max_bytes=1_000_000) == "too_large"


def test_an_npz_header_that_claims_more_than_is_there_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "|u1", "fortran_order": False, "shape": (10**8, 8)}
    )
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("x.npy", buffer.getvalue() + b"few")

    assert reason_of("npz", path=str(tmp_path / "d.npz")) == "lying_header"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not really", b"\x93NUMPY"])
def test_a_damaged_npz_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "d.npz").write_bytes(content)

    assert reason_of("npz", path=str(tmp_path / "d.npz")) == "unreadable"


def test_a_folder_gives_one_class_per_folder_in_alphabetical_order(tmp_path: Path) -> None:
    x = make_pictures(5)
    write_folder(tmp_path, {"dog": x[:2], "cat": x[2:4], "unlabelled": x[4:]})

    data = read("folder", path=str(tmp_path), mode="L")

    assert data.classes == ("cat", "dog")
    assert sorted(data.samples.y) == [-1, 0, 0, 1, 1]
    assert {row.tobytes() for row in data.samples.x} == {row.tobytes() for row in x}


@pytest.fixture
def ordinary_folder() -> Iterator[Path]:
    """Return a folder that an ordinary user reaches, and act as one where root runs the tests."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    write_folder(folder, {"a": make_pictures(1), "b/deep": make_pictures(1, seed=1)})
    is_root = os.geteuid() == 0
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        for path in (folder, folder / "b", folder / "b" / "deep"):
            path.chmod(0o755)
        shutil.rmtree(folder)


@pytest.mark.parametrize("closed", [".", "b", "b/deep"])
def test_a_folder_that_may_not_be_listed_is_told_and_never_left_out(
    ordinary_folder: Path, closed: str
) -> None:
    (ordinary_folder / closed).chmod(0)
    if os.geteuid() == 0:
        os.seteuid(65534)

    with pytest.raises(InputError, match="cannot be read: Permission denied; let") as caught:
        folder.read(FolderParameters(path=ordinary_folder), lambda _: None)

    assert caught.value.reason == "unreadable"
    assert repr(str(ordinary_folder / closed)) in str(caught.value)


@pytest.mark.parametrize("target", ["loop", "nowhere"])
def test_a_class_that_is_a_link_to_nothing_is_told_and_never_left_out(
    tmp_path: Path, target: str
) -> None:
    write_folder(tmp_path, {"a": make_pictures(2)})
    (tmp_path / "loop").symlink_to(tmp_path / target)

    with pytest.raises(InputError, match=r"/loop' cannot be read: (Too many levels|No such file)"):
        read("folder", path=str(tmp_path))


def test_a_class_may_be_a_link_to_a_folder_elsewhere_and_files_beside_classes_are_ignored(
    tmp_path: Path,
) -> None:
    write_folder(tmp_path / "elsewhere", {"b": make_pictures(2, seed=1)})
    write_folder(tmp_path / "data", {"a": make_pictures(2), ".hidden": make_pictures(1, seed=2)})
    (tmp_path / "data" / "b").symlink_to(tmp_path / "elsewhere" / "b")
    (tmp_path / "data" / "readme.txt").write_text("pictures")

    data = read("folder", path=str(tmp_path / "data"))

    assert data.classes == ("a", "b")
    assert len(data.samples) == 4


def test_a_folder_resizes_and_colours_as_asked(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": make_pictures(2), "b": make_pictures(2, seed=1, side=20)})

    data = read("folder", path=str(tmp_path), mode="RGB", size=16)

    assert data.samples.x.shape == (4, 16, 16, 3)


def test_pictures_of_different_sizes_need_a_target_size(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": make_pictures(1), "b": make_pictures(1, side=9)})

    with pytest.raises(InputError, match="set `size`") as caught:
        read("folder", path=str(tmp_path))

    assert caught.value.reason == "too_many_refused"


def test_every_bad_picture_is_listed(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": make_pictures(3), "b": make_pictures(2, seed=1)})
    (tmp_path / "a" / "broken.png").write_bytes(png(make_pictures(1, side=64)[0])[:200])
    (tmp_path / "b" / "text.jpg").write_bytes(b"not a picture")
    (tmp_path / "b" / "empty.png").write_bytes(b"")

    with pytest.raises(InputError, match=r"3 of 8.*a/broken.png.*b/empty.png.*b/text.jpg") as e:
        read("folder", path=str(tmp_path))

    assert e.value.reason == "too_many_refused"
    assert e.value.field == "source.parameters.max_refused"


def test_a_few_bad_pictures_are_left_out_and_listed_and_the_rest_goes_on(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": make_pictures(20), "b": make_pictures(20, seed=1)})
    (tmp_path / "a" / "broken.png").write_bytes(png(make_pictures(1, side=64)[0])[:200])
    (tmp_path / "b" / "huge.png").write_bytes(huge_png())
    (tmp_path / "b" / "other.png").write_bytes(png(make_pictures(1, side=9)[0]))
    os.mkfifo(tmp_path / "b" / "pipe.png")

    data = read("folder", path=str(tmp_path), mode="L")

    assert len(data.samples) == 40
    assert {(item.name, item.reason) for item in data.refused} == {
        ("a/broken.png", "bad_picture"),
        ("b/huge.png", "oversized_picture"),
        ("b/other.png", "picture_size"),
        ("b/pipe.png", "not_a_file"),
    }


@pytest.mark.parametrize("limit", [50_000_000, 10_000])
def test_an_oversized_png_is_refused_by_its_header(tmp_path: Path, limit: int) -> None:
    write_folder(tmp_path, {"a": make_pictures(1)})
    (tmp_path / "a" / "huge.png").write_bytes(huge_png())

    with pytest.raises(InputError, match=r"huge.png: .*`max_pixels`"):
        read("folder", path=str(tmp_path), max_pixels=limit)


def test_pictures_beyond_the_byte_budget_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": make_pictures(10)})

    assert reason_of("folder", path=str(tmp_path), size=64, max_bytes=50_000) == "too_large"


def test_sixteen_bit_greys_keep_their_contrast(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    wide = (np.arange(64, dtype=np.uint16) * 1024).reshape(8, 8)
    Image.fromarray(wide).save(tmp_path / "a" / "wide.png")

    data = read("folder", path=str(tmp_path), mode="L")

    assert data.samples.x[0, ..., 0].tolist() == (wide >> 8).tolist()


def test_groups_come_from_the_file_name(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": make_pictures(4)})

    data = read("folder", path=str(tmp_path), group_pattern=r"^(p\d)_")

    assert sorted(data.samples.groups) == ["p0", "p0", "p1", "p1"]
    assert reason_of("folder", path=str(tmp_path), group_pattern="^(q)") == "too_many_refused"


@pytest.mark.parametrize("pattern", ["(", "p"])
def test_a_pattern_without_a_group_is_a_configuration_error(pattern: str) -> None:
    with pytest.raises(ConfigurationError, match="group_pattern"):
        read("folder", path=".", group_pattern=pattern)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()

    assert reason_of("folder", path=str(tmp_path)) == "empty"


@pytest.mark.parametrize("is_wrapped", [False, True])
def test_parquet_reads_pictures_labels_and_groups(tmp_path: Path, is_wrapped: bool) -> None:
    x = make_pictures(40)
    cells: list[Any] = [png(picture) for picture in x]
    if is_wrapped:
        cells = [{"bytes": cell, "path": "x.png"} for cell in cells]
    labels = [None if n == 0 else ("dog", "cat")[n % 2] for n in range(40)]
    table = pa.table({"image": cells, "label": labels, "patient": [n // 4 for n in range(40)]})
    pq.write_table(table, tmp_path / "d.parquet")

    data = read("parquet", path=str(tmp_path / "d.parquet"), group="patient", mode="L")

    assert data.classes == ("cat", "dog")
    assert {row.tobytes() for row in data.samples.x} == {row.tobytes() for row in x}
    assert np.bincount(data.samples.y + 1).tolist() == [1, 20, 19]
    assert len(set(data.samples.groups)) == 10


def test_a_folder_of_parquet_files_is_read_as_one(tmp_path: Path) -> None:
    x = make_pictures(4)
    for part in (0, 1):
        rows = {"image": [png(p) for p in x[2 * part : 2 * part + 2]], "label": [0, 1]}
        pq.write_table(pa.table(rows), tmp_path / f"{part}.parquet")

    assert len(read("parquet", path=str(tmp_path)).samples) == 4


def test_a_parquet_bomb_is_refused_within_the_budget(tmp_path: Path) -> None:
    cell = b"\x00" * 1_000_000
    table = pa.table({"image": [cell] * 400, "label": [0] * 400})
    pq.write_table(table, tmp_path / "d.parquet")

    assert (tmp_path / "d.parquet").stat().st_size < 2_000_000
    assert reason_of("parquet", path=str(tmp_path), max_bytes=50_000_000) == "too_large"


def test_a_missing_column_and_a_damaged_file_are_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"picture": [b""], "label": [0]}), tmp_path / "d.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nothing PAR1")

    assert reason_of("parquet", path=str(tmp_path / "d.parquet")) == "missing_column"
    assert reason_of("parquet", path=str(tmp_path / "bad.parquet")) == "unreadable"


def test_bad_rows_of_a_parquet_file_are_left_out_and_listed(tmp_path: Path) -> None:
    cells: list[bytes | None] = [png(picture) for picture in make_pictures(40)]
    cells[3] = None
    labels: list[Any] = [str(number % 2) for number in range(40)]
    groups: list[Any] = [f"g{number}" for number in range(40)]
    groups[5] = None
    pq.write_table(
        pa.table({"image": cells, "label": labels, "who": groups}), tmp_path / "d.parquet"
    )

    data = read("parquet", path=str(tmp_path / "d.parquet"), group="who")

    assert len(data.samples) == 38
    assert [(item.name, item.reason) for item in data.refused] == [
        ("d.parquet row 3", "empty_cell"),
        ("d.parquet row 5", "bad_group"),
    ]


def test_bad_rows_of_an_npz_are_left_out_and_listed(tmp_path: Path) -> None:
    x, y = make_pictures(40).astype(np.int32), np.arange(40) % 2
    x[7, 0, 0, 0], y[9] = 300, 5
    write_npz(tmp_path / "d.npz", x, y, classes=np.array(["cat", "dog"]))

    data = read("npz", path=str(tmp_path / "d.npz"))

    assert len(data.samples) == 38
    assert [(item.name, item.reason) for item in data.refused] == [
        ("row 7", "bad_values"),
        ("row 9", "bad_label"),
    ]


def test_attributes_of_an_npz_become_columns_of_texts(tmp_path: Path) -> None:
    x, y = make_pictures(3), np.array([0, 1, 0])
    write_npz(tmp_path / "d.npz", x, y, sex=np.array(["f", "m", ""]), age=np.array([61.0, 7, 8]))

    data = read("npz", path=str(tmp_path / "d.npz"), attributes=["sex", "age"])

    order = [data.samples.x.tolist().index(row.tolist()) for row in x]
    assert data.samples.columns["attribute.sex"][order].tolist() == ["f", "m", ""]
    assert data.samples.columns["attribute.age"][order].tolist() == ["61", "7", "8"]


def test_a_name_in_a_message_is_printable_and_short(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": make_pictures(20), "b": make_pictures(20, seed=1)})
    (tmp_path / "a" / ("\x1b[2J" + "x" * 200 + "\n.png")).write_bytes(b"")

    (item,) = read("folder", path=str(tmp_path)).refused

    assert item.name.isprintable()
    assert len(item.name) <= 200


def test_attributes_of_a_parquet_file_are_further_columns(tmp_path: Path) -> None:
    cells = [png(picture) for picture in make_pictures(2)]
    rows = {"image": cells, "label": [0, 1], "scanner": ["x", None]}
    pq.write_table(pa.table(rows), tmp_path / "d.parquet")

    data = read("parquet", path=str(tmp_path / "d.parquet"), attributes=["scanner"])

    assert sorted(data.samples.columns["attribute.scanner"].tolist()) == ["", "x"]
    assert reason_of("parquet", path=str(tmp_path), attributes=["who"]) == "missing_column"


def test_attributes_of_a_folder_come_from_the_path(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": make_pictures(2), "b/night": make_pictures(2, seed=1)})

    data = read("folder", path=str(tmp_path), attributes=r"(?P<when>night)/|(?P<patient>p\d)_")

    assert sorted(data.samples.columns["attribute.when"].tolist()) == ["", "", "night", "night"]
    assert sorted(data.samples.columns["attribute.patient"].tolist()) == ["", "", "p0", "p1"]
