"""A few samples of what a plan would make for a weakness, before anything is started or kept."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from activesynth.config.proposal import PreviewRequest
from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_split
from activesynth.domain.documents import Plan, PlanItem, WeaknessProfile
from activesynth.domain.platform import Platform
from activesynth.domain.records import IterationRef
from activesynth.errors import ConfigurationError, InputError
from activesynth.steps.generate import make_rows
from activesynth.steps.steering import steer
from activesynth.steps.turn import Turn, open_turn
from activesynth.targeting.requests import expand

SHOWN_VALUES = 2000


@dataclass(frozen=True, slots=True)
class Preview:
    """Samples that were made for a weakness and kept nowhere.

    Attributes:
        iteration: The committed iteration whose generator made them.
        weakness: Its id.
        title: In words.
        labels: Names of the classes that they were made as, one each.
        pixels: Pictures ``(n, height, width, 3)`` uint8, or None for other kinds of data.
        values: Each sample's values as text, where there are no pictures.
        seconds: What making them took, after everything was read.
    """

    iteration: int
    weakness: str
    title: str
    labels: tuple[str, ...]
    pixels: Array | None
    values: tuple[str, ...]
    seconds: float


def preview(campaign: str, request: PreviewRequest, platform: Platform) -> Preview:
    """Make a few samples with the generator of the newest committed iteration; write nothing.

    They are what its step `generate` would make for the weakness, with other seeds.

    Raises:
        ConfigurationError: If nothing was committed yet, or its diagnosis lists no such weakness.
        InputError: If no train row has the class, so that no generator could have learnt it.
        MissingArtifactError: If the generator or the rows are not in the store any more.
    """
    turn = _last_turn(campaign, platform)
    diagnosed = turn.step("diagnose").artifacts["profile"]
    profile = turn.artifacts.document(diagnosed, WeaknessProfile)
    name = request.weakness
    found = next((w for w in profile.weaknesses if w.id in (name, f"declared:{name}")), None)
    if found is None:
        there = ", ".join(weakness.id for weakness in profile.weaknesses) or "none"
        raise ConfigurationError(
            f"iteration {turn.ref.number} of campaign {campaign!r} lists no weakness {name!r}; "
            f"there are: {there}.",
            reason="unknown_weakness",
            field="weakness",
        )
    real = load_split(platform.objects, turn.manifest, "train")
    item = PlanItem(weakness=found.id, count=request.rows, expected_gain=0.0, evidence="")
    order = expand(
        Plan(budget=request.rows, labels=0, is_uniform=False, items=(item,)),
        profile,
        classes=turn.classes,
        oversample=1.0,
        train_counts=np.bincount(real.y, minlength=turn.classes),
        seed=turn.seed("preview"),
    )
    if not len(order):
        raise InputError(
            f"no train row of campaign {campaign!r} has the class of {found.id!r}, so no generator "
            "could learn it; label one first.",
            reason="empty_class",
            field="weakness",
        )
    steering = steer(turn, turn.step("train").artifacts["model"], real)
    generator = turn.step("fit_generator").artifacts["generator"]
    started = time.perf_counter()
    made = make_rows(turn, order, "preview", 0, 1, generator, steering)
    seconds = time.perf_counter() - started
    pixels = turn.modality.as_pixels(made.x)
    return Preview(
        iteration=turn.ref.number,
        weakness=found.id,
        title=found.title,
        labels=tuple(turn.manifest.classes[label] for label in made.y.tolist()),
        pixels=pixels,
        values=() if pixels is not None else tuple(map(_text, made.x)),
        seconds=seconds,
    )


def _last_turn(campaign: str, platform: Platform) -> Turn:
    """Return the newest committed iteration as its own steps saw it."""
    platform.lineage.campaign(campaign)
    rows = platform.reader.iterations(campaign)
    if not rows:
        raise ConfigurationError(
            f"campaign {campaign!r} has committed no iteration yet, so there is no generator to "
            f"preview with; run one, as with `activesynth run {campaign}`.",
            reason="no_iteration",
            field="campaign",
        )
    last = rows[-1]
    ref = IterationRef(campaign, int(last["iteration"]), int(last["fence"]))
    return open_turn(str(ref), platform)


def _text(row: Array) -> str:
    """Return the values of a row, cut to 2,000 characters."""
    text = np.array2string(np.asarray(row), precision=4, separator=", ", threshold=200)
    return " ".join(text.split())[:SHOWN_VALUES]
