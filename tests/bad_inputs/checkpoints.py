"""Checkpoints of other people: folders that are not what they seem, tensors that lie."""

from __future__ import annotations

import atexit
import json
import shutil
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch

from activesynth.generation.checkpoints.denoiser import Placement, load
from activesynth.generation.checkpoints.folder import open_folder
from bad_inputs.piece import MEBIBYTE, Piece
from tiny_checkpoints import save_unet

PIPELINES = ("DDPMPipeline", "DDIMPipeline")
GENERATOR = "generator.parameters"
WEIGHTS = "diffusion_pytorch_model.safetensors"
CAP = 256 * MEBIBYTE


def tensors(header: Any, data: bytes = bytes(16), *, size: int | None = None) -> bytes:
    """Return a safetensors file whose header says whatever it likes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def entry(dtype: str = "F32", shape: Any = (4,), offsets: Any = (0, 16)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


TENSORS = {
    "nothing": b"",
    "five bytes": b"\x08\0\0\0\0",
    "a pickle": b"\x80\x04cos\nsystem\n(S'touch executed'\ntR.",
    "an archive of torch's": b"PK\x03\x04archive/data.pkl",
    "a header of 2**64 bytes": tensors(b"{}", size=2**64 - 1),
    "a header of 2**40 bytes": tensors(b"{}", size=2**40),
    "a header longer than the file": tensors(b"{}", size=100),
    "a header of nothing": tensors(b""),
    "a header that is no JSON": tensors(b"{'a': 1}"),
    "a header that is no UTF-8": tensors(b'{"\xff": {}}'),
    "a list for a header": tensors([1]),
    "a header ten thousand deep": tensors(b'{"a":' * 10_000),
    "a tensor that is a number": tensors({"a": 3}),
    "a tensor without a type": tensors({"a": {"shape": [4], "data_offsets": [0, 16]}}),
    "an unknown type": tensors({"a": entry("F99")}),
    "a negative side": tensors({"a": entry(shape=(-4,))}),
    "a side of 2**64": tensors({"a": entry(shape=(2**64,))}),
    "sides that overflow together": tensors({"a": entry(shape=(2**33, 2**33))}),
    "a shape larger than its data": tensors({"a": entry(shape=(400,))}),
    "a shape smaller than its data": tensors({"a": entry(shape=(1,))}),
    "data beyond the file": tensors({"a": entry(offsets=(0, 1600), shape=(400,))}),
    "data that ends before it begins": tensors({"a": entry(offsets=(16, 0))}),
    "data that begins late": tensors({"a": entry(offsets=(4, 20))}, bytes(20)),
    "negative places": tensors({"a": entry(offsets=(-16, 0))}),
    "two tensors in one place": tensors({"a": entry(), "b": entry()}),
    "two tensors that overlap": tensors({"a": entry(), "b": entry(offsets=(8, 24))}, bytes(24)),
    "a hole between tensors": tensors({"a": entry(), "b": entry(offsets=(20, 36))}, bytes(36)),
    "data that nobody names": tensors({"a": entry()}, bytes(64)),
    "no data": tensors({"a": entry()}, b""),
    "a note that is no text": tensors({"__metadata__": {"a": [1]}, "a": entry()}),
    "a type that numpy lacks": tensors({"a": entry("F8_E4M3", (16,))}),
    "a hundred thousand tensors of one place": tensors({f"t{n}": entry() for n in range(100_000)}),
}


@cache
def checkpoint() -> Path:
    """Return a sound checkpoint, for copies that are spoilt."""
    root = Path(mkdtemp())
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return save_unet(root / "unet")


def in_folder(title: str, reason: str, says: str, change: Callable[[Path], object]) -> Piece:
    """Return a checkpoint that is refused before anything of it is loaded."""

    def give(folder: Path) -> Callable[[], object]:
        root = folder / "checkpoint"
        shutil.copytree(checkpoint(), root)
        change(root)
        return lambda: open_folder(root, PIPELINES)

    return Piece("checkpoint", title, "generator checkpoint", reason, GENERATOR, give, says)


def without(name: str) -> bytes:
    """Return the weights of the checkpoint, less one tensor."""
    from safetensors.numpy import load_file, save

    kept = load_file(checkpoint() / "unet" / WEIGHTS)
    del kept[name]
    return save(kept)


def reshaped(name: str) -> bytes:
    """Return the weights of the checkpoint, one of them cut short."""
    from safetensors.numpy import load_file, save

    kept = load_file(checkpoint() / "unet" / WEIGHTS)
    return save({**kept, name: kept[name][:1].copy()})


def loaded(title: str, data: bytes | Callable[[], bytes]) -> Piece:
    """Return a checkpoint whose weights are such a file, as diffusers meets it."""

    def give(folder: Path) -> Callable[[], object]:
        from diffusers.models.unets.unet_2d import UNet2DModel

        root = folder / "checkpoint"
        shutil.copytree(checkpoint(), root)
        (root / "unet" / WEIGHTS).write_bytes(data() if callable(data) else data)
        placement = Placement(torch.device("cpu"), torch.float32)

        def parse() -> object:
            open_folder(root, PIPELINES)
            return load(UNet2DModel, root / "unet", placement)

        return parse

    return Piece(
        "checkpoint",
        f"weights: {title}",
        "generator checkpoint",
        "bad_checkpoint",
        GENERATOR,
        give,
        cap=CAP,
    )


def index(**changes: Any) -> Callable[[Path], object]:
    """Change the index of a checkpoint."""

    def change(root: Path) -> None:
        path = root / "model_index.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


def write(name: str, content: str | bytes) -> Callable[[Path], object]:
    def change(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content.encode() if isinstance(content, str) else content)

    return change


def gone(name: str) -> Callable[[Path], object]:
    return lambda root: (root / name).unlink()


def pickled(root: Path) -> None:
    (root / "unet" / WEIGHTS).rename(root / "unet" / "diffusion_pytorch_model.bin")


def linked(root: Path) -> None:
    path = root / "unet" / "config.json"
    path.unlink()
    path.symlink_to("/dev/zero")


INDEX = f"unet/{WEIGHTS}.index.json"
FOLDERS = [
    in_folder("no index", "bad_checkpoint", "model_index.json", gone("model_index.json")),
    in_folder(
        "an index that is no JSON",
        "bad_checkpoint",
        "model_index.json",
        write("model_index.json", "{"),
    ),
    in_folder(
        "an index that is a list", "bad_checkpoint", "JSON object", write("model_index.json", "[]")
    ),
    in_folder(
        "an index of 2 MiB",
        "bad_checkpoint",
        "1 MiB",
        write("model_index.json", " " * (2 << 20) + "{}"),
    ),
    in_folder(
        "an index ten thousand deep",
        "bad_checkpoint",
        "model_index.json",
        write("model_index.json", "[" * 10_000),
    ),
    in_folder(
        "an index that is no UTF-8",
        "bad_checkpoint",
        "model_index.json",
        write("model_index.json", b'{"\xff": 1}'),
    ),
    in_folder("a pipeline of its own", "unknown_pipeline", "'Mine'", index(_class_name="Mine")),
    in_folder(
        "a pipeline from a module",
        "unknown_pipeline",
        "'os.system'",
        index(_class_name="os.system"),
    ),
    in_folder(
        "a pipeline that is a list",
        "unknown_pipeline",
        "['pipeline'",
        index(_class_name=["pipeline", "DDPMPipeline"]),
    ),
    in_folder("no pipeline", "unknown_pipeline", "None", index(_class_name=None)),
    in_folder(
        "a component of its own", "unknown_pipeline", "'unet'", index(unet=["my_unet", "MyUnet"])
    ),
    in_folder("a component that is a number", "unknown_pipeline", "'unet'", index(unet=3)),
    in_folder(
        "a component of three", "unknown_pipeline", "'unet'", index(unet=["a", "UNet2DModel", "c"])
    ),
    in_folder("a component that is an object", "unknown_pipeline", "'unet'", index(unet={"a": 1})),
    in_folder(
        "a scheduler of another process",
        "unknown_pipeline",
        "'scheduler'",
        index(scheduler=["diffusers", "FlowMatchEulerDiscreteScheduler"]),
    ),
    in_folder("weights as a pickle", "pickled_weights", "could run code", pickled),
    in_folder("no weights", "bad_checkpoint", "has no", gone(f"unet/{WEIGHTS}")),
    in_folder("no configuration", "bad_checkpoint", "config.json", gone("unet/config.json")),
    in_folder("a device for a configuration", "bad_checkpoint", "1 MiB", linked),
    in_folder(
        "an adapter beside the weights",
        "bad_checkpoint",
        "adapter_config.json",
        write("unet/adapter_config.json", "{}"),
    ),
    in_folder(
        "quantised weights",
        "bad_checkpoint",
        "quantised",
        write("unet/config.json", '{"quantization_config": {}}'),
    ),
    in_folder(
        "shards that climb",
        "bad_checkpoint",
        "which are no safetensors",
        write(INDEX, '{"weight_map": {"a": "../../x.safetensors"}}'),
    ),
    in_folder(
        "shards that are pickles",
        "bad_checkpoint",
        "which are no safetensors",
        write(INDEX, '{"weight_map": {"a": "x.bin"}}'),
    ),
    in_folder(
        "shards that are a list",
        "bad_checkpoint",
        "weight_map",
        write(INDEX, '{"weight_map": ["x"]}'),
    ),
    in_folder(
        "shards that are lists",
        "bad_checkpoint",
        "weight_map",
        write(INDEX, '{"weight_map": {"a": ["x"]}}'),
    ),
    in_folder(
        "shards that are a number",
        "bad_checkpoint",
        "weight_map",
        write(INDEX, '{"weight_map": 3}'),
    ),
]
LOADED = [
    *(
        loaded(title, TENSORS[title])
        for title in ("nothing", "a pickle", "a header of 2**40 bytes")
    ),
    *(
        loaded(title, TENSORS[title])
        for title in ("a header that is no JSON", "data beyond the file")
    ),
    loaded("tensors of another network", tensors({"a": entry()})),
    loaded("one tensor is missing", lambda: without("conv_in.weight")),
    loaded("one tensor is too short", lambda: reshaped("conv_in.weight")),
]

PIECES: list[Piece] = [*FOLDERS, *LOADED]
