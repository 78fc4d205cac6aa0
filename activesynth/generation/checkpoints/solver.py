"""The checkpoint's own noise schedule, and deterministic solvers over it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from activesynth.errors import ConfigurationError

_PROCESS = (
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "prediction_type",
    "timestep_spacing",
    "steps_offset",
    "rescale_betas_zero_snr",
)
_DDIM = ("clip_sample", "clip_sample_range", "set_alpha_to_one")
_PREDICTIONS = ("epsilon", "v_prediction", "sample")
_OTHER_PROCESSES = ("use_flow_sigmas", "use_dynamic_shifting")


@dataclass(frozen=True, slots=True)
class Process:
    """A discrete variance-preserving noise process, as ``scheduler_config.json`` describes it.

    Noising is ``sqrt(a) * clean + sqrt(1 - a) * noise`` with ``a = alphas[time]``.

    References:
        Ho et al. 2020, arXiv:2006.11239; Salimans and Ho 2022 (v), arXiv:2202.00512.
    """

    config: Mapping[str, Any]
    alphas: Tensor
    prediction: str

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Process:
        """Read a scheduler's JSON, whichever of the allowed schedulers wrote it.

        Raises:
            ConfigurationError: If it describes another process.
        """
        from diffusers.schedulers.scheduling_ddim import DDIMScheduler

        prediction = str(config.get("prediction_type", "epsilon"))
        flows = [name for name in _OTHER_PROCESSES if config.get(name)]
        if prediction not in _PREDICTIONS or flows:
            raise ConfigurationError(
                f"the checkpoint's scheduler has prediction_type {prediction!r}"
                + "".join(f" and {name}" for name in flows)
                + f"; this generator solves {', '.join(_PREDICTIONS)} of a discrete "
                "variance-preserving process.",
                reason="bad_checkpoint",
                field="generator.parameters",
            )
        kept = {name: config[name] for name in (*_PROCESS, *_DDIM) if name in config}
        try:
            alphas = DDIMScheduler(**{n: kept[n] for n in _PROCESS if n in kept}).alphas_cumprod
        except (NotImplementedError, TypeError, ValueError) as error:
            raise ConfigurationError(
                f"the checkpoint's scheduler_config.json cannot be used: {error}",
                reason="bad_checkpoint",
                field="generator.parameters",
            ) from error
        return cls(kept, alphas.float().clamp(1e-8, 1.0 - 1e-8), prediction)

    @property
    def times(self) -> int:
        """Return the number of noise levels."""
        return len(self.alphas)

    def noised(self, clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """Return rows ``(n, ...)`` at ``times`` ``(n,)``."""
        signal, spread = self._shares(clean, times)
        return signal * clean + spread * noise

    def target(self, clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """Return what the network should say about :meth:`noised`, like ``clean``."""
        if self.prediction == "epsilon":
            return noise
        if self.prediction == "sample":
            return clean
        signal, spread = self._shares(clean, times)
        return signal * noise - spread * clean

    def solve(
        self,
        predict: Callable[[Tensor, Tensor], Tensor],
        noise: Tensor,
        *,
        steps: int,
        solver: str,
    ) -> Tensor:
        """Turn noise into samples with ``steps`` calls of ``predict(noisy, times)``.

        An ODE is solved: without chance, each row for itself.

        References:
            Song et al. 2021 (DDIM), arXiv:2010.02502; Lu et al. 2022 (DPM-Solver++),
            arXiv:2211.01095.
        """
        scheduler = self._scheduler(solver)
        scheduler.set_timesteps(steps, device=noise.device)
        values = noise
        for time in scheduler.timesteps:
            predicted = predict(values, time.expand(len(values)))
            values = scheduler.step(predicted, time, values, return_dict=False)[0]
        return values

    def _scheduler(self, solver: str) -> Any:
        settings = {name: value for name, value in self.config.items() if name in _PROCESS}
        if solver == "ddim":
            from diffusers.schedulers.scheduling_ddim import DDIMScheduler

            kept = {name: self.config[name] for name in _DDIM if name in self.config}
            return DDIMScheduler(**settings, **kept)
        from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

        # The cosine schedule's last levels hold no signal at all; diffusers' documentation says so.
        is_cosine = settings.get("beta_schedule") == "squaredcos_cap_v2"
        return DPMSolverMultistepScheduler(
            **settings,
            algorithm_type="dpmsolver++",
            solver_order=2,
            lambda_min_clipped=-5.1 if is_cosine else -float("inf"),
            final_sigmas_type="zero",
        )

    def _shares(self, rows: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
        alphas = self.alphas.to(rows.device)[times].view(-1, *[1] * (rows.dim() - 1))
        return alphas.sqrt(), (1.0 - alphas).sqrt()
