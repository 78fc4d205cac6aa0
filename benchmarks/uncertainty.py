"""Scores by 50 dropout passes in the head, against baal on the same weights (CPU seconds)."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import torch
from scipy.special import softmax
from scipy.stats import spearmanr
from torch import Tensor, nn

from activesynth.domain.canonical import Array
from activesynth.nn.blocks import Classifier
from activesynth.nn.images import to_pixels, to_unit
from activesynth.uncertainty.scores import mutual_information
from benchmarks.interleaved import further, interleaved
from benchmarks.measure import Case
from benchmarks.pictures import fitted_members

PASSES, BATCH, ROUNDS = 50, 64, 3
CLASSES_AXIS = 2

Predict = Callable[[nn.Module, Tensor], Array]
"""Maps a network with dropout and its inputs to logits of passes, ``(n, classes, passes)``."""


def measure(*, quick: bool) -> list[Case]:
    """Time draws and mutual information of all rows, by both, as each would be used.

    baal computes whole networks, so it also gets the head alone on stored features, as a user who
    knows where the dropout lies might do. It is no dependency of ours, because it pins older
    libraries: where it is not lent (``docs/performance.md`` says how), its way is gone by hand.
    """
    predictor, members, temperature, x = fitted_members(192 if quick else 1797)
    is_lent = find_spec("baal") is not None
    peer, predict = ("baal", _by_baal) if is_lent else ("by hand, as baal does", _by_hand)
    images = to_unit(to_pixels(x))
    networks = [_usual(member, temperature) for member in members]

    def ours() -> Array:
        return mutual_information(predictor.draws(x, passes=PASSES, seed=0))

    def whole() -> Array:
        passes = [predict(nn.Sequential(trunk, head), images) for trunk, head in networks]
        return _score(np.concatenate(passes, axis=CLASSES_AXIS))

    def head_alone() -> Array:
        passes = [predict(head, _features(trunk, images)) for trunk, head in networks]
        return _score(np.concatenate(passes, axis=CLASSES_AXIS))

    contenders = {"ours": ours, peer: whole, f"{peer}, head on stored features": head_alone}
    torch.manual_seed(0)
    found = interleaved(contenders, rounds=1 if quick else ROUNDS)
    (own, scores), *others = found.values()
    again = mutual_information(predictor.draws(x, passes=PASSES, seed=1))
    told = f"{len(x)} digits, {len(members)} members; rank correlation with another seed"
    return [
        further(own, f"{told} {spearmanr(scores, again).statistic:.3f}"),
        *(
            further(case, f"rank correlation with ours {spearmanr(scores, theirs).statistic:.3f}")
            for case, theirs in others
        ),
    ]


def _usual(member: Classifier, temperature: float) -> tuple[nn.Module, nn.Module]:
    """Return trunk and head as most would write them: with a dropout layer before the last one."""
    out = deepcopy(member.head.out)
    with torch.no_grad():
        for weight in out.parameters():
            weight.div_(temperature)
    head = (nn.ReLU(), member.head.hidden, nn.ReLU(), nn.Dropout(member.head.dropout), out)
    return member.trunk, nn.Sequential(*head)


def _features(trunk: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([trunk(batch) for batch in torch.split(images, BATCH)])


def _by_baal(network: nn.Module, inputs: Tensor) -> Array:
    """Ask baal, with its defaults but for the batch size and without worker processes."""
    wrapper = import_module("baal.modelwrapper")
    patched = import_module("baal.bayesian.dropout").patch_module(network, inplace=False)
    arguments = wrapper.TrainingArgs(batch_size=BATCH, workers=0, use_cuda=False)
    rows = torch.utils.data.TensorDataset(inputs)
    return np.asarray(
        wrapper.ModelWrapper(patched, arguments).predict_on_dataset(rows, PASSES, verbose=False)
    )


def _by_hand(network: nn.Module, inputs: Tensor) -> Array:
    """Do what baal does: every batch once per pass in memory, through the whole network."""
    dropping = deepcopy(network).eval()
    for layer in dropping.modules():
        if isinstance(layer, nn.Dropout):
            layer.train()
    parts = []
    with torch.no_grad():
        for batch in torch.split(inputs, BATCH):
            stacked = batch.repeat(PASSES, *[1] * (batch.dim() - 1))
            logits = dropping(stacked).view(PASSES, len(batch), -1)
            parts.append(logits.permute(1, 2, 0).numpy())
    return np.concatenate(parts)


def _score(logits: Array) -> Array:
    """Return baal's BALD of logits ``(n, classes, passes)``, ``(n,)``; by hand without it."""
    if find_spec("baal") is None:
        probs = softmax(logits.astype(np.float64), axis=1)
        return mutual_information(probs.transpose(2, 0, 1))
    return np.asarray(import_module("baal.active.heuristics").BALD().compute_score(logits))
