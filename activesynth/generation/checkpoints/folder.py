"""A checkpoint's folder, judged by its JSON and its file names before anything is loaded."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activesynth.domain.canonical import canonical_json, sha256
from activesynth.errors import ConfigurationError, CorruptArtifactError
from activesynth.generation.checkpoints.allowed import NETWORKS, PIPELINES

MAX_JSON = 1 << 20
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".msgpack", ".h5")
FIELD = "generator.parameters"
_LICENCE = re.compile(r"^licen[sc]e:[ \t]*['\"]?([\w.+-]+)", re.MULTILINE)
_TOKENIZER = ("vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json")
_MORE = ("special_tokens_map.json", "added_tokens.json")


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that passed :func:`open_folder`."""

    root: Path
    pipeline: str

    @property
    def components(self) -> Mapping[str, tuple[str, ...]]:
        """Return the components that are loaded, with the classes they may be."""
        return PIPELINES[self.pipeline]

    def config(self, component: str) -> dict[str, Any]:
        """Return the JSON that describes a component.

        Raises:
            ConfigurationError: If it is not there or is no JSON object.
        """
        name = "scheduler_config.json" if component == "scheduler" else "config.json"
        return read_json(self.root / component / name)

    def files(self) -> dict[str, str]:
        """Return the SHA-256 of every file that is loaded, by its path in the folder."""
        found = [self.root / "model_index.json"]
        for component in self.components:
            found += _files_of(self.root / component, component)
        return {
            path.relative_to(self.root).as_posix(): _digest(path)
            for path in found
            if path.is_file()
        }

    def licence(self) -> str:
        """Return the licence that the model card states, or ``unknown``."""
        try:
            card = (self.root / "README.md").read_bytes()[:MAX_JSON].decode("utf-8", "replace")
        except OSError:
            return "unknown"
        head = card.removeprefix("---").partition("\n---")[0] if card.startswith("---") else ""
        stated = _LICENCE.search(head)
        return stated[1] if stated else "unknown"


def open_folder(root: Path, pipelines: tuple[str, ...]) -> Folder:
    """Return the folder if it is one of ``pipelines``, made of known classes and safetensors.

    Raises:
        ConfigurationError: If it is no checkpoint, is of another class, has a component of another
            class, or keeps weights as pickles.
    """
    if not root.is_dir():
        raise _refusal(
            f"`path` is {str(root)!r}, which is no folder on this machine; name the folder that "
            "holds the checkpoint's model_index.json (relative ones start at ACTIVESYNTH_DATA).",
            "missing_path",
        )
    index = read_json(root / "model_index.json")
    name = index.get("_class_name")
    if not isinstance(name, str) or name not in pipelines:
        raise _refusal(
            f"{root / 'model_index.json'} names the pipeline {name!r}; this generator loads "
            f"{', '.join(pipelines)} and nothing else. Use one of those, or write a generator of "
            "your own (docs/how-to/add-a-generator.md).",
            "unknown_pipeline",
        )
    folder = Folder(root, name)
    for component, classes in folder.components.items():
        entry = index.get(component)
        found = entry[1] if isinstance(entry, list) and len(entry) == 2 else entry
        if found not in classes:
            raise _refusal(
                f"{root / 'model_index.json'}: component {component!r} of {name} is {found!r}; "
                f"this generator loads {', '.join(classes)}.",
                "unknown_pipeline",
            )
        if (root / component / "adapter_config.json").exists():
            # A library that finds one loads the adapter beside it, which no digest of ours covers.
            raise _refusal(
                f"{root / component} holds an adapter_config.json; merge the adapter into the "
                "weights and save them without it.",
                "bad_checkpoint",
            )
        if component in NETWORKS:
            check_weights(root / component, NETWORKS[component])
            if "quantization_config" in folder.config(component):
                raise _refusal(
                    f"{root / component} holds quantised weights; save it in full precision.",
                    "bad_checkpoint",
                )
    return folder


def checkpoint_digest(files: Mapping[str, str]) -> str:
    """Return one digest for all of :meth:`Folder.files`."""
    return sha256(canonical_json(dict(files)))


def verify(files: Mapping[str, str], expected: Mapping[str, str]) -> None:
    """Check that the files are those of the fit.

    Raises:
        CorruptArtifactError: Naming the first file that differs.
    """
    if dict(files) == dict(expected):
        return
    changed = sorted(name for name in {*files, *expected} if files.get(name) != expected.get(name))
    raise CorruptArtifactError(
        f"the checkpoint is not the one of the fit: {len(changed)} file(s) differ, first "
        f"{changed[0]!r} ({files.get(changed[0], 'absent')[:12]}, fitted with "
        f"{expected.get(changed[0], 'absent')[:12]}); restore the files, or set "
        f"`generator.parameters.digest` to {checkpoint_digest(files)} to have the generator fitted "
        "again to what is there now.",
        field=f"{FIELD}.path",
    )


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of 1 MiB at most.

    Raises:
        ConfigurationError: If it is not there, is too large, or is no JSON object.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_JSON + 1)
        found = json.loads(data) if len(data) <= MAX_JSON else None
    except (OSError, ValueError, RecursionError) as error:
        raise _refusal(
            f"{path} cannot be read: {error}; name a folder that diffusers' save_pretrained wrote.",
            "bad_checkpoint",
        ) from error
    if not isinstance(found, dict):
        raise _refusal(f"{path} holds no JSON object of 1 MiB at most.", "bad_checkpoint")
    return found


def check_weights(folder: Path, stem: str) -> None:
    """Refuse a component's folder that has no ``<stem>.safetensors``, whole or in shards.

    Raises:
        ConfigurationError: If there are only pickles, nothing, or an index that leads elsewhere.
    """
    weights = [path.name for path in _weights(folder, stem)]
    if not weights:
        pickles = sorted(path.name for path in folder.glob("*") if path.suffix.lower() in PICKLES)
        raise _refusal(
            f"{folder} has no {stem}.safetensors"
            + (f", only {', '.join(pickles[:3])}, and reading those could run code" * bool(pickles))
            + "; convert the weights (save_pretrained(..., safe_serialization=True)).",
            "pickled_weights" if pickles else "bad_checkpoint",
        )
    index = folder / f"{stem}.safetensors.index.json"
    if index.is_file():
        places = read_json(index).get("weight_map", {})
        if not isinstance(places, dict) or any(
            not isinstance(place, str) for place in places.values()
        ):
            raise _refusal(f"{index}: `weight_map` is no object of file names.", "bad_checkpoint")
        shards = set(places.values())
        if not shards <= set(weights):
            raise _refusal(
                f"{index} names {sorted(map(str, shards - set(weights)))[:3]}, which are no "
                "safetensors files beside it.",
                "bad_checkpoint",
            )


def _weights(folder: Path, stem: str) -> list[Path]:
    shard = re.compile(rf"{re.escape(stem)}(-\d+-of-\d+)?\.safetensors")
    return sorted(path for path in folder.glob("*.safetensors") if shard.fullmatch(path.name))


def _files_of(folder: Path, component: str) -> list[Path]:
    if component == "scheduler":
        return [folder / "scheduler_config.json"]
    if component == "tokenizer":
        return [folder / name for name in (*_TOKENIZER, *_MORE)]
    stem = NETWORKS[component]
    index = folder / f"{stem}.safetensors.index.json"
    return [folder / "config.json", index, *_weights(folder, stem)]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refusal(message: str, reason: str) -> ConfigurationError:
    return ConfigurationError(message, reason=reason, field=FIELD)
