"""What the curves say of measurements that are given, and that sizes reach the benchmark."""

from __future__ import annotations

import pytest

from benchmarks.__main__ import main
from benchmarks.scale import _cases, _with_limit
from benchmarks.scale.pictures import pictures
from benchmarks.scale.runs import Run


def make_run(seconds: float, grown: float = 10.0, **changes: float) -> Run:
    facts = {"computed": 0.8 * seconds, "waited": 0.1 * seconds, "peak_mb": 300.0, "load": 0.0}
    facts |= {"started": 0.0, "ended": seconds, "child_mb": 0.0, **changes}
    return Run(seconds=seconds, grown_mb=grown, note="given", **facts)


def test_slopes_are_exponents_of_the_rows() -> None:
    curve = [(n, make_run(1e-6 * n**2, 1e-3 * n)) for n in (10_000, 30_000, 100_000)]
    curve[0] = (10_000, make_run(190.0, waited=100.0))  # 90 s of work, as in the others

    *_, last = _cases("stage", curve)

    assert "time ~ rows^2.00, memory ~ rows^1.00" in last.note


def test_the_limiting_resource_is_told_in_shares_of_all_seconds() -> None:
    runs = [make_run(2.0), make_run(2.0, computed=1.0, waited=0.8)]

    found = _with_limit(runs[0], runs, 2.5)

    assert found.seconds == 2.5
    assert found.note == (
        "two parts: 65 % computing, 25 % waiting for a core, 10 % waiting for database or disk"
    )


def test_pictures_hang_on_their_seed_and_hold_all_classes() -> None:
    x, y, groups = pictures(400)

    assert x.shape == (400, 8, 8, 1)
    assert (pictures(400)[0] == x).all()
    assert (pictures(400, seed=1)[0] != x).any()
    assert set(y.tolist()) == {0, 1, 2, 3}
    assert len(set(groups.tolist())) == 100


def test_too_few_rows_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["scale", "--sizes", "10"])
    assert "fewer than 500 rows" in capsys.readouterr().err
