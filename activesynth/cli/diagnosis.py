"""``diagnose``: where a campaign's model is weak, or any model whose predictions are in a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from activesynth.cli.output import AsJson, print_json, print_rows
from activesynth.cli.session import connected
from activesynth.errors import ConfigurationError

if TYPE_CHECKING:
    from activesynth.domain.documents import WeaknessProfile

WEAKNESSES = ("rank", "title", "state", "confirmed", "gap", "low", "high", "n", "p_value")
SWEEP = (
    *("tau", "share", "low", "high", "n_inside"),
    *("error_inside", "error_inside_low", "error_inside_high"),
    *("error_outside", "error_outside_low", "error_outside_high"),
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("diagnose")(diagnose)


def diagnose(
    campaign: Annotated[
        str | None, typer.Argument(help="A campaign whose head model is diagnosed on guide.")
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option("--predictions", help="A table of predictions instead: csv, parquet or npz."),
    ] = None,
    run_key: Annotated[
        str | None,
        typer.Option("--run-key", help="Of a campaign: the same key finds the same diagnosis."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the profile as JSON to this file.")
    ] = None,
    sweep_tau: Annotated[
        bool, typer.Option("--sweep-tau", help="Show the uncertain region at several tau, too.")
    ] = False,
    margin: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Of a table: gap that is acceptable.")
    ] = 0.05,
    alpha: Annotated[
        float, typer.Option(min=1e-6, max=0.499, help="Of a table: error of all tests together.")
    ] = 0.05,
    min_support: Annotated[
        int, typer.Option(min=1, help="Of a table: fewest rows of a slice.")
    ] = 10,
    tau: Annotated[
        float | None, typer.Option(min=0.0, help="Of a table: threshold of the uncertain region.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of a table: which rows confirm.")] = 0,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of a profile and do no more.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say where a model is weak: of a campaign, or behind a table of predictions."""
    if schema:
        from activesynth.domain.documents import WeaknessProfile as Profile

        print_json(Profile.model_json_schema())
        return
    if (campaign is None) == (predictions is None):
        raise ConfigurationError(
            "name a campaign, or give --predictions FILE; one of the two, not both."
        )
    if predictions is not None:
        from activesynth.config.campaign import Uncertainty
        from activesynth.datasets.prediction_files import predictions_apart
        from activesynth.operations.predictions import checked_predictions, diagnose_predictions

        defaults = Uncertainty()
        profile = diagnose_predictions(
            checked_predictions(predictions_apart(predictions)),
            predictions.stem,
            margin=margin,
            alpha=alpha,
            min_support=min_support,
            tau=tau,
            tau_quantile=defaults.tau_quantile,
            sweep=defaults.sweep,
            seed=seed,
        )
    else:
        profile = _of_campaign(str(campaign), run_key)
    _deliver(profile, out, as_json=as_json, sweep=sweep_tau)


def _of_campaign(campaign: str, run_key: str | None) -> WeaknessProfile:
    from activesynth.operations.diagnose import diagnose as on_demand
    from activesynth.operations.diagnose import profile_of

    with connected(campaign) as platform:
        key = run_key or f"by_hand__{platform.clock.now():%Y-%m-%dT%H:%M:%S.%f}"
        return profile_of(on_demand(campaign, key, platform), platform)


def _deliver(profile: WeaknessProfile, out: Path | None, *, as_json: bool, sweep: bool) -> None:
    document: dict[str, Any] = profile.model_dump(mode="json")
    if out is not None:
        _write(out, profile)
    if as_json:
        print_json(document)
        return
    empty = (
        f"no weakness: nothing exceeds the margin of {profile.margin:g} beyond chance. That is no "
        "proof of its absence where rows are few."
    )
    print_rows(document["weaknesses"], as_json=False, empty=empty, columns=WEAKNESSES)
    print(
        f"uncertain region: {100 * profile.uncertain_share:.1f} % of the rows "
        f"[{100 * profile.uncertain_low:.1f}, {100 * profile.uncertain_high:.1f}] lie above "
        f"tau = {profile.tau:.4g}"
    )
    if sweep:
        print_rows(document["sweep"], as_json=False, empty="", columns=SWEEP)


def _write(out: Path, profile: WeaknessProfile) -> None:
    try:
        out.write_bytes(profile.encode() + b"\n")
    except OSError as error:
        raise ConfigurationError(f"--out {str(out)!r} cannot be written: {error}.") from error
