"""Copies and leaks that were planted are found, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_split, write_rows
from activesynth.domain.documents import SPLITS, DatasetManifest
from activesynth.domain.platform import Platform
from activesynth.domain.records import Bundle, VersionRow
from activesynth.domain.samples import UNLABELLED, SampleSet, concatenate
from activesynth.operations.check import Findings, check
from fakes import make_pictures, make_platform

ROWS = 12


def make_rows(name: str, x: Array, *, groups: list[str] | None = None) -> SampleSet:
    ids = np.array([f"{name}{n:02d}" for n in range(len(x))])
    y = np.full(len(x), UNLABELLED if name == "pool" else 0, np.int64)
    return SampleSet(ids, x, y, ids if groups is None else np.array(groups))


def clean_splits() -> dict[str, SampleSet]:
    pictures = make_pictures(ROWS * len(SPLITS))
    return {
        name: make_rows(name, pictures[n * ROWS : (n + 1) * ROWS]) for n, name in enumerate(SPLITS)
    }


def commit(
    platform: Platform, splits: dict[str, SampleSet], synthetic: SampleSet | None = None
) -> None:
    """Make these rows the head version of a campaign, as no ingest would."""
    objects = platform.objects
    manifest = DatasetManifest(
        modality="image",
        classes=("a", "b"),
        parent=None,
        splits={name: write_rows(objects, rows) for name, rows in splits.items()},
        synthetic=() if synthetic is None else write_rows(objects, synthetic),
    )
    objects.put(manifest.encode())
    config = {"name": "planted", "source": {"name": "digits"}}
    platform.lineage.register_campaign("planted", config)
    bundle = Bundle(version=VersionRow(manifest.digest, None, "root", {}))
    platform.lineage.commit_version("planted", bundle, expected_head=None)


def findings(splits: dict[str, SampleSet], synthetic: SampleSet | None = None) -> Findings:
    platform = make_platform()
    commit(platform, splits, synthetic)
    return check("planted", platform)


def nearly(x: Array, seed: int = 0) -> Array:
    """Return pictures that nobody could tell apart from ``x``."""
    noise = np.random.default_rng(seed).integers(-2, 3, x.shape)
    return np.clip(x.astype(int) + noise, 0, 255).astype(np.uint8)


def test_clean_splits_have_neither_copies_nor_leaks() -> None:
    found = findings(clean_splits())

    assert (found.copies, found.leaks, found.look_alikes) == ((), (), ())
    assert found.rows == dict.fromkeys(SPLITS, ROWS)
    assert found.look_alike_distance is None


def test_every_planted_leak_is_named_with_its_ids_splits_and_kind() -> None:
    splits = clean_splits()
    planted = {
        "exact": make_rows("copied", splits["test"].x[:3]),
        "near": make_rows("touched", nearly(splits["gate"].x[:4])),
    }
    splits["train"] = concatenate([splits["train"], *planted.values()])

    found = findings(splits)

    told = {(leak.kind, leak.one, leak.other, leak.other_place) for leak in found.leaks}
    assert told == {
        *(("exact", f"copied{n:02d}", f"test{n:02d}", "test") for n in range(3)),
        *(("near", f"touched{n:02d}", f"gate{n:02d}", "gate") for n in range(4)),
    }
    assert [copies.kind for copies in found.copies] == ["exact"] * 3 + ["near"] * 4


def test_copies_within_train_and_pool_are_listed_and_are_no_leak() -> None:
    splits = clean_splits()
    splits["pool"] = concatenate([splits["pool"], make_rows("again", splits["train"].x[:2])])

    found = findings(splits)

    assert found.leaks == ()
    assert [copies.ids for copies in found.copies] == [
        ("again00", "train00"),
        ("again01", "train01"),
    ]
    assert found.copies[0].places == ("pool", "train")


def test_a_generator_that_copies_guide_and_test_rows_is_a_leak() -> None:
    splits = clean_splits()
    copied = np.concatenate([splits["guide"].x[:2], nearly(splits["test"].x[:2])])

    found = findings(splits, make_rows("made", copied))

    assert {(leak.one_place, leak.other_place) for leak in found.leaks} == {
        ("guide", "synthetic"),
        ("test", "synthetic"),
    }
    assert len(found.leaks) == 4


def test_an_id_or_a_group_in_two_splits_is_a_leak() -> None:
    splits = clean_splits()
    splits["gate"] = concatenate([splits["gate"], splits["guide"].take([0])])
    patients = [f"patient{n}" for n in range(ROWS)]
    for name in ("judge", "train"):
        splits[name] = make_rows(
            name, splits[name].x, groups=patients[:1] + list(splits[name].ids[1:])
        )

    found = findings(splits)

    kinds = {(leak.kind, leak.one_place, leak.other_place) for leak in found.leaks}
    assert kinds == {
        ("sample", "guide", "gate"),
        ("group", "guide", "gate"),
        ("group", "train", "judge"),
    }


def test_shifted_copies_are_not_found_by_pixels() -> None:
    splits = clean_splits()
    moved = make_rows("moved", np.roll(splits["test"].x[:3], 1, axis=2))
    splits["train"] = concatenate([splits["train"], moved])

    assert findings(splits).leaks == ()


def test_look_alikes_are_searched_for_once_there_is_an_encoder(
    database_url: str, tmp_path: Path
) -> None:
    from activesynth.operations.ingest import ingest
    from activesynth.steps.loop import run
    from toy_plane import plane_config, plane_platform

    with plane_platform(database_url, tmp_path) as platform:
        ingest(plane_config(), platform)
        run(platform, conf={"campaign": "plane"})
        before = check("plane", platform)
        head = str(platform.lineage.campaign("plane").head)
        manifest = DatasetManifest.decode(platform.objects.get(head))
        guide = load_split(platform.objects, manifest, "guide")
        copied = SampleSet(np.array(["copy0", "copy1"]), guide.x[:2], guide.y[:2], guide.ids[:2])
        train = (*manifest.splits["train"], *write_rows(platform.objects, copied))
        leaking = manifest.model_copy(
            update={"parent": head, "splits": {**manifest.splits, "train": train}}
        )
        platform.objects.put(leaking.encode())
        version = VersionRow(leaking.digest, head, "refresh", {})
        platform.lineage.commit_version("plane", Bundle(version=version), expected_head=head)
        after = check("plane", platform)

    # In two dimensions chance alone puts points that were made beside guarded ones.
    assert all(leak.other_place.startswith("synthetic") for leak in before.leaks)
    assert before.look_alike_distance is not None
    assert len(before.look_alikes) <= 3 * max(1.0, before.look_alikes_by_chance)
    assert {leak.one for leak in after.leaks if leak.kind == "exact"} == {"copy0", "copy1"}
    assert {leak.one for leak in after.look_alikes} >= {"copy0", "copy1"}


def test_the_command_ends_with_3_where_there_is_a_leak_and_with_0_where_there_is_none(
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from activesynth.bootstrap import open_platform
    from activesynth.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACTIVESYNTH_DATABASE_URL", database_url)
    monkeypatch.setenv("ACTIVESYNTH_HOME", str(tmp_path / "home"))
    splits = clean_splits()
    with open_platform() as platform:
        commit(platform, splits)
    clean = main(["check", "planted"])
    said = capsys.readouterr().out
    splits["train"] = concatenate([splits["train"], make_rows("copied", splits["test"].x[:2])])
    with open_platform() as platform:
        head = platform.lineage.campaign("planted").head
        manifest = DatasetManifest.decode(platform.objects.get(str(head)))
        leaking = manifest.model_copy(
            update={
                "parent": head,
                "splits": {
                    **manifest.splits,
                    "train": write_rows(platform.objects, splits["train"]),
                },
            }
        )
        platform.objects.put(leaking.encode())
        version = VersionRow(leaking.digest, head, "refresh", {})
        platform.lineage.commit_version("planted", Bundle(version=version), expected_head=head)
    leaks = main(["check", "planted", "--json"])
    shown = capsys.readouterr()

    assert clean == 0
    assert "0 leaks between splits" in said
    assert leaks == 3
    assert "2 leaks" in shown.err
    assert [leak["one"] for leak in json.loads(shown.out)["leaks"]] == ["copied00", "copied01"]
