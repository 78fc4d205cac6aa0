"""Refresh: what is new enters once, what resembles guarded rows stays out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from activesynth.config.campaign import CampaignConfig, Part, parse_campaign
from activesynth.domain.canonical import Array, content_id
from activesynth.domain.dataset_access import load_oracle, load_refused, load_split
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.platform import Platform
from activesynth.errors import ConfigurationError, ConflictError, InputError
from activesynth.operations.ingest import ingest
from activesynth.operations.refresh import refresh
from fakes import MemoryLineage, MemoryObjects, make_pictures, make_platform, write_npz

X = make_pictures(420)
Y = np.arange(420) % 3


class Campaign:
    """A source that grows, and the platform that follows it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "data.npz"
        self.objects = MemoryObjects()
        self.lineage = MemoryLineage()
        self.platform: Platform = make_platform(objects=self.objects, lineage=self.lineage)
        self.offer(X[:400], Y[:400])

    def offer(self, x: Array, y: Array, **others: Array) -> None:
        write_npz(self.path, x, y, **others)

    def config(self, **sections: Any) -> CampaignConfig:
        source = {"name": "npz", "parameters": {"path": str(self.path)}}
        document = {"name": "toy", "source": source, **sections}
        document.setdefault("refresh", {"triggers_iteration": True})
        return parse_campaign(document, "test")

    def head(self) -> DatasetManifest:
        digest = self.lineage.campaign("toy").head
        assert digest is not None
        return DatasetManifest.decode(self.objects.get(digest))

    def ids(self, split: str) -> set[str]:
        return set(load_split(self.objects, self.head(), split).ids.tolist())


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    campaign = Campaign(tmp_path)
    ingest(campaign.config(), campaign.platform)
    return campaign


def test_an_unchanged_source_makes_no_version(campaign: Campaign) -> None:
    before = campaign.lineage.campaign("toy").head

    result = refresh("toy", "2026-09-01", campaign.platform)

    assert (result.created, result.version) == (False, before)
    assert result.run_key is None
    assert result.known == 400
    assert len(campaign.lineage.bundles) == 1


def test_new_rows_enter_train_or_pool_and_nothing_else_moves(campaign: Campaign) -> None:
    root = campaign.head()
    y = Y.copy()
    y[410:] = -1
    campaign.offer(X, y)

    result = refresh("toy", "2026-09-01", campaign.platform)

    head = campaign.head()
    assert result.created
    assert result.added == {"train": 10, "pool": 10}
    assert head.parent == root.digest
    assert campaign.ids("train") >= {content_id(row) for row in X[400:410]}
    assert campaign.ids("pool") >= {content_id(row) for row in X[410:]}
    for split in ("guide", "judge", "gate", "test"):
        assert head.splits[split] == root.splits[split]


def test_a_refresh_is_repeatable_per_logical_date(campaign: Campaign) -> None:
    campaign.offer(X, Y)
    first = refresh("toy", "2026-09-01", campaign.platform)

    second = refresh("toy", "2026-09-01", campaign.platform)
    next_day = refresh("toy", "2026-09-02", campaign.platform)

    assert (second.created, second.version) == (False, first.version)
    assert first.run_key == second.run_key == "toy__refresh_2026-09-01"
    assert next_day.run_key is None
    assert len(campaign.lineage.bundles) == 2


def test_no_run_is_due_where_the_campaign_asks_for_none(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path)
    ingest(campaign.config(refresh={}), campaign.platform)
    campaign.offer(X, Y)

    result = refresh("toy", "2026-09-01", campaign.platform)

    assert result.created
    assert not result.should_trigger


@pytest.mark.parametrize("split", ["guide", "judge", "gate", "test"])
def test_near_duplicates_of_guarded_rows_are_quarantined(campaign: Campaign, split: str) -> None:
    guarded = load_split(campaign.objects, campaign.head(), split).x[:3]
    copies = np.where(guarded > 127, guarded - 2, guarded + 2).astype(np.uint8)
    campaign.offer(np.concatenate([X[:405], copies]), np.r_[Y[:405], 0, 1, 2])

    result = refresh("toy", "2026-09-01", campaign.platform)

    assert result.quarantined == 3
    assert result.added == {"train": 5, "pool": 0}
    assert not campaign.ids("train") & {content_id(row) for row in copies}
    assert refresh("toy", "2026-09-02", campaign.platform).known == 408


def test_a_near_duplicate_of_a_train_row_may_enter(campaign: Campaign) -> None:
    row = load_split(campaign.objects, campaign.head(), "train").x[:1]
    copy = np.where(row > 127, row - 2, row + 2).astype(np.uint8)
    campaign.offer(np.concatenate([X[:400], copy]), np.r_[Y[:400], 0])

    result = refresh("toy", "2026-09-01", campaign.platform)

    assert (result.quarantined, result.added["train"]) == (0, 1)


def test_rows_of_a_guarded_group_are_quarantined_with_their_relatives(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path)
    groups = np.array([f"patient{number // 4}" for number in range(420)])
    campaign.offer(X[:400], Y[:400], groups=groups[:400])
    ingest(campaign.config(), campaign.platform)
    gate = load_split(campaign.objects, campaign.head(), "gate").groups[0]
    groups[400:] = ["new1"] * 10 + [gate] * 5 + ["new2"] * 5
    relative = np.where(X[414] > 127, X[414] - 2, X[414] + 2).astype(np.uint8)
    x = X.copy()
    x[419] = relative
    campaign.offer(x, Y, groups=groups)

    result = refresh("toy", "2026-09-01", campaign.platform)

    assert result.quarantined == 10
    assert result.added == {"train": 10, "pool": 0}


def test_under_a_label_budget_new_labels_are_hidden(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path)
    ingest(campaign.config(sampling={"label_budget": 30}), campaign.platform)
    campaign.offer(X, Y)

    result = refresh("toy", "2026-09-01", campaign.platform)

    assert result.added == {"train": 0, "pool": 20}
    assert set(load_oracle(campaign.objects, campaign.head())) == campaign.ids("pool")


def test_rows_left_out_by_a_long_tail_do_not_come_back(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path)
    ingest(campaign.config(sampling={"long_tail": 8.0}), campaign.platform)

    result = refresh("toy", "2026-09-01", campaign.platform)

    assert (result.created, result.known) == (False, 400)


def test_a_pool_row_that_got_its_label_enters_train(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path)
    y = Y[:400].copy()
    y[:60] = -1
    campaign.offer(X[:400], y)
    ingest(campaign.config(), campaign.platform)
    y[:2] = Y[:2]
    campaign.offer(X[:400], y)

    result = refresh("toy", "2026-09-01", campaign.platform)

    answered = {content_id(row) for row in X[:2]}
    assert result.added == {"train": 2, "pool": 0}
    assert campaign.ids("train") >= answered
    assert not campaign.ids("pool") & answered
    assert not refresh("toy", "2026-09-02", campaign.platform).created


def test_changed_labels_of_train_rows_are_counted_and_left_alone(campaign: Campaign) -> None:
    campaign.offer(X[:400], (Y[:400] + 1) % 3)

    result = refresh("toy", "2026-09-01", campaign.platform)

    assert result.relabelled == len(campaign.ids("train"))
    assert not result.created


def test_labels_keep_their_number_when_a_class_is_absent(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path)
    names = np.array(["ant", "bee", "cow"])
    campaign.offer(X[:400], names[Y[:400]])
    ingest(campaign.config(), campaign.platform)
    campaign.offer(X[400:404], np.array(["bee", "cow", "bee", "cow"]))

    refresh("toy", "2026-09-01", campaign.platform)

    train = load_split(campaign.objects, campaign.head(), "train")
    known = dict(zip(train.ids.tolist(), train.y.tolist(), strict=True))
    assert [known[content_id(row)] for row in X[400:404]] == [1, 2, 1, 2]


def test_an_unknown_class_is_refused(campaign: Campaign) -> None:
    campaign.offer(X, np.r_[Y[:400], np.full(20, 3)])

    with pytest.raises(InputError, match=r"classes \['3'\] are new") as caught:
        refresh("toy", "2026-09-01", campaign.platform)

    assert caught.value.reason == "new_class"


def test_rows_that_look_different_are_refused_as_drift(campaign: Campaign) -> None:
    dark = make_pictures(200, seed=9) // 4
    campaign.offer(np.concatenate([X[:400], dark]), np.r_[Y[:400], np.arange(200) % 3])

    with pytest.raises(InputError, match="max_drift") as caught:
        refresh("toy", "2026-09-01", campaign.platform)

    assert caught.value.reason == "drift"
    assert len(campaign.lineage.bundles) == 1


def test_other_class_shares_are_refused_as_drift(campaign: Campaign) -> None:
    campaign.offer(
        np.concatenate([X[:400], make_pictures(200, seed=9)]), np.r_[Y[:400], np.zeros(200, int)]
    )

    with pytest.raises(InputError, match="classes 0") as caught:
        refresh("toy", "2026-09-01", campaign.platform)

    assert caught.value.reason == "drift"


def test_more_of_the_same_is_no_drift(campaign: Campaign) -> None:
    campaign.offer(
        np.concatenate([X[:400], make_pictures(300, seed=9)]), np.r_[Y[:400], np.arange(300) % 3]
    )

    result = refresh("toy", "2026-09-01", campaign.platform)

    assert result.drift.largest == pytest.approx(0.0, abs=0.02)
    assert result.added["train"] == 300


def test_members_of_the_new_version_are_complete(campaign: Campaign) -> None:
    campaign.offer(X, Y)

    refresh("toy", "2026-09-01", campaign.platform)

    bundle = campaign.lineage.bundles[1]
    assert bundle.version is not None
    assert bundle.version.origin == "refresh"
    assert len(tuple(bundle.samples)) == 20
    members = [row.sample for row in bundle.members]
    assert len(set(members)) == len(members) == 420
    assert [event.kind for event in bundle.events] == ["dataset_refreshed"]


def test_a_head_that_moved_meanwhile_is_a_conflict(campaign: Campaign) -> None:
    campaign.offer(X, Y)
    stale = campaign.lineage.campaign("toy")
    refresh("toy", "2026-09-01", campaign.platform)
    campaign.lineage.campaign = lambda name: stale  # type: ignore[method-assign]

    with pytest.raises(ConflictError, match="the head is"):
        refresh("toy", "2026-09-02", campaign.platform)


def test_a_campaign_without_data_is_named(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path)
    campaign.lineage.register_campaign("toy", campaign.config().model_dump(mode="json"))

    with pytest.raises(ConfigurationError, match="ingest it"):
        refresh("toy", "2026-09-01", campaign.platform)


@pytest.mark.parametrize("date", ["", "2026/09/01", "x" * 65, "a b"])
def test_a_date_that_fits_no_run_id_is_refused(campaign: Campaign, date: str) -> None:
    with pytest.raises(ConfigurationError, match="logical date"):
        refresh("toy", date, campaign.platform)


def test_refused_items_and_attributes_go_through_a_refresh(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path)
    sex = np.array(["f", "m"])[np.arange(420) % 2]
    parameters = {"path": str(campaign.path), "attributes": ["sex"]}
    config = campaign.config().model_copy(
        update={"source": Part(name="npz", parameters=parameters)}
    )
    x = X.astype(np.int32)
    x[3, 0, 0, 0] = x[405, 0, 0, 0] = 999
    campaign.offer(x[:400], Y[:400], sex=sex[:400])
    ingest(config, campaign.platform)
    campaign.offer(x, Y, sex=sex)

    result = refresh("toy", "2026-09-01", campaign.platform)
    again = refresh("toy", "2026-09-02", campaign.platform)

    assert [item.name for item in result.refused] == ["row 3", "row 405"]
    assert again.version == result.version
    kept = [item.name for item in load_refused(campaign.objects, campaign.head())]
    assert kept == ["row 3", "row 405"]
    train = load_split(campaign.objects, campaign.head(), "train")
    assert set(train.columns["attribute.sex"].tolist()) == {"f", "m"}
    assert len(train) > 19
