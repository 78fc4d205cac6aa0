"""Tables: parquet, CSV beside an archive, ARFF, and predictions of somebody else's model."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from activesynth.datasets import arff, npz, parquet
from activesynth.datasets.arff import ArffParameters
from activesynth.datasets.assembly import assemble
from activesynth.datasets.parameters import NpzParameters, ParquetParameters
from activesynth.datasets.prediction_files import read_columns
from activesynth.datasets.sandbox import limits_of
from activesynth.operations.predictions import checked_predictions
from bad_inputs import archives, images
from bad_inputs.archives import REFUSED, no_word
from bad_inputs.piece import MEBIBYTE, Piece

PATH = "source.parameters.path"
TABLE = "source.parameters.table"
BYTES = "source.parameters.max_bytes"
ROWS = "source.parameters.max_rows"
BUDGETS: dict[str, Any] = {"max_bytes": 1 << 22, "max_rows": 100}
CAP = limits_of(ParquetParameters(path=Path(), max_pixels=1_000_000, **BUDGETS)).memory
PNG = images.encoded("PNG")


def from_parquet(
    title: str, reason: str, field: str, data: Any, says: str = "", **parameters: Any
) -> Piece:
    """Return a file that the source ``parquet`` reads; ``data`` are bytes or columns."""

    def give(folder: Path) -> Callable[[], object]:
        path = folder / "d.parquet"
        path.write_bytes(data() if callable(data) else written(data))
        given = ParquetParameters(path=path, max_pixels=1_000_000, **BUDGETS, **parameters)
        return lambda: assemble(parquet.read(given, no_word))

    return Piece("parquet", title, "source parquet", reason, field, give, says, CAP)


def written(columns: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


GOOD = {"image": [PNG] * 4, "label": [0, 1, 0, 1]}


def footer(size: int) -> bytes:
    return written(GOOD)[:-8] + struct.pack("<I", size) + b"PAR1"


def spoilt_footer() -> bytes:
    data = bytearray(written(GOOD))
    data[-60:-8] = b"\xff" * 52
    return bytes(data)


def spoilt_pages() -> bytes:
    data = bytearray(written(GOOD))
    data[4:40] = b"\xff" * 36
    return bytes(data)


PARQUETS = [
    from_parquet("nothing", "unreadable", PATH, bytes),
    from_parquet("the marks alone", "unreadable", PATH, lambda: b"PAR1PAR1"),
    from_parquet("cut in half", "unreadable", PATH, lambda: written(GOOD)[:200]),
    from_parquet("a footer of nothing", "unreadable", PATH, lambda: footer(0)),
    from_parquet("a footer of 4 GiB", "unreadable", PATH, lambda: footer(2**32 - 1)),
    from_parquet("a footer of noise", "unreadable", PATH, spoilt_footer),
    from_parquet("pages of noise", "unreadable", PATH, spoilt_pages),
    from_parquet(
        "a footer that is locked", "unreadable", PATH, lambda: written(GOOD)[:-4] + b"PARE"
    ),
    from_parquet("a CSV", "unreadable", PATH, lambda: b"image,label\na,b\n"),
    from_parquet("an archive", "unreadable", PATH, lambda: archives.zipped(archives.GOOD)),
    from_parquet(
        "no column of pictures", "missing_column", "source.parameters.image", {"label": [0]}
    ),
    from_parquet(
        "no column of groups", "missing_column", "source.parameters.group", GOOD, group="who"
    ),
    from_parquet(
        "no such attribute",
        "missing_column",
        "source.parameters.attributes",
        GOOD,
        attributes=("age",),
    ),
    from_parquet(
        "numbers for pictures",
        "too_many_refused",
        REFUSED,
        {"image": [1], "label": [0]},
        "1 empty_cell",
    ),
    from_parquet(
        "paths for pictures",
        "too_many_refused",
        REFUSED,
        {"image": ["/etc/passwd"], "label": [0]},
        "1 empty_cell",
    ),
    from_parquet(
        "a path within a cell",
        "too_many_refused",
        REFUSED,
        {"image": [{"path": "/etc/passwd"}], "label": [0]},
        "1 empty_cell",
    ),
    from_parquet(
        "texts in bytes",
        "too_many_refused",
        REFUSED,
        {"image": [b"x"], "label": [0]},
        "1 bad_picture",
    ),
    from_parquet(
        "infinite labels",
        "too_many_refused",
        REFUSED,
        {**GOOD, "label": [np.inf] * 4},
        "4 bad_label",
    ),
    from_parquet(
        "a record for a label",
        "too_many_refused",
        REFUSED,
        {**GOOD, "label": [{"a": 1}] * 4},
        "4 bad_label",
    ),
    from_parquet(
        "labels of control characters",
        "bad_class_name",
        "source",
        {**GOOD, "label": ["a", "\x1b[2J"] * 2},
    ),
    from_parquet(
        "more rows than allowed", "too_many_rows", ROWS, {"image": [PNG] * 101, "label": [0] * 101}
    ),
    from_parquet(
        "no row",
        "empty",
        PATH,
        {"image": pa.array([], pa.binary()), "label": pa.array([], pa.int64())},
    ),
]


def from_table(title: str, reason: str, field: str, data: bytes, name: str = "t.csv") -> Piece:
    """Return a CSV file that the source ``npz`` reads beside an archive."""

    def give(folder: Path) -> Callable[[], object]:
        (folder / "d.npz").write_bytes(archives.arrays())
        (folder / name).write_bytes(data)
        given = NpzParameters(
            path=folder / "d.npz", table=folder / name, groups="who", max_bytes=1 << 21
        )
        return lambda: assemble(npz.read(given, no_word))

    return Piece("table", title, "source npz", reason, field, give, "", CAP)


WHO = b"who\na\nb\nc\nd\n"
PACKED = gzip.compress(WHO)
TABLES = [
    from_table("nothing", "unreadable", TABLE, b""),
    from_table("another encoding", "unreadable", TABLE, WHO.decode().encode("utf-16")),
    from_table("no UTF-8", "unreadable", TABLE, b"who\n\xff\n\xfe\n"),
    from_table("a quote without end", "unreadable", TABLE, b'who\n"a\nb\nc\n'),
    from_table("words after a quote", "unreadable", TABLE, b'who\n"a"b\n'),
    from_table("a cell too many", "unreadable", TABLE, b"who\na,b\n"),
    from_table("a cell of 200,000 letters", "unreadable", TABLE, b"who\n" + b"a" * 200_000),
    from_table("two columns of one name", "ambiguous", TABLE, b"who,who\na,b\n"),
    from_table("no such column", "missing_array", "source.parameters.groups", b"whom\na\n"),
    from_table("fewer lines than rows", "shape", "source.parameters.groups", b"who\na\n"),
    from_table("more lines than rows", "shape", "source.parameters.groups", WHO + b"e\n"),
    from_table("more bytes than allowed", "too_large", BYTES, b"who\n" + b"a\n" * (1 << 20)),
    from_table("gzip that is none", "unreadable", TABLE, WHO, "t.csv.gz"),
    from_table("gzip cut off", "unreadable", TABLE, PACKED[:-9], "t.csv.gz"),
    from_table("gzip of another checksum", "unreadable", TABLE, PACKED[:-8] + bytes(8), "t.csv.gz"),
    from_table("gzip of noise", "unreadable", TABLE, PACKED[:10] + b"\xff" * 40, "t.csv.gz"),
    from_table("gzip of 64 MiB", "too_large", BYTES, gzip.compress(bytes(64 << 20)), "t.csv.gz"),
    from_table("gzip in gzip", "unreadable", TABLE, gzip.compress(PACKED), "t.csv.gz"),
]

HEAD = "@relation r\n@attribute a real\n@attribute y {u,v}\n@data\n"


def from_arff(
    title: str, reason: str, field: str, data: str | bytes, says: str = "", **parameters: Any
) -> Piece:
    """Return an ARFF file as openml.org would send it."""

    def give(folder: Path) -> Callable[[], object]:
        path = folder / "d.arff"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        given = ArffParameters(**{"path": path, "target": "y", **BUDGETS, **parameters})
        return lambda: assemble(arff.read(given, no_word))

    return Piece("arff", title, "source openml", reason, field, give, says, CAP)


ARFFS = [
    from_arff("nothing", "unreadable", "source", ""),
    from_arff("an archive", "unreadable", "source", archives.zipped(archives.GOOD)),
    from_arff("no data", "unreadable", "source", HEAD.replace("@data\n", "")),
    from_arff("a line of 2 MiB", "unreadable", "source", "@attribute " + "a" * (2 << 20)),
    from_arff("a column without a type", "unreadable", "source", "@attribute a\n@data\n"),
    from_arff(
        "two columns of one name",
        "unreadable",
        "source",
        HEAD.replace("@attribute y", "@attribute a real\n@attribute y"),
    ),
    from_arff(
        "a table within a column", "unsupported", "source", "@attribute a relational\n@data\n"
    ),
    from_arff("sparse rows", "unsupported", "source", HEAD + "{0 1}\n"),
    from_arff("a cell too many", "unreadable", "source", HEAD + "1,u,2\n"),
    from_arff("a text for a number", "unreadable", "source", HEAD + "one,u\n"),
    from_arff("code for a number", "unreadable", "source", HEAD + "__import__('os'),u\n"),
    from_arff("no such target", "missing_column", "source.parameters.target", HEAD, target="z"),
    from_arff("no such group", "missing_column", "source.parameters.group", HEAD, group="z"),
    from_arff(
        "texts for inputs",
        "bad_type",
        "source.parameters.attributes",
        "@attribute a string\n@attribute y {u}\n@data\nb,u\n",
    ),
    from_arff(
        "nothing but a target",
        "bad_type",
        "source.parameters.attributes",
        "@attribute y {u}\n@data\nu\n",
    ),
    from_arff("another shape", "shape", "source.parameters.shape", HEAD, shape=(8, 8)),
    from_arff("infinite inputs", "too_many_refused", REFUSED, HEAD + "inf,u\n", "1 not_finite"),
    from_arff("more rows than allowed", "too_many_rows", ROWS, HEAD + "1,u\n" * 101),
    from_arff("no row", "unreadable", "source", HEAD),
    from_arff(
        "a class of control characters", "bad_class_name", "source", HEAD + "1,\x1b[2J\n2,u\n"
    ),
]


def from_predictions(title: str, reason: str, field: str, data: Any, name: str = "p.csv") -> Piece:
    """Return a table that ``activesynth diagnose --predictions`` reads."""

    def give(folder: Path) -> Callable[[], object]:
        made = data() if callable(data) else data
        if made is not None:
            (folder / name).write_bytes(made.encode() if isinstance(made, str) else made)
        return lambda: checked_predictions(read_columns(folder / name))

    where = "diagnose --predictions"
    return Piece("predictions", title, where, reason, field, give, "", 128 * MEBIBYTE)


def probabilities(**changes: Any) -> bytes:
    given = {"label": ["0", "1"], "probs": [[0.5, 0.5]] * 2, **changes}
    return archives.zipped(
        {f"{name}.npy": archives.array(values) for name, values in given.items()}
    )


def alone(data: bytes) -> bytes:
    return archives.zipped({"label.npy": data})


CSV = "label,prob.u,prob.v\n"
PREDICTIONS = [
    from_predictions(title, reason, field, data)
    for title, reason, field, data in [
        ("no file", "missing_path", "predictions", None),
        ("nothing", "missing_column", "label", ""),
        ("no row", "no_rows", "predictions", CSV),
        ("no label", "missing_column", "label", "prob.u,prob.v\n0.5,0.5\n"),
        ("no probability", "missing_column", "prob", "label\nu\n"),
        ("another column", "unknown_column", "secret", "label,prob.u,prob.v,secret\nu,0.5,0.5,1\n"),
        ("one column twice", "duplicate_column", "prob.u", "label,prob.u,prob.u\nu,0.5,0.5\n"),
        ("a cell too few", "shape", "row 1", CSV + "u,0.5\n"),
        ("a NUL", "bad_probability", "prob.v", CSV + "u,0.5,\0\n"),
        ("no UTF-8", "unreadable", "p.csv", CSV.encode() + b"\xff,0.5,0.5\n"),
        ("a quote without end", "unreadable", "p.csv", CSV + '"u,0.5,0.5\n'),
        ("a word for a probability", "bad_probability", "prob.u", CSV + "u,half,0.5\n"),
        ("a negative probability", "bad_probability", "prob", CSV + "u,-0.5,1.5\n"),
        ("probabilities beyond one", "bad_probability", "prob", CSV + "u,0.9,0.9\n"),
        ("no number", "bad_probability", "prob", CSV + "u,nan,1\n"),
        ("an infinite probability", "bad_probability", "prob", CSV + "u,inf,0\n"),
        ("a label that is no class", "bad_label", "label", CSV + "w,0.5,0.5\n"),
        ("20,001 columns", "too_large", "columns", ",".join(map(str, range(20_001))) + "\n"),
    ]
] + [
    from_predictions(title, reason, field, data, name)
    for title, reason, field, data, name in [
        ("another format", "unsupported", "p.xlsx", b"PK", "p.xlsx"),
        ("a pickle by its name", "unsupported", "p.pkl", b"cos\nsystem\n.", "p.pkl"),
        ("parquet of noise", "unreadable", "p.parquet", b"PAR1 noise PAR1", "p.parquet"),
        ("an archive of noise", "unreadable", "p.npz", b"PK\x03\x04 noise", "p.npz"),
        (
            "an archive of objects",
            "pickled",
            "label",
            lambda: alone(archives.pickled("'|O'")),
            "p.npz",
        ),
        ("a locked archive", "unreadable", "p.npz", lambda: archives.patched(8, "<H", 1), "p.npz"),
        (
            "a header that lies",
            "unreadable",
            "p.npz",
            lambda: alone(archives.shaped("(400, 8)")),
            "p.npz",
        ),
        (
            "two negative sides",
            "unreadable",
            "p.npz",
            lambda: alone(archives.shaped("(-4, -8)")),
            "p.npz",
        ),
        (
            "a header that stays open",
            "unreadable",
            "p.npz",
            lambda: alone(archives.header("{'a': ((((\n")),
            "p.npz",
        ),
        (
            "code for a header",
            "unreadable",
            "p.npz",
            lambda: alone(archives.header(archives.CODE)),
            "p.npz",
        ),
        ("a flipped bit", "unreadable", "p.npz", lambda: archives.spoilt("x.npy"), "p.npz"),
        (
            "one axis of probabilities",
            "shape",
            "probs",
            lambda: probabilities(probs=[0.5, 0.5]),
            "p.npz",
        ),
        (
            "a name too many",
            "shape",
            "names",
            lambda: probabilities(classes=["a", "b", "c"]),
            "p.npz",
        ),
        (
            "draws of other rows",
            "shape",
            "draws",
            lambda: probabilities(draws=np.ones((3, 5, 2))),
            "p.npz",
        ),
        ("fewer labels than rows", "shape", "label", lambda: probabilities(label=["0"]), "p.npz"),
    ]
]

PIECES: list[Piece] = [*PARQUETS, *TABLES, *ARFFS, *PREDICTIONS]
