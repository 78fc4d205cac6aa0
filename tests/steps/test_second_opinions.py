"""A share of the questions is asked of a second person, and nothing waits for the answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from activesynth.config.campaign import CampaignConfig
from activesynth.domain.platform import Platform
from activesynth.domain.records import Annotation
from activesynth.errors import ConfigurationError, WaitingForPeople
from activesynth.operations.agreement import agreement
from activesynth.operations.ingest import ingest
from activesynth.steps.annotate import wants_second
from activesynth.steps.loop import run
from activesynth.steps.turn import open_turn
from lineage_rows import RowReader
from toy_plane import plane_config, plane_platform


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    with plane_platform(database_url, tmp_path) as opened:
        yield opened


def asking(share: float, **changes: Any) -> CampaignConfig:
    annotation = {"annotator": "people", "second_opinions": share}
    return plane_config(annotation=annotation, **changes)


def chosen(config: CampaignConfig, count: int = 2000) -> list[int]:
    return [n for n in range(count) if wants_second(config, f"plane:0:{n}")]


def opinion(item: int, who: str, label: int | None) -> dict[str, Any]:
    action = "reject" if label is None else "relabel"
    return {"item": f"i{item}", "annotator": who, "action": action, "label": label}


def test_the_share_is_kept_and_of_equal_seeds_the_same_are_chosen() -> None:
    tenth = chosen(asking(0.1))

    assert 150 < len(tenth) < 250
    assert chosen(asking(0.1)) == tenth
    assert chosen(asking(0.1, seed=1)) != tenth
    assert set(tenth) < set(chosen(asking(0.2)))
    assert chosen(asking(0.0)) == []
    assert len(chosen(asking(1.0))) == 2000
    with pytest.raises(ConfigurationError, match="second_opinions"):
        asking(1.5)


def test_a_run_waits_for_first_answers_only_and_uses_them_alone(platform: Platform) -> None:
    config = asking(0.5)
    ingest(config, platform)
    with pytest.raises(WaitingForPeople, match="13 answers"):
        run(platform, conf={"campaign": "plane"})
    items = platform.queue.next_items("plane", "ada", 20)
    for item in items:
        label = 1 if item.proposed is None else item.proposed
        platform.queue.answer(
            Annotation(item.id, item.sample, "relabel", label, "ada", item.version)
        )
    second = platform.queue.next_second("plane", "bob", 20)
    platform.queue.second_opinion(second[0].id, "bob", "reject", None)

    (iteration,) = run(platform, conf={"campaign": "plane"})

    assert [item.id for item in second] == [i.id for i in items if wants_second(config, i.id)]
    assert 0 < len(second) < 13
    assert open_turn(iteration, platform).step("annotate").facts["relabel"] == 13
    for item in second[1:]:
        label = 1 if item.proposed is None else item.proposed
        platform.queue.second_opinion(item.id, "bob", "relabel", label)
    everybody, pair = agreement("plane", platform)
    assert everybody["n"] == pair["n"] == len(second)
    assert pair["agreement"] == pytest.approx((len(second) - 1) / len(second))


def test_agreement_is_told_over_everybody_and_per_pair_with_what_is_undefined(
    platform: Platform,
) -> None:
    said: dict[str, list[int | None]] = {"ada": [0, 0, 1, 1, None], "bob": [0, 1, 1, 1, None]}
    rows = [opinion(n, who, label) for who in ("ada", "bob") for n, label in enumerate(said[who])]
    rows += [opinion(n, who, 2) for n in (7, 8) for who in ("ada", "cleo")]
    reader: Any = RowReader(opinion_rows=rows)

    everybody, ada_bob, ada_cleo = agreement("plane", replace(platform, reader=reader))

    assert (everybody["between"], everybody["n"]) == ("everybody", 7)
    assert everybody["agreement"] == pytest.approx(6 / 7)
    assert everybody["low"] < 6 / 7 < everybody["high"]
    assert everybody["alpha"] == pytest.approx(1 - 13 * 2 / (196 - 3**2 - 5**2 - 2**2 - 4**2))
    assert (ada_bob["between"], ada_bob["n"]) == ("ada, bob", 5)
    assert ada_bob["kappa"] == pytest.approx((4 / 5 - 9 / 25) / (1 - 9 / 25))
    assert ada_bob["undefined"] == ""
    assert (ada_cleo["between"], ada_cleo["n"], ada_cleo["kappa"]) == ("ada, cleo", 2, None)
    assert ada_cleo["undefined"].startswith("kappa: both gave one and the same answer")
