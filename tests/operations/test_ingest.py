"""Ingest: equal content gives equal addresses, splits share nothing, labels stay hidden."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from activesynth.config.campaign import CampaignConfig, parse_campaign
from activesynth.domain.dataset_access import (
    load_oracle,
    load_quarantine,
    load_refused,
    load_rows,
    load_split,
    write_rows,
)
from activesynth.domain.documents import SPLITS, DatasetManifest
from activesynth.domain.samples import SampleSet
from activesynth.errors import ConflictError, InputError
from activesynth.operations.ingest import ingest
from fakes import MemoryLineage, MemoryObjects, make_pictures, make_platform, write_npz


def make_config(path: Path | None = None, **sections: Any) -> CampaignConfig:
    source: dict[str, Any] = {"name": "digits"}
    if path is not None:
        source = {"name": "npz", "parameters": {"path": str(path)}}
    splits = {"train": 0.2, "pool": 0.2}
    return parse_campaign({"name": "toy", "source": source, "splits": splits, **sections}, "test")


def manifest_of(objects: MemoryObjects, digest: str) -> DatasetManifest:
    return DatasetManifest.decode(objects.get(digest))


def test_ingesting_twice_changes_nothing() -> None:
    objects, lineage = MemoryObjects(), MemoryLineage()
    platform = make_platform(objects=objects, lineage=lineage)
    first = ingest(make_config(), platform)
    blobs = set(objects.blobs)

    second = ingest(make_config(), platform)

    assert (first.created, second.created) == (True, False)
    assert second.version == first.version
    assert second.rows == first.rows
    assert set(objects.blobs) == blobs
    assert len(lineage.bundles) == 1


def test_two_fresh_stores_get_equal_addresses() -> None:
    stores = MemoryObjects(), MemoryObjects()

    one, other = (ingest(make_config(), make_platform(objects=store)) for store in stores)

    assert one.version == other.version
    assert set(stores[0].blobs) == set(stores[1].blobs)


def test_the_order_of_the_file_does_not_matter(tmp_path: Path) -> None:
    x, y = make_pictures(300), np.arange(300) % 3
    order = np.random.default_rng(0).permutation(300)
    write_npz(tmp_path / "one.npz", x, y)
    write_npz(tmp_path / "other.npz", x[order], y[order])

    one, other = (
        ingest(make_config(tmp_path / name), make_platform()) for name in ("one.npz", "other.npz")
    )

    assert one.version == other.version


def test_every_row_is_in_one_split_and_nothing_leaks() -> None:
    objects = MemoryObjects()

    result = ingest(make_config(), make_platform(objects=objects))

    manifest = manifest_of(objects, result.version)
    ids = [load_split(objects, manifest, name).ids for name in SPLITS]
    assert sum(map(len, ids)) == len(np.unique(np.concatenate(ids))) == 1797
    assert sum(result.rows.values()) == 1797
    assert result.leaks == ()
    assert manifest.parent is None


def test_planted_near_duplicates_stay_together_and_share_a_group(tmp_path: Path) -> None:
    x = make_pictures(200)
    shifted = np.where(x > 127, x - 2, x + 2).astype(np.uint8)
    write_npz(tmp_path / "d.npz", np.concatenate([x, shifted]), np.tile(np.arange(200) % 4, 2))
    objects = MemoryObjects()

    result = ingest(make_config(tmp_path / "d.npz"), make_platform(objects=objects))

    manifest = manifest_of(objects, result.version)
    for name in SPLITS:
        rows = load_split(objects, manifest, name)
        _, counts = np.unique(rows.groups, return_counts=True)
        assert set(counts.tolist()) == {2}


def test_pool_labels_are_hidden_from_everybody_but_the_oracle() -> None:
    objects = MemoryObjects()

    result = ingest(make_config(), make_platform(objects=objects))

    manifest = manifest_of(objects, result.version)
    pool = load_split(objects, manifest, "pool")
    assert set(pool.y.tolist()) == {-1}
    assert set(load_oracle(objects, manifest)) == set(pool.ids.tolist())
    assert set(load_oracle(objects, manifest).values()) == set(range(10))


def test_the_pool_leaves_out_rows_whose_label_was_bought() -> None:
    objects = MemoryObjects()
    manifest = manifest_of(objects, ingest(make_config(), make_platform(objects=objects)).version)
    pool = load_split(objects, manifest, "pool")
    bought = pool.take([0, 1, 2]).with_labels(np.array([1, 2, 3]))
    train = (*manifest.splits["train"], *write_rows(objects, bought))
    child = manifest.model_copy(update={"splits": {**manifest.splits, "train": train}})

    left = load_split(objects, child, "pool")

    assert left.ids.tolist() == pool.ids[3:].tolist()


def test_unlabelled_rows_of_the_source_have_no_hidden_label(tmp_path: Path) -> None:
    write_npz(tmp_path / "d.npz", make_pictures(300), np.arange(300) % 3 - 1)
    objects = MemoryObjects()

    result = ingest(make_config(tmp_path / "d.npz"), make_platform(objects=objects))

    manifest = manifest_of(objects, result.version)
    assert result.rows["pool"] == 140
    assert len(load_oracle(objects, manifest)) == 40


def test_a_long_tail_thins_train_only_and_remembers_what_it_left_out() -> None:
    objects = MemoryObjects()

    result = ingest(make_config(sampling={"long_tail": 10.0}), make_platform(objects=objects))

    manifest = manifest_of(objects, result.version)
    counts = np.bincount(load_split(objects, manifest, "train").y)
    assert counts[0] == pytest.approx(10 * counts[9], abs=5)
    assert result.rows["guide"] > 350
    assert result.kept_out == {"long_tail": len(load_quarantine(objects, manifest))}
    assert sum(result.rows.values()) + result.kept_out["long_tail"] == 1797


def test_labels_beyond_the_budget_move_to_the_pool() -> None:
    objects = MemoryObjects()

    result = ingest(make_config(sampling={"label_budget": 50}), make_platform(objects=objects))

    manifest = manifest_of(objects, result.version)
    assert result.rows["train"] == 50
    assert sum(result.rows.values()) == 1797
    assert len(load_oracle(objects, manifest)) == result.rows["pool"]


def test_rows_are_capped() -> None:
    result = ingest(make_config(sampling={"rows": 400}), make_platform())

    assert sum(result.rows.values()) == 400


def test_the_database_learns_every_row_once_with_its_place() -> None:
    objects, lineage = MemoryObjects(), MemoryLineage()

    result = ingest(make_config(), make_platform(objects=objects, lineage=lineage))

    bundle = lineage.bundles[0]
    assert bundle.version is not None
    assert (bundle.version.origin, bundle.version.parent) == ("root", None)
    samples = tuple(bundle.samples)
    assert len({row.id for row in samples}) == len(samples) == 1797
    assert {row.sample for row in bundle.members} == {row.id for row in samples}
    assert {row.manifest for row in bundle.members} == {result.version}
    for row in samples[::200]:
        assert SampleSet.decode(objects.get(row.shard)).ids[row.row] == row.id


def test_copies_and_contradicting_labels_are_reported(tmp_path: Path) -> None:
    x = make_pictures(300)
    write_npz(
        tmp_path / "d.npz",
        np.concatenate([x, x[:2]]),
        np.concatenate([np.arange(300) % 3, [0, 2]]),
    )

    result = ingest(make_config(tmp_path / "d.npz"), make_platform())

    assert result.duplicates == 2
    assert len(result.conflicts) == 1


def test_a_source_with_one_class_is_refused(tmp_path: Path) -> None:
    write_npz(tmp_path / "d.npz", make_pictures(60), np.zeros(60, np.int64))

    with pytest.raises(InputError, match="two or more"):
        ingest(make_config(tmp_path / "d.npz"), make_platform())


def test_rows_that_the_modality_cannot_use_are_refused(tmp_path: Path) -> None:
    write_npz(tmp_path / "d.npz", np.random.default_rng(0).random((60, 5)), np.arange(60) % 2)

    with pytest.raises(InputError, match="images must be uint8"):
        ingest(make_config(tmp_path / "d.npz"), make_platform())


def test_losing_the_race_for_the_root_is_a_conflict() -> None:
    class Overtaken(MemoryLineage):
        def commit_version(self, campaign: str, *args: Any, **options: Any) -> bool:
            raise ConflictError("somebody else committed another root")

    with pytest.raises(ConflictError):
        ingest(make_config(), make_platform(lineage=Overtaken()))


def test_shards_are_divided_by_rows_and_by_bytes_with_rows_in_order_of_id() -> None:
    objects = MemoryObjects()
    x = make_pictures(50)
    ids = np.array([f"{number:03d}" for number in range(50)])[::-1]
    rows = SampleSet(ids, x, np.zeros(50, np.int64), ids)

    refs = write_rows(objects, rows, rows_per_shard=20)

    assert [ref.rows for ref in refs] == [20, 20, 10]
    assert load_rows(objects, refs).ids.tolist() == sorted(ids.tolist())


def test_the_width_of_texts_does_not_change_the_address() -> None:
    objects = MemoryObjects()
    x, ids = make_pictures(2), np.array(["a", "b"])
    narrow = SampleSet(ids, x, np.zeros(2, np.int64), ids)
    wide = SampleSet(ids.astype("<U50"), x, np.zeros(2, np.int64), ids.astype("<U9"))

    assert write_rows(objects, narrow) == write_rows(objects, wide)


def test_an_empty_split_keeps_the_shape_of_a_row() -> None:
    objects = MemoryObjects()
    rows = SampleSet(
        np.zeros(0, "<U3"), make_pictures(0), np.zeros(0, np.int64), np.zeros(0, "<U3")
    )

    assert load_rows(objects, write_rows(objects, rows)).x.shape == (0, 8, 8, 1)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 9}, "`seed` changed"),
        ({"sampling": {"rows": 500}}, "`sampling` changed"),
        ({"splits": {"train": 0.1, "pool": 0.3}, "seed": 9}, "`splits`, `seed` changed"),
    ],
)
def test_a_change_that_splits_cannot_follow_is_told_with_the_way_out(
    changes: dict[str, Any], named: str
) -> None:
    platform = make_platform()
    first = ingest(make_config(), platform)

    edited = ingest(make_config(**changes), platform)
    again = ingest(make_config(**changes), platform)

    assert (first.notice, again.notice) == ("", "")
    assert edited.version == first.version
    assert edited.notice.startswith(named)
    assert "drawing splits anew is not possible for an existing campaign" in edited.notice
    assert "copy it under another name" in edited.notice


def test_a_change_of_anything_else_needs_no_notice() -> None:
    platform = make_platform()
    ingest(make_config(), platform)

    edited = ingest(make_config(selection={"labels": 7}, gate={"margin": 0.05}), platform)

    assert edited.notice == ""


def test_a_campaign_that_never_got_data_draws_its_splits_by_the_edited_file(
    tmp_path: Path,
) -> None:
    platform = make_platform()
    with pytest.raises(InputError):
        ingest(make_config(tmp_path / "missing.npz"), platform)

    result = ingest(make_config(seed=9), platform)

    assert result.created
    assert result.notice == ""


def test_a_refused_source_leaves_no_campaign_and_no_blob(tmp_path: Path) -> None:
    objects, lineage = MemoryObjects(), MemoryLineage()
    write_npz(tmp_path / "d.npz", make_pictures(60), np.arange(60) % 2 + 1)

    with pytest.raises(InputError, match="no labelled row") as caught:
        ingest(make_config(tmp_path / "d.npz"), make_platform(objects=objects, lineage=lineage))

    assert caught.value.reason == "empty_class"
    assert (lineage.records, objects.blobs) == ({}, {})


def test_refused_items_are_kept_with_the_version_and_attributes_with_the_rows(
    tmp_path: Path,
) -> None:
    x, y = make_pictures(300).astype(np.int32), np.arange(300) % 3
    x[5, 0, 0, 0] = 999
    write_npz(tmp_path / "d.npz", x, y, sex=np.array(["f", "m"])[np.arange(300) % 2])
    parameters = {"path": str(tmp_path / "d.npz"), "attributes": ["sex"]}
    config = make_config(source={"name": "npz", "parameters": parameters})
    objects = MemoryObjects()

    result = ingest(config, make_platform(objects=objects))

    manifest = manifest_of(objects, result.version)
    assert [(item.name, item.reason) for item in result.refused] == [("row 5", "bad_values")]
    assert tuple(load_refused(objects, manifest)) == result.refused
    assert sum(result.rows.values()) == 299
    for name in SPLITS:
        column = load_split(objects, manifest, name).columns["attribute.sex"]
        assert set(column.tolist()) <= {"f", "m"}
