"""A campaign on digits whose iteration takes seconds: real parts, small in every direction."""

from __future__ import annotations

from typing import Any

TINY: dict[str, Any] = {
    "seed": 3,
    "source": {"name": "digits"},
    "sampling": {"long_tail": 8, "label_budget": 120, "rows": 900},
    "splits": {
        "train": 0.3, "pool": 0.1, "guide": 0.24, "judge": 0.1, "gate": 0.16, "test": 0.1
    },
    "trainer": {
        "name": "cnn",
        "parameters": {"members": 2, "steps": 20, "pretrain_steps": 5, "width": 8},
    },
    "generator": {
        "name": "diffusion",
        "parameters": {"steps": 20, "width": 32, "sampling_steps": 4},
    },
    "uncertainty": {"passes": 5},
    "clusters": {"count": 8},
    "training": {"replicates": 2},
    "evaluation": {"resamples": 100},
    "selection": {"labels": 10, "review": 4},
    "loop": {"patience": 100},
}  # fmt: skip

# For tests in which it matters what is done with the bytes, not what they teach.
SMALLEST: dict[str, Any] = {
    **TINY,
    "trainer": {
        "name": "cnn",
        "parameters": {"members": 2, "steps": 4, "pretrain_steps": 2, "width": 8},
    },
    "generator": {
        "name": "diffusion",
        "parameters": {"steps": 4, "width": 32, "sampling_steps": 2},
    },
    "training": {"replicates": 1},
    "gate": {"margin": 1.0, "guarded": {}},
}
