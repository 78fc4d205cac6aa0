"""Pictures that are damaged, lie, or are no pictures; and folders that are not what they seem."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from activesynth.datasets import folder as folders
from activesynth.datasets.assembly import assemble
from activesynth.datasets.parameters import FolderParameters
from activesynth.datasets.sandbox import limits_of
from bad_inputs.archives import REFUSED, no_word
from bad_inputs.piece import Piece

PATH = "source.parameters.path"
BUDGETS: dict[str, Any] = {"max_bytes": 1 << 22, "max_rows": 20_000, "max_pixels": 1_000_000}
CAP = limits_of(FolderParameters(path=Path(), **BUDGETS)).memory
PIXELS = (np.arange(64 * 64) % 251).astype(np.uint8).reshape(64, 64)


def from_folder(
    kind: str,
    title: str,
    reason: str,
    field: str,
    write: Callable[[Path], object],
    says: str = "",
    **parameters: Any,
) -> Piece:
    """Return a folder of class folders that the source ``folder`` reads."""

    def give(folder: Path) -> Callable[[], object]:
        root = folder / "pictures"
        (root / "a").mkdir(parents=True)
        write(root)
        given = FolderParameters(path=root, **BUDGETS, **parameters)
        return lambda: assemble(folders.read(given, no_word))

    return Piece(kind, title, "source folder", reason, field, give, says, CAP)


def encoded(form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, form, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check


def png(
    width: int = 8,
    height: int = 8,
    *,
    depth: int = 8,
    colour: int = 0,
    way: int = 0,
    before: bytes = b"",
    pixels: bytes | None = None,
) -> bytes:
    """Return a PNG whose header says whatever it likes."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, way)
    rows = b"".join(b"\0" + bytes(width) for _ in range(height)) if pixels is None else b""
    data = zlib.compress(rows) if pixels is None else pixels
    body = chunk(b"IHDR", head) + before + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def animated(frames: int | None = None) -> bytes:
    buffer = io.BytesIO()
    pictures = [Image.fromarray(PIXELS + shift) for shift in range(3)]
    pictures[0].save(buffer, "PNG", save_all=True, append_images=pictures[1:])
    data = buffer.getvalue()
    if frames is None:
        return data
    start = data.find(b"acTL")
    old = data[start - 4 : start + 16]
    return data.replace(old, chunk(b"acTL", struct.pack(">II", frames, 0)))


def flipped(data: bytes, mark: bytes, shift: int) -> bytes:
    changed = bytearray(data)
    changed[changed.find(mark) + shift] ^= 0xFF
    return bytes(changed)


def jpeg_of(height: int, width: int) -> bytes:
    """Change the sides that a JPEG claims."""
    data = bytearray(encoded("JPEG"))
    start = data.find(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", height, width)
    return bytes(data)


BOMB = zlib.compress(bytes(80 << 20), 9)
PNG, JPEG = encoded("PNG"), encoded("JPEG")
BAD = {
    "nothing": b"",
    "a text": b"not a picture",
    "a page with a script": b"<html><script>alert(1)</script></html>",
    "a drawing of vectors": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "a program for a printer": b"%!PS-Adobe-3.0 EPSF-3.0\n%%Pages: 1\n(executed) (w) file",
    "a PDF": b"%PDF-1.7\n1 0 obj\n<</S/JavaScript/JS(app.alert(1))>>\n",
    "a GIF": encoded("GIF"),
    "a BMP": encoded("BMP"),
    "a TIFF": encoded("TIFF"),
    "a WebP": encoded("WEBP"),
    "a PPM": encoded("PPM"),
    "an icon": encoded("ICO"),
    "the start of a PNG alone": PNG[:8],
    "a PNG cut in its header": PNG[:20],
    "a PNG cut in its pixels": PNG[: len(PNG) // 2],
    "a PNG whose header was changed": flipped(PNG, b"IHDR", 6),
    "a PNG whose pixels were changed": flipped(PNG, b"IDAT", 30),
    "a PNG without pixels": b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)) + chunk(b"IEND", b""),
    "a PNG with pixels that are no zlib data": png(pixels=b"\xff" * 40),
    "a PNG without width": png(0, 8),
    "a PNG without height": png(8, 0),
    "a PNG of 3 bits": png(depth=3),
    "a PNG of an unknown colour": png(colour=5),
    "a PNG with palette and none": png(colour=3, pixels=b""),
    "a PNG with a chunk of 2 GiB": PNG[:8] + struct.pack(">I", 2**31 - 1) + PNG[12:],
    "a PNG whose note unpacks to 80 MiB": png(before=chunk(b"zTXt", b"a\0\0" + BOMB)),
    "a PNG of notes of 65 MiB": png(before=chunk(b"tEXt", b"a\0" + b"b" * (1 << 20)) * 65),
    "the start of a JPEG alone": JPEG[:3],
    "a JPEG cut in its tables": JPEG[:100],
    "a JPEG cut in its pixels": JPEG[: len(JPEG) // 2],
    "a JPEG without height": jpeg_of(0, 64),
}
LARGE = {
    "a PNG of 10**5 pixels a side": png(10**5, 10**5, pixels=b""),
    "a PNG of 2**31 pixels a side": png(2**31 - 1, 2**31 - 1, pixels=b""),
    "a PNG of one line": png(2**30, 1, pixels=b""),
    "a PNG that holds 4 megapixels": png(2000, 2000),
    "a JPEG of 65,500 pixels a side": jpeg_of(65_500, 65_500),
}
MOVING = {"an animation": animated(), "an animation of 2**31 frames": animated(2**31 - 1)}


def alone(title: str, data: bytes, item: str, name: str = "x.png") -> Piece:
    """Return a folder whose only picture is refused."""

    def write(root: Path) -> None:
        (root / "a" / name).write_bytes(data)

    return from_folder("picture", title, "too_many_refused", REFUSED, write, f"1 {item}")


def _device(root: Path) -> None:
    (root / "a" / "x.png").symlink_to("/dev/zero")


def _pipe(root: Path) -> None:
    os.mkfifo(root / "a" / "x.png")


def _ring(root: Path) -> None:
    (root / "a" / "x.png").symlink_to(root / "a" / "x.png")


def _ring_of_folders(root: Path) -> None:
    (root / "b").symlink_to(root / "b")


def _many(root: Path) -> None:
    for number in range(10_001):
        (root / f"{number}").mkdir()


def named(name: str) -> Callable[[Path], object]:
    return lambda root: (root / name).mkdir()


def good(root: Path) -> None:
    (root / "a" / "x.png").write_bytes(PNG)


PIECES: list[Piece] = [
    *(alone(title, data, "bad_picture") for title, data in BAD.items()),
    *(alone(title, data, "oversized_picture") for title, data in LARGE.items()),
    *(alone(title, data, "animated_picture") for title, data in MOVING.items()),
    from_folder(
        "folder", "a device for a picture", "too_many_refused", REFUSED, _device, "1 not_a_file"
    ),
    from_folder(
        "folder", "a pipe for a picture", "too_many_refused", REFUSED, _pipe, "1 not_a_file"
    ),
    from_folder(
        "folder", "a link to itself", "too_many_refused", REFUSED, _ring, "1 unreadable_item"
    ),
    from_folder("folder", "a class that links to itself", "unreadable", PATH, _ring_of_folders),
    from_folder("folder", "a class without a name", "bad_class_name", "source", named("  ")),
    from_folder("folder", "a class of 101 letters", "bad_class_name", "source", named("c" * 101)),
    from_folder(
        "folder", "a class that turns the line", "bad_class_name", "source", named("\u202eb")
    ),
    from_folder(
        "folder", "a class that clears the screen", "bad_class_name", "source", named("\x1b[2J")
    ),
    from_folder("folder", "10,002 classes", "too_many_classes", "source", _many),
    from_folder("folder", "nothing but a folder", "empty", PATH, lambda root: None),
    from_folder(
        "folder",
        "no group in the name",
        "too_many_refused",
        REFUSED,
        good,
        "1 bad_group",
        group_pattern=r"(p\d+)",
    ),
]
