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
        "Catalog({'trainer': TRAINERS}).check('trainer', 'cnn', {});"
        "print({'torch', 'sklearn', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
