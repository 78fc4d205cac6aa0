"""Arrays in an npz archive, each checked by its header before it is decoded; never a pickle."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import IO, Any

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import InputError

PATH = "source.parameters.path"
HEADER_BYTES = 10_000


@contextmanager
def archive_at(name: str, file: str | IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """Open an archive; ``name`` is what messages call it.

    Raises:
        InputError: ``unreadable``, ``bad_checksum``, ``encrypted``, ``lying_header`` or
            ``unsupported``, for whatever goes wrong before the block ends.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except zipfile.BadZipFile as error:
        reason = "bad_checksum" if "Bad CRC-32" in str(error) else "unreadable"
        raise _bad(name, reason, f"it is damaged or no npz archive ({error})") from error
    except (RuntimeError, NotImplementedError) as error:
        reason = "encrypted" if "encrypted" in str(error) else "unsupported"
        raise _bad(name, reason, str(error)) from error
    except (zlib.error, OSError, EOFError) as error:
        raise _bad(name, "unreadable", f"it is damaged ({error})") from error
    # numpy looks at a header that is no literal as if it were a program of Python 2.
    except (ValueError, tokenize.TokenError) as error:
        raise _bad(name, "lying_header", str(error)) from error


def _bad(name: str, reason: str, finding: str) -> InputError:
    return InputError(
        f"`{PATH}`: {name!r} cannot be read: {finding}; write it again with `np.savez`, or give "
        "another file.",
        reason=reason,
        field=PATH,
    )


def entries_of(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the arrays of an archive by name.

    Raises:
        InputError: ``ambiguous`` if two arrays have one name.
    """
    entries: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        if not info.filename.endswith(".npy"):
            continue
        name = info.filename.removesuffix(".npy")
        if name in entries:
            raise InputError(
                f"`{PATH}`: the archive holds two arrays called {name!r}, and readers differ in "
                "which they take; write it again with one of them.",
                reason="ambiguous",
                field=PATH,
            )
        entries[name] = info
    return entries


def read_arrays(
    archive: zipfile.ZipFile,
    entries: Mapping[str, zipfile.ZipInfo],
    names: Iterable[str],
    max_bytes: int,
    check: Callable[[str, tuple[int, ...]], None],
) -> dict[str, Array]:
    """Decode some arrays once all their headers are within the budget.

    Args:
        archive: Where they are.
        entries: What is there.
        names: Which to read.
        max_bytes: The budget of all together.
        check: Told name and shape of each before anything is decoded; raises what it minds.

    Raises:
        InputError: ``too_large`` or ``pickled``.
        ValueError: If an array is not what its header says.
    """
    wanted = list(dict.fromkeys(names))
    total = 0
    for name in wanted:
        shape, dtype = _header(archive, entries[name])
        size = prod(shape) * dtype.itemsize
        if size > entries[name].file_size:
            raise ValueError(
                f"array {name!r} claims {size} bytes but holds {entries[name].file_size}"
            )
        check(name, shape)
        total += size
        if total > max_bytes:
            raise over_budget(f"array {name!r}", total, max_bytes)
    return {name: _decode(archive, entries[name]) for name in wanted}


def _header(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo
) -> tuple[tuple[int, ...], np.dtype[Any]]:
    with archive.open(entry) as stream:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            read = np.lib.format.read_array_header_1_0
        elif version == (2, 0):
            read = np.lib.format.read_array_header_2_0
        else:
            raise ValueError(f"array format {version} is not supported")
        shape, _, dtype = read(stream, max_header_size=HEADER_BYTES)
    if dtype.hasobject:
        raise InputError(
            f"`{PATH}`: array {entry.filename!r} holds pickled objects, which can run code when "
            "read; save it again as numbers or texts.",
            reason="pickled",
            field=PATH,
        )
    if any(side < 0 for side in shape):
        raise ValueError(f"array {entry.filename!r} claims the shape {shape}")
    return shape, dtype


def _decode(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Array:
    with archive.open(entry) as stream:
        array: Array = np.lib.format.read_array(stream, allow_pickle=False)
        if stream.tell() != entry.file_size:
            raise ValueError(
                f"array {entry.filename!r} ends after {stream.tell()} bytes of {entry.file_size}"
            )
        stream.read(1)  # reaching the end compares the checksum
    return array


def over_budget(what: str, size: int, limit: int) -> InputError:
    """Return the error for data that would decode to more than ``limit`` bytes."""
    return InputError(
        f"`source.parameters.max_bytes`: {what} decodes to {size} bytes or more, the limit is "
        f"{limit}; raise the limit if the data is trusted and fits into memory, or read less.",
        reason="too_large",
        field="source.parameters.max_bytes",
    )
