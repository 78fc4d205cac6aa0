"""A table of predictions alone: its weaknesses are named, and bad tables are refused precisely."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from activesynth.cli import main
from activesynth.datasets.prediction_files import read_columns
from activesynth.domain.canonical import Array
from activesynth.domain.documents import WeaknessProfile
from activesynth.errors import InputError
from activesynth.operations.predictions import (
    Predictions,
    checked_predictions,
    diagnose_predictions,
)

CLASSES = ("cat", "dog", "owl")
ROWS = 600


def make_table(seed: int = 0, *, draws: int = 0) -> dict[str, Array]:
    """Return columns of a model that fails on a third of the rows taken at night."""
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=ROWS)
    light = rng.choice(["day", "night"], ROWS)
    is_error = rng.random(ROWS) < np.where(light == "night", 0.35, 0.03)
    predicted = np.where(is_error, (y + 1) % 3, y)
    probs = np.eye(3)[predicted] * 0.7 + 0.1
    table: dict[str, Array] = {"label": np.array(CLASSES)[y], "attribute.light": light}
    table |= {f"prob.{name}": probs[:, k] for k, name in enumerate(CLASSES)}
    for draw in range(draws):
        shaken = probs + rng.uniform(0, 0.2, probs.shape)
        shaken /= shaken.sum(axis=1, keepdims=True)
        table |= {f"draw.{draw}.{name}": shaken[:, k] for k, name in enumerate(CLASSES)}
    return table


def write(path: Path, table: dict[str, Array]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(
            pa.table({name: pa.array(col.tolist()) for name, col in table.items()}), path
        )
    elif path.suffix == ".npz":
        named: dict[str, Any] = {name: column for name, column in table.items()}
        np.savez(path, **named)
    else:
        rows = zip(*(column.tolist() for column in table.values()), strict=True)
        lines = [",".join(table), *(",".join(map(str, row)) for row in rows)]
        path.write_text("\n".join(lines) + "\n")
    return path


def read_predictions(path: Path) -> Predictions:
    return checked_predictions(read_columns(path))


def profile_of(path: Path) -> WeaknessProfile:
    return diagnose_predictions(
        read_predictions(path),
        "mine",
        margin=0.05,
        alpha=0.05,
        min_support=10,
        tau=None,
        tau_quantile=0.8,
        sweep=(0.1, 0.5),
        seed=0,
    )


@pytest.mark.parametrize("kind", ["csv", "parquet", "npz"])
def test_the_weak_group_is_first_whatever_the_format(tmp_path: Path, kind: str) -> None:
    profile = profile_of(write(tmp_path / f"p.{kind}", make_table()))

    assert profile.weaknesses[0].id == "slice:light=night"
    assert profile.weaknesses[0].confirmed
    assert profile.cluster_shares == ()
    assert len(profile.sweep) == 2


def test_the_three_formats_give_one_profile(tmp_path: Path) -> None:
    table = make_table(draws=2)

    digests = {
        profile_of(write(tmp_path / f"p.{k}", table)).digest for k in ("csv", "parquet", "npz")
    }

    assert len(digests) == 1


def test_an_archive_may_hold_all_classes_and_draws_in_one_array(tmp_path: Path) -> None:
    table = make_table(draws=3)
    probs = np.stack([table[f"prob.{name}"] for name in CLASSES], axis=1)
    draws = np.stack(
        [np.stack([table[f"draw.{d}.{n}"] for n in CLASSES], axis=1) for d in range(3)]
    )
    rest = {name: table[name] for name in ("label", "attribute.light")}
    packed = {**rest, "probs": probs, "draws": draws, "classes": np.array(CLASSES)}

    one = profile_of(write(tmp_path / "a.npz", table))
    other = profile_of(write(tmp_path / "b.npz", packed))

    assert one == other


def test_draws_make_the_uncertainty_and_groups_stay_in_one_half(tmp_path: Path) -> None:
    table = make_table(draws=2)
    table["group"] = np.repeat(np.arange(ROWS // 10), 10).astype(str)

    found = read_predictions(write(tmp_path / "p.csv", table))

    assert found.draws.shape == (2, ROWS, 3)
    assert len(set(found.groups.tolist())) == ROWS // 10


def cut(table: dict[str, Array]) -> dict[str, Array]:
    return {name: column[:3] for name, column in table.items()}


def without(name: str) -> Callable[[dict[str, Array]], dict[str, Array]]:
    return lambda table: {key: column for key, column in table.items() if key != name}


def changed(name: str, row: int, value: object) -> Callable[[dict[str, Array]], dict[str, Array]]:
    def change(table: dict[str, Array]) -> dict[str, Array]:
        column = table[name].astype("<U32")
        column[row] = str(value)
        return {**table, name: column}

    return change


Change = Callable[[dict[str, Array]], dict[str, Array]]
BAD: list[tuple[str, Change, str, str]] = [
    ("no label", without("label"), "missing_column", "needs a column `label`"),
    ("one class", lambda t: without("prob.cat")(without("prob.dog")(t)), "missing_column", "2 or"),
    ("no rows", lambda t: {k: c[:0] for k, c in t.items()}, "no_rows", "no rows"),
    ("strange column", lambda t: {**t, "age": t["label"]}, "unknown_column", "attribute.age"),
    ("text", changed("prob.dog", 4, "high"), "bad_probability", "row 5, column 'prob.dog'"),
    ("over one", changed("prob.dog", 0, 1.2), "bad_probability", "row 1, column 'prob.dog'"),
    ("negative", changed("prob.cat", 2, -0.1), "bad_probability", "row 3, column 'prob.cat'"),
    ("nan", changed("prob.owl", 1, "nan"), "bad_probability", "row 2, column 'prob.owl': 'nan'"),
    ("empty cell", changed("prob.owl", 1, ""), "bad_probability", "row 2, column 'prob.owl': ''"),
    ("sum", changed("prob.owl", 6, 0.55), "bad_probability", "row 7: the probabilities `prob.*`"),
    ("label", changed("label", 8, "cow"), "bad_label", "row 9, column `label`: 'cow'"),
    ("draw", lambda t: {**t, "draw.0.cat": t["prob.cat"]}, "missing_column", "draw.0.dog"),
    ("draw number", lambda t: {**t, "draw.x.cat": t["prob.cat"]}, "unknown_column", "draw.x"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason", "says"), [b[1:] for b in BAD], ids=[b[0] for b in BAD]
)
def test_a_bad_table_is_refused_by_row_and_column(
    tmp_path: Path, change: Change, reason: str, says: str
) -> None:
    path = write(tmp_path / "p.csv", change(make_table()))

    with pytest.raises(InputError) as caught:
        read_predictions(path)

    assert caught.value.reason == reason
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("gone.csv", None, "missing_path"),
        ("p.xlsx", b"x", "unsupported"),
        ("p.csv", b"\xff\xfe\x00bad", "unreadable"),
        ("p.csv", b"label,prob.a,prob.b\na,1\n", "shape"),
        ("p.csv", b"label,label,prob.a\n", "duplicate_column"),
        ("p.parquet", b"PAR1 nothing", "unreadable"),
        ("p.npz", b"PK nothing", "unreadable"),
    ],
)
def test_a_file_that_is_no_table_is_refused(
    tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(InputError) as caught:
        read_predictions(tmp_path / name)

    assert caught.value.reason == reason


def test_an_archive_with_a_pickle_or_arrays_that_do_not_align_is_refused(tmp_path: Path) -> None:
    pickled: dict[str, Any] = {"label": np.array([{"a": 1}], dtype=object)}
    np.savez(tmp_path / "a.npz", **pickled)
    np.savez(tmp_path / "b.npz", label=np.array(["a"]), probs=np.ones((2, 2)) / 2)
    np.savez(tmp_path / "c.npz", label=np.array(["a"]), probs=np.ones((1, 2)), draws=np.ones(3))

    for name, reason in (("a", "pickled"), ("b", "shape"), ("c", "shape")):
        with pytest.raises(InputError) as caught:
            read_predictions(tmp_path / f"{name}.npz")
        assert caught.value.reason == reason


def test_the_command_needs_no_database_and_writes_the_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIVESYNTH_HOME", str(tmp_path / "home"))
    table, out = write(tmp_path / "p.csv", make_table()), tmp_path / "profile.json"

    code = main(["diagnose", "--predictions", str(table), "--json", "--out", str(out)])

    printed = json.loads(capsys.readouterr().out)
    assert code == 0
    assert printed["weaknesses"][0]["id"] == "slice:light=night"
    assert WeaknessProfile.decode(out.read_bytes()).model_dump(mode="json") == printed
    assert not (tmp_path / "home").exists()


def test_people_read_a_table_with_ranks_and_the_sweep(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "p.csv", make_table())

    assert main(["diagnose", "--predictions", str(path), "--sweep-tau"]) == 0

    told = capsys.readouterr().out
    assert "light = night" in told
    assert "uncertain region:" in told
    assert "error outside" in told


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["diagnose"], 2, "name a campaign, or give --predictions"),
        (["diagnose", "digits", "--predictions", "x.csv"], 2, "not both"),
        (["diagnose", "--predictions", "x.csv"], 3, "there is no file 'x.csv'"),
        (["diagnose", "--predictions", "{bad}"], 3, "row 1, column `label`"),
        (["diagnose", "--predictions", "{good}", "--out", "/no/such/folder/p.json"], 2, "--out"),
    ],
)
def test_a_mistake_ends_with_its_exit_code_and_one_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    says: str,
) -> None:
    good = write(tmp_path / "good.csv", make_table())
    bad = write(tmp_path / "bad.csv", changed("label", 0, "cow")(make_table()))

    found = main([word.format(good=good, bad=bad) for word in arguments])

    told = capsys.readouterr().err
    assert found == code
    assert says in told
    assert "Traceback" not in told


def test_the_schema_of_a_profile_is_printed_and_fits_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diagnose", "--schema"]) == 0

    schema = json.loads(capsys.readouterr().out)
    profile = profile_of(write(tmp_path / "p.csv", make_table())).model_dump(mode="json")
    assert set(profile) == set(schema["properties"])
    assert set(profile["weaknesses"][0]) == set(schema["$defs"]["Weakness"]["properties"])
