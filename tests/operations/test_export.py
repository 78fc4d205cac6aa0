"""What is exported can be read back, and nothing is overwritten."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import load_file

from activesynth.config.campaign import parse_campaign
from activesynth.domain.canonical import Array, encode_tensors, tensors_digest
from activesynth.domain.dataset_access import load_split, write_rows
from activesynth.domain.documents import DatasetManifest, ModelCard
from activesynth.domain.samples import SampleSet
from activesynth.errors import CorruptArtifactError, InputError, MissingArtifactError
from activesynth.operations.export import export_version
from activesynth.operations.export_model import export_model
from activesynth.operations.ingest import ingest
from activesynth.operations.placing import safe_names
from fakes import MemoryObjects, MemoryReader, make_pictures, make_platform, write_npz

CLASSES = np.array(["ant/bee", "cow", "COW"])


class Version:
    """A small version with three oddly named classes and two synthetic rows."""

    def __init__(self, folder: Path) -> None:
        write_npz(folder / "d.npz", make_pictures(200), np.arange(200) % 3, classes=CLASSES)
        source = {"name": "npz", "parameters": {"path": str(folder / "d.npz")}}
        self.objects = MemoryObjects()
        self.platform = make_platform(objects=self.objects)
        splits = {"train": 0.2, "pool": 0.2}
        document = {"name": "toy", "source": source, "splits": splits}
        result = ingest(parse_campaign(document, "test"), self.platform)
        root = DatasetManifest.decode(self.objects.get(result.version))
        names = np.array(["s1", "s2"])
        columns = {"weight": np.array([0.5, 0.25]), "weakness": np.array(["class:1", ""])}
        made = SampleSet(names, make_pictures(2, seed=5), np.array([1, 2]), names, columns)
        self.manifest = root.model_copy(update={"synthetic": write_rows(self.objects, made)})
        self.digest = self.objects.put(self.manifest.encode())

    def rows(self, split: str) -> SampleSet:
        return load_split(self.objects, self.manifest, split)


@pytest.fixture
def version(tmp_path: Path) -> Version:
    return Version(tmp_path)


def pixels(data: bytes) -> Array:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def test_parquet_holds_every_open_row_with_its_pixels(version: Version, tmp_path: Path) -> None:
    counts = export_version(version.digest, version.platform, tmp_path / "out", "parquet")

    table = pq.read_table(tmp_path / "out" / "data.parquet").to_pylist()
    by_id = {row["id"]: row for row in table}
    train = version.rows("train")
    assert len(table) == len(by_id) == sum(counts.values())
    assert set(counts) == {"train", "pool", "guide", "judge", "synthetic"}
    for number, name in enumerate(train.ids.tolist()):
        assert pixels(by_id[name]["image"]).tolist() == train.x[number, ..., 0].tolist()
        assert by_id[name]["label"] == train.y[number]
        assert by_id[name]["class_name"] == CLASSES[train.y[number]]
    assert {row["label"] for row in table if row["split"] == "pool"} == {None}
    assert (by_id["s1"]["origin"], by_id["s1"]["weakness"]) == ("synthetic", "class:1")
    assert (by_id["s2"]["weight"], by_id["s2"]["weakness"]) == (0.25, None)


def test_class_folders_can_be_ingested_again(version: Version, tmp_path: Path) -> None:
    export_version(version.digest, version.platform, tmp_path / "out", "folders")

    source = version.platform.parts.create(
        "source", "folder", {"path": str(tmp_path / "out" / "train"), "mode": "L"}
    )
    samples = source.read().samples
    train = version.rows("train")
    names = json.loads((tmp_path / "out" / "classes.json").read_text())["folders"]
    assert samples.ids.tolist() == sorted(train.ids.tolist())
    files = {path.stem: path.parent.name for path in (tmp_path / "out" / "train").rglob("*.png")}
    assert files == {
        name: names[label] for name, label in zip(train.ids.tolist(), train.y.tolist(), strict=True)
    }
    assert {p.stem for p in (tmp_path / "out" / "synthetic").rglob("*.png")} == {"s1", "s2"}


def test_guarded_splits_leave_only_when_named(version: Version, tmp_path: Path) -> None:
    counts = export_version(
        version.digest, version.platform, tmp_path / "out", splits=("train", "test")
    )

    assert counts["test"] == len(version.rows("test"))
    with pytest.raises(InputError, match="choose from train"):
        export_version(version.digest, version.platform, tmp_path / "o2", splits=("exam",))


@pytest.mark.parametrize("layout", ["parquet", "folders"])
def test_a_folder_with_something_in_it_is_left_alone(
    version: Version, tmp_path: Path, layout: Any
) -> None:
    target = tmp_path / "out"
    target.mkdir()
    export_version(version.digest, version.platform, target, layout)
    before = sorted(path.name for path in target.iterdir())

    with pytest.raises(InputError, match="nothing was overwritten") as caught:
        export_version(version.digest, version.platform, target, layout)

    assert caught.value.reason == "not_empty"
    assert sorted(path.name for path in target.iterdir()) == before


def test_a_failed_export_leaves_nothing(version: Version, tmp_path: Path) -> None:
    del version.objects.blobs[version.manifest.splits["guide"][0].blob]
    home = tmp_path / "exports"
    home.mkdir()

    with pytest.raises(MissingArtifactError):
        export_version(version.digest, version.platform, home / "out")

    assert list(home.iterdir()) == []


@given(st.lists(st.text(max_size=12), max_size=8))
def test_folder_names_are_safe_and_distinct_where_case_is_ignored(names: list[str]) -> None:
    safe = safe_names(names, reserved=["unlabelled"])

    folded = [name.lower() for name in safe]
    assert len(set(folded)) == len(names)
    assert not {"", ".", "..", "unlabelled", "con", "nul"} & set(folded)
    assert all("/" not in name and "\\" not in name and "\x00" not in name for name in safe)


def store_model(objects: MemoryObjects) -> tuple[str, dict[str, Array]]:
    tensors: dict[str, Array] = {"w": np.arange(6.0).reshape(2, 3), "b": np.zeros(3)}
    card = ModelCard(
        part="cnn",
        role="arm",
        parameters={"width": 8},
        tensors=objects.put(encode_tensors(tensors)),
        tensors_digest=tensors_digest(tensors),
        facts={"trained_on": "abc|def", "arm": "targeted"},
    )
    return objects.put(card.encode()), tensors


def metric(iteration: int, arm: str, value: float, **changes: Any) -> dict[str, Any]:
    row = {"iteration": iteration, "arm": arm, "split": "guide", "slice": "all", "name": "acc"}
    return {**row, "value": value, "low": None, "high": None, "n": 9, "seed": -1, **changes}


def test_a_model_is_exported_with_its_tensors_card_and_numbers(tmp_path: Path) -> None:
    objects = MemoryObjects()
    model, tensors = store_model(objects)
    reader = MemoryReader(
        [
            metric(0, "real", 0.1111),
            metric(1, "real", 0.5),
            metric(1, "targeted", 0.625, low=0.5, high=0.75),
            metric(1, "targeted", 0.3333, slice="class:1"),
        ]
    )

    export_model(
        model, make_platform(objects=objects, reader=reader), tmp_path / "m", campaign="toy"
    )

    loaded = load_file(tmp_path / "m" / "model.safetensors")
    text = (tmp_path / "m" / "README.md").read_text()
    assert {name: value.tolist() for name, value in loaded.items()} == {
        name: value.tolist() for name, value in tensors.items()
    }
    assert ModelCard.decode((tmp_path / "m" / "card.json").read_bytes()).digest == model
    assert "| guide | acc | targeted | 0.6250 | 0.5000 to 0.7500 | 9 |" in text
    assert "abc\\|def" in text
    assert "0.1111" not in text
    assert "0.3333" not in text


def test_tensors_that_are_not_the_cards_are_refused(tmp_path: Path) -> None:
    objects = MemoryObjects()
    model, _ = store_model(objects)
    card = ModelCard.decode(objects.get(model))
    forged = card.model_copy(update={"tensors": objects.put(encode_tensors({"w": np.ones(1)}))})

    with pytest.raises(CorruptArtifactError, match="backup"):
        export_model(objects.put(forged.encode()), make_platform(objects=objects), tmp_path / "m")

    assert not (tmp_path / "m").exists()
