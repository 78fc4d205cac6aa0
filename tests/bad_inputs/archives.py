"""Zip archives and numpy headers that are damaged, lie, or are made to do harm."""

from __future__ import annotations

import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from activesynth.datasets import npz
from activesynth.datasets.assembly import assemble
from activesynth.datasets.parameters import NpzParameters
from activesynth.datasets.sandbox import limits_of
from bad_inputs.piece import Piece

PATH = "source.parameters.path"
X = "source.parameters.x"
Y = "source.parameters.y"
BYTES = "source.parameters.max_bytes"
REFUSED = "source.parameters.max_refused"
BUDGETS = {"max_bytes": 1 << 22, "max_rows": 10_100}
CAP = limits_of(NpzParameters(path=Path(), max_bytes=1 << 22)).memory


def no_word(name: str) -> None:
    """Stand for the note of what is being decoded."""


def from_npz(
    kind: str, title: str, reason: str, field: str, data: Callable[[], bytes], says: str = ""
) -> Piece:
    """Return an archive that the source ``npz`` reads."""

    def give(folder: Path) -> Callable[[], object]:
        path = folder / "d.npz"
        path.write_bytes(data())
        parameters = NpzParameters(path=path, **BUDGETS)
        return lambda: assemble(npz.read(parameters, no_word))

    return Piece(kind, title, "source npz", reason, field, give, says, CAP)


def array(values: Any) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(values), allow_pickle=False)
    return buffer.getvalue()


PICTURES = array(np.arange(4 * 64, dtype=np.uint8).reshape(4, 8, 8))
LABELS = array(np.arange(4) % 2)
GOOD = {"x.npy": PICTURES, "y.npy": LABELS}


def zipped(
    entries: dict[str, bytes] | list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in entries.items() if isinstance(entries, dict) else entries:
            archive.writestr(name, data)
    return buffer.getvalue()


def linked() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("x.npy")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    return buffer.getvalue()


def patched(offset: int, form: str, value: int, *, local: bool = True, of: bytes = b"") -> bytes:
    """Change one number of every entry; ``offset`` is that of the central header."""
    data = bytearray(of or zipped(GOOD, zipfile.ZIP_STORED))
    size = struct.calcsize(form)
    marks = [(b"PK\x01\x02", offset)] + ([(b"PK\x03\x04", offset - 2)] if local else [])
    for mark, shift in marks:
        start = data.find(mark)
        while start >= 0:
            data[start + shift : start + shift + size] = struct.pack(form, value)
            start = data.find(mark, start + 4)
    return bytes(data)


def at_the_end(offset: int, form: str, value: int) -> bytes:
    """Change one number of the record that ends an archive."""
    data = bytearray(zipped(GOOD))
    start = data.rfind(b"PK\x05\x06") + offset
    data[start : start + struct.calcsize(form)] = struct.pack(form, value)
    return bytes(data)


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("../../x.npy")
        entry.size = len(PICTURES)
        archive.addfile(entry, io.BytesIO(PICTURES))
    return buffer.getvalue()


def spoilt(name: str) -> bytes:
    """Flip a bit of an array behind its header; the checksum stays."""
    data = bytearray(zipped(GOOD, zipfile.ZIP_STORED))
    data[data.find(GOOD[name]) + 130] ^= 1
    return bytes(data)


def bad_deflate() -> bytes:
    data = bytearray(zipped(GOOD))
    start = data.find(b"x.npy") + 5
    data[start : start + 8] = b"\xff" * 8
    return bytes(data)


def renamed() -> bytes:
    return zipped(GOOD).replace(b"y.npy", b"z.npy", 1)


def cut(share: float) -> bytes:
    data = zipped(GOOD)
    return data[: int(len(data) * share)]


def zeros(count: int) -> bytes:
    return zipped({"x.npy": array(np.zeros((8, count >> 3), np.uint8))})


def quine_like() -> bytes:
    data = zipped({"x.npy": PICTURES})
    for _ in range(20):
        data = zipped({"x.npy": data})
    return data


ARCHIVES = [
    from_npz("archive", title, reason, field, data)
    for title, reason, field, data in [
        ("nothing", "unreadable", PATH, bytes),
        ("one byte", "unreadable", PATH, lambda: b"P"),
        ("an archive of nothing", "missing_array", X, lambda: zipped({})),
        ("cut to a quarter", "unreadable", PATH, lambda: cut(0.25)),
        ("cut to half", "unreadable", PATH, lambda: cut(0.5)),
        ("cut by a tenth", "unreadable", PATH, lambda: cut(0.9)),
        ("a tar archive", "unreadable", PATH, tarred),
        ("a gzip file", "unreadable", PATH, lambda: b"\x1f\x8b\x08" + bytes(99)),
        ("an xz file", "unreadable", PATH, lambda: lzma.compress(PICTURES)),
        ("a 7z file", "unreadable", PATH, lambda: b"7z\xbc\xaf\x27\x1c" + bytes(99)),
        ("one bare array", "unreadable", PATH, lambda: PICTURES),
        ("a program", "unreadable", PATH, lambda: b"#!/bin/sh\ntouch executed\n"),
        ("names that climb", "missing_array", X, lambda: zipped({"../../x.npy": PICTURES})),
        ("absolute names", "missing_array", X, lambda: zipped({"/tmp/x.npy": PICTURES})),
        ("names of a drive", "missing_array", X, lambda: zipped({"C:\\x.npy": PICTURES})),
        ("a name of 60,000 letters", "missing_array", X, lambda: zipped({"n" * 60_000: b""})),
        ("a folder for an array", "missing_array", X, lambda: zipped({"x.npy/": b""})),
        ("a link for an array", "lying_header", PATH, linked),
        (
            "20,000 other entries",
            "missing_array",
            X,
            lambda: zipped([(f"{n}", b"") for n in range(20_000)]),
        ),
        (
            "labels given twice",
            "ambiguous",
            PATH,
            lambda: zipped([*GOOD.items(), ("y.npy", LABELS)]),
        ),
        (
            "an archive called an array",
            "lying_header",
            PATH,
            lambda: zipped({"x.npy": zipped(GOOD)}),
        ),
        ("archives twenty deep", "lying_header", PATH, quine_like),
        ("locked", "encrypted", PATH, lambda: patched(8, "<H", 1)),
        ("strongly locked", "unsupported", PATH, lambda: patched(8, "<H", 0x41)),
        ("patched data", "unsupported", PATH, lambda: patched(8, "<H", 0x20)),
        ("deflate64", "unsupported", PATH, lambda: patched(10, "<H", 9)),
        ("ppmd", "unsupported", PATH, lambda: patched(10, "<H", 98)),
        ("needs a version 9.9", "unsupported", PATH, lambda: patched(6, "<H", 99, local=False)),
        (
            "deflated data called stored",
            "bad_checksum",
            PATH,
            lambda: patched(10, "<H", 0, of=zipped(GOOD)),
        ),
        ("other names before the data", "unreadable", PATH, renamed),
        ("damaged deflate data", "unreadable", PATH, bad_deflate),
        ("a flipped bit in inputs", "bad_checksum", PATH, lambda: spoilt("x.npy")),
        ("a flipped bit in labels", "bad_checksum", PATH, lambda: spoilt("y.npy")),
        ("sizes of zero", "bad_checksum", PATH, lambda: patched(24, "<I", 0)),
        ("a directory beyond the file", "unreadable", PATH, lambda: at_the_end(16, "<I", 2**31)),
        ("a directory of 4 GiB", "unreadable", PATH, lambda: at_the_end(12, "<I", 2**32 - 2)),
        (
            "entries that begin elsewhere",
            "unreadable",
            PATH,
            lambda: patched(42, "<I", 7, local=False),
        ),
        (
            "entries that begin beyond the file",
            "unreadable",
            PATH,
            lambda: patched(42, "<I", 2**31, local=False),
        ),
        ("8 MiB of zeros in 8 kB", "too_large", BYTES, lambda: zeros(8 << 20)),
        ("1 GiB by the directory", "lying_header", PATH, lambda: patched(24, "<I", 2**30)),
    ]
]


def header(text: str, version: tuple[int, int] = (1, 0), data: bytes = bytes(256)) -> bytes:
    """Return the bytes of an array whose header is this text."""
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + size + text.encode("latin-1") + data


def shaped(shape: str, descr: str = "'|u1'", order: str = "False") -> bytes:
    return header(f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n")


CODE = "__import__('pathlib').Path('executed').touch()"
DAMAGED = {
    "another magic": b"\x93NUMPX" + PICTURES[6:],
    "nothing but the magic": PICTURES[:6],
    "format 3": header("{}", (3, 0)),
    "format 9.9": header("{}", (9, 9)),
    "a header without end": b"\x93NUMPY\x01\x00\xff\xff" + b" " * 500,
    "a header of nothing": header(""),
    "a header of spaces": header(" " * 64),
    "a list for a header": header("[1]\n"),
    "code for a header": header(CODE + "\n"),
    "code for a shape": shaped(f"({CODE},)"),
    "code for a type": shaped("(4, 8, 8)", f"{CODE}"),
    "brackets that stay open": header("{'descr': '|u1', 'shape': ((((\n"),
    "a text that stays open": header("{'descr': '|u1\n"),
    "an indented header": header("  {}\n  1\n"),
    "two thousand brackets": header("(" * 2000 + ")" * 2000 + "\n"),
    "a header of 30,000 letters": header("{" + " " * 30_000 + "}", (2, 0)),
    "a NUL in the header": header("{'descr': '\0'}\n"),
    "no shape": header("{'descr': '|u1', 'fortran_order': False}\n"),
    "another key": header("{'descr': '|u1', 'fortran_order': False, 'shape': (1,), 'a': 1}\n"),
    "a number for a shape": shaped("4"),
    "halves for a shape": shaped("(4.5, 8)"),
    "texts for a shape": shaped("('a',)"),
    "a negative side": shaped("(-1, 8)"),
    "two negative sides": shaped("(-4, -8)"),
    "a side of 2**63": shaped("(9223372036854775808, 1)"),
    "sides that overflow together": shaped("(4294967296, 4294967296, 4)"),
    "a side of four hundred digits": shaped(f"({'9' * 400},)"),
    "more rows than data": shaped("(400, 8, 8)"),
    "an unknown type": shaped("(4, 8, 8)", "'Q9'"),
    "a number for a type": shaped("(4, 8, 8)", "7"),
    "a word for an order": shaped("(4, 8, 8)", order="'yes'"),
    "texts of a gigabyte": shaped("(4,)", "'<U268435455'"),
    "rows within a type": shaped("(4,)", "('<f4', (1000000,))"),
}
"""Headers that no array has."""

TYPES = {
    "complex numbers": (np.ones((4, 8), complex), "bad_type", X),
    "dates": (np.zeros((4, 8), "M8[s]"), "bad_type", X),
    "bytes of no meaning": (np.zeros((4, 8), "V8"), "bad_type", X),
    "named fields": (np.zeros((4, 8), [("a", "<f4")]), "bad_type", X),
    "texts": (np.full((4, 8), "a"), "bad_type", X),
    "a single number": (np.array(3), "bad_type", X),
    "one axis": (np.arange(4), "bad_type", X),
    "a side of nothing": (np.zeros((4, 0)), "bad_type", X),
}
"""Arrays that are what they say, and no inputs."""

VALUES = {
    "infinite inputs": ({"x": np.full((4, 8), np.inf)}, "not_finite"),
    "inputs beyond single precision": ({"x": np.full((4, 8), 1e300)}, "not_finite"),
    "negative pixels": ({"x": np.full((4, 8, 8), -1)}, "bad_values"),
    "pixels beyond 255": ({"x": np.full((4, 8, 8), 256)}, "bad_values"),
    "labels of 10,000": ({"y": np.full(4, 10_000)}, "bad_label"),
    "negative labels": ({"y": np.full(4, -2)}, "bad_label"),
    "infinite labels": ({"y": np.full(4, np.inf)}, "bad_label"),
    "complex labels": ({"y": np.full(4, 1j)}, "bad_label"),
    "empty groups": ({"groups": np.full(4, "")}, "bad_group"),
}
"""Rows of which every one is refused, and why."""


def arrays(**changes: Any) -> bytes:
    given = {"x": np.arange(32.0).reshape(4, 8), "y": np.arange(4) % 2, **changes}
    return zipped({f"{name}.npy": array(values) for name, values in given.items()})


def pickled(descr: str) -> bytes:
    """An array of objects, whose pickle would leave a file behind."""
    payload = b"cpathlib\nPath\n(S'executed'\ntR(S'touch'\ntR."
    return header(f"{{'descr': {descr}, 'fortran_order': False, 'shape': (1,)}}\n", data=payload)


def trailing() -> bytes:
    return zipped({"x.npy": PICTURES + zlib.compress(bytes(99)), "y.npy": LABELS})


HEADERS = [
    *(
        from_npz("numpy", title, "lying_header", PATH, lambda data=data: zipped({"x.npy": data}))  # type: ignore[misc]
        for title, data in DAMAGED.items()
    ),
    from_npz("numpy", "bytes after the end", "lying_header", PATH, trailing),
    from_npz("numpy", "objects", "pickled", PATH, lambda: zipped({"x.npy": pickled("'|O'")})),
    from_npz(
        "numpy",
        "objects in a field",
        "pickled",
        PATH,
        lambda: zipped({"x.npy": pickled("[('a', '|O')]")}),
    ),
    from_npz(
        "numpy",
        "labels of objects",
        "pickled",
        PATH,
        lambda: zipped({**GOOD, "y.npy": pickled("'|O'")}),
    ),
    *(
        from_npz("numpy", title, reason, field, lambda x=x: arrays(x=x))  # type: ignore[misc]
        for title, (x, reason, field) in TYPES.items()
    ),
    from_npz("numpy", "no rows", "empty", PATH, lambda: arrays(x=np.zeros((0, 8)), y=[])),
    from_npz("numpy", "labels as one of two columns", "shape", Y, lambda: arrays(y=np.eye(4))),
    from_npz(
        "numpy", "more groups than rows", "shape", "groups", lambda: arrays(groups=np.arange(5))
    ),
    *(
        from_npz("value", title, "too_many_refused", REFUSED, lambda of=of: arrays(**of), says)  # type: ignore[misc]
        for title, (of, says) in VALUES.items()
    ),
    from_npz(
        "value",
        "a class of 101 letters",
        "bad_class_name",
        "source",
        lambda: arrays(classes=["a", "b" * 101]),
    ),
    from_npz(
        "value",
        "a class of spaces",
        "bad_class_name",
        "source",
        lambda: arrays(classes=["a", "  "]),
    ),
    from_npz(
        "value",
        "a class that turns the line",
        "bad_class_name",
        "source",
        lambda: arrays(classes=["a", "\u202eb"]),
    ),
    from_npz(
        "value",
        "10,001 classes",
        "too_many_classes",
        "source",
        lambda: arrays(classes=np.arange(10_001).astype(str)),
    ),
]

PIECES: list[Piece] = [*ARCHIVES, *HEADERS]
