from __future__ import annotations

import numpy as np
import pytest
import torch

from activesynth.domain.canonical import decode_tensors, encode_tensors
from activesynth.errors import CorruptArtifactError
from activesynth.nn.blocks import ConvolutionalEncoder
from activesynth.nn.tensors import build, load_arrays, to_arrays


def make_encoder(seed: int, width: int = 4) -> ConvolutionalEncoder:
    generator = torch.Generator().manual_seed(seed)
    return build(lambda: ConvolutionalEncoder(1, (8, 8), width), torch.device("cpu"), generator)


def test_weights_depend_on_the_generator_alone() -> None:
    torch.manual_seed(1)
    first = to_arrays(make_encoder(0).state_dict())
    torch.manual_seed(2)
    second = to_arrays(make_encoder(0).state_dict())

    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not np.array_equal(
        first["out.weight"], to_arrays(make_encoder(3).state_dict())["out.weight"]
    )


def test_building_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    make_encoder(0)

    assert torch.equal(torch.get_rng_state(), before)


def test_kernels_start_with_the_variance_that_keeps_activations_alive() -> None:
    weight = to_arrays(make_encoder(0, width=32).state_dict())["convolutions.1.0.weight"]

    assert weight.var() == pytest.approx(2 / (32 * 9), rel=0.05)


def test_weights_survive_the_way_through_bytes() -> None:
    encoder, other = make_encoder(0), make_encoder(1)
    tensors = decode_tensors(encode_tensors(to_arrays(encoder.state_dict(), "encoder.")))

    load_arrays(other, tensors, "encoder.")

    images = torch.rand(2, 1, 8, 8)
    assert torch.equal(other(images), encoder(images))


def test_arrays_are_copies_that_later_training_does_not_touch() -> None:
    encoder = make_encoder(0)
    arrays = to_arrays(encoder.state_dict())
    before = arrays["out.weight"].copy()

    with torch.no_grad():
        encoder.out.weight.add_(1.0)

    assert np.array_equal(arrays["out.weight"], before)


def test_weights_of_another_network_are_refused() -> None:
    tensors = to_arrays(make_encoder(0, width=8).state_dict(), "encoder.")

    with pytest.raises(CorruptArtifactError, match="do not fit the network"):
        load_arrays(make_encoder(0), tensors, "encoder.")
