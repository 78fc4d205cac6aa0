"""A recall that is interrupted, or that something overtakes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from activesynth.domain.effects import EffectKind
from activesynth.domain.records import IterationRef
from activesynth.errors import ConflictError
from activesynth.lineage.canonical import canonical_state
from activesynth.operations.collect import collect
from activesynth.operations.fsck import fsck
from activesynth.operations.recall import recall
from activesynth.steps.begin import begin
from activesynth.steps.loop import run
from activesynth.steps.train import train
from activesynth.steps.turn import open_turn
from collection_race import NO_TIME
from erasure_cases import CLINIC, grow
from recall_cases import (
    head_manifest,
    meant,
    synthetic_of,
    ward_platform,
)
from ward_fixtures import Ward, batch, take_back

FAR = datetime.max.replace(tzinfo=UTC)


class Interrupted(BaseException):
    """As a kill: nothing of ours catches it."""


@dataclass
class InterruptAt:
    """Ends the work before or after its n-th effect."""

    number: int
    moment: str
    seen: list[str] = field(default_factory=list)

    def before(self, kind: EffectKind, key: str) -> None:
        self.seen.append(key)
        self._act("before")

    def after(self, kind: EffectKind, key: str) -> None:
        self._act("after")

    def _act(self, moment: str) -> None:
        if (len(self.seen), self.moment) == (self.number, moment):
            raise Interrupted


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_interrupted_recall_shows_nothing_or_all_and_the_same_again_ends_as_undisturbed(
    ward: Ward, moment: str
) -> None:
    selection = batch(ward.platform, "annotator")
    undisturbed = recall(selection, "why", ward.platform, recalled_by="eve").version
    head = ward.platform.lineage.campaign(CLINIC).head
    before = canonical_state(ward.url, CLINIC)
    blobs = set(ward.platform.objects.digests())
    number, keys = 1, []
    while True:
        for digest in set(ward.platform.objects.digests()) - blobs:
            ward.platform.objects.delete(digest, before=FAR)  # as if nobody had tried before
        effects = InterruptAt(number, moment)
        with ward_platform(ward.url, ward.folder, effects) as platform:
            try:
                done = take_back(platform, selection, "why")
                break
            except Interrupted:
                keys.append(effects.seen[-1])
        if keys[-1].startswith("commit_recall") and moment == "after":
            assert platform_head(ward) == undisturbed
            blobs = set(ward.platform.objects.digests())
        else:
            assert platform_head(ward) == head
            assert canonical_state(ward.url, CLINIC) == before, keys[-1]
        number += 1

    assert len(keys) > 8
    assert any(key.startswith("commit_recall") for key in keys)
    assert done.is_done or ward.platform.reader.recalls(CLINIC)
    assert platform_head(ward) == undisturbed
    assert len(ward.platform.reader.recalls(CLINIC)) == 1
    assert fsck(ward.platform).is_clean
    for _ in range(2):
        collect(ward.platform, grace=NO_TIME, is_deleting=True)
    assert fsck(ward.platform).is_clean


def platform_head(ward: Ward) -> str | None:
    return ward.platform.lineage.campaign(CLINIC).head


@dataclass
class Meanwhile:
    """Does something once, at the first blob that is put."""

    act: Any
    is_done: bool = False

    def before(self, kind: EffectKind, key: str) -> None:
        if not self.is_done and kind == "blob.put":
            self.is_done = True
            self.act()

    def after(self, kind: EffectKind, key: str) -> None: ...


def test_an_iteration_that_opens_or_a_head_that_moves_meanwhile_refuses_the_recall(
    ward: Ward,
) -> None:
    selection = batch(ward.platform, "iteration")

    def attempt(act: Any) -> str:
        watch = Meanwhile(act)
        with (
            ward_platform(ward.url, ward.folder, watch) as platform,
            pytest.raises(ConflictError) as caught,
        ):
            take_back(platform, selection)
        assert watch.is_done
        return caught.value.reason

    assert attempt(lambda: grow(ward.platform, "2026-09-02", 570)) == "campaign_moved"
    ahead = head_manifest(ward.platform)
    assert attempt(lambda: begin("other", {"campaign": CLINIC}, ward.platform)) == "iteration_open"
    with pytest.raises(ConflictError, match="wait until it is committed") as caught:
        take_back(ward.platform, selection)

    assert caught.value.reason == "iteration_open"
    assert head_manifest(ward.platform) == ahead
    assert ward.platform.reader.recalls(CLINIC) == []


def test_an_iteration_that_was_given_up_starts_anew_from_the_version_without_the_batch(
    ward: Ward,
) -> None:
    selection = batch(ward.platform, "iteration")
    found = meant(ward.platform, selection)
    opened = begin("other", {"campaign": CLINIC}, ward.platform)
    train(opened, ward.platform)
    ward.platform.lineage.fail_iteration(IterationRef.parse(opened), "its run is dead")

    done = take_back(ward.platform, selection)
    (iteration,) = run(ward.platform, conf={"campaign": CLINIC}, run_key="other")

    turn = open_turn(iteration, ward.platform)
    assert turn.record.parent == done.version
    assert turn.step("train").facts["is_inherited"] is False
    head = head_manifest(ward.platform)
    assert not found.synthetic & synthetic_of(ward.platform, head)
