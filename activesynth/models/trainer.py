"""The image trainer: contrastive encoder, then a cross-fitted ensemble with that encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from torch.nn import functional

from activesynth.domain.canonical import Array
from activesynth.domain.exchange import State, TrainingSet
from activesynth.domain.ports import Progress, silent
from activesynth.errors import InputError, ShapeError
from activesynth.models.architecture import Architecture
from activesynth.models.calibration import fit_temperature, negative_log_likelihood
from activesynth.models.contrastive import pretrain_encoder
from activesynth.models.ensemble import FittedEnsemble, fit_ensemble
from activesynth.models.parameters import EnsembleParameters
from activesynth.models.predictor import EnsemblePredictor, in_fixed_batches
from activesynth.nn.devices import resolve_device
from activesynth.nn.images import check_images, to_pixels
from activesynth.nn.tensors import to_arrays

P = TypeVar("P", bound=EnsembleParameters)
_HISTORY_POINTS = 20


class ImageTrainer(Generic[P]):
    """Fits image ensembles from scratch; equal arguments give bit-equal states on CPU.

    A trainer is a subclass that names its kind of encoder as ``architecture``.
    """

    architecture: type[Architecture[P]]

    def __init__(self, parameters: P) -> None:
        """Take the checked parameters."""
        self._parameters = parameters

    def check(self, x: Array) -> None:
        """Refuse what this trainer cannot learn from, before any work is done.

        Raises:
            InputError: If ``x`` are no images (see :func:`check_images`), or of a size that the
                encoder does not take.
        """
        check_images(x)
        self.architecture.for_images(x, self._parameters, classes=0)

    def pretrain(self, x: Array, *, seed: int, progress: Progress = silent) -> State:
        """Fit an encoder by InfoNCE on unlabelled images, uint8 ``(n, height, width, channels)``.

        Returns:
            Tensors ``encoder....``; facts ``architecture``, ``tau``, ``steps`` and ``info_nce``
            (the loss in nats, averaged over twentieths of the training).

        Raises:
            InputError: If there are fewer than two images, or they are no such images.
        """
        if len(x) < 2:
            raise InputError(
                f"contrastive pretraining needs at least 2 images, got {len(x)}; add images or "
                "train without an encoder.",
                reason="too_few_rows",
            )
        self.check(x)
        p = self._parameters
        architecture = self.architecture.for_images(x, p, classes=0)
        device = resolve_device(p.device)
        encoder, losses = pretrain_encoder(x, architecture, p, device, seed=seed, progress=progress)
        facts = {
            "architecture": architecture.facts(),
            "tau": p.temperature,
            "steps": p.pretrain_steps,
            "info_nce": _thin(np.array(losses)),
        }
        return State(to_arrays(dict(encoder.named_parameters()), "encoder."), facts)

    def fit(
        self,
        data: TrainingSet,
        encoder: State | None,
        *,
        seed: int,
        progress: Progress = silent,
    ) -> State:
        """Fit the cross-fitted ensemble, starting from ``encoder`` where given.

        Members leave out group-disjoint folds of the real rows; synthetic rows go to all of them
        except those made from a left-out group (see :func:`spread_folds`).

        Args:
            data: Labelled rows; ``prior`` rows of zeros mean "no prior for this row".
            encoder: What :meth:`pretrain` returned; every member's trunk starts from it and is
                trained on. It is not part of the result.
            seed: Decides everything random.
            progress: Told the optimiser steps over all members.

        Returns:
            Tensors ``member<k>....``, ``out_of_fold`` ``(n, classes)`` float64 (scaled by the
            temperature, which was fitted on the same rows: one number) and ``fold`` ``(n,)``
            int64. Facts: see :func:`_facts`.

        Raises:
            InputError: If the images are no such images or the real rows form under two groups.
            ShapeError: If a label is no class, or weights or prior do not fit.
            CorruptArtifactError: If ``encoder`` does not fit the parameters.
        """
        self.check(data.samples.x)
        _check(data)
        p = self._parameters
        architecture = self.architecture.for_images(data.samples.x, p, data.classes)
        ensemble = fit_ensemble(
            data,
            architecture,
            None if encoder is None else encoder.tensors,
            p,
            resolve_device(p.device),
            seed=seed,
            progress=progress,
        )
        temperature = fit_temperature(*ensemble.held_out(data.samples.y))
        tensors = {
            "out_of_fold": ensemble.out_of_fold(temperature),
            "fold": ensemble.folds,
        }
        for number, training in enumerate(ensemble.trainings):
            tensors |= to_arrays(training.averaged, f"member{number:02d}.")
        facts = {
            "architecture": architecture.facts(),
            "members": p.members,
            "temperature": temperature,
            "tau": None if encoder is None else encoder.facts.get("tau"),
            **_facts(data, ensemble, temperature),
        }
        return State(tensors, facts)

    def load(self, state: State) -> EnsemblePredictor:
        """Rebuild the fitted ensemble; its shape comes from the state, not from the parameters.

        Raises:
            CorruptArtifactError: If the state was not fitted by this trainer.
        """
        architecture = self.architecture.read(state.facts)
        device = resolve_device(self._parameters.device)
        members = [
            architecture.load_member(state.tensors, f"member{number:02d}.", device)
            for number in range(int(state.facts["members"]))
        ]
        temperature = float(state.facts["temperature"])
        return EnsemblePredictor(architecture, members, temperature=temperature, device=device)

    def embed(self, encoder: State, x: Array) -> Array:
        """Return L2-normalised features of a pretrained encoder, ``(n, features)`` float32.

        Raises:
            InputError: If ``x`` are no images (see :func:`to_pixels`).
            ShapeError: If they have another size than those the encoder was trained on.
            CorruptArtifactError: If the state is no encoder of this trainer.
        """
        architecture = self.architecture.read(encoder.facts)
        architecture.check(x)
        device = resolve_device(self._parameters.device)
        network = architecture.load_encoder(encoder.tensors, "encoder.", device)
        return in_fixed_batches(
            lambda images: functional.normalize(network(images), dim=1), to_pixels(x).to(device), 0
        )


def _check(data: TrainingSet) -> None:
    y, count = data.samples.y, len(data.samples)
    if not count or y.min() < 0 or y.max() >= data.classes:
        found = f"{y.min()} to {y.max()}" if count else "no rows"
        raise ShapeError(
            f"labels must lie in [0, {data.classes}), got {found}; leave unlabelled rows out."
        )
    if data.weight.shape != (count,) or data.is_synthetic.shape != (count,):
        raise ShapeError(
            f"`weight` and `is_synthetic` must have shape ({count},), got {data.weight.shape} "
            f"and {data.is_synthetic.shape}."
        )
    if not (np.isfinite(data.weight).all() and (data.weight > 0).all()):
        raise ShapeError(f"`weight` must be positive and finite, got {data.weight.min()}.")
    if data.prior is not None and data.prior.shape != (count, data.classes):
        raise ShapeError(
            f"`prior` must have shape {(count, data.classes)}, got {data.prior.shape}."
        )


def _facts(data: TrainingSet, ensemble: FittedEnsemble, temperature: float) -> dict[str, Any]:
    """Describe the training; losses are cross entropies in nats, means over members.

    ``history`` holds the losses of real and of synthetic rows and the KL term over twentieths of
    the training (None where there was none). ``synthetic_gap`` is the real minus the synthetic
    loss in the last twentieth: far above 0 means that the synthetic rows are learnt by heart
    while the real ones are not. ``swa`` compares averaged and last weights on left-out rows.
    ``nll`` is the out-of-fold loss before and after temperature scaling.
    """
    logits, y = ensemble.held_out(data.samples.y)
    last_logits, _ = ensemble.held_out(data.samples.y, averaged=False)
    names = ("real", "synthetic", "divergence")
    history = {
        name: _thin(np.stack([getattr(t, name).numpy() for t in ensemble.trainings]))
        for name in names
    }
    real, synthetic = history["real"][-1], history["synthetic"][-1]
    nll = negative_log_likelihood(logits, y)
    return {
        "folds": int(ensemble.folds.max()) + 1,
        "history": history,
        "synthetic_gap": None if real is None or synthetic is None else real - synthetic,
        "swa": {"averaged": nll, "last": negative_log_likelihood(last_logits, y)},
        "nll": {"before": nll, "after": negative_log_likelihood(logits, y, temperature)},
    }


def _thin(values: Array) -> list[float | None]:
    """Average the last axis over at most twenty parts, ignoring NaN; None where all are NaN."""
    parts = np.array_split(values, min(_HISTORY_POINTS, values.shape[-1]), axis=-1)
    kept: Sequence[Array] = [part[~np.isnan(part)] for part in parts]
    return [float(part.mean(dtype=np.float64)) if part.size else None for part in kept]
