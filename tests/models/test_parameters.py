from __future__ import annotations

import subprocess
import sys

import pytest

from activesynth.domain.registry import Catalog
from activesynth.errors import ConfigurationError
from activesynth.models.registry import TRAINERS


def check(**parameters: object) -> dict[str, object]:
    return Catalog({"trainer": TRAINERS}).check("trainer", "cnn", parameters)


def test_checking_parameters_fills_in_defaults() -> None:
    checked = check(members=7, augment={"flip": True})

    assert checked["members"] == 7
    assert checked["dropout"] == 0.5
    assert isinstance(checked["augment"], dict)
    assert checked["augment"]["flip"] is True


def test_fifty_members_are_allowed_and_fifty_one_are_not() -> None:
    assert check(members=50)["members"] == 50
    with pytest.raises(ConfigurationError, match=r"`trainer.parameters.members`.*got 51"):
        check(members=51)


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"`trainer\.parameters\.depth`"):
        check(depth=3)


def test_checking_parameters_loads_no_framework() -> None:
    code = (
        "import sys; from activesynth.domain.registry import Catalog;"
        "from activesynth.models.registry import TRAINERS;"
        "[Catalog({'trainer': TRAINERS}).check('trainer', name, {}) for name in TRAINERS];"
        "print({'torch', 'sklearn', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("parameters", "need"),
    [
        ({"width": 60, "heads": 8}, "width 60 must be a multiple of heads, 8"),
        ({"width": 54, "heads": 3}, "width 54 must be a multiple of 4 for positions sincos"),
        ({"pooling": "max"}, "'mean' or 'token'"),
    ],
)
def test_sizes_of_a_transformer_that_do_not_fit_are_refused(
    parameters: dict[str, object], need: str
) -> None:
    with pytest.raises(ConfigurationError, match=need):
        Catalog({"trainer": TRAINERS}).check("trainer", "vit", parameters)


def test_each_trainer_has_its_own_sizes_and_shares_the_training() -> None:
    cnn, vit = (Catalog({"trainer": TRAINERS}).check("trainer", n, {}) for n in ("cnn", "vit"))

    assert set(vit) - set(cnn) == {
        "patch", "depth", "heads", "mlp_ratio", "pooling", "positions"
    }  # fmt: skip
    assert set(cnn) <= set(vit)
