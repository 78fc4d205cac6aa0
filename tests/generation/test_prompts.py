"""Prompts say what is asked for, and nothing about what is free."""

from __future__ import annotations

import numpy as np
import pytest

from activesynth.bootstrap import catalog
from activesynth.errors import ConfigurationError
from activesynth.generation.checkpoints.parameters import StableDiffusionParameters
from activesynth.generation.checkpoints.prompts import prompts

FULL = "a photo of {class}, cluster {cluster}, uncertainty {level}"
NAMES = ("cat", "dog")


def test_a_prompt_names_class_cluster_and_level_and_leaves_out_what_is_free() -> None:
    found = prompts(
        FULL,
        NAMES,
        labels=np.array([0, 1, 1, -1, -1]),
        clusters=np.array([3, -1, 12, 0, -1]),
        levels=np.array([2, 0, -1, 1, -1]),
    )

    assert found == [
        "a photo of cat, cluster 3, uncertainty high",
        "a photo of dog, uncertainty low",
        "a photo of dog, cluster 12",
        "cluster 0, uncertainty middle",
        "",
    ]


def test_words_without_a_value_always_stay() -> None:
    one = np.array([1])

    found = prompts("in colour, {class} at night, {cluster} of {level}", NAMES, one, one, -one)

    assert found == ["in colour, dog at night"]


def test_a_name_with_braces_is_a_name_and_no_template() -> None:
    one = np.array([0])

    assert prompts("{class}", ("{cluster}",), one, one, one) == ["{cluster}"]


def test_the_default_prompt_says_only_what_was_trained_on() -> None:
    plain = StableDiffusionParameters(path="x", class_names=NAMES)
    trained = StableDiffusionParameters(path="x", class_names=NAMES, lora_steps=1)

    assert plain.template == "a photo of {class}"
    assert trained.template == FULL


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("a photo", "needs {class}"),
        ("{class} {weather}", "knows {class}, {cluster} and {level}"),
        ("{class.__class__}", "knows {class}, {cluster} and {level}"),
        ("{class!r}", "without formats"),
        ("{class:>10000}", "without formats"),
        ("{class", "is no template"),
    ],
)
def test_a_prompt_that_is_no_template_is_refused(prompt: str, words: str) -> None:
    parameters = {"path": "x", "class_names": ["a"], "prompt": prompt}

    with pytest.raises(ConfigurationError) as caught:
        catalog().check("generator", "stable-diffusion", parameters)

    assert words in str(caught.value)
