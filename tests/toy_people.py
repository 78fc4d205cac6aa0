"""People in the plane: patients with several rows each and an attribute, for tests of fairness."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from activesynth.config.campaign import CampaignConfig
from activesynth.domain.canonical import content_id
from activesynth.domain.exchange import SourceData
from activesynth.domain.platform import Platform
from activesynth.domain.registry import Row
from activesynth.domain.samples import SampleSet
from toy_plane import plane_config, plane_parts, plane_platform

ROWS, EACH = 480, 3
CLASSES = ("healthy", "ill")


class PeopleSource:
    """Patients of three rows; half of them are women, and of every tenth the sex is unknown."""

    def read(self) -> SourceData:
        generator = np.random.default_rng(8)
        patient = np.arange(ROWS) // EACH
        y = (patient % 2).astype(np.int64)
        x = (y[:, None] * 1.5 + generator.normal(size=(ROWS, 2))).astype(np.float32)
        ids = np.array([content_id(row) for row in x])
        sex = np.where(patient // 2 % 2 == 0, "F", "M")
        sex[patient % 10 == 9] = ""
        groups = np.array([f"patient {number:03d}" for number in patient])
        return SourceData(SampleSet(ids, x, y, groups, {"attribute.sex": sex}), CLASSES)


def people_config(**changes: Any) -> CampaignConfig:
    """Return a campaign on them that names the attribute and has no gate."""
    splits = {"train": 0.4, "pool": 0.0, "guide": 0.4, "judge": 0.2, "gate": 0.0, "test": 0.0}
    own: dict[str, Any] = {
        "name": "people",
        "source": {"name": "people"},
        "sampling": {},
        "splits": splits | {"near_duplicate": 0.0},
        "selection": {"strategy": "margin", "labels": 0},
        "evaluation": {
            "resamples": 100,
            "fairness": {"attribute": "sex", "favourable": "ill"},
        },
        "gate": {"enabled": False},
    }
    return plane_config(**(own | changes))


@contextmanager
def people_platform(database_url: str, folder: Path) -> Iterator[Platform]:
    """Open the toy platform with this source among its parts."""
    plane_parts().add("source", "people", Row(f"{__name__}:PeopleSource"))
    with plane_platform(database_url, folder) as opened:
        yield opened
