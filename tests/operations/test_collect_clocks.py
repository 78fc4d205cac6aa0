"""Collectors whose clock is wrong, or is set back while they work, remove nothing too late."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from activesynth.domain.platform import Platform
from activesynth.errors import PlatformStateError, TransientError
from activesynth.operations import collect as collection
from activesynth.operations.collect import collect
from activesynth.operations.ingest import ingest
from false_clocks import Apart
from toy_plane import plane_config, plane_platform

NO_TIME = timedelta()


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    with plane_platform(database_url, tmp_path) as platform:
        ingest(plane_config(), platform)
        platform.objects.put(b"nobody needs this")
        platform.lineage.release()
        yield platform


@pytest.mark.parametrize(("hours", "how"), [(26, "1560 minutes ahead"), (-3, "180 minutes behind")])
def test_a_wrong_clock_removes_nothing_and_is_named(
    platform: Platform, hours: int, how: str
) -> None:
    there = set(platform.objects.digests())
    wrong = replace(platform, clock=Apart(timedelta(hours=hours)))
    collect(platform, grace=NO_TIME, is_deleting=True)

    with pytest.raises(PlatformStateError, match=f"{how} of the database's") as caught:
        collect(wrong, grace=NO_TIME, is_deleting=True)

    assert caught.value.reason == "clock_wrong"
    assert set(platform.objects.digests()) == there
    assert collect(wrong, grace=NO_TIME).due.blobs == 1  # a dry run only tells


def test_a_removal_is_too_late_also_where_the_clock_was_set_back_meanwhile(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = set(platform.objects.digests())
    collect(platform, grace=NO_TIME, is_deleting=True)
    # An hour passes between condemnation and removal, and the clock is set back by an hour.
    uptimes = iter((0.0, 3600.0))
    monkeypatch.setattr(collection, "_uptime", lambda: next(uptimes))

    with pytest.raises(TransientError, match="came too late") as caught:
        collect(platform, grace=NO_TIME, is_deleting=True, readers=1)

    assert caught.value.reason == "late_removal"
    assert set(platform.objects.digests()) == there
