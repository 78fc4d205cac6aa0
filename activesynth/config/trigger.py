"""What a person may set when triggering an iteration, in Airflow or on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field, ValidationError

from activesynth.config.campaign import CampaignConfig, Section
from activesynth.domain.registry import invalid

Form = TypeVar("Form", bound=Section)


class Trigger(Section):
    """The trigger form; None means "as the campaign file says".

    ``iterations`` counts this run and its successors; ``labels`` is the annotation budget of each
    iteration; ``growth`` the synthetic budget as a share of the labelled real rows.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    campaign: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
    iterations: Annotated[int, Field(ge=1, le=1000)] = 1
    labels: Annotated[int, Field(ge=0, le=100_000)] | None = None
    growth: Annotated[float, Field(gt=0.0, le=5.0)] | None = None
    annotator: Annotated[str, Field(max_length=40)] | None = None
    note: Annotated[str, Field(max_length=200)] | None = None


class DiagnosisRequest(Section):
    """The form of a diagnosis on demand."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    campaign: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]


class ExperimentRequest(Section):
    """The form of an experiment's run."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    experiment: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,19}$")]
    phase: Literal["tuning", "confirmation"] = "tuning"


def parse_trigger(conf: Mapping[str, Any]) -> Trigger:
    """Check a trigger's parameters strictly; an empty form field counts as not given.

    Raises:
        ConfigurationError: Naming each wrong or undeclared field.
    """
    return _parse(Trigger, conf)


def parse_diagnosis(conf: Mapping[str, Any]) -> DiagnosisRequest:
    """Check the parameters of a diagnosis as strictly.

    Raises:
        ConfigurationError: Naming each wrong or undeclared field.
    """
    return _parse(DiagnosisRequest, conf)


def parse_experiment_run(conf: Mapping[str, Any]) -> ExperimentRequest:
    """Check the parameters of an experiment's run as strictly.

    Raises:
        ConfigurationError: Naming each wrong or undeclared field.
    """
    return _parse(ExperimentRequest, conf)


def _parse(form: type[Form], conf: Mapping[str, Any]) -> Form:
    given = {key: value for key, value in conf.items() if value not in (None, "")}
    try:
        return form.model_validate(given)
    except ValidationError as error:
        allowed = ", ".join(form.model_fields)
        raise invalid("trigger parameters", error, end=f"; the fields are: {allowed}.") from error


def apply_trigger(config: CampaignConfig, overrides: Mapping[str, Any]) -> CampaignConfig:
    """Return the campaign's config as one iteration uses it."""
    selection, plan, annotation = config.selection, config.plan, config.annotation
    if overrides.get("labels") is not None:
        selection = selection.model_copy(update={"labels": overrides["labels"]})
    if overrides.get("growth") is not None:
        plan = plan.model_copy(update={"growth": overrides["growth"]})
    if overrides.get("annotator") is not None:
        annotation = annotation.model_copy(
            update={"annotator": overrides["annotator"], "parameters": {}}
        )
    return config.model_copy(
        update={"selection": selection, "plan": plan, "annotation": annotation}
    )
