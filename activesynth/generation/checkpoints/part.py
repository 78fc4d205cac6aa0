"""What every generator that is a diffusers checkpoint shares: provenance, drawing, scoring."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from activesynth.domain.canonical import Array, derive_seed
from activesynth.domain.exchange import GenerationRequest, GeneratorData, State, SyntheticBatch
from activesynth.domain.ports import Progress, silent
from activesynth.errors import CorruptArtifactError, InputError, ShapeError
from activesynth.generation.checkpoints.denoiser import DTYPES, Denoiser, Placement
from activesynth.generation.checkpoints.engine import Engine
from activesynth.generation.checkpoints.folder import (
    Folder,
    checkpoint_digest,
    open_folder,
    verify,
)
from activesynth.generation.checkpoints.hub import locate
from activesynth.generation.checkpoints.parameters import DiffusersParameters
from activesynth.generation.checkpoints.solver import Process
from activesynth.generation.conditions import (
    FREE,
    Conditions,
    check_column,
    check_data,
    refuse_course,
)
from activesynth.generation.scoring import Calibration
from activesynth.nn.devices import resolve_device

P = TypeVar("P", bound=DiffusersParameters)


@dataclass(frozen=True, slots=True)
class Opened:
    """A checkpoint that was found, judged and hashed."""

    folder: Folder
    files: Mapping[str, str]


class DiffusersGenerator(ABC, Generic[P]):
    """Finds, verifies and uses a checkpoint; a subclass says what its networks are.

    The checkpoint stays where it is. A state holds its digests, by which it is verified before
    every use, what the real rows showed, and what a subclass has trained on top.
    """

    part: ClassVar[str]
    pipelines: ClassVar[tuple[str, ...]]

    def __init__(self, parameters: P) -> None:
        """Keep the parameters; nothing is read before :meth:`fit`."""
        self.parameters = parameters

    @abstractmethod
    def load(self, folder: Folder, placement: Placement) -> Denoiser:
        """Load the networks."""

    @abstractmethod
    def check_classes(self, denoiser: Denoiser, classes: int) -> None:
        """Refuse a checkpoint that cannot be asked for every label of the campaign."""

    @abstractmethod
    def tokens(self, denoiser: Denoiser, labels: Array, clusters: Array, levels: Array) -> Array:
        """Return condition tokens ``(n, k)`` int64; -1 is free."""

    def adapt(
        self, engine: Engine, data: GeneratorData, *, seed: int, progress: Progress
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """Train what is trained on top; return its tensors and facts."""
        return {}, {}

    def restore(self, engine: Engine, state: State) -> None:
        """Put what :meth:`adapt` trained back into the networks."""

    def fit(self, data: GeneratorData, *, seed: int, progress: Progress = silent) -> State:
        """Record which checkpoint it is and what a typical denoising error of a real row is.

        Raises:
            ConfigurationError: If the checkpoint is refused or does not fit the campaign.
            CorruptArtifactError: If it is not the one that ``digest`` pins.
            ShapeError: If arrays do not align or a condition is out of range.
            InputError: If the rows are no images.
        """
        check_data(data)
        _check_images(data.samples.x)
        opened = self._open()
        found = checkpoint_digest(opened.files)
        if self.parameters.digest not in (None, found):
            raise CorruptArtifactError(
                f"`generator.parameters.digest` pins {self.parameters.digest}, but the checkpoint "
                f"is {found}; restore the files or pin what is there.",
                field="generator.parameters.digest",
            )
        engine = self._engine(opened.folder)
        self.check_classes(engine.denoiser, data.classes)
        tensors, facts = self.adapt(
            engine, data, seed=derive_seed(self.part, seed, "adapt"), progress=progress
        )
        conditions = Conditions.of(data)
        rows = self._calibration_rows(data, derive_seed(self.part, seed, "calibration"))
        told = silent if facts else progress
        errors = self._errors(engine, data.samples.x[rows], data.samples.y[rows], told)
        return State(
            {**tensors, **conditions.tensors(), **Calibration.of(errors).tensors()},
            {
                "part": self.part,
                "pipeline": opened.folder.pipeline,
                "checkpoint": found,
                "files": dict(opened.files),
                "hub": self.parameters.hub,
                "revision": self.parameters.revision,
                "licence": opened.folder.licence(),
                "shape": list(data.samples.x.shape[1:]),
                "rows": len(data.samples),
                **facts,
            },
        )

    def generate(
        self, state: State, request: GenerationRequest, *, progress: Progress = silent
    ) -> SyntheticBatch:
        """Return one image per row of the request; anchors are not looked at.

        The initial noise comes from the row's seed and the solver is deterministic, so a row
        depends on nothing but itself. A free label is drawn as :meth:`Conditions.resolve` says.

        Raises:
            CorruptArtifactError: If the checkpoint is not the one of the fit.
            ShapeError: If the request does not align or a condition is out of range.
            InputError: If another part fitted the state, or an image came out as NaN or infinite.
        """
        refuse_course(request, self.part)
        engine, conditions = self._load(state)
        labels = conditions.resolve(request)
        seen = conditions.tokens(labels, request.clusters, request.levels) - 1
        tokens = self.tokens(engine.denoiser, *seen.T)
        x = engine.draw(request.seeds, tokens, tuple(state.facts["shape"]), progress)
        errors = self._errors(engine, x, labels)
        return SyntheticBatch(x, labels, Calibration.from_tensors(state.tensors).score(errors))

    def confidence(self, state: State, x: Array, y: Array) -> Array:
        """Score how well ``x`` is denoised when the checkpoint is told its label.

        0.5 is a typical real row of the fit; lower means less like what the checkpoint knows, or
        not like the label. ``y`` may be -1 for "unknown" where the checkpoint has a class for it.

        Returns:
            ``(n,)`` float64 in ``[0, 1]``, a function of the row alone.

        Raises:
            ShapeError: If ``x`` or ``y`` do not fit what was learnt.
        """
        engine, conditions = self._load(state)
        shape = tuple(state.facts["shape"])
        if tuple(x.shape[1:]) != shape or x.dtype != np.uint8:
            raise ShapeError(
                f"x must hold uint8 images of shape {shape} as in the fit, got {x.shape[1:]} "
                f"and {x.dtype}; prepare them alike."
            )
        lowest = 0 if engine.denoiser.free is None else FREE
        check_column("y", y, len(x), conditions.sizes[0], lowest)
        return Calibration.from_tensors(state.tensors).score(self._errors(engine, x, y))

    def _errors(self, engine: Engine, x: Array, y: Array, told: Progress = silent) -> Array:
        free = np.full(len(x), FREE, np.int64)
        tokens = self.tokens(engine.denoiser, np.asarray(y, np.int64), free, free)
        return engine.errors(x, tokens, told)

    def _calibration_rows(self, data: GeneratorData, seed: int) -> Array:
        known = np.flatnonzero(data.samples.y >= 0)
        count = min(self.parameters.calibration_rows, len(known))
        return np.sort(np.random.default_rng(seed).choice(known, count, replace=False))

    def _load(self, state: State) -> tuple[Engine, Conditions]:
        if state.facts.get("part") != self.part:
            raise InputError(
                f"the state was fitted by {state.facts.get('part')!r}, not by {self.part!r}; use "
                "the generator named in its card, or fit again.",
                reason="foreign_state",
            )
        opened = self._open()
        verify(opened.files, state.facts["files"])
        engine = self._engine(opened.folder)
        self.restore(engine, state)
        return engine, Conditions.from_tensors(state.tensors)

    def _open(self) -> Opened:
        folder = open_folder(locate(self.parameters), self.pipelines)
        return Opened(folder, folder.files())

    def _engine(self, folder: Folder) -> Engine:
        placement = Placement(resolve_device(self.parameters.device), DTYPES[self.parameters.dtype])
        process = Process.of(folder.config("scheduler"))
        return Engine(self.load(folder, placement), process, self.parameters)


def _check_images(x: Array) -> None:
    if x.dtype != np.uint8 or x.ndim != 4 or x.shape[3] not in (1, 3):
        raise InputError(
            f"a checkpoint makes images, uint8 of shape (n, height, width, 1 or 3), but the rows "
            f"are {x.dtype} {x.shape}; use the generator 'diffusion' for other data.",
            reason="image_shape",
        )
