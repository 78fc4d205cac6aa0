"""Worlds with something planted, as an archive and a campaign file, for the loop to work on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from activesynth.config.campaign import CampaignConfig, parse_campaign, read_campaign
from activesynth.domain.canonical import Array, content_id
from benchmarks.planted.data import PARAMETERS, Pictures
from benchmarks.planted.looking import MILD
from benchmarks.planted.looks import ATTRIBUTE, negatives, planted_site, sites, upside_down

Sections = Mapping[str, Mapping[str, Any]]
CAMPAIGN = Path(__file__).parents[2] / "campaigns" / "digits.yaml"
PLANTED_AT = {"rotation": 0.5, "shadow": 0.8, "contrast": 1.0}
"""How harsh the world is: a model loses about 20 points, and hardly any once it was shown it.

Blur, noise and occlusion are left out: on pictures of 8 x 8 they hide what a model would need.
"""
FORGETFUL: Sections = {"training": {"real_share": 0.99}}
"""A training that leaves the copies out, to plant again what they closed."""
ACCEPTED: Mapping[str, Any] = {"margin": 0.05, "guarded": {"macro_f1": 0.05}}
"""A gate that lets a turn cost as much as makes a weakness: its few rows can show no less."""
WRONG_SHARE, RECHECKS = 0.6, 300
GROUP_SHARE, LABELLED, LABELS = 0.12, 100, 40
LONGER = PARAMETERS.model_copy(update={"steps": 400}).model_dump(mode="json")
"""A trainer that has time to learn what the loop adds."""
BLIND: Sections = {
    "selection": {"strategy": "random", "retrieve": 0.0},
    "plan": {"everywhere": 1.0},
}
"""What makes a campaign of the control: labels by chance, synthesis for all classes alike."""


@dataclass(frozen=True, slots=True)
class World:
    """Pictures with something planted, and what a campaign on them sets.

    ``weakness`` is the id that is right, or "" where ``planted`` ids of rows tell which cluster is.
    ``again`` is what the campaign sets anew to plant once more what was closed, if anything.
    """

    kind: str
    pictures: Pictures
    weakness: str
    sections: Sections
    planted: frozenset[str] = frozenset()
    again: Sections = field(default_factory=dict)
    attributes: Mapping[str, Array] = field(default_factory=dict)


def corrupted(pictures: Pictures, seed: int) -> World:
    """Try one corruption of the three, by seed, that no training picture shows."""
    name, severity = list(PLANTED_AT.items())[seed % len(PLANTED_AT)]
    sections: Sections = {
        "splits": _splits(train=0.3, guide=0.4, judge=0.1, gate=0.2),
        "diagnosis": {"corruptions": [name], "severities": [severity]},
        "plan": {"growth": 4.0, "corruption_share": 1.0, "kinds": ["corruption"]},
        "training": {"real_share": 0.5},
        "selection": {"labels": 0},
        "gate": ACCEPTED,
        "trainer": {"parameters": LONGER},
    }
    return World("corruption", pictures, f"corruption:{name}", sections, again=FORGETFUL)


def mislabelled(pictures: Pictures, seed: int) -> World:
    """Fold the classes to two and give train rows of one the other's label; rows are rechecked.

    A class is closed when its upper bound is under the margin, which takes 75 rows of it and no
    error on half of guide: more than one digit has, and a large guide leaves room for a few errors.
    Guide, judge and gate keep the true labels.
    """
    folded = replace(pictures, y=pictures.y % 2, classes=("even", "odd"))
    label = seed % 2
    noise = {"share": WRONG_SHARE, "classes": [folded.classes[label]]}
    sections: Sections = {
        "splits": _splits(train=0.35, guide=0.55, judge=0.05, gate=0.05),
        "diagnosis": {"severities": [MILD]},
        # Few enough that none is a digit: the class is planted, and not a part of it.
        "clusters": {"count": 4},
        # A generator that learnt from wrong labels is not what heals them.
        "plan": {"growth": 0.02},
        "sampling": {"label_noise": noise},
        # A label is doubted by the member that did not train on its fold, but on three of four.
        "trainer": {"parameters": LONGER | {"members": 4}},
        "selection": {"labels": 0, "recheck": RECHECKS},
    }
    return World("mislabelled class", folded, f"class:{label}", sections)


def clustered(pictures: Pictures, seed: int) -> World:
    """Turn some of the pictures into negatives, of which few have a label in train."""
    is_planted = np.random.default_rng([seed, 2]).random(len(pictures.y)) < GROUP_SHARE
    changed = negatives(pictures, is_planted)
    ids = frozenset(content_id(row) for row in changed.x[is_planted])
    return World("rare cluster", changed, "", _scarce(), ids)


def grouped(pictures: Pictures, seed: int) -> World:
    """Turn the pictures of one site upside down, of which few have a label in train."""
    site, is_planted = sites(len(pictures.y), seed, GROUP_SHARE)
    name = f"slice:{ATTRIBUTE}={planted_site(seed)}"
    changed = upside_down(pictures, is_planted)
    return World("attribute group", changed, name, _scarce(), attributes={ATTRIBUTE: site})


def campaign_on(world: World, name: str, seed: int, folder: Path, more: Sections) -> CampaignConfig:
    """Write the world's archive into ``folder`` and return a campaign on it.

    The gate and all that is not named here are those of ``campaigns/digits.yaml``.
    """
    path = folder / f"{name}.npz"
    arrays: dict[str, Any] = {
        "x": world.pictures.x,
        "y": world.pictures.y,
        "classes": np.array(world.pictures.classes),
        **world.attributes,
    }
    np.savez(path, **arrays)
    document: dict[str, Any] = read_campaign(CAMPAIGN).model_dump(mode="json")
    document["name"], document["seed"] = name, seed
    parameters = {"path": str(path), "attributes": list(world.attributes)}
    document["source"] = {"name": "npz", "parameters": parameters}
    for sections in (_small(), world.sections, more):
        for section, values in sections.items():
            document[section] = {**document[section], **values}
    return parse_campaign(document, "benchmark")


def _scarce() -> Sections:
    """Few labels and a large pool, so that a rare look is in train by a few rows only."""
    return {
        "splits": _splits(train=0.35, guide=0.4, judge=0.05, gate=0.2),
        "diagnosis": {"severities": [MILD]},
        "sampling": {"label_budget": LABELLED},
        "clusters": {"count": 8},
        "plan": {"growth": 1.0},
        "selection": {"labels": LABELS, "retrieve": 1.0},
        "gate": ACCEPTED,
    }


def _splits(*, train: float, guide: float, judge: float, gate: float) -> dict[str, float]:
    return {"train": train, "pool": 0.0, "guide": guide, "judge": judge, "gate": gate, "test": 0.0}


def _small() -> Sections:
    """Everything as small as the question allows; nothing of what diagnosis decides by."""
    trainer = PARAMETERS.model_copy(update={"steps": 200}).model_dump(mode="json")
    vae = {"steps": 200, "width": 32, "device": "cpu"}
    return {
        "trainer": {"name": "cnn", "parameters": trainer},
        "generator": {"name": "vae", "parameters": vae},
        "sampling": {"long_tail": 1.0, "label_budget": None},
        "selection": {"labels": 0, "review": 0, "retrieve": 0.0},
        "uncertainty": {"passes": 10},
        "plan": {"growth": 0.2, "oversample": 1.5, "shards": 1},
        "training": {"replicates": 1},
        "evaluation": {"resamples": 200},
        "loop": {"max_iterations": 10, "patience": 10},
        "refresh": {"schedule": None},
    }
