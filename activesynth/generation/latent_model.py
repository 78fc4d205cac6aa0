"""What a model of whitened components can do: learn, draw, measure, and be steered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Shift = Callable[[Tensor], Tensor]
"""Maps denoised estimates ``(n, k)`` to what they are moved by per unit of noise, ``(n, k)``."""


@dataclass(frozen=True, slots=True)
class Milestone:
    """A moment of the training at which the averaged weights are handed over.

    Attributes:
        share: After which share of the steps, in ``(0, 1)``.
        keep: Called with the averages of the trained parameters, in their order.
    """

    share: float
    keep: Callable[[Sequence[Tensor]], None]


class LatentModel(nn.Module, ABC):
    """A model of whitened components ``(n, k)`` under condition tokens ``(n, 3)``.

    ``noise_shape`` is what :meth:`draw` wants per row, ``score_shape`` what :meth:`errors` wants.
    ``betas`` are how slowly Adam forgets gradients and their squares.
    """

    noise_shape: tuple[int, ...]
    score_shape: tuple[int, ...]
    betas: tuple[float, float] = (0.9, 0.999)

    @property
    def milestone(self) -> Milestone | None:
        """Return the moment of the training that the model wants to remember, if any."""
        return None

    @abstractmethod
    def loss(self, latents: Tensor, tokens: Tensor, generator: torch.Generator) -> Tensor:
        """Return the training loss of a batch, a scalar."""

    @abstractmethod
    def draw(self, noise: Tensor, tokens: Tensor) -> Tensor:
        """Return components ``(n, k)``, a function of noise and tokens without further chance."""

    @abstractmethod
    def errors(self, latents: Tensor, noise: Tensor, tokens: Tensor) -> Tensor:
        """Return how badly each row is restored, ``(n,)``, at least 0."""


@dataclass(frozen=True, slots=True)
class Course:
    """How drawing departs from plain sampling.

    Attributes:
        shift: Where the denoised estimates are pushed.
        strength: Share of the noise levels that start rows pass through, in ``(0, 1]``; looked at
            only where there are start rows.
    """

    shift: Shift | None = None
    strength: float = 1.0


PLAIN = Course()


class SteerableModel(LatentModel):
    """A model whose drawing can be pushed on its way, and started from rows."""

    @abstractmethod
    def draw(
        self, noise: Tensor, tokens: Tensor, start: Tensor | None = None, course: Course = PLAIN
    ) -> Tensor:
        """Return components ``(n, k)``, beginning at ``start`` ``(n, k)`` where it is given."""
