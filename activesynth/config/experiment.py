"""What an experiment compares, over which seeds: the strict model of an experiment file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from activesynth.config.campaign import (
    CampaignConfig,
    Names,
    Positive,
    Section,
    distinct,
    parse_campaign,
)
from activesynth.config.named_file import parse_as, read_by_name
from activesynth.config.settings import Settings
from activesynth.domain.canonical import derive_seed

Phase = Literal["tuning", "confirmation"]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Seeds = Annotated[tuple[Seed, ...], AfterValidator(distinct)]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,19}$")]
Title = Annotated[str, Field(min_length=1, max_length=60)]
LONGEST_NAME = 40
OWN_METRICS = ("few3", "tail3", "worst_recall")
"""Metrics an experiment has beside those in the registry; docs/how-to/run-an-experiment.md."""
RESAMPLED = ("accuracy", "balanced_accuracy", *OWN_METRICS)
CURVES = ("accuracy", "balanced_accuracy", "few3", "worst_recall")
SHIFTED = ("shifted_accuracy", "worst_shifted_accuracy", "clean_accuracy")


class Contender(Section):
    """What is compared: an arm under a variant of the campaign, after the last iteration."""

    variant: Word
    arm: str


class Claim(Section):
    """One contender is better than another, in units of the metric.

    It holds when the lower bound of the interval lies above ``above`` (a negative number claims no
    more than that nothing worse happened) and, where ``at_least`` is given, the estimate reaches
    it. Where less is better, say so by naming the contenders the other way round.
    """

    better: Title
    than: Title
    metric: str
    at_least: float | None = None
    above: float = 0.0


class LabelSaving(Section):
    """The share of bought labels that one contender needs less to reach another's final score."""

    of: Title
    than: Title
    metric: str
    at_least: float = 0.0


class SeedLists(Section):
    """Seeds that choices are made on, and seeds that are run once when all is decided."""

    tuning: Seeds
    confirmation: Seeds

    @model_validator(mode="after")
    def _are_apart(self) -> Self:
        both = sorted(set(self.tuning) & set(self.confirmation))
        if both:
            raise ValueError(f"seeds {both} are in both lists; what was tuned on confirms nothing")
        return self


class ExperimentConfig(Section):
    """A comparison that is written down before it runs.

    Every variant is the ``campaign`` with ``changes`` and then its own changes; every seed of it
    is a campaign of its own. ``primary`` is the one comparison that the experiment was made for,
    at 95 %; all ``secondary`` ones share simultaneous intervals.

    With ``folds`` the experiment is a repeated cross-validation: the whole campaign runs anew for
    every fold, seed ``s`` holding out fold ``s % folds`` of repeat ``s // folds``. Every labelled
    row is then scored once in each repeat, by models that never saw its group.
    """

    name: Word
    description: str = ""
    campaign: str
    iterations: Positive = 1
    changes: dict[str, Any] = Field(default_factory=dict)
    variants: dict[Word, dict[str, Any]]
    contenders: dict[Title, Contender]
    metrics: Names = ("balanced_accuracy", "few3")
    corruptions: Names = ()
    primary: Claim
    secondary: tuple[Claim, ...] = ()
    savings: tuple[LabelSaving, ...] = ()
    seeds: SeedLists
    folds: Annotated[int, Field(ge=2, le=20)] | None = None

    @model_validator(mode="after")
    def _has_whole_repeats(self) -> Self:
        if self.folds is None:
            return self
        if self.seeds.tuning:
            raise ValueError("with folds every row confirms; leave seeds.tuning empty")
        repeats = {seed // self.folds for seed in self.seeds.confirmation}
        whole = {r * self.folds + fold for r in repeats for fold in range(self.folds)}
        missing = sorted(whole - set(self.seeds.confirmation))
        if missing:
            raise ValueError(
                f"seeds {missing} miss in seeds.confirmation: with {self.folds} folds, repeat r is "
                f"the {self.folds} seeds from {self.folds} * r on"
            )
        return self

    @model_validator(mode="after")
    def _names_what_is_there(self) -> Self:
        if not self.variants or not self.seeds.confirmation:
            raise ValueError("variants and seeds.confirmation need one entry or more")
        seeds = (*self.seeds.tuning, *self.seeds.confirmation)
        names = (cell_name(self.name, v, s, "") for v in self.variants for s in seeds)
        longest = max(names, key=len)
        if len(longest) > LONGEST_NAME:
            raise ValueError(
                f"a cell would be called {longest!r}, and a campaign's name has {LONGEST_NAME} "
                "characters at most; shorten the experiment's or the variant's"
            )
        for title, contender in self.contenders.items():
            if contender.variant not in self.variants:
                raise ValueError(
                    f"contender {title!r} names the variant {contender.variant!r}; there are: "
                    f"{', '.join(self.variants)}"
                )
        named = [(claim.better, claim.than, claim.metric) for claim in self.claims]
        named += [(saving.of, saving.than, saving.metric) for saving in self.savings]
        for one, other, metric in named:
            missing = {one, other} - set(self.contenders)
            if missing:
                raise ValueError(
                    f"a claim names {sorted(missing)}; the contenders are: "
                    f"{', '.join(self.contenders)}"
                )
            if metric not in self.scored:
                raise ValueError(
                    f"a claim is about {metric!r}; `metrics` and `corruptions` give: "
                    f"{', '.join(self.scored)}"
                )
        return self

    @model_validator(mode="after")
    def _claims_what_can_be_judged(self) -> Self:
        for saving in self.savings:
            if saving.metric not in CURVES:
                raise ValueError(
                    f"a saving is about {saving.metric!r}; it can be about {', '.join(CURVES)}"
                )
        resampled = {*RESAMPLED, *SHIFTED}
        foreign = sorted({claim.metric for claim in self.claims} - resampled)
        if foreign:
            raise ValueError(
                f"a claim is about {foreign}, whose rows cannot be resampled here; claims can be "
                f"about {', '.join(sorted(resampled))}"
            )
        return self

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Return the primary claim, and then the others."""
        return (self.primary, *self.secondary)

    @property
    def scored(self) -> tuple[str, ...]:
        """Return every metric that is kept for each arm."""
        return (*self.metrics, *(SHIFTED if self.corruptions else ()))

    def cell_campaign(
        self, base: Mapping[str, Any], variant: str, seed: int, registration: str = ""
    ) -> CampaignConfig:
        """Return the campaign of one variant and seed.

        Args:
            base: The campaign's document that is varied.
            variant: Which changes.
            seed: The campaign's seed.
            registration: Digest of the plan. It is part of the name, so that a changed plan runs
                campaigns of its own; what did not change is found by its derivation keys.

        Raises:
            ConfigurationError: If the changes make no valid campaign.
        """
        document = merged(merged(base, self.changes), self.variants[variant])
        splits = dict(document.get("splits", {}))
        if self.folds is not None:
            dealt = derive_seed("folds", self.name, seed // self.folds) % 2**31
            fold = {"count": self.folds, "number": seed % self.folds, "seed": dealt}
            splits["test_fold"] = fold
        elif splits.get("test_seed") is None:
            splits["test_seed"] = derive_seed("test rows", self.name) % 2**31
        # How long it runs is the experiment's to say, for all seeds alike.
        loop = {**document.get("loop", {}), "max_iterations": self.iterations, "patience": 1000}
        document |= {
            "name": cell_name(self.name, variant, seed, registration),
            "seed": seed,
            "splits": splits,
            "loop": loop,
        }
        return parse_campaign(document, f"experiment {self.name!r}, variant {variant!r}")


def cell_name(experiment: str, variant: str, seed: int, registration: str) -> str:
    """Return the name of a cell's campaign."""
    return f"{experiment}_{variant}_{seed}_{registration[:6] or 'unregd'}"


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``changes`` laid over it, mapping by mapping; lists are replaced.

    So is a part of which the changes give another name: its parameters would mean nothing to that.
    """
    result = dict(base)
    for key, value in changes.items():
        before = result.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            is_other = "name" in before and value.get("name", before["name"]) != before["name"]
            result[key] = dict(value) if is_other else merged(before, value)
        else:
            result[key] = value
    return result


def parse_experiment(document: Any, origin: str) -> ExperimentConfig:
    """Check a parsed document; ``origin`` names it in messages.

    Raises:
        ConfigurationError: Naming every wrong field with its value and what it should be.
    """
    return parse_as(ExperimentConfig, document, origin, "an experiment")


def read_experiment(path: Path) -> ExperimentConfig:
    """Read and check an experiment file.

    Raises:
        ConfigurationError: If the file is missing, is no YAML, or is not a valid experiment.
    """
    return read_by_name(path, parse_experiment, kind="experiment", missing="no_experiment_file")


def experiment_names(folder: Path | None = None) -> list[str]:
    """Return the names of the experiment files, sorted; what the DAG file lists."""
    return sorted(path.stem for path in (folder or Settings.read().experiments).glob("*.yaml"))
