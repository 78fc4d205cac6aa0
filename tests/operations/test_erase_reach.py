"""How far an erasure goes: what it must not take from others, and what it must not miss."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from activesynth.config.corpus import CorpusConfig, parse_corpus
from activesynth.domain.documents import ModelCard
from activesynth.operations.erase import erase
from activesynth.operations.fsck import fsck
from activesynth.operations.ingest import ingest
from activesynth.operations.person import is_telling
from activesynth.operations.train_generator import train_generator
from activesynth.steps.loop import run
from clinic_fixtures import Clinic
from erasure_cases import CLINIC, by_group, clinic_config, patients_in


def corpus(**changes: Any) -> CorpusConfig:
    document = {
        "name": "clouds",
        "licence": "CC0-1.0",
        "modality": "clinic",
        "source": {"name": "clinic"},
        "generator": {"name": "plane"},
        "near_duplicate": 0.0,
    }
    return parse_corpus(document | changes, "test")


def test_a_blank_row_is_no_trace_of_anybody() -> None:
    """Zeros stand in every bias, so they would remove all weights there are."""
    rows = np.zeros((3, 28, 28), np.float32)
    rows[1] = np.linspace(0, 1, 28)
    bias = np.zeros(1000, np.float32).tobytes()

    blank, drawn, _ = (row.tobytes() for row in rows)

    assert blank in bias
    assert not is_telling(blank)
    assert is_telling(drawn)
    assert not is_telling(drawn[:60])


def test_a_generator_of_all_campaigns_is_judged_by_its_own_corpus(clinic: Clinic) -> None:
    """It is linked as the campaign's generator, and has not learnt from the campaign's train."""
    platform = clinic.platform
    apart = train_generator(corpus(source={"name": "plane", "parameters": {"rows": 300}}), platform)
    named = {"generator": {"name": "plane", "artifact": "clouds"}}
    ingest(clinic_config(name="named", **named), platform)
    run(platform, conf={"campaign": "named", "iterations": 1})
    group = patients_in(platform, "train")[0]
    card = ModelCard.decode(platform.objects.get(apart.card))

    both = replace(by_group(group, with_descendants=True), campaigns=(CLINIC, "named"))
    done = erase(both, platform, is_deleting=True).certificate

    assert done["erased"]["kinds"]["weights"] > 5
    assert platform.objects.has(card.tensors)
    assert apart.card not in {entry["name"] for entry in done["remains"]}
    run(platform, conf={"campaign": "named", "iterations": 1})
    assert fsck(platform).is_clean
