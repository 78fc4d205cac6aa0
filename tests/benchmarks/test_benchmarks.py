"""Whether the benchmarks run at all, at tiny size; no time is ever asserted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from activesynth.domain.canonical import Array
from activesynth.nn.numerics import fix_threads
from benchmarks.__main__ import main
from benchmarks.interleaved import interleaved
from benchmarks.measure import Case, measured
from benchmarks.registry import BENCHMARKS
from benchmarks.sampling import Comparison, Ruler, real_digits
from benchmarks.table import render

ROOT = Path(__file__).parents[2]


# An Airflow more for `orchestration` would cost minutes: tests/orchestration looks at its accounts.
@pytest.mark.parametrize("name", sorted(BENCHMARKS.keys() - {"orchestration"}))
def test_every_benchmark_runs_and_measures_more_than_one_case(name: str) -> None:
    fix_threads(1)
    cases: list[Case] = import_module(BENCHMARKS[name]).measure(quick=True)

    assert len(cases) >= 2
    assert len({case.name for case in cases}) == len(cases)
    assert all(case.seconds >= 0 for case in cases)
    assert cases[0].seconds > 0


def test_the_command_prints_a_table_and_leaves_no_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "codebook"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert re.search(r"^\| our codebook \| [0-9.]+ \| 1\.00 \|", done.stdout, re.MULTILINE)
    assert list(tmp_path.iterdir()) == []


def test_ratios_are_to_the_first_case() -> None:
    table = render("Two", [Case("a", 2.0, 1.4, "first"), Case("b", 5.0)])

    assert table.splitlines()[-2:] == [
        "| a | 2.000 | 1.00 | 1 | first |",
        "| b | 5.000 | 2.50 |  |  |",
    ]


def test_memory_is_what_the_call_grew_by_and_not_what_was_there() -> None:
    there = bytearray(os.urandom(1 << 20)) * 48
    large, made = measured("large", lambda: bytearray(b"x") * (64 << 20))
    small, _ = measured("small", lambda: sum(range(10)))

    assert len(there) + len(made) == 112 << 20
    if large.memory_mb is None or small.memory_mb is None:
        pytest.skip("this kernel does not let a process forget its peak")
    assert 60 < large.memory_mb < 80
    assert small.memory_mb < 30


def test_contenders_take_turns_and_the_fastest_of_each_counts() -> None:
    order: list[str] = []
    ticks = iter([0, 4, 10, 12, 20, 22, 30, 39])

    def contender(name: str) -> str:
        order.append(name)
        return name * len(order)

    contenders = {name: partial(contender, name) for name in ("a", "b")}
    found = interleaved(contenders, rounds=2, clock=lambda: next(ticks))

    assert order == ["a", "b", "a", "b"]
    assert [case.seconds for case, _ in found.values()] == [2, 2]
    assert [case.note for case, _ in found.values()] == ["", "ratio 0.50 to 4.50"]
    assert [result for _, result in found.values()] == ["aaa", "bbbb"]


def test_a_stock_sampler_gets_the_fewest_steps_with_which_it_is_as_near_as_ours() -> None:
    digits = real_digits().x
    rng = np.random.default_rng(0)
    noise = rng.normal(scale=200.0, size=(192, *digits.shape[1:]))

    def noisy(steps: int, seed: int) -> Array:
        return np.clip(digits[seed : seed + 192] + noise / steps, 0, 255).astype(np.uint8)

    comparison = Comparison(Ruler(digits, steps=5), range(1), 1, (2, 3, 6, 8))
    ours, same, worse = comparison.cases(
        {"ours": lambda seed: noisy(6, seed)},
        7,
        {"same": noisy, "worse": lambda steps, seed: noisy(min(steps, 3), seed)},
    )

    assert "7 steps" in ours.note
    assert "6 steps" in same.note
    assert "never" not in same.note
    assert "3 steps" in worse.note
    assert worse.note.endswith("never as near")


def test_an_unknown_benchmark_is_named_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["nonsense"])
    assert "'nonsense'; there are: dropout, rows" in capsys.readouterr().err
