"""Tensors, indexes, documents and arrays of the store: what somebody put in their place."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from activesynth.domain.canonical import decode_arrays, decode_tensors
from activesynth.domain.documents import (
    DatasetManifest,
    Document,
    ModelCard,
    Plan,
    WeaknessProfile,
)
from activesynth.domain.effects import Unwatched
from activesynth.index.faiss_index import FaissIndex
from activesynth.storage.directory import DirectoryObjectStore
from bad_inputs import archives
from bad_inputs.checkpoints import CAP, TENSORS
from bad_inputs.piece import Piece


def of_tensors(title: str, data: bytes) -> Piece:
    return Piece(
        "tensors",
        title,
        "stored model",
        "corrupt_artifact",
        "tensors",
        lambda _: lambda: decode_tensors(data),
        cap=CAP,
    )


@cache
def flat() -> bytes:
    return FaissIndex().build(np.eye(8, dtype=np.float32))


def patched(offset: int, value: int, form: str = "<q") -> bytes:
    data = bytearray(flat())
    data[offset : offset + struct.calcsize(form)] = struct.pack(form, value)
    return bytes(data)


def foreign(make: Callable[[], Any]) -> bytes:
    return bytes(faiss.serialize_index(make()))


def transformed() -> Any:
    return faiss.IndexPreTransform(faiss.PCAMatrix(8, 8), faiss.IndexFlatL2(8))


INDEXES: dict[str, Callable[[], bytes]] = {
    "nothing": bytes,
    "three bytes": lambda: b"IxF",
    "a text": lambda: b"no index at all" * 20,
    "a pickle": lambda: TENSORS["a pickle"],
    "an unknown mark": lambda: b"Zzzz" + flat()[4:],
    "cut to half": lambda: flat()[: len(flat()) // 2],
    "cut by one byte": lambda: flat()[:-1],
    "a vector of 2**62 numbers": lambda: patched(len(flat()) - 256 - 8, 2**62),
    "a vector of 2**38 numbers": lambda: patched(len(flat()) - 256 - 8, 2**38),
    "vectors of -1 numbers": lambda: patched(len(flat()) - 256 - 8, -1),
    "more rows than vectors": lambda: patched(8, 10**6),
    "fewer than no rows": lambda: patched(8, -1),
    "another kind of index": lambda: foreign(lambda: faiss.IndexLSH(8, 16)),
    "an index over bits": lambda: bytes(faiss.serialize_index_binary(faiss.IndexBinaryFlat(8))),
    "an index with a transformation": lambda: foreign(transformed),
    "an index of inner products": lambda: foreign(lambda: faiss.IndexFlatIP(8)),
}


def of_index(title: str, data: Callable[[], bytes]) -> Piece:
    def parse() -> object:
        return FaissIndex().search(data(), np.eye(8, dtype=np.float32)[:2], 1)

    return Piece(
        "index", title, "stored index", "corrupt_artifact", "index", lambda _: parse, cap=CAP
    )


def flipped(title: str, change: Callable[[bytes], bytes]) -> Piece:
    """Return an index that is changed where it lies, as the store hands it out."""

    def give(folder: Path) -> Callable[[], object]:
        store = DirectoryObjectStore(folder / "objects", Unwatched())
        digest = store.put(flat())
        [path] = [path for path in folder.rglob("*") if path.name == digest]
        path.chmod(0o600)
        path.write_bytes(change(flat()))
        return lambda: FaissIndex().search(store.get(digest), np.eye(8, dtype=np.float32)[:2], 1)

    return Piece("index", title, "object store", "corrupt_artifact", "blob", give)


def bit(place: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


BITS = [
    flipped("a flipped bit in its mark", bit(0)),
    flipped("a flipped bit in its size", bit(8)),
    flipped("a flipped bit in its vectors", bit(-2 % 300)),
    flipped("another index in its place", lambda _: FaissIndex().build(np.ones((3, 8)))),
    flipped("a byte more", lambda data: data + b"\0"),
]

CARD = {
    "part": "ensemble",
    "role": "classifier",
    "parameters": {},
    "tensors": "a",
    "tensors_digest": "b",
}
MANIFEST: dict[str, Any] = {
    "modality": "image",
    "classes": ["a", "b"],
    "parent": None,
    "splits": {},
}


def of_document(title: str, kind: type[Document], data: Any, field: str) -> Piece:
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Piece(
        "document",
        title,
        f"stored {kind.__name__}",
        "corrupt_artifact",
        field,
        lambda _: lambda: kind.decode(text),
    )


DOCUMENTS = [
    of_document("nothing", ModelCard, b"", "ModelCard"),
    of_document("no JSON", ModelCard, b"{part: x}", "ModelCard"),
    of_document("no UTF-8", ModelCard, b'{"part": "\xff"}', "ModelCard"),
    of_document("a list", ModelCard, [CARD], "ModelCard"),
    of_document("a pickle", ModelCard, TENSORS["a pickle"], "ModelCard"),
    of_document("ten thousand brackets", ModelCard, b"[" * 10_000, "ModelCard"),
    of_document("half of it", ModelCard, json.dumps(CARD).encode()[:50], "ModelCard"),
    of_document("a card of a later format", ModelCard, {**CARD, "format": 2}, "format"),
    of_document("a card with another key", ModelCard, {**CARD, "code": "x"}, "code"),
    of_document("a card without tensors", ModelCard, {**CARD, "tensors": None}, "tensors"),
    of_document("a card whose part is a list", ModelCard, {**CARD, "part": ["x"]}, "part"),
    of_document(
        "a card whose parameters are text", ModelCard, {**CARD, "parameters": "x"}, "parameters"
    ),
    of_document("a manifest for a card", ModelCard, MANIFEST, "part"),
    of_document("a card for a manifest", DatasetManifest, CARD, "modality"),
    of_document(
        "a manifest of a later format", DatasetManifest, {**MANIFEST, "format": 9}, "format"
    ),
    of_document(
        "a split that is a number",
        DatasetManifest,
        {**MANIFEST, "splits": {"train": 3}},
        "splits.train",
    ),
    of_document(
        "a shard without rows",
        DatasetManifest,
        {**MANIFEST, "splits": {"train": [{"blob": "a", "bytes": 1}]}},
        "splits.train.0.rows",
    ),
    of_document(
        "a shard of endless rows",
        DatasetManifest,
        {**MANIFEST, "splits": {"train": [{"blob": "a", "bytes": 1, "rows": float("inf")}]}},
        "splits.train.0.rows",
    ),
    of_document(
        "a plan without items", Plan, {"budget": 1, "labels": 1, "is_uniform": True}, "items"
    ),
    of_document(
        "a budget of text",
        Plan,
        {"budget": "much", "labels": 1, "is_uniform": True, "items": []},
        "budget",
    ),
    of_document("a profile of nothing", WeaknessProfile, {}, "campaign"),
]


def of_arrays(title: str, data: Callable[[], bytes]) -> Piece:
    def give(folder: Path) -> Callable[[], object]:
        given = data()
        return lambda: decode_arrays(given, limit=1 << 22)

    return Piece("arrays", title, "stored shard", "corrupt_artifact", "arrays", give)


ARRAYS = [
    of_arrays("nothing", bytes),
    of_arrays("one bare array", lambda: archives.PICTURES),
    of_arrays("cut to half", lambda: archives.cut(0.5)),
    of_arrays("8 MiB of zeros in 8 kB", lambda: archives.zeros(8 << 20)),
    of_arrays("objects", lambda: archives.zipped({"x.npy": archives.pickled("'|O'")})),
    of_arrays("a pickle for an array", lambda: archives.zipped({"x.npy": TENSORS["a pickle"]})),
    of_arrays("locked", lambda: archives.patched(8, "<H", 1)),
    of_arrays("an unknown compression", lambda: archives.patched(10, "<H", 98)),
    of_arrays("damaged deflate data", archives.bad_deflate),
    of_arrays("a flipped bit", lambda: archives.spoilt("x.npy")),
    of_arrays(
        "a header that stays open",
        lambda: archives.zipped({"x.npy": archives.header("{'a': ((((\n")}),
    ),
    of_arrays(
        "more rows than data", lambda: archives.zipped({"x.npy": archives.shaped("(400, 8, 8)")})
    ),
    of_arrays(
        "a side of 2**63",
        lambda: archives.zipped({"x.npy": archives.shaped("(9223372036854775808, 1)")}),
    ),
    of_arrays(
        "rows of a terabyte",
        lambda: archives.zipped({"x.npy": archives.shaped("(1099511627776,)")}),
    ),
]

PIECES: list[Piece] = [
    *(of_tensors(title, data) for title, data in TENSORS.items()),
    *(of_index(title, data) for title, data in INDEXES.items()),
    *BITS,
    *DOCUMENTS,
    *ARRAYS,
]
