"""Try on this machine's GPU what the platform does there: exit code 0 where everything held.

    python gpu_smoke.py [--device cuda]

A classifier, a generator and an index run on the device and on the CPU, on scikit-learn's digits,
and must agree as far as numbers of two machines can; then more memory is asked for than there is.
It takes a minute or two, needs no campaign, database or network, and writes nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits

from activesynth.bootstrap import catalog
from activesynth.domain.exchange import GenerationRequest, GeneratorData, TrainingSet
from activesynth.domain.samples import SampleSet
from activesynth.errors import ConfigurationError
from activesynth.index.faiss_index import FaissIndex, gpu_is_usable
from activesynth.nn.devices import resolve_device

CLASSES = 10
TRAIN = 1400
LEAST_ACCURACY = 0.8
"""Of the classifier; the CPU reaches well over 0.9 with these settings."""
MOST_APART = 0.05
"""Accuracy on the device and on the CPU: other rounding, other draws of dropout."""


def digits() -> SampleSet:
    """Return the digits as uint8 images in a fixed random order."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    pixels = np.rint(x[order] * 15.9375).astype(np.uint8).reshape(-1, 8, 8, 1)
    names = np.array([f"digit{n}" for n in range(len(x))])
    return SampleSet(names, pixels, y[order].astype(np.int64), names)


def accuracy(device: str, rows: SampleSet) -> float:
    """Fit a small ensemble and return its accuracy on the rows it did not see."""
    parameters = {"device": device, "width": 8, "hidden": 32, "members": 2, "steps": 150}
    trainer: Any = catalog().create("trainer", "cnn", parameters | {"pretrain_steps": 20})
    seen = rows.take(np.arange(TRAIN))
    data = TrainingSet(seen, np.ones(TRAIN), np.zeros(TRAIN, bool), None, CLASSES)
    state = trainer.fit(data, trainer.pretrain(seen.x, seed=1), seed=1)
    found = trainer.load(state).predict_proba(rows.x[TRAIN:]).argmax(axis=1)
    return float((found == rows.y[TRAIN:]).mean())


def generated(device: str, rows: SampleSet) -> np.ndarray[Any, Any]:
    """Fit a small diffusion model and return 64 of its images."""
    seen = rows.take(np.arange(TRAIN))
    zeros = np.zeros(TRAIN, np.int64)
    data = GeneratorData(seen, zeros, zeros, np.ones(TRAIN), CLASSES, 1)
    generator: Any = catalog().create("generator", "diffusion", {"device": device, "steps": 60})
    state = generator.fit(data, seed=1)
    free = np.full(64, -1)
    wanted = GenerationRequest(
        np.arange(64) % CLASSES, free, free, np.arange(1, 65, dtype=np.uint64)
    )
    images: np.ndarray[Any, Any] = generator.generate(state, wanted).x
    return images


def check_classifier(device: str) -> str:
    """Fit it twice."""
    rows = digits()
    here, there = accuracy("cpu", rows), accuracy(device, rows)
    assert there >= LEAST_ACCURACY, f"accuracy {there:.3f} on {device}"
    assert abs(here - there) <= MOST_APART, f"accuracy {here:.3f} on cpu, {there:.3f} on {device}"
    return f"accuracy {there:.3f}, on cpu {here:.3f}"


def check_generator(device: str) -> str:
    """Make images twice, and look at their size and brightness."""
    rows = digits()
    here, there = generated("cpu", rows), generated(device, rows)
    assert there.shape == (64, *rows.x.shape[1:]), there.shape
    assert there.dtype == np.uint8, there.dtype
    brightness = [float(images.mean()) for images in (here, there)]
    assert abs(brightness[0] - brightness[1]) < 25.0, brightness
    return f"mean brightness {brightness[1]:.1f}, on cpu {brightness[0]:.1f} of 255"


def check_index(device: str) -> str:
    """Search flat and in inverted lists on both."""
    vectors = np.random.default_rng(0).normal(size=(5000, 32)).astype(np.float32)
    shares = []
    for flat_rows in (5000, 1000):
        here, there = (FaissIndex(device=on, flat_rows=flat_rows) for on in ("cpu", device))
        index = here.build(vectors)
        wanted, found = (part.search(index, vectors[:200], 5)[1] for part in (here, there))
        shares.append(float((np.sort(found, axis=1) == np.sort(wanted, axis=1)).mean()))
    assert min(shares) > 0.99, f"{shares} of the neighbours are those that the CPU finds"
    where = "on the GPU" if device == "cuda" and gpu_is_usable() else "on the CPU"
    return f"{min(shares):.3f} of the neighbours are those that the CPU finds, {where}"


def check_memory(device: str) -> str:
    """Ask for twice what the device has; it must refuse and go on working."""
    if device == "cpu":
        return "not tried on a CPU"
    size = torch.cuda.get_device_properties(0).total_memory
    try:
        torch.empty(2 * size, dtype=torch.uint8, device=device)
    except torch.OutOfMemoryError:
        assert float(torch.ones(4, device=device).sum()) == 4.0
        return "more than there is was refused, and the device works on"
    raise AssertionError("twice the memory of the device was handed out")


def main() -> int:
    """Run every check, also after one that failed."""
    asked = argparse.ArgumentParser(description="Try the platform's work on a GPU.")
    asked.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    device = asked.parse_args().device
    try:
        resolve_device(device)
    except ConfigurationError as error:
        print(error)
        return 1
    name = torch.cuda.get_device_name(0) if device == "cuda" else "the CPU"
    print(f"torch {torch.__version__} on {name}")
    checks: list[Callable[[str], str]] = [
        check_classifier,
        check_generator,
        check_index,
        check_memory,
    ]
    failed = 0
    for check in checks:
        started = time.monotonic()
        try:
            told, state = check(device), "ok"
        except Exception as error:
            told, state, failed = f"{type(error).__name__}: {error}", "FAILED", failed + 1
        seconds = time.monotonic() - started
        print(f"{state:7} {check.__name__.removeprefix('check_'):11} {seconds:5.1f} s  {told}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
