"""What both sampling benchmarks share: distances to real digits, and the search for steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from activesynth.datasets.digits import DigitsSource
from activesynth.domain.canonical import Array
from activesynth.domain.exchange import GenerationRequest, GeneratorData
from activesynth.domain.samples import SampleSet
from activesynth.evaluation.fidelity import gaussian_distance
from activesynth.models.cnn import CnnTrainer
from activesynth.models.parameters import CnnParameters
from benchmarks.interleaved import further, interleaved
from benchmarks.measure import Case

BATCH = 128
STEPS = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200)
"""Step counts that a sampler is tried with, from the cheapest on."""
TOLERANCE = 1.01
"""A Fréchet distance reaches another where it is at most this times as large."""

Sampler = Callable[[int, int], Array]
"""Maps steps and a seed to images ``(n, 8, 8, 1)`` uint8."""


def digit_data(samples: SampleSet) -> GeneratorData:
    """Return digits as a generator learns them, without clusters and levels."""
    none = np.zeros(len(samples), np.int64)
    return GeneratorData(samples, none, none, np.ones(len(samples)), 10, 1)


def real_digits() -> SampleSet:
    """Return all 1797 of them."""
    return DigitsSource().read().samples


def requested(labels: Array, seed: int) -> GenerationRequest:
    """Ask for one sample of each label; other seeds ask for other samples."""
    free = np.full(len(labels), -1)
    seeds = np.arange(len(labels), dtype=np.uint64) + np.uint64((seed + 1) << 32)
    return GenerationRequest(labels, free, free, seeds)


class Ruler:
    """Fréchet distances to all real digits on the features of a contrastive encoder."""

    def __init__(self, real: Array, *, steps: int) -> None:
        """Train the encoder on the real digits for so many steps."""
        self._trainer = CnnTrainer(CnnParameters(pretrain_steps=steps, device="cpu"))
        self._encoder = self._trainer.pretrain(real, seed=0)
        self._real = self._features(real)

    def distance(self, x: Array) -> float:
        """Return the distance; only equal numbers of rows compare."""
        return gaussian_distance(self._real, self._features(x))

    def _features(self, x: Array) -> Array:
        return self._trainer.embed(self._encoder, x).astype(np.float64)


@dataclass(frozen=True)
class Comparison:
    """How two ways of sampling are compared: at equal Fréchet distance, then by time."""

    ruler: Ruler
    seeds: range
    rounds: int
    steps: tuple[int, ...] = STEPS

    def cases(
        self,
        ours: Mapping[str, Callable[[int], Array]],
        steps: int,
        others: Mapping[str, Sampler],
    ) -> list[Case]:
        """Return the cases of our samplers, and of others with as few steps as equal the first.

        Args:
            ours: Maps a seed to images.
            steps: With so many steps.
            others: Maps steps and a seed to images.
        """
        wanted = self._mean(next(iter(ours.values())))
        notes = {
            name: f"{steps} steps, Fréchet {self._mean(call):.4f}" for name, call in ours.items()
        }
        contenders: dict[str, Callable[[], Array]] = {
            name: partial(call, 0) for name, call in ours.items()
        }
        for name, sampler in others.items():
            enough, distance = self._enough(sampler, wanted)
            contenders[name] = partial(sampler, enough, 0)
            reached = "" if distance <= TOLERANCE * wanted else ", never as near"
            notes[name] = f"{enough} steps, Fréchet {distance:.4f}{reached}"
        found = interleaved(contenders, rounds=self.rounds)
        return [
            further(case, f"{len(x) / case.seconds:.0f} samples a second, {notes[name]}")
            for name, (case, x) in found.items()
        ]

    def _mean(self, sample: Callable[[int], Array]) -> float:
        return float(np.mean([self.ruler.distance(sample(seed)) for seed in self.seeds]))

    def _enough(self, sampler: Sampler, wanted: float) -> tuple[int, float]:
        """Return the first step count that reaches ``wanted``, or the best, and its distance."""
        tried: list[tuple[int, float]] = []
        for steps in self.steps:
            tried.append((steps, self._mean(partial(sampler, steps))))
            if tried[-1][1] <= TOLERANCE * wanted:
                return tried[-1]
        return min(tried, key=lambda pair: pair[1])
