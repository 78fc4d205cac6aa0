"""Every sentinel fires on a planted case and is silent on a clean one."""

from __future__ import annotations

import numpy as np
import pytest

from activesynth.domain.canonical import Array
from activesynth.errors import InputError, ShapeError
from activesynth.evaluation.estimable import NotEstimable
from activesynth.evaluation.overfitting import Overfitting, measure_overfitting, row_losses
from activesynth.evaluation.sentinels import (
    SAID,
    Alarm,
    alarm_rows,
    heed,
    watch_count,
    watch_fall,
    watch_share,
)
from activesynth.evaluation.tails import tail_mass
from activesynth.statistics.intervals import Interval, wilson


def cloud(rows: int, seed: int, spread: float = 1.0) -> tuple[Array, Array]:
    """Return two classes of normal rows in five dimensions."""
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % 2
    return rng.normal(scale=spread, size=(rows, 5)) + 6.0 * y[:, None], y


def tail(spread: float, seed: int) -> Interval:
    found = tail_mass(*cloud(400, 0), *cloud(400, seed, spread))
    assert isinstance(found, Interval)
    return found


def test_tail_mass_agrees_with_a_loop_over_rows() -> None:
    real, y = cloud(60, 0)
    made, labels = cloud(40, 1)

    found = tail_mass(real, y, made, labels)

    beyond = 0
    for row, label in zip(made, labels, strict=True):
        ours = real[y == label]
        middle = ours.mean(axis=0)
        far = sorted(float(np.sqrt(((one - middle) ** 2).sum())) for one in ours)
        beyond += int(float(np.sqrt(((row - middle) ** 2).sum())) > np.quantile(far, 0.8))
    assert isinstance(found, Interval)
    assert found.value == pytest.approx(beyond / 40)
    assert found.n == 40


def test_new_real_rows_have_on_average_the_tail_that_real_rows_have() -> None:
    # One limit from 200 rows of a class is itself off by some points, hence the average.
    found = [tail_mass(*cloud(400, 2 * k), *cloud(400, 2 * k + 1)) for k in range(30)]

    shares = [one.value for one in found if isinstance(one, Interval)]
    assert len(shares) == 30
    assert np.mean(shares) == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(("spread", "is_raised"), [(1.0, False), (0.6, True)])
def test_a_generator_that_keeps_to_the_middle_of_its_classes_raises_the_alarm(
    spread: float, is_raised: bool
) -> None:
    alarm = watch_fall("tail_mass", tail(1.0, 1), tail(spread, 2), limit=0.05, blocks=False)

    assert alarm.is_raised is is_raised


@pytest.mark.parametrize("name", ["generator_drift", "verifier_drift"])
@pytest.mark.parametrize(("now", "is_raised"), [(180, False), (170, False), (120, True)])
def test_a_share_that_falls_beyond_its_limit_and_chance_raises_the_alarm(
    name: str, now: int, is_raised: bool
) -> None:
    alarm = watch_fall(name, wilson(184, 200), wilson(now, 200), limit=0.1, blocks=False)

    assert alarm.is_raised is is_raised


def test_without_an_earlier_number_nothing_has_fallen() -> None:
    alarm = watch_fall("tail_mass", None, wilson(0, 100), limit=0.1, blocks=True)

    assert not alarm.is_raised
    assert alarm.measured is None
    assert "alarm_value" not in {row.name for row in alarm_rows(alarm)}


def gains(real: float, synthetic: float) -> Overfitting:
    rng = np.random.default_rng(4)
    found = measure_overfitting(
        real + rng.normal(scale=0.5, size=200),
        np.arange(200),
        synthetic + rng.normal(scale=0.5, size=150),
        np.arange(150),
    )
    assert isinstance(found, Overfitting)
    return found


@pytest.mark.parametrize(
    ("real", "synthetic", "is_raised"), [(-0.2, 1.2, True), (0.3, 1.2, False), (-0.2, 0.1, False)]
)
def test_gaining_on_synthetic_rows_alone_is_overfitting(
    real: float, synthetic: float, is_raised: bool
) -> None:
    found = gains(real, synthetic)

    assert found.gap.value == pytest.approx(found.synthetic.value - found.real.value)
    assert found.exceeds(0.5) is is_raised


def test_row_losses_are_the_log_loss_of_every_row() -> None:
    from sklearn.metrics import log_loss

    rng = np.random.default_rng(5)
    y, probs = rng.integers(3, size=30), rng.dirichlet(np.ones(3), size=(4, 30))

    losses = row_losses(y, probs)

    expected = np.mean([log_loss(y, one, labels=[0, 1, 2]) for one in probs])
    assert losses.mean() == pytest.approx(expected)


def test_too_few_rows_raise_nothing() -> None:
    few = np.zeros(9)

    assert isinstance(measure_overfitting(few, few, few, few), NotEstimable)
    assert isinstance(tail_mass(*cloud(40, 0), *cloud(4, 1)), NotEstimable)
    assert isinstance(tail_mass(*cloud(8, 0), *cloud(40, 1)), NotEstimable)


def test_what_does_not_fit_is_refused() -> None:
    x, y = cloud(20, 0)
    with pytest.raises(InputError, match="the tail must lie in"):
        tail_mass(x, y, x, y, tail=1.0)
    with pytest.raises(ShapeError, match="one label per row"):
        tail_mass(x, y[:3], x, y)
    with pytest.raises(ShapeError, match="20 rows"):
        row_losses(y, np.ones((20, 2)))


@pytest.mark.parametrize(("count", "is_raised"), [(0, False), (1, True)])
def test_a_single_leaking_row_raises_the_alarm(count: int, is_raised: bool) -> None:
    assert watch_count("split_leaks", count, limit=0, blocks=True).is_raised is is_raised


@pytest.mark.parametrize(("count", "is_raised"), [(5, False), (6, True)])
def test_reads_of_test_beyond_the_limit_raise_the_alarm(count: int, is_raised: bool) -> None:
    assert watch_count("test_reads", count, limit=5, blocks=False).is_raised is is_raised


@pytest.mark.parametrize(("copies", "is_raised"), [(0, False), (8, False), (30, True)])
def test_a_share_beyond_its_limit_and_chance_raises_the_alarm(copies: int, is_raised: bool) -> None:
    alarm = watch_share("guarded_copies", wilson(copies, 100), limit=0.05, blocks=False)

    assert alarm.is_raised is is_raised


def test_an_alarm_that_blocks_refuses_and_one_that_warns_is_named() -> None:
    blocking = watch_count("split_leaks", 3, limit=0, blocks=True)
    warning = watch_count("test_reads", 9, limit=5, blocks=False)
    quiet = watch_count("test_reads", 1, limit=5, blocks=True)

    assert heed([quiet], True, "promoted: fine.") == (True, "promoted: fine.")
    promoted, reason = heed([warning], True, "promoted: fine.")
    assert promoted
    assert reason.startswith("promoted: fine. Alarm that only warns: test_reads: ")
    assert reason.endswith("9, limit 5")
    promoted, reason = heed([warning, blocking], True, "promoted: fine.")
    assert not promoted
    assert reason.startswith("refused: alarm that `sentinels.blocking` names: split_leaks: ")
    assert "promoted: fine" in reason
    assert heed([blocking], False, "refused: worse.")[0] is False


@pytest.mark.parametrize("name", list(SAID))
def test_the_rows_of_an_alarm_say_what_was_compared(name: str) -> None:
    alarm = Alarm(name, Interval(0.3, 0.2, 0.4, 50), 0.1, is_raised=True, blocks=True)

    rows = {row.name: row for row in alarm_rows(alarm)}

    assert {row.slice for row in rows.values()} == {f"sentinel:{name}"}
    assert (rows["alarm"].value, rows["alarm_blocks"].value) == (1.0, 1.0)
    assert (rows["alarm_value"].low, rows["alarm_value"].n) == (0.2, 50)
    assert rows["alarm_limit"].value == 0.1
    assert "0.3 [0.2, 0.4], limit 0.1" in str(alarm)
