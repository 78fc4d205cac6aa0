"""What to run: the strict model of a campaign file."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from unicodedata import category

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from activesynth.config.cron import check_schedule
from activesynth.config.named_file import parse_as, read_by_name
from activesynth.config.settings import Settings
from activesynth.domain.documents import WeaknessKind

logger = logging.getLogger(__name__)
Share = Annotated[float, Field(ge=0.0, le=1.0)]
SomeShare = Annotated[float, Field(gt=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]
SentinelName = Literal[
    "tail_mass",
    "generator_drift",
    "verifier_drift",
    "bias_amplification",
    "synthetic_overfitting",
    "split_leaks",
    "guarded_copies",
    "test_reads",
]
Items = TypeVar("Items", bound=tuple[Any, ...])


def distinct(items: Items) -> Items:
    """Refuse a value given twice: results are kept by name, so one would hide the other."""
    twice = sorted({item for item in items if items.count(item) > 1})
    if twice:
        raise ValueError(f"{', '.join(map(str, twice))} is given more than once")
    return items


Names = Annotated[tuple[str, ...], AfterValidator(distinct)]


class Section(BaseModel):
    """A part of the file: unknown keys are refused and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _is_plain_text(cls, value: Any) -> Any:
        """Refuse what neither a database nor a terminal takes: control characters, half pairs."""
        hidden = {"Cc", "Cs"}
        if isinstance(value, str) and any(
            category(char) in hidden and char not in "\n\r\t" for char in value
        ):
            raise ValueError("holds control characters; leave them out")
        return value


class Part(Section):
    """A swappable part by name, with its own parameters."""

    name: str
    parameters: dict[str, Any] = {}


class GeneratorPart(Part):
    """The generator by name; ``artifact`` names one that was trained on a corpus of its own.

    Its ``parameters`` are then those it was trained with, and these here say how it is sampled.
    """

    name: str = "diffusion"
    artifact: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")] | None = None


def source_by_address(given: Any) -> Any:
    """Read ``openml:<name>`` as what it is short for."""
    if isinstance(given, str) and given.startswith("openml:"):
        return {"name": "openml", "parameters": {"name": given.removeprefix("openml:")}}
    return given


class LabelNoise(Section):
    """Wrong labels planted in train: this share of the rows of each named class, all unless named.

    The truth of every train row is kept with the pool's hidden labels, for the oracle alone.
    """

    share: Share = 0.0
    classes: Names = ()


class Sampling(Section):
    """Experiment options: make a balanced, fully labelled source harder on purpose.

    ``long_tail`` is the ratio between the largest and the smallest class in train (1 = as it
    is); ``label_budget`` is how many train rows keep their label, the rest goes to the pool;
    ``label_noise`` plants wrong labels; ``rows`` caps how many rows of the source are used.
    """

    long_tail: Annotated[float, Field(ge=1.0)] = 1.0
    label_budget: Annotated[int, Field(ge=10)] | None = None
    label_noise: LabelNoise = LabelNoise()
    rows: Annotated[int, Field(ge=50)] | None = None


class HeldOutFold(Section):
    """A fold of a cross-validation as ``test``: ``number`` of ``count``, dealt by ``seed``."""

    count: Annotated[int, Field(ge=2, le=20)]
    number: Annotated[int, Field(ge=0)]
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if self.number >= self.count:
            raise ValueError(f"number is {self.number}; folds are numbered 0 to {self.count - 1}")
        return self


class SplitShares(Section):
    """Shares of the real rows per split; they must sum to 1.

    Only ``pool`` and ``test`` may be left empty, and ``gate`` where the gate is off: every
    iteration reads the others. Unlabelled rows of the source always enter the pool; ``pool`` is
    the share of the labelled rows whose label is hidden as well, for experiments with an oracle.
    With ``test_seed``, ``test`` (and the choice
    of ``sampling.rows``) hangs on that seed alone: campaigns of other seeds draw their other splits
    anew from the same rest, and none of them ever trains on another's test rows. With
    ``test_fold``, ``test`` is a fold of the labelled rows, and the shares are those of the rest.
    """

    train: SomeShare = 0.4
    pool: Share = 0.0
    guide: SomeShare = 0.2
    judge: SomeShare = 0.1
    gate: Share = 0.15
    test: Share = 0.15
    near_duplicate: Annotated[float, Field(ge=0.0, le=1.0)] = 0.02
    test_seed: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    test_fold: HeldOutFold | None = None

    @model_validator(mode="after")
    def _sums_to_one(self) -> Self:
        total = self.train + self.pool + self.guide + self.judge + self.gate + self.test
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"the six split shares must sum to 1, they sum to {total:.4f}")
        if self.test_seed is not None and self.test == 0.0:
            raise ValueError("test_seed is given, but `test` is 0; give it a share")
        if self.test_fold is not None and (self.test > 0.0 or self.test_seed is not None):
            raise ValueError("test_fold is `test` already; set `test` to 0 and leave out test_seed")
        return self


class Uncertainty(Section):
    """MC-dropout passes, and how tau is set: a fixed value, or a quantile at iteration 0.

    ``sweep`` are further thresholds that the uncertain region is reported at, as shares of
    ln(classes): fixed numbers, so that iterations can be compared.
    """

    passes: Annotated[int, Field(ge=2, le=1000)] = 50
    tau: Annotated[float, Field(gt=0.0)] | None = None
    tau_quantile: Share = 0.8
    sweep: Annotated[tuple[SomeShare, ...], AfterValidator(distinct)] = (0.05, 0.1, 0.2, 0.4, 0.8)


class Clusters(Section):
    """The codebook: how many clusters, and below which share one counts as rare."""

    count: Annotated[int, Field(ge=2, le=4096)] = 16
    delta: Share = 0.02


class Diagnosis(Section):
    """When a slice counts as weak, and at which severities each corruption is tried."""

    margin: Share = 0.05
    alpha: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.05
    min_support: Positive = 10
    corruptions: Names = ("blur", "noise", "rotation", "occlusion", "shadow", "contrast")
    severities: Annotated[tuple[Share, ...], Field(min_length=1), AfterValidator(distinct)] = (
        0.33,
        0.66,
        1.0,
    )


class Planning(Section):
    """The synthetic budget of an iteration and how it is spread.

    Candidates are made in ``shards`` parts that run side by side and are kept one by one; there
    are more parts where one would hold more than ``shard_rows`` candidates of an arm. With
    ``per_second`` the budget follows gain per second; measured seconds then decide what is made,
    so two runs of one campaign no longer make the same. ``everywhere`` is the share of the budget
    that goes to all classes alike, for no weakness: what a slice gains, its neighbours may lose.
    Corruptions together get ``corruption_share`` of the rest at most, while others are open. With
    ``kinds`` only weaknesses of these kinds are planned for; all are diagnosed.
    """

    growth: Annotated[float, Field(gt=0.0, le=5.0)] = 0.2
    explore: Share = 0.2
    everywhere: Share = 0.0
    corruption_share: Share = 0.25
    kinds: tuple[WeaknessKind, ...] = ()
    oversample: Annotated[float, Field(ge=1.0, le=20.0)] = 3.0
    shards: Annotated[int, Field(ge=1, le=256)] = 2
    shard_rows: Annotated[int, Field(ge=10)] = 2000
    per_second: bool = False


class Guidance(Section):
    """Whether targeted candidates are steered to where the base model is unsure.

    Candidates for a class or for the uncertain region are pushed up the gradient of a score ``by``
    the base model, ``scale`` standard deviations of the data per unit of noise. With ``strength``
    they begin at real rows of their class that the model is unsure about, noised through that
    share of the noise levels, and not at pure noise. The control arm is never steered.
    """

    by: Literal["none", "entropy", "variance"] = "none"
    scale: Annotated[float, Field(ge=0.0, le=100.0)] = 0.5
    strength: SomeShare | None = None

    @property
    def is_off(self) -> bool:
        """Tell whether nothing is steered."""
        return (self.by == "none" or self.scale == 0.0) and self.strength is None


class Screening(Section):
    """The limits of the two-sided screen; quantiles are calibrated on real guide rows."""

    realism_quantile: Share = 0.99
    confidence_quantile: Share = 0.01
    min_label_probability: Share = 0.15
    duplicate_quantile: Share = 0.005
    easy_quantile: Share = 0.05


class Selection(Section):
    """What is asked about, and how often.

    ``retrieve`` is the share of ``labels`` that goes to the pool rows nearest to where the model
    fails, the strategy choosing the rest. ``review`` and ``recheck`` are asked besides: synthetic
    samples to judge, and train rows whose label looks wrong.
    """

    strategy: str = "badge"
    parameters: dict[str, Any] = {}
    labels: Annotated[int, Field(ge=0)] = 40
    retrieve: Share = 0.25
    review: Annotated[int, Field(ge=0)] = 0
    recheck: Annotated[int, Field(ge=0)] = 0


class AnnotationSection(Section):
    """Who answers, how long a run waits for people, and the share that a second person answers too.

    The task that waits is ended 90 days after a moment before it asks: a wait is an hour shorter.
    """

    annotator: str = "oracle"
    parameters: dict[str, Any] = {}
    timeout_hours: Annotated[float, Field(gt=0.0, le=90 * 24 - 1)] = 72.0
    second_opinions: Share = 0.0


class Training(Section):
    """What all arms share: replicates, and the share of a batch that stays real.

    Under a half real is never allowed, and all real would leave synthetic rows without weight.
    ``quality`` is what synthetic rows are weighed by, beside their weakness's benefit: the
    generator's confidence times the verifier's probability of the label, or also how real they look
    to a discriminator in embedding space.
    """

    replicates: Annotated[int, Field(ge=1, le=50)] = 3
    real_share: Annotated[float, Field(ge=0.5, lt=1.0)] = 0.6
    quality: Literal["confidence", "discriminator"] = "confidence"


class Fairness(Section):
    """Which attribute of the rows names groups of people, and which class they want to be in.

    Both or neither. For a diagnosis the class is the one whose cases must be found, so that equal
    opportunity compares how often they are.
    """

    attribute: Annotated[str, Field(min_length=1)] | None = None
    favourable: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.attribute is None) != (self.favourable is None):
            raise ValueError("`attribute` and `favourable` belong together; give both or neither")
        return self


class Evaluation(Section):
    """The primary metric, the control that lift is measured against, and the arms.

    Which direction is better is the metric's own ``higher_is_better``. The gate goes by it, so
    its bounds and its superiority read "larger is better" for ``nll`` and ``ece`` too; the lift
    rows stay plain differences, where for those two a negative number is the good one.
    """

    metric: str = "balanced_accuracy"
    control: str = "reweighted"
    arms: Names = ("real", "reweighted", "random", "targeted")
    resamples: Annotated[int, Field(ge=100, le=100_000)] = 1000
    fairness: Fairness = Fairness()

    @model_validator(mode="after")
    def _has_its_controls(self) -> Self:
        missing = {"real", "reweighted", "random", "targeted"} - set(self.arms)
        if missing:
            raise ValueError(f"the arms {sorted(missing)} always run and cannot be left out")
        if self.control not in self.arms or self.control == "targeted":
            raise ValueError(f"control must be one of the arms other than targeted: {self.arms}")
        return self


class Audits(Section):
    """What is measured on guide beside the metrics of every arm, and on how many rows.

    The two that compare features cost a second or two; ``robustness`` predicts 75 corrupted copies
    and ``attack`` follows gradients, for each of ``arms``. Features are the frozen encoder's, on
    the ``dimensions`` directions that hold most of guide. ``attack_levels`` are of 255.
    """

    run: Annotated[
        tuple[Literal["robustness", "attack", "fidelity", "memorisation"], ...],
        AfterValidator(distinct),
    ] = ("fidelity", "memorisation")
    rows: Annotated[int, Field(ge=20, le=100_000)] = 500
    arms: Annotated[Names, Field(min_length=1)] = ("real", "targeted")
    dimensions: Annotated[int, Field(ge=1, le=4096)] = 16
    attack_steps: Annotated[int, Field(ge=1, le=1000)] = 10
    attack_levels: Annotated[int, Field(ge=1, le=255)] = 8


class Sentinels(Section):
    """From where on a sentinel raises its alarm, and which alarms refuse a promotion.

    A fall is counted from the campaign's first iteration and must exceed its limit with its whole
    95 % interval. ``overfitting`` is in nats, ``test_reads`` counts reads of an epoch.
    """

    blocking: Annotated[tuple[SentinelName, ...], AfterValidator(distinct)] = ("split_leaks",)
    tail_fall: Share = 0.1
    generator_fall: Share = 0.1
    verifier_fall: Share = 0.05
    overfitting: Annotated[float, Field(ge=0.0, le=100.0)] = 0.5
    guarded_copies: Share = 0.05
    test_reads: Annotated[int, Field(ge=0)] = 5


class Gate(Section):
    """The promotion rule: margins in points of the metric (0.01 is one point).

    Not ``enabled``, it decides nothing, for where there are too few rows to decide by: bought
    labels join the head version, synthetic rows and their models stay with their iteration.
    """

    enabled: bool = True
    margin: Share = 0.01
    guarded: dict[str, Share] = {"macro_f1": 0.02}
    alpha: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.05
    max_reads: Positive = 20


class Loop(Section):
    """When to stop."""

    max_iterations: Annotated[int, Field(ge=1, le=1000)] = 5
    min_reduction: Share = 0.02
    patience: Positive = 2
    max_minutes: Annotated[float, Field(gt=0.0)] = 600.0
    max_labels: Annotated[int, Field(ge=0)] = 100_000


class Refresh(Section):
    """The nightly refresh: cron in UTC, and whether a changed dataset starts an iteration."""

    schedule: Annotated[str, AfterValidator(check_schedule)] | None = None
    triggers_iteration: bool = False
    max_drift: Share = 0.2


class CampaignConfig(Section):
    """One learning problem followed over time."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
    description: str = ""
    task: Literal["classification"] = "classification"
    modality: str = "image"
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    source: Annotated[Part, BeforeValidator(source_by_address)]
    sampling: Sampling = Sampling()
    splits: SplitShares = SplitShares()
    trainer: Part = Part(name="cnn")
    generator: GeneratorPart = GeneratorPart()
    uncertainty: Uncertainty = Uncertainty()
    clusters: Clusters = Clusters()
    diagnosis: Diagnosis = Diagnosis()
    plan: Planning = Planning()
    guidance: Guidance = Guidance()
    screening: Screening = Screening()
    selection: Selection = Selection()
    annotation: AnnotationSection = AnnotationSection()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    audits: Audits = Audits()
    sentinels: Sentinels = Sentinels()
    gate: Annotated[Gate, Field(validate_default=True)] = Gate()
    loop: Loop = Loop()
    refresh: Refresh = Refresh()

    @field_validator("gate")
    @classmethod
    def _has_rows_to_decide_by(cls, gate: Gate, checked: ValidationInfo) -> Gate:
        splits = checked.data.get("splits")  # missing where it is wrong itself
        if gate.enabled and splits is not None and splits.gate == 0.0:
            raise ValueError(
                "`splits.gate` is 0, and the gate needs rows to decide by; give it a share, or "
                "switch it off with `gate: {enabled: false}`"
            )
        return gate

    @model_validator(mode="after")
    def _audits_arms_that_run(self) -> Self:
        missing = sorted(set(self.audits.arms) - set(self.evaluation.arms))
        if missing:
            raise ValueError(
                f"`audits.arms` names {missing}, which do not run; the arms are "
                f"{list(self.evaluation.arms)}"
            )
        return self


def rows_seed(config: CampaignConfig) -> int:
    """Return the seed that decides which rows of the source are used."""
    if config.splits.test_fold is not None:
        return 0  # the same for all folds and repeats, which are about the same rows
    fixed = config.splits.test_seed
    return config.seed if fixed is None else fixed


def parse_campaign(document: Any, origin: str) -> CampaignConfig:
    """Check a parsed document; ``origin`` names it in messages.

    Raises:
        ConfigurationError: Naming every wrong field with its value and what it should be.
    """
    return parse_as(CampaignConfig, document, origin, "a campaign")


def read_campaign(path: Path) -> CampaignConfig:
    """Read and check a campaign file.

    Raises:
        ConfigurationError: If the file is missing, cannot be read, is no YAML, gives a key twice,
            or is not a valid campaign.
    """
    return read_by_name(path, parse_campaign, kind="campaign", missing="no_campaign_file")


def campaign_names(folder: Path | None = None) -> list[str]:
    """Return the names of the campaign files, sorted; what DAG files list."""
    return sorted(path.stem for path in (folder or Settings.read().campaigns).glob("*.yaml"))


def read_named(name: str) -> CampaignConfig | None:
    """Read a campaign by name, or return None where its file is not valid, and log why.

    For DAG files, where one broken campaign must not take the others away: nothing is raised.
    """
    try:
        return read_campaign(Settings.read().campaigns / f"{name}.yaml")
    except Exception as error:
        logger.warning("campaign %s is left out: %s", name, error)
        return None


def campaign_schema() -> dict[str, Any]:
    """Return the JSON Schema of a campaign file."""
    return CampaignConfig.model_json_schema()
