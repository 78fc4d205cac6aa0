"""The audits that look at features: is synthetic data like real data, and is it a copy of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_split, load_synthetic
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.records import MetricRow
from activesynth.domain.samples import SampleSet
from activesynth.evaluation.estimable import NotEstimable
from activesynth.evaluation.feature_audits import (
    Featured,
    fidelity_rows,
    main_directions,
    memorisation_rows,
    not_estimable_row,
    same_mixture,
)
from activesynth.evaluation.memorisation import membership_by_loss
from activesynth.evaluation.overfitting import row_losses
from activesynth.steps.embed import embed_rows
from activesynth.steps.screen import embedded_encoder
from activesynth.steps.served import SERVED, served_model
from activesynth.steps.turn import Turn

BRANCHES = ("targeted", "random")
INVENTED = "synthetic:"
"""Groups of invented rows begin so; a copy of a real row has that row's group."""


def audit_fidelity(turn: Turn) -> list[MetricRow]:
    """Compare the invented rows of both branches with guide."""
    seed, limit = turn.campaign_seed("audit"), turn.config.audits.rows
    guide, train, directions = _real(turn)
    real, trained = (side.some(limit, seed).along(directions) for side in (guide, train))

    def score(arm: str, synthetic: Featured) -> list[MetricRow]:
        return fidelity_rows(
            arm, real, trained, synthetic.some(limit, seed).along(directions), seed=seed
        )

    return _each_branch(turn, score)


def audit_memorisation(turn: Turn) -> list[MetricRow]:
    """Hold the invented rows of both branches, and the models, against what they learnt from."""
    seed, limit = turn.campaign_seed("audit"), turn.config.audits.rows
    guide, train, directions = _real(turn)
    held_out, trained = guide.along(directions), train.along(directions)

    def score(arm: str, synthetic: Featured) -> list[MetricRow]:
        return memorisation_rows(
            arm, held_out, trained, synthetic.along(directions), limit=limit, seed=seed
        )

    return _each_branch(turn, score) + [_membership(turn, arm) for arm in turn.config.audits.arms]


def featured(turn: Turn, rows: SampleSet) -> Featured:
    """Embed rows by the campaign's frozen encoder."""
    width = turn.artifacts.arrays(turn.step("embed").artifacts["codebook"])["centroids"].shape[1]
    vectors = embed_rows(turn, turn.state(embedded_encoder(turn)), rows.x, width)
    return Featured(vectors, rows.y, rows.groups)


def featured_guide(turn: Turn) -> Featured:
    """Return guide as `embed` wrote it."""
    return _embedded(turn, "guide")


def _real(turn: Turn) -> tuple[Featured, Featured, Array]:
    """Return guide, train, and the directions that hold most of guide, which never change."""
    guide, train = featured_guide(turn), _embedded(turn, "train")
    return guide, train, main_directions(guide.vectors, turn.config.audits.dimensions)


def _embedded(turn: Turn, split: str) -> Featured:
    vectors = turn.artifacts.arrays(turn.step("embed").artifacts[split])["vectors"]
    rows = load_split(turn.platform.objects, turn.manifest, split)
    return Featured(vectors, rows.y, rows.groups)


def _each_branch(turn: Turn, score: Callable[[str, Featured], list[MetricRow]]) -> list[MetricRow]:
    rows: list[MetricRow] = []
    for arm in BRANCHES:
        manifest = turn.artifacts.document(turn.step("integrate").artifacts[arm], DatasetManifest)
        branch = load_synthetic(turn.platform.objects, manifest)
        if branch is None:
            continue
        # Corrupted copies lie near one real row and off the data on purpose.
        invented = np.flatnonzero(np.char.startswith(branch.groups, INVENTED))
        if len(invented):
            rows += score(arm, featured(turn, branch.take(invented)))
    return rows


def _membership(turn: Turn, arm: str) -> MetricRow:
    """Score how well the served model's loss tells its train rows from guide."""
    objects = turn.platform.objects
    digest = turn.step("integrate").artifacts[arm]
    train = load_split(objects, turn.artifacts.document(digest, DatasetManifest), "train")
    guide = load_split(objects, turn.manifest, "guide")
    predictor = turn.predictor(served_model(turn, arm))
    chosen = same_mixture(
        train.y,
        guide.y,
        limit=turn.config.audits.rows,
        seed=turn.campaign_seed("audit"),
    )
    sides = [rows.take(places) for rows, places in zip((train, guide), chosen, strict=True)]
    if not len(sides[0]):
        missing = NotEstimable("membership inference", 0, 10)
        return not_estimable_row(arm, "guide", "membership", "membership_by_loss", missing, SERVED)
    member, other = (row_losses(s.y, predictor.predict_proba(s.x)[None]) for s in sides)
    found = membership_by_loss(
        member, other, member_groups=sides[0].groups, held_out_groups=sides[1].groups
    )
    if isinstance(found, NotEstimable):
        return not_estimable_row(arm, "guide", "membership", "membership_by_loss", found, SERVED)
    return MetricRow(
        arm,
        "guide",
        "membership",
        "membership_by_loss",
        found.value,
        found.low,
        found.high,
        found.n,
        SERVED,
    )
