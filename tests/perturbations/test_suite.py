"""The suite as a whole: kinds, families, severities."""

from __future__ import annotations

import pytest

from activesynth.config.campaign import Diagnosis
from activesynth.perturbations.kernels import KERNELS
from activesynth.perturbations.registry import CORRUPTIONS
from activesynth.perturbations.suite import FAMILIES, SEVERITIES, known_and_unknown_families


def test_fifteen_kinds_stand_in_one_family_each_and_are_registered() -> None:
    kinds = [kind for family in FAMILIES.values() for kind in family]

    assert len(kinds) == 15
    assert sorted(kinds) == sorted(KERNELS) == sorted(CORRUPTIONS)


def test_severities_rise_to_the_strongest() -> None:
    assert tuple(sorted(set(SEVERITIES))) == SEVERITIES
    assert (len(SEVERITIES), SEVERITIES[-1]) == (5, 1.0)


def test_what_a_campaign_tries_unless_told_otherwise_is_as_before() -> None:
    tried = ("blur", "noise", "rotation", "occlusion", "shadow", "contrast")

    assert Diagnosis().corruptions == tried


@pytest.mark.parametrize(
    ("trained", "known"),
    [
        ((), ()),
        (("shot",), ("noise",)),
        (("jpeg", "blur", "zoom_blur"), ("blur", "digital")),
        (("somebody's own",), ()),
        (tuple(KERNELS), tuple(FAMILIES)),
    ],
)
def test_a_family_is_known_when_any_of_its_kinds_was_trained_on(
    trained: tuple[str, ...], known: tuple[str, ...]
) -> None:
    found, unknown = known_and_unknown_families(trained)

    assert found == known
    assert set(unknown) == set(FAMILIES) - set(known)
