"""What every generator that learns in the space of principal components shares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

import numpy as np
import torch

from activesynth.domain.canonical import Array, derive_seed
from activesynth.domain.exchange import GenerationRequest, GeneratorData, State, SyntheticBatch
from activesynth.domain.ports import Progress, silent
from activesynth.errors import InputError
from activesynth.generation.blocks import in_blocks
from activesynth.generation.conditions import Conditions, check_data
from activesynth.generation.denoiser import start_at_zero
from activesynth.generation.fitted import Fitted
from activesynth.generation.guidance import course_of
from activesynth.generation.latent_model import LatentModel
from activesynth.generation.latents import Latents
from activesynth.generation.parameters import LearntParameters
from activesynth.generation.scoring import Calibration, seeded_noise
from activesynth.generation.training import Rows, train
from activesynth.nn.devices import resolve_device
from activesynth.nn.tensors import build, load_arrays, to_arrays

PREFIX = "model."

P = TypeVar("P", bound=LearntParameters)


class LatentGenerator(ABC, Generic[P]):
    """Fits, samples and scores; a subclass brings the model.

    ``part`` is the name in the registry, ``architecture`` the parameters that a fitted state
    brings along because its weights fit no others.
    """

    part: ClassVar[str]
    architecture: ClassVar[tuple[str, ...]] = ("width", "blocks")

    def __init__(self, parameters: P) -> None:
        """Keep the parameters; nothing is computed before :meth:`fit`."""
        self.parameters = parameters

    @abstractmethod
    def build(self, latents: Latents, sizes: tuple[int, ...], parameters: P) -> LatentModel:
        """Return the model for such components and conditions with so many values each."""

    def fit(self, data: GeneratorData, *, seed: int, progress: Progress = silent) -> State:
        """Learn from real rows; rows without a label teach under a free label.

        Raises:
            ShapeError: If arrays do not align or a condition is out of range.
            InputError: If the rows cannot be learnt from, or the loss diverges.
        """
        check_data(data)
        x, labels = data.samples.x, np.asarray(data.samples.y, np.int64)
        weight = np.asarray(data.weight, np.float64)
        conditions = Conditions.of(data)
        latents = Latents.fit(
            x,
            weight,
            self.parameters.components,
            self.parameters.variance,
            seed=derive_seed(self.part, seed, "latents"),
        )
        weights = derive_seed(self.part, seed, "weights")
        model = self._model(latents, conditions, self.parameters, weights)
        start_at_zero(model)
        rows = Rows(
            in_blocks(latents.project, x),
            conditions.tokens(labels, data.clusters, data.levels),
            weight,
        )
        history = train(
            model,
            model.loss,
            rows,
            self.parameters,
            seed=derive_seed(self.part, seed, "training"),
            progress=progress,
            milestone=model.milestone,
            betas=model.betas,
        )
        fitted = Fitted(model, latents, conditions)
        errors = fitted.errors(x, labels)
        tensors = {
            **to_arrays(model.state_dict(), PREFIX),
            **latents.tensors(),
            **conditions.tensors(),
            **Calibration.of(errors).tensors(),
        }
        facts = {
            "part": self.part,
            "parameters": self.parameters.recorded(),
            "rows": len(data.samples),
            "loss": history,
            **latents.facts(),
        }
        if self.parameters.reconstruction:
            facts["reconstruction"] = fitted.reconstruction(
                x, data.clusters, seed=derive_seed(self.part, seed, "reconstruction")
            )
        return State(tensors, facts)

    def generate(
        self, state: State, request: GenerationRequest, *, progress: Progress = silent
    ) -> SyntheticBatch:
        """Return one sample per row of the request; anchors count only with a ``strength``.

        All chance comes from the row's seed, so a row depends on nothing but itself. A free label
        is drawn as :meth:`Conditions.resolve` says; free clusters and levels stay free.

        Raises:
            ShapeError: If the request does not align or a condition is out of range.
            InputError: If another part fitted the state, a sample came out as NaN or infinite, or
                the request asks for guidance or a start that this part cannot give.
        """
        fitted = self._load(state)
        course = course_of(fitted.model, request, fitted.latents, self.part)
        labels = fitted.conditions.resolve(request)
        tokens = fitted.conditions.tokens(labels, request.clusters, request.levels)
        noise = seeded_noise(request.seeds, fitted.model.noise_shape)
        start = None
        if request.strength is not None and request.anchors is not None:
            fitted.check(request.anchors.x, labels)
            start = in_blocks(fitted.latents.project, request.anchors.x)
        x = fitted.draw(noise, tokens, progress, start=start, course=course)
        scores = Calibration.from_tensors(state.tensors).score(fitted.errors(x, labels))
        return SyntheticBatch(x, labels, scores)

    def confidence(self, state: State, x: Array, y: Array) -> Array:
        """Score how well ``x`` is restored when the model is told its label.

        The error of the restoration, plus what the components cannot express, is compared on a
        log scale with the errors of the training rows: 0.5 is a typical training row, lower means
        less like what was learnt, or not like the label. ``y`` may be -1 for "unknown".

        Returns:
            ``(n,)`` float64 in ``[0, 1]``, a function of the row alone.

        Raises:
            ShapeError: If ``x`` or ``y`` do not fit what was learnt.
            InputError: If ``x`` holds NaN or an infinity.
        """
        fitted = self._load(state)
        fitted.check(x, y)
        errors = fitted.errors(x, np.asarray(y, np.int64))
        return Calibration.from_tensors(state.tensors).score(errors)

    def _load(self, state: State) -> Fitted:
        if state.facts.get("part") != self.part:
            raise InputError(
                f"the state was fitted by {state.facts.get('part')!r}, not by {self.part!r}; use "
                "the generator named in its card, or fit again.",
                reason="foreign_state",
            )
        parameters = self.parameters.fitted_with(state.facts["parameters"], self.architecture)
        latents = Latents.from_state(state.tensors, state.facts)
        conditions = Conditions.from_tensors(state.tensors)
        model = self._model(latents, conditions, parameters, 0)
        load_arrays(model, state.tensors, PREFIX)
        return Fitted(model.eval(), latents, conditions)

    def _model(
        self, latents: Latents, conditions: Conditions, parameters: P, seed: int
    ) -> LatentModel:
        return build(
            lambda: self.build(latents, conditions.sizes, parameters),
            resolve_device(parameters.device),
            torch.Generator().manual_seed(seed),
        )
