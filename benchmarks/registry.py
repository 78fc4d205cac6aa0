"""The benchmarks by name; each module has ``measure(*, quick)`` and a docstring for its title."""

from __future__ import annotations

BENCHMARKS = {
    "dropout": "benchmarks.dropout",
    "rows": "benchmarks.rows",
    "codebook": "benchmarks.codebook",
    "neighbours": "benchmarks.neighbours",
    "repeats": "benchmarks.repeats",
    "iteration": "benchmarks.iteration",
    "orchestration": "benchmarks.orchestration",
    "uncertainty": "benchmarks.uncertainty",
    "badge": "benchmarks.badge",
    "core_set": "benchmarks.core_set",
    "latent_sampling": "benchmarks.latent_sampling",
    "pixel_sampling": "benchmarks.pixel_sampling",
    "scale": "benchmarks.scale",
    "pages": "benchmarks.pages",
}
