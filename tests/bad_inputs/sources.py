"""Data that is refused as a whole, and how."""

from __future__ import annotations

import os

import numpy as np

from bad_inputs import files
from bad_inputs.case import Case, Place, data
from fakes import make_pictures

PATH = "source.parameters.path"
BYTES = "source.parameters.max_bytes"
REFUSED = "source.parameters.max_refused"
X = make_pictures(60)
LABELS = [number % 2 for number in range(60)]
HOSTILE = "<script>alert(1)</script>\x1b[2J"


def _unreadable(place: Place) -> None:
    files.folder(place)
    (place.folder / "pictures" / "c").symlink_to(place.folder / "nowhere")


def _pipe(place: Place) -> None:
    os.mkfifo(place.folder / "pipe.npz")
    place.source("npz", place.folder / "pipe.npz")


def _empty_folder_class(place: Place) -> None:
    (files.folder(place) / "c").mkdir()


ARCHIVES = [
    data("npz", "pickled objects", "pickled", PATH, files.pickled),
    data(
        "npz",
        "a header that lies",
        "lying_header",
        PATH,
        lambda p: files.archive(p, ("x.npy", files.npy((10**8, 8), b"few"))),
    ),
    data(
        "npz",
        "a negative shape",
        "lying_header",
        PATH,
        lambda p: files.archive(p, ("x.npy", files.npy((-1, 8), b"few"))),
    ),
    data(
        "npz",
        "a header without end",
        "lying_header",
        PATH,
        lambda p: files.archive(p, ("x.npy", b"\x93NUMPY\x01\x00\xff\xff" + b" " * 65535)),
    ),
    data("npz", "fewer bytes than the directory says", "bad_checksum", PATH, files.bad_crc),
    data("npz", "cut off", "unreadable", PATH, files.cut),
    data(
        "npz",
        "no archive",
        "unreadable",
        PATH,
        lambda p: p.npz().write_bytes(b"PK\x03\x04 not really"),
    ),
    data("npz", "encrypted", "encrypted", PATH, lambda p: files.flagged(p, 6, 1)),
    data("npz", "an unknown compression", "unsupported", PATH, lambda p: files.flagged(p, 8, 77)),
    data("npz", "two arrays of one name", "ambiguous", PATH, files.twice_named),
    data("npz", "an archive in an archive", "missing_array", "source.parameters.x", files.nested),
    data(
        "npz",
        "an attribute that is not there",
        "missing_array",
        "source.parameters.attributes",
        lambda p: p.npz(attributes=["age"]),
    ),
    data(
        "npz",
        "texts for pictures",
        "bad_type",
        "source.parameters.x",
        lambda p: p.npz(of={"x": np.full((60, 2), "a")}),
    ),
    data(
        "npz",
        "fewer labels than pictures",
        "shape",
        "source.parameters.y",
        lambda p: p.npz(of={"y": np.arange(9)}),
    ),
    data(
        "npz",
        "pictures of four channels",
        "image_shape",
        "x",
        lambda p: p.npz(of={"x": np.repeat(X, 4, axis=3)}),
    ),
    data(
        "npz",
        "pictures of 2000 pixels a side",
        "image_size",
        "x",
        lambda p: p.npz(
            of={
                "x": np.zeros((2, 2000, 2000), np.uint8)
                + np.arange(2, dtype=np.uint8)[:, None, None],
                "y": np.arange(2),
            }
        ),
    ),
    data("bomb", "an archive that claims a gigabyte", "lying_header", PATH, files.zip_bomb),
    data("bomb", "an archive that holds 64 MiB", "too_large", BYTES, files.honest_bomb),
    data(
        "bomb",
        "a parquet file of one repeated cell",
        "too_large",
        BYTES,
        lambda p: files.parquet(
            p, {"image": [bytes(10**6)] * 400, "label": [0] * 400}, max_bytes=50_000_000
        ),
    ),
    data(
        "bomb",
        "more rows than allowed",
        "too_many_rows",
        "source.parameters.max_rows",
        lambda p: p.npz(max_rows=59),
    ),
    data(
        "bomb",
        "more files than allowed",
        "too_many_rows",
        "source.parameters.max_rows",
        lambda p: files.folder(p, max_rows=59),
    ),
    data(
        "bomb",
        "a pattern that never ends",
        "decoder_timeout",
        "source.parameters.max_seconds",
        lambda p: files.folder(
            p, ("a/" + "a" * 60 + "!.png", b""), group_pattern="^((a+)+)$", max_seconds=2
        ),
    ),
    data("bomb", "more labels than memory", "decoder_memory", BYTES, files.many_labels),
]

PICTURES = [
    data(
        "picture",
        "too many broken ones",
        "too_many_refused",
        REFUSED,
        lambda p: files.folder(p, *((f"a/x{n}.png", b"\x89PNG") for n in range(9))),
    ),
    data(
        "picture",
        "all too large",
        "too_many_refused",
        REFUSED,
        lambda p: files.folder(p, ("a/x.png", files.png_header(10**5, 10**5)), good=0),
    ),
    data(
        "picture",
        "all animated",
        "too_many_refused",
        REFUSED,
        lambda p: files.folder(p, ("a/x.png", files.animated()), good=0),
    ),
    data(
        "picture",
        "another format under the name",
        "too_many_refused",
        REFUSED,
        lambda p: files.folder(p, ("a/x.png", files.gif()), good=0),
    ),
    data(
        "picture",
        "no picture anywhere",
        "empty",
        PATH,
        lambda p: files.folder(p, ("a/readme.txt", b"x"), good=0),
    ),
]

PARQUETS = [
    data(
        "parquet",
        "no parquet file",
        "unreadable",
        PATH,
        lambda p: files.parquet(p, b"PAR1 nothing PAR1"),
    ),
    data(
        "parquet",
        "no such column",
        "missing_column",
        "source.parameters.label",
        lambda p: files.parquet(p, {"image": files.cells(), "y": LABELS}),
    ),
    data(
        "parquet",
        "empty cells",
        "too_many_refused",
        REFUSED,
        lambda p: files.parquet(
            p,
            {
                "image": [*files.cells(9), None],
                "label": [0] * 10,
            },
            max_refused=0.0,
        ),
    ),
    data(
        "parquet",
        "lists for labels",
        "too_many_refused",
        REFUSED,
        lambda p: files.parquet(p, {"image": files.cells(), "label": [[n] for n in LABELS]}),
    ),
    data(
        "parquet",
        "rows without a group",
        "too_many_refused",
        REFUSED,
        lambda p: files.parquet(
            p, {"image": files.cells(), "label": LABELS, "who": [None] * 60}, group="who"
        ),
    ),
]

VALUES = [
    data(
        "label", "halves", "too_many_refused", REFUSED, lambda p: p.npz(of={"y": np.full(60, 0.5)})
    ),
    data(
        "label",
        "beyond the class names",
        "too_many_refused",
        REFUSED,
        lambda p: p.npz(of={"y": np.arange(60), "classes": np.array(["a", "b"])}),
    ),
    data(
        "label",
        "a name with control characters",
        "bad_class_name",
        "source",
        lambda p: p.npz(of={"classes": np.array(["a", HOSTILE])}),
    ),
    data(
        "label",
        "a folder whose name is no text",
        "bad_class_name",
        "source",
        lambda p: files.folder(p, (os.fsdecode(b"\xff\xfe/x.png"), b"")),
    ),
    data(
        "label",
        "one name twice",
        "bad_class_name",
        "source",
        lambda p: p.npz(of={"classes": np.array(["a", "a"])}),
    ),
    data(
        "label",
        "another class for each row",
        "too_many_classes",
        "source",
        lambda p: p.npz(
            of={
                "x": np.zeros((10_001, 8, 8), np.uint8),
                "y": np.array([f"c{n}" for n in range(10_001)]),
            }
        ),
    ),
    data(
        "value",
        "rows that are not finite",
        "too_many_refused",
        REFUSED,
        lambda p: p.npz(of={"x": np.full((60, 8), np.nan)}),
    ),
    data(
        "value",
        "16-bit pictures",
        "too_many_refused",
        REFUSED,
        lambda p: p.npz(of={"x": X.astype(np.uint16) + 300}),
    ),
    data("value", "floats for pictures", "image_shape", "x", lambda p: p.npz(of={"x": X / 255.0})),
    data(
        "class",
        "a class without rows",
        "empty_class",
        "source",
        lambda p: p.npz(of={"y": np.arange(60) % 2 + 1}),
    ),
    data("class", "a folder without pictures", "empty_class", "source", _empty_folder_class),
    data(
        "class",
        "a single class",
        "too_few_classes",
        "source",
        lambda p: p.npz(of={"y": np.zeros(60, int)}),
    ),
    data(
        "class",
        "no labels at all",
        "too_few_classes",
        "source",
        lambda p: p.npz(of={"y": np.full(60, -1)}),
    ),
    data(
        "class",
        "four rows",
        "too_few_groups",
        "splits",
        lambda p: p.npz(of={"x": X[:4], "y": np.arange(4) % 2}),
    ),
    data(
        "class",
        "sixty copies of one row",
        "too_few_classes",
        "source",
        lambda p: p.npz(of={"x": np.zeros((60, 8, 8), np.uint8), "y": np.zeros(60, int)}),
    ),
]

PLACES = [
    data("file", "nothing there", "missing_path", PATH, lambda p: p.source("npz", "no/such.npz")),
    data("file", "a folder for a file", "not_a_file", PATH, lambda p: p.source("npz", p.folder)),
    data("file", "a pipe for a file", "not_a_file", PATH, _pipe),
    data("file", "a device for a file", "not_a_file", PATH, lambda p: p.source("npz", "/dev/zero")),
    data(
        "file", "a file for a folder", "not_a_folder", PATH, lambda p: p.source("folder", p.npz())
    ),
    data("file", "a name without end", "unreadable", PATH, lambda p: p.source("npz", "x" * 5000)),
    data("file", "a class that leads nowhere", "unreadable", PATH, _unreadable),
    data(
        "file",
        "a parquet folder with nothing in it",
        "empty",
        PATH,
        lambda p: p.source("parquet", p.campaigns),
    ),
]

CASES: list[Case] = [*ARCHIVES, *PICTURES, *PARQUETS, *VALUES, *PLACES]
