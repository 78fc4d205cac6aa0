"""Bytes that are equal whenever the content is equal, and their digests."""

from __future__ import annotations

import hashlib
import io
import json
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from activesynth.errors import CorruptArtifactError

Array = np.ndarray[Any, np.dtype[Any]]
Tensors = Mapping[str, Array]

MAX_ARRAY_BYTES = 1 << 30


def sha256(data: bytes) -> str:
    """Return the lower-case hexadecimal SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def canonical_json(document: Any) -> bytes:
    """Encode with sorted keys, no spaces and UTF-8, so equal documents give equal bytes.

    Raises:
        ValueError: If the document holds NaN or an infinity, which JSON cannot say.
    """
    text = json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def encode_arrays(arrays: Tensors) -> bytes:
    """Pack named arrays into npz bytes that depend on names and values alone."""
    buffer = io.BytesIO()
    ordered = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
    if any(array.dtype.hasobject for array in ordered.values()):
        raise TypeError("object arrays would need pickle; convert them to text or numbers first")
    np.savez(buffer, **ordered)  # type: ignore[arg-type]
    return buffer.getvalue()


def decode_arrays(data: bytes, *, limit: int = MAX_ARRAY_BYTES) -> dict[str, Array]:
    """Unpack npz bytes, refusing pickles and archives that would grow beyond ``limit`` bytes.

    Raises:
        CorruptArtifactError: If the bytes are no npz archive, hold objects, or expand too far.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_sizes(archive, limit)
        with np.load(io.BytesIO(data), allow_pickle=False) as loaded:
            return {name: loaded[name] for name in loaded.files}
    # A header that is no literal is tokenised by numpy; zipfile says what it lacks as RuntimeError.
    except (zipfile.BadZipFile, zlib.error, tokenize.TokenError, RuntimeError) as error:
        raise _no_arrays(error) from error
    except (ValueError, OSError, EOFError) as error:
        raise _no_arrays(error) from error


def _check_sizes(archive: zipfile.ZipFile, limit: int) -> None:
    """Refuse what is no array, and headers that claim more than there is, before memory is taken.

    Raises:
        ValueError: Naming the entry.
    """
    entries = archive.infolist()
    size = sum(entry.file_size for entry in entries)
    if size > limit:
        raise ValueError(f"it expands to {size} bytes, more than the limit of {limit}")
    for entry in entries:
        with archive.open(entry) as stream:
            is_first = np.lib.format.read_magic(stream) == (1, 0)
            read = np.lib.format.read_array_header_1_0
            shape, _, dtype = (read if is_first else np.lib.format.read_array_header_2_0)(stream)
        if prod(shape) * dtype.itemsize > entry.file_size:
            raise ValueError(f"{entry.filename!r} claims more than its {entry.file_size} bytes")


def _no_arrays(error: Exception) -> CorruptArtifactError:
    return CorruptArtifactError(f"not a readable npz archive: {error}", field="arrays")


def tensors_digest(tensors: Tensors) -> str:
    """Hash names, dtypes, shapes and raw values in name order.

    The digest of a model is taken over its tensors and not over a file, because a
    safetensors header may order its metadata freely.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        digest.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def encode_tensors(tensors: Tensors) -> bytes:
    """Encode as safetensors without metadata, names sorted: equal tensors give equal bytes."""
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)})


def decode_tensors(data: bytes) -> dict[str, Array]:
    """Decode safetensors bytes whose digest the caller has already verified."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(data))
    except (SafetensorError, KeyError) as error:  # numpy lacks some of its types
        raise CorruptArtifactError(
            f"not readable safetensors bytes: {error}", field="tensors"
        ) from error


def content_id(array: Array, *, salt: str = "") -> str:
    """Return the 32-character id of one sample: a digest of dtype, shape, values and ``salt``."""
    array = np.ascontiguousarray(array)
    head = f"{salt}|{array.dtype.str}|{array.shape}|".encode()
    return hashlib.sha256(head + array.tobytes()).hexdigest()[:32]


def derive_seed(*parts: object) -> int:
    """Derive a seed in ``[0, 2**31)`` from names and numbers, the same on every machine."""
    text = "|".join(str(part) for part in parts).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big") >> 1
