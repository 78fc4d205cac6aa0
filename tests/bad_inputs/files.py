"""Files that are broken, that lie, or that are made to do harm; each writes one."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from bad_inputs.case import Place
from fakes import make_pictures


def png(picture: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture[..., 0]).save(buffer, "PNG", **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """Return a picture that is a header and no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def animated() -> bytes:
    frames = [Image.fromarray(picture[..., 0]) for picture in make_pictures(3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def gif() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(make_pictures(1)[0, ..., 0]).save(buffer, "GIF")
    return buffer.getvalue()


def npy(shape: tuple[int, ...], data: bytes = b"", descr: str = "|u1") -> bytes:
    """Return an array whose header says whatever it likes."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": descr, "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue() + data


def archive(place: Place, *entries: tuple[str, bytes], **parameters: Any) -> Path:
    path = place.folder / "d.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in entries:
            written.writestr(name, content)
    place.source("npz", path, **parameters)
    return path


def zip_bomb(place: Place) -> None:
    """A kilobyte that unpacks to a megabyte, of which a header says that it is a gigabyte."""
    archive(place, ("x.npy", npy((1024, 1024, 1024), bytes(1 << 20))), max_bytes=1 << 26)


def honest_bomb(place: Place) -> None:
    """A small file that really holds 64 MiB of zeros."""
    np.savez_compressed(place.folder / "d.npz", x=np.zeros((16, 2048, 2048), np.uint8))
    place.source("npz", place.folder / "d.npz", max_bytes=1 << 24)


def many_labels(place: Place) -> None:
    """Thirty million labels, which are small as bytes and large as Python's numbers."""
    zeros = np.zeros(30_000_000, np.uint8)
    np.savez_compressed(place.folder / "d.npz", x=zeros[:, None], y=zeros)
    place.source("npz", place.folder / "d.npz", max_bytes=1 << 26, max_rows=10**8)


def nested(place: Place) -> None:
    inner = io.BytesIO()
    np.savez(inner, x=make_pictures(60))
    archive(place, ("inner.npz", inner.getvalue()))


def twice_named(place: Place) -> None:
    one = npy((2, 8, 8), bytes(128))
    archive(place, ("x.npy", one), ("y.npy", npy((2,), b"\0\1")), ("x.npy", one))


def bad_crc(place: Place) -> None:
    path = place.npz()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def flagged(place: Place, offset: int, value: int) -> None:
    """Change a field of the local and central headers: 6 is the flags, 8 the compression."""
    path = place.npz()
    data = path.read_bytes()
    for mark, shift in ((b"PK\x03\x04", offset), (b"PK\x01\x02", offset + 2)):
        first, *others = data.split(mark)
        new = struct.pack("<H", value)
        changed = [part[: shift - 4] + new + part[shift - 2 :] for part in others]
        data = mark.join([first, *changed])
    path.write_bytes(data)


def pickled(place: Place) -> None:
    boxed = np.empty(60, object)
    boxed[:] = [{"never": "loaded"}] * 60
    place.npz(of={"x": boxed})


def cut(place: Place) -> None:
    path = place.npz()
    path.write_bytes(path.read_bytes()[:-300])


def folder(place: Place, *strange: tuple[str, bytes], good: int = 60, **parameters: Any) -> Path:
    """Write class folders ``a`` and ``b`` with good pictures, and strange files beside them."""
    root = place.folder / "pictures"
    for number, picture in enumerate(make_pictures(good)):
        path = root / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(picture))
    root.mkdir(exist_ok=True)
    for name, content in strange:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    place.source("folder", root, **parameters)
    return root


def parquet(place: Place, columns: dict[str, Any] | bytes, **parameters: Any) -> None:
    path = place.folder / "d.parquet"
    if isinstance(columns, bytes):
        path.write_bytes(columns)
    else:
        pq.write_table(pa.table(columns), path)
    place.source("parquet", path, **parameters)


def cells(count: int = 60) -> list[bytes | None]:
    return [png(picture) for picture in make_pictures(count)]
