"""Embed the real rows, index them, and freeze the campaign's codebook."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import split_shards
from activesynth.domain.exchange import State
from activesynth.domain.platform import Platform
from activesynth.domain.records import StepRecord
from activesynth.evaluation.diversity import cluster_entropy, entropy_share
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.turn import Turn, open_turn

CODEBOOK = Step("codebook")
EMBED = Step("embed", version=3)
SPLITS = ("train", "pool", "guide")


def embed(iteration_id: str, platform: Platform) -> StepRecord:
    """Write embeddings and cluster ids of train, pool and guide; index train and pool."""
    turn = open_turn(iteration_id, platform)
    encoder = turn.step("train").artifacts["encoder"]
    codebook = _codebook(turn, encoder)

    def compute(outputs: Outputs) -> None:
        centroids = turn.artifacts.arrays(codebook)["centroids"]
        state = turn.state(encoder)
        for split in SPLITS:
            ids, vectors = _embedded(turn, state, split, centroids.shape[1])
            clusters = assign(turn, centroids, vectors)
            outputs.arrays(split, {"ids": ids, "vectors": vectors, "clusters": clusters})
            if split == "train":
                outputs.link("index", platform.objects.put(platform.index.build(vectors)))
                diversity = cluster_entropy(clusters, len(centroids))
                outputs.facts["cluster_entropy"] = diversity
                outputs.facts["entropy_share"] = entropy_share(diversity, len(centroids))
            elif split == "pool" and len(vectors):
                outputs.link("pool_index", platform.objects.put(platform.index.build(vectors)))
        outputs.link("codebook", codebook)

    return execute(
        turn,
        EMBED,
        inputs={"parent": turn.record.parent, "encoder": encoder, "codebook": codebook},
        settings={},
        compute=compute,
    )


def _embedded(turn: Turn, encoder: State, split: str, dimension: int) -> tuple[Array, Array]:
    """Return ids and embeddings of a split, one shard embedded at a time.

    A row's embedding does not depend on the others, so they are as of all at once.
    """
    parts = [
        (rows.ids, embed_rows(turn, encoder, rows.x, dimension))
        for rows in split_shards(turn.platform.objects, turn.manifest, split)
    ]
    return np.concatenate([ids for ids, _ in parts]), np.concatenate([v for _, v in parts])


def embed_rows(turn: Turn, encoder: State, x: Array, dimension: int) -> Array:
    """Embed rows by the frozen encoder; no rows give an empty ``(0, dimension)`` array."""
    if not len(x):
        return np.zeros((0, dimension), np.float32)
    return turn.trainer.embed(encoder, x)


def assign(turn: Turn, centroids: Array, vectors: Array) -> Array:
    """Return the cluster id of each vector, ``(n,)`` int64."""
    if not len(vectors):
        return np.zeros(0, np.int64)
    return turn.platform.index.assign(centroids, vectors)


def _codebook(turn: Turn, encoder: str) -> str:
    """Cluster the root's train and pool once; later iterations find the recorded result."""
    root = turn.root()
    count = turn.config.clusters.count
    seed = turn.campaign_seed("codebook")

    def compute(outputs: Outputs) -> None:
        manifest, state = turn.root_manifest(), turn.state(encoder)
        parts = [
            turn.trainer.embed(state, rows.x)
            for split in ("train", "pool")
            for rows in split_shards(turn.platform.objects, manifest, split)
            if len(rows)
        ]
        vectors = np.concatenate(parts)
        centroids = turn.platform.index.codebook(vectors, count, seed=seed)
        outputs.arrays("codebook", {"centroids": centroids})

    record = execute(
        turn,
        CODEBOOK,
        inputs={"root": root, "encoder": encoder},
        settings={"count": count},
        compute=compute,
        seed=seed,
    )
    return record.artifacts["codebook"]
