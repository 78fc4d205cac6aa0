"""What is measured, one function each: steps of the loop, and core functions on arrays alone.

Each is given an open platform, the folder of the run and the number of rows, prepares, and returns
the work to be measured; that returns a note.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import write_rows
from activesynth.domain.dataset_rows import member_rows, real_rows
from activesynth.domain.documents import SPLITS, DatasetManifest
from activesynth.domain.exchange import SelectionContext
from activesynth.domain.platform import Platform
from activesynth.domain.records import Bundle, VersionRow
from activesynth.domain.samples import SampleSet
from activesynth.index.faiss_index import FaissIndex
from activesynth.operations.fsck import fsck
from activesynth.operations.ingest import ingest
from activesynth.steps import generate as generation
from activesynth.steps import retrain as retraining
from activesynth.steps.annotate import annotate
from activesynth.steps.begin import begin
from activesynth.steps.diagnose import diagnose
from activesynth.steps.embed import embed
from activesynth.steps.evaluate import evaluate
from activesynth.steps.fit_generator import fit_generator
from activesynth.steps.integrate import integrate
from activesynth.steps.plan import plan
from activesynth.steps.promote import promote
from activesynth.steps.screen import screen
from activesynth.steps.select import select
from activesynth.steps.train import train
from activesynth.targeting.screening import calibrate
from activesynth.targeting.screening import screen as apply_limits
from activesynth.targeting.strategies import Badge
from benchmarks.scale.campaign import NAME, campaign
from benchmarks.scale.pictures import CLASSES, pictures, vectors

Work = Callable[[], str]
Stage = Callable[[Platform, Path, int], Work]
ITERATION = f"{NAME}:0:1"
CLUSTERS, LABELS = 16, 40
_STEPS: dict[str, Callable[[str, Platform], object]] = {
    "train": train,
    "embed": embed,
    "fit_generator": fit_generator,
    "diagnose": diagnose,
    "plan": plan,
    "screen": screen,
    "select": select,
    "annotate": annotate,
    "integrate": integrate,
    "evaluate": evaluate,
    "promote": promote,
}


def _ingest(platform: Platform, folder: Path, rows: int) -> Work:
    config = campaign(folder / "source.npz", rows)
    platform.parts.create("trainer", config.trainer.name, config.trainer.parameters)

    def work() -> str:
        found = ingest(config, platform)
        return f"{sum(found.rows.values())} rows in splits, {len(found.leaks)} leaks"

    return work


def _step(name: str) -> Stage:
    def prepare(platform: Platform, folder: Path, rows: int) -> Work:
        if name == "train":
            begin(f"{NAME}__it0", {"campaign": NAME}, platform)

        def work() -> str:
            _STEPS[name](ITERATION, platform)
            return "step"

        return work

    return prepare


def _mapped(name: str, parts: tuple[int, ...]) -> Stage:
    """Work through some parts of a mapped step, one after the other."""

    def prepare(platform: Platform, folder: Path, rows: int) -> Work:
        def work() -> str:
            for part in parts:
                if name == "generate":
                    generation.generate(ITERATION, part, platform)
                else:
                    arm = retraining.arms(ITERATION, platform)[part]
                    retraining.retrain(ITERATION, arm, platform)
            return f"parts {', '.join(map(str, parts))}"

        return work

    return prepare


def _index(flat_rows: int, ivf_rows: int) -> Stage:
    def prepare(platform: Platform, folder: Path, rows: int) -> Work:
        points = vectors(rows)
        index = FaissIndex(flat_rows=flat_rows, ivf_rows=ivf_rows)

        def work() -> str:
            built = index.build(points)
            each = len(built) / rows
            index.search(built, points[:100], 10)
            return f"{each:.0f} bytes a vector of {points.shape[1]} numbers; 100 queries included"

        return work

    return prepare


def _cluster(platform: Platform, folder: Path, rows: int) -> Work:
    points = vectors(rows)

    def work() -> str:
        centroids = platform.index.codebook(points, CLUSTERS, seed=0)
        platform.index.assign(centroids, points)
        return f"{CLUSTERS} clusters of {rows} x {points.shape[1]}, and every row assigned"

    return work


def _screening(platform: Platform, folder: Path, rows: int) -> Work:
    real, guide, asked = vectors(rows), vectors(rows // 25, seed=1), vectors(rows // 5, seed=2)
    rng = np.random.default_rng(0)
    index = platform.index.build(real)

    def nearest(points: Array, count: int) -> Array:
        return np.sqrt(platform.index.search(index, points, count)[0])

    def work() -> str:
        limits = calibrate(
            real_embeddings=real,
            guide_embeddings=guide,
            guide_confidence=rng.random(len(guide)),
            guide_entropy=rng.random(len(guide)),
            verifier_accuracy=0.9,
            generator_agreement=0.8,
            classes=CLASSES,
            realism_quantile=0.99,
            confidence_quantile=0.01,
            min_label_probability=0.15,
            duplicate_quantile=0.005,
            easy_quantile=0.05,
            nearest=nearest,
        )
        accepted, _ = apply_limits(
            limits,
            distances=nearest(asked, 1)[:, 0],
            confidence=rng.random(len(asked)),
            entropy=rng.random(len(asked)),
            label_probability=rng.random(len(asked)),
        )
        return (
            f"core, on arrays, index as it is built in `embed`: {len(asked)} candidates, "
            f"{int(accepted.sum())} accepted; limits {limits.duplicate_distance:.4f} and "
            f"{limits.max_distance:.4f}"
        )

    return work


def _selection(platform: Platform, folder: Path, rows: int) -> Work:
    rng = np.random.default_rng(0)
    draws = rng.dirichlet(np.ones(CLASSES), size=(4, rows))
    context = SelectionContext(
        draws.mean(axis=0), draws, vectors(rows), vectors(CLUSTERS), vectors(100, seed=1)
    )

    def work() -> str:
        chosen = Badge().select(context, LABELS, seed=0)
        return f"core, on arrays: {len(chosen)} rows by BADGE"

    return work


def _commit(platform: Platform, folder: Path, rows: int) -> Work:
    """Write all rows as shards and commit them as the root of another campaign."""
    x, y, groups = pictures(rows, seed=1)
    ids = np.char.add("made-", np.arange(rows).astype(str))
    platform.lineage.register_campaign("written", {})

    def work() -> str:
        empty = SampleSet(ids, x, y.astype(np.int64), groups)
        splits = {name: write_rows(platform.objects, empty.take([])) for name in SPLITS}
        splits["train"] = write_rows(platform.objects, empty)
        names = tuple(map(str, range(CLASSES)))
        manifest = DatasetManifest(modality="image", classes=names, parent=None, splits=splits)
        platform.objects.put(manifest.encode())
        bundle = Bundle(
            version=VersionRow(manifest.digest, None, "root", {"train": rows}),
            samples=real_rows(platform.objects, manifest.splits["train"]),
            members=member_rows(platform.objects, manifest),
        )
        platform.lineage.commit_version("written", bundle, expected_head=None)
        size = sum(ref.bytes for ref in splits["train"])
        return f"{len(splits['train'])} shards, {size / rows:.0f} bytes a row, 2 lineage rows each"

    return work


def _fsck(is_deep: bool) -> Stage:
    def prepare(platform: Platform, folder: Path, rows: int) -> Work:
        def work() -> str:
            found = fsck(platform, is_deep=is_deep)
            clean = "clean" if found.is_clean else f"NOT CLEAN: {found.losses} {found.broken}"
            return f"{found.blobs} blobs, {found.bytes >> 20} MiB, {clean}"

        return work

    return prepare


ALL_ROWS = 10**9
STAGES: dict[str, Stage] = {
    "ingest": _ingest,
    **{name: _step(name) for name in _STEPS},
    **{
        f"{name} {'+'.join(map(str, parts))}": _mapped(name, parts)
        for name in ("generate", "retrain")
        for parts in ((0, 2), (1,), (3,))
    },
    "index, flat": _index(ALL_ROWS, ALL_ROWS),
    "index, inverted lists": _index(0, ALL_ROWS),
    "index, graph": _index(0, 0),
    "cluster": _cluster,
    "screening": _screening,
    "selection": _selection,
    "write and commit": _commit,
    "fsck": _fsck(True),
    "fsck, quick": _fsck(False),
}
LOOP = (
    "ingest",
    *("train", "embed", "fit_generator", "diagnose", "plan", "generate", "screen", "select"),
    *("annotate", "integrate", "retrain", "evaluate", "promote"),
)
"""The stages of an iteration in order; ``generate`` and ``retrain`` are mapped."""
CORE = ("index, flat", "cluster", "selection", "index, graph", "index, inverted lists", "screening")
STORED = ("write and commit", "fsck", "fsck, quick")
